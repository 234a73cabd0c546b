/* Every limit of MOM, its unit and its reason. Values on the wire and on disks never change; the others may change. */
#ifndef MOM_LIMITS_H
#define MOM_LIMITS_H

#include <mom.h>

enum {
	RECORD_HEADER     = 56,                 /* bytes; see record.h */
	/* The most that --max-message may say. For a larger payload, a file and its name serve better. */
	MESSAGE_LIMIT     = 64 * 1024 * 1024,
	/* Most bytes of a message's properties: each copy of the message carries them. The broker may add its own. */
	PROPERTIES_MOST   = MOM_PROPERTIES_MAX,
	PROPERTIES_OWN    = 256,

	/* Small traffic wraps here in a ring, so that few pages are touched (256 to 512 KiB measured best). */
	RING_EARLY        = 256 * 1024,
	/* Bytes that a process gathers before it writes. It is the read and write size of sockets and logs. */
	BATCH             = 256 * 1024,

	/* Most workers of a broker. It is more than any machine's disks and cores can use. */
	SHARDS_MAX        = 64,
	IDLING_LEAST      = 10,                 /* fewest looks before a process sleeps: some 5 us; see ipc/idling.h */
	/* Most looks before a process sleeps: 150 us. That is a round trip over the network or to the disk. */
	IDLING_MOST       = 300,
	IDLING_US         = 200,                /* a process looks longer while its sleeps are shorter than this */
	/* A look that took longer was beside a busy program. Our own processes do not work that long at a time. */
	CROWDED_US        = 1000,
	/* after such a look no core is given away for so long; the time doubles ... */
	CROWDED_LEAST_US  = 20000,
	CROWDED_MOST_US   = 2000000,            /* ... up to this: one look in vain (some 4 ms) in 2 s */
	NAP_US            = 300,                /* a nap between two looks while much flows beside busy programs */
	/* Much flows if so many messages came since the last sleep or nap. Fewer are waited for asleep. */
	FLOW_LEAST        = 32,
	FLOW_BYTES        = 256,                /* where only bytes are seen, so many of them count as a message */
	/* If a process is woken for nothing more often than this in a tick of the kernel, somebody rings without
	 * end. */
	VAIN_MOST         = 16,
	VAIN_NAP_US       = 20,                 /* then it sleeps so long before each further look */
	/* Most tickets that are taken before the rings are looked at. It bounds the time between two looks. */
	QUEUE_DRAIN       = 1024,
	HANDSHAKE_MS      = 3000,               /* a peer whose handshake takes longer is dropped */
	/* Most connections that have not said HELLO, or wait for a handler. Each takes a descriptor. One more sends the
	 * oldest of the busiest address away. */
	LOBBY_MAX         = 256,
	/* most handlers in the handshake at once; more connections wait in the lobby */
	STRANGERS_MAX     = 64,
	STRANGER_MS       = 1000,               /* time to answer WELCOME while others wait (a daemon needs one sync) */
	/* Most of these handlers that may be starting at once. Each takes time from processes that have work. */
	STARTING_MAX      = 4,
	TICK_MS           = 1000,               /* so often supervisors ring the bells of time */
	PING_TICKS        = 3,                  /* so many ticks lie between two pings: a ping every 3 s */
	/* a peer that is silent for 12 s is dead; this is noticed in under 15 s */
	PEER_DEAD_MS      = 12000,
	BACKOFF_MIN_MS    = 10,                 /* first back-off of a restart or reconnect; it doubles ... */
	BACKOFF_MAX_MS    = 1000,               /* ... up to this */
	BACKOFF_RESET_MS  = 5000,               /* the back-off is forgotten after so long alive */
	/* Children get so long to end before they are killed. A successor waits as long for a lock. */
	STOP_MS           = 5000,
	/* libmom's longest sleep; then it looks for a successor of the daemon */
	SLICE_MS          = 1000,
	/* MOM_OPT_TIMEOUT_MS at the start. The preset is in config_keys.c; a test compares the two. */
	TIMEOUT_MS        = 30000,
	ID_BLOCK          = 1024,               /* global ids reserved at a time in the daemon's spool */
	/* Most unsubscribed topics whose mail may still come. If the table is full, libmom waits for the forwarder. */
	TOMBSTONES        = 4096,
	/* A log segment. It is small enough to give disk space back, and large enough that rolling on costs nothing. */
	SEGMENT_BYTES     = 64 * 1024 * 1024,
	SEGMENT_MIN       = 4 * 1024 * 1024,    /* a smaller segment costs more in files than it gives back in space */
	STORE_SEGMENTS    = 4,                  /* --store-max holds at least so many, or nothing could be given back */
	/* Bytes of log between two check-points. A starting worker reads them again (about 50 ms). */
	CHECKPOINT_BYTES  = 64 * 1024 * 1024,
	/* Bytes of log that wait in memory before the kernel is asked to write them. So the sync at a segment's end
	 * takes 1 ms and not 20. */
	WRITE_BACK_BYTES  = 4 * 1024 * 1024,
	/* Most subscriptions of one client, and of one machine, in a shard. They stand in the memory that all share,
	 * some 300 bytes each. */
	SUBSCRIPTIONS_CLIENT  = 1000000,
	SUBSCRIPTIONS_MACHINE = 4000000,
	SUBSCRIPTIONS_SHARD   = 8000000,    /* of all clients: so that a check-point stays below CHECKPOINT_MOST */
	PATTERN_LEVELS        = 16,         /* most levels of a pattern; # stands for any number of them */
	/* Most levels of all patterns of one client, and of one machine's clients: each is a node in a tree that its
	 * machine's mom_forwarder walks for each topic. */
	PATTERNS_CLIENT       = 4096,
	PATTERNS_MACHINE      = 1000000,
	/* Where a topic's walk through a machine's patterns visits more nodes, the worker takes it that the machine
	 * wants all. */
	PATTERN_VISITS        = 512,
	/* Most bytes of all wills in a shard. They stand in memory and in each check-point, which has to stay below
	 * CHECKPOINT_MOST. */
	WILLS_BYTES       = 256 * 1024 * 1024,
	/* Most bytes of the wills of one machine's clients in a shard. One will of the largest payload fits; a client
	 * has one will. */
	WILLS_MACHINE_BYTES = WILLS_BYTES / 4 + 1024 * 1024,
	GROUPS_SHARD      = 65536,          /* most groups in a shard: some 1 KiB of memory each */
	BINDINGS_GROUP    = 1024,           /* most bindings of a group: a message of each topic is held against them */
	MEMBERSHIPS_CLIENT = 1024,          /* most groups of one client: its list is looked through */
	/* most messages of a group that may be with a member: some 150 bytes each */
	PREFETCH_MOST     = 10000,
	/* Most messages of a group that were given back or are dead: each keeps its place in the log. */
	HANDS_KEPT_MOST   = 1000000,
	/* Ordered groups: most messages that were handed out before an earlier one, whose key is in work, could be. */
	AHEAD_MOST        = 1024,
	GROUP_MAX_TRIES   = 20,             /* the default: after so many tries a message is dead */
	GROUP_HAND_TIMEOUT_S = 30,          /* the default: what a machine has is taken back when it is away so long */
	BACK_REST_MS      = 1000,           /* what comes back a second time rests so long; the time doubles ... */
	BACK_REST_MOST_MS = 300000,         /* ... up to this */
	VIEWS_US          = 1000,               /* time of one turn for views; requests wait about that long at most */
	VIEWS_RETRY_MS    = 10000,              /* when views are tried again after one could not be written */
	/* A machine tells its place at least once in so many bytes. The broker gives back what lies below the place. */
	PLACE_BYTES       = 16 * 1024 * 1024,
	/* Default of --machine-expiry. A machine or durable client that is away for longer is forgotten; it would pin
	 * the store for ever. */
	MACHINE_EXPIRY_S  = 7 * 24 * 3600,
	/* Most forgotten durable clients of one user whose names are kept. They are told when they come back; others
	 * are not. */
	EXPIRED_NAMES     = 1024,
	/* The least that --client-backlog-max may say, in bytes. */
	BACKLOG_LEAST     = 65536,
	/* Most clients of a daemon, and most connections of a broker. It is IPCMNI, the kernel's cap on System V
	 * objects of a kind. */
	SLOTS_MAX         = 32768,
	/* One in so many of a daemon's slots is reserved for users who have no more than half of the slots. */
	SLOT_RESERVE      = 16
};

/* This follows from the largest payload, --max-message. RECORD_MOST: a largest record: header, topic with its NUL,
 * properties, payload, rounded up to 8. */
#define RECORD_MOST(message) \
	((RECORD_HEADER + MOM_TOPIC_MAX + 1 + PROPERTIES_MOST + PROPERTIES_OWN + (message) + 7) / 8 * 8)
/* The size of a client's ring, and the most bytes of frames on their way between two processes that grant credit. A
 * largest record always fits. */
#define WINDOW_OF(message) ((RECORD_MOST(message) + RING_EARLY / 2 + RING_EARLY - 1) / RING_EARLY * RING_EARLY)
/* Credit is told in steps. While less than one step is untold, a largest record still fits into the window. */
#define CREDIT_STEP(message) (WINDOW_OF(message) - RECORD_MOST(message))
/* The size of a ring that a window flows through. With less, a handler could get stuck at the ring's end. */
#define UNIT_RING(message) (WINDOW_OF(message) + RECORD_MOST(message))
/* The least size of a log segment. A largest record fits with room to spare, also in the spool with its recipients. */
#define SEGMENT_LEAST(message) \
	(2 * RECORD_MOST(message) + SEGMENT_MIN / 4 > SEGMENT_MIN \
	    ? 2 * RECORD_MOST(message) + SEGMENT_MIN / 4 : SEGMENT_MIN)

/* the values without --max-message */
enum { RECORD_MAX = RECORD_MOST(MOM_MESSAGE_MAX), WINDOW = WINDOW_OF(MOM_MESSAGE_MAX) };

/* A bit for each shard. */
static inline uint64_t shards_all(uint32_t shards)
{
	return shards == SHARDS_MAX ? UINT64_MAX : (UINT64_C(1) << shards) - 1;
}
#endif
