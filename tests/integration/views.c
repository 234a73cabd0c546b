/* views - the readable files of a store follow it behind the answers; nobody waits for them but whoever is destroyed */
#include <lib/proc.h>
#include <lib/run.h>
#include <lib/shim.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <lib/views.h>
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* With a folder that takes SLOW ms to make, TOPICS of them take some seconds. */
enum { TOPICS = 80, SLOW = 25 };

static struct server broker, one;
static int near;                               /* a client that talks to itself */
static uint64_t many;                          /* a durable client with many topics, away */

static void
talks(void)
{
	say(near, "near", "hello");
	hear(near, "near", "hello");
}

static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	near = talk_create();
	talk_subscribe(near, "near");
	int id = talk_open("many");
	many = mom_global_id(id);
	for (int i = 0; i < TOPICS; i++)
		talk_subscribe(id, t_text("many/%d", i));
	REQUIRE(mom_close(id) == 0, "%s", mom_error_text(-1));
	WAIT_FOR(view_mentions(&broker, many) == TOPICS + 1, "%d views of %d topics", view_mentions_now(&broker, many),
	    TOPICS);
}

static int
is_there(const char *what)
{
	glob_t g;
	int n = glob(t_text("%s/shard-0/%s", broker.store, what), 0, NULL, &g) == 0 ? (int)g.gl_pathc : 0;
	globfree(&g);
	return n;
}

static void
start_slowly(void)
{
	shim_slow("worker", "mkdir", SLOW);
	server_start(&broker);
	shim_end();
}

static void
all_made(void)
{
	REQUIRE(view_mentions(&broker, many) == TOPICS + 1, "%d views of %d topics", view_mentions_now(&broker, many),
	    TOPICS);
	REQUIRE(is_there("old-*") == 0, "those of before are left");
}

static void
destroy_many(void)
{
	int id = talk_open("many");
	REQUIRE(mom_set_option(id, MOM_OPT_TIMEOUT_MS, -1) == 0 && mom_destroy(id) == 0, "%s", mom_error_text(-1));
	int shown = view_mentions_now(&broker, many);
	REQUIRE(shown == 0, "it is destroyed, and %d views show it", shown);
}

TEST(after_a_start, "a broker that starts, and a worker that starts again, serve before their views are made; then all "
    "of them are made anew")
{
	up();
	server_stop(&broker);
	start_slowly();
	talks();
	REQUIRE(!views_complete(&broker), "the first message waited for the views");
	all_made();
	pid_t worker = server_child(&broker, "worker");
	kill(worker, SIGKILL);
	server_replaced(&broker, "worker", worker);
	talks();
	REQUIRE(!views_complete(&broker), "the first message waited for the views");
	all_made();
}

TEST(subscribe, "who subscribes is answered before the view of the topic is made")
{
	int ahead = 0;
	up();
	server_stop(&broker);
	start_slowly();
	all_made();
	for (int i = 0; i < TOPICS; i++) {
		talk_subscribe(near, t_text("new/%d", i));
		ahead += !is_there(t_text("topics/new/%d", i));
	}
	t_remark("%d of %d were answered before their view was made", ahead, TOPICS);
	REQUIRE(ahead > 0, "each of %d waited for its view", TOPICS);
	REQUIRE(view_has(&broker, mom_global_id(near), t_text("new/%d", TOPICS - 1)), "the last one is never made");
}

TEST(destroyed_meanwhile, "a client that is destroyed while the views are made is in none of them when it returns, and "
    "in none later")
{
	up();
	server_stop(&broker);
	start_slowly();
	WAIT_FOR(view_mentions_now(&broker, many) > 0, "no view of it is made");
	destroy_many();
	REQUIRE(!views_complete(&broker) || view_mentions(&broker, many) == 0, "a view shows it");
	REQUIRE(view_has(&broker, mom_global_id(near), "near"), "another one is in no view");
	REQUIRE(view_mentions(&broker, many) == 0, "a view that was made later shows it");
}

static int *returned;

static void
destroy_and_look(void *nothing)
{
	(void)nothing;
	destroy_many();
	*returned = 1;
}

TEST(destroyed_over_deaths, "a client is destroyed while the worker is killed again and again as it makes views: when "
    "it returns no view shows it")
{
	up();
	server_stop(&broker);
	start_slowly();
	returned = t_shared_memory(sizeof *returned);
	pid_t other = t_spawn(destroy_and_look, NULL);
	for (int i = 0; i < 5; i++) {
		pid_t worker = server_child(&broker, "worker");
		kill(worker, SIGKILL);
		server_replaced(&broker, "worker", worker);
		talks();
	}
	WAIT_FOR(__atomic_load_n(returned, __ATOMIC_SEQ_CST), "it is never answered");
	t_join(other);
	REQUIRE(view_mentions(&broker, many) == 0, "a view that was made later shows it");
	REQUIRE(is_there("old-*") == 0, "those of before are left");
}

static void
destroy_slowly(void *nothing)
{
	(void)nothing;
	destroy_many();
}

TEST(unsubscribed_before, "a client that left its topic, and is destroyed while its view still shows it, is not "
    "answered before that")
{
	up();
	server_stop(&broker);
	shim_slow("worker", "unlink", SLOW / 3);
	server_start(&broker);
	shim_end();
	int id = talk_create();
	uint64_t global = mom_global_id(id);
	talk_subscribe(id, "near");
	all_made();
	REQUIRE(view_has(&broker, global, "near"), "it is not shown");
	pid_t other = t_spawn(destroy_slowly, NULL);    /* what it leaves is removed first */
	WAIT_FOR(view_mentions_now(&broker, many) < TOPICS, "the end of the other");
	REQUIRE(mom_unsubscribe(id, "near") == 0, "%s", mom_error_text(id));
	WAIT_FOR(!is_there(t_text("sub/%016llx", (unsigned long long)global)), "its own view is there");
	REQUIRE(view_mentions_now(&broker, global) == 1, "no view shows it any more");
	bye(id);
	int shown = view_mentions_now(&broker, global);
	REQUIRE(shown == 0, "it is destroyed, and %d views show it", shown);
	t_join(other);
}

TEST(cannot_be_written, "a view that cannot be written is told, and holds nobody up; all are made anew once it works")
{
	up();
	REQUIRE(run_command("cd '%s/shard-0' && mv topics away && touch topics", broker.store).status == 0,
	    "no topics");
	talk_subscribe(near, "new");
	WAIT_FOR(server_log_has(&broker, "all of them are made anew in"), "nothing is told");
	talks();
	WAIT_FOR(!views_complete(&broker), "they are said to be complete");
	REQUIRE(view_has(&broker, mom_global_id(near), "new"), "they are never made anew");
	all_made();
}

static void
restart_with(const char *views)
{
	server_stop(&broker);
	broker.extra[0] = "--views";
	broker.extra[1] = views;
	server_start(&broker);
	talks();
}

TEST(off, "with --views off there are none, and those of before are removed; with --views on again they are made")
{
	up();
	restart_with("off");
	WAIT_FOR(strcmp(t_text("%.16s", t_read_file(t_text("%s/shard-0/views", broker.store))),
	    "mom views 1 off\n") == 0, "nothing says so");
	talk_subscribe(near, "new");
	WAIT_FOR(is_there("topics") + is_there("sub") + is_there("old-*") == 0, "there are views");
	REQUIRE(mom_unsubscribe(near, "new") == 0, "%s", mom_error_text(near));
	talk_subscribe(near, "newer");
	restart_with("on");
	all_made();
	REQUIRE(view_has(&broker, mom_global_id(near), "newer"), "a new one is not shown");
	destroy_many();
}
