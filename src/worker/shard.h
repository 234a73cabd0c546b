/* A shard's state as plain data: clients, topics, machines. What a record does to it is the same at a replay and live.
 * No I/O here. */
#ifndef SHARD_H
#define SHARD_H
#include "base/map.h"
#include "log/seglog.h"
#include "format/record.h"

struct topic;
struct client;

enum { STARTS_MOST = 4096 };

struct need { uint64_t base, bytes; };    /* of the log segment at base, so much was for a machine */

struct machine {
	uint32_t serial;
	uint64_t place;               /* below this offset it needs nothing */
	uint64_t wanted;              /* nothing at or above this offset is for it */
	size_t   subscriptions, clients;
	int      settled;             /* it has, or had, a client */
	int      live;                /* connected now */
	uint32_t away;                /* seconds that it has not been, while the broker ran */
	uint32_t expired_below;       /* its clients with a lower counter were forgotten for that */
	struct client *first;         /* its clients */
	uint64_t wills_bytes;         /* of its clients' wills */
	struct need *needs;           /* by segment of this worker's life, oldest first */
	size_t   needs_count, needs_room;
	struct machine *next;         /* list of all */
};

struct subscription_key { struct client *client; struct topic *topic; };

struct subscription {
	struct subscription_key of;
	uint64_t since;
	uint16_t flags;
	struct subscription *next_of_client, *next_of_topic;
	struct subscription **link_of_client, **link_of_topic;       /* what leads to it */
};

/* Views are written in turns, behind the answers. What still shows somebody who left goes first: the answer to a client
 * that is destroyed waits for it. */
enum dirty { DIRTY_LEFT, DIRTY_LATER, DIRTY_KINDS };

/* The file that shows a client's topics or a topic's subscribers. New ones are appended: written whole each time, many
 * would take for ever. */
struct view {
	struct view *next_dirty[DIRTY_KINDS];
	unsigned dirty;               /* bits 1 << DIRTY_*: it is in those queues */
	int is_client;                /* else it is a topic's */
	int made;                     /* its file may be there */
	size_t listed;                /* so many of them are in it; 0: it is written anew */
	uint64_t bytes;
};
struct view_queue { struct view *first, *last; };

struct client {
	struct view view;             /* first: a view of a client is one */
	uint64_t id, last;            /* last: number of the last request that was taken */
	uint64_t result_number, result_value;
	int64_t  result_code;
	void    *will;                /* the REC_WILL record; NULL: none */
	/* the first that was refused since the last that was taken: a gap from here on is no loss */
	uint64_t refused_first;
	/* its last loss: told again on its machine's next connection, since this one may break before it is heard */
	uint64_t lost_from, lost_to;
	int durable;
	struct machine *machine;
	struct client *next_of_machine, **link_of_machine;
	struct subscription *subscriptions;   /* the newest first */
	size_t subscribed;
	int left;                     /* a topic that it left may still show it */
	int gone;                     /* destroyed: freed once it is answered and its view removed */
	struct client *next_gone;
	/* where it is answered, while its machine is connected */
	int conn;
	uint32_t slot;
	int touched;
	struct client *next_touched;
};

struct interest { struct machine *machine; size_t count; };

struct topic {
	struct view view;             /* first, as a client's */
	char *name;
	uint16_t len;
	int kept;                     /* made with the store: stays without subscribers */
	int keyed;                    /* its subscriptions are in the shard's map */
	struct subscription *subscriptions;   /* the newest first */
	size_t subscribers;
	struct interest *machines;
	size_t machine_count;
	/* bytes of messages that may still wait for a subscriber; offset behind the newest */
	uint64_t waiting, newest;
};

struct start { uint64_t offset, bits; };      /* of an incarnation: one a start of the worker */

/* See views.h. */
struct views_state {
	int wanted;                   /* they are not off */
	int kept;                     /* and none failed */
	int set_aside;                /* those of before may still be there, under another name */
	int complete, behind;         /* said so; behind: since the last tick at least */
	int64_t retry_ms;             /* one failed: all are made anew then; 0: none did */
};

struct shard {
	uint32_t index;
	int dir;
	struct map clients, topics;
	struct map subscriptions;     /* of the topics that are keyed */
	size_t subscribed;            /* how many there are */
	struct map serials;           /* of machines */
	struct machine *machines;
	struct start *starts;         /* oldest first; the oldest go beyond STARTS_MOST */
	size_t starts_count;
	struct seglog log;
	uint64_t checkpoint;          /* offset that the last check-point is as of */
	struct view_queue dirty[DIRTY_KINDS];
	struct views_state views;
	struct client *gone;          /* destroyed, and their views are: free them once they are answered */
	uint64_t wills_bytes;         /* of all clients' wills */
	int changed;                  /* since the last check-point */
};

void           *shard_memory(size_t n);                     /* zeroed; none ends the program */
struct client  *shard_client(const struct shard *s, uint64_t id);
struct client  *shard_create(struct shard *s, uint64_t id, int durable);
void            shard_destroy(struct shard *s, struct client *c);
struct machine *shard_machine(struct shard *s, uint32_t serial);        /* found or made */
/* Those that are away and never had a client: no check-point tells of them. */
void            shard_forget_machines(struct shard *s);
struct topic   *shard_topic(struct shard *s, const char *name, uint16_t len, int make);
struct subscription *shard_subscription(const struct shard *s, struct client *c, struct topic *t);
void            shard_subscribe(struct shard *s, struct client *c, struct topic *t, uint64_t since, uint16_t flags);
void            shard_unsubscribe(struct shard *s, struct subscription *sub);
void            shard_forget_topic(struct shard *s, struct topic *t);    /* where nobody needs it */
/* What a record of the log does. end: offset behind it. shard_message: the same for a message of a known client; 1:
 * somebody wants it. */
int             shard_message(struct shard *s, struct client *c, const struct record *r, const char *topic,
    uint64_t end);
void            shard_apply(struct shard *s, const void *bytes, uint64_t end);
/* the log is needed from this offset on: at most least */
uint64_t        shard_needed_from(const struct shard *s, uint64_t least);
void            shard_start(struct shard *s, uint64_t offset, uint64_t bits);
/* or has forgotten it; offset 0: none was shown */
int             shard_knows_start(const struct shard *s, uint64_t offset, uint64_t bits);
int             machine_pins(const struct machine *m, uint64_t end);     /* it may need something below that offset */
/* by a machine that has not taken it yet */
int             shard_record_is_needed(const struct shard *s, const void *bytes);

/* it is that from here on; NULL: none */
void            shard_will(struct shard *s, struct client *c, const void *record);
/* the caller's from here on; NULL: it has none */
char           *shard_will_take(struct shard *s, struct client *c);
void            shard_mark(struct shard *s, struct view *v, enum dirty queue);   /* its view is to be written */
struct view    *shard_next_dirty(struct shard *s, enum dirty queue);     /* out of that queue; NULL: there is none */
void            shard_is_clean(struct shard *s, struct view *v);         /* written: it goes where nobody needs it */
void            shard_free_gone(struct shard *s);
/* all views are made otherwise, all answers given */
void            shard_clean(struct shard *s);
#endif
