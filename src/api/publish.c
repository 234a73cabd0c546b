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
publish_check(struct handle *h, const struct mom_message *m, const struct mom_properties *properties, unsigned flags,
    struct ask *ask)
{
	uint32_t most = atomic_load_explicit(&h->segment->message_max, memory_order_relaxed), shard;
	size_t topic_len;
	int e = topic_check(h, m->topic, &topic_len, &shard);
	if (e)
		return e;
	if (flags & ~(MOM_FAST | MOM_ASYNC | MOM_NEED_SUBSCRIBER))
		return handle_fail(h, MOM_EINVAL, "mom_publish knows the flags MOM_FAST, MOM_ASYNC and "
		    "MOM_NEED_SUBSCRIBER");
	if (flags & MOM_ASYNC && flags & MOM_NEED_SUBSCRIBER)
		return handle_fail(h, MOM_EINVAL, "MOM_NEED_SUBSCRIBER does not go with MOM_ASYNC: a refusal covers "
		    "what was published behind it, too");
	if (m->data == NULL && m->len)
		return handle_fail(h, MOM_EINVAL, "mom_publish: data is NULL but len is not 0");
	if (m->len > most)
		return handle_fail(h, MOM_ETOOBIG, "%zu bytes of payload, %u are the most: send it in pieces", m->len,
		    most);
	*ask = (struct ask){ .shard = shard, .topic = m->topic, .topic_len = (uint16_t)topic_len, .data = m->data,
	    .len = (uint32_t)m->len, .properties = properties };
	if (properties) {
		long size = properties_check(h, properties);
		if (size < 0)
			return (int)size;
		ask->properties_size = (uint32_t)size;
		ask->flags = size ? REC_F_PROPERTIES : 0;
	}
	if (h->lost && !(flags & MOM_ASYNC)) {
		h->lost = 0;
		return handle_fail(h, MOM_ELOST, "%s; this message was not sent", h->lost_text);
	}
	return 0;
}

int
mom_publish_with(int id, const char *topic, const void *data, size_t len, unsigned flags,
    const struct mom_properties *properties)
{
	int e;
	uint64_t number;
	struct ask ask;
	struct mom_message m = { .topic = topic, .data = data, .len = len };
	struct handle *h = handle_get(id, &e);
	if (h == NULL || (e = publish_check(h, &m, properties, flags, &ask)) != 0)
		return e;
	ask.type = REC_MESSAGE;
	ask.flags |= (flags & MOM_FAST ? 0 : REC_F_DURABLE) | (flags & MOM_NEED_SUBSCRIBER ? REC_F_NEED : 0);
	int64_t deadline = flags & MOM_ASYNC ? DEADLINE_DEFAULT : handle_deadline(h->timeout_ms);
	e = request_append(h, &ask, deadline, &number);
	h->has_fast |= (flags & MOM_FAST) != 0;
	if (e || flags & MOM_ASYNC)
		return e;
	return request_outcome(h, ask.shard, number, deadline);
}

int
mom_publish(int id, const char *topic, const void *data, size_t len, unsigned flags)
{
	return mom_publish_with(id, topic, data, len, flags, NULL);
}
