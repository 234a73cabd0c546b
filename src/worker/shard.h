/* A shard's state as plain data: clients, topics, machines. A record has the same effect on it at a replay as live. No
 * I/O here. */
#ifndef SHARD_H
#define SHARD_H
#include "log/seglog.h"
#include "routing/subscriptions.h"
#include "worker/groups.h"

struct topic;
struct client;

enum { STARTS_MOST = 4096 };

struct need { uint64_t base, bytes; };    /* so many bytes of the log segment at base were for a machine */

struct machine {
	uint32_t serial;
	uint64_t place;               /* below this offset it needs nothing */
	uint64_t wanted;              /* nothing at or above this offset is for it */
	size_t   subscriptions, clients;
	int      settled;             /* it has, or had, a client */
	int      live;                /* connected now */
	uint32_t away;                /* seconds that it has been away, while the broker ran */
	uint32_t expired_below;       /* its clients with a lower counter were forgotten, since it was away too long */
	struct client *first;         /* its clients */
	uint64_t wills_bytes;         /* bytes of its clients' wills */
	struct patterns patterns;     /* to which its clients subscribed */
	size_t   pattern_levels;      /* of all of them */
	/* 1: to find out whether they match a topic took too long: until they change, it is taken that all do. Its
	 * sender looks exactly. */
	int      wants_all;
	struct need *needs;           /* one for each segment of this worker's life, oldest first */
	size_t   needs_count, needs_room;
	struct machine *next;         /* in the list of all machines */
};

/* Views are written in turns, behind the answers. DIRTY_LEFT: views that still show somebody who left. They go first,
 * since the answer to a client that is destroyed waits for them. DIRTY_LATER: all others. */
enum dirty { DIRTY_LEFT, DIRTY_LATER, DIRTY_KINDS };

/* The file that shows a client's topics or a topic's subscribers. New entries are appended; rewriting the whole file
 * each time would be quadratic. */
struct view {
	struct view *next_dirty[DIRTY_KINDS];
	unsigned dirty;               /* bits 1 << DIRTY_*: the queues that it is in */
	int is_client;                /* else it is a topic's */
	int made;                     /* its file may be there */
	size_t listed;                /* so many entries are in the file; 0: the file is written anew */
	uint64_t bytes;
};
struct view_queue { struct view *first, *last; };

struct client {
	struct subscriber subscriber; /* the first member, as the table wants it */
	struct view view;
	uint64_t last;                /* number of the last request that was taken */
	uint64_t result_number, result_value;
	int64_t  result_code;
	void    *will;                /* the REC_WILL record; NULL: none */
	/* Number of the first request that was refused since the last one that was taken. A gap from here on is no
	 * loss. */
	uint64_t refused_first;
	/* Its last loss. It is told again on its machine's next connection, since this one may break before the loss is
	 * heard. */
	uint64_t lost_from, lost_to;
	int durable;
	size_t pattern_levels;        /* of all patterns that it subscribed to */
	struct member *memberships;   /* of groups */
	struct machine *machine;
	struct client *next_of_machine, **link_of_machine;
	int left;                     /* a topic that it left may still show it */
	int gone;                     /* destroyed; it is freed once it is answered and its view removed */
	struct client *next_gone;
	/* Connection and slot where it is answered, while its machine is connected. */
	int conn;
	uint32_t slot;
	int touched;
	struct client *next_touched;
};

struct interest { struct machine *machine; size_t count; };

struct topic {
	struct subscribed subscribed; /* the first member, as the table wants it */
	struct view view;
	int kept;                     /* made with the store: it stays without subscribers */
	struct interest *machines;
	size_t machine_count;
	/* waiting: bytes of messages that may still wait for a subscriber. newest: offset behind the newest message. */
	uint64_t waiting, newest;
};

struct start { uint64_t offset, bits; };      /* an incarnation: each start of the worker begins one */

/* See views.h. */
struct views_state {
	int wanted;                   /* views are to be kept: --views is not off */
	int kept;                     /* ... and none failed */
	int set_aside;                /* old views may still be there, under another name */
	/* complete: the file `views` was written; behind: some were still to be written at the last tick */
	int complete, behind;
	int64_t retry_ms;             /* one failed, and all are made anew at this time; 0: none failed */
};

struct shard {
	uint32_t index;
	int dir;
	struct subscriptions table;   /* of struct client and struct topic */
	struct map serials;           /* machines by serial */
	struct machine *machines;
	struct start *starts;         /* oldest first; beyond STARTS_MOST the oldest go */
	size_t starts_count;
	/* boot: of the kernel, as the last start says. risk: fast messages below this may have been handed out before a
	 * power cut that took the word of it. */
	uint64_t boot, risk;
	struct groups groups;
	struct seglog log;
	uint64_t checkpoint;          /* the last check-point is as of this offset */
	struct view_queue dirty[DIRTY_KINDS];
	struct views_state views;
	struct client *gone;          /* destroyed clients whose views are gone; freed once they are answered */
	uint64_t wills_bytes;         /* bytes of all clients' wills */
	int changed;                  /* since the last check-point */
};

struct client  *shard_client(const struct shard *s, uint64_t id);
struct client  *shard_create(struct shard *s, uint64_t id, int durable);
void            shard_destroy(struct shard *s, struct client *c);
struct machine *shard_machine(struct shard *s, uint32_t serial);        /* found or made */
/* Forgets machines that are away and never had a client. No check-point tells of them. */
void            shard_forget_machines(struct shard *s);
struct topic   *shard_topic(struct shard *s, const char *name, uint16_t len, int make);
void            shard_subscribe(struct shard *s, struct client *c, struct topic *t, uint64_t since, uint16_t flags);
void            shard_unsubscribe(struct shard *s, struct subscription *sub);
void            shard_forget_topic(struct shard *s, struct topic *t);    /* if nobody needs it */
/* The machines whose clients subscribed to patterns that match the topic. NULL: there are none. Valid until the next
 * call. */
struct reach { size_t count; struct machine *machine[]; };
const struct reach *shard_reach(struct shard *s, const char *topic, uint16_t len);
/* A record that ends there is for that machine. */
void            shard_machine_wants(struct shard *s, struct machine *m, const struct record *r, uint64_t end);
/* Applies a record of the log. end: offset behind the record. shard_message does it for a message of a known client; 1:
 * somebody wants the message. */
int             shard_message(struct shard *s, struct client *c, const struct record *r, const char *topic,
    uint64_t end);
void            shard_apply(struct shard *s, const void *bytes, uint64_t end);
/* The log is needed from this offset on. It is at most `least`. */
uint64_t        shard_needed_from(const struct shard *s, uint64_t least);
void            shard_start(struct shard *s, uint64_t offset, uint64_t bits);
/* 1: the shard knows this start, or the start is so old that the shard has forgotten it, or offset is 0 (the machine
 * showed none). */
int             shard_knows_start(const struct shard *s, uint64_t offset, uint64_t bits);
/* 1: the machine may need something below that offset */
int             machine_pins(const struct machine *m, uint64_t end);
/* 1: a machine that has not taken the record yet needs it. */
int             shard_record_is_needed(struct shard *s, const void *bytes);

/* The client's will from here on is this record. NULL: none. */
void            shard_will(struct shard *s, struct client *c, const void *record);
/* Takes the will away; it is the caller's from here on. NULL: the client has none. */
char           *shard_will_take(struct shard *s, struct client *c);
struct client  *view_client(struct view *v);                /* whose view it is */
struct topic   *view_topic(struct view *v);
void            shard_mark(struct shard *s, struct view *v, enum dirty queue);   /* this view is to be written */
/* takes one out of that queue; NULL: it is empty */
struct view    *shard_next_dirty(struct shard *s, enum dirty queue);
/* it is written; what it shows goes if nobody needs it */
void            shard_is_clean(struct shard *s, struct view *v);
void            shard_free_gone(struct shard *s);
/* Empties the queues and frees who is gone: all views are to be made anew, and all answers are given. */
void            shard_clean(struct shard *s);
#endif
