/* What a handle is inside libmom. One thread at a time uses it. Other processes only see its segment. */
#ifndef HANDLE_H
#define HANDLE_H
#include "ipc/idling.h"
#include "format/topic.h"
#include <mom.h>
#include "ipc/layout.h"
#include <stdarg.h>
#include <sys/types.h>

/* a request with a result that timed out; of a LEAVE the hash is the group's */
struct pending { uint64_t number, topic_hash; int type; };
enum { MESSAGE_SHARD = 24 };                       /* of a hand: the shard stands in its flags from this bit on */

/* A pattern that one shard refused: those that took it give it up. owed: bits of the shards to which an UNSUBSCRIBE is
 * still to be sent; awaited: of those whose answer to the SUBSCRIBE says whether one is. One at a time. */
struct take_back { uint64_t owed, awaited; uint16_t len; char name[MOM_TOPIC_MAX]; };

enum caller_kind { CALLER_RPC, CALLER_RESOURCE, CALLER_KINDS };

struct property;
struct handle {
	int id, socket;
	uint8_t nonce[16];            /* of its registration; whoever registers with it again is the same client */
	char name[MOM_NAME_MAX + 4];
	int watch, watch_timer;       /* mom_fd: an epoll descriptor, and a timer that makes it readable; -1: none */
	int watch_mark;               /* ... and a socket in it; its inode shows that both are still ours */
	ino_t watch_inode;
	atomic_int watch_timed;       /* the timer is set, or has made it readable */
	unsigned watch_wait_ms;       /* the daemon is away: it is looked for again after this time */
	/* The socket's inode. A program that closes all descriptors may have another one under the socket's number by
	 * now. */
	ino_t socket_inode;
	uint32_t owner;               /* the client is ours while the segment's word `owner` is this */
	int unknown;                  /* its daemon does not know the client any more */
	int64_t asked_ms;             /* when a successor of the daemon was looked for last */
	uint64_t era;                 /* era of its process; a forked child may not use it */
	struct client_segment *segment;
	uint64_t ring;                /* bytes of each of its two rings */
	struct ring_writer out;
	uint64_t tail, tail_lap;      /* tail of the request ring */
	uint64_t trimmed_at;          /* head of the request ring when its tail was moved last */
	struct ring_reader mail;      /* at: the next message to look at */
	uint64_t mail_tail, mail_tail_lap;    /* mail below this is freed */
	int was_behind;               /* was the client behind when the mail box was freed last? */
	uint64_t handed;              /* a bit for each shard: mail was handed out and is not acknowledged */
	uint32_t shards;
	uint64_t wills;               /* a bit for each shard where a will of this process may lie */
	struct topic_memo topic;
	struct idling idling;
	uint64_t waited_at;           /* where `mail` was at the last wait */
	unsigned step_us;             /* how long it slept last, if it may not use its semaphore */
	long timeout_ms, window;
	int manual_ack;
	_Atomic int woken;
	uint64_t failed;              /* requests that failed since the last flush */
	int failed_code;
	char failed_text[256];
	int has_fast;                 /* it has published with MOM_FAST */
	uint64_t lost;                /* fast messages that a power cut took, not told yet */
	char lost_text[160];
	struct pending pending[SHARDS_MAX];
	struct take_back back;
	long prefetch;                /* of the groups that it joins from now on */
	struct given *given;          /* see hand.h */
	/* given_open: with the program; unsent: from unsent_from on; look_at: when the list is looked through next */
	size_t given_count, given_room, given_open, unsent, unsent_from, look_at;
	struct left *left;
	size_t left_count;
	uint64_t hands_from[SHARDS_MAX];      /* hands below this are those of an earlier process */
	uint64_t open_plain;          /* a bit for each shard: not only hands are unacknowledged */
	struct caller *caller[CALLER_KINDS];         /* see caller.h; NULL: none */
	char text[320];
	char gap[200];                /* what a MOM_GAP message says */
};

/* The handle of that id. NULL: *error is MOM_EBADID or MOM_EFORK, and its text is this thread's. */
struct handle *handle_get(int id, int *error);
struct handle *handle_get_whole(int id, int *error);      /* ... and its segment is not broken, nor its client ended */
struct handle *handle_peek(int id);                   /* the same without an error */
/* The same for a thread that does not own the handle. The handle stays until handle_return. Async-signal-safe. */
struct handle *handle_borrow(int id);
void handle_return(int id);
int  handle_add(struct handle *h, int wish);          /* returns its local id */
/* Takes it out of the table. 1: nobody uses it any more; 0: its memory has to stay. */
int  handle_remove(struct handle *h);
uint64_t handle_era(void);                            /* the era of this process */
/* Sets the text and returns code. h NULL: the text is this thread's. */
int  handle_fail(struct handle *h, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
int  handle_poisoned(struct handle *h);              /* returns MOM_EPROTO and sets its text */
int  handle_ended(struct handle *h);                 /* returns MOM_EBADID and sets its text */

/* 1: the daemon ended this client, or gave it to another process. Nobody sends what is asked for from now on. */
static inline int
handle_is_ended(const struct handle *h)
{
	return atomic_load_explicit(&h->segment->owner, memory_order_relaxed) != h->owner || h->unknown;
}
const char *handle_thread_text(void);

/* Sleeps until done(h, with) is true; ASLEEP_FOR_* in `how` names what may change it. It also ends at the deadline (-1:
 * never) and, with WAIT_INTERRUPTIBLE, for a signal or mom_wake. Returns 0, MOM_ETIMEDOUT, MOM_EINTR, MOM_EPROTO,
 * MOM_EBADID. */
enum { WAIT_INTERRUPTIBLE = 256 };
typedef int (*done_fn)(struct handle *h, const void *with);
int64_t handle_deadline(long timeout_ms);
/* The handle's own time-out, counted from the first sleep on. Most calls never sleep, and to ask a clock costs time. */
#define DEADLINE_DEFAULT INT64_MIN
/* Is there something that ends every wait? It is asked last before a sleep, or before a poll. */
int  is_interrupted(const struct handle *h, unsigned how);
int  handle_wait(struct handle *h, done_fn done, const void *with, int64_t deadline, unsigned how);

/* mom_fd */
/* Nothing was found: what comes from now on is to wake the descriptor. The caller looks once more after it. */
void watch_arm(struct handle *h);
void watch_now(struct handle *h);                     /* makes it readable at once. Async-signal-safe */
void watch_leave_door(struct handle *h);              /* gives up the registration's socket ... */
void watch_take_door(struct handle *h);               /* ... or takes another one */
void watch_close(struct handle *h);

/* requests */
/* properties: NULL, or checked by properties_check, which says properties_size. */
struct ask { int type; unsigned flags; uint32_t shard; const char *topic; uint16_t topic_len; const void *data;
    uint32_t len; uint64_t aux; const struct mom_properties *properties; uint32_t properties_size; };
int  will_withdraw(struct handle *h);
/* What mom_publish and mom_will ask for, with all but the type and flags of the request. 0, or an error. */
int  publish_check(struct handle *h, const struct mom_message *m, const struct mom_properties *properties,
    unsigned flags, struct ask *ask);
/* Bytes of the properties in a record, or an error. */
long properties_check(struct handle *h, const struct mom_properties *p);
/* The first property with that tag of a received message. 0: it has none. */
int  message_property(const struct mom_message *m, uint8_t tag, struct property *p);
char *properties_put(char *at, const struct mom_properties *p, uint32_t size);       /* returns their end */
int  request_append(struct handle *h, const struct ask *ask, int64_t deadline, uint64_t *number);
/* Tells the broker what became of hands (hand.h) and is not told yet, as far as the ring has room. */
void hands_push(struct handle *h);
/* takes refusals, losses and late results into the handle's accounts */
void requests_look(struct handle *h);
/* Waits for the answer. Acknowledged: 0; refused: its code; else as handle_wait. */
int  request_outcome(struct handle *h, uint32_t shard, uint64_t number, int64_t deadline);
/* Sends what h->back owes. A shard that has an answer to give first is left out. take_back_look: as far as there is
 * room. */
int  take_back_send(struct handle *h, int64_t deadline);
void take_back_look(struct handle *h);
/* Ends all subscriptions, as the forwarder did. It does not wait for the answer. */
int  requests_end_subscriptions(struct handle *h, int64_t deadline);
int  client_is_cut(const struct handle *h);
uint64_t requests_open(const struct handle *h);       /* how many requests are neither acknowledged nor given up */
int  requests_flush(struct handle *h, int64_t deadline, unsigned interruptible);
int  answer_code(int64_t code, int may_succeed);     /* MOM_EPROTO if it is none of ours */
/* Notes a topic that was unsubscribed while mail of it may still come: see struct tombstone. */
void tombstone_add(struct handle *h, uint64_t hash, uint32_t shard, uint64_t offset);
void tombstones_sweep(struct handle *h);              /* drops those for which nothing can come any more */
static inline int
has_mail(const struct handle *h)
{
	return atomic_load_explicit(&h->mail.ring->head, memory_order_acquire) != h->mail.at;
}
#endif
