/* jobs - the storm of jobs: eight workers on three machines share a group, while workers, daemons, the broker's
 * processes and everything are killed; each job is settled, and what comes again is flagged and was with somebody who
 * died
 *
 * SEED=n repeats its choices, KILLS=n sets how often (40; the long form 1,000). A job's number is its payload. A book
 * in shared memory says of each job who has it. A worker writes there before it settles, and notes a settled one once
 * mom_flush has said that the broker knows. */
#include <storm/storm.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MACHINES = 3, WORKERS = 8, JOBS_MOST = 100000, LIVES = 65536, PACE_MS = 30, KEYS = 40, CLIENT_ONE_IN = 3,
    SETTLES_TOGETHER = 16, LONG_ONE_IN = 16, LONG_MS = 20 };

/* holder: 1 + the life that had it last; 0: nobody. told: it was settled by that one; settled: the broker was heard to
 * know it */
struct job { atomic_uint holder, times, told, settled; };

static struct book {
	struct job job[JOBS_MOST];
	atomic_uchar ended[LIVES];             /* lives that were killed, or gave up their handle */
	atomic_uint may_publish, published, lives, handed, settled, repeated;
	/* ordered: 1 + the job that is in work; the highest so far */
	atomic_uint key_holder[KEYS], key_last[KEYS];
	atomic_int stop;
	atomic_uint life_of[WORKERS];          /* the present one of each worker */
	unsigned kind, jobs;
} *book;

static pid_t worker[WORKERS];

/* ---- a worker ---- */

static unsigned
number_of(const struct mom_message *m)
{
	char text[24] = "";
	memcpy(text, m->data, m->len < sizeof text ? m->len : sizeof text - 1);
	return (unsigned)strtoul(text, NULL, 10);
}

/* Of a key one job is in work, and no later one was before it. */
static void
in_order(unsigned n, unsigned life)
{
	unsigned key = n % KEYS, before = atomic_load(&book->key_holder[key]), other = before ? before - 1 : n;
	if (!(book->kind & MOM_GROUP_ORDERED))
		return;
	REQUIRE(other == n || atomic_load(&book->job[other].told) ||
	    atomic_load(&book->ended[atomic_load(&book->job[other].holder) - 1]),
	    "job %u came to life %u while %u of the same key is in work", n, life, other);
	REQUIRE(n >= atomic_load(&book->key_last[key]) || !atomic_load(&book->job[n].settled), "job %u after %u", n,
	    atomic_load(&book->key_last[key]));
	for (unsigned lower = n >= KEYS ? n - KEYS : n; lower != n; lower = n)
		REQUIRE(atomic_load(&book->job[lower].times), "job %u before %u", n, lower);
	atomic_store(&book->key_holder[key], n + 1);
	if (n > atomic_load(&book->key_last[key]))
		atomic_store(&book->key_last[key], n);
}

static void
take(const struct mom_message *m, unsigned life)
{
	unsigned n = number_of(m);
	REQUIRE(n < book->jobs && m->flags & MOM_GROUPED, "a message %.*s", (int)m->len, (const char *)m->data);
	struct job *j = &book->job[n];
	unsigned holder = atomic_load(&j->holder), times = atomic_fetch_add(&j->times, 1);
	REQUIRE(!atomic_load(&j->settled), "job %u comes again: it was settled", n);
	REQUIRE(holder == 0 || holder - 1 == life || atomic_load(&book->ended[holder - 1]),
	    "job %u comes to life %u (try %u) while life %u has it", n, life, mom_tries(m), holder - 1);
	REQUIRE(times == 0 || m->flags & MOM_REDELIVERED, "job %u comes again and is not flagged", n);
	atomic_fetch_add(&book->repeated, times > 0);
	atomic_fetch_add(&book->handed, times == 0);
	atomic_store(&j->told, 0);
	in_order(n, life);
	atomic_store(&j->holder, life + 1);
}

/* What it has settled and flushed is done for good. 0: its handle is gone. */
static int
flushed(int id, const unsigned *numbers, unsigned n)
{
	int e = mom_flush(id, -1);
	if (e == MOM_EBADID)
		return 0;
	REQUIRE(e == 0 || e == MOM_ELOST, "flush: %s", mom_error_text(id));
	for (unsigned i = 0; i < n; i++) {
		atomic_store(&book->job[numbers[i]].settled, 1);
		atomic_fetch_add(&book->settled, 1);
	}
	return 1;
}

static void
work(int id, unsigned life)
{
	unsigned numbers[SETTLES_TOGETHER], n = 0;
	struct mom_message m;
	while (!atomic_load(&book->stop)) {
		int e = mom_receive(id, &m, n ? 0 : 200);
		if (e == MOM_EBADID)
			return;
		if (e == MOM_ETIMEDOUT || n == SETTLES_TOGETHER) {
			if (n && !flushed(id, numbers, n))
				return;
			n = 0;
		}
		if (e == MOM_ETIMEDOUT)
			continue;
		REQUIRE(e == 0, "receive: %s", mom_error_text(id));
		take(&m, life);
		numbers[n++] = number_of(&m);
		if (number_of(&m) % LONG_ONE_IN == 0)
			t_sleep_ms(LONG_MS);           /* some take long, and are met by the kills */
		atomic_store(&book->job[number_of(&m)].told, 1);
		e = mom_settle(id, &m);
		REQUIRE(e == 0 || e == MOM_EBADID, "settle: %s", mom_error_text(id));
	}
	if (n)
		flushed(id, numbers, n);
}

struct place { struct server *daemon; int index, prefetch; };

static void
be_worker(void *with)
{
	struct place p = *(struct place *)with;
	use_daemon(p.daemon);
	while (!atomic_load(&book->stop)) {
		unsigned life = atomic_fetch_add(&book->lives, 1);
		atomic_store(&book->life_of[p.index], life);
		int id = mom_create();
		if (id < 0)
			continue;                      /* its daemon is down for a moment */
		mom_set_option(id, MOM_OPT_TIMEOUT_MS, -1);
		mom_set_option(id, MOM_OPT_MANUAL_ACK, 1);
		mom_set_option(id, MOM_OPT_PREFETCH, p.prefetch);
		REQUIRE(life < LIVES, "too many lives");
		int e = mom_join(id, "jobs", "storm/jobs", book->kind);
		if (e == 0)
			work(id, life);
		REQUIRE(e == 0 || e == MOM_EBADID, "join: %s", mom_error_text(id));
		atomic_store(&book->ended[life], 1);
		mom_destroy(id);
	}
}

static void
worker_start(int i)
{
	struct place p = { &storm.daemon[i % MACHINES], i, i % 2 ? 5 : 1 };
	worker[i] = t_spawn(be_worker, &p);
}

static void
worker_kill(int i)
{
	kill(worker[i], SIGSTOP);                      /* it takes nothing more, so this is its last life */
	waitpid(worker[i], NULL, WUNTRACED);
	atomic_store(&book->ended[atomic_load(&book->life_of[i])], 1);
	kill(worker[i], SIGKILL);
	waitpid(worker[i], NULL, 0);
	storm.kills[ROLE_CLIENT]++;
	worker_start(i);
}

/* ---- who publishes ---- */

static void
publish(void *with)
{
	int id;
	use_daemon(with);
	while ((id = mom_create()) < 0)
		;
	mom_set_option(id, MOM_OPT_TIMEOUT_MS, -1);
	for (unsigned n = 0; n < book->jobs; n++) {
		while (n >= atomic_load(&book->may_publish))   /* as the kills go on, so that all meet jobs */
			t_sleep_ms(1);
		char text[24], key[8];
		struct mom_properties p = MOM_PROPERTIES_INIT;
		snprintf(key, sizeof key, "%u", n % KEYS);
		p.key = key;
		snprintf(text, sizeof text, "%u", n);
		int e = mom_publish_with(id, "storm/jobs", text, strlen(text), MOM_ASYNC | (n % 3 ? 0 : MOM_FAST), &p);
		REQUIRE(e == 0, "publish: %s", mom_error_text(id));
		atomic_store(&book->published, n + 1);
	}
	REQUIRE(mom_flush(id, -1) == 0 && mom_destroy(id) == 0, "publisher: %s", mom_error_text(-1));
}

/* ---- the storm ---- */

static void
blow(long kills)
{
	while (storm_total_kills() < kills) {
		atomic_store(&book->may_publish, (unsigned)((storm_total_kills() + 1) * book->jobs / (kills + 1)));
		if (t_rng_below(&storm.rng, CLIENT_ONE_IN) == 0)
			worker_kill((int)t_rng_below(&storm.rng, WORKERS));
		else
			storm_kill((enum storm_role)t_rng_below(&storm.rng, ROLE_CLIENT));
		for (int64_t until = t_now_ms() + PACE_MS; t_now_ms() < until; t_sleep_ms(2))
			storm_tend();
	}
	atomic_store(&book->may_publish, book->jobs);
	storm_calm();
}

static int
all_told(void)
{
	unsigned n = 0;
	while (n < book->jobs && atomic_load(&book->job[n].told))
		n++;
	return n == book->jobs;
}

enum { MARK = 777777 };                        /* tries; what the store shows with this is newer than what set it */

static int
nothing_waits(int shards)
{
	for (int k = 0; k < shards; k++) {
		char *text = t_read_file(t_text("%s/shard-%d/groups", storm.broker.store, k));
		if (strstr(text, t_text(" max-tries %d ", MARK)) == NULL ||
		    strstr(text, " waiting 0 bytes 0 out 0 back 0 dead 0 ") == NULL)
			return 0;
	}
	return 1;
}

static void
set_group(unsigned kind, int tries)
{
	struct mom_group g = MOM_GROUP_INIT;
	int id = mom_create();
	g.kind = kind;
	g.max_tries = tries;
	REQUIRE(id >= 0 && mom_group_set(id, "jobs", &g) == 0 && mom_group_bind(id, "jobs", "storm/jobs") !=
	    MOM_ENOGROUP && mom_destroy(id) == 0, "%s", mom_error_text(-1));
}

static void
all_of(unsigned kind, unsigned jobs, long kills)
{
	storm_seed();
	book = t_shared_memory(sizeof *book);
	book->kind = kind;
	book->jobs = jobs;
	storm_begin(MACHINES, kind ? 1 : 2);
	use_daemon(&storm.daemon[0]);
	set_group(kind, 0);
	for (int i = 0; i < WORKERS; i++)
		worker_start(i);
	pid_t publisher = t_spawn(publish, &storm.daemon[0]);
	blow(kills);
	WAIT_FOR_WORK(atomic_load(&book->handed) == jobs, atomic_load(&book->handed), "%u of %u jobs came, %u "
	    "published (SEED=%s)", atomic_load(&book->handed), jobs, atomic_load(&book->published), getenv("SEED"));
	REQUIRE(t_join(publisher) == 0, "publisher");
	WAIT_FOR_WORK(all_told(), atomic_load(&book->settled), "%u of %u jobs are known to be settled (SEED=%s)",
	    atomic_load(&book->settled), jobs, getenv("SEED"));
	set_group(0, MARK);
	WAIT_FOR_WORK(nothing_waits(kind ? 1 : 2), atomic_load(&book->settled), "%u of %u jobs are known to be settled "
	    "(SEED=%s): %s", atomic_load(&book->settled), jobs, getenv("SEED"),
	    t_read_file(t_text("%s/shard-0/groups", storm.broker.store)));
	atomic_store(&book->stop, 1);
	for (int i = 0; i < WORKERS; i++)
		REQUIRE(t_join(worker[i]) == 0, "worker %d", i);
	t_remark("%u jobs settled, %u came again, %ld kills, SEED=%s", jobs, atomic_load(&book->repeated),
	    storm_total_kills(), getenv("SEED"));
	servers_stop();
}

static long
kills_of(long usual)
{
	return getenv("KILLS") ? strtol(getenv("KILLS"), NULL, 10) : usual;
}

TEST(shared, "eight workers on three machines take all jobs of a group while workers, daemons and the broker's "
    "processes are killed: each is settled; what comes again is flagged, and its holder had died")
{
	all_of(0, 6000, kills_of(40));
}

TEST(in_order, "likewise an ordered group: of the jobs with one key one is in work at a time, and in order")
{
	all_of(MOM_GROUP_ORDERED, 3000, kills_of(40));
}

TEST_LONG(many, "the same with 100,000 jobs and 1,000 kills")
{
	all_of(0, JOBS_MOST, kills_of(1000));
}
