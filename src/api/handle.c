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

enum { BORROWED_MS = 5000 };

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

int
handle_remove(struct handle *h)
{
	atomic_store(&handles[h->id], NULL);
	/* a mom_wake in another thread is about to be done with it */
	for (int i = 0; atomic_load(&borrowed[h->id]) > 0; i++) {
		if (i == BORROWED_MS)
			/* a forked child has the count of a thread that it has not: the memory is not given back */
			return 0;
		usleep(1000);
	}
	return 1;
}

int64_t
handle_deadline(long timeout_ms)
{
	int64_t now = clock_ms();
	return timeout_ms < 0 || timeout_ms > INT64_MAX - now ? -1 : now + timeout_ms;
}

uint64_t
requests_open(const struct handle *h)
{
	uint64_t open = 0;
	for (uint32_t k = 0; k < h->shards; k++) {
		uint64_t acked = atomic_load(&h->segment->answer[k].acked), first = atomic_load(&h->segment->first[k]);
		uint64_t next = atomic_load(&h->segment->next[k]), from = acked + 1 > first ? acked + 1 : first;
		open += from < next ? next - from : 0;
	}
	return open + h->unsent;
}
