/* sched - who runs next, time, events, pre-emption
 * A process runs until it sleeps, or until a system call or a basic block (the programs are built with
 * -fsanitize-coverage=trace-pc) at which the generator says that another one is to run. Time passes with calls, and
 * jumps where all sleep. */
#include "sim.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct sim S;

enum { RUN_MEMORY = 1 << 30, EVENTS = 1 << 16, BLOCKS_ALONE = 50 * 1000 * 1000, CALLS_MOST = 4 * 1000 * 1000 };

struct event { int64_t at; uint64_t number, sleep; int kind; const void *what; void (*fn)(void *); };
static struct event events[EVENTS];
static size_t event_count;
static uint64_t event_number;
static char *memory;
static size_t memory_used;
static jmp_buf scheduler;

uint64_t
sim_random(void)
{
	uint64_t z = S.random += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t
sim_below(uint64_t n)
{
	return (uint64_t)((unsigned __int128)sim_random() * n >> 64);
}

void *
sim_alloc(size_t n)
{
	void *p = memory + memory_used;
	memory_used += (n + 15) / 16 * 16;
	if (memory_used > RUN_MEMORY) {
		fprintf(stderr, "sim: seed %llu needs more than 1 GiB\n", (unsigned long long)S.seed);
		abort();
	}
	return p;
}

char *
sim_text(const char *format, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	return strcpy(sim_alloc((size_t)n + 1), text);
}

void
sim_reset(uint64_t seed)
{
	int trace = S.trace;
	sysv_reset();
	for (int i = 0; i < PROCS; i++)
		process_release(&S.procs[i]);     /* what a run that failed left */
	if (memory == NULL)
		memory = mmap(NULL, RUN_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		    0);
	if (memory_used > 8 << 20)
		madvise(memory, memory_used, MADV_DONTNEED);
	else
		memset(memory, 0, memory_used);
	memory_used = 0;
	event_count = 0;
	event_number = 0;
	memset(&S, 0, sizeof S);
	S.seed = seed;
	S.random = seed * UINT64_C(0xd1342543de82ef95) + 1;
	S.trace = trace;
	S.next_pid = 100;
	S.due = NEVER;
}

/* ---- what is told ---- */

static void
trace_head(void)
{
	printf("%10.6f ", (double)S.now / SECOND);
	if (S.cur)
		printf("%s[%d] ", S.cur->role, S.cur->pid);
	else
		printf("-- ");
}

void
sim_note(const char *format, ...)
{
	va_list ap;
	if (!S.trace)
		return;
	trace_head();
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
}

void
sim_fault(const char *format, ...)
{
	va_list ap;
	if (S.fault[0])
		return;
	int n = snprintf(S.fault, sizeof S.fault, "at %.6f s: ", (double)S.now / SECOND);
	va_start(ap, format);
	vsnprintf(S.fault + n, sizeof S.fault - (size_t)n, format, ap);
	va_end(ap);
	sim_note("FAULT %s", S.fault);
}

/* ---- events: a heap by time, then by number ---- */

static int
event_before(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->number < b->number;
}

static void
event_add(struct event e)
{
	size_t i = event_count++;
	if (event_count > EVENTS)
		abort();
	e.number = ++event_number;
	for (; i > 0 && event_before(&e, &events[(i - 1) / 2]); i = (i - 1) / 2)
		events[i] = events[(i - 1) / 2];
	events[i] = e;
	S.due = events[0].at;
}

static struct event
event_take(void)
{
	struct event first = events[0], last = events[--event_count];
	size_t i = 0, k;
	while ((k = 2 * i + 1) < event_count) {
		if (k + 1 < event_count && event_before(&events[k + 1], &events[k]))
			k++;
		if (!event_before(&events[k], &last))
			break;
		events[i] = events[k];
		i = k;
	}
	events[i] = last;
	S.due = event_count ? events[0].at : NEVER;
	return first;
}

void
sim_at(int64_t when, void (*fn)(void *), void *with)
{
	event_add((struct event){ .at = when, .kind = EVENT_CALL, .fn = fn, .what = with });
}

void
sim_wake_at(int64_t when, const void *channel)
{
	event_add((struct event){ .at = when, .kind = EVENT_WAKE, .what = channel });
}

static void
event_happen(void)
{
	struct event e = event_take();
	struct proc *p = (struct proc *)(uintptr_t)e.what;
	if (e.kind == EVENT_WAKE)
		sim_wake(e.what);
	else if (e.kind == EVENT_CALL)
		e.fn((void *)(uintptr_t)e.what);
	else if (p->state == PROC_ASLEEP && p->sleep == e.sleep) {
		p->state = PROC_READY;
		p->timed_out = 1;
	}
}

/* ---- switching ---- */

static int64_t
some_blocks(void)
{
	return S.block_mean ? 1 + (int64_t)sim_below((uint64_t)S.block_mean * 2) : NEVER_BLOCKS;
}

/* back to the scheduler; returns when this process runs again */
static void
switch_away(void)
{
	struct proc *p = S.cur;
	int keep = errno;
	p->blocks_alone += p->blocks_left - S.blocks;
	if (_setjmp(p->context) == 0)
		_longjmp(scheduler, 1);
	errno = keep;
}

void
sim_yield(void)
{
	if (S.cur->vforked)
		return;
	switch_away();
}

static void
due_to_die(struct proc *p)
{
	sim_note("is killed");
	process_die(p, SIGKILL);
	_longjmp(scheduler, 1);
}

void __sanitizer_cov_trace_pc(void);
void
__sanitizer_cov_trace_pc(void)
{
	if (--S.blocks > 0)
		return;
	struct proc *p = S.cur;
	if (p == NULL || p->vforked) {
		S.blocks = NEVER_BLOCKS;
		return;
	}
	p->blocks_alone += p->blocks_left;
	p->blocks_left = S.blocks = some_blocks();
	S.now += 1 + S.block_mean / 100;
	if (p->doom_blocks && (p->doom_blocks -= S.block_mean) <= 0)
		due_to_die(p);
	if (p->blocks_alone > BLOCKS_ALONE)
		sim_fault("%s[%d] runs on without a system call", p->role, p->pid);
	int keep = errno;
	switch_away();
	process_handlers();
	errno = keep;
}

void
sim_enter(const char *call)
{
	struct proc *p = S.cur;
	S.calls++;
	S.now += 1 + (int64_t)sim_below(sim_chance(64) ? 400 : 6);
	for (const char *c = call; *c; c++)
		S.hash = (S.hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
	S.hash = (S.hash ^ (uint64_t)S.now ^ (uint64_t)p->pid << 40) * UINT64_C(0x100000001b3);
	if (p->vforked)
		return;
	p->blocks_alone = 0;
	if (p->doom_calls && --p->doom_calls == 0)
		due_to_die(p);
	if (S.now >= S.due || sim_chance((unsigned)S.switch_one_in))
		switch_away();
	process_handlers();
	if (S.trace > 1)
		sim_note("%s", call);
}

long
sim_back(long result)
{
	if (S.trace > 1)
		sim_note("  = %ld", result);
	return result;
}

long
sim_fail(int error)
{
	errno = error;
	if (S.trace > 1)
		sim_note("  = -1 %s", strerror(error));
	return -1;
}

int
sim_sleep(const void *channel, int64_t until)
{
	struct proc *p = S.cur;
	if (p->pending) {
		process_handlers();
		return -1;
	}
	p->state = PROC_ASLEEP;
	p->channel = channel;
	p->timed_out = 0;
	p->asleep_since = S.now;
	p->sleep = ++S.sleeps;
	if (until != NEVER)
		event_add((struct event){ .at = until > S.now ? until : S.now, .kind = EVENT_TIMER, .what = p,
		    .sleep = p->sleep });
	switch_away();
	p->channel = NULL;
	if (p->pending) {
		process_handlers();
		return -1;
	}
	return p->timed_out ? 1 : 0;
}

void
sim_wake(const void *channel)
{
	for (int i = 0; i < S.proc_top; i++)
		if (S.procs[i].state == PROC_ASLEEP && S.procs[i].channel == channel)
			S.procs[i].state = PROC_READY;
}

/* ---- the loop ---- */

static struct proc *
pick(void)
{
	struct proc *ready[PROCS];
	size_t n = 0;
	for (int i = 0; i < S.proc_top; i++)
		if (S.procs[i].state == PROC_READY)
			ready[n++] = &S.procs[i];
	return n == 0 ? NULL : n == 1 ? ready[0] : ready[sim_below(n)];
}

/* the scheduler's stack calls no function that returns after a longjmp to it */
static void
resume(struct proc *p)
{
	S.cur = p;
	S.switches++;
	p->blocks_left = S.blocks = some_blocks();
	if (_setjmp(scheduler) == 0)
		process_resume(p);
	S.cur = NULL;
}

void
sim_run(int64_t until)
{
	while (!S.ended && S.fault[0] == '\0') {
		while (S.due <= S.now && S.fault[0] == '\0')
			event_happen();
		struct proc *p = pick();
		if (p) {
			resume(p);
			if (S.calls > CALLS_MOST)
				sim_fault("more than %d system calls: it does not come to an end", CALLS_MOST);
			if (S.now > until)
				return;
			continue;
		}
		if (S.due == NEVER || S.due > until) {
			S.now = until;
			return;
		}
		S.now = S.due > S.now ? S.due : S.now;
	}
}
