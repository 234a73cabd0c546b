/* sleeper - one machine or client that sleeps pins its own messages and no more */
#include <lib/load.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct server broker, near, far;

/* disk space of the files in a folder whose names begin so */
static uint64_t
disk_used(const char *folder, const char *begins)
{
	uint64_t bytes = 0;
	DIR *d = opendir(folder);
	REQUIRE(d, "opendir(%s)", folder);
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		struct stat st;
		if (strncmp(e->d_name, begins, strlen(begins)) == 0 && fstatat(dirfd(d), e->d_name, &st, 0) == 0)
			bytes += (uint64_t)st.st_blocks * 512;
	}
	closedir(d);
	return bytes;
}

/* `rounds` times `each` messages of 1 KiB pass on a loud topic, and one on the quiet one; after each the disk has to be freed */
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
	for (int i = 0; i < rounds; i++) {
		say(id, "quiet", t_text("number %d", i));
		mouth->count = each;
		load_start(mouth);
		load_finish(mouth);
		mouth->index++;
		memset((void *)mouth->next, 0, sizeof mouth->next);
		sent += each;
		load_expect(ear, sent);
		WAIT_FOR(disk_used(shard, "log-") < 2 * segment, "%llu bytes on disk for %d small messages", (unsigned long long)disk_used(shard, "log-"), i + 1);
	}
	bye(id);
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

TEST(machine, "a machine is down with a subscription to a quiet topic: more than the store may hold passes on another, nothing is refused, the disk is freed")
{
	machine_sleeps(2, 60000, "--store-max 100000000", 100000000 / 8);
}

TEST_LONG(machine_20_gb, "the same with 20 GB and segments of the usual size")
{
	machine_sleeps(20, 1000000, "--store-max 2000000000", 64 * 1024 * 1024);
}
