/* junk_resource - the same as junk_call for an answer of mom_coordinator */
#include <lib/t.h>
#include <mom.h>

static int next_junk(int id, struct mom_message *m, int timeout_ms);
#define mom_receive      next_junk
#define mom_dsem_init    own_init                /* libmom has them, too */
#define mom_dsem_wait    own_wait
#define mom_dsem_trywait own_trywait
#define mom_dsem_signal  own_signal
#define mom_dsem_destroy own_destroy
#define mom_dshm_init    own_var_init
#define mom_dshm_read    own_var_read
#define mom_dshm_write   own_var_write
#define mom_dshm_destroy own_var_destroy
#include "api/resource/resource.c"

struct handle *handle_get(int id, int *error) { (void)id, *error = MOM_EBADID; return NULL; }
int handle_fail(struct handle *h, int code, const char *format, ...) { (void)h, (void)format; return code; }
void event_put(struct mom_writer *w, const struct event *e) { (void)w, (void)e; }
int answer_get(struct resource_answer *a, const void *bytes, size_t n) { (void)a, (void)bytes, (void)n; return -1; }
int resource_group(const char *name) { (void)name; return 0; }

enum { PATIENT = 1000000 };
static int looked_late;

static int
next_junk(int id, struct mom_message *m, int timeout_ms)
{
	(void)id;
	*m = (struct mom_message){ 0 };
	REQUIRE(timeout_ms > 0 || looked_late++ < PATIENT, "it goes on beyond its deadline");
	return 0;
}

TEST(deadline, "an answer is awaited until the deadline, and no longer, while something else comes all the time")
{
	struct resource_caller c = { .id = -1 };
	struct talk t = { .until = -1 };
	int r = talk_hear(&c, &t, clock_ms() + 20);
	REQUIRE(r == MOM_ETIMEDOUT && looked_late == 1, "%d, %d late looks", r, looked_late);
}
