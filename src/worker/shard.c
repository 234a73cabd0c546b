/* shard - see shard.h */
#include "worker/shard.h"
#include "base/log.h"
#include "format/topic.h"
#include <stddef.h>
#include <stdlib.h>

struct client *
shard_client(const struct shard *s, uint64_t id)
{
	return map_get(&s->table.clients, &id, sizeof id);
}

struct machine *
shard_machine(struct shard *s, uint32_t serial)
{
	struct machine *m = map_get(&s->serials, &serial, sizeof serial);
	if (m)
		return m;
	m = subscriptions_memory(sizeof *m);
	m->serial = serial;
	m->next = s->machines;
	if (map_add(&s->serials, &m->serial, sizeof m->serial, m) < 0)
		log_fatal(EXIT_SYSTEM, "no memory for a machine: see `free`");
	s->machines = m;
	return m;
}

void
shard_forget_machines(struct shard *s)
{
	for (struct machine **p = &s->machines, *m; (m = *p) != NULL;) {
		if (m->live || m->settled) {
			p = &m->next;
			continue;
		}
		*p = m->next;
		map_del(&s->serials, &m->serial, sizeof m->serial);
		free(m->needs);
		free(m);
	}
}

struct client *
shard_create(struct shard *s, uint64_t id, int durable)
{
	struct client *c = subscriptions_client(&s->table, id, sizeof *c);
	c->view.is_client = 1;
	c->durable = durable;
	c->conn = -1;
	c->machine = shard_machine(s, (uint32_t)(id >> 32));
	c->machine->clients++;
	c->machine->settled = 1;
	c->next_of_machine = c->machine->first;
	c->link_of_machine = &c->machine->first;
	if (c->next_of_machine)
		c->next_of_machine->link_of_machine = &c->next_of_machine;
	c->machine->first = c;
	return c;
}

struct topic *
shard_topic(struct shard *s, const char *name, uint16_t len, int make)
{
	return subscriptions_topic(&s->table, name, len, make ? sizeof(struct topic) : 0);
}

struct client *
view_client(struct view *v)
{
	return (struct client *)(void *)((char *)v - offsetof(struct client, view));
}

struct topic *
view_topic(struct view *v)
{
	return (struct topic *)(void *)((char *)v - offsetof(struct topic, view));
}

void
shard_mark(struct shard *s, struct view *v, enum dirty queue)
{
	struct view_queue *q = &s->dirty[queue];
	if (v->dirty & 1u << queue)
		return;
	v->dirty |= 1u << queue;
	v->next_dirty[queue] = NULL;
	*(q->first ? &q->last->next_dirty[queue] : &q->first) = v;
	q->last = v;
}

struct view *
shard_next_dirty(struct shard *s, enum dirty queue)
{
	struct view *v = s->dirty[queue].first;
	if (v) {
		s->dirty[queue].first = v->next_dirty[queue];
		v->dirty &= ~(1u << queue);
	}
	return v;
}

/* count: subscriptions of the machine's clients to that pattern, after the change */
static void
machine_patterns(struct machine *m, struct subscribed *pattern, int change, size_t count)
{
	if (change > 0 && count == 1 && patterns_add(&m->patterns, pattern->name, pattern->len, pattern) < 0)
		log_fatal(EXIT_SYSTEM, "no memory for a pattern: see `free`");
	if (count == 0)
		patterns_remove(&m->patterns, pattern->name, pattern->len);
	m->wants_all = 0;
}

/* How many levels a client, and its machine, have in patterns. */
static void
count_levels(struct client *c, const struct subscribed *topic, int change)
{
	if (!topic->is_pattern)
		return;
	size_t levels = pattern_levels(topic->name, topic->len);
	c->pattern_levels += change > 0 ? levels : -levels;
	c->machine->pattern_levels += change > 0 ? levels : -levels;
}

static void
topic_interest(struct topic *t, struct machine *m, int change)
{
	size_t i = 0;
	while (i < t->machine_count && t->machines[i].machine != m)
		i++;
	if (i == t->machine_count && (i & (i - 1)) == 0) {     /* 0, 1, 2, 4 ..: there was room for so many */
		t->machines = realloc(t->machines, (i ? 2 * i : 1) * sizeof *t->machines);
		if (t->machines == NULL)
			log_fatal(EXIT_SYSTEM, "no memory for a subscription: see `free`");
	}
	if (i == t->machine_count)
		t->machines[t->machine_count++] = (struct interest){ m, 0 };
	t->machines[i].count += (size_t)change;
	if (t->subscribed.is_pattern)
		machine_patterns(m, &t->subscribed, change, t->machines[i].count);
	if (t->machines[i].count == 0)
		t->machines[i] = t->machines[--t->machine_count];
}

void
shard_subscribe(struct shard *s, struct client *c, struct topic *t, uint64_t since, uint16_t flags)
{
	subscriptions_add(&s->table, &c->subscriber, &t->subscribed, since, flags);
	topic_interest(t, c->machine, 1);
	count_levels(c, &t->subscribed, 1);
	if (c->machine->subscriptions++ == 0 && c->machine->place < since)
		c->machine->place = since;             /* what lies before was not for this machine */
	s->changed = 1;
	shard_mark(s, &t->view, DIRTY_LATER);
	shard_mark(s, &c->view, DIRTY_LATER);
}

void
shard_unsubscribe(struct shard *s, struct subscription *sub)
{
	struct client *c = (struct client *)sub->of.client;
	struct topic *t = (struct topic *)sub->of.topic;
	subscriptions_remove(&s->table, sub);
	c->view.listed = t->view.listed = 0;
	topic_interest(t, c->machine, -1);
	count_levels(c, &t->subscribed, -1);
	c->machine->subscriptions--;
	s->changed = 1;
	c->left |= t->view.made;
	shard_mark(s, &t->view, t->view.made ? DIRTY_LEFT : DIRTY_LATER);
	if (!c->gone)
		shard_mark(s, &c->view, DIRTY_LATER);
}

/* The client is only freed once no view shows it and it is answered: it is in the queue behind the topics that it left.
 * Without any it waits for nobody else's. */
void
shard_destroy(struct shard *s, struct client *c)
{
	c->gone = 1;
	while (c->subscriber.first)
		shard_unsubscribe(s, c->subscriber.first);
	subscriptions_forget_client(&s->table, &c->subscriber);
	*c->link_of_machine = c->next_of_machine;
	if (c->next_of_machine)
		c->next_of_machine->link_of_machine = c->link_of_machine;
	c->machine->clients--;
	s->changed = 1;
	if (c->left || c->view.made)
		shard_mark(s, &c->view, DIRTY_LEFT);
	shard_is_clean(s, &c->view);
}

void
shard_is_clean(struct shard *s, struct view *v)
{
	if (v->dirty)
		return;
	if (!v->is_client) {
		shard_forget_topic(s, view_topic(v));
		return;
	}
	struct client *c = view_client(v);
	if (!c->gone)
		return;
	c->next_gone = s->gone;
	s->gone = c;
}

char *
shard_will_take(struct shard *s, struct client *c)
{
	char *will = c->will;
	uint32_t bytes = will ? record_stride(get_u32(will)) : 0;
	c->will = NULL;
	s->wills_bytes -= bytes;
	c->machine->wills_bytes -= bytes;
	return will;
}

void
shard_will(struct shard *s, struct client *c, const void *record)
{
	free(shard_will_take(s, c));
	if (record == NULL)
		return;
	uint32_t bytes = record_stride(get_u32(record));
	memcpy(c->will = subscriptions_memory(bytes), record, bytes);
	s->wills_bytes += bytes;
	c->machine->wills_bytes += bytes;
}

void
shard_free_gone(struct shard *s)
{
	for (struct client *c; (c = s->gone) != NULL;) {
		s->gone = c->next_gone;
		shard_will(s, c, NULL);
		free(c);
	}
}

void
shard_clean(struct shard *s)
{
	for (enum dirty queue = 0; queue < DIRTY_KINDS; queue++)
		for (struct view *v; (v = shard_next_dirty(s, queue)) != NULL;)
			shard_is_clean(s, v);
	shard_free_gone(s);
}

void
shard_forget_topic(struct shard *s, struct topic *t)
{
	if (t->subscribed.first || t->kept)
		return;
	free(t->machines);
	subscriptions_forget_topic(&s->table, &t->subscribed);
}

static void
machine_need(struct machine *m, uint64_t base, uint32_t bytes)
{
	if (m->needs_count == 0 || m->needs[m->needs_count - 1].base != base) {
		if (m->needs_count == m->needs_room) {
			m->needs_room = m->needs_room * 2 + 8;
			m->needs = realloc(m->needs, m->needs_room * sizeof *m->needs);
			if (m->needs == NULL)
				log_fatal(EXIT_SYSTEM, "no memory for a machine: see `free`");
		}
		m->needs[m->needs_count++] = (struct need){ base, 0 };
	}
	m->needs[m->needs_count - 1].bytes += bytes;
}

void
shard_machine_wants(struct shard *s, struct machine *m, const struct record *r, uint64_t end)
{
	m->wanted = end;
	machine_need(m, s->log.base, record_stride(r->len));
}
