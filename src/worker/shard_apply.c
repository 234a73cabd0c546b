/* shard_apply - what a record of the log does to a shard's state, live and at a replay; and which records are needed */
#include "worker/shard.h"
#include "format/kinds.h"
#include "format/properties.h"
#include "base/clock.h"
#include "base/log.h"
#include <mom.h>
#include <stdlib.h>
#include <string.h>

static void
apply_subscription(struct shard *s, struct client *c, const struct record *r, const char *name)
{
	struct topic *t = shard_topic(s, name, r->topic_len, r->type == REC_SUBSCRIBE);
	struct subscription *sub = t ? subscriptions_find(&s->table, &c->subscriber, &t->subscribed) : NULL;
	if (r->type == REC_SUBSCRIBE && sub == NULL)
		shard_subscribe(s, c, t, r->offset, r->flags);
	else if (r->type == REC_UNSUBSCRIBE && sub != NULL)
		shard_unsubscribe(s, sub);
}

static int
machine_is_reached(struct machine *m, const char *topic, uint16_t len)
{
	if (m->patterns.count == 0 || m->wants_all)
		return m->wants_all;
	int any = patterns_any(&m->patterns, topic, len, PATTERN_VISITS);
	m->wants_all = any < 0;
	return any != 0;
}

static struct reach *
reach_make(struct shard *s, const char *topic, uint16_t len, size_t *bytes)
{
	struct reach *made = NULL;
	size_t room = 0, n = 0;
	for (struct machine *m = s->machines; m; m = m->next) {
		if (!machine_is_reached(m, topic, len))
			continue;
		if (n == room) {
			*bytes = sizeof *made + (room = room * 2 + 4) * sizeof made->machine[0];
			if ((made = realloc(made, *bytes)) == NULL)
				log_fatal(EXIT_SYSTEM, "no memory for a list of machines: see `free`");
		}
		made->machine[n++] = m;
		made->count = n;
	}
	return made;
}

const struct reach *
shard_reach(struct shard *s, const char *topic, uint16_t len)
{
	void *known = NULL;
	size_t bytes = 0;
	if (s->table.pattern_count == 0 || memo_get(&s->table.memo, topic, len, &known))
		return known;
	struct reach *made = reach_make(s, topic, len, &bytes);
	subscriptions_note(&s->table, topic, len, made, bytes);
	return made;
}

int
shard_message(struct shard *s, struct client *c, const struct record *r, const char *topic, uint64_t end)
{
	if (r->number > c->last)
		c->last = r->number;
	if (r->flags & REC_F_WILL)
		shard_will(s, c, NULL);
	s->changed = 1;
	struct topic *t = shard_topic(s, topic, r->topic_len, 0);
	int waits = 0;
	for (size_t i = 0; t && i < t->machine_count; i++) {
		waits |= t->machines[i].machine->place < t->newest;
		shard_machine_wants(s, t->machines[i].machine, r, end);
	}
	if (t && t->machine_count) {
		t->waiting = (waits ? t->waiting : 0) + r->len;
		t->newest = end;
	}
	const struct reach *reach = shard_reach(s, topic, r->topic_len);
	for (size_t i = 0; reach && i < reach->count; i++)
		if (reach->machine[i]->wanted != end)          /* not for the topic itself */
			shard_machine_wants(s, reach->machine[i], r, end);
	int grouped = s->groups.count && groups_message(s, r, topic, end);
	return grouped || reach != NULL || (t && t->machine_count);
}

/* Who unsubscribes from all, settles, or was found dead asks for none. */
static int
has_result(const struct record *r)
{
	if (r->type == REC_UNSUBSCRIBE)
		return r->topic_len > 0;
	return r->type != REC_SETTLE && (r->type != REC_LEAVE || !(r->flags & REC_F_EXPIRED));
}

void
shard_apply(struct shard *s, const void *bytes, uint64_t end)
{
	struct record r;
	record_get(&r, bytes);
	if (r.type == REC_START) {
		shard_start(s, r.offset, r.aux);
		if (s->boot && (r.number == 0 || r.number != s->boot))
			s->risk = r.offset;
		s->boot = r.number;
	}
	struct client *c = shard_client(s, r.publisher);
	if (r.type == REC_LOST && c) {
		c->lost_from = r.aux;
		c->lost_to = r.number;
		s->changed = 1;
	}
	if (r.type == REC_HAND || r.type == REC_TAKE_BACK || r.type == REC_GAP || (r.type == REC_GROUP && c == NULL))
		groups_apply(s, NULL, &r, bytes, end);
	if (!record_is_request(r.type))
		return;
	if (r.type == REC_CREATE && c)
		groups_leave_all(s, c, r.time);        /* a new process: what the old one had comes back */
	if (r.type == REC_CREATE && c == NULL)
		c = shard_create(s, r.publisher, r.aux == 1);
	if (c == NULL)
		return;
	if (r.type == REC_MESSAGE) {
		shard_message(s, c, &r, record_topic(bytes), end);
		return;
	}
	if (r.number > c->last)
		c->last = r.number;
	s->changed = 1;
	if (r.type == REC_WILL) {
		shard_will(s, c, r.topic_len ? bytes : NULL);
		return;
	}
	if (has_result(&r)) {
		c->result_number = r.number;
		c->result_value = r.offset;
		c->result_code = r.type == REC_CREATE || r.type == REC_DESTROY ? 0 : (int64_t)r.aux;
	}
	if (r.type >= REC_JOIN) {
		groups_apply(s, c, &r, bytes, end);
		return;
	}
	shard_machine_wants(s, c->machine, &r, end);
	if (r.type == REC_DESTROY || (r.type == REC_UNSUBSCRIBE && r.topic_len == 0))
		groups_leave_all(s, c, r.time);
	while (r.type == REC_UNSUBSCRIBE && r.topic_len == 0 && c->subscriber.first)
		shard_unsubscribe(s, c->subscriber.first);
	if (r.topic_len && r.aux == 0)
		apply_subscription(s, c, &r, record_topic(bytes));
	if (r.type == REC_DESTROY && r.flags & REC_F_EXPIRED && c->machine->expired_below <= (uint32_t)c->subscriber.id)
		c->machine->expired_below = (uint32_t)c->subscriber.id + 1;
	if (r.type == REC_DESTROY)
		shard_destroy(s, c);
}

void
shard_start(struct shard *s, uint64_t offset, uint64_t bits)
{
	if (s->starts == NULL)
		s->starts = subscriptions_memory(STARTS_MOST * sizeof *s->starts);
	if (s->starts_count && s->starts[s->starts_count - 1].offset >= offset)
		return;
	if (s->starts_count == STARTS_MOST)
		memmove(s->starts, s->starts + 1, --s->starts_count * sizeof *s->starts);
	s->starts[s->starts_count++] = (struct start){ offset, bits };
}

int
shard_knows_start(const struct shard *s, uint64_t offset, uint64_t bits)
{
	for (size_t i = 0; i < s->starts_count; i++)
		if (s->starts[i].offset == offset)
			return s->starts[i].bits == bits;
	return offset == 0 || (s->starts_count == STARTS_MOST && offset < s->starts[0].offset);
}

uint64_t
shard_needed_from(const struct shard *s, uint64_t least)
{
	for (const struct machine *m = s->machines; m; m = m->next)
		if (machine_pins(m, least))
			least = m->place;
	return groups_needed_from(&s->groups, least);
}

/* A connected machine without subscriptions still needs to hear that it has none. */
int
machine_pins(const struct machine *m, uint64_t end)
{
	return (m->subscriptions || m->live) && m->place < end;
}

int
shard_record_is_needed(struct shard *s, const void *bytes)
{
	struct record r;
	record_get(&r, bytes);
	if (r.type == REC_HAND)
		return groups_need(&s->groups, bytes, &r);
	if (r.type == REC_MESSAGE) {
		if (record_is_expired(bytes, &r, clock_wall_us() / 1000))
			return 0;
		const struct topic *t = map_get(&s->table.topics, record_topic(bytes), r.topic_len);
		for (size_t i = 0; t && i < t->machine_count; i++)
			if (t->machines[i].machine->place <= r.offset)
				return 1;
		const struct reach *reach = shard_reach(s, record_topic(bytes), r.topic_len);
		for (size_t i = 0; reach && i < reach->count; i++)
			if (reach->machine[i]->place <= r.offset)
				return 1;
		return s->groups.count && groups_need(&s->groups, bytes, &r);
	}
	if (!kind_of(r.type)->changes_subscriptions)
		return 0;
	uint32_t serial = (uint32_t)(r.publisher >> 32);
	const struct machine *m = map_get(&s->serials, &serial, sizeof serial);
	return m && machine_pins(m, r.offset + 1);
}
