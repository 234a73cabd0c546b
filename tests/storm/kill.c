/* kill - the kill storm: kill -9 of whatever comes, over and over, under load; nothing is lost, doubled, reordered or
 * left behind
 *
 * SEED=n repeats its choices, KILLS=n sets how often (300; the long form 10,000). About every 60 ms a process of one of
 * the eight kinds, or a client, is killed; one kill in 20 hits the successor of the one before, while it recovers; now
 * and then a process is stopped for a while. */
#include <storm/storm.h>
#include <signal.h>
#include <stdlib.h>

enum { PACE_MS = 60, RECOVERY_ONE_IN = 20, PAUSE_ONE_IN = 25, ROUND = 1000 };

static void
everybody(void)
{
	for (int m = 0; m < storm.machines; m++) {
		struct server *d = &storm.daemon[m];
		crew_add(d, CREW_PUBLISHER, CREW_ANONYMOUS, 0);
		crew_add(d, CREW_PUBLISHER, m == 0 ? CREW_NAMED : CREW_ANONYMOUS, MOM_FAST);
		crew_add(d, CREW_PUBLISHER, m == 1 ? CREW_NAMED : CREW_ANONYMOUS, MOM_ASYNC);
		crew_add(d, CREW_SUBSCRIBER, CREW_ANONYMOUS, 0);
		crew_add(d, CREW_SUBSCRIBER, m == 2 ? CREW_NAMED | CREW_MANUAL : CREW_NAMED, 0);
	}
	crew_add(&storm.daemon[0], CREW_PUBLISHER, CREW_NAMED, MOM_FAST | MOM_ASYNC);
	/* hears all that is stored, from first to last */
	crew_add(&storm.daemon[1], CREW_SUBSCRIBER, CREW_SPARED, 0);
	crew_working();
}

static void
wait_ms(int64_t ms)
{
	for (int64_t end = t_now_ms() + ms; t_now_ms() < end;) {
		storm_tend();
		t_sleep_ms(2);
	}
}

/* the same role again, as soon as there is one */
static int
kill_in_recovery(enum storm_role role)
{
	for (int64_t end = t_now_ms() + 500; t_now_ms() < end; t_sleep_ms(1))
		if (storm_kill(role)) {
			storm.in_recovery++;
			return 1;
		}
	return 0;
}

/* until there were that many kills */
static void
blow(long kills)
{
	int longest = t_is_long() ? 10000 : 1000, shortest = longest / 10;
	while (storm_total_kills() < kills) {
		enum storm_role role = (enum storm_role)t_rng_below(&storm.rng, ROLES);
		if (t_rng_below(&storm.rng, PAUSE_ONE_IN) == 0)
			storm_pause(role, shortest + (int)t_rng_below(&storm.rng, (uint64_t)(longest - shortest)));
		else if (storm_kill(role) && t_rng_below(&storm.rng, RECOVERY_ONE_IN) == 0 &&
		    storm_total_kills() < kills) {
			wait_ms((int64_t)t_rng_below(&storm.rng, 10));
			kill_in_recovery(role);
		}
		wait_ms((int64_t)t_rng_below(&storm.rng, 2 * PACE_MS + 1));
		t_tick();
	}
}

static long
kills_wanted(void)
{
	const char *text = getenv("KILLS");
	return text ? atol(text) : t_is_long() ? 10000 : 300;
}

TEST(storm, "kill -9 of any process at any moment, broker, daemons, clients: nothing is lost, doubled, reordered or "
    "left behind")
{
	storm_seed();
	storm.ends_clients = 1;
	storm_begin(3, 2);
	everybody();
	for (long kills = ROUND; kills < kills_wanted(); kills += ROUND) {
		blow(kills);
		storm_turn(CHECKER_KILLS);
		everybody();
	}
	blow(kills_wanted());
	storm_end(CHECKER_KILLS);
}
