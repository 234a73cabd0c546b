/* quiet - item 4: receive is local; a counting relay between daemon and broker shows what goes over TCP */
#include <lib/relay.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <stdio.h>

static struct server broker, daemon_;
static struct relay *relay;

static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	relay = relay_start(&broker);
	daemon_start(&daemon_, "daemon", relay->port);
	use_daemon(&daemon_);
}

static long
spoken(void)
{
	return relay_frames(relay, RELAY_UP, RELAY_PING, -1, -1) + relay_frames(relay, RELAY_DOWN, RELAY_PING, -1, -1);
}

/* waits until a time of pings has passed with nothing else in it: all belated words are said */
static void
settle(void)
{
	long pings = relay->frames[RELAY_UP][RELAY_PING], words = spoken();
	int64_t end = t_now_ms() + T_PATIENCE_MS;
	while (relay->frames[RELAY_UP][RELAY_PING] < pings + 2) {
		if (spoken() != words) {
			words = spoken();
			pings = relay->frames[RELAY_UP][RELAY_PING];
		}
		REQUIRE(t_now_ms() < end, "the line is never quiet: %ld frames", words);
		t_tick();
	}
}

TEST(nothing_found, "a receive that finds nothing sends nothing over TCP")
{
	struct mom_message m;
	up();
	int id = talk_create();
	talk_subscribe(id, "quiet");
	settle();
	long before = spoken();
	for (int i = 0; i < 1000; i++)
		REQUIRE(mom_receive(id, &m, 0) == MOM_ETIMEDOUT, "something came");
	REQUIRE(mom_receive(id, &m, 300) == MOM_ETIMEDOUT, "something came");
	settle();
	REQUIRE(spoken() == before, "%ld frames", spoken() - before);
	REQUIRE(relay->strange[RELAY_UP] == 0 && relay->strange[RELAY_DOWN] == 0,
	    "frames that are none: %ld up, %ld down", (long)relay->strange[0],
	    (long)relay->strange[1]);
	bye(id);
}

TEST(something_found, "receives that find messages send nothing but acknowledgements (PLACE, CREDIT)")
{
	up();
	int id = talk_create();
	talk_subscribe(id, "quiet");
	for (int i = 0; i < 100; i++)
		say(id, "quiet", "hello");
	settle();
	long before = relay_frames(relay, RELAY_UP, RELAY_PING, RELAY_PLACE, RELAY_CREDIT);
	for (int i = 0; i < 100; i++)
		hear(id, "quiet", "hello");
	hear_nothing(id);
	settle();
	long more = relay_frames(relay, RELAY_UP, RELAY_PING, RELAY_PLACE, RELAY_CREDIT) - before;
	REQUIRE(more == 0, "%ld frames that are no acknowledgements", more);
	bye(id);
}

TEST(without_broker, "receive works while the broker is down: what has come is read, nothing new is found")
{
	up();
	int id = talk_create();
	talk_subscribe(id, "quiet");
	for (int i = 0; i < 50; i++)
		say(id, "quiet", "hello");
	hear(id, "quiet", "hello");
	settle();                               /* all 50 are on this machine */
	server_stop(&broker);
	for (int i = 1; i < 50; i++)
		hear(id, "quiet", "hello");
	hear_nothing(id);
	server_start(&broker);
	say(id, "quiet", "again");
	hear(id, "quiet", "again");
	bye(id);
}

TEST(cut_line, "a line that is cut twenty times under load, in the middle of frames too, loses and doubles nothing")
{
	up();
	char text[24];
	int id = talk_create();
	talk_subscribe(id, "cut");
	for (int i = 0; i < 400; i++) {
		snprintf(text, sizeof text, "number %d", i);
		int r = mom_publish(id, "cut", text, (size_t)snprintf(text, sizeof text, "number %d", i), MOM_ASYNC);
		REQUIRE(r == 0, "%s", mom_error_text(id));
		if (i % 20 == 10)
			relay_cut(relay);
	}
	REQUIRE(mom_flush(id, 20000) == 0, "%s", mom_error_text(id));
	for (int i = 0; i < 400; i++) {
		snprintf(text, sizeof text, "number %d", i);
		hear(id, "cut", text);
	}
	hear_nothing(id);
	bye(id);
}
