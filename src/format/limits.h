/* Every limit of MOM, its unit and its reason. Wire and disk values never change; the others may. */
#ifndef MOM_LIMITS_H
#define MOM_LIMITS_H

#include <mom.h>

enum {
	RECORD_HEADER     = 56,                 /* bytes; see record.h */
	/* --max-message goes up to here: beyond, a file and its name serve better */
	MESSAGE_LIMIT     = 64 * 1024 * 1024,

	/* small traffic wraps here, so that few pages are touched (256 to 512 KiB measured best) */
	RING_EARLY        = 256 * 1024,
	/* bytes a process gathers before it writes: the read and write size of sockets and logs */
	BATCH             = 256 * 1024,

	/* workers of a broker: more than any machine's disks and cores can use */
	SHARDS_MAX        = 64,
	IDLING_LEAST      = 10,                 /* looks before a process sleeps, some 5 us; see ipc/idling.h ... */
	/* ... up to 150 us: a round over the network or to the disk and back ... */
	IDLING_MOST       = 300,
	IDLING_US         = 200,                /* ... while the sleeps between were shorter than this */
	/* a look that took longer was beside a busy program: our own do not work that long at a time */
	CROWDED_US        = 1000,
	CROWDED_LEAST_US  = 20000,              /* then no core is given away for so long, doubling ... */
	CROWDED_MOST_US   = 2000000,            /* ... to this: one look in vain, some 4 ms, in 2 s */
	NAP_US            = 300,                /* between two looks where much flows beside busy programs ... */
	/* ... which is so many messages since the last one; fewer are waited for asleep ... */
	FLOW_LEAST        = 32,
	FLOW_BYTES        = 256,                /* ... of so many bytes, where only bytes are seen */
	/* so often in a tick of the kernel a process is woken for nothing: somebody rings without end ... */
	VAIN_MOST         = 16,
	VAIN_NAP_US       = 20,                 /* ... then this is slept before each further look */
	/* tickets taken before looking at the rings: bounds the time between looks */
	QUEUE_DRAIN       = 1024,
	HANDSHAKE_MS      = 3000,               /* a peer that takes longer is dropped */
	/* connections that have not said HELLO: a descriptor each; one more sends the oldest of the busiest address
	 * away */
	LOBBY_MAX         = 256,
	STRANGERS_MAX     = 64,                 /* handlers in the handshake at once; more wait in the lobby */
	STRANGER_MS       = 1000,               /* where others wait: to answer WELCOME (a daemon: one sync) */
	/* of them, processes that only begin: each takes time from those who have work */
	STARTING_MAX      = 4,
	TICK_MS           = 1000,               /* supervisors ring the bells of time */
	PING_TICKS        = 3,                  /* a ping every 3 s ... */
	PEER_DEAD_MS      = 12000,              /* ... and a peer silent for 12 s is dead: noticed in under 15 s */
	BACKOFF_MIN_MS    = 10,                 /* restart and reconnect back-off, doubling ... */
	BACKOFF_MAX_MS    = 1000,               /* ... to this; */
	BACKOFF_RESET_MS  = 5000,               /* forgotten after this long alive */
	/* children get this long to end before they are killed; a successor waits as long for a lock */
	STOP_MS           = 5000,
	SLICE_MS          = 1000,               /* libmom's longest sleep: notices a daemon's successor */
	/* MOM_OPT_TIMEOUT_MS at the start: the preset in config_keys.c, which a test compares */
	TIMEOUT_MS        = 30000,
	ID_BLOCK          = 1024,               /* global ids reserved at a time in the daemon's spool */
	/* unsubscribed topics whose mail may still come; a full table waits for the forwarder */
	TOMBSTONES        = 4096,
	/* a log segment; small enough to give disk space back, large enough that rolling costs nothing */
	SEGMENT_BYTES     = 64 * 1024 * 1024,
	SEGMENT_MIN       = 4 * 1024 * 1024,    /* a smaller one costs more in files than it gives back in space */
	STORE_SEGMENTS    = 4,                  /* --store-max holds a few, or nothing could be given back */
	/* log between check-points: what a starting worker reads again (about 50 ms) */
	CHECKPOINT_BYTES  = 64 * 1024 * 1024,
	/* log that waits in memory before the kernel is asked to write it: the sync at a segment's end then takes 1 ms,
	 * not 20 */
	WRITE_BACK_BYTES  = 4 * 1024 * 1024,
	/* of one client in a shard, and of one machine: they stand in the memory that all share, some 300 bytes each */
	SUBSCRIPTIONS_CLIENT  = 1000000,
	SUBSCRIPTIONS_MACHINE = 4000000,
	SUBSCRIPTIONS_SHARD   = 8000000,    /* of all: a check-point has to stay below CHECKPOINT_MOST */
	/* of all wills in a shard: they stand in memory, and in each check-point, which must stay below
	 * CHECKPOINT_MOST */
	WILLS_BYTES       = 256 * 1024 * 1024,
	/* of those of one machine: one of the largest payload fits; a client has one */
	WILLS_MACHINE_BYTES = WILLS_BYTES / 4 + 1024 * 1024,
	VIEWS_US          = 5000,               /* at a time, for views: requests wait no longer than that */
	VIEWS_RETRY_MS    = 10000,              /* after a view could not be written */
	/* a machine tells its place at least that often: what lies below is given back */
	PLACE_BYTES       = 16 * 1024 * 1024,
	/* a machine or durable client that is away for longer is forgotten: it would pin the store for ever */
	MACHINE_EXPIRY_S  = 7 * 24 * 3600,
	/* of durable clients of one user, told that they were forgotten when they come back: the rest is not told */
	EXPIRED_NAMES     = 1024,
	/* --client-backlog-max: below, a mail box would hold more than the spool may */
	BACKLOG_LEAST     = 65536,
	/* clients a daemon, connections a broker: IPCMNI, the kernel's cap on SysV objects of a kind */
	SLOTS_MAX         = 32768,
	/* of a daemon's slots, one in so many is for users who have no more than half of them */
	SLOT_RESERVE      = 16
};

/* What follows from the largest payload, --max-message.
 * A record: header, topic with its NUL, payload, rounded up to 8. */
#define RECORD_MOST(message) ((RECORD_HEADER + MOM_TOPIC_MAX + 1 + (message) + 7) / 8 * 8)
/* A client's ring, and the bytes of frames on their way between two processes that grant credit: a largest record
 * always fits */
#define WINDOW_OF(message) ((RECORD_MOST(message) + RING_EARLY / 2 + RING_EARLY - 1) / RING_EARLY * RING_EARLY)
/* Credit is told in steps: with less than one untold, a largest record still fits into the window */
#define CREDIT_STEP(message) (WINDOW_OF(message) - RECORD_MOST(message))
/* A ring that a window flows through: with less a handler could get stuck at the ring's end */
#define UNIT_RING(message) (WINDOW_OF(message) + RECORD_MOST(message))
/* A log segment at least: a largest record, with its recipients in the spool, fits with room */
#define SEGMENT_LEAST(message) \
	(2 * RECORD_MOST(message) + SEGMENT_MIN / 4 > SEGMENT_MIN \
	    ? 2 * RECORD_MOST(message) + SEGMENT_MIN / 4 : SEGMENT_MIN)

/* where --max-message is not used */
enum { RECORD_MAX = RECORD_MOST(MOM_MESSAGE_MAX), WINDOW = WINDOW_OF(MOM_MESSAGE_MAX) };

#endif
