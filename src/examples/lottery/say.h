/* say - what the centre and the agencies say to each other, beside batches (bet.h)
 *
 *     agency -> TOPIC/bets      a batch, or one byte: the number of an agency that has no more bets
 *     centre -> TOPIC/to/ID     ID: the agency's global id as 16 hex digits, so that only it hears
 *         'A'  u32 number  u32 count        the number-th batch (from 1) of this agency is stored, count bets;
 *              ffffffff: -1, nothing is
 *         'W'  u8 agency  u32 part  u8 last  u16 n  n times u32 document        the winners of this agency, in parts
 *              from 0 on
 * A centre that came back after a crash may say a thing again: the numbers tell. */
#ifndef SAY_H
#define SAY_H

#include <stdint.h>

enum { SAY_ANSWER = 'A', SAY_WINNERS = 'W', SAY_DOCUMENTS_MAX = 2000, SAY_TOPIC_MAX = 64,
    SAY_BYTES_MAX = 16 + 4 * SAY_DOCUMENTS_MAX };

struct say {
	int kind, last;
	uint32_t number, part;
	int count;                             /* of bets; of documents */
	unsigned agency;
	uint32_t document[SAY_DOCUMENTS_MAX];
};

/* As mom_publish; the first one is refused with MOM_ENOSUBSCRIBER where there is no centre (yet). */
int say_bets(int id, const char *topic, const void *bytes, unsigned len, int first);
int say_to(int id, const char *topic, uint64_t agency, const struct say *s);     /* as mom_publish */
int say_subscribe_bets(int id, const char *topic);                               /* as mom_subscribe */
int say_subscribe_own(int id, const char *topic);
int say_get(struct say *s, const void *bytes, unsigned long len);                /* 0, -1: not one of these */
#endif
