/* Who on this machine gets a topic. The forwarder routes by the broker's list and its changes, and by nothing else. */
#ifndef ROUTES_H
#define ROUTES_H
#include "routing/subscriptions.h"
struct routes {
	struct subscriptions of[SHARDS_MAX];
	uint64_t awaited[SHARDS_MAX];         /* so many entries of the list are still to come */
	int listed[SHARDS_MAX];               /* the list is whole */
	int changed;                          /* since whoever shows them looked */
};
/* Takes up a LIST, LISTED, SUBSCRIBE, UNSUBSCRIBE or DESTROY. */
void routes_change(struct routes *r, const struct record *rec, const char *topic);
/* How many subscriptions a client has. text: names of as many of its topics as fit, ", " between them; a first one that
 * is too long ends with ~. */
uint64_t routes_of_client(struct routes *r, uint32_t shards, uint64_t id, char *text, size_t room);
#endif
