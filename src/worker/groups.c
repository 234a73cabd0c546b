/* groups - see groups.h: groups, their bindings and members */
#include "worker/groups.h"
#include "base/log.h"
#include "format/topic.h"
#include "worker/groups_inner.h"
#include "worker/shard.h"
#include <mom.h>
#include <stdlib.h>

/* ---- groups ---- */

struct group *
groups_find(const struct groups *gs, const char *name)
{
	return map_get(&gs->names, name, strlen(name));
}

struct group *
groups_by_id(const struct groups *gs, uint64_t id)
{
	return map_get(&gs->table.clients, &id, sizeof id);
}

struct group *
groups_make(struct groups *gs, const char *name, uint64_t id, unsigned kind)
{
	if (groups_find(gs, name) || groups_by_id(gs, id))
		return NULL;
	struct group *g = subscriptions_client(&gs->table, id, sizeof *g);
	strcpy(g->name, name);
	groups_put(&gs->names, g->name, strlen(g->name), g);
	g->kind = kind;
	g->order = kind & MOM_GROUP_ORDERED ? subscriptions_memory(sizeof *g->order) : NULL;
	g->max_tries = GROUP_MAX_TRIES;
	g->hand_timeout_s = GROUP_HAND_TIMEOUT_S;
	g->last = &g->first;
	g->roomy_last = &g->roomy;
	gs->count++;
	gs->changed = 1;
	return g;
}

static void
group_unbind(struct groups *gs, struct subscription *sub)
{
	struct subscribed *topic = sub->of.topic;
	subscriptions_remove(&gs->table, sub);
	if (topic->count == 0)
		subscriptions_forget_topic(&gs->table, topic);
}

static void
member_free(struct member *m)
{
	struct group *g = m->group;
	member_not_roomy(m);
	*m->link = m->next;
	*(m->next ? &m->next->link : &g->last) = m->link;
	*m->link_of_client = m->next_of_client;
	if (m->next_of_client)
		m->next_of_client->link_of_client = m->link_of_client;
	g->members--;
	free(m);
}

static void
group_delete(struct groups *gs, struct group *g)
{
	while (g->bindings.first)
		group_unbind(gs, g->bindings.first);
	while (g->hands)
		hand_free(gs, g->hands);
	while (g->first)
		member_free(g->first);
	groups_close_reader(gs, g);
	for (struct group **p = &gs->hungry; g->is_hungry && *p; p = &(*p)->next_hungry)
		if (*p == g) {
			if ((*p = g->next_hungry) == NULL)
				gs->hungry_last = p;
			break;
		}
	map_del(&gs->names, g->name, strlen(g->name));
	subscriptions_forget_client(&gs->table, &g->bindings);
	heap_free(&g->ready);
	heap_free(&g->resting);
	map_free(&g->keys);
	free(g->order);
	gs->count--;
	gs->changed = 1;
	free(g);
}

void
groups_close_reader(struct groups *gs, struct group *g)
{
	if (g->reader == 0)
		return;
	seglog_leave(&g->cursor);
	gs->readers[g->reader - 1] = NULL;
	g->reader = 0;
}

/* ---- members ---- */

struct member *
groups_member(const struct client *c, const struct group *g)
{
	struct member *m = c->memberships;
	while (m && m->group != g)
		m = m->next_of_client;
	return m;
}

void
groups_join(struct groups *gs, struct group *g, struct client *c, uint32_t prefetch)
{
	struct member *m = groups_member(c, g);
	if (m == NULL) {
		m = subscriptions_memory(sizeof *m);
		*m = (struct member){ .group = g, .client = c, .link = g->last, .next_of_client = c->memberships,
		    .link_of_client = &c->memberships };
		*g->last = m;
		g->last = &m->next;
		if (c->memberships)
			c->memberships->link_of_client = &m->next_of_client;
		c->memberships = m;
		g->members++;
	}
	m->prefetch = prefetch;
	m->has_ended = 0;
	g->alone_s = 0;
	gs->changed = 1;
	member_is_roomy(gs, m);
}

static void
member_leave(struct groups *gs, struct member *m, int64_t time)
{
	struct group *g = m->group;
	while (m->hands)
		hand_return(gs, m->hands, time / 1000, -1);
	member_free(m);
	gs->changed = 1;
	if (g->members == 0 && g->kind & MOM_GROUP_TEMPORARY)
		group_delete(gs, g);
	else
		groups_wake(gs, g);
}

void
groups_leave_all(struct shard *s, struct client *c, int64_t time)
{
	while (c->memberships)
		member_leave(&s->groups, c->memberships, time);
}

void
groups_machine_came(struct groups *gs, const struct client *first)
{
	for (const struct client *c = first; c; c = c->next_of_machine)
		for (struct member *m = c->memberships; m; m = m->next_of_client)
			member_is_roomy(gs, m);
}

/* ---- bindings ---- */

int
groups_bind(struct groups *gs, struct group *g, const char *topic, uint16_t len, uint64_t since)
{
	struct subscribed *t = subscriptions_topic(&gs->table, topic, len, sizeof *t);
	if (subscriptions_find(&gs->table, &g->bindings, t))
		return -1;
	subscriptions_add(&gs->table, &g->bindings, t, since, 0);
	gs->changed = 1;
	return 0;
}

static struct subscription *
binding(const struct groups *gs, struct group *g, const char *topic, uint16_t len)
{
	return subscriptions_find(&gs->table, &g->bindings, map_get(&gs->table.topics, topic, len));
}

static size_t
reach_add(struct group_reach *reach, size_t n, const struct subscribed *topic)
{
	for (const struct subscription *sub = topic ? topic->first : NULL; sub; sub = sub->next_of_topic) {
		struct group *g = (struct group *)sub->of.client;
		size_t i = 0;
		while (i < n && reach->of[i].group != g)
			i++;
		if (i == n) {
			reach->of[n].group = g;
			reach->of[n++].since = sub->since;
		} else if (sub->since < reach->of[i].since)
			reach->of[i].since = sub->since;
	}
	return n;
}

const struct group_reach *
groups_reach(struct groups *gs, const char *topic, uint16_t len)
{
	struct subscribed **patterns, *own;
	void *known = NULL;
	if (gs->table.count == 0 || memo_get(&gs->table.memo, topic, len, &known))
		return known;
	own = subscriptions_topic(&gs->table, topic, len, 0);
	size_t found = subscriptions_match(&gs->table, topic, len, &patterns), most = own ? own->count : 0, n = 0;
	for (size_t i = 0; i < found; i++)
		most += patterns[i]->count;
	struct group_reach *made = NULL;
	size_t bytes = most ? sizeof *made + most * sizeof made->of[0] : 0;
	if (most) {
		made = subscriptions_memory(bytes);
		n = reach_add(made, n, own);
		for (size_t i = 0; i < found; i++)
			n = reach_add(made, n, patterns[i]);
		made->count = n;
	}
	subscriptions_note(&gs->table, topic, len, made, bytes);
	return made;
}

int
groups_gets(struct groups *gs, const struct group *g, const char *topic, uint16_t len, uint64_t offset)
{
	const struct group_reach *reach = groups_reach(gs, topic, len);
	for (size_t i = 0; reach && i < reach->count; i++)
		if (reach->of[i].group == g)
			return reach->of[i].since < offset;
	return 0;
}

/* ---- requests ---- */

/* A binding stands in every shard, also one to a topic of another shard: so all of them say the same. */
static int
code_of_binding(struct shard *s, struct group *g, const struct record *r, const char *topic)
{
	if (g == NULL || binding(&s->groups, g, topic, r->topic_len))
		return 0;
	return g->bindings.count < BINDINGS_GROUP ? 0 : MOM_ELIMIT;
}

static int
code_of_kind(const struct shard *s, const struct group *g, const struct group_order *o)
{
	if (g == NULL)
		return s->groups.count < GROUPS_SHARD ? 0 : MOM_ELIMIT;
	return o->kind && o->kind != g->kind ? MOM_EEXIST : 0;
}

static int
code_of_join(struct shard *s, const struct client *c, struct group *g, const struct record *r,
    const struct group_order *o, const char *topic)
{
	size_t n = 0;
	int code = g == NULL && r->topic_len == 0 ? MOM_ENOGROUP : code_of_kind(s, g, o);
	for (const struct member *m = c->memberships; m; m = m->next_of_client)
		n += m->group != g;
	if (code == 0 && n >= MEMBERSHIPS_CLIENT)
		code = MOM_ELIMIT;
	return code || r->topic_len == 0 ? code : code_of_binding(s, g, r, topic);
}

static struct hand *
dead_hand(const struct group *g, uint64_t origin)
{
	struct hand *h = g->hands;
	while (h && (h->state != TAKEN_DEAD || h->origin != origin))
		h = h->next;
	return h;
}

int
groups_code(struct shard *s, const struct client *c, const struct record *r, const void *bytes)
{
	struct group_order o;
	const char *topic = record_topic(bytes);
	if (group_order_get(&o, r->type, record_data(bytes, r), record_data_len(bytes, r)))
		return MOM_EPROTO;
	struct group *g = groups_find(&s->groups, o.name);
	if (r->type == REC_JOIN)
		return code_of_join(s, c, g, r, &o, topic);
	if (r->type == REC_LEAVE)
		return g && groups_member(c, g) ? 0 : MOM_ENOTSUB;
	if (o.act == GROUP_SET)
		return code_of_kind(s, g, &o);
	if (g == NULL)
		return MOM_ENOGROUP;
	if (o.act == GROUP_BIND)
		return binding(&s->groups, g, topic, r->topic_len) ? MOM_EEXIST
		    : code_of_binding(s, g, r, topic);
	if (o.act == GROUP_UNBIND)
		return binding(&s->groups, g, topic, r->topic_len) ? 0
		    : MOM_ENOTSUB;
	if (o.act == GROUP_DELETE)
		return g->members ? MOM_EBUSY : 0;
	return o.id && dead_hand(g, o.id) == NULL ? MOM_ENOTSUB : 0;
}

static void
group_settings(struct group *g, const struct group_order *o)
{
	if (o->max_tries != GROUP_AS_IT_IS)
		g->max_tries = o->max_tries;
	if (o->hand_timeout_s != GROUP_AS_IT_IS)
		g->hand_timeout_s = o->hand_timeout_s;
	if (o->max_hold_ms != GROUP_AS_IT_IS)
		g->max_hold_ms = o->max_hold_ms;
}

static void
apply_dead(struct groups *gs, struct group *g, const struct group_order *o, int64_t now_ms)
{
	for (struct hand *h = g->hands, *next; h; h = next) {
		next = h->next;
		if (h->state != TAKEN_DEAD || (o->id && h->origin != o->id))
			continue;
		if (o->act == GROUP_PURGE)
			hand_free(gs, h);
		else
			hand_revive(gs, h, now_ms);
	}
	groups_wake(gs, g);
}

void
groups_order(struct shard *s, struct client *c, const struct record *r, const void *bytes)
{
	struct groups *gs = &s->groups;
	struct group_order o;
	const char *topic = record_topic(bytes);
	if (group_order_get(&o, r->type, record_data(bytes, r), record_data_len(bytes, r)))
		return;
	struct group *g = groups_find(gs, o.name);
	int makes = r->type == REC_JOIN || o.act == GROUP_SET;
	if (g == NULL && makes)
		g = groups_make(gs, o.name, r->offset, o.kind);
	if (g == NULL)
		return;
	gs->changed = 1;
	if (makes)
		group_settings(g, &o);
	if ((r->type == REC_JOIN || o.act == GROUP_BIND) && r->topic_len)
		groups_bind(gs, g, topic, r->topic_len, r->offset);
	struct subscription *bound = o.act == GROUP_UNBIND ? binding(gs, g, topic, r->topic_len) : NULL;
	struct member *m = r->type == REC_LEAVE && c ? groups_member(c, g) : NULL;
	if (r->type == REC_JOIN && c)
		groups_join(gs, g, c, o.prefetch);
	else if (bound)
		group_unbind(gs, bound);
	else if (o.act == GROUP_RETRY || o.act == GROUP_PURGE)
		apply_dead(gs, g, &o, r->time / 1000);
	else if (o.act == GROUP_DELETE && g->members == 0)
		group_delete(gs, g);
	else if (m)
		member_leave(gs, m, r->time);
}
