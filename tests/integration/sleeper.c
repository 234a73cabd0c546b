/* sleeper - one machine or client that sleeps pins its own messages and no more */
#include <lib/disk.h>
#include <lib/load.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <stdio.h>
#include <string.h>

static struct server broker, near, far;

/* ---- watching the disk ---- */

/* what was received 10 s ago is needed by nobody: its place is told, the check-point made, the segment packed */
enum { LOOK_MS = 100, SETTLED = 100 };

static struct watch { atomic_int stop; uint64_t peak, segment; struct load *ear, *mouth; const char *shard; } *watch;

/* at any time: below twice what is needed and two segments */
static void
look_at_disk(void *nothing)
{
	long got[SETTLED] = {0};
	(void)nothing;
	for (int n = 0; !watch->stop; n++) {
		uint64_t used = disk_used(watch->shard, "log-"),
		    needed = 1100 * (uint64_t)(watch->mouth->sent - got[n % SETTLED]);
		REQUIRE(used < 2 * needed + 2 * watch->segment, "%llu bytes on disk, %llu are needed",
		    (unsigned long long)used, (unsigned long long)needed);
		if (used > watch->peak)
			watch->peak = used;
		got[n % SETTLED] = watch->ear->got;
		t_sleep_ms(LOOK_MS);
	}
}

static pid_t
watch_start(struct load *ear, struct load *mouth, const char *shard, uint64_t segment)
{
	watch = t_shared_memory(sizeof *watch);
	watch->ear = ear;
	watch->mouth = mouth;
	watch->shard = shard;
	watch->segment = segment;
	return t_spawn(look_at_disk, NULL);
}

/* ---- the cases ---- */

/* `rounds` times `each` messages of 1 KiB pass on a loud topic, and one on the quiet one; after each the disk has to be
 * freed */
static void
pass(int rounds, long each, uint64_t segment)
{
	char *shard = t_text("%s/shard-0", broker.store);
	struct load *ear = subscriber_start(&near, "loud", PAYLOAD_KIB), *mouth = load_new(&near, "loud", PAYLOAD_KIB);
	long sent = 0;
	use_daemon(&near);
	int id = talk_create();
	mouth->index = 1;
	mouth->flags = MOM_FAST | MOM_ASYNC;
	/* all along only in the long form: how far the freeing lags behind is a matter of how busy the machine is */
	pid_t watching = t_is_long() ? watch_start(ear, mouth, shard, segment) : 0;
	for (int i = 0; i < rounds; i++) {
		say(id, "quiet", t_text("number %d", i));
		mouth->count = each;
		load_start(mouth);
		load_finish(mouth);
		mouth->index++;
		memset((void *)mouth->next, 0, sizeof mouth->next);
		sent += each;
		load_expect(ear, sent);
		WAIT_FOR(disk_used(shard, "log-") < 2 * segment, "%llu bytes on disk for %d small messages",
		    (unsigned long long)disk_used(shard, "log-"), i + 1);
	}
	bye(id);
	if (watching) {
		watch->stop = 1;
		REQUIRE(t_join(watching) == 0, "the disk's watch failed");
		t_remark("%ld MB passed; on disk at most %llu MB, %llu MB at the end", sent / 1000,
		    (unsigned long long)watch->peak / 1000000,
		    (unsigned long long)disk_used(shard, "log-") / 1000000);
	}
	load_finish(ear);
}

static void
quiet_comes(int id, int rounds)
{
	for (int i = 0; i < rounds; i++)
		hear(id, "quiet", t_text("number %d", i));
	hear_nothing(id);
}

static void
machine_sleeps(int rounds, long each, const char *extra, uint64_t segment)
{
	broker_start(&broker, "broker", 0, extra);
	daemon_start(&near, "near", broker.port);
	daemon_start(&far, "far", broker.port);
	use_daemon(&far);
	int id = talk_open("reader");
	talk_subscribe(id, "quiet");
	mom_close(id);
	server_stop(&far);
	pass(rounds, each, segment);
	server_kill(&broker);                          /* a start finds its way through what was packed */
	server_start(&broker);
	server_start(&far);
	use_daemon(&far);
	id = talk_open("reader");
	quiet_comes(id, rounds);
	bye(id);
}

TEST(machine, "a machine is down with a subscription to a quiet topic: more than the store may hold passes on another, "
    "nothing is refused, the disk is freed")
{
	machine_sleeps(2, 60000, "--store-max 100000000", 100000000 / 8);
}

TEST_LONG(machine_20_gb, "the same with 20 GB and segments of the usual size")
{
	machine_sleeps(20, 1000000, "--store-max 2000000000", 64 * 1024 * 1024);
}

static void
clients_sleep(int rounds, long each, const char *extra, uint64_t segment)
{
	broker_start(&broker, "broker", 0, extra);
	daemon_start(&near, "near", broker.port);
	use_daemon(&near);
	int away = talk_open("reader"), idle = talk_create();
	talk_subscribe(away, "quiet");
	talk_subscribe(idle, "quiet");
	mom_close(away);
	pass(rounds, each, segment);
	WAIT_FOR(disk_used(near.store, "log-") < 2 * 16 * 1024 * 1024, "%llu bytes in the spool for %d small messages",
	    (unsigned long long)disk_used(near.store, "log-"), rounds);
	quiet_comes(idle, rounds);
	away = talk_open("reader");
	quiet_comes(away, rounds);
	bye(away);
	bye(idle);
}

TEST(client, "an idle client and a closed durable one are subscribed to a quiet topic: more than the store may hold "
    "passes on another beside them, both disks are freed")
{
	clients_sleep(2, 60000, "--store-max 100000000", 100000000 / 8);
}

TEST_LONG(client_20_gb, "the same with 20 GB and segments of the usual size")
{
	clients_sleep(20, 1000000, "--store-max 4000000000", 64 * 1024 * 1024);
}

TEST(spool, "two clients are behind, one catches up: what only it needed leaves the spool, what the other one needs "
    "comes, also after kill -9 of the daemon")
{
	static char big[MOM_MESSAGE_MAX];
	struct mom_message m;
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&near, "near", broker.port);
	use_daemon(&near);
	int mouth = talk_create(), late = talk_create(), idle = talk_open("idle");
	talk_subscribe(late, "loud");
	talk_subscribe(idle, "quiet");
	mom_close(idle);
	for (int i = 0; i < 70; i++) {
		REQUIRE(mom_publish(mouth, "loud", big, sizeof big, MOM_FAST) == 0, "%s", mom_error_text(mouth));
		if (i % 20 == 5)
			say(mouth, "quiet", t_text("number %d", i / 20));
	}
	WAIT_FOR(disk_used(near.store, "log-") > 60000000, "%llu bytes in the spool",
	    (unsigned long long)disk_used(near.store, "log-"));
	for (int i = 0; i < 70; i++)
		REQUIRE(mom_receive(late, &m, 20000) == 0 && m.len == sizeof big, "%d: %s", i, mom_error_text(late));
	mom_ack(late);
	WAIT_FOR(disk_used(near.store, "log-") < 20000000, "%llu bytes in the spool for four small messages",
	    (unsigned long long)disk_used(near.store, "log-"));
	server_kill_all(&near);
	server_start(&near);
	idle = talk_open("idle");
	quiet_comes(idle, 4);
	bye(idle);
	bye(late);
	bye(mouth);
}
