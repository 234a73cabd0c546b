/* What a handle is inside libmom. One thread at a time uses it; other processes only see its segment. */
#ifndef HANDLE_H
#define HANDLE_H
#include "ipc/idling.h"
#include "format/topic.h"
#include <mom.h>
#include "ipc/layout.h"
#include <stdarg.h>
#include <sys/types.h>

struct pending { uint64_t number, topic_hash; int type; };    /* a subscribe or unsubscribe that timed out */

struct handle {
	int id, socket;
	uint8_t nonce[16];            /* of its registration: who comes again with it is the same client */
	char name[MOM_NAME_MAX + 4];
	int watch, watch_timer;       /* mom_fd: an epoll descriptor, and what makes it readable on our own; -1: none */
	int watch_mark;               /* ... and a socket in it by whose inode the two are known to be ours still */
	ino_t watch_inode;
	atomic_int watch_timed;       /* the timer is set, or has made it readable */
	unsigned watch_wait_ms;       /* the daemon is away: looked for again so soon */
	/* a program that closes all descriptors may have its own under this number by now */
	ino_t socket_inode;
	uint32_t owner;               /* the client is ours while the segment's word says so */
	int unknown;                  /* its daemon does not know the client any more */
	int64_t asked_ms;             /* when a successor of the daemon was looked for */
	uint64_t era;                 /* of the process: a forked child's handles are not its own */
	struct client_segment *segment;
	uint64_t ring;                /* bytes of each of its two rings */
	struct ring_writer out;
	uint64_t tail, tail_lap;      /* of the request ring */
	uint64_t trimmed_at;          /* its head, when the tail was last moved */
	struct ring_reader mail;      /* at: the next message to look at */
	uint64_t mail_tail, mail_tail_lap;    /* below: freed */
	int was_behind;               /* when the mail box was freed last */
	uint64_t handed;              /* bit a shard: handed out and not acknowledged */
	uint32_t shards;
	uint64_t wills;               /* bits of the shards where a will of this process may lie */
	struct topic_memo topic;
	struct idling idling;
	uint64_t waited_at;           /* where `mail` was at the last wait */
	unsigned step_us;             /* how long it slept last where it may not use its semaphore */
	long timeout_ms, window;
	int manual_ack;
	_Atomic int woken;
	uint64_t failed;              /* requests that failed since the last flush */
	int failed_code;
	char failed_text[256];
	uint64_t lost;                /* fast messages that a power cut took, not told yet */
	char lost_text[160];
	struct pending pending[SHARDS_MAX];
	/* what a library on top keeps with the handle, and how it is ended before the handle is; NULL: none */
	void *rider;
	void (*rider_end)(void *rider);
	void *resources;              /* the same of mom_resource.h */
	void (*resources_end)(void *resources);
	char text[320];
	char gap[200];                /* what a MOM_GAP message says */
};

/* NULL: MOM_EBADID or MOM_EFORK in *error, its text is this thread's */
struct handle *handle_get(int id, int *error);
struct handle *handle_peek(int id);                   /* without complaints */
/* the same for a thread that does not own it: it stays until handle_return. Async-signal-safe */
struct handle *handle_borrow(int id);
void handle_return(int id);
int  handle_add(struct handle *h, int wish);          /* its local id */
/* out of the table; 1: nobody uses it any more, 0: its memory has to stay */
int  handle_remove(struct handle *h);
uint64_t handle_era(void);                            /* of this process */
/* h NULL: this thread's text */
int  handle_fail(struct handle *h, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
int  handle_poisoned(struct handle *h);              /* MOM_EPROTO with its text */
int  handle_ended(struct handle *h);                 /* MOM_EBADID with its text */

/* The daemon ended this client, or gave it to another process: what is asked for from now on is sent by nobody. */
static inline int
handle_is_ended(const struct handle *h)
{
	return atomic_load_explicit(&h->segment->owner, memory_order_relaxed) != h->owner || h->unknown;
}
const char *handle_thread_text(void);

/* Sleep until done(h, with), which ASLEEP_FOR_* may change; the deadline (-1: never) or, where WAIT_INTERRUPTIBLE, a
 * signal or mom_wake. 0, MOM_ETIMEDOUT, MOM_EINTR, MOM_EPROTO. */
enum { WAIT_INTERRUPTIBLE = 256 };
typedef int (*done_fn)(struct handle *h, const void *with);
int64_t handle_deadline(long timeout_ms);
/* the handle's own time-out from the first sleep on: most calls never sleep, and a clock costs */
#define DEADLINE_DEFAULT INT64_MIN
/* by what ends each wait; the last look before a sleep, or a poll */
int  is_interrupted(const struct handle *h, unsigned how);
int  handle_wait(struct handle *h, done_fn done, const void *with, int64_t deadline, unsigned how);

/* mom_fd */
/* nothing was found: be woken by what comes. The caller looks once more */
void watch_arm(struct handle *h);
void watch_now(struct handle *h);                     /* readable, whatever comes. Async-signal-safe */
void watch_leave_door(struct handle *h);              /* the registration's socket is given up ... */
void watch_take_door(struct handle *h);               /* ... or is another one now */
void watch_close(struct handle *h);

/* requests */
int  will_withdraw(struct handle *h);
int  publish_check(struct handle *h, const char *topic, size_t *topic_len, uint32_t *shard, const void *data,
    size_t len, unsigned flags);
struct ask { int type; unsigned flags; uint32_t shard; const char *topic; uint16_t topic_len; const void *data;
    uint32_t len; uint64_t aux; };
int  request_append(struct handle *h, const struct ask *ask, int64_t deadline, uint64_t *number);
void requests_look(struct handle *h);                 /* refusals, losses, late results: into the handle's accounts */
/* acknowledged: 0; refused: its code */
int  request_outcome(struct handle *h, uint32_t shard, uint64_t number, int64_t deadline);
/* all of them, as the forwarder did; not waited for */
int  requests_end_subscriptions(struct handle *h, int64_t deadline);
int  client_is_cut(const struct handle *h);
uint64_t requests_open(const struct handle *h);       /* how many are neither acknowledged nor given up */
int  requests_flush(struct handle *h, int64_t deadline, unsigned interruptible);
int  answer_code(int64_t code, int may_succeed);     /* MOM_EPROTO where it is none of ours */
/* What was unsubscribed while mail of it may still come: see struct tombstone. */
void tombstone_add(struct handle *h, uint64_t hash, uint32_t shard, uint64_t offset);
void tombstones_sweep(struct handle *h);              /* those that nothing can come for any more */
static inline int
has_mail(const struct handle *h)
{
	return atomic_load_explicit(&h->mail.ring->head, memory_order_acquire) != h->mail.at;
}
#endif
