/* wait - how a call sleeps, and what ends every sleep: see diagrams/sleeps.md */
#include "api/register.h"
#include "api/handle.h"
#include "base/clock.h"
#include "ipc/idling.h"
#include <errno.h>
#include <unistd.h>

enum { STEP_MOST_US = 50000 };

/* A successor of the daemon or of one of its processes may not know of a ticket that its predecessor took. */
static void
ring_all(struct handle *h)
{
	bell_ring_always(&h->out.ring->bell, &h->segment->request_queue);
	if (atomic_load(&h->segment->behind))
		bell_ring_always(&h->segment->mail_bell, &h->segment->deliver_queue);
}

static int
handle_slice(struct handle *h, int64_t deadline, unsigned how)
{
	int64_t left = deadline < 0 ? SLICE_MS : deadline - clock_ms();
	if (left <= 0)
		return MOM_ETIMEDOUT;
	int sem = atomic_load(&h->segment->sem);
	if (ipcq_sleep(sem, left < SLICE_MS ? (int)left : SLICE_MS) == 0)
		return 0;
	if (errno == EINTR)
		return how & WAIT_INTERRUPTIBLE ? MOM_EINTR : 0;
	/* the process changed its user since: it may not use the semaphore that was made for it */
	if (errno == EACCES || errno == EPERM) {
		usleep(h->step_us = h->step_us < STEP_MOST_US / 2 ? h->step_us * 2 + 1000 : STEP_MOST_US);
	} else if (errno == EAGAIN) {
		ring_all(h);
		door_check(h, 0);
	} else if (atomic_load(&h->segment->sem) == sem) {
		door_check(h, 1);
		/* the semaphore is gone: the daemon makes a new one within a second */
		usleep(5000);
	}
	return 0;
}

int
handle_poisoned(struct handle *h)
{
	return handle_fail(h, MOM_EPROTO, "this client's ring holds garbage, which only this program can have written "
	    "there: destroy the handle, make a new one, and look for a stray pointer");
}

/* What the answers say is true all the same: they belong to this client alone. */
int
handle_ended(struct handle *h)
{
	return handle_fail(h, MOM_EBADID, "mom_daemon has ended this client (%s): %llu of its requests had no answer, "
	    "they may be stored or not; destroy or close the handle and make a new one",
	    h->unknown ? "it was started without the list of its clients" :
	    "its process was taken for dead, or another one has its name", (unsigned long long)requests_open(h));
}

struct handle *
handle_get_whole(int id, int *error)
{
	struct handle *h = handle_get(id, error);
	int fault = h == NULL ? 0 : atomic_load(&h->segment->poisoned) ? handle_poisoned(h)
	    : handle_is_ended(h) ? handle_ended(h) : 0;
	if (fault == 0)
		return h;
	*error = fault;
	return NULL;
}

/* Whatever the caller waits for, these end each sleep. */
int
is_interrupted(const struct handle *h, unsigned how)
{
	return atomic_load(&h->segment->poisoned) || handle_is_ended(h) ||
	    (how & WAIT_INTERRUPTIBLE && atomic_load(&h->woken));
}

int
handle_wait(struct handle *h, done_fn done, const void *with, int64_t deadline, unsigned how)
{
	int r = 0;
	idling_found(&h->idling, (h->mail.at - h->waited_at) / FLOW_BYTES);
	h->waited_at = h->mail.at;
	h->step_us = 0;
	while (!done(h, with)) {
		if (deadline == DEADLINE_DEFAULT)
			deadline = handle_deadline(h->timeout_ms);
		if (atomic_load(&h->segment->poisoned))
			return handle_poisoned(h);
		if (handle_is_ended(h))
			return done(h, with) ? 0 : handle_ended(h);
		if (how & WAIT_INTERRUPTIBLE && atomic_exchange(&h->woken, 0))
			return handle_fail(h, MOM_EINTR, "woken by mom_wake");
		if (idling_on(&h->idling))
			continue;
		atomic_store(&h->segment->asleep, how & ASLEEP_FOR_ANY);
		atomic_thread_fence(memory_order_seq_cst);
		if (!done(h, with) && !is_interrupted(h, how))
			r = handle_slice(h, deadline, how);
		atomic_store(&h->segment->asleep, 0);
		if (r == MOM_EINTR && !atomic_exchange(&h->woken, 0))
			return handle_fail(h, r, "a signal came");
		if (r == MOM_EINTR)
			return handle_fail(h, r, "woken by mom_wake");
		if (r == MOM_ETIMEDOUT)
			return done(h, with) ? 0 : MOM_ETIMEDOUT;
	}
	return 0;
}
