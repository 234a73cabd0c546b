/* group - join and leave groups, and what members say of the messages that they were given; settings of groups. All of
 * it goes to every shard. The first one says yes before the others are asked, so that two first joins cannot make two
 * kinds of one group. */
#include "api/change.h"
#include "api/hand.h"
#include "format/properties.h"
#include <stdio.h>
#include <string.h>

/* ---- orders ---- */

static int
order_named(struct handle *h, struct group_order *o, const char *group)
{
	const char *fault = client_name_fault(group);
	if (fault)
		return handle_fail(h, MOM_EINVAL, "the group: %s", fault);
	strcpy(o->name, group);
	return 0;
}

static int
order_fails(struct handle *h, int e, const struct group_order *o, const struct change *c)
{
	switch (e) {
	case MOM_EEXIST:
		return c->type == REC_GROUP && o->act == GROUP_BIND
		    ? handle_fail(h, e, "the group %s is bound to %s already", o->name, c->name)
		    : handle_fail(h, e, "the group %s is there and of another kind: name its kind, or 0 for whatever "
		    "it is", o->name);
	case MOM_ENOGROUP:
		return handle_fail(h, e, "there is no group %s: give mom_join a topic or a pattern, or make it with "
		    "mom_group_set", o->name);
	case MOM_ENOTSUB:
		return c->type == REC_LEAVE ? handle_fail(h, e, "not a member of the group %s", o->name)
		    : o->act == GROUP_UNBIND ? handle_fail(h, e, "the group %s is not bound to %s", o->name, c->name)
		    : handle_fail(h, e, "the group %s has no dead message %016llx", o->name,
		    (unsigned long long)o->id);
	case MOM_EBUSY:
		return handle_fail(h, e, "the group %s has members: let them leave first", o->name);
	case MOM_ELIMIT:
		return handle_fail(h, e, "a shard has at most %d groups, a group %d bindings, a client %d groups: no "
		    "more are taken", GROUPS_SHARD, BINDINGS_GROUP, MEMBERSHIPS_CLIENT);
	default:
		return e;
	}
}

/* Of one dead message: its shard alone knows it. */
static int
order_one(struct handle *h, struct change *c, const struct group_order *o)
{
	struct group_order one = *o;
	char payload[ORDER_MOST];
	one.id = origin_offset(o->id);
	c->data = payload;
	c->data_len = group_order_put(payload, &one);
	c->shards = UINT64_C(1) << origin_shard(o->id);
	return origin_shard(o->id) < h->shards ? change_send(h, c) : MOM_ENOTSUB;
}

/* The shard had nothing to do. The others may have: an earlier call may have reached some only. */
static int
was_done(const struct group_order *o, int e)
{
	return e == MOM_ENOTSUB || (e == MOM_EEXIST && o->act == GROUP_BIND) ||
	    (e == MOM_ENOGROUP && o->act == GROUP_DELETE);
}

/* topic: NULL: none */
static int
order_send(struct handle *h, int type, const struct group_order *o, const char *topic)
{
	char payload[ORDER_MOST];
	struct change c = { .type = type, .name = "", .data = payload };
	c.group_hash = hand_group_hash(o->name);
	c.data_len = group_order_put(payload, o);
	if (topic) {
		c.name = topic;
		c.len = strnlen(topic, MOM_TOPIC_MAX + 1);
		const char *fault = pattern_fault(topic, c.len);
		if (fault)
			return handle_fail(h, MOM_ETOPIC, "the %s %s", topic_is_pattern(topic, c.len) ? "pattern"
			    : "topic", fault);
	}
	if (o->id)
		return order_fails(h, order_one(h, &c, o), o, &c);
	c.shards = 1;
	int e = change_send(h, &c);
	if (h->shards == 1)
		return order_fails(h, e, o, &c);
	if (e == MOM_ETIMEDOUT)
		return handle_fail(h, e, "no answer in time (is the broker up?): only the first of %u shards was "
		    "sent it: call again; what was taken is not taken twice", h->shards);
	if (e && !was_done(o, e))
		return order_fails(h, e, o, &c);
	c.shards = shards_all(h->shards) & ~UINT64_C(1);
	int others = change_send(h, &c);
	return order_fails(h, was_done(o, others) ? e : others, o, &c);
}

/* ---- members ---- */

int
mom_join(int id, const char *group, const char *pattern, unsigned flags)
{
	int e;
	struct group_order o = { .kind = (uint8_t)flags, .max_tries = GROUP_AS_IT_IS,
	    .hand_timeout_s = GROUP_AS_IT_IS, .max_hold_ms = GROUP_AS_IT_IS };
	struct handle *h = handle_get(id, &e);
	if (h == NULL || (e = order_named(h, &o, group)) != 0)
		return e;
	const char *fault = flags > UINT8_MAX ? "mom_join knows MOM_GROUP_TEMPORARY, MOM_GROUP_ORDERED and "
	    "MOM_GROUP_EXCLUSIVE" : group_kind_fault(flags);
	if (fault)
		return handle_fail(h, MOM_EINVAL, "%s", fault);
	if (client_is_cut(h))
		return handle_fail(h, MOM_EFULL, "this client was cut for its backlog: receive until MOM_EFULL says "
		    "that its mail is read, then join anew");
	if (hands_reserve(h) < 0)
		return handle_fail(h, MOM_ELIMIT, "no memory for a group's messages: see `ulimit -v`");
	o.prefetch = (uint16_t)h->prefetch;
	return order_send(h, REC_JOIN, &o, pattern);
}

int
mom_leave(int id, const char *group)
{
	int e;
	struct group_order o = { 0 };
	struct handle *h = handle_get(id, &e);
	if (h == NULL || (e = order_named(h, &o, group)) != 0)
		return e;
	return order_send(h, REC_LEAVE, &o, NULL);
}

static int
say_verdict(int id, const struct mom_message *m, uint64_t verdict)
{
	int e;
	struct handle *h = handle_get_whole(id, &e);
	if (h == NULL)
		return e;
	if (m == NULL || !(m->flags & MOM_GROUPED))
		return handle_fail(h, MOM_EINVAL, "this message is of no group: mom_ack acknowledges it");
	if (!hand_settled(h, m->flags >> MESSAGE_SHARD & (SHARDS_MAX - 1), m->offset, verdict))
		return handle_fail(h, MOM_EINVAL, "this message was settled before, or this handle never had it");
	hands_push(h);
	return 0;
}

int
mom_settle(int id, const struct mom_message *m)
{
	return say_verdict(id, m, SETTLE_DONE);
}

int
mom_reject(int id, const struct mom_message *m, long delay_ms)
{
	int e;
	struct handle *h = handle_get(id, &e);
	if (h && (delay_ms < MOM_NEVER || delay_ms > INT32_MAX))
		return handle_fail(h, MOM_EINVAL, "delay_ms is MOM_NEVER (the message is dead), or 0 to %d "
		    "milliseconds", INT32_MAX);
	return say_verdict(id, m, delay_ms == MOM_NEVER ? SETTLE_DEAD : SETTLE_BACK(delay_ms));
}

/* ---- groups ---- */

static int
setting(struct handle *h, uint32_t *to, int64_t value, int64_t most, int64_t unit, const char *name)
{
	if (value == -1)
		*to = GROUP_AS_IT_IS;
	else if (value < 0 || value > most)
		return handle_fail(h, MOM_EINVAL, "%s is -1 (as it is), or 0 to %lld", name, (long long)most);
	else
		*to = (uint32_t)((value + unit - 1) / unit);
	return 0;
}

int
mom_group_set(int id, const char *group, const struct mom_group *settings)
{
	int e;
	static const struct mom_group init = MOM_GROUP_INIT;
	struct mom_group s = init;
	struct group_order o = { .act = GROUP_SET };
	struct handle *h = handle_get(id, &e);
	if (h == NULL || (e = order_named(h, &o, group)) != 0)
		return e;
	if (settings && settings->size != sizeof s)
		return handle_fail(h, MOM_EINVAL, "struct mom_group begins with MOM_GROUP_INIT");
	s = settings ? *settings : init;
	const char *fault = s.kind > UINT8_MAX ? "the kind has a flag that nobody knows" : group_kind_fault(s.kind);
	if (fault)
		return handle_fail(h, MOM_EINVAL, "%s", fault);
	o.kind = (uint8_t)s.kind;
	if ((e = setting(h, &o.max_tries, s.max_tries, 1000000, 1, "max_tries")) != 0 ||
	    (e = setting(h, &o.hand_timeout_s, s.hand_timeout_ms, MOM_HOLD_MAX, 1000, "hand_timeout_ms")) != 0 ||
	    (e = setting(h, &o.max_hold_ms, s.max_hold_ms, MOM_HOLD_MAX, 1, "max_hold_ms")) != 0)
		return e;
	return order_send(h, REC_GROUP, &o, NULL);
}

static int
group_act(int id, const char *group, enum group_act act, const char *topic, uint64_t message)
{
	int e;
	struct group_order o = { .act = (uint8_t)act, .id = message };
	struct handle *h = handle_get(id, &e);
	if (h == NULL || (e = order_named(h, &o, group)) != 0)
		return e;
	return order_send(h, REC_GROUP, &o, topic);
}

int
mom_group_bind(int id, const char *group, const char *pattern)
{
	return group_act(id, group, GROUP_BIND, pattern ? pattern : "", 0);
}

int
mom_group_unbind(int id, const char *group, const char *pattern)
{
	return group_act(id, group, GROUP_UNBIND, pattern ? pattern : "", 0);
}

int
mom_group_delete(int id, const char *group)
{
	return group_act(id, group, GROUP_DELETE, NULL, 0);
}

int
mom_group_retry(int id, const char *group, uint64_t origin)
{
	return group_act(id, group, GROUP_RETRY, NULL, origin);
}

int
mom_group_purge(int id, const char *group, uint64_t origin)
{
	return group_act(id, group, GROUP_PURGE, NULL, origin);
}

/* ---- what a message says ---- */

static int
note_of(const struct mom_message *m, struct hand_note *note)
{
	struct property p;
	if (m == NULL || !(m->flags & MOM_GROUPED) || !message_property(m, PROPERTY_HAND, &p) || p.len <= NOTE_HEAD ||
	    p.value[p.len - 1] != '\0')
		return 0;
	*note = (struct hand_note){ .tries = get_u32(p.value + 24), .name = p.value + NOTE_HEAD };
	return 1;
}

const char *
mom_group_name(const struct mom_message *m)
{
	struct hand_note note;
	return note_of(m, &note) ? note.name : NULL;
}

unsigned
mom_tries(const struct mom_message *m)
{
	struct hand_note note;
	return note_of(m, &note) ? note.tries : 0;
}

/* It stands in the record's header, in front of the topic. */
uint64_t
mom_origin(const struct mom_message *m)
{
	struct hand_note note;
	return note_of(m, &note) ? origin_make(get_u64(m->topic - 8), m->flags >> MESSAGE_SHARD & (SHARDS_MAX - 1))
	    : m ? m->offset : 0;
}
