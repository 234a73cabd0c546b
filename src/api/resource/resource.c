/* resource - the callers' side of mom_resource.h: number a request, put it into its group's log, wait for the answer
 * A request stays the same under its number: asked again it is not done again, so a lost answer costs a second question
 * only. */
#include "api/caller.h"
#include "api/resource/resource.h"
#include "base/clock.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { AGAIN_MS = 250, AGAIN_MOST_MS = 4000, NOBODY_MS = 30 };

struct resource_caller {
	struct caller of;                      /* its will gives back what it holds */
	uint64_t groups;                       /* those that its will names */
};

/* timeout_ms: of a wait */
struct ask_for { int op, value, timeout_ms; unsigned flags; const char *name; uint64_t target; };

static int
resource_caller_of(int id, struct resource_caller **c)
{
	static const struct caller_make make = { sizeof **c, RESOURCE_REPLY, "semaphores", NULL };
	struct caller *of = NULL;
	int e = caller_of(id, CALLER_RESOURCE, &make, &of);
	*c = (struct resource_caller *)of;
	return e;
}

/* The will must name a group before anything of this client can be in its log: a coordinator tells only those of its
 * death. */
static int
caller_will(struct resource_caller *c, const char *name)
{
	unsigned char bytes[16];
	struct mom_writer w;
	uint64_t bit = UINT64_C(1) << resource_group(name);
	if (c->groups & bit)
		return 0;
	mom_writer_init(&w, bytes, sizeof bytes);
	mom_put_u64(&w, mom_global_id(c->of.id));
	mom_put_u64(&w, c->groups | bit);
	int e = mom_will(c->of.id, RESOURCE_GONE, bytes, w.len);
	if (e)
		return caller_fail(&c->of, e, name);
	c->groups |= bit;
	return 0;
}

/* ---- one request and its answer ---- */

struct talk {
	struct event event;
	char topic[RESOURCE_TOPIC_MAX];
	struct resource_answer answer;
	int64_t until, heard;                  /* of the wait itself (-1: none), and the last sign of a coordinator */
	int is_asked;
};

static int
talk_ask(struct resource_caller *c, struct talk *t)
{
	unsigned char bytes[EVENT_BYTES];
	struct mom_writer w;
	mom_writer_init(&w, bytes, sizeof bytes);
	event_put(&w, &t->event);
	int e = mom_publish(c->of.id, t->topic, bytes, w.len, MOM_NEED_SUBSCRIBER);
	t->is_asked |= e == 0 || e == MOM_ETIMEDOUT;
	/* on its way; or not sent, as it tells of older ones or there is no room: asked again soon */
	return e == MOM_ETIMEDOUT || e == MOM_ELOST || e == MOM_EAGAIN ? 0 : e;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < 0 ? b : b < 0 ? a : a < b ? a : b;
}

static int
is_answer(void *with, const struct mom_message *m)
{
	struct talk *t = with;                 /* another number: an answer that came twice */
	return !(m->flags & MOM_GAP) && answer_get(&t->answer, m->data, m->len) == 0 &&
	    t->answer.number == t->event.number;
}

/* The answer until then; 0, MOM_ETIMEDOUT, MOM_EINTR, or why there will be none. */
static int
talk_hear(struct resource_caller *c, struct talk *t, int64_t until)
{
	return caller_hear(&c->of, until, is_answer, t);
}

static int64_t
patience_ends(const struct resource_caller *c, const struct talk *t)
{
	return c->of.owner->timeout_ms < 0 ? -1 : t->heard + c->of.owner->timeout_ms;
}

/* Asks, and asks again, until there is an end: 0, MOM_ETIMEDOUT (until), MOM_EINTR, MOM_ENOSUBSCRIBER (nobody listened
 * all the time), or another failure. */
static int
talk_until_end(struct resource_caller *c, struct talk *t)
{
	int64_t again = AGAIN_MS;
	for (;;) {
		int64_t end = earlier(patience_ends(c, t), t->until), left = end - clock_ms();
		mom_set_option(c->of.id, MOM_OPT_TIMEOUT_MS, end < 0 ? -1 : left < 1 ? 1 : (long)left);
		int e = talk_ask(c, t), nobody = e == MOM_ENOSUBSCRIBER;
		if (e && !nobody)
			return e;
		int64_t next = clock_ms() + (nobody ? NOBODY_MS : again);
		e = talk_hear(c, t, earlier(next, end));
		if (e == 0 && t->answer.code != ANSWER_WAITS)
			return 0;
		/* it knows that we wait: what comes now is the end, or nothing until we ask */
		if (e == 0)
			t->heard = clock_ms(), e = talk_hear(c, t, earlier(next, t->until));
		if (e == 0 && t->answer.code != ANSWER_WAITS)
			return 0;
		if (e && e != MOM_ETIMEDOUT && (e != MOM_EINTR || t->event.op == OP_SEM_WAIT))
			return e;
		if (end >= 0 && clock_ms() >= end && clock_ms() >= earlier(patience_ends(c, t), t->until))
			return nobody && !t->is_asked ? MOM_ENOSUBSCRIBER : MOM_ETIMEDOUT;
		if (!nobody && again < AGAIN_MOST_MS)
			again *= 2;
	}
}

/* What was given up is void, whether it was done or not: no answer is needed, the log keeps it in order before this
 * client's next request. */
static void
talk_cancel(struct resource_caller *c, struct talk *t)
{
	struct talk cancel = *t;
	cancel.event.op = OP_CANCEL;
	cancel.event.target = t->event.number;
	cancel.event.number = ++c->of.number;
	if (t->is_asked)
		talk_ask(c, &cancel);
}

static int
is_taking(const struct talk *t)
{
	return t->event.op == OP_SEM_WAIT || t->event.op == OP_SEM_TRY;
}

static int
talk_failed(struct resource_caller *c, struct talk *t, int e)
{
	const char *name = t->event.name;
	if (is_taking(t))
		talk_cancel(c, t);
	if (e == MOM_EINTR)
		return handle_fail(c->of.owner, e, "%s: a signal came while it waited: not taken", name);
	if (e == MOM_ENOSUBSCRIBER)
		return handle_fail(c->of.owner, e, "%s: no mom_coordinator runs: start one (better two), on any "
		    "machine that has a daemon of this broker", name);
	if (e == MOM_ETIMEDOUT && t->until >= 0 && clock_ms() >= t->until)
		return handle_fail(c->of.owner, e, "%s: no unit became free in time: not taken", name);
	if (e == MOM_ETIMEDOUT)
		return handle_fail(c->of.owner, e, "%s: no coordinator answers (is the broker up? see mom_coordinator "
		    "--list): %s", name,
		    is_taking(t) ? "not taken" : "whether it was done is not known");
	return caller_fail(&c->of, e, name);
}

static int
talk_result(struct resource_caller *c, const struct talk *t, int *value)
{
	int code = t->answer.code;
	const char *name = t->event.name, *kind = t->event.op < OP_VAR_INIT ? "semaphore" : "variable";
	if (value)
		*value = t->answer.value;
	if (code == MOM_EEXIST)
		return handle_fail(c->of.owner, code, "%s: there is a %s of this name already: use it, or destroy it "
		    "first", name, kind);
	if (code == MOM_ENORESOURCE)
		return handle_fail(c->of.owner, code, "%s: there is no %s of this name (was it made, or destroyed? did "
		    "all coordinators die at once?)", name, kind);
	if (code == MOM_ELIMIT)
		return handle_fail(c->of.owner, code, "%s: its value is the largest already: more signals than waits?",
		    name);
	return code < 0 ? handle_fail(c->of.owner, code, "%s: %s", name, mom_strerror(code)) : code;
}

static int
resource_call(int id, const struct ask_for *a, int *value)
{
	struct resource_caller *c = NULL;
	int e = resource_caller_of(id, &c);
	if (e)
		return e;
	size_t len = a->name ? strlen(a->name) : 0;
	if (len == 0 || len > MOM_RESOURCE_MAX)
		return handle_fail(c->of.owner, MOM_EINVAL, "a name has 1 to %d bytes, this one %zu", MOM_RESOURCE_MAX,
		    len);
	mom_set_option(c->of.id, MOM_OPT_TIMEOUT_MS, c->of.owner->timeout_ms);
	e = caller_will(c, a->name);
	if (e)
		return e;
	struct talk t = { .event = { .kind = EVENT_REQUEST, .op = (uint8_t)a->op, .flags = (uint8_t)a->flags,
	    .value = a->value, .id = mom_global_id(c->of.id),
		.number = ++c->of.number }, .heard = clock_ms(), .until = -1 };
	memcpy(t.event.name, a->name, len);
	snprintf(t.topic, sizeof t.topic, RESOURCE_LOG "%d", resource_group(a->name));
	if (a->op == OP_SEM_WAIT && a->timeout_ms >= 0)
		t.until = t.heard + a->timeout_ms;
	e = talk_until_end(c, &t);
	return e ? talk_failed(c, &t, e) : talk_result(c, &t, value);
}

/* ---- the calls ---- */

static int
wrong_argument(int id, const char *what)
{
	int e;
	struct handle *h = handle_get(id, &e);
	return h ? handle_fail(h, MOM_EINVAL, "%s", what) : e;
}

int
mom_dsem_init(int id, const char *name, int value, unsigned flags)
{
	if (value < 0 || flags & ~MOM_DSEM_KEEP)
		return wrong_argument(id, value < 0 ? "a semaphore's value is 0 or more" : "flags: 0 or MOM_DSEM_KEEP");
	return resource_call(id, &(struct ask_for){ .op = OP_SEM_INIT, .name = name, .value = value, .flags = flags },
	    NULL);
}

int
mom_dsem_wait(int id, const char *name, int timeout_ms)
{
	if (timeout_ms < -1)
		return wrong_argument(id, "timeout_ms: -1 waits for ever, else 0 or more");
	if (timeout_ms == 0) {
		int r = mom_dsem_trywait(id, name), e;
		struct handle *h = r == MOM_NOT_FREE ? handle_get(id, &e) : NULL;
		return h ? handle_fail(h, MOM_ETIMEDOUT, "%s: no unit is free: not taken", name) : r;
	}
	return resource_call(id, &(struct ask_for){ .op = OP_SEM_WAIT, .name = name, .timeout_ms = timeout_ms }, NULL);
}

int
mom_dsem_trywait(int id, const char *name)
{
	return resource_call(id, &(struct ask_for){ .op = OP_SEM_TRY, .name = name }, NULL);
}

int
mom_dsem_signal(int id, const char *name)
{
	return resource_call(id, &(struct ask_for){ .op = OP_SEM_SIGNAL, .name = name }, NULL);
}

int
mom_dsem_destroy(int id, const char *name)
{
	return resource_call(id, &(struct ask_for){ .op = OP_SEM_DESTROY, .name = name }, NULL);
}

int
mom_dshm_init(int id, const char *name, int value)
{
	return resource_call(id, &(struct ask_for){ .op = OP_VAR_INIT, .name = name, .value = value }, NULL);
}

int
mom_dshm_read(int id, const char *name, int *value)
{
	if (value == NULL)
		return wrong_argument(id, "value is NULL: where should it go?");
	return resource_call(id, &(struct ask_for){ .op = OP_VAR_READ, .name = name }, value);
}

int
mom_dshm_write(int id, const char *name, int value)
{
	return resource_call(id, &(struct ask_for){ .op = OP_VAR_WRITE, .name = name, .value = value }, NULL);
}

int
mom_dshm_destroy(int id, const char *name)
{
	return resource_call(id, &(struct ask_for){ .op = OP_VAR_DESTROY, .name = name }, NULL);
}
