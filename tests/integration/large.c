/* large - payloads up to 64 MiB where --max-message says so: delivered, spooled, sent again; limits that do not fit are
 * refused by name */
#include <lib/t.h>
#include <lib/talk.h>
#include <lib/server.h>
#include <lib/payload.h>
#include <stdlib.h>
#include <string.h>
#include "format/limits.h"

static struct server broker, daemon_;

static void
plan(const char *broker_extra, const char *bytes)
{
	broker_start(&broker, "broker", 0, broker_extra);
	daemon_plan(&daemon_, "daemon", broker.port);
	if (bytes) {
		daemon_.extra[0] = "--max-message";
		daemon_.extra[1] = strdup(bytes);
	}
}

static char *
filled(size_t n, uint64_t salt)
{
	struct t_rng rng;
	char *bytes = malloc(n);
	REQUIRE(bytes != NULL, "no memory");
	t_rng_init(&rng, salt);
	t_rng_fill(&rng, bytes, n);
	return bytes;
}

static void
take(int id, const char *bytes, size_t n, unsigned flags)
{
	struct mom_message m;
	REQUIRE(mom_receive(id, &m, 60000) == 0, "%s", mom_error_text(id));
	REQUIRE(m.len == n && memcmp(m.data, bytes, n) == 0 && m.flags == flags, "%zu bytes for %zu, flags %u", m.len,
	    n, m.flags);
}

TEST(most, "payloads of 64 MiB come through, between small ones, durable and fast, to a reader that waits and to one "
    "that slept; one byte more is refused")
{
	plan("--max-message 67108864", "67108864");
	server_start(&daemon_);
	use_daemon(&daemon_);
	int writer = talk_create(), reader = talk_create(), sleeper = talk_open("sleeper");
	size_t n = MESSAGE_LIMIT;
	char *bytes = filled(n, 1);
	mom_set_option(writer, MOM_OPT_TIMEOUT_MS, 60000);
	talk_subscribe(reader, "films");
	talk_subscribe(sleeper, "films");
	mom_close(sleeper);
	for (unsigned i = 0; i < 3; i++) {
		say(writer, "films", "small");
		REQUIRE(mom_publish(writer, "films", bytes + i, n - i, i == 1 ? MOM_FAST : 0) == 0, "%s",
		    mom_error_text(writer));
		hear(reader, "films", "small");
		take(reader, bytes + i, n - i, 0);
	}
	REQUIRE(mom_publish(writer, "films", bytes, n + 1, 0) == MOM_ETOOBIG &&
	    strstr(mom_error_text(writer), "67108864"), "%s", mom_error_text(writer));
	sleeper = talk_open("sleeper");
	for (unsigned i = 0; i < 3; i++) {
		hear(sleeper, "films", "small");
		take(sleeper, bytes + i, n - i, 0);
	}
	hear_nothing(sleeper);
	bye(sleeper);
	bye(reader);
	bye(writer);
}

TEST(again, "a large message survives kill -9 of broker and daemon on its way, and comes once")
{
	plan("--max-message 8000000", "8000000");
	server_start(&daemon_);
	use_daemon(&daemon_);
	int writer = talk_create(), reader = talk_create();
	char *bytes = filled(8000000, 2);
	talk_subscribe(reader, "films");
	for (unsigned i = 0; i < 4; i++) {
		REQUIRE(mom_publish(writer, "films", bytes + i, 8000000 - i, MOM_ASYNC) == 0, "%s",
		    mom_error_text(writer));
		server_kill(i % 2 ? &broker : &daemon_);
		server_start(i % 2 ? &broker : &daemon_);
		take(reader, bytes + i, 8000000 - i, 0);
	}
	hear_nothing(reader);
	bye(reader);
	bye(writer);
}

TEST(daemon_takes_less, "a daemon that takes less than its broker is refused with a line that names the cure, and "
    "serves once it follows it")
{
	plan("--max-message 2000000", NULL);
	server_start(&daemon_);
	WAIT_FOR(server_log_has(&daemon_, "start it with --max-message 2000000"), "no line names the cure");
	server_stop(&daemon_);
	daemon_.extra[0] = "--max-message";
	daemon_.extra[1] = "3000000";
	server_start(&daemon_);
	use_daemon(&daemon_);
	int id = talk_create();
	char *bytes = filled(2000001, 3);
	talk_subscribe(id, "films");
	REQUIRE(mom_publish(id, "films", bytes, 2000001, 0) == MOM_ETOOBIG && strstr(mom_error_text(id), "2000000"),
	    "%s", mom_error_text(id));
	REQUIRE(mom_publish(id, "films", bytes, 2000000, 0) == 0, "%s", mom_error_text(id));
	take(id, bytes, 2000000, 0);
	bye(id);
}

TEST(remembered, "store and spool remember their --max-message: without the flag it stays, less is refused by name, "
    "more is taken; a sleeping client's mail comes through it")
{
	plan("--max-message 3000000", "3000000");
	server_start(&daemon_);
	use_daemon(&daemon_);
	int writer = talk_create(), sleeper = talk_open("sleeper");
	char *bytes = filled(5000000, 4);
	talk_subscribe(sleeper, "films");
	mom_close(sleeper);
	REQUIRE(mom_publish(writer, "films", bytes, 3000000, 0) == 0, "%s", mom_error_text(writer));
	bye(writer);
	server_stop(&daemon_);
	server_stop(&broker);
	broker.extra[1] = daemon_.extra[1] = "2999999";
	REQUIRE(server_run_to_end(&broker) == 100 && server_log_has(&broker, "made with --max-message 3000000"),
	    "the broker started with less");
	REQUIRE(server_run_to_end(&daemon_) == 100 && server_log_has(&daemon_, "used with --max-message 3000000"),
	    "the daemon started with less");
	broker.extra[0] = NULL;
	daemon_.extra[0] = "--max-message";
	daemon_.extra[1] = "5000000";
	server_start(&broker);
	server_start(&daemon_);
	use_daemon(&daemon_);
	sleeper = talk_open("sleeper");
	take(sleeper, bytes, 3000000, 0);
	REQUIRE(mom_publish(sleeper, "films", bytes, 3000001, 0) == MOM_ETOOBIG, "more than the broker takes");
	server_kill_all(&daemon_);                     /* its larger boxes are found again */
	server_stop(&broker);
	broker.extra[0] = "--max-message";
	broker.extra[1] = "5000000";
	server_start(&broker);
	server_start(&daemon_);
	WAIT_FOR(mom_publish(sleeper, "films", bytes, 5000000, 0) == 0, "%s", mom_error_text(sleeper));
	take(sleeper, bytes, 5000000, 0);
	bye(sleeper);
}

TEST(small_rings, "a daemon that is started with a larger --max-message names the program whose rings are too small; "
    "once that ended it serves, its durable client too")
{
	plan(NULL, NULL);
	server_start(&daemon_);
	use_daemon(&daemon_);
	int writer = talk_create(), sleeper = talk_open("sleeper");
	talk_subscribe(sleeper, "films");
	say(writer, "films", "first");
	mom_close(sleeper);
	server_kill_all(&daemon_);
	daemon_.extra[0] = "--max-message";
	daemon_.extra[1] = "4000000";
	REQUIRE(server_run_to_end(&daemon_) == 100 && server_log_has(&daemon_, "rings that are too small"),
	    "it started");
	daemon_.extra[0] = NULL;
	server_start(&daemon_);
	say(writer, "films", "second");
	bye(writer);
	server_kill_all(&daemon_);
	daemon_.extra[0] = "--max-message";
	server_start(&daemon_);
	sleeper = talk_open("sleeper");
	hear(sleeper, "films", "first");
	hear(sleeper, "films", "second");
	bye(sleeper);
}
