/* checkpoint - see checkpoint.h */
#include "worker/checkpoint.h"
#include "base/fdio.h"
#include "format/topic.h"
#include <stdlib.h>

struct out { char *bytes; size_t n, room; uint64_t records, salt; int bad; };

static void
out_add(struct out *o, struct record *r, const char *topic, const void *data, uint32_t n)
{
	if (o->room - o->n < RECORD_HEADER + MOM_TOPIC_MAX + 1 + n + 8) {
		size_t room = o->room * 2 + 4096 + n;
		char *grown = realloc(o->bytes, room);
		if (grown == NULL) {
			o->bad = 1;
			return;
		}
		o->bytes = grown;
		o->room = room;
	}
	uint32_t stride = record_make(o->bytes + o->n, r, topic, data, n);
	put_u32(o->bytes + o->n + 4, record_crc(o->bytes + o->n, r->len, o->salt));
	o->n += stride;
	o->records++;
}

static void
out_client(struct out *o, const struct client *c)
{
	unsigned char result[24];
	put_u64(result, c->result_number);
	put_u64(result + 8, (uint64_t)c->result_code);
	put_u64(result + 16, c->result_value);
	out_add(o, &(struct record){ .type = REC_CLIENT, .publisher = c->subscriber.id, .number = c->last,
	    .aux = (uint64_t)c->durable }, NULL, result, sizeof result);
	if (c->lost_from)
		out_add(o, &(struct record){ .type = REC_LOST, .publisher = c->subscriber.id, .number = c->lost_to,
		    .aux = c->lost_from }, NULL, NULL, 0);
	if (c->will) {
		struct record r;
		record_get(&r, c->will);
		out_add(o, &(struct record){ .type = REC_WILL, .publisher = c->subscriber.id,
		    .flags = r.flags & REC_F_PROPERTIES, .topic_len = r.topic_len }, record_topic(c->will),
		    record_properties(c->will, &r), record_properties_size(c->will, &r) + record_data_len(c->will, &r));
	}
	for (struct subscription *sub = c->subscriber.first; sub; sub = sub->next_of_client)
		out_add(o, &(struct record){ .type = REC_LISTED, .publisher = c->subscriber.id, .offset = sub->since,
		    .flags = sub->flags,
		    .topic_len = sub->of.topic->len }, sub->of.topic->name, NULL, 0);
}

/* ---- groups ---- */

static void
out_state(struct out *o, const struct group *g)
{
	char bytes[STATE_HEAD + sizeof ((struct order *)0)->ahead] = "";
	struct group_order order = { .act = GROUP_SET, .kind = (uint8_t)g->kind, .max_tries = g->max_tries,
	    .hand_timeout_s = g->hand_timeout_s, .max_hold_ms = g->max_hold_ms };
	uint64_t words[] = { g->bindings.id, group_cursor(g), g->newest, g->waiting, g->waiting_bytes, g->alone_s };
	uint32_t n = STATE_HEAD;
	strcpy(order.name, g->name);
	group_order_put(bytes, &order);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		put_u64(bytes + ORDER_MOST + 8 * i, words[i]);
	for (size_t i = 0; g->order && i < g->order->ahead_count; i++, n += 8)
		put_u64(bytes + n, g->order->ahead[i]);
	out_add(o, &(struct record){ .type = REC_STATE }, NULL, bytes, n);
}

static void
out_group(struct out *o, const struct group *g)
{
	out_state(o, g);
	for (const struct subscription *sub = g->bindings.first; sub; sub = sub->next_of_client)
		out_add(o, &(struct record){ .type = REC_BINDING, .publisher = g->bindings.id, .offset = sub->since,
		    .topic_len = sub->of.topic->len }, sub->of.topic->name, NULL, 0);
	for (const struct member *m = g->first; m; m = m->next)
		out_add(o, &(struct record){ .type = REC_MEMBER, .publisher = m->client->subscriber.id,
		    .number = g->bindings.id, .aux = m->prefetch }, NULL, NULL, 0);
	for (const struct hand *h = g->hands; h; h = h->next) {
		char bytes[TAKEN_BYTES];
		taken_put(bytes, &(struct taken){ .group = g->bindings.id, .hand = h->offset, .origin = h->origin,
		    .client = h->member ? h->member->client->subscriber.id : 0, .not_before = h->not_before,
		    .key = h->key, .tries = h->tries, .bytes = h->bytes, .state = h->state, .durable = h->durable,
		    .why = h->why, .rest_ms = h->rest_ms });
		out_add(o, &(struct record){ .type = REC_TAKEN }, NULL, bytes, sizeof bytes);
	}
}

static int
take_state(struct shard *s, const char *p, uint32_t n)
{
	struct group_order order;
	if (n < STATE_HEAD || (n - STATE_HEAD) % 8 || memchr(p + ORDER_HEAD, '\0', GROUP_NAME) == NULL ||
	    group_order_get(&order, REC_GROUP, p, ORDER_HEAD + (uint32_t)strlen(p + ORDER_HEAD) + 1))
		return -1;
	const char *words = p + ORDER_MOST;
	struct group *g = groups_make(&s->groups, order.name, get_u64(words), order.kind);
	uint32_t ahead = (n - STATE_HEAD) / 8;
	if (g == NULL || (ahead && g->order == NULL) || ahead > AHEAD_MOST)
		return -1;
	g->max_tries = order.max_tries;
	g->hand_timeout_s = order.hand_timeout_s;
	g->max_hold_ms = order.max_hold_ms;
	g->read_at = get_u64(words + 8);
	g->newest = get_u64(words + 16);
	g->waiting = get_u64(words + 24);
	g->waiting_bytes = get_u64(words + 32);
	g->alone_s = get_u64(words + 40);
	for (uint32_t i = 0; i < ahead; i++) {
		uint64_t offset = get_u64(p + STATE_HEAD + 8 * i);
		if (i && g->order->ahead[i - 1] >= offset)
			return -1;
		g->order->ahead[g->order->ahead_count++] = offset;
	}
	return 0;
}

static int
take_of_group(struct shard *s, const struct record *r, const void *bytes)
{
	struct taken t = { .group = r->type == REC_MEMBER ? r->number : r->publisher };
	if (r->type == REC_TAKEN && record_data_len(bytes, r) != TAKEN_BYTES)
		return -1;
	if (r->type == REC_TAKEN)
		taken_get(&t, record_data(bytes, r));
	struct group *g = groups_by_id(&s->groups, t.group);
	uint64_t id = r->type == REC_MEMBER ? r->publisher : t.client;
	struct client *c = id ? shard_client(s, id) : NULL;
	struct member *m = c && g ? groups_member(c, g) : NULL;
	if (g == NULL || (id && c == NULL))
		return -1;
	if (r->type == REC_BINDING)
		return pattern_fault(record_topic(bytes), r->topic_len) ? -1
		    : groups_bind(&s->groups, g, record_topic(bytes), r->topic_len, r->offset);
	if (r->type == REC_TAKEN)
		return t.client && m == NULL ? -1 : groups_take(&s->groups, g, m, &t);
	if (c == NULL || m || r->aux < 1 || r->aux > PREFETCH_MOST)
		return -1;
	uint64_t alone_s = g->alone_s;
	groups_join(&s->groups, g, c, (uint32_t)r->aux);
	g->alone_s = alone_s;
	return 0;
}

int
checkpoint_write(struct shard *s, uint64_t as_of)
{
	struct out o = { .salt = as_of };
	size_t at = 0;
	o.bytes = calloc(1, o.room = 64 * 1024);
	if (o.bytes == NULL)
		return -1;
	o.n = CHECKPOINT_HEADER;
	for (struct machine *m = s->machines; m; m = m->next) {
		if (!m->settled)
			continue;
		out_add(&o, &(struct record){ .type = REC_MACHINE, .publisher = m->serial, .aux = m->place,
		    .time = m->away,
		    .number = m->expired_below }, NULL, NULL, 0);
	}
	for (size_t i = 0; i < s->starts_count; i++)
		out_add(&o, &(struct record){ .type = REC_START, .offset = s->starts[i].offset,
		    .aux = s->starts[i].bits, .number = i + 1 == s->starts_count ? s->boot : 0,
		    .publisher = s->risk }, NULL, NULL, 0);
	for (struct topic *t; (t = map_each(&s->table.topics, &at)) != NULL;)
		if (t->kept)
			out_add(&o, &(struct record){ .type = REC_TOPIC, .topic_len = t->subscribed.len },
			    t->subscribed.name, NULL, 0);
	at = 0;
	for (struct client *c; (c = map_each(&s->table.clients, &at)) != NULL;)
		out_client(&o, c);
	at = 0;
	for (const struct group *g; (g = map_each(&s->groups.names, &at)) != NULL;)
		out_group(&o, g);
	checkpoint_head_put(o.bytes, as_of, o.records);
	int bad = o.bad ? -1 : fdio_replace(s->dir, "checkpoint", o.bytes, o.n, 1);
	free(o.bytes);
	if (bad < 0)
		return -1;
	s->checkpoint = as_of;
	s->changed = 0;
	return 0;
}

/* A CRC finds accidents; what it cannot find is looked at here: a client, a subscription twice, a topic that can be
 * none. */
static int
checkpoint_take(void *with, const void *bytes)
{
	struct shard *s = with;
	struct record r;
	record_get(&r, bytes);
	struct machine *m;
	struct client *c = r.type == REC_LISTED || r.type == REC_CLIENT || r.type == REC_LOST ||
	    r.type == REC_WILL ? shard_client(s, r.publisher) : NULL;
	if ((r.type == REC_TOPIC || r.type == REC_WILL) && topic_fault(record_topic(bytes), r.topic_len))
		return -1;
	if (r.type == REC_LISTED && pattern_fault(record_topic(bytes), r.topic_len))
		return -1;
	switch (r.type) {
	case REC_MACHINE:
		if (r.publisher >> 32)
			return -1;
		m = shard_machine(s, (uint32_t)r.publisher);
		m->settled = 1;
		m->place = r.aux;
		m->away = (uint32_t)r.time;
		m->expired_below = (uint32_t)r.number;
		return 0;
	case REC_START:
		shard_start(s, r.offset, r.aux);
		s->boot = r.number;
		s->risk = r.publisher;
		return 0;
	case REC_STATE:
		return take_state(s, record_data(bytes, &r), record_data_len(bytes, &r));
	case REC_BINDING: case REC_MEMBER: case REC_TAKEN:
		return take_of_group(s, &r, bytes);
	case REC_TOPIC:
		shard_topic(s, record_topic(bytes), r.topic_len, 1)->kept = 1;
		return 0;
	case REC_CLIENT:
		if (c != NULL || record_data_len(bytes, &r) != 24)
			return -1;
		c = shard_create(s, r.publisher, r.aux == 1);
		c->last = r.number;
		c->result_number = get_u64(record_data(bytes, &r));
		c->result_code = (int64_t)get_u64((const char *)record_data(bytes, &r) + 8);
		c->result_value = get_u64((const char *)record_data(bytes, &r) + 16);
		return 0;
	case REC_LOST:
		if (c == NULL || c->lost_from || r.aux == 0 || r.aux > r.number)
			return -1;
		c->lost_from = r.aux;
		c->lost_to = r.number;
		return 0;
	case REC_WILL:
		if (c == NULL || c->will)
			return -1;
		shard_will(s, c, bytes);
		return 0;
	case REC_LISTED:
		if (c == NULL)
			return -1;
		uint64_t place = c->machine->place;
		struct topic *t = shard_topic(s, record_topic(bytes), r.topic_len, 1);
		if (subscriptions_find(&s->table, &c->subscriber, &t->subscribed))
			return -1;
		shard_subscribe(s, c, t, r.offset, r.flags);
		c->machine->place = place;             /* the check-point knows it better */
		return 0;
	default:
		return -1;
	}
}

int
checkpoint_load(struct shard *s)
{
	return checkpoint_read(s->dir, &s->checkpoint, checkpoint_take, s);
}
