/* handle - the table of handles, error texts, and how a call sleeps */
#include "api/register.h"
#include "api/handle.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "ipc/idling.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic(struct handle *) handles[SLOTS_MAX];
static atomic_int borrowed[SLOTS_MAX];         /* mom_wake uses the handle of that id just now */
static _Atomic(uint64_t *) era_page;
static _Thread_local char thread_text[1000];           /* names each place where a daemon was sought */

enum { BORROWED_MS = 5000, STEP_MOST_US = 50000 };

/* A page that the kernel wipes in a forked child: asking costs a load, where getpid would cost a system call a
 * message. */
uint64_t
handle_era(void)
{
	uint64_t *page = atomic_load(&era_page), *fresh;
	if (page == NULL) {
		fresh = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (fresh == MAP_FAILED)
			return 0;
		/* a kernel before 4.14: a fork would not be noticed */
		if (madvise(fresh, PAGE, MADV_WIPEONFORK) < 0) {
			munmap(fresh, PAGE);
			return 0;
		}
		if (!atomic_compare_exchange_strong(&era_page, &page, fresh))
			munmap(fresh, PAGE);
		page = atomic_load(&era_page);
	}
	uint64_t era = __atomic_load_n(page, __ATOMIC_RELAXED);
	if (era == 0) {
		era = (uint64_t)getpid() << 32 | ((uint64_t)clock_wall_us() & 0xffffffff) | 1;
		uint64_t none = 0;
		__atomic_compare_exchange_n(page, &none, era, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
		era = __atomic_load_n(page, __ATOMIC_RELAXED);
	}
	return era;
}

const char *
handle_thread_text(void)
{
	return thread_text;
}

int
handle_fail(struct handle *h, int code, const char *format, ...)
{
	va_list ap;
	char *text = h ? h->text : thread_text;
	va_start(ap, format);
	vsnprintf(text, h ? sizeof h->text : sizeof thread_text, format, ap);
	va_end(ap);
	return code;
}

struct handle *
handle_peek(int id)
{
	return id < 0 || id >= SLOTS_MAX ? NULL : atomic_load(&handles[id]);
}

struct handle *
handle_get(int id, int *error)
{
	struct handle *h = handle_peek(id);
	if (h == NULL)
		*error = handle_fail(NULL, MOM_EBADID, "%d is no handle of this process: use what mom_create or "
		    "mom_open returned, until its close", id);
	else if (h->era != handle_era()) {
		*error = handle_fail(NULL, MOM_EFORK, "handle %d belongs to the parent process: make one of your own "
		    "with mom_create after fork", id);
		h = NULL;
	}
	return h;
}

int
handle_add(struct handle *h, int wish)
{
	for (int i = 0; i < SLOTS_MAX; i++) {
		int id = (int)(((unsigned)wish + (unsigned)i) % SLOTS_MAX);
		struct handle *none = NULL;
		if (atomic_compare_exchange_strong(&handles[id], &none, h))
			return id;
	}
	return -1;
}

struct handle *
handle_borrow(int id)
{
	if (id < 0 || id >= SLOTS_MAX)
		return NULL;
	atomic_fetch_add(&borrowed[id], 1);
	return atomic_load(&handles[id]);
}

void
handle_return(int id)
{
	if (id >= 0 && id < SLOTS_MAX)
		atomic_fetch_sub(&borrowed[id], 1);
}

void
handle_drop(struct handle *h)
{
	atomic_store(&handles[h->id], NULL);
	/* a mom_wake in another thread is about to be done with it */
	for (int i = 0; atomic_load(&borrowed[h->id]) > 0; i++) {
		if (i == BORROWED_MS)
			/* a forked child has the count of a thread that it has not: the memory is not given back */
			return;
		usleep(1000);
	}
	ipcq_detach(h->segment);
	watch_close(h);
	door_close(h);
	free(h);
}

int64_t
handle_deadline(long timeout_ms)
{
	int64_t now = clock_ms();
	return timeout_ms < 0 || timeout_ms > INT64_MAX - now ? -1 : now + timeout_ms;
}

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
