/* routes - see routes.h */
#include "daemon/routes.h"
#include "format/kinds.h"

void
routes_change(struct routes *r, const struct record *rec, const char *topic)
{
	struct subscriptions *of = &r->of[rec->shard];
	if (rec->type == REC_LIST) {
		subscriptions_clear(of);
		r->awaited[rec->shard] = rec->aux;
		r->listed[rec->shard] = rec->aux == 0;
	} else if (rec->type == REC_LISTED || kind_of(rec->type)->changes_subscriptions)
		subscriptions_change(of, rec, topic);
	if (rec->type == REC_LISTED && r->awaited[rec->shard] && --r->awaited[rec->shard] == 0)
		r->listed[rec->shard] = 1;
}
