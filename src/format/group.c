/* group - see group.h */
#include "format/group.h"
#include "format/properties.h"
#include "format/topic.h"

const char *
group_kind_fault(unsigned kind)
{
	if (kind & ~(unsigned)GROUP_KINDS)
		return "a group is MOM_GROUP_TEMPORARY, MOM_GROUP_ORDERED or MOM_GROUP_EXCLUSIVE";
	return kind & MOM_GROUP_ORDERED && kind & MOM_GROUP_EXCLUSIVE ? "MOM_GROUP_EXCLUSIVE keeps the order of all "
	    "messages: leave out MOM_GROUP_ORDERED" : NULL;
}

uint32_t
group_order_put(void *payload, const struct group_order *o)
{
	char *p = payload;
	size_t n = strlen(o->name) + 1;
	p[0] = (char)o->act;
	p[1] = (char)o->kind;
	put_u16(p + 2, o->prefetch);
	put_u32(p + 4, o->max_tries);
	put_u32(p + 8, o->hand_timeout_s);
	put_u32(p + 12, o->max_hold_ms);
	put_u64(p + 16, o->id);
	memcpy(p + ORDER_HEAD, o->name, n);
	return ORDER_HEAD + (uint32_t)n;
}

const char *
group_order_get(struct group_order *o, uint8_t type, const void *payload, uint32_t n)
{
	const char *p = payload;
	if (n <= ORDER_HEAD || n > ORDER_MOST || memchr(p + ORDER_HEAD, '\0', n - ORDER_HEAD) != p + n - 1)
		return "a length that cannot be";
	*o = (struct group_order){ (uint8_t)p[0], (uint8_t)p[1], get_u16(p + 2), get_u32(p + 4), get_u32(p + 8),
	    get_u32(p + 12), get_u64(p + 16), "" };
	memcpy(o->name, p + ORDER_HEAD, n - ORDER_HEAD);
	if (client_name_fault(o->name))
		return "a name that no group has";
	if (o->act >= GROUP_ACTS || (o->act == GROUP_NONE) != (type == REC_JOIN || type == REC_LEAVE))
		return "an act that nobody knows";
	if (group_kind_fault(o->kind))
		return "a kind that no group has";
	if (type == REC_JOIN && (o->prefetch < 1 || o->prefetch > PREFETCH_MOST))
		return "a prefetch that cannot be";
	return NULL;
}

uint32_t
hand_note_put(void *value, const struct hand_note *note)
{
	char *p = value;
	size_t n = strlen(note->name) + 1;
	put_u64(p, note->from);
	put_u64(p + 8, note->cursor);
	put_u64(p + 16, (uint64_t)note->good_until);
	put_u32(p + 24, note->tries);
	memcpy(p + NOTE_HEAD, note->name, n);
	return NOTE_HEAD + (uint32_t)n;
}

int
hand_note_get(struct hand_note *note, const void *bytes, const struct record *r)
{
	struct property p;
	if (!record_property(bytes, r, PROPERTY_HAND, &p) || p.len <= NOTE_HEAD || p.len > NOTE_MOST)
		return 0;
	*note = (struct hand_note){ get_u64(p.value), get_u64(p.value + 8), (int64_t)get_u64(p.value + 16),
	    get_u32(p.value + 24), p.value + NOTE_HEAD };
	return memchr(note->name, '\0', p.len - NOTE_HEAD) == p.value + p.len - 1 && !client_name_fault(note->name);
}

uint32_t
hand_properties(const void *bytes, const struct record *r)
{
	struct property p;
	uint32_t n = record_properties_size(bytes, r);
	if (record_property(bytes, r, PROPERTY_HAND, &p))
		n -= PROPERTY_HEAD + p.len;
	return n > 2 ? n : 0;
}

void
taken_put(void *payload, const struct taken *t)
{
	char *p = payload;
	memset(p, 0, TAKEN_BYTES);
	put_u64(p, t->group);
	put_u64(p + 8, t->hand);
	put_u64(p + 16, t->origin);
	put_u64(p + 24, t->client);
	put_u64(p + 32, (uint64_t)t->not_before);
	put_u64(p + 40, t->key);
	put_u32(p + 48, t->tries);
	put_u32(p + 52, t->bytes);
	p[56] = (char)t->state;
	p[57] = (char)t->durable;
	p[58] = (char)t->why;
	put_u32(p + 60, t->rest_ms);
}

void
taken_get(struct taken *t, const void *payload)
{
	const char *p = payload;
	*t = (struct taken){ .group = get_u64(p), .hand = get_u64(p + 8), .origin = get_u64(p + 16),
	    .client = get_u64(p + 24), .not_before = (int64_t)get_u64(p + 32), .key = get_u64(p + 40),
	    .tries = get_u32(p + 48),
	    .bytes = get_u32(p + 52), .rest_ms = get_u32(p + 60), .state = (uint8_t)p[56], .durable = (uint8_t)p[57],
	    .why = (uint8_t)p[58] };
}
