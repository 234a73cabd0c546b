/* Who on this machine gets a topic. The forwarder routes by the broker's list and its changes, and by nothing else.
 * Each change costs the same, however many topics, clients and subscribers there are; else a reconnect would be
 * quadratic. */
#ifndef ROUTES_H
#define ROUTES_H
#include "base/map.h"
#include "format/record.h"
struct route_link;
struct route_sub {
	uint64_t client, since;
	uint16_t flags, has_run;              /* has_run: it has got the whole run, see mom_forwarder.c */
	uint32_t slot;                        /* where the client was seen last */
	struct route_link *link;
};
struct route { char *topic; uint16_t len; uint32_t shard; struct route_sub *subs; size_t count, room; int keyed; };
struct route_key { uint64_t client; struct route *route; };
/* a subscription, in the list of those that its client has in that shard */
struct route_link {
	struct route_key of;
	size_t at;                            /* its place in subs */
	struct route_link *next, **link;      /* link: the pointer that leads to it */
};
struct route_client { uint64_t key[2]; struct route_link *links; };        /* key: id, shard */
struct routes {
	struct map topics[SHARDS_MAX], clients;
	struct map links;                     /* those of the topics that are keyed */
	uint64_t awaited[SHARDS_MAX];
	int listed[SHARDS_MAX];
};
struct route *routes_find(const struct routes *r, uint32_t shard, const char *topic, uint16_t len);
/* Takes up a LIST, LISTED, SUBSCRIBE, UNSUBSCRIBE or DESTROY. */
void routes_change(struct routes *r, const struct record *rec, const char *topic);
/* The client's subscription in that route, or NULL. route may be NULL. */
struct route_sub *routes_sub(const struct routes *r, struct route *route, uint64_t client);
#endif
