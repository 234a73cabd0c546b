/* caller - how a caller hears its answers: whoever publishes there without end holds no call beyond its deadline, and a
 * caller that was cut subscribes anew */
#include <lib/t.h>
#include <mom.h>

static int next_junk(int id, struct mom_message *m, int timeout_ms);
static int subscribe_anew(int id, const char *topic, unsigned flags);
#define mom_receive   next_junk
#define mom_subscribe subscribe_anew
#include "api/caller.c"

struct handle *handle_get(int id, int *error) { (void)id, *error = MOM_EBADID; return NULL; }
int handle_fail(struct handle *h, int code, const char *format, ...) { (void)h, (void)format; return code; }

enum { PATIENT = 1000000 };
static int looked_late, cut, subscribed;

static int
next_junk(int id, struct mom_message *m, int timeout_ms)
{
	(void)id, (void)m;
	REQUIRE(timeout_ms > 0 || looked_late++ < PATIENT, "it goes on beyond its deadline");
	return cut && !subscribed ? MOM_EFULL : 0;
}

static int
subscribe_anew(int id, const char *topic, unsigned flags)
{
	(void)id, (void)topic, (void)flags;
	subscribed++;
	return subscribed == 1 ? 0 : MOM_EEXIST;
}

static int
is_answer(void *with, const struct mom_message *m)
{
	(void)with, (void)m;
	return 1;
}

static int
is_junk(void *with, const struct mom_message *m)
{
	(void)with, (void)m;
	return 0;
}

TEST(deadline, "an answer is awaited until the deadline, and no longer, while something else comes all the time")
{
	struct caller c = { .id = -1 };
	int r = caller_hear(&c, clock_ms() + 20, is_junk, NULL);
	REQUIRE(r == MOM_ETIMEDOUT && looked_late == 1, "%d, %d late looks", r, looked_late);
}

TEST(was_cut, "a caller that was cut, since more answers waited than may, subscribes anew and hears the next one")
{
	struct caller c = { .id = -1 };
	cut = 1;
	int r = caller_hear(&c, -1, is_answer, NULL);
	REQUIRE(r == 0 && subscribed == 1, "%d, subscribed %d times", r, subscribed);
}
