/* counters - see counters.h */
#include "ipc/counters.h"
#include "base/clock.h"
#include "ipc/ipcq.h"
#include "base/log.h"
#include <errno.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define RELAXED_ADD(word, n) \
	atomic_store_explicit(&(word), atomic_load_explicit(&(word), memory_order_relaxed) + (n), memory_order_relaxed)

static struct counters unseen;
static struct counters_segment *segment_own;
struct counters *counters_own = &unseen;

size_t
counters_bytes(uint32_t pages, uint32_t shards)
{
	return sizeof(struct counters_segment) + (size_t)pages * COUNTERS_PAGE + shards * sizeof(struct busy_topics);
}

struct counters *
counters_page(const struct counters_segment *s, uint32_t page)
{
	return page < s->pages ? (struct counters *)(uintptr_t)(s->page + (size_t)page * COUNTERS_PAGE) : NULL;
}

struct busy_topics *
counters_busy(const struct counters_segment *s, uint32_t shard)
{
	return shard < s->shards ? (struct busy_topics *)(uintptr_t)(s->page + (size_t)s->pages * COUNTERS_PAGE) + shard
	    : NULL;
}

static void
counters_reset(struct counters *c)
{
	for (size_t i = 0; i < COUNTERS; i++)
		atomic_store(&c->count[i], 0);
	for (size_t h = 0; h < HISTOGRAMS; h++) {
		for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
			atomic_store(&c->histogram[h].count[i], 0);
		atomic_store(&c->histogram[h].sum, 0);
	}
	atomic_store(&c->since_us, 0);
}

void
counters_begin(int segment, uint32_t page, enum counter_role role, uint32_t owner)
{
	struct counters_segment *s = segment < 0 ? NULL : ipcq_attach(segment, 0);
	struct counters *c = s && s->magic == MAGIC_COUNTERS ? counters_page(s, page) : NULL;
	if (c == NULL) {
		log_debug("counters: shmat(%d): %s: what this process counts is not seen", segment, strerror(errno));
		return;
	}
	if (atomic_load(&c->owner) != owner)
		counters_reset(c);
	atomic_store(&c->owner, owner);
	atomic_store(&c->role, role);
	atomic_store(&c->pid, (uint32_t)getpid());
	if (atomic_load(&c->since_us) == 0)
		atomic_store(&c->since_us, clock_wall_us());
	segment_own = s;
	counters_own = c;
	counters_add(COUNT_STARTS, 1);
}

void
counters_make(int segment, uint32_t pages, uint32_t shards, enum counter_role role)
{
	struct counters_segment *s = segment < 0 ? NULL : ipcq_attach(segment, 0);
	if (s == NULL)
		return;
	s->pages = pages;
	s->shards = shards;
	s->layout = COUNTERS_LAYOUT;
	s->magic = MAGIC_COUNTERS;
	ipcq_detach(s);
	counters_begin(segment, COUNTERS_SUPERVISOR, role, 0);
}

void
counters_observe(enum counter_histogram which, uint64_t value)
{
	struct histogram *h = &counters_own->histogram[which];
	unsigned bucket = value == 0 ? 0 : 64 - (unsigned)__builtin_clzll(value);
	RELAXED_ADD(h->count[bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1], 1);
	RELAXED_ADD(h->sum, value);
}

/* ---- the busiest topics: a newcomer cools the coolest row of its set, and has it once that is cold ---- */

static uint64_t
topic_hash(const char *name, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u;
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * 0x100000001b3u;
	return (h ^ h >> 32) | 1;              /* 0: free */
}

static void
topic_take_row(struct busy_topics *b, size_t i, uint64_t hash, const char *name, size_t len)
{
	atomic_store(&b->hash[i], 0);
	atomic_store(&b->row[i].messages, 0);
	atomic_store(&b->row[i].bytes, 0);
	atomic_store(&b->row[i].heat, 0);
	memcpy(b->name[i], name, len);
	b->name[i][len] = '\0';
	atomic_store(&b->hash[i], hash);
}

/* The row of that topic, its own by now; -1: it has none, others are busier. */
static ssize_t
topic_row(struct busy_topics *b, const char *name, size_t len, uint64_t messages)
{
	uint64_t hash = topic_hash(name, len);
	size_t first = hash / 2 % (BUSY_ROWS / BUSY_WAYS) * BUSY_WAYS, coolest = first;
	for (size_t i = first; i < first + BUSY_WAYS; i++)
		if (atomic_load_explicit(&b->hash[i], memory_order_relaxed) == hash)
			return (ssize_t)i;
	for (size_t i = first; i < first + BUSY_WAYS; i++)
		if (atomic_load_explicit(&b->row[i].heat, memory_order_relaxed) <
		    atomic_load_explicit(&b->row[coolest].heat, memory_order_relaxed))
			coolest = i;
	uint64_t heat = atomic_load_explicit(&b->row[coolest].heat, memory_order_relaxed);
	if (heat > 0) {
		atomic_store_explicit(&b->row[coolest].heat, heat > messages ? heat - messages : 0,
		    memory_order_relaxed);
		return -1;
	}
	topic_take_row(b, coolest, hash, name, len);
	return (ssize_t)coolest;
}

void
counters_topic_add(uint32_t shard, const char *name, size_t len, uint64_t messages, uint64_t bytes)
{
	struct busy_topics *b = segment_own ? counters_busy(segment_own, shard) : NULL;
	ssize_t i = b && len <= MOM_TOPIC_MAX ? topic_row(b, name, len, messages) : -1;
	if (i < 0)
		return;
	RELAXED_ADD(b->row[i].heat, messages);
	RELAXED_ADD(b->row[i].messages, messages);
	RELAXED_ADD(b->row[i].bytes, bytes);
}

int
counters_topic(const struct busy_topics *b, uint32_t i, struct busy_topic *t)
{
	uint64_t hash = i < BUSY_ROWS ? atomic_load(&b->hash[i]) : 0;
	if (hash == 0)
		return 0;
	memcpy(t->name, b->name[i], sizeof t->name);
	t->name[sizeof t->name - 1] = '\0';
	t->messages = atomic_load(&b->row[i].messages);
	t->bytes = atomic_load(&b->row[i].bytes);
	atomic_thread_fence(memory_order_seq_cst);
	return atomic_load(&b->hash[i]) == hash;
}

/* ---- for those that show them ---- */

const struct counters_name counters_names[COUNTERS] = {
	[COUNT_STARTS]       = { "starts_total", "starts of this process" },
	[COUNT_MESSAGES_IN]  = { "messages_in_total", "messages that came in" },
	[COUNT_BYTES_IN]     = { "bytes_in_total", "bytes that came in, with headers" },
	[COUNT_MESSAGES_OUT] = { "messages_out_total", "messages that went out" },
	[COUNT_BYTES_OUT]    = { "bytes_out_total", "bytes that went out, with headers" },
	[COUNT_REFUSED]      = { "refused_total", "refusals told; one may stand for all requests that followed it" },
	[COUNT_RESENT]       = { "resent_total", "requests sent again after a new connection" },
	[COUNT_DUPLICATES]   = { "duplicates_total", "requests that had been taken before and were not taken again" },
	[COUNT_UNWANTED]     = { "unwanted_total", "messages of topics without a subscriber" },
	[COUNT_COPIES]       = { "copies_total", "messages put into mail boxes, one for each subscriber" },
	[COUNT_SPOOLED]      = { "spooled_total", "messages that went to the spool because a mail box was full or its "
	    "client away" },
	[COUNT_REDELIVERED]  = { "redelivered_total", "messages taken from the spool to a mail box" },
	[COUNT_CUTS]         = { "cuts_total", "clients cut because too much waited for them" },
	[COUNT_LOST]         = { "lost_total", "fast messages that a power cut took" },
	[COUNT_CONNECTIONS]  = { "connections_total", "connections between daemon and broker" },
	[COUNT_CLIENTS]      = { "clients_total", "clients registered" },
	[COUNT_DEATHS]       = { "deaths_total", "child processes that ended by themselves or were killed" },
	[COUNT_SYNCS]        = { "syncs_total", "fdatasync calls of the log" },
	[COUNT_SLEEPS]       = { "sleeps_total", "times the process went to sleep" },
	[COUNT_HANDED]       = { "handed_total", "messages of groups that were handed out to members" },
	[COUNT_SETTLED]      = { "settled_total", "messages of groups that were settled" },
	[COUNT_SETTLED_LATE] = { "settled_late_total", "messages of groups that a member settled that had them no "
	    "more" },
	[COUNT_GIVEN_BACK]   = { "given_back_total", "messages of groups that came back from a member" },
	[COUNT_DEAD]         = { "dead_total", "messages of groups that were tried too often or refused for good" },
	[COUNT_EXPIRED]      = { "expired_total", "messages whose life had ended when a machine or a client was to get "
	    "them" },
};

const struct counters_name counters_histogram_names[HISTOGRAMS] = {
	[HISTOGRAM_SYNC_US] = { "sync_microseconds", "how long fdatasync of the log took" },
	[HISTOGRAM_BATCH]   = { "batch", "requests or messages handled at one look" },
};

const char *
counters_role_name(enum counter_role role)
{
	static const char *const names[COUNTER_ROLES] = { "none", "broker_server", "worker", "broker_handler",
	    "broker_sender", "mom_daemon",
		"mom_requester", "mom_responser", "mom_forwarder" };
	return (unsigned)role < COUNTER_ROLES ? names[role] : "unknown";
}

uint64_t
counters_quantile(const struct histogram *h, double share)
{
	uint64_t all = 0, below = 0;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		all += atomic_load_explicit(&h->count[i], memory_order_relaxed);
	for (size_t i = 0; all && i < HISTOGRAM_BUCKETS; i++) {
		below += atomic_load_explicit(&h->count[i], memory_order_relaxed);
		if ((double)below >= share * (double)all)
			return i ? (uint64_t)1 << i : 0;
	}
	return all ? UINT64_MAX : 0;
}
