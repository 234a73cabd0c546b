/* What goes over TCP besides the records themselves (record.h): the payloads of HELLO, WELCOME and ANSWERS.
 * diagrams/protocol.md explains them, tests/golden has their bytes. All numbers are little endian. */
#ifndef MOM_WIRE_H
#define MOM_WIRE_H

#include "format/record.h"

enum { WIRE_VERSION = 4 /* 2: WILL, DIED; 3: properties; 4: groups */, WIRE_ID_BYTES = 16, HOST_BYTES = 64 };

/* HELLO payload, 64 bytes and the host's name: u32 version, u32 feature bits, machine id, store id (zeros: none known),
 * u32 largest payload, u32 slots of the client table, u32 delivery window in bytes, u32 zero, u64 token that is on the
 * daemon's disk (0: none), then up to 64 bytes of the host's name (older daemons send none) */
struct hello {
	uint32_t version, features;
	uint8_t  machine[WIRE_ID_BYTES], store[WIRE_ID_BYTES];
	uint32_t message_max, slots, window;
	uint64_t token;
	char     host[HOST_BYTES + 1];         /* only bytes of host names; "": none */
};
/* WELCOME payload, 56 bytes: u32 version, u32 feature bits, store id, u32 serial, u32 shards, u32 largest payload, u32
 * request window of a shard in bytes, u64 token (a later HELLO shows it, once it is on the daemon's disk), u32 machine
 * expiry in seconds (0: never), u32 zero */
struct welcome {
	uint32_t version, features;
	uint8_t  store[WIRE_ID_BYTES];
	uint32_t serial, shards, message_max, window;
	uint64_t token;
	uint32_t expiry, spare;
};
/* HELLO_BYTES: without the host's name; HELLO_MOST: with the longest */
enum { HELLO_BYTES = 64, HELLO_MOST = HELLO_BYTES + HOST_BYTES, WELCOME_BYTES = 56, ANSWER_BYTES = 40 };

/* One entry of ANSWERS, 40 bytes: u32 slot, u16 shard, u16 kind, u64 number, i64 code, u64 value, u64 zero */
enum answer_kind {
	ANSWER_ACKED   = 1,    /* all requests up to number are taken */
	ANSWER_RESULT  = 2,    /* result of a subscribe, unsubscribe, create or destroy: code; value = offset */
	ANSWER_REFUSED = 3,    /* number, and all after it that were on their way, are not stored; code: why */
	/* Fast messages number..value were acknowledged and are gone. code = how many losses were told so far. */
	ANSWER_LOST    = 4
};
struct answer {
	uint32_t slot;
	uint16_t shard, kind;
	uint64_t number;
	int64_t  code;
	uint64_t value;
};

/* payload: HELLO_MOST bytes; returns how many of them it has */
uint32_t wire_hello_put(void *payload, const struct hello *h);
/* n: of the payload, HELLO_BYTES to HELLO_MOST */
void wire_hello_get(struct hello *h, const void *payload, uint32_t n);
/* A host's name as it may stand in a file or on a screen: what is none of its bytes becomes _. */
void wire_host(char host[HOST_BYTES + 1], const char *name, size_t n);
void wire_welcome_put(void *payload, const struct welcome *w);
void wire_welcome_get(struct welcome *w, const void *payload);
void wire_answer_put(void *payload, const struct answer *a);
void wire_answer_get(struct answer *a, const void *payload);

#endif
