/* What records say of groups.
 *
 * group_order is the payload of JOIN, LEAVE and GROUP:
 *    0 u8 act, 1 u8 kind (MOM_GROUP_*), 2 u16 prefetch, 4 u32 max_tries, 8 u32 hand_timeout_s, 12 u32 max_hold_ms,
 *   16 u64 id, 24 name, NUL
 * hand_note is a property of a HAND (PROPERTY_HAND):
 *    0 u64 from, 8 u64 cursor, 16 i64 good_until, 24 u32 tries, 28 name, NUL
 * group_state is the payload of a STATE: a group_order, whose name fills GROUP_NAME bytes, then
 *      u64 number, u64 cursor, u64 newest, u64 waiting, u64 waiting_bytes, u64 alone_s, then the offsets in `ahead`
 * taken is the payload of a TAKEN:
 *    0 u64 group, 8 u64 hand, 16 u64 origin, 24 u64 client, 32 i64 not_before, 40 u64 key, 48 u32 tries, 52 u32 bytes,
 *   56 u8 state, 57 u8 durable, 58 u8 why, 59 u8 0, 60 u32 rest_ms */
#ifndef GROUP_H
#define GROUP_H

#include "format/record.h"

enum { GROUP_NAME = MOM_NAME_MAX + 1, ORDER_HEAD = 24, ORDER_MOST = ORDER_HEAD + GROUP_NAME, NOTE_HEAD = 28,
    NOTE_MOST = NOTE_HEAD + GROUP_NAME, STATE_HEAD = ORDER_MOST + 6 * 8, TAKEN_BYTES = 64, PROPERTY_HAND = 192 };

/* of JOIN and LEAVE the type says it all */
enum group_act { GROUP_NONE, GROUP_SET, GROUP_BIND, GROUP_UNBIND, GROUP_DELETE, GROUP_RETRY, GROUP_PURGE, GROUP_ACTS };
enum { GROUP_KINDS = MOM_GROUP_TEMPORARY | MOM_GROUP_ORDERED | MOM_GROUP_EXCLUSIVE };
#define GROUP_AS_IT_IS UINT32_MAX             /* of the three settings: it stays, or in a new group the default */

struct group_order {
	uint8_t  act, kind;
	uint16_t prefetch;            /* JOIN: 1 to PREFETCH_MOST */
	uint32_t max_tries, hand_timeout_s, max_hold_ms;
	uint64_t id;                  /* RETRY, PURGE: the offset of the dead message itself; 0: all */
	char     name[GROUP_NAME];
};
/* What is wrong with MOM_GROUP_* of a group; NULL: nothing. */
const char *group_kind_fault(unsigned kind);
uint32_t group_order_put(void *payload, const struct group_order *o);      /* returns its length */
/* What is wrong with it; NULL: nothing, and *o is filled in. type: of its record */
const char *group_order_get(struct group_order *o, uint8_t type, const void *payload, uint32_t n);

/* An origin outside the servers names its shard, too: different shards have equal offsets as a matter of course.
 * Offsets stay below 2^58 for 262,144 incarnations of a log. */
static inline uint64_t origin_make(uint64_t offset, uint32_t shard) { return offset ^ (uint64_t)shard << 58; }
static inline uint32_t origin_shard(uint64_t origin) { return (uint32_t)(origin >> 58); }
static inline uint64_t origin_offset(uint64_t origin) { return origin & (UINT64_MAX >> 6); }

struct hand_note {
	uint64_t from;                /* the hand that came back and is handed out once more; 0: it is the first */
	uint64_t cursor;              /* of the group, from this hand on */
	int64_t  good_until;          /* milliseconds since 1970: from then on it is taken back; 0: never */
	uint32_t tries;
	const char *name;             /* the group's */
};
uint32_t hand_note_put(void *value, const struct hand_note *note);         /* returns its length */
/* 0: the record has none that could be right. note->name points into it. */
int hand_note_get(struct hand_note *note, const void *bytes, const struct record *r);
/* Bytes of a MESSAGE's or HAND's properties without the note, and with their u16; 0: it has no others. */
uint32_t hand_properties(const void *bytes, const struct record *r);

/* A SETTLE's payload: what became of a message. SETTLE_BACK(ms): it is handed out once more, not before so many
 * milliseconds. */
#define SETTLE_DONE 0u
#define SETTLE_DEAD UINT64_MAX
#define SETTLE_BACK(ms) ((uint64_t)(ms) + 1)

enum take_back_why { TAKE_BACK_AWAY = 1, TAKE_BACK_HELD, TAKE_BACK_POWER, TAKE_BACK_EXPIRED, TAKE_BACK_DAMAGED };

struct taken { uint64_t group, hand, origin, client, key; int64_t not_before; uint32_t tries, bytes, rest_ms;
    uint8_t state, durable, why; };
void taken_put(void *payload, const struct taken *t);
void taken_get(struct taken *t, const void *payload);

#endif
