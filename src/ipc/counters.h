/* What our processes count. Each process has a page in a System V segment of its supervisor, and is the only one that
 * writes it. Nothing is ever decided by a counter, so whoever may attach the segment reads it without disturbing
 * anyone. A page outlives its process: a restarted process counts on. The pages of a broker: 0 broker_server, 1 + shard
 * the workers, then a handler's and a sender's for each connection slot. The pages of a daemon: 0 mom_daemon, then
 * requester, responser, forwarder. If a connection slot gets another machine, its pages begin at 0.
 *     counters_begin(table->counters, COUNTERS_WORKER(3), ROLE_WORKER, 0);
 *     counters_add(COUNT_MESSAGES_IN, 12); */
#ifndef COUNTERS_H
#define COUNTERS_H

#include "format/limits.h"
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum counter {
	COUNT_STARTS,            /* starts of the process on this page */
	COUNT_MESSAGES_IN, COUNT_BYTES_IN,       /* bytes of payload with headers, as on the wire */
	COUNT_MESSAGES_OUT, COUNT_BYTES_OUT,
	COUNT_REFUSED,           /* refusals told; one may stand for all requests that followed it */
	COUNT_RESENT,            /* requests sent again after a new connection */
	COUNT_DUPLICATES,        /* requests that had been taken before */
	COUNT_UNWANTED,          /* messages of topics that had no subscriber */
	COUNT_COPIES,            /* messages put into mail boxes, one for each subscriber */
	COUNT_SPOOLED,           /* messages that went to the spool: the mail box was full, or its client away */
	COUNT_REDELIVERED,       /* messages taken from the spool into a mail box */
	COUNT_CUTS,              /* clients cut: too much waited for them, or the spool's disk was full */
	COUNT_LOST,              /* fast messages that a power cut took */
	COUNT_CONNECTIONS,       /* connections made with the other side */
	COUNT_CLIENTS,           /* clients registered */
	COUNT_DEATHS,            /* children that ended by their own fault, or were killed */
	COUNT_SYNCS,             /* fdatasync of the log */
	COUNT_SLEEPS,
	COUNT_EXPIRED,           /* messages whose life had ended when a machine, or a client, was to get them */
	COUNT_HANDED,            /* messages of groups that were handed out to members */
	COUNT_SETTLED, COUNT_SETTLED_LATE,       /* late: by a member that had it no more */
	COUNT_GIVEN_BACK,        /* hands that came back */
	COUNT_DEAD,              /* messages of groups that are dead: tried too often, or refused for good */
	COUNTERS
};

enum counter_histogram {
	HISTOGRAM_SYNC_US,       /* how long a commit's fdatasync took */
	HISTOGRAM_BATCH,         /* requests, or messages, handled in one round of work */
	HISTOGRAMS
};

enum { HISTOGRAM_BUCKETS = 32 };   /* bucket i: values below 2^i and not below 2^(i-1); the last: all above */

struct histogram { _Atomic uint64_t count[HISTOGRAM_BUCKETS], sum; };

struct counters {
	_Atomic uint32_t role, pid;            /* role: enum counter_role; pid: of the present process, 0: none yet */
	_Atomic uint32_t owner, spare;         /* connection slots: serial of the machine */
	_Atomic int64_t  since_us;             /* when the process was started first */
	_Atomic uint64_t count[COUNTERS];
	struct histogram histogram[HISTOGRAMS];
};

enum counter_role {
	ROLE_NONE, ROLE_BROKER_SERVER, ROLE_WORKER, ROLE_HANDLER, ROLE_SENDER, ROLE_DAEMON, ROLE_REQUESTER,
	    ROLE_RESPONSER, ROLE_FORWARDER, COUNTER_ROLES
};

/* Roughly the busiest topics of a shard: a row belongs to the topic that uses it most. Only the worker writes the rows.
 * Read them with counters_topic. */
enum { BUSY_ROWS = 256, BUSY_WAYS = 4 };
struct busy_topics {
	_Atomic uint64_t hash[BUSY_ROWS];      /* 0: the row is free, or changes hands just now */
	struct { _Atomic uint64_t messages, bytes, heat; } row[BUSY_ROWS];
	char name[BUSY_ROWS][MOM_TOPIC_MAX + 1];
};

enum { COUNTERS_PAGE = 4096 };
_Static_assert(sizeof(struct counters) <= COUNTERS_PAGE, "a page a process");

struct counters_segment {
	uint32_t magic, layout, pages, shards;     /* shards: how many busy_topics follow the pages; 0 in a daemon's */
	_Alignas(COUNTERS_PAGE) char page[];
};

/* COUNTERS_LAYOUT stands for the tables of broker and daemon, too: raise it whenever one of them changes. */
enum { MAGIC_COUNTERS = 0x4d4f4d4e, COUNTERS_LAYOUT = 3 };

#define COUNTERS_SUPERVISOR      0u
#define COUNTERS_WORKER(shard)   (1u + (shard))
#define COUNTERS_HANDLER(shards, slot) (1u + (shards) + 2u * (slot))
#define COUNTERS_SENDER(shards, slot)  (2u + (shards) + 2u * (slot))
#define COUNTERS_UNIT(role)      (1u + (role))     /* in a daemon's segment; role: enum unit_role */

size_t counters_bytes(uint32_t pages, uint32_t shards);
/* Fills in a new segment. Its supervisor counts in it from here on. */
void   counters_make(int segment, uint32_t pages, uint32_t shards, enum counter_role role);
struct counters *counters_page(const struct counters_segment *s, uint32_t page);
struct busy_topics *counters_busy(const struct counters_segment *s, uint32_t shard);

/* A process attaches the segment and counts on that page from here on. If it cannot attach, it counts on a page that
 * nobody sees. owner: if the page had another owner, its counters begin at 0. */
void   counters_begin(int segment, uint32_t page, enum counter_role role, uint32_t owner);
void   counters_observe(enum counter_histogram which, uint64_t value);
void   counters_topic_add(uint32_t shard, const char *name, size_t len, uint64_t messages, uint64_t bytes);

extern struct counters *counters_own;

/* A page has one writer, so no locked instruction is needed. */
static inline void
counters_add(enum counter which, uint64_t n)
{
	_Atomic uint64_t *c = &counters_own->count[which];
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline uint64_t
counters_get(const struct counters *c, enum counter which)
{
	return atomic_load_explicit(&c->count[which], memory_order_relaxed);
}

/* For programs that show counters. The names are as in a Prometheus page, without the prefix mom_:
 * messages_in_total. */
struct counters_name { const char *name, *help; };
extern const struct counters_name counters_names[COUNTERS], counters_histogram_names[HISTOGRAMS];
const char *counters_role_name(enum counter_role role);
/* An upper bound of the value below which that share (0 to 1) of the observations lies. 0: there were none. */
uint64_t counters_quantile(const struct histogram *h, double share);
/* Row i of a shard's busiest topics. It counts since the topic has the row. 1, or 0: the row is free or changes just
 * now. */
struct busy_topic { char name[MOM_TOPIC_MAX + 1]; uint64_t messages, bytes; };
int counters_topic(const struct busy_topics *b, uint32_t i, struct busy_topic *t);

#endif
