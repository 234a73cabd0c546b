/* Who on this machine gets a topic. The forwarder routes by the broker's list and its changes, and by nothing else. */
#ifndef ROUTES_H
#define ROUTES_H
#include "ipc/layout.h"
#include "routing/subscriptions.h"
struct routes {
	struct subscriptions of[SHARDS_MAX];
	uint64_t awaited[SHARDS_MAX];         /* so many entries of the list are still to come */
	int listed[SHARDS_MAX];               /* the list is whole */
	int changed;                          /* since whoever shows them looked */
	/* Subscriptions of that client in that shard that were made below this count no more. NULL: all count. */
	uint64_t (*cut)(uint64_t client, uint32_t shard);
};
/* Takes up a LIST, LISTED, SUBSCRIBE, UNSUBSCRIBE or DESTROY. */
void routes_change(struct routes *r, const struct record *rec, const char *topic);
/* All who get a topic: its subscriptions; or where patterns match, too, a list made of them and of those of the
 * patterns. In that list a client stands once, or twice if its own messages are another matter. A change takes effect
 * at the next call, and the list that was returned before is gone then. NULL: nobody gets it. */
struct subscribed *routes_reach(struct routes *r, uint32_t shard, const char *topic, uint16_t len);
/* What `cut` says has changed. */
void routes_forget(struct routes *r);
/* 1: a subscription of the client, to the topic or to a pattern, was made before that offset. */
int  routes_want(struct routes *r, uint32_t shard, uint64_t client, const char *topic, uint16_t len, uint64_t offset);
/* How many patterns the client has; -1: not known, the list of a shard is not whole yet. */
long routes_patterns(struct routes *r, uint32_t shards, uint64_t client);
/* How many subscriptions a client has. text: names of as many of its topics as fit, ", " between them; a first one that
 * is too long ends with ~. SUBSCRIPTIONS_UNKNOWN: the list of a shard is not whole yet. */
uint64_t routes_of_client(struct routes *r, uint32_t shards, uint64_t id, char *text, size_t room);
#endif
