/* The record: one layout from a publisher's ring over TCP and the log to a subscriber's mail box.
 *
 *   0 u32 len        whole record: header, topic, NUL, properties, payload; the next one begins at the next multiple of
 *                    8
 *   4 u32 crc        in a file: CRC32C of bytes 8..len, salted (in a log with the salt of its segment); nobody looks at
 *                    it elsewhere
 *   8 u8  header     56
 *   9 u8  type       REC_*
 *  10 u16 flags      REC_F_*
 *  12 u16 topic_len  without the NUL that follows the topic (there is none where topic_len is 0)
 *  14 u16 shard
 *  16 u64 offset     in a log: incarnation (24 bits) and position (40); in a request: `first`
 *  24 i64 time       in a log: microseconds since 1970; in a request: the client's slot on its machine
 *  32 u64 publisher  global id
 *  40 u64 number     request number: generation (24 bits) and counter (40)
 *  48 u64 aux        what a type needs in addition (see below)
 *  56 topic, NUL, with REC_F_PROPERTIES u16 length and properties (properties.h), payload
 *
 * All numbers are little endian. The same bytes are a frame on TCP and an entry of a ring. */
#ifndef MOM_RECORD_H
#define MOM_RECORD_H

#include "format/limits.h"
#include <stdint.h>
#include <string.h>
#include <endian.h>

enum record_type {
	/* requests of a client; in the log they have offset and time */
	REC_MESSAGE     = 1,
	REC_SUBSCRIBE   = 2,   /* log: aux = result code as an int64 (0, MOM_EEXIST, MOM_ELIMIT) */
	/* Log: aux = result code (0, MOM_ENOTSUB). Without a topic it unsubscribes from all topics of the shard and has
	 * no result. */
	REC_UNSUBSCRIBE = 3,
	REC_CREATE      = 4,   /* aux = 1: durable */
	REC_DESTROY     = 5,
	/* A message that is published once its client is no more. Without a topic it withdraws the will. */
	REC_WILL        = 6,
	/* JOIN, LEAVE and GROUP carry a group_order (group.h), go to every shard, and have a result: in a log aux is
	 * its code. A JOIN may have a topic or a pattern: the group gets another binding by it. */
	REC_JOIN        = 7,
	REC_LEAVE       = 8,
	/* What became of a hand. aux: its offset; payload: u64 verdict (group.h). It has no result. */
	REC_SETTLE      = 9,
	REC_GROUP       = 10,
	/* in logs only */
	REC_MARK        = 16,  /* aux: everything below this offset is on disk */
	REC_END         = 17,  /* the segment ends here; aux: base of the next file */
	REC_ENTRY       = 18,  /* spool: aux = number of recipients; payload: their global ids, then the record */
	REC_GAP         = 19,  /* what lay from its offset to aux was damaged; also on TCP and in mail boxes */
	/* First record of an incarnation: aux = 64 random bits that name its history; number: which boot of the kernel
	 * it was, 0: not known. In a check-point publisher: fast messages below it may have been handed out before a
	 * power cut. */
	REC_START       = 23,
	/* also in check-points: fast messages of publisher, aux to number, are gone: its last loss */
	REC_LOST        = 24,
	/* A message of a group for one of its members, a whole copy: number = the client that it is for, aux = the
	 * offset of the message itself, and in a property of ours a struct hand_note (group.h); publisher and time are
	 * the message's. Also on TCP and in mail boxes. */
	REC_HAND        = 25,
	REC_TAKE_BACK   = 26,  /* aux = offset of a hand that its member has no more; number: why, TAKE_BACK_* */
	/* Check-points. STATE: payload: struct group_state (group.h). BINDING: publisher = the group, offset = since,
	 * topic. MEMBER: publisher = the client, number = the group, aux = its prefetch; in the order of joining.
	 * TAKEN: payload: struct taken. A group is named by the offset of the record that made it. */
	REC_STATE       = 27,
	REC_BINDING     = 28,
	REC_MEMBER      = 29,
	REC_TAKEN       = 30,
	/* Check-point: publisher = serial, aux = its place, time = seconds that it is away, number: its clients with a
	 * lower counter were forgotten. */
	REC_MACHINE     = 20,
	REC_TOPIC       = 21,  /* check-point: a topic that is kept without subscribers */
	/* Check-point: publisher = the client, number = the last that was taken, aux = durable; payload: last result
	 * (u64 number, i64 code, u64 value). */
	REC_CLIENT      = 22,
	/* on TCP only */
	REC_HELLO       = 32,  /* daemon -> broker, first frame; payload: struct hello */
	REC_WELCOME     = 33,  /* broker -> daemon, the answer; payload: struct welcome */
	REC_REFUSE      = 34,  /* broker -> daemon, instead of WELCOME or later: payload is a text */
	/* Daemon -> broker, to each shard: the payload is u64 global ids of the daemon's clients. aux = 1: the list is
	 * complete. Then offset = where the machine's stream is to begin, publisher = the START of the last incarnation
	 * that the machine saw, number = the bits of that START. */
	REC_ALIVE       = 35,
	/* Both ways. daemon -> broker: aux = the token on its disk; broker -> daemon: time = the broker's clock. */
	REC_PING        = 36,
	/* daemon -> broker, to each shard: the process of a durable client (publisher) is no more */
	REC_DIED        = 38,
	REC_ANSWERS     = 37,  /* broker -> daemon: payload struct answer, one or more */
	REC_CREDIT      = 39,  /* aux = bytes of frames taken so far; up: of deliveries, down: of requests of shard */
	REC_PLACE       = 40,  /* daemon -> broker: in shard, all below offset aux is safe */
	/* Broker -> daemon: the machine's subscriptions in shard follow. aux = how many, offset = where the records
	 * behind the list begin, number: as in MACHINE, publisher = where the log ends now (messages below may have
	 * been sent before). */
	REC_LIST        = 41,
	REC_LISTED      = 42,  /* one subscription: publisher = client, offset = since, flags, topic */
	REC_UPTO        = 43,  /* broker -> daemon: there is nothing more for you in shard below offset aux */
	/* in rings only */
	REC_PAD         = 63   /* reserved: nobody writes it, since a pad in a ring is a u32 of 0 (ipc/ring.h) */
};

enum {
	REC_F_DURABLE = 1,     /* on disk before the answer */
	REC_F_NO_ECHO = 2,     /* subscription: without the client's own messages */
	REC_F_BAD     = 4,     /* the handler found it wrong (aux: the code); the worker refuses it in its turn */
	REC_F_EXPIRED = 16,    /* DESTROY: its machine stayed away for too long. LEAVE: its process has ended */
	REC_F_NEED    = 32,    /* MESSAGE: refused where the topic has no subscriber */
	REC_F_WILL    = 64,    /* MESSAGE: it was its publisher's will; the will is used up */
	REC_F_PROPERTIES = 128,        /* MESSAGE, WILL, HAND: properties stand in front of the payload */
	/* what a client may ask for */
	REC_F_ASKED = REC_F_DURABLE | REC_F_NO_ECHO | REC_F_NEED | REC_F_PROPERTIES
};

struct record {
	uint32_t len, crc;
	uint8_t  header, type;
	uint16_t flags, topic_len, shard;
	uint64_t offset;
	int64_t  time;
	uint64_t publisher, number, aux;
};

static inline uint16_t get_u16(const void *p) { uint16_t v; memcpy(&v, p, 2); return le16toh(v); }
static inline uint32_t get_u32(const void *p) { uint32_t v; memcpy(&v, p, 4); return le32toh(v); }
static inline uint64_t get_u64(const void *p) { uint64_t v; memcpy(&v, p, 8); return le64toh(v); }
static inline void put_u16(void *p, uint16_t v) { v = htole16(v); memcpy(p, &v, 2); }
static inline void put_u32(void *p, uint32_t v) { v = htole32(v); memcpy(p, &v, 4); }
static inline void put_u64(void *p, uint64_t v) { v = htole64(v); memcpy(p, &v, 8); }

static inline void
record_get(struct record *r, const void *bytes)
{
	const uint8_t *p = bytes;
	r->len = get_u32(p);
	r->crc = get_u32(p + 4);
	r->header = p[8];
	r->type = p[9];
	r->flags = get_u16(p + 10);
	r->topic_len = get_u16(p + 12);
	r->shard = get_u16(p + 14);
	r->offset = get_u64(p + 16);
	r->time = (int64_t)get_u64(p + 24);
	r->publisher = get_u64(p + 32);
	r->number = get_u64(p + 40);
	r->aux = get_u64(p + 48);
}

static inline void
record_put(void *bytes, const struct record *r)
{
	uint8_t *p = bytes;
	put_u32(p, r->len);
	put_u32(p + 4, r->crc);
	p[8] = r->header;
	p[9] = r->type;
	put_u16(p + 10, r->flags);
	put_u16(p + 12, r->topic_len);
	put_u16(p + 14, r->shard);
	put_u64(p + 16, r->offset);
	put_u64(p + 24, (uint64_t)r->time);
	put_u64(p + 32, r->publisher);
	put_u64(p + 40, r->number);
	put_u64(p + 48, r->aux);
}

/* 1: a type that a client may ask for and that its ring may hold */
static inline int record_is_request(uint8_t type) { return type >= REC_MESSAGE && type <= REC_GROUP; }
/* Bytes that a record of that length takes in a ring, a log or a stream. The result has 64 bits: with 32 bits a garbage
 * length could wrap round to 0, and a reader that adds 0 would stay where it is. */
static inline uint64_t record_stride(uint32_t len) { return ((uint64_t)len + 7) & ~UINT64_C(7); }
static inline uint32_t record_topic_size(uint16_t topic_len) { return topic_len ? topic_len + 1u : 0; }
static inline const char *record_topic(const void *bytes) { return (const char *)bytes + RECORD_HEADER; }
/* The properties with the u16 that tells their length; 0 bytes: there are none. */
static inline const char *record_properties(const void *bytes, const struct record *r)
{
	return (const char *)bytes + RECORD_HEADER + record_topic_size(r->topic_len);
}
static inline uint32_t record_properties_size(const void *bytes, const struct record *r)
{
	return r->flags & REC_F_PROPERTIES ? 2u + get_u16(record_properties(bytes, r)) : 0;
}
static inline const void *record_data(const void *bytes, const struct record *r)
{
	return record_properties(bytes, r) + record_properties_size(bytes, r);
}
static inline uint32_t record_data_len(const void *bytes, const struct record *r)
{
	return r->len - RECORD_HEADER - record_topic_size(r->topic_len) - record_properties_size(bytes, r);
}

/* Looks at the header only. 1: len, header and topic_len can be right for a record of at most `limit` bytes. */
static inline int record_header_is_sound(const void *bytes, uint64_t limit)
{
	const uint8_t *p = bytes;
	uint32_t len = get_u32(p), topic_len = get_u16(p + 12);
	return len >= RECORD_HEADER && len <= limit && p[8] == RECORD_HEADER && topic_len <= MOM_TOPIC_MAX &&
	    RECORD_HEADER + record_topic_size((uint16_t)topic_len) <= len;
}
/* The header has to be sound, and the whole record there. 1: it has properties, if its flag says so, that end inside
 * of it. What they say is not looked at. */
static inline int record_properties_are_sound(const void *bytes)
{
	const uint8_t *p = bytes;
	uint32_t n = get_u32(p) - RECORD_HEADER - record_topic_size(get_u16(p + 12));
	return !(get_u16(p + 10) & REC_F_PROPERTIES) ||
	    (n >= 2 && get_u16(p + RECORD_HEADER + record_topic_size(get_u16(p + 12))) <= n - 2);
}
/* Likewise. 1: the topic ends in a NUL and has no other one, and the properties are as long as they may be. */
static inline int record_body_is_sound(const void *bytes)
{
	uint16_t topic_len = get_u16((const uint8_t *)bytes + 12);
	return (topic_len == 0 || (record_topic(bytes)[topic_len] == '\0' &&
	    memchr(record_topic(bytes), '\0', topic_len) == NULL)) && record_properties_are_sound(bytes);
}
/* 1: the lengths of the record agree with each other and with `limit` (bytes that are there or allowed), and its topic
 * and properties are sound. */
static inline int record_is_sound(const void *bytes, uint64_t limit)
{
	return limit >= RECORD_HEADER && record_header_is_sound(bytes, limit) && record_body_is_sound(bytes);
}
uint32_t record_crc(const void *bytes, uint32_t len, uint64_t salt);
/* Makes a record with this header, topic and payload at `bytes`, filled up with zeros to its stride. Returns the
 * stride. */
uint32_t record_make(void *bytes, struct record *r, const char *topic, const void *data, uint32_t data_len);
/* The same without what stands behind the topic: returns where its body_len bytes are to be written. */
char *record_begin(void *bytes, struct record *r, const char *topic, uint32_t body_len);

/* request numbers and offsets */
#define NUMBER_COUNTER ((UINT64_C(1) << 40) - 1)
static inline uint64_t number_make(uint32_t generation, uint64_t counter) { return (uint64_t)generation << 40 | counter;
    }
static inline uint32_t number_generation(uint64_t number) { return (uint32_t)(number >> 40); }
static inline uint64_t offset_position(uint64_t offset) { return offset & NUMBER_COUNTER; }
static inline uint32_t offset_incarnation(uint64_t offset) { return (uint32_t)(offset >> 40); }

#endif
