/* The hands that this process was given: messages of groups, for it alone, until it says what became of them. */
#ifndef HAND_H
#define HAND_H
#include "api/handle.h"
#include "format/group.h"

/* GIVEN: the program has it. UNSENT: its verdict waits for room in the ring. SENT: its SETTLE has that number. */
enum given_state { GIVEN, UNSENT, SENT };
struct given { uint64_t hand, verdict, number; uint32_t shard; enum given_state state; };
enum { LOOK_LEAST = 32 };                              /* a shorter list is not looked through */

/* Room for one more; -1: no memory. */
int  hands_reserve(struct handle *h);
/* Is this HAND still for us? It is not if it was for an earlier process of this client, if we have left its group
 * since, or if it is taken back by now. */
int  hand_is_ours(struct handle *h, const void *bytes, const struct record *r, struct hand_note *note);
/* It is given out. There has to be room. */
void hand_given(struct handle *h, const struct record *r);
/* What became of it; it is told as soon as the ring has room. 0: there is no such hand. */
int  hand_settled(struct handle *h, uint32_t shard, uint64_t hand, uint64_t verdict);
void hands_settled(struct handle *h);                  /* all that were given out are done */
void hands_look(struct handle *h);                     /* what is told and acknowledged is forgotten */
/* All that was sent to that shard from that number on was refused. Returns how many will be sent anew. */
uint64_t hands_refused(struct handle *h, uint32_t shard, uint64_t number, int code);
void hands_left(struct handle *h, uint64_t group_hash, uint32_t shard, uint64_t offset);
uint64_t hand_group_hash(const char *name);
void hands_free(struct handle *h);
#endif
