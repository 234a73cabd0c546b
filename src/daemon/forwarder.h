/* mom_forwarder's state, which its parts share: the loop (mom_forwarder.c), mail boxes (forwarder_box.c), the spool
 * (forwarder_spool.c). */
#ifndef FORWARDER_H
#define FORWARDER_H
#include "log/seglog_packing.h"
#include "daemon/routes.h"
#include "daemon/slots.h"

/* SPOOL_SPARE: in segments. If less than this is left on the disk (on a small disk: less than an eighth of it), the
 * client with the largest backlog is cut, so that the others still have a spool. REFILL_BYTES: bytes of the spool that
 * are read for one client before the others' turn. */
enum { SPOOL_SEGMENT = 16 * 1024 * 1024, SPOOL_TIDY = 4 * 1024 * 1024, SPOOL_SPARE = 4, REFILL_BYTES = 1024 * 1024 };

/* HELD_BYTES: so many bytes of the spool are noted as one, so that somebody who never acknowledges fills no memory. */
enum { HELD_BYTES = 16 * 1024 };

/* The forwarder waits for a full mail box whose owner reads on. Meanwhile the broker's log keeps the rest, and the
 * spool is spared. PATIENCE_US: it waits at most so long until half of the box is read (some 30 MB/s). After that the
 * owner is behind: it is served from the spool, and nobody waits for it any more. Its next wait is PATIENCE_CUT times
 * shorter; each second gives PATIENCE_TICK_US back. PATIENCE_ALL_US: time for all waits of a second; each half of a box
 * that came from the broker adds PATIENCE_US. So readers that are as slow as each other are waited for together, but
 * many that take their time one behind the other do not stop the rest. PATIENCE_STEP_US: between two looks. */
enum { PATIENCE_ALL_US = 100000, PATIENCE_US = 20000, PATIENCE_CUT = 4, PATIENCE_TICK_US = 200,
    PATIENCE_STEP_US = 100 };

/* Entries of the spool that were put into the mail box, too, and are not acknowledged. They are so many bytes of one
 * shard from `at` on, up to an offset. */
struct held { uint64_t at, offset, bytes; };
struct held_queue { struct held *held; size_t first, count, room; };

struct box {                              /* one client's mail */
	/* The client's id. It is the key of f.by_id, while the slot may have another client's id already. */
	uint64_t id;
	struct ring_writer out;
	uint64_t boxed[SHARDS_MAX];       /* highest offset that is, or was, in the mail box */
	uint64_t routed[SHARDS_MAX];      /* ... or in the spool */
	uint64_t cut[SHARDS_MAX];         /* subscriptions made below this get nothing more */
	int behind;                       /* the spool has more for it, from `next` on */
	int unsafe;                       /* its owner is gone and its mail is not in the spool yet, for want of room */
	uint64_t backlog;                 /* roughly: bytes in the spool that are not in the mail box yet */
	uint64_t hands;                   /* ... of these bytes those of HANDs, which count for no limit */
	uint64_t held_bytes;              /* ... and bytes that are in both, and not acknowledged */
	uint64_t spooled, spooled_since;  /* see struct slot_word */
	uint64_t next;
	struct seglog_cursor cursor;
	int reading;
	uint64_t shadowed;                /* ring position: mail below is acknowledged or in the spool */
	uint64_t tick_head;               /* head at the last tick */
	int64_t patience_us;
	uint32_t watched;                 /* the `watch` that mom_daemon was told of last */
	uint64_t expired_told;            /* how much of the client's word `expired` is counted */
	uint64_t needs;                   /* from where on it needed the spool, at the last tick */
	struct held_queue *held;          /* SHARDS_MAX of them, once there is something */
};

/* A run: messages of one topic that stand one behind the other in the delivery ring. */
enum { RUN_BYTES = 32 * 1024 };
/* last: offset of the run's last message */
struct run { const char *from; size_t bytes, messages; uint64_t last; struct subscribed *topic; };

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
	uint64_t ended[SHARDS_MAX];       /* where the broker's log ended when this stream began; 0: not known yet */
	uint64_t seen[SHARDS_MAX], seen_before[SHARDS_MAX], taken, taken_rung, taken_placed;
	uint32_t ticks;
	int64_t patience_us;              /* what is left of PATIENCE_ALL_US */
	int notify, dir, dirty;           /* dirty: something in the spool is not synced */
	int unsafe;                       /* not all that was routed is safe, so places must wait */
	uint64_t spool_looked;            /* the segment at which the room on the disk was looked at last */
	struct seglog_packing packing;    /* of the spool */
	/* Slots. Each fed one is marked in is_fed, whatever box it has, so that it is in the list once. */
	uint32_t *chosen, *fed;
	char *is_fed;
	size_t chosen_count, fed_count;
	/* recipients of the record that is being spooled: the clients of the chosen slots */
	uint64_t *recipients;
	char *buffer;
	size_t buffer_bytes;              /* a batch and a largest entry fit */
};
extern struct forwarder forwarder;

void spool_failed(const char *what) __attribute__((noreturn));
/* Appends an ENTRY for these clients. Returns its offset; 0: there is no room on the disk. */
uint64_t spool_append(const void *record, const uint64_t *ids, size_t n);
/* 1: a new segment was begun and left too little room for others. */
int spool_is_short(void);
/* The record inside the entry, and in *n the number of its recipients; or NULL. */
const char *entry_record(const char *entry, uint64_t *n);
/* The record inside the entry if the client is a recipient; else NULL. */
const char *entry_for(const char *entry, uint64_t id);
/* Bytes that a record for one client takes in the spool. */
static inline uint64_t spool_cost(uint32_t len) { return record_stride(len) + RECORD_HEADER + 8; }
void held_push(struct box *b, uint64_t at, const char *record);
void held_clear(struct box *b);                                               /* all that was held waits again */
void held_free(struct box *b);
/* Bytes that the spool keeps for the client. */
static inline void box_backlog_add(struct box *b, const char *record)
{
	uint64_t cost = spool_cost(get_u32(record));
	b->backlog += cost;
	b->hands += record[9] == REC_HAND ? cost : 0;
}
static inline uint64_t box_pinned(const struct box *b) { return b->backlog + b->held_bytes; }
/* One more record waits in the spool for the box, or so many do; and what people who look are shown of it. */
void box_spooled(struct slot *v, const char *record);
void box_tell(struct slot *v);
/* From where on this box needs the spool. */
uint64_t box_needs(struct slot *v);
void spool_files_look(void);                                                  /* ends the process if a file is gone */
/* Once a second: finds the segments that are mostly dead. */
void spool_pack_begin(void);
/* At the start: makes the boxes, then reads what the spool says of them. */
void spool_recover(void);

/* Copies to the spool what is neither acknowledged nor there yet, up to a ring position. -1: no room. */
int  box_shadow(struct slot *v, uint64_t to);
/* Too much waits for the client: it gets that, and nothing more of its subscriptions. */
void box_cut(struct slot *v, const char *why);
/* As struct routes wants it: its subscriptions in that shard that were made below this offset have ended. */
uint64_t box_cut_below(uint64_t client, uint32_t shard);
int  box_is_over(struct slot *v, uint64_t more);   /* --client-backlog-max is passed with so many bytes more */
/* If the spool's disk is nearly full: cuts the client for which most is kept. */
void boxes_cut_if_short(void);
/* Puts the record into the box; or notes the slot in f.chosen, so that the record is spooled. */
void box_deliver(struct slot *v, const char *record, const struct record *r);
void notify_daemon(void);
void box_wake(struct slot *v, uint32_t what);  /* wakes the client if it sleeps, or waits in poll */
/* Puts the whole run into the box. 0: that is not possible in one piece. */
int  box_deliver_run(struct slot *v, const struct run *run, uint16_t shard, uint64_t first);
int  boxes_refill(void);                           /* fills boxes with room from the spool; 1: there is more to read */
void boxes_bells_clear(void);
void boxes_publish(void);                          /* shows what was put in, wakes the clients */
/* All that is not acknowledged is in the spool from here on. -1: no room. */
int  box_away(struct slot *v, uint32_t i);
/* Tells the client what it may have had before a power cut took what it said of its mail. */
void box_risk(struct slot *v);
void box_on_slot(uint32_t i, const struct slot *old);   /* a client came, went or came back */
#endif
