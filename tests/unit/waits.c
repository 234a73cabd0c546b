/* waits - how libmom sleeps: what ends a sleep whatever is waited for is looked at once more behind the announcement */
#include <lib/t.h>
#include "ipc/layout.h"
#include "ipc/ipcq.h"
#include "api/handle.h"

static int slept(int sem, int timeout_ms);
#define ipcq_sleep slept
const char *our_strerror(int error);
#define mom_strerror our_strerror            /* libmom has one, too */
#include "api/error.c"
#undef mom_strerror
#include "api/handle.c"
#include "api/wait.c"
#undef ipcq_sleep

void door_check(struct handle *h, int is_gone) { (void)h, (void)is_gone; }

static struct client_segment segment;
static struct handle h;

static int
slept(int sem, int timeout_ms)
{
	(void)sem, (void)timeout_ms;
	REQUIRE(0, "it sleeps, and nobody wakes it: whoever changed the word looked at `asleep` before it was set");
	return -1;
}

/* Behind the announcement, so late that its writer did not see it. */
static int
then_poisoned(struct handle *handle, const void *with)
{
	(void)handle, (void)with;
	if (atomic_load(&segment.asleep))
		atomic_store(&segment.poisoned, 1);
	return 0;
}

static int
then_ended(struct handle *handle, const void *with)
{
	(void)handle, (void)with;
	if (atomic_load(&segment.asleep))
		atomic_store(&segment.owner, 0);
	return 0;
}

static int
then_woken(struct handle *handle, const void *with)
{
	(void)with;
	if (atomic_load(&segment.asleep))
		atomic_store(&handle->woken, 1);
	return 0;
}

static int
wait_for(done_fn done, unsigned how)
{
	segment = (struct client_segment){ .sem = -1, .owner = 7 };
	h = (struct handle){ .segment = &segment, .owner = 7, .timeout_ms = -1 };
	return handle_wait(&h, done, NULL, -1, how);
}

TEST(last_look, "a ring found to be garbage, a client that is ended, mom_wake: none is missed between the look and the "
    "sleep")
{
	int r = wait_for(then_poisoned, ASLEEP_FOR_ANSWERS);
	REQUIRE(r == MOM_EPROTO, "%d", r);
	r = wait_for(then_ended, ASLEEP_FOR_ROOM);
	REQUIRE(r == MOM_EBADID, "%d", r);
	r = wait_for(then_woken, ASLEEP_FOR_MAIL | WAIT_INTERRUPTIBLE);
	REQUIRE(r == MOM_EINTR, "%d", r);
}
