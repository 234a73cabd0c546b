/* ids - item 8: global ids are never used again; the same subscribers come back after any restart; the views agree */
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <lib/views.h>
#include <stdlib.h>

static struct server broker, one, two;

static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

static uint64_t seen[4096];
static int seen_count;

static void
take_id(int id)
{
	uint64_t global = mom_global_id(id);
	REQUIRE(global != 0, "no global id");
	for (int i = 0; i < seen_count; i++)
		REQUIRE(seen[i] != global, "id %016llx came twice", (unsigned long long)global);
	seen[seen_count++] = global;
}

static void
take_some(void)
{
	int ids[20];
	for (int i = 0; i < 20; i++) {
		take_id(ids[i] = talk_create());
		for (int k = 0; k < i; k++)
			REQUIRE(ids[k] != ids[i], "local id %d twice at once", ids[i]);
	}
	for (int i = 0; i < 20; i++)
		bye(ids[i]);
}

TEST(never_again, "no global id comes twice: over destroys, stops and kills of daemon and broker, and a second machine")
{
	up();
	for (int round = 0; round < 3; round++) {
		take_some();
		server_stop(&one);
		server_start(&one);
		take_some();
		server_kill(&one);
		server_start(&one);
		take_some();
		server_kill(&broker);
		server_start(&broker);
	}
	daemon_start(&two, "two", broker.port);
	use_daemon(&two);
	take_some();
}

enum { DURABLE = 5 };
static uint64_t durable[DURABLE], gone[DURABLE];

static void
subscribe_all(void)
{
	for (int i = 0; i < DURABLE; i++) {
		int id = talk_open(t_text("client-%d", i)), other = talk_create();
		durable[i] = mom_global_id(id);
		gone[i] = mom_global_id(other);
		talk_subscribe(id, t_text("topic/%d", i));
		talk_subscribe(id, "all");
		talk_subscribe(other, "all");
		REQUIRE(view_has(&broker, gone[i], "all"), "%016llx is in no view", (unsigned long long)gone[i]);
		REQUIRE(mom_close(id) == 0, "%s", mom_error_text(-1));
		bye(other);
	}
}

/* once the worker has answered, and the views are complete, they say what is so */
static void
views_are_right(const char *when)
{
	int id = talk_create();
	say(id, "all", "hello");
	for (int i = 0; i < DURABLE; i++) {
		REQUIRE(view_has(&broker, durable[i], t_text("topic/%d", i)) && view_has(&broker, durable[i], "all"),
		    "%s: %016llx is missing in a view",
		    when, (unsigned long long)durable[i]);
		REQUIRE(view_mentions(&broker, gone[i]) == 0, "%s: the destroyed %016llx is in a view", when,
		    (unsigned long long)gone[i]);
	}
	bye(id);
}

TEST(subscribers_come_back, "the same subscribers are there after each kind of restart; views hold them and no "
    "destroyed id")
{
	up();
	subscribe_all();
	views_are_right("at first");
	server_stop(&broker);
	server_start(&broker);
	views_are_right("after a stop of the broker");
	server_kill(&broker);
	server_start(&broker);
	views_are_right("after kill -9 of the broker");
	server_stop(&one);
	server_start(&one);
	views_are_right("after a stop of the daemon");
	server_kill_all(&one);
	server_kill_all(&broker);
	server_start(&broker);
	server_start(&one);
	views_are_right("after kill -9 of everything");
	for (int i = 0; i < DURABLE; i++) {
		int id = talk_open(t_text("client-%d", i));
		REQUIRE(mom_global_id(id) == durable[i], "client-%d is %016llx, was %016llx", i,
		    (unsigned long long)mom_global_id(id),
		    (unsigned long long)durable[i]);
		REQUIRE(mom_subscribe(id, "all", 0) == MOM_EEXIST, "client-%d lost its subscription", i);
		for (int k = 0; k < 5; k++)
			hear(id, "all", "hello");
		hear_nothing(id);
		bye(id);
	}
	server_stop(&broker);
	for (int i = 0; i < DURABLE; i++)
		REQUIRE(view_mentions(&broker, durable[i]) == 0, "the destroyed %016llx is in a view",
		    (unsigned long long)durable[i]);
}

TEST(checkpoint, "after a stop the check-point holds each subscriber and no destroyed client, as the views do")
{
	up();
	subscribe_all();
	server_stop(&one);
	server_stop(&broker);
	for (int i = 0; i < DURABLE; i++) {
		REQUIRE(view_checkpoint_mentions(&broker, durable[i]) > 0 && view_mentions(&broker, durable[i]) > 0,
		    "%016llx is missing",
		    (unsigned long long)durable[i]);
		REQUIRE(view_checkpoint_mentions(&broker, gone[i]) == 0 && view_mentions(&broker, gone[i]) == 0,
		    "the destroyed %016llx is there",
		    (unsigned long long)gone[i]);
	}
}

TEST(names_are_of_one_machine, "a durable name belongs to its machine: the same name on another is another client")
{
	up();
	daemon_start(&two, "two", broker.port);
	int a = talk_open("same");
	talk_subscribe(a, "same");
	use_daemon(&two);
	int b = talk_open("same");
	REQUIRE(mom_global_id(a) != mom_global_id(b), "both are %016llx", (unsigned long long)mom_global_id(a));
	say(b, "same", "hello");
	hear(a, "same", "hello");
	hear_nothing(b);
	bye(a);
	bye(b);
}
