/* coordinator_state - what a group's events do to its semaphores and variables; snapshots */
#include <lib/t.h>
#include <stdlib.h>
#include <string.h>
#include <tools/coordinator/coordinator_state.h>

static struct state s;
static uint64_t offset, numbers[8];
static struct resource_answer last[8];                  /* by client */
static int answers;

static void
hear(void *with, uint64_t client, const struct resource_answer *a)
{
	(void)with;
	answers++;
	last[client & 7] = *a;
}

static int
apply(struct event e)
{
	e.offset = ++offset;
	return state_apply(&s, &e, hear, NULL);
}

/* a request of a client; what it is answered, -100: nothing yet */
static int
ask(uint64_t client, int op, const char *name, int value)
{
	struct event e = { .kind = EVENT_REQUEST, .op = (uint8_t)op, .id = client, .number = ++numbers[client],
	    .value = value };
	strcpy(e.name, name);
	last[client].number = 0;
	REQUIRE(apply(e) == 0, "no memory");
	return last[client].number == numbers[client] ? last[client].code : -100;
}

static int
is_answered(uint64_t client, int code)
{
	return last[client].number == numbers[client] && last[client].code == code;
}

static void
cancel(uint64_t client, const char *name)
{
	struct event e = { .kind = EVENT_REQUEST, .op = OP_CANCEL, .id = client, .target = numbers[client],
	    .number = numbers[client] + 1 };
	strcpy(e.name, name);
	numbers[client]++;
	REQUIRE(apply(e) == 0, "no memory");
}

static void
gone(uint64_t id)
{
	apply((struct event){ .kind = EVENT_GONE, .id = id });
}

static int
free_units(const char *name)
{
	int n = 0;
	while (ask(7, OP_SEM_TRY, name, 0) == 0)
		n++;
	for (int i = 0; i < n; i++)
		ask(7, OP_SEM_SIGNAL, name, 0);
	return n;
}

enum { WAITS = -100 };

TEST(order, "waiters are served first come first; trywait never waits; init of an existing name fails; destroy wakes "
    "the waiters with an error")
{
	REQUIRE(ask(1, OP_SEM_WAIT, "s", 0) == MOM_ENORESOURCE && ask(1, OP_SEM_INIT, "s", 1) == 0 &&
	    ask(2, OP_SEM_INIT, "s", 5) == MOM_EEXIST, "init");
	REQUIRE(ask(1, OP_SEM_WAIT, "s", 0) == 0 && ask(2, OP_SEM_WAIT, "s", 0) == WAITS &&
	    ask(3, OP_SEM_WAIT, "s", 0) == WAITS, "wait");
	REQUIRE(ask(4, OP_SEM_TRY, "s", 0) == MOM_NOT_FREE, "try");
	REQUIRE(ask(1, OP_SEM_SIGNAL, "s", 0) == 0 && is_answered(2, 0) && !is_answered(3, 0), "the first");
	REQUIRE(ask(1, OP_SEM_WAIT, "s", 0) == WAITS && ask(2, OP_SEM_SIGNAL, "s", 0) == 0 && is_answered(3, 0) &&
	    !is_answered(1, 0), "the second");
	REQUIRE(ask(2, OP_SEM_DESTROY, "s", 0) == 0 && is_answered(1, MOM_ENORESOURCE) &&
	    ask(2, OP_SEM_SIGNAL, "s", 0) == MOM_ENORESOURCE, "destroyed");
	state_free(&s);
}

TEST(numbers, "a request that comes again under its number is not done again and gets the same answer; one from before "
    "is passed over")
{
	ask(1, OP_VAR_INIT, "v", 3);
	struct event e = { .kind = EVENT_REQUEST, .op = OP_SEM_INIT, .id = 2, .number = 9, .value = 1, .name = "s" };
	numbers[2] = 9;
	for (int i = 0; i < 3; i++) {
		last[2].number = 0;
		apply(e);
		REQUIRE(is_answered(2, 0), "%d: %d", i, last[2].code);
	}
	REQUIRE(ask(2, OP_SEM_WAIT, "s", 0) == 0 && ask(3, OP_SEM_WAIT, "s", 0) == WAITS, "wait");
	int before = answers;
	apply(e);
	REQUIRE(answers == before, "an old one was answered");
	e = (struct event){ .kind = EVENT_REQUEST, .op = OP_SEM_WAIT, .id = 3, .number = numbers[3], .name = "s" };
	apply(e);
	REQUIRE(is_answered(3, ANSWER_WAITS), "who asks again is told that it waits");
	REQUIRE(ask(1, OP_VAR_READ, "v", 0) == 0 && last[1].value == 3 && ask(2, OP_VAR_WRITE, "v", -8) == 0 &&
	    ask(1, OP_VAR_READ, "v", 0) == 0 && last[1].value == -8, "var");
	state_free(&s);
}

TEST(cancelled, "a wait that is given up waits no more, and what it had got meanwhile goes to the next")
{
	ask(1, OP_SEM_INIT, "s", 1);
	ask(1, OP_SEM_WAIT, "s", 0);
	ask(2, OP_SEM_WAIT, "s", 0);
	ask(3, OP_SEM_WAIT, "s", 0);
	cancel(2, "s");
	ask(1, OP_SEM_SIGNAL, "s", 0);
	REQUIRE(is_answered(3, 0), "the one behind it");
	ask(4, OP_SEM_WAIT, "s", 0);
	cancel(3, "s");                        /* it has it, and did not hear so */
	REQUIRE(is_answered(4, 0), "given back");
	ask(4, OP_SEM_SIGNAL, "s", 0);
	REQUIRE(free_units("s") == 1, "%d units", free_units("s"));
	cancel(4, "s");                        /* of a signal: that stays */
	REQUIRE(free_units("s") == 1, "%d units", free_units("s"));
	state_free(&s);
}

TEST(ends, "no event takes a semaphore below 0 or above the largest number: a negative start is refused, what is given "
    "back then counts no more")
{
	struct event keep = { .kind = EVENT_REQUEST, .op = OP_SEM_INIT, .id = 1, .number = ++numbers[1],
	    .value = INT32_MAX, .flags = MOM_DSEM_KEEP, .name = "full" };
	REQUIRE(ask(1, OP_SEM_INIT, "below", -1) == MOM_EINVAL && ask(2, OP_SEM_WAIT, "below", 0) == MOM_ENORESOURCE,
	    "made with -1");
	keep.number = ++numbers[1];
	REQUIRE(apply(keep) == 0 && is_answered(1, 0), "made with the largest");
	REQUIRE(ask(1, OP_SEM_WAIT, "full", 0) == 0 && ask(2, OP_SEM_SIGNAL, "full", 0) == 0,
	    "taken and given back by another");
	cancel(1, "full");
	REQUIRE(ask(2, OP_SEM_SIGNAL, "full", 0) == MOM_ELIMIT, "beyond the largest");
	state_free(&s);
}

TEST(deaths, "what a dead client had taken is free again, its wait is over; what others gave back for it is not given "
    "twice; MOM_DSEM_KEEP keeps it")
{
	ask(1, OP_SEM_INIT, "s", 3);
	ask(1, OP_SEM_WAIT, "s", 0);
	ask(1, OP_SEM_WAIT, "s", 0);
	ask(2, OP_SEM_WAIT, "s", 0);
	ask(3, OP_SEM_WAIT, "s", 0);
	ask(4, OP_SEM_WAIT, "s", 0);
	gone(3);
	gone(1);
	REQUIRE(is_answered(4, 0) && free_units("s") == 1, "%d", free_units("s"));
	gone(1);
	REQUIRE(free_units("s") == 1, "a second death of the same: %d", free_units("s"));
	ask(5, OP_SEM_SIGNAL, "s", 0);         /* hands back what 2 has */
	gone(2);
	REQUIRE(free_units("s") == 2, "%d", free_units("s"));
	gone(4);
	REQUIRE(free_units("s") == 3, "%d", free_units("s"));
	struct event e = { .kind = EVENT_REQUEST, .op = OP_SEM_INIT, .id = 5, .number = ++numbers[5], .value = 2,
	    .flags = MOM_DSEM_KEEP, .name = "keep" };
	apply(e);
	ask(6, OP_SEM_WAIT, "keep", 0);
	gone(6);
	REQUIRE(free_units("keep") == 1, "%d", free_units("keep"));
	state_free(&s);
}

TEST(founding, "of several that begin a group at once only the first counts; one that knew of it begins it anew; two "
    "that leave at once leave two")
{
	struct event f = { .kind = EVENT_FOUND, .id = 100, .target = 1, .name = "a" };
	offset = 4;
	REQUIRE(apply(f) == STATE_BEGAN, "first");
	ask(1, OP_VAR_INIT, "v", 1);
	f.id = 101;
	f.target = 3;
	REQUIRE(apply(f) == STATE_STALE && ask(1, OP_VAR_READ, "v", 0) == 0, "second");
	for (int i = 0; i < 3; i++)
		apply((struct event){ .kind = EVENT_ACTIVE, .id = 101 + (uint64_t)i, .name = { (char)('b' + i) } });
	struct event leave = { .kind = EVENT_LEAVE, .id = 101 };
	REQUIRE(s.holder_count == 4 && apply(leave) == STATE_LEFT && apply(leave) == 0, "leave");
	leave.id = 100;
	REQUIRE(apply(leave) == STATE_LEFT, "leave");
	leave.id = 102;
	REQUIRE(apply(leave) == 0 && s.holder_count == 2, "%zu left", s.holder_count);
	const struct unit_holder *p = state_primary(&s);
	uint64_t first = p->id;
	REQUIRE(apply((struct event){ .kind = EVENT_GONE, .id = first }) == STATE_LOST &&
	    state_primary(&s)->id != first, "primary");
	f.target = offset;
	REQUIRE(apply(f) == STATE_BEGAN && ask(1, OP_VAR_READ, "v", 0) == MOM_ENORESOURCE && s.holder_count == 1,
	    "anew");
	state_free(&s);
}

static int
same_state(const struct state *a, const struct state *b)
{
	size_t la, lb;
	unsigned char *x = state_put(a, &la), *y = state_put(b, &lb);
	int same = la == lb;           /* maps have no order: the same lengths, and the same answers below */
	free(x);
	free(y);
	return same;
}

TEST(snapshot, "a state that went through its bytes gives the same answers from then on; damaged bytes are refused")
{
	static const char *const names[] = { "a", "b", "c", "d" };
	struct t_rng rng;
	t_rng_init(&rng, 5);
	apply((struct event){ .kind = EVENT_FOUND, .id = 100, .target = 1, .name = "left" });
	for (int i = 0; i < 20000; i++) {
		uint64_t client = 1 + t_rng_below(&rng, 6);
		struct event e = { .kind = EVENT_REQUEST, .op = (uint8_t)(1 + t_rng_below(&rng, OP_LAST)), .id = client,
		    .value = (int)t_rng_below(&rng, 3), .number = ++numbers[client] };
		e.target = e.number - 1;
		e.flags = t_rng_below(&rng, 4) == 0;
		strcpy(e.name, names[t_rng_below(&rng, 4)]);
		if ((e.op == OP_SEM_DESTROY || e.op == OP_VAR_DESTROY) && t_rng_below(&rng, 5))
			e.op = OP_SEM_SIGNAL;
		if (t_rng_below(&rng, 50) == 0)
			e = (struct event){ .kind = EVENT_GONE, .id = client };
		size_t len;
		unsigned char *bytes = state_put(&s, &len);
		struct state other;
		state_init(&other, 0);
		REQUIRE(state_get(&other, bytes, len) == 0 && same_state(&s, &other), "%d: it does not come back", i);
		struct resource_answer mine[8], theirs[8];
		memset(last, 0, sizeof last);
		apply(e);
		memcpy(mine, last, sizeof last);
		memset(last, 0, sizeof last);
		e.offset = offset;
		state_apply(&other, &e, hear, NULL);
		memcpy(theirs, last, sizeof last);
		REQUIRE(memcmp(mine, theirs, sizeof mine) == 0 && same_state(&s, &other), "%d: op %d answers otherwise",
		    i, e.op);
		if (i % 50 == 0)
			for (size_t cut = 0; cut < len; cut++)
				REQUIRE(state_get(&other, bytes, cut) < 0, "cut at %zu of %zu", cut, len);
		if (i % 50 == 0) {
			bytes[t_rng_below(&rng, len)] ^= (unsigned char)(1 + t_rng_below(&rng, 255));
			state_get(&other, bytes, len);         /* whatever: it survives it */
		}
		state_free(&other);
		free(bytes);
	}
	state_free(&s);
}

TEST(places, "the groups are spread evenly over coordinators, and one more or less moves only its own share")
{
	static const char *const names[] = { "left", "right", "third", "fourth" };
	int moved = 0;
	for (int g = 0; g < 1000; g++) {
		int best3 = 0, best4 = 0;
		for (int i = 1; i < 4; i++) {
			best4 = holder_weight(names[i], 1, g) > holder_weight(names[best4], 1, g) ? i : best4;
			best3 = i < 3 && holder_weight(names[i], 1, g) > holder_weight(names[best3], 1, g) ? i : best3;
		}
		REQUIRE(best4 == best3 || best4 == 3, "group %d goes from %d to %d", g, best3, best4);
		moved += best4 == 3;
	}
	REQUIRE(moved > 200 && moved < 300, "%d of 1000 to the fourth", moved);
}
