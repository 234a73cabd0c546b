/* Who subscribed to what in one shard: the table of a worker, of a stream in broker_sender, and of mom_forwarder. Each
 * change costs the same, however many topics, clients and subscriptions there are; else a reconnect would be
 * quadratic. */
#ifndef SUBSCRIPTIONS_H
#define SUBSCRIPTIONS_H
#include "base/map.h"
#include "format/record.h"
#include "routing/memo.h"
#include "routing/patterns.h"

struct subscription_key { struct subscriber *client; struct subscribed *topic; };

struct subscription {
	struct subscription_key of;
	uint64_t since;
	uint16_t flags;               /* REC_F_NO_ECHO or 0 */
	uint16_t has_run;             /* mom_forwarder: it has got the whole run */
	struct subscription *next_of_client, *next_of_topic;
	struct subscription **link_of_client, **link_of_topic;       /* the pointers that lead to it */
};

/* A client. What a user of the table keeps of it beyond that stands in a struct that begins with this one. */
struct subscriber {
	uint64_t id;
	struct subscription *first;   /* the newest first */
	size_t count, patterns;       /* patterns: so many of them are to patterns */
	uint32_t slot;                /* mom_forwarder: where the client was seen last */
};

/* A topic, likewise; or a pattern, which is a name that no topic can have. */
struct subscribed {
	char *name;
	uint16_t len;
	uint8_t  is_pattern;
	uint8_t  keyed;               /* its subscriptions are in the map `keyed` */
	struct subscription *first;   /* the newest first */
	size_t count;
};

/* All 0 is an empty table. */
struct subscriptions {
	struct map topics, clients;
	struct map keyed;             /* subscriptions of topics that have, or had, more than KEYED_FROM */
	size_t count;
	size_t pattern_count;         /* so many of the topics are patterns */
	int has_own_trees;            /* its user keeps the patterns in trees of his own; else they stand here: */
	struct patterns patterns;
	/* What the table's user found out about topics by subscriptions_match. Each change makes it stale. */
	struct memo memo;
};

void *subscriptions_memory(size_t n);         /* zeroed; none ends the program */
/* NULL: there is none. make: the size of the struct that is made then, all 0 behind the first one; 0: none is made. */
void *subscriptions_topic(struct subscriptions *t, const char *name, uint16_t len, size_t make);
void *subscriptions_client(struct subscriptions *t, uint64_t id, size_t make);
/* Takes an entry without subscriptions out of the table. The client is the caller's; the topic is freed. */
void  subscriptions_forget_client(struct subscriptions *t, struct subscriber *c);
void  subscriptions_forget_topic(struct subscriptions *t, struct subscribed *topic);

/* All patterns that match the topic. They are walked: the user remembers in `memo` what he makes of them. */
size_t subscriptions_match(struct subscriptions *t, const char *topic, uint16_t len, struct subscribed ***patterns);
/* Notes it in `memo`; see memo_put. */
void  subscriptions_note(struct subscriptions *t, const char *topic, uint16_t len, void *value, size_t bytes);

/* NULL: it has not subscribed; also where either is NULL. */
struct subscription *subscriptions_find(const struct subscriptions *t, struct subscriber *c, struct subscribed *topic);
/* It must not be there yet. */
struct subscription *subscriptions_add(struct subscriptions *t, struct subscriber *c, struct subscribed *topic,
    uint64_t since, uint16_t flags);
/* Clients and topics stay. */
void  subscriptions_remove(struct subscriptions *t, struct subscription *sub);

/* For tables in which clients and topics live as long as they have subscriptions. */
/* Takes up a LISTED, SUBSCRIBE, UNSUBSCRIBE or DESTROY. A second SUBSCRIBE replaces `since` and flags. */
void  subscriptions_change(struct subscriptions *t, const struct record *r, const char *topic);
void  subscriptions_clear(struct subscriptions *t);
#endif
