/* witness - no promise comes too early: for a whole storm it is proved, from the system calls alone, that whatever was
 * acknowledged was stored by then (trial.h has the sentences). No power has to fail for that, and no moment has to be
 * hit.
 *
 * SEED=n repeats its choices, KILLS=n sets how often `storm` kills (40; the long form 2,000), SEGMENTS=n how many
 * `segments` uses again at least (4; 200). */
#include <storm/storm.h>
#include <storm/trial.h>
#include <lib/talk.h>
#include <signal.h>
#include <stdlib.h>

enum { MACHINES = 2, PACE_MS = 60, CALM_EVERY = 20, ROUND = 250, SIZE = 40000 };

static long
wanted(const char *name, long few, long many)
{
	const char *text = getenv(name);
	return text ? atol(text) : t_is_long() ? many : few;
}

/* Places are told once a second, of what was there a second before: a daemon that dies more often tells none. */
static void
await_places(void)
{
	long before = trial_counts.sleepers_mail;
	storm_calm();
	WAIT_FOR((storm_tend(), trial_hear(), trial_counts.sleepers_mail > before),
	    "no place passes the sleepers' mail (SEED=%s)", getenv("SEED"));
}

static void
everybody(void)
{
	static const unsigned flags[] = { 0, MOM_ASYNC, MOM_FAST, MOM_FAST | MOM_ASYNC };
	int sleepers[MACHINES];
	for (int m = 0; m < MACHINES; m++) {
		for (int i = 0; i < 4; i++)
			crew_add(&storm.daemon[m], CREW_PUBLISHER, (i + m) % 2 ? CREW_NAMED : CREW_ANONYMOUS, flags[i]);
		crew_add(&storm.daemon[m], CREW_SUBSCRIBER, m ? CREW_NAMED : CREW_ANONYMOUS, 0);
		sleepers[m] = crew_size;
		crew_add(&storm.daemon[m], CREW_SUBSCRIBER, CREW_NAMED | CREW_SLEEPER, 0);
	}
	crew_working();
	for (int m = 0; m < MACHINES; m++)
		trial_sleeper(crew[sleepers[m]].id);
	await_places();
}

static void
blow(long kills)
{
	for (long n = 1; storm_total_kills() < kills; n++) {
		storm_kill((enum storm_role)t_rng_below(&storm.rng, ROLES));
		for (int64_t end = t_now_ms() + (int64_t)t_rng_below(&storm.rng, 2 * PACE_MS); t_now_ms() < end;
		     t_sleep_ms(2))
			storm_tend();
		trial_hear();
		t_tick();
		if (n % CALM_EVERY == 0)
			await_places();
	}
	await_places();
	trial_wake();
}

TEST(storm, "under kill -9 of everything no acknowledgement, head, check-point or place leaves a process before an "
	    "fdatasync that covers it has returned")
{
	long kills = wanted("KILLS", 40, 2000);
	storm_seed();
	crew_mix = PAYLOAD_SMALL; /* much fits into a sleeper's mail box, which has to be in the spool all the same */
	trial_begin();
	storm.ends_clients = 1;
	storm_begin(MACHINES, 2);
	everybody();
	for (long n = ROUND; n < kills; n += ROUND) {
		blow(n);
		storm_turn(CHECKER_KILLS);
		everybody();
	}
	blow(kills);
	storm_end(CHECKER_KILLS);
	trial_hear();
	const struct trial_counts *c = &trial_counts;
	REQUIRE(c->words && c->answers && c->heads && c->stored && c->checkpoints && c->sleepers_mail,
	    "it has witnessed nothing: %s", trial_closing());
	t_remark("SEED=%s: %s", getenv("SEED"), trial_closing());
}

/* ---- full segments: new ones, used ones, packed ones ---- */

static struct server broker, one, away;

static void
listen_on(void *stop)
{
	struct mom_message m;
	use_daemon(&one);
	int id = talk_create();
	talk_subscribe(id, "busy");
	atomic_store((atomic_int *)stop, 1);
	while (atomic_load((atomic_int *)stop) != 2) {
		int r = mom_receive(id, &m, 50);
		REQUIRE(r == 0 || r == MOM_ETIMEDOUT, "%s", mom_error_text(id));
	}
	bye(id);
}

/* A full store refuses: that is no failure here. */
static void
publish(int id, const char *topic, size_t len, unsigned flags)
{
	static char payload[SIZE];
	int r = mom_publish(id, topic, payload, len, flags);
	REQUIRE(r == 0 || r == MOM_EFULL, "%s (SEED=%s)", mom_error_text(id), getenv("SEED"));
	if (r == MOM_EFULL)
		t_tick();
}

/* four mebibytes, and time for what the worker does once a second; now and then it is killed */
static void
turn(int id, long n)
{
	static const unsigned flags[2][4] = { { 0, MOM_FAST, MOM_ASYNC, MOM_ASYNC },
		{ MOM_FAST, MOM_FAST, MOM_FAST, MOM_FAST } };
	long bytes = 4 << 20;
	for (long i = 0; bytes > 0; i++) {
		size_t len = 100 + t_rng_below(&storm.rng, SIZE - 100);
		publish(id, "busy", len, flags[n % 2][i % 4]);
		bytes -= (long)len;
		if (i % 64 == 0)
			trial_hear();
	}
	publish(id, "quiet", 10, 0);
	t_tick();
	if (n % 20 == 19)
		kill(server_child(&broker, "worker"), SIGKILL);
}

/* what it has subscribed to keeps segments that are mostly dead: they are packed */
static void
sleep_away(void)
{
	daemon_start(&away, "away", broker.port);
	use_daemon(&away);
	int id = talk_open("reader");
	talk_subscribe(id, "quiet");
	mom_close(id);
	server_stop(&away);
	use_daemon(&one);
}

TEST(segments,
    "the same while segments fill, are made anew, used again and packed, and the worker is killed now and then")
{
	long segments = wanted("SEGMENTS", 4, 200), packed = t_is_long() ? 20 : 2;
	atomic_int *stop = t_shared_memory(sizeof *stop);
	const struct trial_counts *c = &trial_counts;
	storm_seed();
	t_rng_init(&storm.rng, 5);
	trial_begin();
	broker_start(&broker, "broker", 0, "--store-max 60000000");
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	int id = talk_create();
	mom_set_option(id, MOM_OPT_TIMEOUT_MS, -1);
	pid_t ear = t_spawn(listen_on, stop);
	WAIT_FOR(*stop == 1, "nobody listens");
	for (long n = 0; c->reused < segments; n++)
		turn(id, n);
	sleep_away();
	for (long n = 0; c->packed < packed; n++)
		turn(id, n);
	*stop = 2;
	t_join(ear);
	mom_destroy(id);
	servers_stop();
	trial_hear();
	REQUIRE(c->words && c->answers && c->checkpoints, "it has witnessed nothing: %s", trial_closing());
	t_remark("SEED=%s: %s", getenv("SEED"), trial_closing());
}
