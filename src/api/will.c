/* will - a message that is published when its client is no more */
#include "api/handle.h"

static int
will_ask(struct handle *h, struct ask *ask, int64_t deadline)
{
	uint64_t number;
	ask->type = REC_WILL;
	ask->flags |= REC_F_DURABLE;
	int e = request_append(h, ask, deadline, &number);
	if (e)
		return e;
	/* whatever becomes of it: an answer that does not come in time may still be yes */
	h->wills |= UINT64_C(1) << ask->shard;
	return request_outcome(h, ask->shard, number, deadline);
}

/* All but the one in that shard; -1: all. What is not answered in time is withdrawn once more by the next call: that
 * does no harm. */
static int
will_withdraw_but(struct handle *h, int kept, int64_t deadline)
{
	int bad = 0;
	for (uint32_t k = 0; k < h->shards; k++) {
		if ((int)k == kept || !(h->wills >> k & 1))
			continue;
		int e = will_ask(h, &(struct ask){ .shard = k }, deadline);
		if (e == 0)
			h->wills &= ~(UINT64_C(1) << k);
		bad = bad ? bad : e;
	}
	return bad;
}

int
will_withdraw(struct handle *h)
{
	return will_withdraw_but(h, -1, handle_deadline(h->timeout_ms));
}

int
mom_will_with(int id, const char *topic, const void *data, size_t len, const struct mom_properties *properties)
{
	int e;
	struct ask ask;
	struct handle *h = handle_get(id, &e);
	if (h == NULL)
		return e;
	if (topic == NULL)
		return data || len || properties ? handle_fail(h, MOM_EINVAL, "mom_will: there is data but no topic")
		    : will_withdraw(h);
	e = publish_check(h, &(struct mom_message){ .topic = topic, .data = data, .len = len }, properties, 0, &ask);
	if (e)
		return e;
	int64_t deadline = handle_deadline(h->timeout_ms);
	e = will_ask(h, &ask, deadline);
	if (e == MOM_ELIMIT)
		return handle_fail(h, e, "the wills of this machine's programs may be %d MiB in a shard of the "
		    "broker: leave a smaller one, or let others withdraw theirs",
		    WILLS_MACHINE_BYTES >> 20);
	if (e && e != MOM_ETIMEDOUT)
		return e;
	int e2 = h->wills >> ask.shard & 1 ? will_withdraw_but(h, (int)ask.shard, deadline) : 0;
	return e ? e : e2;
}

int
mom_will(int id, const char *topic, const void *data, size_t len)
{
	return mom_will_with(id, topic, data, len, NULL);
}
