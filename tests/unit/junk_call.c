/* junk_call - whoever publishes without end to the topic where a caller hears its answers holds no remote call beyond
 * its deadline */
#include <lib/t.h>
#include <mom.h>

static int next_junk(int id, struct mom_message *m, int timeout_ms);
#define mom_receive    next_junk
#define mom_call       own_call                /* libmom has them, too */
#define mom_call_retry own_call_retry
#include "api/rpc/call.c"

int64_t handle_deadline(long timeout_ms) { return clock_ms() + timeout_ms; }
struct handle *handle_get(int id, int *error) { (void)id, *error = MOM_EBADID; return NULL; }
int handle_fail(struct handle *h, int code, const char *format, ...) { (void)h, (void)format; return code; }
void rpc_head_put(struct mom_writer *w, const struct rpc_head *head) { (void)w, (void)head; }
int rpc_publish(int id, const char *topic, const struct mom_writer *w, unsigned flags) { (void)id, (void)topic, (void)w,
    (void)flags; return 0; }
int rpc_answer_get(struct rpc_answer *a, const struct mom_message *m) { (void)a, (void)m; return -1; }

enum { PATIENT = 1000000 };
static int looked_late;

static int
next_junk(int id, struct mom_message *m, int timeout_ms)
{
	(void)id, (void)m;
	REQUIRE(timeout_ms > 0 || looked_late++ < PATIENT, "it goes on beyond its deadline");
	return 0;
}

TEST(deadline, "an answer is awaited until the deadline, and no longer, while something else comes all the time")
{
	struct caller c = { .id = -1 };
	struct call k = { .sent = 1 };
	int r = call_await(&c, &k, clock_ms() + 20);
	REQUIRE(r == MOM_ETIMEDOUT && looked_late == 1, "%d, %d late looks", r, looked_late);
}
