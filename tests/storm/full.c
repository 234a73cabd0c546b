/* full - the broker's disk is full, at many fill levels, and has room again; its write-back fails
 *
 * The store lies on a file system of its own (ext4.h). SEED=n repeats the levels, LEVELS=n sets how many (20; the long
 * form 500), FAILS=n likewise (3; 50). */
#include <storm/ext4.h>
#include <storm/storm.h>
#include <lib/proc.h>
#include <lib/talk.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { SIZE = 60000 };
static struct ext4 disk;
static struct server broker, one;
static struct t_rng rng;
static char bytes[SIZE];
static long acked, heard, refused;

static long
wanted(const char *name, long few, long many)
{
	const char *text = getenv(name);
	return text ? atol(text) : t_is_long() ? many : few;
}

static int
up(long room)
{
	const char *why = ext4_why_not();
	if (why) {
		t_remark("LEFT OUT: no disk was full: this test %s", why);
		return 0;
	}
	storm_seed();
	t_rng_init(&rng, 7);
	ext4_make(&disk, t_path("broker/db"), 96L << 20, room, "noauto_da_alloc");
	broker_start(&broker, "broker", 0, "--store-max 80000000");
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	return 1;
}

static int
publish(int id, size_t len)
{
	snprintf(bytes, sizeof bytes, "number %ld", acked + 1);
	int r = mom_publish(id, "t", bytes, len, 0);
	acked += r == 0;
	return r;
}

/* all that was acknowledged, once, in order, and nothing else */
static void
hear_all(int ear)
{
	struct mom_message m;
	while (heard < acked) {
		int r = mom_receive(ear, &m, 20000);
		REQUIRE(r == 0, "number %ld of %ld: %s (SEED=%s)", heard + 1, acked, mom_error_text(ear),
		    getenv("SEED"));
		REQUIRE(m.len > 20 && strcmp(m.data, t_text("number %ld", heard + 1)) == 0,
		    "number %ld is '%.20s' (SEED=%s)", heard + 1, (const char *)m.data,
		    getenv("SEED"));
		heard++;
	}
}

/* a file takes all but `left` bytes */
static void
fill(const char *path, long left)
{
	struct statvfs st;
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	REQUIRE(fd >= 0 && fstatvfs(fd, &st) == 0, "%s: %s", path, strerror(errno));
	long free_bytes = (long)st.f_bavail * (long)st.f_bsize - left;
	if (free_bytes > 0)
		REQUIRE(fallocate(fd, 0, 0, free_bytes) == 0 || errno == ENOSPC, "fallocate(%ld): %s", free_bytes,
		    strerror(errno));
	close(fd);
}

TEST(levels, "a full disk, whatever room was left: publishes are refused with MOM_EFULL, deliveries go on, nothing is "
    "lost, and with room all goes on by itself")
{
	long levels = wanted("LEVELS", 20, 500);
	if (!up(0))
		return;
	int id = talk_create(), ear = talk_create();
	char *filler = t_path("broker/db/filler");
	talk_subscribe(ear, "t");
	for (long level = 0; level < levels; level++) {
		int r;
		fill(filler, (long)t_rng_below(&rng, t_rng_below(&rng, 2) ? 64 << 10 : 8 << 20));
		for (long n = 0; (r = publish(id, 30 + t_rng_below(&rng, SIZE - 30))) == 0; n++) {
			REQUIRE(n < 3000, "the disk does not fill up (SEED=%s)", getenv("SEED"));
			if (n % 16 == 0)
				hear_all(ear);
		}
		REQUIRE(r == MOM_EFULL, "level %ld: %s (SEED=%s)", level, mom_error_text(id), getenv("SEED"));
		refused++;
		hear_all(ear);
		REQUIRE(unlink(filler) == 0, "unlink: %s", strerror(errno));
		WAIT_FOR((r = publish(id, 100)) == 0, "level %ld: with room again: %s (SEED=%s)", level,
		    mom_error_text(id), getenv("SEED"));
		hear_all(ear);
		hear_nothing(ear);
	}
	REQUIRE(server_log_has(&broker, "no room for its log: No space left on device"), "the disk was never full");
	t_remark("SEED=%s: %ld fill levels, each refused, then taken again; %ld messages acknowledged and delivered",
	    getenv("SEED"), refused, acked);
	bye(id);
	bye(ear);
}

static int
shard_is_off(void)
{
	return proc_find(broker.pid, "worker", 0) == 0 && server_log_has(&broker, "nothing more is acknowledged");
}

/* The memory below the file system is used up: the kernel finds out when it writes back. */
static void
failing_once(int id, int ear, char *below)
{
	struct statvfs st;
	mom_set_option(id, MOM_OPT_TIMEOUT_MS, 50);
	REQUIRE(statvfs(below, &st) == 0, "statvfs");
	long used = (long)(st.f_blocks - st.f_bfree) * (long)st.f_bsize, more = (long)t_rng_below(&rng, 2 << 20);
	REQUIRE(mount("below", below, "tmpfs", MS_REMOUNT, t_text("size=%ld", used + more)) == 0, "remount: %s",
	    strerror(errno));
	int off = 0;
	for (long n = 0; !off; n++) {
		int r = publish(id, SIZE);
		REQUIRE(n < 3000, "write-back does not fail (SEED=%s)", getenv("SEED"));
		REQUIRE(r == 0 || r == MOM_ETIMEDOUT, "%s (SEED=%s)", mom_error_text(id), getenv("SEED"));
		if (r == 0)
			continue;
		WAIT_FOR((off = shard_is_off()) || mom_flush(id, 0) == 0, "neither an answer nor an end (SEED=%s)",
		    getenv("SEED"));
		acked += !off;                         /* it was only slow */
	}
	server_stop(&broker);
	REQUIRE(mount("below", below, "tmpfs", MS_REMOUNT, "size=512m") == 0, "remount: %s", strerror(errno));
	ext4_again(&disk);
	server_start(&broker);
	mom_set_option(id, MOM_OPT_TIMEOUT_MS, 20000);
	REQUIRE(mom_flush(id, 20000) == 0, "%s (SEED=%s)", mom_error_text(id), getenv("SEED"));
	acked++;                                       /* the one that was on its way */
	hear_all(ear);
	hear_nothing(ear);
	REQUIRE(truncate(broker.log, 0) == 0, "truncate");
}

TEST(write_back, "the disk fails in write-back (EIO): nothing more is acknowledged, the worker stays off until "
    "somebody starts the broker, nothing is missing then")
{
	long fails = wanted("FAILS", 3, 50);
	if (!up(0))
		return;
	int id = talk_create(), ear = talk_create();
	talk_subscribe(ear, "t");
	for (long i = 0; i < fails; i++)
		failing_once(id, ear, t_path("below-0"));
	t_remark("SEED=%s: write-back failed %ld times; %ld messages acknowledged and delivered", getenv("SEED"), fails,
	    acked);
	bye(id);
	bye(ear);
}
