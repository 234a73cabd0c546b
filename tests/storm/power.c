/* power - the power fails, over and over, under load: of the broker's machine, of a program's machine, of both
 *
 * The broker's store and the daemons' spools lie on file systems of their own (ext4.h). A cut: their power goes (what
 * is not synced is lost), all processes of that machine are killed, its memory (System V objects) is gone, the disk is
 * mounted again (its journal is replayed), all starts. SEED=n repeats its choices, CUTS=n sets how often (40; the long
 * form 2,000), TEMPO=ms the longest pause of a publisher between two messages (20; 0 is full load). */
#include <storm/ext4.h>
#include <storm/storm.h>
#include <storm/trial.h>
#include <lib/proc.h>
#include <lib/sysv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

enum { MACHINES = 2, LOAD_MS = 250, OBJECTS = 4096 };
static struct ext4 disk[1 + MACHINES];             /* the broker's, then the machines' */
static long cuts[3], flushed;                      /* broker, machine, both */

static void
wait_ms(int64_t ms)
{
	for (int64_t end = t_now_ms() + ms; t_now_ms() < end; t_sleep_ms(2))
		storm_tend();
	trial_hear();
}

static void
remove_object(const char *kind, int id)
{
	if (kind[1] == 's')
		msgctl(id, IPC_RMID, NULL);
	else if (kind[1] == 'h')
		shmctl(id, IPC_RMID, NULL);
	else
		semctl(id, 0, IPC_RMID);
}

/* The broker's memory: all objects in this namespace that no daemon's registry tells of (its own registry lost its
 * power too). */
static void
forget_broker(void)
{
	static const char *const kinds[] = { "msg", "shm", "sem" };
	static struct { int kind, key, id; } all[OBJECTS];
	static struct sysv_object kept[MACHINES * OBJECTS];
	int n = 0, count = 0;
	char line[400];
	for (int k = 0; k < 3; k++) {
		FILE *f = fopen(t_text("/proc/sysvipc/%s", kinds[k]), "r");
		REQUIRE(f, "no /proc/sysvipc/%s", kinds[k]);
		while (fgets(line, sizeof line, f))
			if (n < OBJECTS && sscanf(line, "%d %d", &all[n].key, &all[n].id) == 2)
				all[n++].kind = k;
		fclose(f);
	}
	for (int m = 0; m < MACHINES; m++)             /* later: whatever of theirs is above stands there already */
		count += sysv_registry(server_registry(&storm.daemon[m]), kept + count, OBJECTS);
	for (int i = 0; i < n; i++) {
		int is_theirs = all[i].key == 0;
		for (int j = 0; j < count; j++)
			is_theirs |= kept[j].key == (uint32_t)all[i].key &&
			    strcmp(kept[j].kind, kinds[all[i].kind]) == 0;
		if (!is_theirs)
			remove_object(kinds[all[i].kind], all[i].id);
	}
}

static void
kill_machine(int m)
{
	struct server *d = &storm.daemon[m];
	if (d->pid)
		server_kill_all(d);
	for (int i = 0; i < crew_size; i++)
		if (crew[i].daemon == d)
			crew_kill(i);
	sysv_remove_left(d->run);
}

/* broker: 1, the broker's power goes; machine: that one's, or -1 */
static void
cut(int broker, int machine)
{
	int flag = 1 + (int)t_rng_below(&storm.rng, 2);
	flushed += flag == 1;
	/* The processors stop with the disk: what a sync in flight says afterwards (ext4 may say 0 of data that are
	 * gone) nobody hears. */
	for (int i = 0; machine >= 0 && i < crew_size; i++)
		if (crew[i].pid && crew[i].daemon == &storm.daemon[machine])
			kill(crew[i].pid, SIGSTOP);
	if (machine >= 0)
		proc_signal_tree(storm.daemon[machine].pid, SIGSTOP);
	if (broker)
		proc_signal_tree(storm.broker.pid, SIGSTOP);
	if (broker)
		ext4_cut(&disk[0], flag);
	if (machine >= 0)
		ext4_cut(&disk[1 + machine], flag);
	if (broker)
		server_kill_all(&storm.broker);
	if (machine >= 0)
		kill_machine(machine);
	if (broker)
		forget_broker();
	if (broker)
		trial_cut(storm.broker.store);
	if (machine >= 0)
		trial_cut(storm.daemon[machine].store);
	if (broker)
		ext4_again(&disk[0]);
	if (machine >= 0)
		ext4_again(&disk[1 + machine]);
	if (broker)
		server_start_unready(&storm.broker);
	if (machine >= 0)
		server_start_unready(&storm.daemon[machine]);
	cuts[broker ? machine >= 0 ? 2 : 0 : 1]++;
}

static void
everybody(void)
{
	for (int m = 0; m < MACHINES; m++) {
		struct server *d = &storm.daemon[m];
		crew_add(d, CREW_PUBLISHER, CREW_ANONYMOUS, 0);
		crew_add(d, CREW_PUBLISHER, m == 0 ? CREW_NAMED : CREW_ANONYMOUS, MOM_FAST);
		crew_add(d, CREW_PUBLISHER, CREW_NAMED, m == 0 ? MOM_ASYNC : MOM_ASYNC | MOM_FAST);
		crew_add(d, CREW_SUBSCRIBER, CREW_ANONYMOUS, 0);
		crew_add(d, CREW_SUBSCRIBER, m == 0 ? CREW_NAMED : CREW_NAMED | CREW_MANUAL, 0);
	}
	for (int i = 0; i < crew_size && getenv("TEMPO"); i++)
		crew[i].tempo_ms = atoi(getenv("TEMPO"));
	crew_working();
}

/* At full load more comes than is taken: what follows the cuts would not come to an end. */
static void
slow_down(void)
{
	for (int i = 0; i < crew_size; i++)
		crew[i].tempo_ms = CREW_TEMPO_MS;
}

static void
storm_of(const char *options)
{
	const char *why = ext4_why_not(), *text = getenv("CUTS");
	long wanted = text ? atol(text) : t_is_long() ? 1000 : 20, done = 0;
	if (why) {
		t_remark("LEFT OUT: no power was cut: this test %s", why);
		return;
	}
	storm_seed();
	/* at full load more waits than is taken between two cuts; full disks are storm/full's */
	long long bytes = (getenv("TEMPO") ? 8LL << 30 : 512LL << 20);
	for (int i = 0; i <= MACHINES; i++)
		ext4_make(&disk[i], i ? t_path("machine-%d/spool", i - 1) : t_path("broker/db"), bytes, 0, options);
	/* all say who they are: a fast one may come again under another offset */
	crew_mix = PAYLOAD_SMALL;
	trial_begin();                                 /* what is lost in spite of it is the disk's fault */
	storm_begin(MACHINES, 2);
	everybody();
	int64_t began = t_now_ms();
	for (; done < wanted; done++) {
		int which = (int)t_rng_below(&storm.rng, 4), machine = (int)t_rng_below(&storm.rng, MACHINES);
		wait_ms((int64_t)t_rng_below(&storm.rng, LOAD_MS));
		cut(which != 3, which < 2 ? -1 : machine);
		t_tick();
	}
	int64_t ms = t_now_ms() - began;
	slow_down();
	t_remark("%ld power cuts in %lld ms (%s): %ld of the broker, %ld of a machine with programs, %ld of both; %ld "
	    "with the journal flushed", done, (long long)ms,
	    options, cuts[0], cuts[1], cuts[2], flushed);
	storm_end(CHECKER_POWER);
	trial_hear();
	t_remark("%s", trial_closing());
}

TEST(ordered, "power cuts of the broker's, a program's or both machines: what was acknowledged is there, once, in "
    "order; lost fast messages are told")
{
	storm_of("noauto_da_alloc");
}

TEST(writeback, "the same on disks that write names and sizes before the data")
{
	storm_of("noauto_da_alloc,data=writeback");
}
