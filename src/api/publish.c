/* publish - send a message to a topic */
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
