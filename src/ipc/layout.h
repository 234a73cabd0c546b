/* What our processes share in memory. Each word has one writer, which is named in front of it; nothing is a lock. A
 * word with a request number or an offset holds it as a whole and only grows, so a stale one is always lower. Only
 * supervisors create and remove segments.
 *
 * Words with a second writer:
 *   - The writer of a bell takes it, and so do supervisors; its reader clears it.
 *   - All processes of a server write its log_limits.
 *   - While no process has a client, mom_daemon writes words of libmom in the client's segment: next, first, handed,
 *     acked, asleep, goodbye, the head of the request ring and the tail of the mail ring. handed may go back then.
 *     mom_daemon also writes cuts and cut then, which are the forwarder's.
 *   - At its start mom_daemon writes start and start_bits of machine_table, which are the forwarder's.
 *   - broker_server sets `ready` back to 0 when it starts or ends a worker. */
#ifndef MOM_IPC_H
#define MOM_IPC_H

#include "base/log_peer.h"
#include "ipc/ring.h"
#include "format/limits.h"
#include <stdatomic.h>

enum { IPC_LAYOUT = 8, PAGE = 4096 };
typedef _Atomic uint64_t word64;
typedef _Atomic uint32_t word32;
typedef _Atomic int32_t  id_word;

#define ROUND_PAGE(n) (((n) + PAGE - 1) / PAGE * PAGE)
#define RING_BYTES(size) ROUND_PAGE(sizeof(struct ring) + (size_t)(size))

/* What a worker has to say to one client. The worker writes it in the broker; mom_responser copies it to the client's
 * segment. A result is read in this order: number, code, value, number again. number is 0 while it changes. */
struct result_word { word64 number, value; _Atomic int64_t code; };
struct answer_words {
	word64 version;               /* grows with every change (broker only) */
	word64 acked;                 /* all requests up to this number are taken */
	word64 refused, refused_code; /* the last refusal: read both by refused_read */
	struct result_word result[2]; /* by parity of the number */
	/* Requests number..value are gone. code counts: in the broker, loss reports; in a client's segment, lost
	 * messages. */
	struct result_word lost;
	/* Broker only: number of a DESTROY that is in the log and not answered yet. A successor of the worker answers
	 * it. */
	word64 owed;
};

/* ---- broker ---- */

enum conn_state { CONN_FREE, CONN_HELLO, CONN_LIVE, CONN_DYING };

struct shard_word {
	id_word queue;                /* broker_server: the worker sleeps here */
	_Alignas(64) word64 head;     /* worker: records below may be shown */
	word32 ready;                 /* worker: it has recovered */
	word32 full;                  /* worker: --store-max is used up, so publishes are refused; a tick late */
	_Alignas(64) struct bell time_bell;   /* broker_server */
};

struct conn_word {                    /* written by broker_server */
	word32 state, seq;            /* seq grows with every new owner of the slot */
	id_word unit, queue;          /* unit: a segment; queue: the sender sleeps here */
	uint32_t serial, slots, window, spare;
};

struct broker_table {
	uint32_t magic, shards, capacity;
	/* broker_server; SIGHUP changes them. log: how to log (log.h). expiry: of machines, in s; 0: never. */
	word32   log, expiry;
	uint32_t message_max, views;  /* views: 1: workers keep the readable files, 0: they do not */
	uint64_t segment_bytes;
	word64   store_max, topic_max;   /* broker_server; SIGHUP changes them */
	char     topics[4096];        /* topics of a new store, comma separated */
	word32   stopping, ticks;     /* broker_server */
	word32   epoch;               /* broker_server: grows when a conn changes */
	word32   conns;               /* broker_server: all slots in use are below this */
	id_word  counters;            /* broker_server: see ipc/counters.h; -1: none */
	struct log_limits limits;     /* all processes of the broker: limits of lines that peers cause */
	struct shard_word shard[SHARDS_MAX];
	struct conn_word conn[];
};

enum { BROKEN_NONSENSE = 1, BROKEN_OTHER_STORE = 2, BROKEN_LIST = 3 };

struct broker_unit {
	uint32_t magic, shards, slots, serial, window, message_max;
	struct bell time_bell;                    /* broker_server -> sender */
	struct bell credit_bell;                  /* handler -> sender */
	_Alignas(64) word64 delivery_credit;      /* handler: bytes of deliveries the machine has taken */
	word64 token;                             /* handler: the token that the machine has on its disk */
	word64 place[SHARDS_MAX];                 /* handler: the machine needs nothing below this any more */
	/* handler: 1 + where the machine wants its stream to begin. 0: the machine has not said it yet. */
	word64 start[SHARDS_MAX];
	struct {
		_Alignas(64) struct bell bell;    /* worker -> sender */
		word64 taken;                     /* worker: bytes of requests taken from the ring */
		/* worker: the machine wants nothing at or above this offset, so far */
		word64 wanted;
		word32 slots_used;                /* worker: all client slots in use are below this */
		word32 started;                   /* worker: it has taken the machine's list, so the stream may begin */
		word32 broken;                    /* worker: the connection has to end; why: BROKEN_* */
		word64 damaged;                   /* sender: 1 + the offset at which it cannot read on; 0: none */
	} by_shard[SHARDS_MAX];
};

static inline size_t broker_unit_words(void) { return ROUND_PAGE(sizeof(struct broker_unit)); }
static inline size_t broker_unit_shard_bytes(uint32_t slots, uint32_t message)
{
	return ROUND_PAGE(slots * sizeof(struct answer_words)) + RING_BYTES(UNIT_RING(message));
}
static inline size_t broker_unit_bytes(uint32_t shards, uint32_t slots, uint32_t message)
{
	return broker_unit_words() + shards * broker_unit_shard_bytes(slots, message);
}
static inline struct answer_words *broker_unit_answers(struct broker_unit *u, uint32_t slots, uint32_t shard)
{
	return (struct answer_words *)((char *)u + broker_unit_words() + shard * broker_unit_shard_bytes(slots,
	    u->message_max));
}
static inline struct ring *broker_unit_ring(struct broker_unit *u, uint32_t slots, uint32_t shard)
{
	return (struct ring *)((char *)broker_unit_answers(u, slots,
	    shard) + ROUND_PAGE(slots * sizeof(struct answer_words)));
}

/* ---- machine ---- */

#define RISK_UNKNOWN UINT64_MAX
enum slot_state { SLOT_FREE, SLOT_LIVE, SLOT_AWAY /* durable, no process */,
    SLOT_DYING /* its ring is sent to the end, then DESTROY */ };

struct slot_word {                    /* written by mom_daemon */
	word32 state, owner;          /* owner grows with every process that gets the slot */
	id_word segment, sem;
	word32 generation, durable;
	/* A new segment for an old durable client: mom_forwarder filters its spooled mail by the broker's list. */
	word32 fresh;
	word64 id;                    /* global id */
	word32 cuts, cuts_saved;      /* forwarder: how often it was cut; mom_daemon: how much of that is on disk */
	word32 pid, uid;              /* who has it, and its name; for people that look */
	/* forwarder, for people that look: messages that wait in the spool and are not in the mail box, their bytes
	 * there, and when the broker stored the oldest (microseconds since 1970) */
	word64 spooled, spooled_bytes, spooled_since;
	char   name[MOM_NAME_MAX + 4];
};

/* For people that look: how many topics the slot's client subscribed to, and names of some. mom_forwarder writes it, a
 * tick late. Until the broker has listed them all, it is not known. */
enum { SLOT_TOPICS = 96 };
#define SUBSCRIPTIONS_UNKNOWN UINT64_MAX
struct slot_topics { word64 subscriptions; char names[SLOT_TOPICS]; };

struct machine_table {
	uint32_t magic, capacity;
	word32   log;                         /* mom_daemon; SIGHUP changes it: how to log (log.h) */
	word32   has_topics;                  /* mom_daemon: behind the slots stands a struct slot_topics for each */
	/* mom_daemon; SIGHUP changes it: bytes that may wait in the spool for one client; 0: any */
	word64   backlog_max;
	word32 stopping, ticks;               /* mom_daemon */
	word32 epoch;                         /* mom_daemon: grows when a slot changes */
	word32 slots;                         /* mom_daemon: all slots in use are below this */
	word32 serial, shards, message_max, window;   /* mom_daemon, from WELCOME */
	id_word request_queue, deliver_queue; /* mom_daemon: requester and forwarder sleep here */
	id_word counters;                     /* mom_daemon: see ipc/counters.h; -1: none */
	word64 token;                         /* mom_daemon: the token on its disk, see HELLO */
	/* forwarder: all records below this are in mail boxes or in the spool. The word outlives the unit. */
	word64 routed[SHARDS_MAX];
	/* forwarder: the last START that came; the bits are written first */
	word64 start[SHARDS_MAX], start_bits[SHARDS_MAX];
	struct log_limits limits;             /* all processes of the daemon: limits of lines that peers cause */
	struct slot_word slot[];
};

/* NULL: a mom_daemon of an older version made the table. */
static inline struct slot_topics *machine_topics(const struct machine_table *t)
{
	return atomic_load(&t->has_topics) ? (struct slot_topics *)(uintptr_t)&t->slot[t->capacity] : NULL;
}

enum unit_role { UNIT_REQUESTER, UNIT_RESPONSER, UNIT_FORWARDER, UNIT_ROLES };

struct unit_slot {
	_Atomic uint8_t attached[UNIT_ROLES]; /* written by each: it has the client's segment attached */
	word32 away_safe;             /* forwarder: the owner whose mail box is in the spool */
	word32 gone;                  /* forwarder: the owner whose client the broker has forgotten */
	word32 destroyed;             /* responser: the owner whose DESTROY is acknowledged by all shards */
	/* forwarder: changes when something comes for an owner that waits by mom_fd, once for each value of its
	 * `watch`. Then mom_daemon tells the owner's socket. */
	word32 mail;
};

struct daemon_unit {
	uint32_t magic, shards, slots, message_max;
	struct bell requester_time, forwarder_time;       /* mom_daemon */
	struct bell credit_bell;                          /* responser -> requester */
	struct bell taken_bell;                           /* forwarder -> requester */
	_Alignas(64) word64 credit[SHARDS_MAX];           /* responser: bytes of requests that the broker has taken */
	/* responser: every shard has begun its stream, so none takes us for a stranger. */
	word32   proven;
	char     refused[256];                            /* responser: why the broker does not take us; "": it does */
	word64   clock_ahead;                             /* responser: as in struct client_segment */
	_Alignas(64) word64 taken;                        /* forwarder: bytes of deliveries taken */
	/* forwarder: all records below this are acknowledged, or synced in the spool. */
	word64 place[SHARDS_MAX];
	_Alignas(64) struct unit_slot slot[];
};

static inline size_t daemon_unit_words(uint32_t slots) { return ROUND_PAGE(sizeof(struct daemon_unit) + slots *
    sizeof(struct unit_slot)); }
static inline size_t daemon_unit_bytes(uint32_t slots, uint32_t message) { return daemon_unit_words(slots) +
    RING_BYTES(UNIT_RING(message)); }
static inline struct ring *daemon_unit_ring(struct daemon_unit *u,
    uint32_t slots) { return (struct ring *)((char *)u + daemon_unit_words(slots)); }

/* ---- one client: creator is the daemon, perm.uid the client's user ---- */

/* why a durable client begins anew: its machine, or it, was away for too long */
enum { NOTICE_MACHINE_EXPIRED = 1, NOTICE_NAME_EXPIRED = 2 };

/* What a client sleeps for. ROOM: an acknowledgement up to `enough`, or an answer of another kind. SEEN: a change of
 * `seen`. */
enum { ASLEEP_FOR_MAIL = 1, ASLEEP_FOR_ANSWERS = 2, ASLEEP_FOR_ROOM = 4, ASLEEP_FOR_SEEN = 8, ASLEEP_FOR_ANY = 15 };

/* Mail of that topic up to that offset is dropped. */
struct tombstone { uint64_t topic_hash, offset; uint32_t shard, spare; };

enum { HAS_PATTERN = 1, MAY_HAVE_PATTERN = 2 };

/* What a client says with its word `goodbye`. */
enum goodbye { GOODBYE_CLOSE = 1, GOODBYE_DESTROY = 2 };

struct client_segment {
	uint32_t magic, layout, slot, durable;
	uint64_t id;
	id_word  sem, request_queue, deliver_queue;       /* mom_daemon */
	word32   shards, message_max, generation;         /* mom_daemon */
	word32   notice;                                  /* mom_daemon: NOTICE_*, told with the first receive */
	/* mom_daemon: the number of the process that has this client, as its registration said it. If the word has
	 * another value, the client was ended or has another process. Then nothing more is sent of what the old process
	 * asks for. */
	word32   owner;
	word32   poisoned;                                /* requester: the ring holds garbage */
	_Alignas(64) struct answer_words answer[SHARDS_MAX];      /* responser */
	_Alignas(64) word64 safe[SHARDS_MAX];             /* forwarder: mail up to here is in the spool */
	word64   seen[SHARDS_MAX];                        /* forwarder: the stream is routed up to here */
	/* A power cut took `handed`: mail below this is flagged REDELIVERED. mom_daemon writes RISK_UNKNOWN, the
	 * forwarder what the broker says. */
	word64   risk[SHARDS_MAX];
	word32   behind;                                  /* forwarder: more waits in the spool */
	word32   gone;                                    /* forwarder: the broker has forgotten this client */
	/* responser: so many microseconds the broker's clock is ahead of this machine's (an int64) */
	word64   clock_ahead;
	/* forwarder: how often it ended all subscriptions, because too much waited or the spool's disk was full. */
	word32   cuts;
	/* forwarder: the last cut ended the subscriptions that were made below this */
	word64   cut[SHARDS_MAX];
	/* libmom: ASLEEP_FOR_*: what it sleeps for. Whoever makes such a change posts the semaphore. */
	_Alignas(64) word32 asleep;
	/* libmom: once this request of that shard is acknowledged, half of a full ring is free. */
	word32   enough_shard; word64 enough;
	/* libmom: the handle was given back; 1: a durable client closed, 2: destroyed */
	word32   goodbye;
	/* libmom: 0, or it grows each time a client with mom_fd finds nothing. Then the client is to be woken through
	 * its socket. */
	word32   watch;
	struct bell mail_bell;                            /* libmom -> forwarder */
	_Alignas(64) word64 next[SHARDS_MAX];             /* libmom: the number of the next request */
	word64   first[SHARDS_MAX];                       /* libmom: the lowest number that it can still send again */
	word64   refused_from[SHARDS_MAX], refused_to[SHARDS_MAX];   /* libmom: the last refusal that it reported */
	word64   lost_told[SHARDS_MAX];                   /* libmom: how much of `lost` was told */
	word64   handed[SHARDS_MAX], acked[SHARDS_MAX];   /* libmom: mail up to here was handed out, was acknowledged */
	word64   again[SHARDS_MAX];                       /* mom_daemon: mail up to here is flagged REDELIVERED */
	word32   notice_told, cuts_told;                  /* libmom: what was told of notice and cuts */
	word64   expired;                                 /* libmom: messages whose life ended before they were read */
	/* libmom: HAS_PATTERN: it has subscribed to a pattern, so that no tombstone says what it wants. mom_daemon:
	 * MAY_HAVE_PATTERN, where a power cut took what was said; mom_forwarder settles that by the broker's list. */
	word32   has_pattern;
	word32   tombs;                                   /* libmom: how many tombstones there are */
	struct tombstone tomb[TOMBSTONES];
};

static inline size_t client_words(void) { return ROUND_PAGE(sizeof(struct client_segment)); }
static inline size_t client_bytes(uint32_t message) { return client_words() + 2 * RING_BYTES(WINDOW_OF(message)); }
/* The size of each of the client's two rings, from the size of the segment. The kernel tells the size of the segment,
 * not the client. 0: such a size cannot be. */
static inline uint64_t client_ring(size_t bytes)
{
	uint64_t ring = bytes < client_bytes(0) ? 0 : (bytes - client_words()) / 2 - PAGE;
	return ring % RING_EARLY ? 0 : ring;
}
static inline struct ring *client_requests(struct client_segment *c) { return (struct ring *)((char *)c +
    client_words()); }
static inline struct ring *client_mail(struct client_segment *c,
    uint64_t ring) { return (struct ring *)((char *)client_requests(c) + RING_BYTES(ring)); }

enum { MAGIC_BROKER = 0x4d4f4d42, MAGIC_UNIT = 0x4d4f4d55, MAGIC_MACHINE = 0x4d4f4d44, MAGIC_CLIENT = 0x4d4f4d43 };

/* ---- registration: one request and one answer over AF_UNIX SOCK_SEQPACKET ---- */

/* name: empty for an anonymous client. again: 1: the client was registered with this nonce before; a daemon that does
 * not know it answers MOM_EBADID. */
struct registration { uint32_t magic, layout, again, spare; uint8_t nonce[16]; char name[MOM_NAME_MAX + 4]; };
/* owner: see client_segment. ipc_namespace: the daemon's, as /proc names it; 0: not known */
struct registered { int32_t code; int32_t segment; int32_t local_id; uint32_t owner; uint64_t id,
    ipc_namespace; char text[200]; };

/* Reads a result word by word so that number, code and value belong together. 0: it changes just now. */
static inline int
result_read(struct result_word *w, uint64_t *number, int64_t *code, uint64_t *value)
{
	*number = atomic_load_explicit(&w->number, memory_order_acquire);
	*code = atomic_load_explicit(&w->code, memory_order_acquire);
	*value = atomic_load_explicit(&w->value, memory_order_acquire);
	atomic_thread_fence(memory_order_seq_cst);
	return *number != 0 && atomic_load(&w->number) == *number;
}

/* Returns the number of the last refusal, and in *code why. 0: there is none, or it changes just now: look again.
 * Number and code are two words, so the word of the code carries the number's low bits. */
static inline uint64_t
refused_read(struct answer_words *a, int64_t *code)
{
	uint64_t number = atomic_load(&a->refused), told = atomic_load(&a->refused_code);
	*code = -(int64_t)(told & 0xff);
	return told >> 8 == number << 8 >> 8 ? number : 0;
}

static inline void
refused_write(struct answer_words *a, uint64_t number, int64_t code)
{
	atomic_store(&a->refused_code, number << 8 | (code < 0 && code > -256 ? (uint64_t)-code : 0));
	atomic_store(&a->refused, number);
}

static inline void
result_write(struct result_word *w, uint64_t number, int64_t code, uint64_t value)
{
	atomic_store(&w->number, 0);
	atomic_store(&w->code, code);
	atomic_store(&w->value, value);
	atomic_store(&w->number, number);
}

#endif
