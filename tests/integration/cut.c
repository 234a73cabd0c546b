/* cut - a client for whom too much waits is cut, loudly: it gets what waits, then MOM_EFULL once; nobody else
 * notices */
#include <lib/t.h>
#include <lib/talk.h>
#include <lib/disk.h>
#include <lib/proc.h>
#include <lib/server.h>
#include <lib/views.h>
#include "format/limits.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE = 100000 };

static struct server broker, near;
static char big[SIZE];

static void
plan(const char *most)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_plan(&near, "near", broker.port);
	if (most) {
		near.extra[0] = "--client-backlog-max";
		near.extra[1] = most;
	}
	use_daemon(&near);
}

static void
publish(int id, const char *topic, int number)
{
	memcpy(big, &number, sizeof number);
	REQUIRE(mom_publish(id, topic, big, sizeof big, MOM_FAST) == 0, "%s", mom_error_text(id));
}

static void
receive(int id, int number)
{
	struct mom_message m;
	int got = -1;
	REQUIRE(mom_receive(id, &m, 20000) == 0, "number %d: %s", number, mom_error_text(id));
	memcpy(&got, m.data, sizeof got);
	REQUIRE(m.len == sizeof big && got == number && m.flags == 0, "%d came for %d", got, number);
}

/* What waits, in order and without a hole, then MOM_EFULL: so many. */
static int
receive_what_waits(int id, int most)
{
	struct mom_message m;
	int n = 0, got = -1, r;
	for (; (r = mom_receive(id, &m, 20000)) == 0; n++) {
		memcpy(&got, m.data, sizeof got);
		REQUIRE(got == n && n < most, "%d came for %d", got, n);
	}
	REQUIRE(r == MOM_EFULL && strstr(mom_error_text(id), "subscribe anew"), "%d: %s", r, mom_error_text(id));
	hear_nothing(id);
	return n;
}

TEST(backlog, "a client over --client-backlog-max gets what waits, then MOM_EFULL once, and can subscribe anew; one "
    "that follows misses nothing")
{
	plan("3000000");
	server_start(&near);
	int mouth = talk_create(), quick = talk_create(), slow = talk_create();
	talk_subscribe(quick, "loud");
	talk_subscribe(slow, "loud");
	talk_subscribe(slow, "quiet");
	REQUIRE(view_has(&broker, mom_global_id(slow), "quiet"), "not in the views");
	for (int i = 0; i < 100; i++) {
		publish(mouth, "loud", i);
		receive(quick, i);
	}
	WAIT_FOR(server_log_has(&near, "more waits for it than --client-backlog-max"), "no line says that it was cut");
	REQUIRE(mom_subscribe(slow, "more", 0) == MOM_EFULL && strstr(mom_error_text(slow), "subscribe anew"), "%s",
	    mom_error_text(slow));
	say(mouth, "quiet", "it is cut from all");
	int n = receive_what_waits(slow, 100);
	REQUIRE(n >= 30 && n < 60, "%d of 100 came to a client that may have 30 in the spool and 13 in its box", n);
	WAIT_FOR(view_mentions(&broker, mom_global_id(slow)) == 0, "the broker still knows its subscriptions");
	talk_subscribe(slow, "loud");
	publish(mouth, "loud", 7);
	receive(slow, 7);
	hear_nothing(slow);
	receive(quick, 7);
	bye(slow);
	bye(quick);
	bye(mouth);
}

TEST(away, "a closed durable client is cut too; after kill -9 of the daemon, and after the loss of its segment, it "
    "still gets what waits, then MOM_EFULL once")
{
	plan("2000000");
	server_start(&near);
	for (int way = 0; way < 2; way++) {
		int mouth = talk_create(), away = talk_open("away");
		talk_subscribe(away, "loud");
		mom_close(away);
		for (int i = 0; i < 60; i++)
			publish(mouth, "loud", i);
		WAIT_FOR(server_log_has(&near, t_text("client %016llx is cut",
		    (unsigned long long)(mom_global_id(mouth) + 1))), "it is not cut");
		bye(mouth);
		if (way == 0)
			server_kill_all(&near);
		else
			server_stop(&near);
		server_start(&near);
		away = talk_open("away");
		int n = receive_what_waits(away, 60);
		REQUIRE(n >= 19 && n < 40, "%d of 60 came, 19 fit below 2000000 bytes, and 13 in a mail box", n);
		mom_close(away);
		away = talk_open("away");
		hear_nothing(away);
		bye(away);
	}
}

TEST(full_disk, "where the spool's disk is full the client with the largest backlog is cut; the daemon stays, others "
    "miss nothing, and all goes on when there is room")
{
	plan(NULL);
	if (!disk_of_own(near.store, "100m"))
		return;
	server_start(&near);
	int mouth = talk_create(), quick = talk_create(), slow = talk_create(), late = talk_create();
	talk_subscribe(quick, "loud");
	talk_subscribe(slow, "loud");
	talk_subscribe(late, "quiet");
	for (int i = 0; i < 1500; i++) {
		publish(mouth, "loud", i);
		receive(quick, i);
		if (i % 50 == 0)
			publish(mouth, "quiet", i / 50);       /* more than its mail box holds */
	}
	REQUIRE(server_log_has(&near, t_text("client %016llx is cut", (unsigned long long)mom_global_id(slow))),
	    "nobody was cut");
	for (int i = 0; i < 30; i++)
		receive(late, i);
	int n = receive_what_waits(slow, 1500);
	REQUIRE(n > 500, "%d of 1500 came, though the disk has room for more", n);
	talk_subscribe(slow, "loud");
	for (int i = 0; i < 100; i++)
		publish(mouth, "loud", i);
	for (int i = 0; i < 100; i++)
		receive(slow, i);
	bye(late);
	bye(slow);
	bye(quick);
	bye(mouth);
	server_stop(&near);
	umount2(near.store, MNT_DETACH);
}

TEST(unacknowledged, "a client that reads on and never acknowledges fills the spool no further than "
    "--client-backlog-max and two mail boxes: then it is cut, and nobody else")
{
	struct mom_message m;
	int n = 0, r = 0;
	plan("2000000");
	server_start(&near);
	int mouth = talk_create(), quick = talk_create(), hoards = talk_open("hoards");
	REQUIRE(mom_set_option(hoards, MOM_OPT_MANUAL_ACK, 1) == 0, "%s", mom_error_text(hoards));
	talk_subscribe(quick, "loud");
	talk_subscribe(hoards, "loud");
	for (int i = 0; i < 120; i++) {
		publish(mouth, "loud", i);
		receive(quick, i);
		if (r == 0 && (r = mom_receive(hoards, &m, 20000)) == 0)
			n++;
	}
	REQUIRE(r == MOM_EFULL && strstr(mom_error_text(hoards), "not acknowledged"), "%d: %s", r,
	    mom_error_text(hoards));
	int box = WINDOW / SIZE;
	REQUIRE(n >= 20 && n <= 20 + 2 * box + 1, "%d of 120 came to a client that may have 20 in the spool and %d in "
	    "its box", n, box);
	/* what it acknowledges makes room again */
	REQUIRE(mom_ack(hoards) == 0, "%s", mom_error_text(hoards));
	talk_subscribe(hoards, "loud");
	for (int i = 0; i < 15; i++) {
		publish(mouth, "loud", i);
		receive(hoards, i);
	}
	bye(hoards);
}

TEST(unacknowledged_memory, "what a client has read and not acknowledged costs mom_forwarder no memory a message")
{
	enum { MESSAGES = 150000 };
	struct mom_message m;
	plan(NULL);
	server_start(&near);
	int mouth = talk_create(), hoards = talk_open("hoards");
	REQUIRE(mom_set_option(hoards, MOM_OPT_MANUAL_ACK, 1) == 0, "%s", mom_error_text(hoards));
	talk_subscribe(hoards, "t");
	long before = proc_status(server_child(&near, "mom_forwarder"), "VmData:");
	for (int i = 0; i < MESSAGES; i++) {
		REQUIRE(mom_publish(mouth, "t", &i, sizeof i, MOM_FAST | MOM_ASYNC) == 0, "%s", mom_error_text(mouth));
		REQUIRE(i < 1000 || mom_receive(hoards, &m, 20000) == 0, "%s", mom_error_text(hoards));
	}
	long more = proc_status(server_child(&near, "mom_forwarder"), "VmData:") - before;
#ifndef __SANITIZE_ADDRESS__                    /* which keeps what is freed */
	REQUIRE(before > 0 && more < 1500, "%ld KiB more for %d messages", more, MESSAGES);
#endif
	t_remark("%ld KiB more for %d messages", more, MESSAGES);
}
