/* outage - item 5: the broker is away for five seconds under load, then back on the same port */
#include <lib/load.h>
#include <lib/relay.h>
#include <lib/t.h>
#include <lib/talk.h>

enum { AWAY_MS = 5000 };
static struct server broker, one, two;
static struct load *ears[2], *mouths[3];

static void
load_up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	daemon_start(&two, "two", broker.port);
	ears[0] = subscriber_start(&one, "out/a,out/b", PAYLOAD_SMALL);
	ears[1] = subscriber_start(&two, "out/a,out/b", PAYLOAD_SMALL);
	mouths[0] = publisher_start(&one, 1, "out/a,out/b", 0, PAYLOAD_SMALL, 0);
	mouths[1] = publisher_start(&two, 2, "out/a,out/b", 0, PAYLOAD_SMALL, MOM_FAST);
	mouths[2] = load_new(&two, "out/a", PAYLOAD_SMALL);
	mouths[2]->index = 3;
	mouths[2]->flags = MOM_ASYNC;
	mouths[2]->pause_ms = 1;
	load_start(mouths[2]);
	for (int i = 0; i < 3; i++)
		load_moves(mouths[i], 100);
}

/* publishers have to move again; then all is counted */
static void
load_down(void)
{
	long sent = 0;
	for (int i = 0; i < 3; i++)
		load_moves(mouths[i], 100);
	for (int i = 0; i < 3; i++)
		load_stop(mouths[i]);
	for (int i = 0; i < 3; i++) {
		load_finish(mouths[i]);
		sent += mouths[i]->sent;
		REQUIRE(mouths[i]->timeouts == 0, "publisher %d was told MOM_ETIMEDOUT", i);
	}
	for (int i = 0; i < 2; i++)
		load_expect(ears[i], sent);
	for (int i = 0; i < 2; i++)
		load_finish(ears[i]);
}

/* the durable publisher waits: it gets nothing acknowledged while the broker is away */
static void
stay_away(void)
{
	int64_t end = t_now_ms() + AWAY_MS;
	long sent = mouths[0]->sent;
	while (t_now_ms() < end)
		t_tick();
	REQUIRE(mouths[0]->sent <= sent + 1, "%ld durable messages were acknowledged while the broker was away",
	    mouths[0]->sent - sent);
}

TEST(stopped, "broker stopped by SIGTERM for 5 s under load, back on the same port: publishers wait, all goes on, "
    "nothing lost or twice")
{
	load_up();
	server_stop(&broker);
	stay_away();
	server_start(&broker);
	load_down();
}

TEST(frozen, "broker stopped by SIGSTOP for 5 s under load, then continued: publishers wait, all goes on, nothing lost "
    "or twice")
{
	load_up();
	server_freeze(&broker);
	stay_away();
	server_thaw(&broker);
	load_down();
}

TEST(daemon_first, "a daemon that starts before the broker connects when that comes; create waits for it")
{
	broker_start(&broker, "broker", 0, NULL);
	server_stop(&broker);                   /* its port is known now */
	daemon_start(&one, "one", broker.port);
	struct load *mouth = publisher_start(&one, 1, "early", 100, PAYLOAD_SMALL, 0);
	server_start(&broker);
	load_finish(mouth);
	REQUIRE(mouth->sent == 100, "%ld", (long)mouth->sent);
}

TEST(timed_out, "a publish that timed out is stored exactly once when the broker is back, and flush tells")
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	int id = talk_create();
	talk_subscribe(id, "late");
	REQUIRE(mom_set_option(id, MOM_OPT_TIMEOUT_MS, 100) == 0, "%s", mom_error_text(id));
	server_freeze(&broker);
	int r = mom_publish(id, "late", "once", 4, 0);
	REQUIRE(r == MOM_ETIMEDOUT, "publish: %s", mom_strerror(r));
	r = mom_flush(id, 0);
	REQUIRE(r == MOM_ETIMEDOUT, "flush: %s", mom_strerror(r));
	server_thaw(&broker);
	r = mom_flush(id, 20000);
	REQUIRE(r == 0, "flush: %s: %s", mom_strerror(r), mom_error_text(id));
	REQUIRE(mom_set_option(id, MOM_OPT_TIMEOUT_MS, 20000) == 0, "%s", mom_error_text(id));
	hear(id, "late", "once");
	say(id, "late", "more");
	hear(id, "late", "more");
	hear_nothing(id);
	bye(id);
}

TEST(slow_welcome, "a broker that takes 7 s for its first answer (a slow disk, a queue of strangers) is waited for: "
    "the first connection is the one that serves")
{
	broker_start(&broker, "broker", 0, NULL);
	struct relay *r = relay_start(&broker);
	r->hold[RELAY_DOWN] = 1;
	daemon_start(&one, "one", r->port);
	use_daemon(&one);
	WAIT_FOR(r->accepted == 1, "the daemon does not connect");
	t_sleep_ms(7000);
	r->hold[RELAY_DOWN] = 0;
	bye(talk_create());
	REQUIRE(r->accepted == 1, "it connected %d times", r->accepted);
}
