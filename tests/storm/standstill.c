/* standstill - one process stands still (SIGSTOP) while another one, of its machine or of the broker, is killed, under
 * load; then it goes on
 *
 * The long form stops each of the eight roles for 20 s, longer than a silent peer is waited for (12 s), and kills each
 * other role meanwhile: 56 pairs,
 * half an hour. The short form stops for 2 s, in pairs that share words or sockets. SEED=n repeats its choices. */
#include <lib/proc.h>
#include <signal.h>
#include <storm/storm.h>

enum { SHORT_MS = 2000, LONG_MS = 20000, MACHINES = 2 };

static void
everybody(void)
{
	for (int m = 0; m < storm.machines; m++) {
		struct server *d = &storm.daemon[m];
		crew_add(d, CREW_PUBLISHER, CREW_ANONYMOUS, 0);
		crew_add(d, CREW_PUBLISHER, CREW_NAMED, MOM_FAST)->tempo_ms = 5;
		crew_add(d, CREW_PUBLISHER, CREW_ANONYMOUS, MOM_ASYNC)->tempo_ms = 5;
		/* hears all that is stored, from first to last */
		crew_add(d, CREW_SUBSCRIBER, CREW_SPARED, 0);
		crew_add(d, CREW_SUBSCRIBER, CREW_NAMED, 0);
	}
	crew_working();
}

static void
pass(int ms)
{
	for (int64_t end = t_now_ms() + ms; t_now_ms() < end; t_tick())
		storm_tend();
}

/* Both of the first machine, or of the broker: the other machine's go on beside them. */
static void
pair(enum storm_role stopped, enum storm_role killed, int ms)
{
	pid_t pid = 0;
	storm.machines = 1;
	WAIT_FOR(storm_pause(stopped, ms) != 0, "no %s", role_name[stopped]);
	pass(ms / 4);
	/* there may be none: who starts it stands still */
	for (int64_t end = t_now_ms() + ms / 4; !pid && t_now_ms() < end; t_tick()) {
		pid = storm_find(killed);
		pid = pid && proc_state(pid) != 'T' && storm_kill(killed) ? pid : 0;
	}
	storm.machines = MACHINES;
	pass(ms);
	storm_calm();
	storm_requires();
}

static void
begin(void)
{
	storm_seed();
	storm_begin(MACHINES, 2);
	everybody();
}

TEST(pairs, "a process stands still while one that it works with is killed: all goes on afterwards, nothing is lost, "
    "doubled or reordered")
{
	static const enum storm_role some[][2] = { { ROLE_WORKER, ROLE_HANDLER }, { ROLE_DAEMON, ROLE_REQUESTER },
	    { ROLE_FORWARDER, ROLE_RESPONSER }, { ROLE_SERVER, ROLE_WORKER } };
	begin();
	for (size_t i = 0; i < sizeof some / sizeof *some; i++)
		pair(some[i][0], some[i][1], SHORT_MS);
	storm_end(CHECKER_KILLS);
}

TEST_LONG(all_pairs, "the same for 20 s, each role beside each other one")
{
	begin();
	for (enum storm_role stopped = 0; stopped < ROLE_CLIENT; stopped++) {
		for (enum storm_role killed = 0; killed < ROLE_CLIENT; killed++)
			if (killed != stopped)
				pair(stopped, killed, LONG_MS);
		storm_turn(CHECKER_KILLS);
		everybody();
	}
	storm_end(CHECKER_KILLS);
}
