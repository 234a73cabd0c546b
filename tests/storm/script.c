/* script - see script.h */
#include <storm/script.h>
#include <fcntl.h>
#include <lib/t.h>
#include <mom.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SCRIPT_MS = 25000, LARGE = 60000 };
static struct storm *s;
static int64_t end;                            /* of this process's patience */

void
script_fail(struct storm *storm, const char *format, ...)
{
	va_list ap;
	if (atomic_exchange(&storm->failed, 1))
		return;
	va_start(ap, format);
	vsnprintf(storm->why, sizeof storm->why, format, ap);
	va_end(ap);
}

#define FAIL(...) do { script_fail(s, __VA_ARGS__); _exit(1); } while (0)

/* A call may fail only after the blow, with a text, and never with a code that blames the program. */
static void
error(const char *call, int code, int id)
{
	const char *text = mom_error_text(id);
	if (code == MOM_EPROTO || code == MOM_EBADID || code == MOM_EINVAL || code == MOM_ETOPIC ||
	    code == MOM_ETOOBIG || code == MOM_EFORK ||
	    code == MOM_ELOST)
		FAIL("%s: %s: %s", call, mom_strerror(code), text);
	if (!text[0])
		FAIL("%s: %s without a text", call, mom_strerror(code));
	if (!atomic_load(&s->shim.hit) && code != MOM_ENODAEMON)       /* the daemon is being started again */
		FAIL("%s failed before any blow: %s: %s", call, mom_strerror(code), text);
	if (t_now_ms() > end)
		FAIL("%s still fails: %s: %s", call, mom_strerror(code), text);
	if (atomic_load(&s->shim.hit))
		atomic_fetch_add(&s->errors, 1);
	t_sleep_ms(1);
}

/* ---- judging ---- */

static void
judge(const char *who, struct heard *h, const struct mom_message *m)
{
	unsigned g, n;
	char text[32] = "";
	memcpy(text, m->data, m->len < 31 ? m->len : 31);
	if (m->flags & MOM_GAP)
		FAIL("%s was told of a gap: %.*s", who, (int)m->len, (const char *)m->data);
	if (sscanf(text, "%u %u", &g, &n) != 2 || g >= SCRIPT_GENERATIONS || n >= SCRIPT_MESSAGES)
		FAIL("%s got what nobody sent: %s", who, text);
	int last = atomic_load(&h->last[g]);
	if ((int)n <= last) {
		if (!(m->flags & MOM_REDELIVERED))
			FAIL("%s got %u %u after %u %d: twice, or out of order", who, g, n, g, last);
		atomic_fetch_add(&h->again, 1);
		return;
	}
	for (int i = last + 1; i < (int)n; i++)
		if (atomic_load(&s->fate[g][i]) == FATE_STORED)
			FAIL("%s got %u %u after %u %d: %u %d is stored and was left out", who, g, n, g, last, g, i);
	if (atomic_load(&s->fate[g][n]) == FATE_REFUSED)
		FAIL("%s got %u %u, which was refused", who, g, n);
	atomic_store(&h->last[g], (int)n);
	atomic_fetch_add(&h->count, 1);
}

int
script_missing(struct storm *storm, const struct heard *h, char *text, unsigned size)
{
	for (int g = 0; g < SCRIPT_GENERATIONS; g++)
		for (int n = SCRIPT_MESSAGES - 1; n > atomic_load(&h->last[g]); n--)
			if (atomic_load(&storm->fate[g][n]) == FATE_STORED) {
				snprintf(text, size, "%d %d is stored and did not come", g, n);
				return 1;
			}
	return 0;
}

/* ---- calls that are made until they work ---- */

static int
create(const char *name)
{
	for (;;) {
		int id = name ? mom_open(name) : mom_create();
		if (id >= 0)
			return id;
		error(name ? "mom_open" : "mom_create", id, -1);
	}
}

static void
change(int id, const char *topic, int on)
{
	for (int r; (r = on ? mom_subscribe(id, topic, 0) : mom_unsubscribe(id, topic)) != 0;) {
		if (r == (on ? MOM_EEXIST : MOM_ENOTSUB))
			return;
		error(on ? "mom_subscribe" : "mom_unsubscribe", r, id);
	}
}

static int
flush(int id)
{
	int r, failed = 0;
	while ((r = mom_flush(id, 5000)) != 0) {
		failed |= r == MOM_EFULL;
		error("mom_flush", r, id);
	}
	return failed;
}

/* One message; 1: it is stored. */
static int
publish_once(int id, const char *topic, unsigned flags, size_t size)
{
	static char bytes[LARGE];
	int g = atomic_load(&s->generation), n = atomic_fetch_add(&s->sent[g], 1) + 1;
	if (n >= SCRIPT_MESSAGES)
		FAIL("%d messages were refused", n);
	size_t len = (size_t)snprintf(bytes, sizeof bytes, "%d %d ", g, n);
	atomic_store(&s->fate[g][n], FATE_DOUBT);
	int r = mom_publish(id, topic, bytes, len > size ? len : size, flags);
	if (r == 0 && !(flags & MOM_ASYNC))
		atomic_store(&s->fate[g][n], FATE_STORED);
	if (r == 0)
		return 1;
	error("mom_publish", r, id);
	if (r != MOM_ETIMEDOUT)
		atomic_store(&s->fate[g][n], FATE_REFUSED);
	return 0;
}

static void
publish(int id, const char *topic, unsigned flags, size_t size)
{
	while (!publish_once(id, topic, flags, size))
		;
}

/* Three at once; those of a flush that failed stay in doubt. */
static void
publish_async(int id, const char *topic)
{
	int g = atomic_load(&s->generation), from, ok;
	do {
		from = atomic_load(&s->sent[g]) + 1;
		for (int i = 0; i < 3; i++)
			publish_once(id, topic, MOM_ASYNC, 0);
		ok = !flush(id);
		for (int n = from; ok && n <= atomic_load(&s->sent[g]); n++)
			if (atomic_load(&s->fate[g][n]) == FATE_DOUBT)
				atomic_store(&s->fate[g][n], FATE_STORED);
	} while (!ok);
}

static void
receive_all(int id, struct heard *h)
{
	struct mom_message m;
	char text[80];
	while (script_missing(s, h, text, sizeof text)) {
		int r = mom_receive(id, &m, 1000);
		if (r == 0)
			judge("the client", h, &m);
		else if (r != MOM_ETIMEDOUT && r != MOM_EINTR)
			error("mom_receive", r, id);
		if (t_now_ms() > end)
			FAIL("the client: %s", text);
	}
	int r = mom_ack(id);
	if (r)
		error("mom_ack", r, id);
}

/* ---- a group with one worker ---- */

/* All of that state, since there is no other worker. */
static void
jobs_turn(int from, int to)
{
	for (int g = 0; g < SCRIPT_GENERATIONS; g++)
		for (int n = 0; n < SCRIPT_JOBS; n++) {
			int is = from;
			atomic_compare_exchange_strong(&s->job[g][n], &is, to);
		}
}

static int
worker(void)
{
	int id = create(NULL), r;
	mom_set_option(id, MOM_OPT_MANUAL_ACK, 1);
	mom_set_option(id, MOM_OPT_PREFETCH, 2);
	jobs_turn(JOB_SETTLED, JOB_DOUBT);     /* by a process that was killed then */
	while ((r = mom_join(id, "jobs", "s/jobs", 0)) != 0)
		error("mom_join", r, id);
	return id;
}

static void
publish_job(int id, unsigned flags)
{
	int g = atomic_load(&s->generation), n, r;
	char text[32];
	do {
		if ((n = atomic_fetch_add(&s->jobs[g], 1)) >= SCRIPT_JOBS)
			FAIL("%d jobs were refused", n);
		snprintf(text, sizeof text, "%d %d", g, n);
		atomic_store(&s->job[g][n], JOB_DOUBT);
		int stored = JOB_DOUBT;
		if ((r = mom_publish(id, "s/jobs", text, strlen(text), flags)) == 0)      /* it may be given by now */
			atomic_compare_exchange_strong(&s->job[g][n], &stored, JOB_STORED);
		else
			error("mom_publish of a job", r, id);
	} while (r);
}

static void
take_job(const struct mom_message *m)
{
	char text[32] = "";
	unsigned g, n;
	memcpy(text, m->data, m->len < 31 ? m->len : 31);
	if (sscanf(text, "%u %u", &g, &n) != 2 || g >= SCRIPT_GENERATIONS || n >= SCRIPT_JOBS ||
	    !(m->flags & MOM_GROUPED))
		FAIL("the worker got what is no job: %s", text);
	int before = atomic_exchange(&s->job[g][n], JOB_GIVEN);
	if (before == JOB_NONE || before == JOB_DONE)
		FAIL("job %u %u comes, and %s", g, n, before ? "was settled" : "nobody published it");
	if ((before == JOB_GIVEN || before == JOB_SETTLED) && !(m->flags & MOM_REDELIVERED))
		FAIL("job %u %u comes again and is not flagged", g, n);
}

static int
jobs_left(void)
{
	for (int g = 0; g < SCRIPT_GENERATIONS; g++)
		for (int n = 0; n < SCRIPT_JOBS; n++)
			if (atomic_load(&s->job[g][n]) == JOB_STORED || atomic_load(&s->job[g][n]) == JOB_GIVEN)
				return 1;
	return 0;
}

/* Who is killed after it settled one does not know of it: such a job may come again, or never. */
static void
settle_jobs(int id, struct mom_message *m, int *count)
{
	int r;
	jobs_turn(JOB_GIVEN, JOB_SETTLED);
	for (int i = 0; i < *count; i++)
		if ((r = mom_settle(id, &m[i])) != 0)
			error("mom_settle", r, id);
	flush(id);
	jobs_turn(JOB_SETTLED, JOB_DONE);
	*count = 0;
}

/* Until all are done; hold: until one is given, which is not settled. What a process before this one had comes, too. */
static void
do_jobs(int id, int hold, struct mom_message held[2], int *count)
{
	while (hold ? *count == 0 : jobs_left()) {
		int r = *count < 2 ? mom_receive(id, &held[*count], *count ? 0 : 1000) : MOM_ETIMEDOUT;
		if (r == 0)
			take_job(&held[(*count)++]);
		else if (r != MOM_ETIMEDOUT && r != MOM_EINTR)
			error("mom_receive of a job", r, id);
		if (!hold && *count && r != 0)
			settle_jobs(id, held, count);
		if (t_now_ms() > end)
			FAIL("the worker: a job does not come, or does not come to an end");
	}
}

static void
leave(int id, int destroy)
{
	int r = destroy ? mom_destroy(id) : mom_close(id);
	if (r)
		error(destroy ? "mom_destroy" : "mom_close", r, -1);
}

/* ---- the parts ---- */

static void
part_done(int part)
{
	atomic_store(&s->part, part);
	while (atomic_load(&s->may_go) < part) {
		if (t_now_ms() > end)
			FAIL("part %d is never let go", part);
		t_sleep_ms(1);
	}
}

static void
client(void)
{
	struct mom_message held[2];
	int part = atomic_load(&s->part), pub = create(NULL), own = create("own"), jobs = worker(), count = 0;
	change(own, "s/a", 1);
	if (part < 1) {
		change(own, "s/b", 1);
		publish(pub, "s/a", 0, 0);
		publish(pub, "s/a", MOM_FAST, 0);
		publish_async(pub, "s/a");
		receive_all(own, &s->own);
		publish(pub, "s/a", 0, LARGE);
		change(own, "s/b", 0);
		receive_all(own, &s->own);
		publish_job(pub, 0);
		publish_job(pub, MOM_FAST);
		do_jobs(jobs, 1, held, &count);
		part_done(1);                  /* the broker is stopped and started */
	}
	if (part < 2) {
		publish(pub, "s/a", MOM_FAST, 0);
		publish(pub, "s/a", 0, 0);
		receive_all(own, &s->own);
		do_jobs(jobs, 0, held, &count);
		publish_job(pub, 0);
		publish_job(pub, 0);
		publish_job(pub, MOM_FAST);
		do_jobs(jobs, 1, held, &count);
		part_done(2);                  /* the daemon is stopped and started */
	}
	do_jobs(jobs, 0, held, &count);
	leave(jobs, 1);
	publish(pub, "s/a", 0, 0);
	leave(own, 0);
	publish(pub, "s/a", MOM_FAST, 0);
	own = create("own");
	receive_all(own, &s->own);
	leave(own, 1);
	leave(pub, 1);
	atomic_store(&s->client_done, 1);
}

static void
ear(void)
{
	struct mom_message m;
	char text[80];
	int id = create("ear"), r;
	change(id, "s/a", 1);
	atomic_store(&s->ear_ready, 1);
	for (;;) {
		int last = atomic_load(&s->ear_stop);
		r = mom_receive(id, &m, 15);
		if (r == 0) {
			judge("the ear", &s->ear, &m);
			continue;
		}
		if (r != MOM_ETIMEDOUT && r != MOM_EINTR)
			error("mom_receive", r, id);
		if (last && !script_missing(s, &s->ear, text, sizeof text))
			break;
		if (t_now_ms() > end)
			FAIL("the ear: %s", last ? text : "nobody stops it");
	}
	leave(id, 1);
	atomic_store(&s->ear_done, 1);
}

__attribute__((constructor)) static void
script(void)
{
	const char *role = getenv("STORM_ROLE"), *path = getenv("STORM_FILE");
	if (role == NULL || path == NULL)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* not counted: the shim counts what libmom does */
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
	s = (struct storm *)syscall(SYS_mmap, NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if ((void *)s == MAP_FAILED)
		_exit(2);
	syscall(SYS_close, fd);
	end = t_now_ms() + SCRIPT_MS;
	if (strcmp(role, "client") == 0)
		client();
	else
		ear();
	_exit(0);
}
