/* Who on this machine gets a topic: the forwarder routes by the broker's list and its changes, by nothing else. Each
 * change costs the same, however many topics, clients and subscribers there are: else a reconnect is quadratic. */
#ifndef ROUTES_H
#define ROUTES_H
#include "base/map.h"
#include "format/record.h"
struct route_link;
struct route_sub {
	uint64_t client, since;
	uint16_t flags, has_run;              /* has_run: see mom_forwarder */
	uint32_t slot;                        /* where the client was seen last */
	struct route_link *link;
};
struct route { char *topic; uint16_t len; uint32_t shard; struct route_sub *subs; size_t count, room; int keyed; };
struct route_key { uint64_t client; struct route *route; };
struct route_link {                            /* a subscription, among those of its client in that shard */
	struct route_key of;
	size_t at;                            /* in subs */
	struct route_link *next, **link;      /* link: what leads to it */
};
struct route_client { uint64_t key[2]; struct route_link *links; };        /* key: id, shard */
struct routes {
	struct map topics[SHARDS_MAX], clients;
	struct map links;                     /* of the topics that are keyed */
	uint64_t awaited[SHARDS_MAX];
	int listed[SHARDS_MAX];
};
struct route *routes_find(const struct routes *r, uint32_t shard, const char *topic, uint16_t len);
/* LIST, LISTED, SUBSCRIBE, UNSUBSCRIBE, DESTROY */
void routes_change(struct routes *r, const struct record *rec, const char *topic);
struct route_sub *routes_sub(const struct routes *r, struct route *route, uint64_t client);  /* or NULL; route, too */
#endif
