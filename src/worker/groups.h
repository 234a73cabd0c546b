/* The groups of a shard as plain data: who is a member, which messages wait, which are out, came back or are dead. A
 * record has the same effect on them at a replay as live. No I/O here but for closing what a group reads.
 *
 * A group takes the messages of its bindings one after the other. Below `read_at` it has taken all, but for those in
 * `skipped` (ordered groups: their key is in work). What it has taken is a hand: the message's copy in the log, a
 * HAND, and what became of it. */
#ifndef GROUPS_H
#define GROUPS_H
#include "base/heap.h"
#include "format/group.h"
#include "log/seglog.h"
#include "routing/subscriptions.h"

struct shard;
struct client;
struct group;

/* OUT: its member has it. BACK: it is to be handed out once more. DEAD: it was tried too often, or refused for good. */
enum taken_state { TAKEN_OUT, TAKEN_BACK, TAKEN_DEAD };
/* why it is dead */
enum dead_why { DEAD_REJECTED = 1, DEAD_TRIES };

struct member {
	struct group *group;
	struct client *client;
	uint32_t prefetch, out;
	int has_ended;                /* its process is gone, but the log has no room to say so yet */
	struct hand *hands;
	/* the group's list of those that may have room; NULL: it is not in it */
	struct member *next_roomy, **link_roomy;
	struct member *next, **link;             /* of the group, in the order of joining */
	struct member *next_of_client, **link_of_client;
};

struct hand {
	struct heap_item in;          /* BACK: in the group's `ready` or `resting`; the first member */
	struct group *group;
	struct member *member;        /* OUT */
	struct hand *next, *before;   /* of the group, by offset */
	struct hand *next_of_member, **link_of_member;
	uint64_t offset;              /* of its copy in the log */
	uint64_t origin;              /* of the message itself */
	uint64_t key;                 /* of ordered groups: hash of the message's key; 0: it has none */
	/* BACK: it rests for so long, until then (milliseconds since 1970); and until when by the clock of this
	 * process, which does not jump */
	uint32_t rest_ms;
	int64_t  not_before, due_ms;
	int64_t  since_ms;            /* OUT: by the clock of this process */
	uint32_t tries, bytes;
	uint8_t  state, durable, why;
};

/* ahead: messages that were taken, though one that was skipped before them was not. Both ascend. */
struct order {
	uint64_t ahead[AHEAD_MOST];
	struct { uint64_t offset, key; } skipped[AHEAD_MOST];
	size_t ahead_count, skipped_count;
};

struct group {
	/* the first member, as the table wants it; id: offset of the record that made it */
	struct subscriber bindings;
	char     name[GROUP_NAME];
	unsigned kind;                /* MOM_GROUP_* */
	uint32_t max_tries, hand_timeout_s, max_hold_ms;
	uint64_t read_at, newest;     /* newest: offset behind the newest message; nothing is unread from there on */
	uint64_t waiting, waiting_bytes;         /* roughly: messages that nobody has had yet */
	struct member *first, **last; /* in the order of joining */
	size_t   members;
	struct member *roomy, **roomy_last;
	struct hand *hands, *newest_hand;        /* by offset */
	size_t   out, back, dead, kept;          /* kept: about their sum, as the packing last saw it */
	struct heap ready, resting;   /* by origin; by due_ms */
	struct map keys;              /* ordered: hands that are OUT or BACK, by key */
	struct order *order;          /* of ordered groups */
	int64_t  oldest_us;           /* when the oldest unread message was stored, as far as it was read */
	uint64_t alone_s;             /* seconds without a member */
	uint64_t handed, settled;     /* since the start of this worker */
	int      is_hungry;           /* it is in the list of groups that may have something to hand out */
	struct group *next_hungry;
	struct seglog_cursor cursor;
	int      reader;              /* 1 + where it stands in `readers`; 0: it reads nothing */
};

enum { READERS_MOST = 32 };           /* most groups that have a segment open */

struct groups_totals { uint64_t handed, settled, late, given_back, dead, expired; };

/* All 0: no groups. */
struct groups {
	struct subscriptions table;   /* of struct group and struct subscribed */
	struct map names, hands;      /* hands by offset */
	size_t count;
	struct group *hungry, **hungry_last;
	struct group *readers[READERS_MOST];
	unsigned reader_turn;
	struct groups_totals totals;
	int changed;                  /* since the file for people was written */
	int64_t file_rests_until;
};

struct group *groups_find(const struct groups *gs, const char *name);
struct member *groups_member(const struct client *c, const struct group *g);
struct hand *groups_hand(const struct groups *gs, uint64_t offset);
/* What a JOIN, LEAVE or GROUP will come to: 0 or a MOM_E*. */
int  groups_code(struct shard *s, const struct client *c, const struct record *r, const void *bytes);
/* Takes up a JOIN, LEAVE, GROUP (c: whose it is, NULL: the worker's own), SETTLE, HAND, TAKE_BACK or GAP. */
void groups_apply(struct shard *s, struct client *c, const struct record *r, const void *bytes, uint64_t end);
/* A message was stored. 1: a group wants it. */
int  groups_message(struct shard *s, const struct record *r, const char *topic, uint64_t end);
/* All memberships of the client end, at that time (microseconds since 1970). */
void groups_leave_all(struct shard *s, struct client *c, int64_t time);
/* The groups that get a topic, and from where on. NULL: none. Valid until the next change. */
struct group_reach { size_t count; struct { struct group *group; uint64_t since; } of[]; };
const struct group_reach *groups_reach(struct groups *gs, const char *topic, uint16_t len);
int  groups_gets(struct groups *gs, const struct group *g, const char *topic, uint16_t len, uint64_t offset);
/* A lower bound of what groups need of the log; `least`: they need nothing below that. */
uint64_t groups_needed_from(const struct groups *gs, uint64_t least);
int  groups_need(struct groups *gs, const void *bytes, const struct record *r);

/* ---- handing out ---- */
void groups_wake(struct groups *gs, struct group *g);        /* it may have something to hand out */
struct group *groups_next_hungry(struct groups *gs);         /* takes one out of the list; NULL: it is empty */
void groups_machine_came(struct groups *gs, const struct client *first);     /* its clients may get hands again */
/* The member that is to get the next message. NULL: none has room. */
struct member *group_next_member(struct group *g);
/* What came back and may go out now, or NULL. *holds: what waits for its time holds up all else. */
struct hand *group_next_back(struct group *g, int *holds);
uint64_t group_key(const struct group *g, const void *bytes, const struct record *r);
int  group_is_ahead(const struct group *g, uint64_t offset);
/* May the message at that offset, the next unread one, be taken now? SKIP: later, its key is in work; what stands
 * behind it may be taken meanwhile. WAIT: nor may that. */
enum turn { TURN_TAKE, TURN_SKIP, TURN_WAIT };
enum turn group_turn(const struct group *g, uint64_t key);
void group_skip(struct group *g, uint64_t offset, uint64_t key);
/* The first that was skipped and whose key is free now, or 0. */
uint64_t group_next_skipped(const struct group *g);
void group_unskip(struct group *g, uint64_t offset);         /* it is taken ... */
void group_skip_again(struct group *g, uint64_t offset, uint64_t key);       /* ... or was not, after all */
uint64_t group_cursor(const struct group *g);                 /* below it all is taken */
/* It has read all: nothing waits, if nothing was skipped, whatever was counted. */
void group_has_none(struct groups *gs, struct group *g);
/* What rested until now is ready; 1: something is. */
int  group_look_resting(struct group *g);
void groups_close_reader(struct groups *gs, struct group *g);

/* ---- for the check-point ---- */
/* NULL: id or name is there */
struct group *groups_make(struct groups *gs, const char *name, uint64_t id, unsigned kind);
struct group *groups_by_id(const struct groups *gs, uint64_t id);
void groups_join(struct groups *gs, struct group *g, struct client *c, uint32_t prefetch);
/* -1: it is */
int  groups_bind(struct groups *gs, struct group *g, const char *topic, uint16_t len, uint64_t since);
/* -1: it cannot be */
int  groups_take(struct groups *gs, struct group *g, struct member *m, const struct taken *t);
#endif
