/* will - mom_will and MOM_NEED_SUBSCRIBER */
#include <lib/proc.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <mom.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server broker, one, two;
static int ear;

static void
begin(const char *broker_flags)
{
	broker_start(&broker, "broker", 0, broker_flags);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	ear = mom_create();
	REQUIRE(ear >= 0 && mom_subscribe(ear, "wills", 0) == 0 && mom_subscribe(ear, "wills/other", 0) == 0, "%s",
	    mom_error_text(-1));
}

/* the next message is that */
static void
hear(const char *text)
{
	struct mom_message m;
	int r = mom_receive(ear, &m, T_PATIENCE_MS);
	REQUIRE(r == 0 && m.len == strlen(text) && memcmp(m.data, text, m.len) == 0, "%s awaited: %d %.*s", text, r,
	    r ? 0 : (int)m.len, r ? "" : (const char *)m.data);
}

/* what was said so far, and no will, has come: a word of our own comes next */
static void
hear_nothing(void)
{
	REQUIRE(mom_publish(ear, "wills", "fence", 5, 0) == 0, "%s", mom_error_text(ear));
	hear("fence");
}

struct heir { const char *name; int *ready; };

/* a client with a will that waits for its death */
static void
live(void *with)
{
	struct heir *h = with;
	int id = h->name ? mom_open(h->name) : mom_create();
	REQUIRE(id >= 0, "%s", mom_error_text(-1));
	REQUIRE(mom_will(id, "wills", "last", 4) == 0, "%s", mom_error_text(id));
	REQUIRE(mom_publish(id, "wills", "alive", 5, MOM_FAST | MOM_ASYNC) == 0, "%s", mom_error_text(id));
	*h->ready = 1;
	for (;;)
		pause();
}

static pid_t
heir(struct heir *h)
{
	h->ready = t_shared_memory(sizeof *h->ready);
	pid_t pid = fork();
	if (pid == 0)
		live(h);
	WAIT_FOR(*h->ready, "the heir");
	return pid;
}

static void
kill_heir(pid_t pid)
{
	REQUIRE(pid > 0, "fork");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

TEST(killed, "the will of a program that is killed comes once, after all that it published; of an anonymous and of a "
    "durable client")
{
	static struct heir anonymous, durable = { .name = "heir" };
	begin(NULL);
	for (int i = 0; i < 3; i++) {
		pid_t pid = heir(&anonymous);
		kill_heir(pid);
		hear("alive");
		hear("last");
		pid = heir(&durable);
		kill_heir(pid);
		hear("alive");
		hear("last");
		hear_nothing();
	}
	REQUIRE(mom_destroy(ear) == 0, "%s", mom_error_text(-1));
}

TEST(orderly, "destroy publishes the will, withdrawing it does not, a second one replaces the first, closing a durable "
    "client withdraws it")
{
	begin("--workers 4");
	for (int i = 0; i < 20; i++)           /* topics of every shard */
		REQUIRE(mom_subscribe(ear, t_text("wills/%d", i), 0) == 0, "%s", mom_error_text(ear));
	int id = mom_create();
	REQUIRE(mom_will(id, "wills", "first", 5) == 0 && mom_will(id, "wills", "second", 6) == 0, "%s",
	    mom_error_text(id));
	REQUIRE(mom_destroy(id) == 0, "%s", mom_error_text(-1));
	hear("second");
	id = mom_create();
	for (int i = 0; i < 20; i++)
		REQUIRE(mom_will(id, t_text("wills/%d", i), "elsewhere", 9) == 0, "%s", mom_error_text(id));
	REQUIRE(mom_will(id, "wills/other", "moved", 5) == 0 && mom_destroy(id) == 0, "%s", mom_error_text(-1));
	hear("moved");
	for (int i = 0; i < 20; i++)
		REQUIRE(mom_publish(ear, t_text("wills/%d", i), "fence", 5, 0) == 0, "%s", mom_error_text(ear));
	for (int i = 0; i < 20; i++)           /* and nothing else of any of them */
		hear("fence");
	id = mom_create();
	REQUIRE(mom_will(id, "wills", "gone", 4) == 0 && mom_will(id, NULL, NULL, 0) == 0 && mom_destroy(id) == 0, "%s",
	    mom_error_text(-1));
	id = mom_open("keeper");
	REQUIRE(mom_will(id, "wills", "kept", 4) == 0 && mom_close(id) == 0, "%s", mom_error_text(-1));
	hear_nothing();
	id = mom_open("keeper");
	REQUIRE(mom_will(id, "wills", NULL, 0) == 0 && mom_destroy(id) == 0, "%s", mom_error_text(-1));
	hear("");
	REQUIRE(mom_will(ear, "bad topic", "x", 1) == MOM_ETOPIC, "%s", mom_error_text(ear));
	REQUIRE(mom_will(ear, NULL, "x", 1) == MOM_EINVAL, "%s", mom_error_text(ear));
	REQUIRE(mom_will(ear, "wills", t_shared_memory(MOM_MESSAGE_MAX + 1), MOM_MESSAGE_MAX + 1) == MOM_ETOOBIG, "%s",
	    mom_error_text(ear));
	REQUIRE(mom_destroy(ear) == 0, "%s", mom_error_text(-1));
}

TEST(restarts, "a will outlives broker and daemon: both are killed and restarted, then the program dies, and its will "
    "comes once")
{
	static struct heir anonymous, durable = { .name = "heir" };
	begin(NULL);
	for (int i = 0; i < 3; i++) {
		pid_t a = heir(&anonymous);
		hear("alive");
		pid_t d = heir(&durable);
		hear("alive");
		server_kill_all(&broker);
		server_start(&broker);
		kill(server_child(&broker, "worker"), SIGKILL);
		server_kill(&one);
		if (i == 1)                    /* dead before anybody could see it */
			kill_heir(a), kill_heir(d);
		server_start(&one);
		if (i != 1)
			kill_heir(a), kill_heir(d);
		hear("last");
		hear("last");
		hear_nothing();
	}
	REQUIRE(mom_destroy(ear) == 0, "%s", mom_error_text(-1));
}

TEST(replayed, "a will that was published is not published again after the worker has read its log, whoever says then "
    "that the program is dead")
{
	static struct heir durable = { .name = "heir" };
	begin(NULL);
	kill_heir(heir(&durable));
	hear("alive");
	hear("last");
	pid_t worker = server_child(&broker, "worker");
	kill(worker, SIGKILL);
	server_replaced(&broker, "worker", worker);
	server_kill(&one);                     /* a new connection, which tells of the dead anew */
	server_start(&one);
	int id = mom_open("heir");
	REQUIRE(id >= 0 && mom_destroy(id) == 0, "%s", mom_error_text(-1));
	hear_nothing();
	REQUIRE(mom_destroy(ear) == 0, "%s", mom_error_text(-1));
}

TEST(connection_ends, "while a program lives its will does not come, though the connection to the broker, the broker "
    "or the daemon end")
{
	static struct heir anonymous, durable = { .name = "heir" };
	begin(NULL);
	pid_t a = heir(&anonymous), d = heir(&durable), old = server_child(&broker, "broker_handler");
	hear("alive");
	hear("alive");
	kill(old, SIGKILL);
	server_replaced(&broker, "broker_handler", old);
	hear_nothing();
	server_stop(&broker);
	server_start(&broker);
	hear_nothing();
	server_stop(&one);
	server_start(&one);
	hear_nothing();
	kill_heir(a);
	kill_heir(d);
	hear("last");
	hear("last");
	REQUIRE(mom_destroy(ear) == 0, "%s", mom_error_text(-1));
}

/* ---- behind very much ---- */

enum { REST = 40, REST_BYTES = 8000 };         /* more than the requester takes of one client at a time */

static void
leave_much(void *with)
{
	static char bytes[REST_BYTES];
	struct heir *h = with;
	int id = h->name ? mom_open(h->name) : mom_create();
	REQUIRE(id >= 0 && mom_will(id, "wills", "last", 4) == 0, "%s", mom_error_text(id));
	*h->ready = 1;
	WAIT_FOR(*(volatile int *)h->ready == 2, "the broker's end");
	for (int i = 0; i < REST; i++)
		REQUIRE(mom_publish(id, "wills", bytes, sizeof bytes, MOM_ASYNC) == 0, "%s", mom_error_text(id));
	*h->ready = 3;
	for (;;)
		pause();
}

TEST(after_the_rest, "a will comes after all that its program had published, however much of it was still on its way "
    "when the program died")
{
	static struct heir heirs[2] = { { 0 }, { .name = "heir" } };
	struct mom_message m;
	begin(NULL);
	for (int k = 0; k < 2; k++) {
		struct heir *h = &heirs[k];
		h->ready = t_shared_memory(sizeof *h->ready);
		pid_t pid = fork();
		if (pid == 0)
			leave_much(h);
		WAIT_FOR(*(volatile int *)h->ready == 1, "the heir");
		server_stop(&broker);
		*h->ready = 2;
		WAIT_FOR(*(volatile int *)h->ready == 3, "what it leaves");
		kill_heir(pid);
		server_start(&broker);
		for (int i = 0; i < REST; i++)
			REQUIRE(mom_receive(ear, &m, T_PATIENCE_MS) == 0 && m.len == REST_BYTES,
			    "%d: %zu bytes came: %s", i, m.len, mom_error_text(ear));
		hear("last");
	}
	REQUIRE(mom_destroy(ear) == 0, "%s", mom_error_text(-1));
}

/* a client has its segment once the daemon has taken it; a fork inherits none */
static int
has_segment(pid_t pid)
{
	return run_command("grep -q /SYSV /proc/%d/maps", (int)pid).status == 0;
}

TEST(while_away, "a program that dies and comes back while the broker is away: the will of its dead process comes, "
    "that of the new one does not")
{
	static struct heir durable = { .name = "heir" };
	begin(NULL);
	pid_t pid = heir(&durable);
	hear("alive");
	server_stop(&broker);
	kill_heir(pid);
	*durable.ready = 0;
	pid = fork();
	if (pid == 0)
		live(&durable);
	WAIT_FOR(has_segment(pid), "the daemon does not take the new process");
	server_start(&broker);
	hear("last");
	hear("alive");
	hear_nothing();
	kill_heir(pid);
	hear("last");
	REQUIRE(mom_destroy(ear) == 0, "%s", mom_error_text(-1));
}

TEST(unanswered, "a will that got no answer in time is withdrawn by closing, and replaced by the next one, as any "
    "other")
{
	begin("--workers 4");
	int id = mom_open("keeper"), other = mom_create();
	REQUIRE(mom_will(other, "wills/other", "old", 3) == 0, "%s", mom_error_text(other));
	server_freeze(&broker);
	REQUIRE(mom_set_option(id, MOM_OPT_TIMEOUT_MS, 50) == 0 && mom_set_option(other, MOM_OPT_TIMEOUT_MS, 50) == 0,
	    "%s", mom_error_text(id));
	REQUIRE(mom_will(id, "wills", "kept", 4) == MOM_ETIMEDOUT, "%s", mom_error_text(id));
	REQUIRE(mom_close(id) == MOM_ETIMEDOUT, "%s", mom_error_text(-1));
	for (int i = 0; i < 20; i++)           /* topics of every shard */
		REQUIRE(mom_will(other, t_text("wills/%d", i), "elsewhere", 9) == MOM_ETIMEDOUT, "%s",
		    mom_error_text(other));
	REQUIRE(mom_will(other, "wills", "new", 3) == MOM_ETIMEDOUT, "%s", mom_error_text(other));
	server_thaw(&broker);
	REQUIRE(mom_set_option(other, MOM_OPT_TIMEOUT_MS, T_PATIENCE_MS) == 0 && mom_flush(other, T_PATIENCE_MS) == 0,
	    "%s", mom_error_text(other));
	for (int i = 0; i < 20; i++)
		REQUIRE(mom_subscribe(ear, t_text("wills/%d", i), 0) == 0, "%s", mom_error_text(ear));
	REQUIRE(mom_destroy(other) == 0, "%s", mom_error_text(-1));
	hear("new");
	id = mom_open("keeper");               /* all that its last process asked for is done */
	REQUIRE(id >= 0 && mom_destroy(id) == 0, "%s", mom_error_text(-1));
	hear_nothing();
	REQUIRE(mom_destroy(ear) == 0, "%s", mom_error_text(-1));
}

TEST(need_subscriber, "MOM_NEED_SUBSCRIBER refuses what nobody would receive, and only that; a durable subscriber that "
    "is away counts")
{
	struct mom_message m;
	begin(NULL);
	int id = mom_create();
	for (unsigned fast = 0; fast <= MOM_FAST; fast += MOM_FAST) {
		REQUIRE(mom_publish(id, "nobody", "x", 1, fast | MOM_NEED_SUBSCRIBER) == MOM_ENOSUBSCRIBER, "%s",
		    mom_error_text(id));
		REQUIRE(strstr(mom_error_text(id), "nobody subscribes"), "%s", mom_error_text(id));
		REQUIRE(mom_publish(id, "nobody", "x", 1, fast) == 0, "%s", mom_error_text(id));
		REQUIRE(mom_publish(id, "wills", "yes", 3, fast | MOM_NEED_SUBSCRIBER) == 0, "%s", mom_error_text(id));
		hear("yes");
	}
	REQUIRE(mom_publish(id, "wills", "x", 1, MOM_ASYNC | MOM_NEED_SUBSCRIBER) == MOM_EINVAL, "%s",
	    mom_error_text(id));
	REQUIRE(mom_flush(id, -1) == 0, "%s", mom_error_text(id));
	int away = mom_open("away");
	REQUIRE(mom_subscribe(away, "nobody", 0) == 0 && mom_close(away) == 0, "%s", mom_error_text(-1));
	REQUIRE(mom_publish(id, "nobody", "kept", 4, MOM_NEED_SUBSCRIBER) == 0, "%s", mom_error_text(id));
	away = mom_open("away");
	REQUIRE(mom_receive(away, &m, T_PATIENCE_MS) == 0 && m.len == 4, "%s", mom_error_text(away));
	REQUIRE(mom_destroy(away) == 0, "%s", mom_error_text(-1));
	REQUIRE(mom_publish(id, "nobody", "x", 1, MOM_NEED_SUBSCRIBER) == MOM_ENOSUBSCRIBER, "%s", mom_error_text(id));
	REQUIRE(mom_destroy(id) == 0 && mom_destroy(ear) == 0, "%s", mom_error_text(-1));
}

TEST(expired, "the will of a program whose machine is forgotten comes when that is forgotten")
{
	static struct heir h;
	begin("--machine-expiry 2s");
	daemon_start(&two, "two", broker.port);
	use_daemon(&two);
	pid_t pid = heir(&h);
	use_daemon(&one);
	hear("alive");
	server_kill_all(&two);
	kill_heir(pid);
	hear("last");
	hear_nothing();
	server_start(&two);                    /* it reaps its objects */
	REQUIRE(mom_destroy(ear) == 0, "%s", mom_error_text(-1));
}

/* ---- many wills while everything dies ---- */

struct crowd { int set[600], called[600]; };     /* set: its mom_will returned 0 */

static void
live_numbered(struct crowd *c, int number)
{
	char name[16], text[16];
	snprintf(name, sizeof name, "heir%d", number);
	int id = number & 1 ? mom_open(name) : mom_create();
	if (id < 0 || mom_set_option(id, MOM_OPT_TIMEOUT_MS, -1) < 0)
		_exit(1);
	snprintf(text, sizeof text, "%d", number);
	if (mom_will(id, number & 2 ? "wills" : "wills/other", text, strlen(text)) == 0)
		c->set[number] = 1;
	__atomic_store_n(&c->called[number], 1, __ATOMIC_SEQ_CST);
	for (;;)
		pause();
}

/* one in four is killed whether its will is set, on its way, or not even asked for */
static void
end_heir(struct crowd *c, const pid_t *pids, int i)
{
	if (i % 4)
		WAIT_FOR(__atomic_load_n(&c->called[i], __ATOMIC_SEQ_CST), "heir %d", i);
	kill_heir(pids[i]);
}

TEST(storm, "wills of 60 programs (600 in the long form), anonymous and durable, killed while broker, daemon and their "
    "children are killed: each comes exactly once")
{
	static const char *const children[] = { "worker", "broker_handler", "mom_requester", "mom_forwarder",
	    "mom_responser", "broker_sender" };
	int many = t_is_long() ? 600 : 60, got[600] = { 0 }, missing, set = 0;
	pid_t pids[600];
	struct crowd *c = t_shared_memory(sizeof *c);
	struct t_rng rng;
	struct mom_message m;
	t_rng_init(&rng, 1);
	begin("--workers 2");
	for (int i = 0; i < many; i++) {
		if ((pids[i] = fork()) == 0)
			live_numbered(c, i);
		if (i % 5 == 0) {
			const char *child = children[t_rng_below(&rng, 6)];
			kill(server_child(child[0] == 'm' ? &one : &broker, child), SIGKILL);
		}
		if (i % 20 == 19) {
			struct server *s = t_rng_below(&rng, 2) ? &one : &broker;
			server_kill_all(s);
			server_start(s);
		}
		if (i >= 10)
			end_heir(c, pids, i - 10);
	}
	for (int i = many - 10; i < many; i++)
		end_heir(c, pids, i);
	for (int i = 1; i < many; i += 2) {     /* the durable ones */
		int id = mom_open(t_text("heir%d", i));
		REQUIRE(id >= 0 && mom_destroy(id) == 0, "%s", mom_error_text(-1));
	}
	/* those that were on their way may come, too; a while of silence shows that nothing comes twice */
	int64_t end = t_now_ms() + T_PATIENCE_MS;
	int silent;
	do {
		int r = mom_receive(ear, &m, 300);
		REQUIRE(r == 0 || r == MOM_ETIMEDOUT, "%s", mom_error_text(ear));
		silent = r == MOM_ETIMEDOUT;
		if (r == 0) {
			int number = atoi(m.data);
			REQUIRE(number >= 0 && number < many && ++got[number] == 1, "the will of %d comes again",
			    number);
		}
		missing = set = 0;
		for (int i = 0; i < many; i++) {
			missing += c->set[i] && !got[i];
			set += c->set[i];
		}
	} while ((missing || !silent) && t_now_ms() < end);
	REQUIRE(missing == 0, "%d wills are missing", missing);
	t_remark("%d of %d had set their will when they were killed", set, many);
	REQUIRE(mom_destroy(ear) == 0, "%s", mom_error_text(-1));
}

static struct server machine[6];

/* The i-th machine, of this many MiB a message at most */
static void
use_machine(int i, const char *bytes)
{
	if (machine[i].pid == 0) {
		daemon_plan(&machine[i], t_text("machine%d", i), broker.port);
		machine[i].extra[0] = "--max-message";
		machine[i].extra[1] = bytes;
		server_start(&machine[i]);
	}
	use_daemon(&machine[i]);
}

TEST(share, "the wills of one machine have a share of a shard's: above 65 MiB another one is refused with MOM_ELIMIT, "
    "which says so; those of other machines are taken")
{
	enum { BYTES = 16 << 20, CLIENTS = 5 };
	static const char most[] = "16777216";
	char *data = t_shared_memory(BYTES);
	int id[CLIENTS], r = 0, taken = 0;
	broker_start(&broker, "broker", 0, t_text("--max-message %s", most));
	use_machine(0, most);
	for (; r == 0 && taken < CLIENTS; taken += r == 0) {
		id[taken] = mom_create();
		REQUIRE(id[taken] >= 0, "%s", mom_error_text(-1));
		r = mom_will(id[taken], "wills", data, BYTES);
	}
	REQUIRE(taken == 4 && r == MOM_ELIMIT && strstr(mom_error_text(id[taken]), "65 MiB"),
	    "%d wills were taken: %s", taken, mom_error_text(id[taken]));
	REQUIRE(mom_will(id[taken], "wills", "small", 5) == 0 && mom_will(id[0], "wills", data, BYTES) == 0,
	    "the share is not used up: %s",
	    mom_error_text(id[taken]));
	REQUIRE(mom_will(id[0], NULL, NULL, 0) == 0 && mom_will(id[taken], "wills", data, BYTES) == 0,
	    "one was withdrawn: %s", mom_error_text(id[taken]));
	use_machine(1, most);
	int other = mom_create();
	REQUIRE(mom_will(other, "wills", data, BYTES) == 0, "another machine finds no room: %s", mom_error_text(other));
	struct ran limits = run_command("'%s' limits '%s'", t_bin("mom"), broker.run);
	REQUIRE(strstr(limits.out, "will bytes a machine") && strstr(limits.out, "machines known"), "%s", limits.out);
}

TEST_LONG(too_many, "wills are kept in memory and in each check-point: above 256 MiB of a shard another one is refused "
    "with MOM_EFULL, and the store is taken up again")
{
	enum { BYTES = 60 << 20, MACHINES = 6 };
	static const char most[] = "67108864";
	char *data = t_shared_memory(BYTES);
	int id[MACHINES], taken = 0, r = 0;
	broker_start(&broker, "broker", 0, t_text("--max-message %s", most));
	use_machine(0, most);
	ear = mom_create();
	for (; r == 0 && taken < MACHINES; taken += r == 0) {
		use_machine(taken, most);
		id[taken] = mom_create();
		REQUIRE(id[taken] >= 0, "%s", mom_error_text(-1));
		r = mom_will(id[taken], "wills", data, BYTES);
		REQUIRE(r == 0 || r == MOM_EFULL, "%s", mom_error_text(id[taken]));
	}
	t_remark("%d wills were taken", taken);
	server_stop(&broker);
	server_start(&broker);
	CHECK(mom_publish(ear, "wills", "x", 1, 0) == 0, "%s", mom_error_text(ear));
	CHECK(taken == 4 && r == MOM_EFULL, "%d wills were taken", taken);
}
