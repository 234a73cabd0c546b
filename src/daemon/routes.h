/* Who on this machine gets a topic: the forwarder routes by the broker's list and its changes, by nothing else. */
#ifndef ROUTES_H
#define ROUTES_H
#include "common/map.h"
#include <mom/record.h>
struct route_sub { uint64_t client, since; uint16_t flags, has_run; uint32_t slot; };      /* slot: where the client was seen last; has_run: see mom_forwarder */
struct route { char *topic; uint16_t len; uint32_t shard; struct route_sub *subs; size_t count, room; };
struct route_client { uint64_t id; size_t count; };            /* of its subscriptions: most have none */
struct routes { struct map topics, clients; uint64_t awaited[SHARDS_MAX]; int listed[SHARDS_MAX]; };
struct route *routes_find(const struct routes *r, const char *topic, uint16_t len);
void routes_change(struct routes *r, const struct record *rec, const char *topic);   /* LIST, LISTED, SUBSCRIBE, UNSUBSCRIBE, DESTROY */
const struct route_sub *route_sub_of(const struct route *route, uint64_t client);
#endif
