/* mom_forwarder's state, shared by its parts: the loop (mom_forwarder.c), mail boxes (forwarder_box.c), the spool
 * (forwarder_spool.c). */
#ifndef FORWARDER_H
#define FORWARDER_H
#include "log/seglog.h"
#include "daemon/routes.h"
#include "daemon/slots.h"

/* SPOOL_SPARE: where less room than so many segments (or an eighth of the disk) is left, the client with the largest
 * backlog is cut, so that the others still have a spool. REFILL_BYTES: of the spool, read for one client before the
 * others' turn */
enum { SPOOL_SEGMENT = 16 * 1024 * 1024, SPOOL_TIDY = 4 * 1024 * 1024, SPOOL_SPARE = 4, REFILL_BYTES = 1024 * 1024 };

/* HELD_BYTES: of the spool are noted as one, so that somebody who never acknowledges fills no memory */
enum { HELD_BYTES = 16 * 1024 };

/* A full mail box whose owner reads on is waited for: the broker's log keeps the rest meanwhile, and the spool is
 * spared. PATIENCE_US: at most so long until half of it is read (some 30 MB/s); then the owner is behind and served
 * from the spool, and nobody waits for it any more. Its next wait is shorter by PATIENCE_CUT, a second gives
 * PATIENCE_TICK_US back. PATIENCE_ALL_US: for all in a second, and PATIENCE_US more for each half of a box that came
 * from the broker: readers that are as slow as each other are waited for at once, but many that take their time one
 * behind the other do not stop the rest. PATIENCE_STEP_US: between two looks. */
enum { PATIENCE_ALL_US = 100000, PATIENCE_US = 20000, PATIENCE_CUT = 4, PATIENCE_TICK_US = 200,
    PATIENCE_STEP_US = 100 };

/* Entries of the spool that were put into the mail box, too, and are not acknowledged: so many bytes of one shard from
 * `at` on, up to an offset */
struct held { uint64_t at, offset, bytes; };
struct held_queue { struct held *held; size_t first, count, room; };

struct box {                              /* one client's mail */
	/* the client's: the key of f.by_id, while its slot may have another's already */
	uint64_t id;
	struct ring_writer out;
	uint64_t boxed[SHARDS_MAX];       /* highest offset that is, or was, in the mail box */
	uint64_t routed[SHARDS_MAX];      /* ... or in the spool */
	uint64_t cut[SHARDS_MAX];         /* subscriptions made below get nothing more */
	int behind;                       /* the spool has more for it, from `next` on */
	int unsafe;                       /* its owner is gone and its mail is not in the spool yet: no room */
	uint64_t backlog;                 /* bytes in the spool, about, that are not in the mail box yet */
	uint64_t held_bytes;              /* ... and of those that are, and are not acknowledged */
	uint64_t next;
	struct seglog_cursor cursor;
	int reading;
	uint64_t shadowed;                /* ring position: what lies below is acknowledged or in the spool */
	uint64_t tick_head;               /* head at the last tick */
	int64_t patience_us;
	uint32_t watched;                 /* its `watch` that mom_daemon was told of */
	uint64_t needs;                   /* where it needed the spool from, at the last tick */
	struct held_queue *held;          /* SHARDS_MAX of them, once there is something */
};

/* messages of one topic that stand one behind the other in the delivery ring */
enum { RUN_BYTES = 32 * 1024 };
/* last: offset of its last */
struct run { const char *from; size_t bytes, messages; uint64_t last; struct route *route; };

struct forwarder {
	struct machine_table *table;
	struct daemon_unit *unit;
	struct slots slots;
	struct map by_id;                 /* global id to struct slot */
	struct routes routes;
	struct run run;
	struct ring_reader in;
	struct ring *ring;
	struct seglog spool;
	uint64_t ended[SHARDS_MAX];       /* where the broker's log ended as this stream began; 0: not yet */
	uint64_t seen[SHARDS_MAX], seen_before[SHARDS_MAX], taken, taken_rung, taken_placed;
	uint32_t ticks;
	int64_t patience_us;              /* what is left of PATIENCE_ALL_US */
	int notify, dir, dirty;           /* dirty: the spool has what is not synced */
	int unsafe;                       /* not all that was routed is safe: places must wait */
	uint64_t spool_looked;            /* the segment at which the room on the disk was looked at */
	int to_pack;                      /* segments of the spool wait to be packed */
	/* slots; each of those fed is marked, whatever box it has, so that it is there once */
	uint32_t *chosen, *fed;
	char *is_fed;
	size_t chosen_count, fed_count;
	uint64_t *recipients;             /* of the record that is spooled: those of the chosen slots */
	char *buffer;
	size_t buffer_bytes;              /* a batch and a largest entry */
};
extern struct forwarder f;

void spool_failed(const char *what) __attribute__((noreturn));
/* an ENTRY for these clients; its offset, 0: no room on the disk */
uint64_t spool_append(const void *record, const uint64_t *ids, size_t n);
/* a new segment left too little room for others */
int spool_is_short(void);
/* the record inside and the number of its recipients, or NULL */
const char *entry_record(const char *entry, uint64_t *n);
/* the record inside, where the client is a recipient; else NULL */
const char *entry_for(const char *entry, uint64_t id);
/* of a record for one client */
static inline uint64_t spool_cost(uint32_t len) { return record_stride(len) + RECORD_HEADER + 8; }
void held_push(struct box *b, uint64_t at, const char *record);
void held_clear(struct box *b);                                               /* it waits again */
void held_free(struct box *b);
/* what the spool keeps for it */
static inline uint64_t box_pinned(const struct box *b) { return b->backlog + b->held_bytes; }
/* where the spool is needed from for this box */
uint64_t box_needs(struct slot *v);
void spool_files_look(void);                                                  /* ends the process where one is gone */
/* once a second: which segments are mostly dead? */
void spool_pack_look(void);
void spool_pack_one(void);
/* at the start: boxes, then what the spool says of them */
void spool_recover(void);

/* what is not acknowledged and not in the spool, up to a ring position, goes there too; -1: no room */
int  box_shadow(struct slot *v, uint64_t to);
/* too much waits for it: it gets that, and nothing more of its subscriptions */
void box_cut(struct slot *v, const char *why);
int  box_is_over(struct slot *v, uint64_t more);   /* with so many bytes more --client-backlog-max is passed */
/* the spool's disk is nearly full: the client for which most is kept */
void boxes_cut_if_short(void);
/* into the box, or the slot is noted in f.chosen: spool it */
void box_deliver(struct slot *v, const char *record, const struct record *r);
void notify_daemon(void);
void box_wake(struct slot *v, uint32_t what);  /* whoever sleeps, or waits in poll */
/* all of it into the box; 0: not so simple */
int  box_deliver_run(struct slot *v, const struct run *run, uint16_t shard, uint64_t first);
int  boxes_refill(void);                           /* from the spool, those with room; 1: there is more to read */
void boxes_bells_clear(void);
void boxes_publish(void);                          /* show what was put, wake the clients */
/* all that is not acknowledged is in the spool from here on; -1: no room */
int  box_away(struct slot *v, uint32_t i);
/* what a client may have had before a power cut took what it said of its mail */
void box_risk(struct slot *v);
void box_on_slot(uint32_t i, const struct slot *old);   /* a client came, went, came back */
#endif
