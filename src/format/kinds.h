/* The kinds of records. One table says what each kind may carry and what follows from that. Whoever has to know asks
 * the table. mom_requester and broker_handler ask what a request may look like. worker asks what room it takes and
 * whether it waits for a sync. broker_sender and mom_responser ask whom it is for; db_dump asks its name. A new kind
 * needs one row here, one function that does what it asks for, and one test: see diagrams/change.md.
 *
 *     if (kind_of(r.type)->topic == CARRIES_ALWAYS) ... */
#ifndef KINDS_H
#define KINDS_H

#include "format/record.h"
#include "format/topic.h"

/* Who makes records of this kind, and where they go. */
enum kind_way {
	WAY_NONE,              /* there is no such kind */
	WAY_REQUEST,           /* a client, through its ring, to the broker and into its log */
	WAY_UP,                /* a daemon, to its broker */
	WAY_DOWN,              /* a broker, to its daemons */
	WAY_BOTH,
	WAY_LOG,               /* whoever writes a log makes it; nobody sends it */
	WAY_CHECKPOINT,        /* worker writes it into check-points */
	WAY_RING               /* whoever writes a ring makes it */
};

/* CARRIES_WITH_TOPIC: only if the record has a topic. CARRIES_WITHOUT_TOPIC: only if it has none. */
enum kind_carries { CARRIES_NEVER, CARRIES_ALWAYS, CARRIES_MAYBE, CARRIES_WITH_TOPIC, CARRIES_WITHOUT_TOPIC };

enum { PATTERN_OR_TOPIC = 2 };

struct kind {
	const char *name;
	enum kind_way way;
	enum kind_carries topic;
	/* A pattern may stand where its topic stands; it belongs to every shard. PATTERN_OR_TOPIC: so does a topic. */
	int pattern;
	enum kind_carries payload;      /* requests: properties and bytes behind the topic */
	/* Requests: it ends something, so it may take the room that a full store keeps for such requests. */
	enum kind_carries makes_room;
	int is_durable;                 /* requests: 1: always on disk before the answer; 0: its flag decides */
	/* Requests: it changes subscriptions, so the view of its topic and the table of its machine follow it. */
	int changes_subscriptions;
	int is_delivered;               /* a broker sends it down to a machine's mom_forwarder */
};

const struct kind *kind_of(uint8_t type);      /* never NULL; an unknown type has WAY_NONE and the name UNKNOWN */

/* 1: a record with that topic_len (0: no topic) carries this, or may carry it */
int kind_carries(enum kind_carries carries, uint16_t topic_len);

/* What is wrong with a request's topic and payload, wherever it comes from. */
enum shape {
	SHAPE_GOOD,
	SHAPE_NO_REQUEST,      /* a kind that no client may send */
	SHAPE_TOPIC_UNWANTED,
	SHAPE_TOPIC_BAD,       /* not a valid topic, or none where there has to be one */
	SHAPE_TOPIC_ELSEWHERE, /* the topic belongs to another shard */
	SHAPE_PAYLOAD_UNWANTED, /* or properties */
	SHAPE_ORDER_BAD,       /* of a group, or what became of a hand */
	SHAPE_PROPERTIES_BAD,
	SHAPE_PROPERTIES_LARGE, /* more than PROPERTIES_MOST bytes */
	SHAPE_PAYLOAD_LARGE    /* more than message_max bytes */
};
/* frame has to be sound (record.h); r holds its header. memo is the caller's; it is used for the topics of all requests
 * that the caller looks at. */
enum shape request_shape(const void *frame, const struct record *r, struct topic_memo *memo, uint32_t shards,
    uint32_t message_max);

#endif
