/* publish - publish, subscribe, unsubscribe */
#include "api/handle.h"
#include "format/topic.h"
#include <stdio.h>

static int
topic_check(struct handle *h, const char *topic, size_t *len, uint32_t *shard)
{
	*len = topic ? strnlen(topic, MOM_TOPIC_MAX + 1) : 0;
	const char *fault = topic_resolve(&h->topic, topic ? topic : "", *len, h->shards, shard);
	return fault ? handle_fail(h, MOM_ETOPIC, "the topic %s", fault) : 0;
}

int
publish_check(struct handle *h, const char *topic, size_t *topic_len, uint32_t *shard, const void *data, size_t len,
    unsigned flags)
{
	uint32_t most = atomic_load_explicit(&h->segment->message_max, memory_order_relaxed);
	int e = topic_check(h, topic, topic_len, shard);
	if (e)
		return e;
	if (flags & ~(MOM_FAST | MOM_ASYNC | MOM_NEED_SUBSCRIBER))
		return handle_fail(h, MOM_EINVAL, "mom_publish knows the flags MOM_FAST, MOM_ASYNC and "
		    "MOM_NEED_SUBSCRIBER");
	if (flags & MOM_ASYNC && flags & MOM_NEED_SUBSCRIBER)
		return handle_fail(h, MOM_EINVAL, "MOM_NEED_SUBSCRIBER does not go with MOM_ASYNC: a refusal covers "
		    "what was published behind it, too");
	if (data == NULL && len)
		return handle_fail(h, MOM_EINVAL, "mom_publish: data is NULL but len is not 0");
	if (len > most)
		return handle_fail(h, MOM_ETOOBIG, "%zu bytes of payload, %u are the most: send it in pieces", len,
		    most);
	if (h->lost && !(flags & MOM_ASYNC)) {
		h->lost = 0;
		return handle_fail(h, MOM_ELOST, "%s; this message was not sent", h->lost_text);
	}
	return 0;
}

int
mom_publish(int id, const char *topic, const void *data, size_t len, unsigned flags)
{
	int e;
	size_t topic_len;
	uint32_t shard;
	uint64_t number;
	struct handle *h = handle_get(id, &e);
	if (h == NULL || (e = publish_check(h, topic, &topic_len, &shard, data, len, flags)) != 0)
		return e;
	struct ask ask = { .type = REC_MESSAGE, .flags = (flags & MOM_FAST ? 0
	    : REC_F_DURABLE) | (flags & MOM_NEED_SUBSCRIBER ? REC_F_NEED : 0), .shard = shard,
		.topic = topic, .topic_len = (uint16_t)topic_len, .data = data, .len = (uint32_t)len };
	int64_t deadline = flags & MOM_ASYNC ? DEADLINE_DEFAULT : handle_deadline(h->timeout_ms);
	e = request_append(h, &ask, deadline, &number);
	h->has_fast |= (flags & MOM_FAST) != 0;
	if (e || flags & MOM_ASYNC)
		return e;
	return request_outcome(h, ask.shard, number, deadline);
}

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
is_settled(struct handle *h, const void *with)
{
	requests_look(h);
	return h->pending[*(const uint32_t *)with].number == 0;
}

/* One such request is unanswered at a time per client and shard: there are two slots for results. */
static int
change_subscription(struct handle *h, int type, const char *topic, size_t len, uint32_t shard, unsigned flags)
{
	struct ask ask = { .type = type, .flags = REC_F_DURABLE | flags, .shard = shard, .topic = topic,
	    .topic_len = (uint16_t)len };
	struct result_wanted w = { .shard = ask.shard };
	int64_t deadline = handle_deadline(h->timeout_ms);
	int e = handle_wait(h, is_settled, &ask.shard, deadline, ASLEEP_FOR_ANSWERS);
	if (e == MOM_ETIMEDOUT)
		return handle_fail(h, MOM_EAGAIN, "an earlier subscribe or unsubscribe has no answer yet; this one was "
		    "not sent: call again");
	if (e || (e = request_append(h, &ask, deadline, &w.number)) != 0)
		return e;
	e = handle_wait(h, has_result, &w, deadline, ASLEEP_FOR_ANSWERS);
	if (e == MOM_ETIMEDOUT) {
		h->pending[ask.shard] = (struct pending){ w.number, topic_hash64(topic, len), type };
		return handle_fail(h, e, "no answer in time (is the broker up?): it is on its way and takes effect "
		    "once the broker is back: do not repeat it, mom_flush tells what became of it");
	}
	if (e)
		return e;
	uint64_t number;
	if (!result_read(&h->segment->answer[w.shard].result[w.number & 1], &number, &w.code, &w.value) ||
	    number != w.number)
		return request_outcome(h, w.shard, w.number, deadline);        /* refused */
	if (w.code == 0 && type == REC_UNSUBSCRIBE)
		tombstone_add(h, topic_hash64(topic, len), ask.shard, w.value);
	return answer_code(w.code, 1);
}

int
mom_subscribe(int id, const char *topic, unsigned flags)
{
	int e;
	size_t len;
	uint32_t shard;
	struct handle *h = handle_get(id, &e);
	if (h == NULL || (e = topic_check(h, topic, &len, &shard)) != 0)
		return e;
	if (flags & ~MOM_NO_ECHO)
		return handle_fail(h, MOM_EINVAL, "mom_subscribe knows the flag MOM_NO_ECHO");
	if (client_is_cut(h))
		return handle_fail(h, MOM_EFULL, "this client was cut for its backlog: receive until MOM_EFULL says "
		    "that its mail is read, then subscribe anew");
	e = change_subscription(h, REC_SUBSCRIBE, topic, len, shard, flags & MOM_NO_ECHO ? REC_F_NO_ECHO : 0);
	if (e == MOM_ELIMIT)
		return handle_fail(h, e, "this client has %d subscriptions, its machine %d, or all have %d, in one "
		    "shard: no more are taken; unsubscribe, or use fewer topics",
		    SUBSCRIPTIONS_CLIENT, SUBSCRIPTIONS_MACHINE, SUBSCRIPTIONS_SHARD);
	return e == MOM_EEXIST ? handle_fail(h, e, "already subscribed to %s: nothing changes; unsubscribe first to "
	    "begin anew", topic) : e;
}

int
mom_unsubscribe(int id, const char *topic)
{
	int e;
	size_t len;
	uint32_t shard;
	struct handle *h = handle_get(id, &e);
	if (h == NULL || (e = topic_check(h, topic, &len, &shard)) != 0)
		return e;
	e = change_subscription(h, REC_UNSUBSCRIBE, topic, len, shard, 0);
	return e == MOM_ENOTSUB ? handle_fail(h, e, "not subscribed to %s: subscribe first", topic) : e;
}
