/* will - a message that is published when its client is no more */
#include "api/handle.h"

/* topic NULL: withdraws it */
static int
will_ask(struct handle *h, uint32_t shard, const char *topic, size_t topic_len, const void *data, size_t len)
{
	int64_t deadline = handle_deadline(h->timeout_ms);
	uint64_t number;
	struct ask ask = { .type = REC_WILL, .flags = REC_F_DURABLE, .shard = shard, .topic = topic, .topic_len = (uint16_t)topic_len, .data = data, .len = (uint32_t)len };
	int e = request_append(h, &ask, deadline, &number);
	return e ? e : request_outcome(h, shard, number, deadline);
}

int
will_withdraw(struct handle *h)
{
	int e = h->will_shard < 0 ? 0 : will_ask(h, (uint32_t)h->will_shard, NULL, 0, NULL, 0);
	if (e == 0)
		h->will_shard = -1;
	return e;
}

int
mom_will(int id, const char *topic, const void *data, size_t len)
{
	int e;
	size_t topic_len;
	uint32_t shard;
	struct handle *h = handle_get(id, &e);
	if (h == NULL)
		return e;
	if (topic == NULL)
		return data || len ? handle_fail(h, MOM_EINVAL, "mom_will: there is data but no topic") : will_withdraw(h);
	e = publish_check(h, topic, &topic_len, &shard, data, len, 0);
	if (e || (e = will_ask(h, shard, topic, topic_len, data, len)) != 0)
		return e;
	if (h->will_shard >= 0 && (uint32_t)h->will_shard != shard && (e = will_withdraw(h)) != 0)
		return e;
	h->will_shard = (int)shard;
	return 0;
}
