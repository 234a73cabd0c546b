/* kinds - see kinds.h */
#include "format/kinds.h"
#include "format/group.h"
#include "format/properties.h"

#define NEVER  CARRIES_NEVER
#define ALWAYS CARRIES_ALWAYS
#define MAYBE  CARRIES_MAYBE

static const struct kind kinds[256] = {
	/* way, topic, pattern, payload, makes room, is durable, changes subscriptions, is delivered */
	[REC_MESSAGE]     = { "MESSAGE", WAY_REQUEST, ALWAYS, 0, ALWAYS, NEVER, 0, 0, 1 },
	[REC_SUBSCRIBE]   = { "SUBSCRIBE", WAY_REQUEST, ALWAYS, 1, NEVER, NEVER, 1, 1, 1 },
	[REC_UNSUBSCRIBE] = { "UNSUBSCRIBE", WAY_REQUEST, MAYBE, 1, NEVER, ALWAYS, 1, 1, 1 },
	[REC_CREATE]      = { "CREATE", WAY_REQUEST, NEVER, 0, NEVER, ALWAYS, 1, 0, 0 },
	[REC_DESTROY]     = { "DESTROY", WAY_REQUEST, NEVER, 0, NEVER, ALWAYS, 1, 1, 1 },
	[REC_WILL]        = { "WILL", WAY_REQUEST, MAYBE, 0, CARRIES_WITH_TOPIC, CARRIES_WITHOUT_TOPIC, 1, 0, 0 },
	[REC_JOIN]        = { "JOIN", WAY_REQUEST, MAYBE, 2, ALWAYS, ALWAYS, 1, 0, 0 },
	[REC_LEAVE]       = { "LEAVE", WAY_REQUEST, NEVER, 0, ALWAYS, ALWAYS, 1, 0, 0 },
	[REC_SETTLE]      = { "SETTLE", WAY_REQUEST, NEVER, 0, ALWAYS, ALWAYS, 0, 0, 0 },
	[REC_GROUP]       = { "GROUP", WAY_REQUEST, MAYBE, 2, ALWAYS, ALWAYS, 1, 0, 0 },
	/* of logs and check-points */
	[REC_MARK]        = { "MARK", WAY_LOG, NEVER, 0, NEVER, NEVER, 0, 0, 0 },
	[REC_END]         = { "END", WAY_LOG, NEVER, 0, NEVER, NEVER, 0, 0, 0 },
	[REC_ENTRY]       = { "ENTRY", WAY_LOG, NEVER, 0, ALWAYS, NEVER, 0, 0, 0 },
	[REC_GAP]         = { "GAP", WAY_LOG, NEVER, 0, NEVER, NEVER, 0, 0, 1 },
	[REC_START]       = { "START", WAY_LOG, NEVER, 0, NEVER, NEVER, 0, 0, 1 },
	[REC_LOST]        = { "LOST", WAY_LOG, NEVER, 0, NEVER, NEVER, 0, 0, 0 },
	[REC_HAND]        = { "HAND", WAY_LOG, ALWAYS, 0, ALWAYS, NEVER, 0, 0, 1 },
	[REC_TAKE_BACK]   = { "TAKE_BACK", WAY_LOG, NEVER, 0, NEVER, NEVER, 0, 0, 0 },
	[REC_STATE]       = { "STATE", WAY_CHECKPOINT, NEVER, 0, ALWAYS, NEVER, 0, 0, 0 },
	[REC_BINDING]     = { "BINDING", WAY_CHECKPOINT, ALWAYS, 1, NEVER, NEVER, 0, 0, 0 },
	[REC_MEMBER]      = { "MEMBER", WAY_CHECKPOINT, NEVER, 0, NEVER, NEVER, 0, 0, 0 },
	[REC_TAKEN]       = { "TAKEN", WAY_CHECKPOINT, NEVER, 0, ALWAYS, NEVER, 0, 0, 0 },
	[REC_MACHINE]     = { "MACHINE", WAY_CHECKPOINT, NEVER, 0, NEVER, NEVER, 0, 0, 0 },
	[REC_TOPIC]       = { "TOPIC", WAY_CHECKPOINT, ALWAYS, 0, NEVER, NEVER, 0, 0, 0 },
	[REC_CLIENT]      = { "CLIENT", WAY_CHECKPOINT, NEVER, 0, ALWAYS, NEVER, 0, 0, 0 },
	/* of connections */
	[REC_HELLO]       = { "HELLO", WAY_UP, NEVER, 0, ALWAYS, NEVER, 0, 0, 0 },
	[REC_WELCOME]     = { "WELCOME", WAY_DOWN, NEVER, 0, ALWAYS, NEVER, 0, 0, 0 },
	[REC_REFUSE]      = { "REFUSE", WAY_DOWN, NEVER, 0, ALWAYS, NEVER, 0, 0, 0 },
	[REC_ALIVE]       = { "ALIVE", WAY_UP, NEVER, 0, ALWAYS, NEVER, 0, 0, 0 },
	[REC_PING]        = { "PING", WAY_BOTH, NEVER, 0, NEVER, NEVER, 0, 0, 0 },
	[REC_ANSWERS]     = { "ANSWERS", WAY_DOWN, NEVER, 0, ALWAYS, NEVER, 0, 0, 0 },
	[REC_DIED]        = { "DIED", WAY_UP, NEVER, 0, NEVER, NEVER, 0, 0, 0 },
	[REC_CREDIT]      = { "CREDIT", WAY_BOTH, NEVER, 0, NEVER, NEVER, 0, 0, 0 },
	[REC_PLACE]       = { "PLACE", WAY_UP, NEVER, 0, NEVER, NEVER, 0, 0, 0 },
	[REC_LIST]        = { "LIST", WAY_DOWN, NEVER, 0, NEVER, NEVER, 0, 0, 1 },
	[REC_LISTED]      = { "LISTED", WAY_DOWN, ALWAYS, 1, NEVER, NEVER, 0, 0, 1 },
	[REC_UPTO]        = { "UPTO", WAY_DOWN, NEVER, 0, NEVER, NEVER, 0, 0, 1 },
	[REC_PAD]         = { "PAD", WAY_RING, NEVER, 0, NEVER, NEVER, 0, 0, 0 },
};

const struct kind *
kind_of(uint8_t type)
{
	static const struct kind none = { "UNKNOWN", WAY_NONE, NEVER, 0, NEVER, NEVER, 0, 0, 0 };
	return kinds[type].name ? &kinds[type] : &none;
}

int
kind_carries(enum kind_carries carries, uint16_t topic_len)
{
	switch (carries) {
	case CARRIES_NEVER: return 0;
	case CARRIES_WITH_TOPIC: return topic_len > 0;
	case CARRIES_WITHOUT_TOPIC: return topic_len == 0;
	default: return 1;
	}
}

/* Of a group, or of a hand. */
static int
order_is_good(const void *frame, const struct record *r, uint32_t payload)
{
	struct group_order order;
	if (r->type == REC_SETTLE)
		return payload == 8 && !(r->flags & REC_F_PROPERTIES);
	if (r->type != REC_JOIN && r->type != REC_LEAVE && r->type != REC_GROUP)
		return 1;
	if (r->flags & REC_F_PROPERTIES || group_order_get(&order, r->type, record_data(frame, r), payload))
		return 0;
	return r->type != REC_GROUP || (order.act == GROUP_BIND || order.act == GROUP_UNBIND) == (r->topic_len > 0);
}

enum shape
request_shape(const void *frame, const struct record *r, struct topic_memo *memo, uint32_t shards,
    uint32_t message_max)
{
	const struct kind *k = kind_of(r->type);
	uint32_t shard;
	if (k->way != WAY_REQUEST)
		return SHAPE_NO_REQUEST;
	if (k->topic == CARRIES_NEVER && r->topic_len)
		return SHAPE_TOPIC_UNWANTED;
	int is_pattern = k->pattern && topic_is_pattern(record_topic(frame), r->topic_len);
	if (is_pattern || (k->pattern == PATTERN_OR_TOPIC && r->topic_len)) {
		if (pattern_fault(record_topic(frame), r->topic_len))
			return SHAPE_TOPIC_BAD;
		if (r->shard >= shards)
			return SHAPE_TOPIC_ELSEWHERE;
	} else if (k->topic == CARRIES_ALWAYS || r->topic_len) {
		if (topic_resolve(memo, record_topic(frame), r->topic_len, shards, &shard))
			return SHAPE_TOPIC_BAD;
		if (shard != r->shard)
			return SHAPE_TOPIC_ELSEWHERE;
	}
	uint32_t properties = record_properties_size(frame, r), payload = record_data_len(frame, r);
	if (!kind_carries(k->payload, r->topic_len) && properties + payload)
		return SHAPE_PAYLOAD_UNWANTED;
	if (!order_is_good(frame, r, payload))
		return SHAPE_ORDER_BAD;
	if (properties > PROPERTIES_MOST)
		return SHAPE_PROPERTIES_LARGE;
	if (properties && properties_fault(record_properties(frame, r) + 2, properties - 2))
		return SHAPE_PROPERTIES_BAD;
	return r->type <= REC_WILL && payload > message_max ? SHAPE_PAYLOAD_LARGE : SHAPE_GOOD;
}
