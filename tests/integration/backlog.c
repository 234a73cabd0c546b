/* backlog - item 3: messages wait for an idle subscriber, over stops of the daemon and the broker, while others go
 * on */
#include <lib/load.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <poll.h>
#include <stdlib.h>

enum { WAITING = 10000 };
static struct server broker, daemon_;

static void
publish_waiting(void)
{
	struct load *mouth = publisher_start(&daemon_, 1, "waiting", WAITING, PAYLOAD_SMALL, MOM_ASYNC);
	load_finish(mouth);
}

/* all that waits, in order, and nothing more */
static void
take_all(int id)
{
	struct payload_judge j;
	struct mom_message m;
	payload_judge_init(&j, PAYLOAD_SMALL);
	while (j.good < WAITING) {
		int r = mom_receive(id, &m, 20000);
		REQUIRE(r == 0, "after %ld of %d: %s: %s", j.good, WAITING, mom_strerror(r), mom_error_text(id));
		REQUIRE(payload_judge(&j, &m), "%s", j.bad);
	}
	hear_nothing(id);
	free(j.streams);
}

static int
idle_subscriber(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&daemon_, "daemon", broker.port);
	use_daemon(&daemon_);
	int id = talk_create();
	talk_subscribe(id, "waiting");
	return id;
}

TEST(others_go_on, "10,000 messages wait for an idle subscriber while two others talk undisturbed; then all come in "
    "order")
{
	int idle = idle_subscriber(), busy = talk_create();
	talk_subscribe(busy, "other");
	publish_waiting();
	for (int i = 0; i < 200; i++) {
		say(busy, "other", "hello");
		hear(busy, "other", "hello");
	}
	take_all(idle);
	bye(idle);
	bye(busy);
}

TEST(over_daemon_stop, "10,000 waiting messages come in order after mom_daemon was stopped and started: the living "
    "client goes on")
{
	int idle = idle_subscriber();
	publish_waiting();
	server_stop(&daemon_);
	server_start(&daemon_);
	take_all(idle);
	say(idle, "waiting", "and on");
	hear(idle, "waiting", "and on");
	bye(idle);
}

TEST(over_broker_stop, "10,000 waiting messages come in order after broker_server was stopped and started")
{
	int idle = idle_subscriber();
	publish_waiting();
	server_stop(&broker);
	server_start(&broker);
	take_all(idle);
	say(idle, "waiting", "and on");
	hear(idle, "waiting", "and on");
	bye(idle);
}

TEST(durable_over_both, "what waits for a closed durable client comes after a stop of daemon and broker, in order and "
    "once")
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&daemon_, "daemon", broker.port);
	use_daemon(&daemon_);
	int id = talk_open("sleeper");
	talk_subscribe(id, "waiting");
	REQUIRE(mom_close(id) == 0, "%s", mom_error_text(-1));
	publish_waiting();
	server_stop(&daemon_);
	server_stop(&broker);
	server_start(&broker);
	server_start(&daemon_);
	id = talk_open("sleeper");
	take_all(id);
	bye(id);
}

TEST(halfway, "a durable client that closed after half of its backlog gets the other half, no message twice")
{
	struct payload_judge j;
	struct mom_message m;
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&daemon_, "daemon", broker.port);
	use_daemon(&daemon_);
	int id = talk_open("halfway");
	talk_subscribe(id, "waiting");
	publish_waiting();
	payload_judge_init(&j, PAYLOAD_SMALL);
	for (int part = 0; part < 4; part++) {
		while (j.good < (part + 1) * WAITING / 4) {
			REQUIRE(mom_receive(id, &m, 20000) == 0, "after %ld: %s", j.good, mom_error_text(id));
			REQUIRE(payload_judge(&j, &m), "%s", j.bad);
			REQUIRE(m.flags == 0, "flagged again after %ld", j.good);
		}
		REQUIRE(mom_close(id) == 0, "%s", mom_error_text(-1));
		id = talk_open("halfway");
	}
	hear_nothing(id);
	bye(id);
}

TEST(batches, "a reader that acknowledges by itself, in batches larger than its mail box, is woken for each message: "
    "poll, receive with a time-out, for ever")
{
	enum { MESSAGES = 2600 };
	static char data[1024];
	struct mom_message m;
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&daemon_, "daemon", broker.port);
	use_daemon(&daemon_);
	for (int how = 0; how < 3; how++) {
		int from = talk_create(), to = talk_create(), r;
		struct pollfd p = { how == 0 ? mom_fd(to) : -1, POLLIN, 0 };
		mom_set_option(to, MOM_OPT_MANUAL_ACK, 1);
		talk_subscribe(to, "batch");
		for (int i = 0; i < MESSAGES; i++) {
			REQUIRE(mom_publish(from, "batch", data, sizeof data, MOM_FAST) == 0, "%s",
			    mom_error_text(from));
			while ((r = mom_receive(to, &m, how == 0 ? 0 : how == 1 ? T_PATIENCE_MS : -1)) ==
			    MOM_ETIMEDOUT && how == 0)
				REQUIRE(poll(&p, 1, T_PATIENCE_MS) == 1, "message %d is left lying", i);
			REQUIRE(r == 0, "message %d: %s", i, mom_error_text(to));
		}
		REQUIRE(mom_ack(to) == 0, "%s", mom_error_text(to));
		hear_nothing(to);
		bye(to);
		bye(from);
	}
}
