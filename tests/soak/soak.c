/* soak - mixed load for a long time: memory, descriptors, System V objects and disk are the same at the end as after
 * the warm-up
 *
 * SOAK_MINUTES=n (30). Turns of 30 s: clients of all kinds publish and receive, leave, come back and die; connections
 * break, one worker and one daemon are killed over and over (machine 0 and shard 0: all others live on and are
 * measured). At the end of a turn all clients read to the end and are destroyed, the checker judges what they got, and
 * what is left is measured: it has to be what an idle system needs.
 *
 * The first third is the warm-up (rings and tables grow to their size); the second third is compared with the last by
 * their medians, so that one odd turn decides nothing. Limits, each far below what a leak of one thing a client, a
 * connection or a message would make of it:
 *   objects, descriptors   equal: nothing of a client or a connection may outlive it
 *   anonymous memory       + 256 KiB a process: the allocator's own noise; 48 clients and 40 connections a turn, 20
 *                          turns a third
 *   store and spools       + 1 segment a shard and a spool: they are taken 64 MiB at a time, and where a turn ends in
 *                          one is chance */
#include <storm/storm.h>
#include <lib/proc.h>
#include <lib/sysv.h>
#include <dirent.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TURN_MS = 30000, TURNS_LEAST = 6, TURNS_MOST = 2000, MEMORY_KIB = 256, SEGMENT_KIB = 64 * 1024, WORKERS = 2 };

/* what is measured: the processes that live through the whole soak, the largest of a kind */
enum what { MEMORY_SERVER, MEMORY_WORKER, MEMORY_DAEMON, FDS_SERVER, FDS_WORKER, FDS_DAEMON, PROCESSES, OBJECTS, QUEUED,
    STORE, SPOOLS, WHATS };
static const struct { const char *name; long more; } limit[WHATS] = {
	{ "anonymous memory of broker_server (KiB)", MEMORY_KIB },
	{ "anonymous memory of the worker that lives on (KiB)", MEMORY_KIB },
	{ "anonymous memory of a mom_daemon (KiB)", MEMORY_KIB },
	{ "descriptors of broker_server", 0 },
	{ "descriptors of the worker that lives on", 0 },
	{ "descriptors of a mom_daemon", 0 },
	{ "processes", 0 },
	{ "System V objects", 0 },
	{ "bytes in queues", 4096 },           /* tickets and bells on their way just then */
	{ "disk of the store (KiB)", WORKERS * SEGMENT_KIB },
	{ "disk of the spools (KiB)", 3 * SEGMENT_KIB },
};
static long sample[WHATS][TURNS_MOST];
static int samples;
static pid_t keeper;                           /* the worker that lives on */

static long
descriptors_of(pid_t pid)
{
	DIR *d = opendir(t_text("/proc/%d/fd", (int)pid));
	long n = 0;
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static long blocks;

static int
count_blocks(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)path, (void)type, (void)where;
	blocks += st->st_blocks / 2;
	return 0;
}

static long
disk_of(const char *folder)
{
	blocks = 0;
	nftw(folder, count_blocks, 16, FTW_PHYS);
	return blocks;
}

static long
queued(void)
{
	char *text = t_read_file("/proc/sysvipc/msg"), *line = strchr(text, '\n');
	long sum = 0, bytes;
	for (; line && line[1]; line = strchr(line + 1, '\n'))
		if (sscanf(line + 1, "%*d %*d %*o %ld", &bytes) == 1)
			sum += bytes;
	free(text);
	return sum;
}

static void
measure(void)
{
	pid_t pids[PROC_MAX];
	char text[200];
	long now[WHATS] = { 0 };
	now[MEMORY_SERVER] = proc_status(storm.broker.pid, "RssAnon:");
	now[FDS_SERVER] = descriptors_of(storm.broker.pid);
	now[MEMORY_WORKER] = proc_status(keeper, "RssAnon:");
	now[FDS_WORKER] = descriptors_of(keeper);
	now[PROCESSES] = proc_descendants(storm.broker.pid, pids, PROC_MAX);
	for (int i = 0; i < storm.machines; i++) {
		struct server *d = &storm.daemon[i];
		long memory = proc_status(d->pid, "RssAnon:"), fds = descriptors_of(d->pid);
		now[MEMORY_DAEMON] = i && memory > now[MEMORY_DAEMON] ? memory : now[MEMORY_DAEMON];
		now[FDS_DAEMON] = i && fds > now[FDS_DAEMON] ? fds : now[FDS_DAEMON];
		now[PROCESSES] += proc_descendants(d->pid, pids, PROC_MAX);
		now[SPOOLS] += disk_of(d->store);
	}
	now[OBJECTS] = sysv_left(t_dir(), text, sizeof text);
	now[QUEUED] = queued();
	now[STORE] = disk_of(storm.broker.store);
	for (int i = 0; i < WHATS; i++)
		sample[i][samples] = now[i];
	samples++;
}

static int
by_value(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;
	return x < y ? -1 : x > y;
}

static long
median(const long *values, int n)
{
	long sorted[TURNS_MOST];
	memcpy(sorted, values, (size_t)n * sizeof *values);
	qsort(sorted, (size_t)n, sizeof *sorted, by_value);
	return sorted[n / 2];
}

static void
judge(void)
{
	int third = samples / 3;
	for (int i = 0; i < WHATS; i++) {
		long before = median(sample[i] + third, third), after = median(sample[i] + samples - third, third);
		t_remark("%s: %ld after the first turn, %ld after the warm-up, %ld at the end", limit[i].name,
		    sample[i][0], before, after);
		CHECK(after <= before + limit[i].more, "%s grew from %ld to %ld", limit[i].name, before, after);
	}
}

static void
everybody(void)
{
	for (int m = 0; m < storm.machines; m++) {
		struct server *d = &storm.daemon[m];
		crew_add(d, CREW_PUBLISHER, CREW_ANONYMOUS, 0);
		crew_add(d, CREW_PUBLISHER, CREW_NAMED, MOM_FAST)->tempo_ms = 8;
		crew_add(d, CREW_PUBLISHER, CREW_ANONYMOUS, MOM_ASYNC)->tempo_ms = 8;
		crew_add(d, CREW_SUBSCRIBER, CREW_ANONYMOUS, 0);
		crew_add(d, CREW_SUBSCRIBER, m == 2 ? CREW_NAMED | CREW_MANUAL : CREW_NAMED, 0);
	}
	crew_working();
}

/* the first shard's worker: the second is measured */
static void
kill_first_worker(void)
{
	pid_t pid = proc_find(storm.broker.pid, "worker", 0);
	for (int i = 0; pid == keeper; i++)
		pid = proc_find(storm.broker.pid, "worker", i);
	if (pid && kill(pid, SIGKILL) == 0)
		storm.kills[ROLE_WORKER]++;
}

static void
restart_first_daemon(void)
{
	int machines = storm.machines;
	storm.machines = 1;
	storm_kill(ROLE_DAEMON);
	storm.machines = machines;
}

static void
one_event(void)
{
	switch (t_rng_below(&storm.rng, 12)) {
	case 0: kill_first_worker(); break;
	case 1: restart_first_daemon(); break;
	case 2: storm_kill(ROLE_HANDLER); break;
	case 3: storm_kill(ROLE_SENDER); break;
	case 4: storm_kill((enum storm_role)(ROLE_REQUESTER + t_rng_below(&storm.rng, 3))); break;
	case 5: storm_kill(ROLE_CLIENT); break;
	default: crew_order((int)t_rng_below(&storm.rng, (uint64_t)crew_size), ORDER_LEAVE);
	}
}

static void
turn(void)
{
	int64_t end = t_now_ms() + TURN_MS;
	everybody();
	while (t_now_ms() < end) {
		one_event();
		for (uint64_t wait = t_rng_below(&storm.rng, 60); wait; wait--) {
			storm_tend();
			t_tick();
		}
	}
	storm_turn(CHECKER_KILLS);
	measure();
}

TEST(soak, "half an hour of load, reconnects and restarts: memory, descriptors, System V objects and disk are flat, "
    "and every message is accounted for")
{
	const char *text = getenv("SOAK_MINUTES");
	int turns = (text ? atoi(text) : 30) * 60000 / TURN_MS;
	turns = turns < TURNS_LEAST ? TURNS_LEAST : turns > TURNS_MOST ? TURNS_MOST : turns;
	storm_seed();
	storm_begin(3, WORKERS);
	keeper = server_child(&storm.broker, "worker");
	for (int i = 0; i < turns; i++)
		turn();
	REQUIRE(proc_lives(keeper), "the worker that was to live on has died");
	judge();
	storm_end(CHECKER_KILLS);
}
