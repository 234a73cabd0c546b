/* routes - see routes.h */
#include "daemon/routes.h"
#include "format/kinds.h"
#include <stdio.h>

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

uint64_t
routes_of_client(struct routes *r, uint32_t shards, uint64_t id, char *text, size_t room)
{
	uint64_t count = 0;
	size_t n = 0;
	text[0] = '\0';
	for (uint32_t k = 0; k < shards && k < SHARDS_MAX; k++) {
		const struct subscriber *c = subscriptions_client(&r->of[k], id, 0);
		count += c ? c->count : 0;
		for (const struct subscription *sub = c ? c->first : NULL; sub; sub = sub->next_of_client) {
			const struct subscribed *topic = sub->of.topic;
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
