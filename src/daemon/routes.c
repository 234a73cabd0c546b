/* routes - see routes.h */
#include "daemon/routes.h"
#include "format/kinds.h"
#include <stdio.h>
#include <stdlib.h>

void
routes_change(struct routes *r, const struct record *rec, const char *topic)
{
	struct subscriptions *of = &r->of[rec->shard];
	r->changed = 1;
	if (rec->type == REC_LIST) {
		subscriptions_clear(of);
		r->awaited[rec->shard] = rec->aux;
		r->listed[rec->shard] = rec->aux == 0;
	} else if (rec->type == REC_LISTED || kind_of(rec->type)->changes_subscriptions)
		subscriptions_change(of, rec, topic);
	if (rec->type == REC_LISTED && r->awaited[rec->shard] && --r->awaited[rec->shard] == 0)
		r->listed[rec->shard] = 1;
}

/* ---- patterns ---- */

/* The names that reach a topic: the topic itself, if somebody subscribed to it, and patterns. */
struct names { struct subscribed *topic, **patterns; size_t count; };

static struct names
names_of(struct subscriptions *of, const char *topic, uint16_t len)
{
	struct names n = { .topic = subscriptions_topic(of, topic, len, 0) };
	n.count = subscriptions_match(of, topic, len, &n.patterns);
	return n;
}

static size_t
list_add(struct subscription *list, size_t n, const struct routes *r, uint32_t shard, const struct subscribed *from)
{
	for (const struct subscription *sub = from ? from->first : NULL; sub; sub = sub->next_of_topic)
		if (r->cut == NULL || sub->since >= r->cut(sub->of.client->id, shard))
			list[n++] = (struct subscription){ .of.client = sub->of.client, .since = sub->since,
			    .flags = sub->flags };
	return n;
}

static int
by_client(const void *a, const void *b)
{
	const struct subscription *x = a, *y = b;
	if (x->of.client->id != y->of.client->id)
		return x->of.client->id < y->of.client->id ? -1 : 1;
	if (x->since != y->since)
		return x->since < y->since ? -1 : 1;
	return (x->flags & REC_F_NO_ECHO) - (y->flags & REC_F_NO_ECHO);
}

/* Of each client the earliest subscription, and the earliest that counts for its own messages, too. */
static size_t
list_shorten(struct subscription *list, size_t n)
{
	size_t kept = 0;
	for (size_t i = 0; i < n; i++) {
		const struct subscription *last = kept ? &list[kept - 1] : NULL;
		if (last && last->of.client == list[i].of.client && (!(last->flags & REC_F_NO_ECHO) ||
		    list[i].flags & REC_F_NO_ECHO))
			continue;
		list[kept++] = list[i];
	}
	return kept;
}

static struct subscribed *
list_make(const struct routes *r, uint32_t shard, const struct names *names, const char *topic, uint16_t len,
    size_t *bytes)
{
	size_t most = names->topic ? names->topic->count : 0, n = 0;
	for (size_t i = 0; i < names->count; i++)
		most += names->patterns[i]->count;
	*bytes = sizeof(struct subscribed) + most * sizeof(struct subscription) + len;
	struct subscribed *made = subscriptions_memory(*bytes);
	struct subscription *list = (struct subscription *)(void *)(made + 1);
	n = list_add(list, n, r, shard, names->topic);
	for (size_t i = 0; i < names->count; i++)
		n = list_add(list, n, r, shard, names->patterns[i]);
	qsort(list, n, sizeof *list, by_client);
	made->count = list_shorten(list, n);
	made->first = made->count ? list : NULL;
	for (size_t i = 0; i < made->count; i++) {
		list[i].of.topic = made;
		list[i].next_of_topic = i + 1 < made->count ? &list[i + 1] : NULL;
	}
	made->name = (char *)(list + most);
	made->len = len;
	memcpy(made->name, topic, len);
	return made;
}

struct subscribed *
routes_reach(struct routes *r, uint32_t shard, const char *topic, uint16_t len)
{
	struct subscriptions *of = &r->of[shard];
	void *known = NULL;
	size_t bytes = 0;
	if (of->patterns.count == 0)
		return subscriptions_topic(of, topic, len, 0);
	if (memo_get(&of->memo, topic, len, &known))
		return known;
	struct names names = names_of(of, topic, len);
	struct subscribed *made = names.count ? list_make(r, shard, &names, topic, len, &bytes) : names.topic;
	subscriptions_note(of, topic, len, made, bytes);
	return made;
}

void
routes_forget(struct routes *r)
{
	for (uint32_t k = 0; k < SHARDS_MAX; k++)
		r->of[k].memo.stale = 1;
}

int
routes_want(struct routes *r, uint32_t shard, uint64_t client, const char *topic, uint16_t len, uint64_t offset)
{
	struct subscriptions *of = &r->of[shard];
	struct subscriber *c = subscriptions_client(of, client, 0);
	if (c == NULL)
		return 0;
	struct names n = names_of(of, topic, len);
	const struct subscription *sub = subscriptions_find(of, c, n.topic);
	for (size_t i = 0; i < n.count && (sub == NULL || sub->since >= offset); i++)
		sub = subscriptions_find(of, c, n.patterns[i]);
	return sub && sub->since < offset;
}

long
routes_patterns(struct routes *r, uint32_t shards, uint64_t client)
{
	size_t n = 0;
	for (uint32_t k = 0; k < shards && k < SHARDS_MAX; k++) {
		const struct subscriber *c = subscriptions_client(&r->of[k], client, 0);
		if (!r->listed[k])
			return -1;
		n += c ? c->patterns : 0;
	}
	return shards ? (long)n : -1;
}

/* ---- for people that look ---- */

uint64_t
routes_of_client(struct routes *r, uint32_t shards, uint64_t id, char *text, size_t room)
{
	uint64_t count = shards ? 0 : SUBSCRIPTIONS_UNKNOWN;
	size_t n = 0;
	text[0] = '\0';
	for (uint32_t k = 0; k < shards && k < SHARDS_MAX; k++)
		if (!r->listed[k])
			return SUBSCRIPTIONS_UNKNOWN;
	for (uint32_t k = 0; k < shards && k < SHARDS_MAX; k++) {
		const struct subscriber *c = subscriptions_client(&r->of[k], id, 0);
		count += c ? c->count : 0;
		count -= c && k ? c->patterns : 0;             /* each shard has them */
		for (const struct subscription *sub = c ? c->first : NULL; sub; sub = sub->next_of_client) {
			const struct subscribed *topic = sub->of.topic;
			if (n + 2 >= room)
				break;
			if (k && topic->is_pattern)
				continue;
			if (n == 0 && topic->len >= room)
				n = (size_t)snprintf(text, room, "%.*s~", (int)room - 2, topic->name);
			else if ((n ? n + 2 : 0) + topic->len < room)
				n += (size_t)snprintf(text + n, room - n, "%s%s", n ? ", " : "", topic->name);
			else
				break;
		}
	}
	return count;
}
