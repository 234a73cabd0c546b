/* worker's state, which its parts share: the loop (worker.c), requests (worker_requests.c), connections
 * (worker_conns.c). */
#ifndef WORKER_H
#define WORKER_H
#include "log/seglog_packing.h"
#include "worker/shard.h"
#include "ipc/layout.h"

/* SHARE_LEAST: least share of a round for one machine, in bytes. With less, many machines would have to be looked at
 * over and over. */
/* CHECKPOINT_REST: the rest after a check-point is so many times as long as the check-point took, since all publishes
 * wait for one. */
enum { CHECKPOINT_REST = 10 };
/* GROUPS_SEGMENTS: so many segments of --store-max, and of the disk, publishes leave to groups: what was published can
 * be handed out, and frees its room, only by being written once more. */
enum { GROUPS_SEGMENTS = 2 };
enum { CONTROL_SPARE = 64 * 1024, BATCH_MOST = 4 * 1024 * 1024, SHARE_LEAST = 64 * 1024 };

struct worker_conn {                             /* one connected machine, as this worker sees it */
	int live;
	uint32_t seq, slots;
	struct broker_unit *unit;
	struct ring_reader in;
	struct ring *ring;
	struct answer_words *answers;
	struct machine *machine;
	uint64_t taken, wanted_told, damage_done;
	int answered;                     /* there are new words for its sender: ring it */
	int has_more;                     /* its share of the round was used up */
	uint32_t orders;                  /* requests other than messages that were taken from it in this round */
	struct map alive;                 /* ids of an ALIVE list that is not complete yet */
};

struct worker {
	struct broker_table *table;
	struct shard_word *words;
	struct shard shard;
	struct worker_conn *conns;
	uint32_t epoch, conns_seen, ticks;
	uint32_t turn;                    /* the connection with which a round begins */
	struct client *touched;
	int64_t now_us;                   /* time of the records of a round: when the round began */
	uint64_t batch, since_checkpoint;
	int durable;                      /* the batch holds something that must be on disk before it is answered */
	int64_t checkpoint_ms;
	int64_t checkpoint_took_ms;       /* how long the last one took */
	int64_t views_rest_us;            /* while there are requests, no turn for views before this time */
	uint64_t life_base;               /* base of this worker's first segment */
	struct seglog_packing packing;
	int disk_is_short;                /* there are groups, and the disk has hardly more room than they may need */
	struct groups_totals counted;     /* what the counters have of the groups' totals */
	/* Messages of one topic that came in a row. They are counted together. */
	struct { uint16_t len; char name[MOM_TOPIC_MAX]; uint64_t messages, bytes; } run;
};
extern struct worker worker;

/* A place at the end of the log, or NULL: full (logged). control: it may take the room that is kept for what ends
 * something. */
void *worker_place(uint32_t stride, int control);
/* Appends the record, whose header is *r and whose rest is in bytes, at that place, and applies it. client: whose it
 * is, where it is a message. Sets r->offset and r->time. */
void worker_append(void *at, const void *bytes, struct record *r, struct client *client);
/* Appends a record of the worker's own, and applies it. -1: there is no room. */
int  worker_log(struct record *r, const void *data, uint32_t n);
void worker_disk_failed(const char *what) __attribute__((noreturn));
int  worker_store_is_full(void);
/* Handles one frame of a handler's ring: it is taken, refused, or known already. */
void worker_request(struct worker_conn *c, const void *bytes);
void worker_alive(struct worker_conn *c, const void *bytes);         /* a machine's list of living clients */
/* ---- groups: handing.c ---- */
void worker_hand_message(const struct record *r, const void *bytes);  /* one that was stored just now */
int  worker_hand_is_durable(uint64_t hand);
void worker_end_memberships(struct client *c);                /* its process has ended */
int  worker_hand_out(void);                                   /* 1: there is more to do */
void worker_groups_look(uint32_t seconds);                    /* so many seconds have passed */
void worker_groups_begin(uint64_t boot_before);               /* what a power cut may have taken comes back */
uint64_t worker_boot(void);                                   /* of the kernel, as a START says it; 0: not known */
void worker_count_run(void);                                  /* counts the messages of `run` */
/* a durable client's process has ended: publishes its will */
void worker_died(const struct worker_conn *c, const void *bytes);
/* The answer to its DESTROY comes later. If this worker dies before, a successor answers it. */
void worker_owe(const struct client *c);
void worker_break(struct worker_conn *c, uint32_t why);        /* makes its sender end the connection; why: BROKEN_* */
void worker_pay(struct worker_conn *c);                       /* answers what a predecessor owed */
/* Writes its last number and result into the words of its connection. */
void worker_answer(struct client *c);
/* Destroys the machine's clients, but for those in the map. */
void worker_destroy(const struct machine *m, const struct map *but, uint16_t flags);
/* So many seconds have passed. Machines that were away for too long are forgotten. */
void worker_machines_look(uint32_t seconds);
void worker_pack_begin(void);
void worker_pack_look(void);
void worker_conns_look(void);                                 /* joins and leaves connections as broker_server says */
#endif
