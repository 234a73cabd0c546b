/* sum_server - the server: sums at once, jobs that take their time, and how often each sum was executed.
 * A poll for a job that is not done is put off (mom_defer) until it is, or for POLL_HELD_MS; then the answer is "not
 * yet". */
#include "sum.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { POLL_HELD_MS = 100, JOB_KEPT_MS = 10000, LOOK_MS = 20 };

struct job {
	struct job *next;
	uint64_t number;
	int64_t result, done_at;
	int is_pushed, is_polled;
	int64_t poll_until;
	struct mom_later poll;
};
static struct job *jobs;
static uint64_t job_count;
static uint8_t *counts;                             /* by serial */
static uint64_t counts_room;

static int64_t
now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static void
count(uint64_t serial)
{
	if (serial >= UINT64_C(1) << 24)                /* not one of this example's callers */
		return;
	if (serial >= counts_room) {
		uint64_t room = 2 * serial + 1024;
		uint8_t *more = realloc(counts, room);
		if (more == NULL)
			return;
		for (counts = more; counts_room < room; counts_room++)
			counts[counts_room] = 0;
	}
	counts[serial] += counts[serial] < 255;
}

static int
do_sum(struct mom_request *q, void *with)
{
	int64_t result;
	uint64_t serial = mom_get_u64(&q->args);
	int64_t a = mom_get_i64(&q->args), b = mom_get_i64(&q->args);
	(void)with;
	if (mom_reader_failed(&q->args))
		return 0;                               /* the library tells the caller */
	count(serial);
	if (__builtin_add_overflow(a, b, &result))
		return mom_raise(q, SUM_OVERFLOW, "%lld + %lld is more than 64 bits hold", (long long)a, (long long)b);
	mom_put_i64(&q->reply, result);
	return 0;
}

static int
do_counts(struct mom_request *q, void *with)
{
	uint64_t from = mom_get_u64(&q->args), to = mom_get_u64(&q->args);
	(void)with;
	for (; from < to && !mom_writer_failed(&q->reply); from++)
		mom_put_u8(&q->reply, from < counts_room ? counts[from] : 0);
	return 0;
}

static int
do_start(struct mom_request *q, void *with)
{
	int64_t a = mom_get_i64(&q->args), b = mom_get_i64(&q->args);
	uint32_t takes_ms = mom_get_u32(&q->args);
	struct job *j = mom_reader_failed(&q->args) ? NULL : calloc(1, sizeof *j);
	(void)with;
	if (j == NULL)
		return MOM_EINVAL;
	*j = (struct job){ .next = jobs, .number = ++job_count, .result = (int64_t)((uint64_t)a + (uint64_t)b),
	    .done_at = now_ms() + takes_ms };
	jobs = j;
	mom_put_u64(&q->reply, j->number);
	return 0;
}

static void
put_state(struct mom_writer *w, const struct job *j)
{
	int done = now_ms() >= j->done_at;
	mom_put_u8(w, (uint8_t)done);
	mom_put_i64(w, done ? j->result : 0);
}

static int
do_poll(struct mom_request *q, void *with)
{
	uint64_t number = mom_get_u64(&q->args);
	struct job *j = jobs;
	(void)with;
	while (j && j->number != number)
		j = j->next;
	if (j == NULL)
		return mom_raise(q, SUM_NO_JOB, "there is no job %llu", (unsigned long long)number);
	if (j->done_at <= now_ms() || j->is_polled) {
		put_state(&q->reply, j);
		return 0;
	}
	j->is_polled = 1;
	j->poll_until = now_ms() + POLL_HELD_MS;
	return mom_defer(q, &j->poll);
}

/* Time has gone on: push what is done, answer polls that are due. */
static int
jobs_look(struct mom_server *s)
{
	unsigned char bytes[16];
	struct mom_writer w;
	int64_t now = now_ms();
	for (struct job **at = &jobs, *j; (j = *at) != NULL;) {
		mom_writer_init(&w, bytes, sizeof bytes);
		if (j->is_polled && (now >= j->done_at || now >= j->poll_until)) {
			put_state(&w, j);
			j->is_polled = 0;
			if (mom_answer(s, &j->poll, &w, 0, NULL) < 0)
				return -1;
			mom_writer_init(&w, bytes, sizeof bytes);
		}
		if (now >= j->done_at && !j->is_pushed) {
			mom_put_u64(&w, j->number);
			mom_put_i64(&w, j->result);
			j->is_pushed = 1;
			if (mom_publish(mom_server_id(s), SUM_PUSH_TOPIC, bytes, w.len, 0) < 0)
				return -1;
		}
		if (now >= j->done_at + JOB_KEPT_MS) {
			*at = j->next;
			free(j);
		} else
			at = &j->next;
	}
	return 0;
}

int
sum_server(volatile const int *stop, volatile int *ready)
{
	struct mom_server *s = mom_server_create();
	if (s == NULL || mom_serve(s, "sum", do_sum, NULL) < 0 || mom_serve(s, "sum/counts", do_counts, NULL) < 0 ||
	    mom_serve(s, "sum/start", do_start, NULL) < 0 || mom_serve(s, "sum/poll", do_poll, NULL) < 0)
		return fprintf(stderr, "the server: %s\n", mom_error_text(-1)), 1;
	*ready = 1;
	while (!*stop) {
		int e = mom_serve_one(s, LOOK_MS);
		if (e && e != MOM_ETIMEDOUT && e != MOM_EINTR)
			return fprintf(stderr, "the server: %s\n", mom_error_text(mom_server_id(s))), 1;
		if (jobs_look(s) < 0)
			return fprintf(stderr, "the server: %s\n", mom_error_text(mom_server_id(s))), 1;
	}
	return mom_server_destroy(s) < 0;
}
