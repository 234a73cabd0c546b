/* beside - see beside.h */
#include <lib/beside.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <stdatomic.h>

enum { TURN_BUSY, TURN_HARM, TURN_OVER, TURNS = 4, ROUNDS = 24 };

static struct { atomic_int turn, seen; } *shared;
static struct { void (*act)(void *); void *with; } job;
static struct { int mouth, ear; unsigned flags; int64_t longest_us; } pair;

int
beside_acts(void)
{
	return shared->turn == TURN_HARM;
}

static void
take_turns(void *unused)
{
	(void)unused;
	for (int turn; (turn = shared->turn) != TURN_OVER;) {
		shared->seen = turn;
		if (turn == TURN_HARM)
			job.act(job.with);
		else
			while (shared->turn == turn)
				;
	}
}

static void
exchange(void)
{
	struct mom_message m;
	int64_t began = t_now_us();
	REQUIRE(mom_publish(pair.mouth, "honest", "x", 1, pair.flags) == 0, "%s", mom_error_text(pair.mouth));
	REQUIRE(mom_receive(pair.ear, &m, T_PATIENCE_MS) == 0, "%s", mom_error_text(pair.ear));
	int64_t took = t_now_us() - began;
	pair.longest_us = took > pair.longest_us ? took : pair.longest_us;
}

/* exchanges a second */
static double
window(int turn)
{
	int n = 0, lasts_us = t_is_long() ? 300000 : 150000;
	shared->turn = turn;
	WAIT_FOR(shared->seen == turn, "%d", turn);
	int64_t began = t_now_us(), took;
	do {
		exchange();
		n++;
	} while ((took = t_now_us() - began) < lasts_us);
	return n * 1e6 / (double)took;
}

/* The mean of some turns of a kind. What the ones before have begun is not theirs: one turn is for that to end. */
static double
turns(int turn)
{
	double sum = 0;
	window(turn);
	for (int i = 0; i < TURNS; i++)
		sum += window(turn) / TURNS;
	return sum;
}

static void
pair_beside(void (*act)(void *with), void *with, unsigned flags)
{
	double left = 0, harmed = 0;
	shared = t_shared_memory(sizeof *shared);
	job.act = act;
	job.with = with;
	pair.flags = flags;
	pid_t pid = t_spawn(take_turns, NULL);
	pair.mouth = talk_create();
	pair.ear = talk_create();
	talk_subscribe(pair.ear, "honest");
/* whose processes take long to start: it looks for faults, not for rates */
#ifdef __SANITIZE_ADDRESS__
	double least = 0;
#else
	double least = t_is_long() ? 0.5 : 0.25;
#endif
	for (int i = 0; i < (t_is_long() ? 3 : ROUNDS) && left <= least; i++) {
		double alone = turns(TURN_BUSY);
		harmed = turns(TURN_HARM);
		left = harmed / alone > left ? harmed / alone : left;
	}
	shared->turn = TURN_OVER;
	int status = t_join(pid);
	t_remark("%.0f exchanges a second, %.2f of what they are beside a busy loop; the longest took %.1f ms",
	    harmed, left, (double)pair.longest_us / 1000);
	CHECK(status == 0, "0x%x", status);
	CHECK(left > least, "%.2f of the rate is left", left);
	CHECK(pair.longest_us < T_PATIENCE_MS * 100, "an exchange took %.1f s", (double)pair.longest_us / 1e6);
	bye(pair.mouth);
	bye(pair.ear);
}

void
beside(void (*act)(void *with), void *with)
{
	pair_beside(act, with, MOM_FAST);
}

void
beside_durably(void (*act)(void *with), void *with)
{
	pair_beside(act, with, 0);
}
