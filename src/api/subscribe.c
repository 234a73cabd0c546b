/* subscribe - subscribe and unsubscribe. A topic belongs to one shard. A pattern may match topics of any, so it goes to
 * all of them, and each answers for itself. */
#include "api/change.h"
#include "api/hand.h"
#include "format/topic.h"
#include <stdio.h>
#include <string.h>

static uint64_t
bit(uint32_t shard)
{
	return UINT64_C(1) << shard;
}

static int
change_of(struct handle *h, struct change *c, const char *name)
{
	uint32_t shard;
	c->name = name ? name : "";
	c->len = strnlen(c->name, MOM_TOPIC_MAX + 1);
	int is_pattern = topic_is_pattern(c->name, c->len);
	const char *fault = is_pattern ? pattern_fault(c->name, c->len)
	    : topic_resolve(&h->topic, c->name, c->len, h->shards, &shard);
	if (fault)
		return handle_fail(h, MOM_ETOPIC, "the %s %s", is_pattern ? "pattern" : "topic", fault);
	c->shards = !is_pattern ? bit(shard) : shards_all(h->shards);
	return 0;
}

/* ---- what is sent ---- */

static int
is_settled(struct handle *h, const void *with)
{
	requests_look(h);
	return h->pending[*(const uint32_t *)with].number == 0;
}

/* One such request is unanswered at a time per client and shard: there are two slots for results. */
static int
wait_for_earlier(struct handle *h, const struct change *c, int64_t deadline)
{
	int e = 0;
	for (uint32_t k = 0; e == 0 && k < h->shards; k++)
		if (c->shards & bit(k))
			e = handle_wait(h, is_settled, &k, deadline, ASLEEP_FOR_ANSWERS);
	return e == MOM_ETIMEDOUT ? handle_fail(h, MOM_EAGAIN, "an earlier subscribe or unsubscribe has no answer "
	    "yet; this one was not sent: call again") : e;
}

/* Its answer is looked for later. */
static void
leave_pending(struct handle *h, const struct change *c, uint32_t shard)
{
	h->pending[shard] = (struct pending){ c->number[shard], c->type == REC_LEAVE ? c->group_hash
	    : topic_hash64(c->name, c->len), c->type };
}

/* *sent: a bit for each shard to which it was */
static int
send_to_all(struct handle *h, struct change *c, int64_t deadline, uint64_t *sent)
{
	struct ask ask = { .type = c->type, .flags = REC_F_DURABLE | c->flags, .topic = c->name,
	    .topic_len = (uint16_t)c->len, .data = c->data, .len = c->data_len };
	int e = 0;
	*sent = 0;
	for (uint32_t k = 0; e == 0 && k < h->shards; k++) {
		ask.shard = k;
		if (c->shards & bit(k) && (e = request_append(h, &ask, deadline, &c->number[k])) == 0)
			*sent |= bit(k);
	}
	return e;
}

/* ---- what is answered ---- */

struct result_wanted { uint32_t shard; uint64_t number; int64_t code; uint64_t value; };

static int
has_result(struct handle *h, const void *with)
{
	struct result_wanted *w = (struct result_wanted *)(uintptr_t)with;
	uint64_t number;
	int64_t code;
	if (refused_read(&h->segment->answer[w->shard], &code) >= atomic_load(&h->segment->first[w->shard]) ||
	    atomic_load(&h->segment->first[w->shard]) > w->number)
		return 1;
	return result_read(&h->segment->answer[w->shard].result[w->number & 1], &number, &w->code, &w->value) &&
	    number == w->number;
}

static int
take_result(struct handle *h, const struct change *c, uint32_t shard, int64_t deadline)
{
	struct result_wanted w = { .shard = shard, .number = c->number[shard] };
	int e = handle_wait(h, has_result, &w, deadline, ASLEEP_FOR_ANSWERS);
	if (e == MOM_ETIMEDOUT) {
		leave_pending(h, c, shard);
		return handle_fail(h, e, "no answer in time (is the broker up?): it is on its way and takes effect "
		    "once the broker is back: do not repeat it, mom_flush tells what became of it");
	}
	if (e)
		return e;
	uint64_t number;
	if (!result_read(&h->segment->answer[shard].result[w.number & 1], &number, &w.code, &w.value) ||
	    number != w.number)
		return request_outcome(h, shard, w.number, deadline);          /* refused */
	if (w.code == 0 && c->type == REC_UNSUBSCRIBE)
		tombstone_add(h, topic_hash64(c->name, c->len), shard, w.value);
	if (w.code == 0 && c->type == REC_LEAVE)
		hands_left(h, c->group_hash, shard, w.value);
	return answer_code(w.code, 1);
}

/* The codes that a pattern's shards gave. same: where nothing had to be done; bad: the first refusal, or else the first
 * failure, and its text */
struct outcome { uint64_t done, late; int same_code, bad; char text[sizeof((struct handle *)0)->text]; };

/* It is not stored, and never will be. */
static int
is_refusal(int code)
{
	return code < 0 && code != MOM_ETIMEDOUT && code != MOM_EAGAIN && code != MOM_EPROTO && code != MOM_EBADID &&
	    code != MOM_EINTR;
}

static void
take_results(struct handle *h, const struct change *c, uint64_t sent, int64_t deadline, struct outcome *o)
{
	for (uint32_t k = 0; k < h->shards; k++) {
		int e = sent & bit(k) ? take_result(h, c, k, deadline) : 1;
		if (e == 0)
			o->done |= bit(k);
		else if (e == MOM_EEXIST || e == MOM_ENOTSUB || (e == MOM_ENOGROUP && c->type == REC_GROUP))
			o->same_code = e;
		else if (e < 0 && (o->bad == 0 || (is_refusal(e) && !is_refusal(o->bad)))) {
			o->bad = e;
			snprintf(o->text, sizeof o->text, "%s", h->text);
		}
		o->late |= e == MOM_ETIMEDOUT ? bit(k) : 0;
	}
}

/* ---- a pattern that one shard refused ---- */

/* Those that took it took it in vain; those that have not answered yet may take it. Until they hear so a message may
 * come. */
static void
take_back_begin(struct handle *h, const struct change *c, const struct outcome *o)
{
	h->back = (struct take_back){ .owed = o->done, .awaited = o->late, .len = (uint16_t)c->len };
	memcpy(h->back.name, c->name, c->len);
	take_back_look(h);
}

static int
is_taken_back(struct handle *h, const void *with)
{
	(void)with;
	requests_look(h);
	for (uint32_t k = 0; k < h->shards; k++)
		if ((h->back.owed | h->back.awaited) & bit(k) && h->pending[k].number)
			return 0;
	return 1;
}

/* Before the next change: there is room for one. */
static int
take_back_all(struct handle *h, int64_t deadline)
{
	int e = 0;
	while (e == 0 && h->back.owed | h->back.awaited) {
		e = handle_wait(h, is_taken_back, NULL, deadline, ASLEEP_FOR_ANSWERS);
		e = e ? e : take_back_send(h, deadline);
	}
	return e == MOM_ETIMEDOUT ? handle_fail(h, MOM_EAGAIN, "an earlier subscribe is still being taken back; this "
	    "one was not sent: call again") : e;
}

/* ---- the calls ---- */

int
change_send(struct handle *h, struct change *c)
{
	int64_t deadline = handle_deadline(h->timeout_ms);
	struct outcome o = { .bad = 0 };
	uint64_t sent;
	int e = take_back_all(h, deadline);
	if (e || (e = wait_for_earlier(h, c, deadline)) != 0)
		return e;
	e = send_to_all(h, c, deadline, &sent);
	if (e && sent == 0)
		return e;
	take_results(h, c, sent, e ? handle_deadline(0) : deadline, &o);
	if (is_refusal(o.bad) && c->type == REC_SUBSCRIBE && (o.done | o.late))
		take_back_begin(h, c, &o);
	if (e && !is_refusal(o.bad))
		return handle_fail(h, e == MOM_EAGAIN ? MOM_ETIMEDOUT : e, "only some of the broker's shards were sent "
		    "it in time: call again; what was taken is not taken twice");
	if (o.bad)
		return handle_fail(h, o.bad, "%s", o.text);
	return o.done ? 0 : o.same_code;
}

int
mom_subscribe(int id, const char *topic, unsigned flags)
{
	int e;
	struct change c = { .type = REC_SUBSCRIBE, .flags = flags & MOM_NO_ECHO ? REC_F_NO_ECHO : 0 };
	struct handle *h = handle_get(id, &e);
	if (h == NULL || (e = change_of(h, &c, topic)) != 0)
		return e;
	if (flags & ~MOM_NO_ECHO)
		return handle_fail(h, MOM_EINVAL, "mom_subscribe knows the flag MOM_NO_ECHO");
	if (client_is_cut(h))
		return handle_fail(h, MOM_EFULL, "this client was cut for its backlog: receive until MOM_EFULL says "
		    "that its mail is read, then subscribe anew");
	int is_pattern = topic_is_pattern(c.name, c.len);
	if (is_pattern)
		atomic_store(&h->segment->has_pattern, HAS_PATTERN);   /* before it can be in force */
	e = change_send(h, &c);
	if (e == MOM_ELIMIT)
		return handle_fail(h, e, "this client has %d subscriptions or patterns of %d levels, its machine %d "
		    "subscriptions or patterns of %d levels, or all have %d, in one shard: no more are taken; "
		    "unsubscribe, or use fewer topics", SUBSCRIPTIONS_CLIENT, PATTERNS_CLIENT, SUBSCRIPTIONS_MACHINE,
		    PATTERNS_MACHINE, SUBSCRIPTIONS_SHARD);
	if (e == MOM_ETOPIC)
		return handle_fail(h, e, "the broker takes no %s: it is of an older version", is_pattern ? "patterns"
		    : "such topic");
	return e == MOM_EEXIST ? handle_fail(h, e, "already subscribed to %s: nothing changes; unsubscribe first to "
	    "begin anew", topic) : e;
}

int
mom_unsubscribe(int id, const char *topic)
{
	int e;
	struct change c = { .type = REC_UNSUBSCRIBE };
	struct handle *h = handle_get(id, &e);
	if (h == NULL || (e = change_of(h, &c, topic)) != 0)
		return e;
	e = change_send(h, &c);
	return e == MOM_ENOTSUB ? handle_fail(h, e, "not subscribed to %s itself: subscribe first", topic) : e;
}
