/* routes - see routes.h */
#include "daemon/routes.h"
#include "common/log.h"
#include <stdlib.h>

struct route *
routes_find(const struct routes *r, const char *topic, uint16_t len)
{
	return map_get(&r->topics, topic, len);
}

const struct route_sub *
route_sub_of(const struct route *route, uint64_t client)
{
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
	if (map_put(m, key, len, value) < 0)
		log_fatal(EXIT_SYSTEM, "no memory for subscriptions: see `free`");
}

static void
route_count(struct routes *r, uint64_t client, int change)
{
	struct route_client *c = map_get(&r->clients, &client, sizeof client);
	if (c == NULL) {
		c = route_memory(NULL, sizeof *c);
		*c = (struct route_client){ client, 0 };
		route_map(&r->clients, &c->id, sizeof c->id, c);
	}
	c->count += (size_t)change;
	if (c->count > 0)
		return;
	map_del(&r->clients, &c->id, sizeof c->id);
	free(c);
}

static void
route_add(struct routes *r, const struct record *rec, const char *topic)
{
	struct route *t = routes_find(r, topic, rec->topic_len);
	if (t == NULL) {
		t = route_memory(NULL, sizeof *t);
		*t = (struct route){ route_memory(NULL, rec->topic_len + 1u), rec->topic_len, rec->shard, NULL, 0, 0 };
		memcpy(t->topic, topic, rec->topic_len);
		route_map(&r->topics, t->topic, t->len, t);
	}
	struct route_sub sub = { rec->publisher, rec->offset, rec->flags, 0, 0 };
	for (size_t i = 0; i < t->count; i++) {
		if (t->subs[i].client == sub.client) {
			t->subs[i] = sub;
			return;
		}
	}
	if (t->count == t->room)
		t->subs = route_memory(t->subs, (t->room = t->room * 2 + 4) * sizeof *t->subs);
	t->subs[t->count++] = sub;
	route_count(r, sub.client, 1);
}

static void
route_drop(struct routes *r, struct route *t)
{
	map_del(&r->topics, t->topic, t->len);
	for (size_t i = 0; i < t->count; i++)
		route_count(r, t->subs[i].client, -1);
	free(t->topic);
	free(t->subs);
	free(t);
}

static void
route_remove(struct routes *r, struct route *t, uint64_t client)
{
	for (size_t i = 0; t && i < t->count; i++) {
		if (t->subs[i].client != client)
			continue;
		t->subs[i] = t->subs[--t->count];
		route_count(r, client, -1);
		if (t->count == 0)
			route_drop(r, t);
		return;
	}
}

/* all of a shard, or of one client in it */
static void
routes_clear(struct routes *r, uint32_t shard, uint64_t client)
{
	size_t at = 0;
	for (struct route *t; (t = map_each(&r->topics, &at)) != NULL;) {
		if (client && map_get(&r->clients, &client, sizeof client) == NULL)
			return;                        /* it has none, or no more */
		if (t->shard != shard)
			continue;
		if (client)
			route_remove(r, t, client);
		else
			route_drop(r, t);
	}
}

void
routes_change(struct routes *r, const struct record *rec, const char *topic)
{
	switch (rec->type) {
	case REC_LIST:
		routes_clear(r, rec->shard, 0);
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
			routes_clear(r, rec->shard, rec->publisher);
		else
			route_remove(r, routes_find(r, topic, rec->topic_len), rec->publisher);
		return;
	case REC_DESTROY:
		routes_clear(r, rec->shard, rec->publisher);
		return;
	default:
		return;
	}
}
