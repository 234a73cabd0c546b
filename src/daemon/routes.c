/* routes - see routes.h */
#include "daemon/routes.h"
#include "base/log.h"
#include <stdlib.h>

struct route *
routes_find(const struct routes *r, uint32_t shard, const char *topic, uint16_t len)
{
	return map_get(&r->topics[shard], topic, len);
}

struct route_sub *
routes_sub(const struct routes *r, struct route *route, uint64_t client)
{
	struct route_key key = { client, route };
	if (route && route->keyed) {
		const struct route_link *l = map_get(&r->links, &key, sizeof key);
		return l ? &route->subs[l->at] : NULL;
	}
	for (size_t i = 0; route && i < route->count; i++)
		if (route->subs[i].client == client)
			return &route->subs[i];
	return NULL;
}

static void *
route_memory(void *old, size_t n)
{
	void *p = realloc(old, n);
	if (p == NULL)
		log_fatal(EXIT_SYSTEM, "no memory for subscriptions: see `free`");
	return p;
}

static void
route_map(struct map *m, const void *key, size_t len, void *value)
{
	if (map_add(m, key, len, value) < 0)
		log_fatal(EXIT_SYSTEM, "no memory for subscriptions: see `free`");
}

static struct route_client *
route_client(struct routes *r, uint64_t id, uint32_t shard)
{
	uint64_t key[2] = { id, shard };
	return map_get(&r->clients, key, sizeof key);
}

static struct route_link *
route_link_new(struct routes *r, struct route *t, uint64_t id)
{
	struct route_client *c = route_client(r, id, t->shard);
	if (c == NULL) {
		c = route_memory(NULL, sizeof *c);
		*c = (struct route_client){ { id, t->shard }, NULL };
		route_map(&r->clients, c->key, sizeof c->key, c);
	}
	struct route_link *l = route_memory(NULL, sizeof *l);
	*l = (struct route_link){ { id, t }, t->count, c->links, &c->links };
	if (c->links)
		c->links->link = &l->next;
	return c->links = l;
}

static void
route_link_free(struct routes *r, struct route_link *l)
{
	if (l->of.route->keyed)
		map_del(&r->links, &l->of, sizeof l->of);
	*l->link = l->next;
	if (l->next)
		l->next->link = l->link;
	else {
		struct route_client *c = route_client(r, l->of.client, l->of.route->shard);
		if (c->links == NULL) {
			map_del(&r->clients, c->key, sizeof c->key);
			free(c);
		}
	}
	free(l);
}

/* The last of its subscribers is new. */
static void
route_key(struct routes *r, struct route *t)
{
	if (!t->keyed && t->count <= KEYED_FROM)
		return;
	for (size_t i = t->keyed ? t->count - 1 : 0; i < t->count; i++)
		route_map(&r->links, &t->subs[i].link->of, sizeof t->subs[i].link->of, t->subs[i].link);
	t->keyed = 1;
}

static struct route *
route_make(struct routes *r, uint32_t shard, const char *topic, uint16_t len)
{
	struct route *t = routes_find(r, shard, topic, len);
	if (t)
		return t;
	t = route_memory(NULL, sizeof *t);
	*t = (struct route){ .topic = route_memory(NULL, len + 1u), .len = len, .shard = shard };
	memcpy(t->topic, topic, len);
	route_map(&r->topics[shard], t->topic, t->len, t);
	return t;
}

static void
route_add(struct routes *r, const struct record *rec, const char *topic)
{
	struct route *t = route_make(r, rec->shard, topic, rec->topic_len);
	struct route_sub sub = { rec->publisher, rec->offset, rec->flags, 0, 0, NULL };
	struct route_sub *known = routes_sub(r, t, sub.client);
	if (known) {
		sub.link = known->link;
		*known = sub;
		return;
	}
	if (t->count == t->room)               /* most topics have one: many topics, little memory */
		t->subs = route_memory(t->subs, (t->room = t->room * 2 + 1) * sizeof *t->subs);
	sub.link = route_link_new(r, t, sub.client);
	t->subs[t->count++] = sub;
	route_key(r, t);
}

static void
route_drop(struct routes *r, struct route *t)
{
	map_del(&r->topics[t->shard], t->topic, t->len);
	for (size_t i = 0; i < t->count; i++)
		route_link_free(r, t->subs[i].link);
	free(t->topic);
	free(t->subs);
	free(t);
}

static void
route_remove(struct routes *r, struct route *t, struct route_link *l)
{
	struct route_sub *gap = &t->subs[l->at], *last = &t->subs[--t->count];
	last->link->at = l->at;
	*gap = *last;
	route_link_free(r, l);
	if (t->count == 0)
		route_drop(r, t);
}

static void
routes_clear_shard(struct routes *r, uint32_t shard)
{
	size_t at = 0;
	for (struct route *t; (t = map_each(&r->topics[shard], &at)) != NULL;)
		route_drop(r, t);
}

static void
routes_clear_client(struct routes *r, uint32_t shard, uint64_t id)
{
	const struct route_client *c = route_client(r, id, shard);
	for (struct route_link *l = c ? c->links : NULL, *next; l; l = next) {
		next = l->next;                        /* the last one takes the client with it */
		route_remove(r, l->of.route, l);
	}
}

static void
route_leave(struct routes *r, const struct record *rec, const char *topic)
{
	struct route *t = routes_find(r, rec->shard, topic, rec->topic_len);
	const struct route_sub *sub = routes_sub(r, t, rec->publisher);
	if (sub)
		route_remove(r, t, sub->link);
}

void
routes_change(struct routes *r, const struct record *rec, const char *topic)
{
	switch (rec->type) {
	case REC_LIST:
		routes_clear_shard(r, rec->shard);
		r->awaited[rec->shard] = rec->aux;
		r->listed[rec->shard] = rec->aux == 0;
		return;
	case REC_LISTED:
		route_add(r, rec, topic);
		if (r->awaited[rec->shard] && --r->awaited[rec->shard] == 0)
			r->listed[rec->shard] = 1;
		return;
	case REC_SUBSCRIBE:
		route_add(r, rec, topic);
		return;
	case REC_UNSUBSCRIBE:
		if (rec->topic_len == 0)
			routes_clear_client(r, rec->shard, rec->publisher);
		else
			route_leave(r, rec, topic);
		return;
	case REC_DESTROY:
		routes_clear_client(r, rec->shard, rec->publisher);
		return;
	default:
		return;
	}
}
