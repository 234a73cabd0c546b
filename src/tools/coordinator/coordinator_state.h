/* What a group of resources is: plain state that changes by the events of the group's log alone, in their order,
 * without a system call but for memory. So all who hold the group and have read equally far have the same state, and
 * would give the same answers. Unit test: tests/unit/coordinator_state.c */
#ifndef COORDINATOR_STATE_H
#define COORDINATOR_STATE_H

#include "api/resource/resource.h"
#include "base/map.h"

struct unit_holder { uint64_t id; char name[MOM_NAME_MAX + 1]; };

struct holding { uint64_t id; uint32_t count; };       /* units that a client has taken */

struct resource {
	uint8_t  flags;
	int32_t  value;
	struct resource_client *first, *last;                   /* who waits, first come first */
	struct holding *holdings;                      /* who has taken units, who began first first */
	size_t holding_count, holding_room, key_len;
	char key[];                                    /* 's' or 'v', then the name */
};

/* Of each client the last request: what it answered, or that it waits. */
struct resource_client {
	uint64_t id, number;
	uint8_t  op;
	int32_t  code, value;
	/* it waits for this, or has taken of it (WAIT and TRY); NULL: neither */
	struct resource *resource;
	int waits;
	struct resource_client *next;                           /* who waits after it */
};

struct state {
	/* offsets: of the FOUND event that it began with, 0: none; and of the last event in it */
	uint64_t founded, applied;
	int group;
	/* who holds it: as long as it is alive, has the same state */
	struct unit_holder *holders;
	size_t holder_count;
	struct map clients, resources;
};

/* What the outside has to do; is called for each answer. */
typedef void (*state_answer_fn)(void *with, uint64_t client, const struct resource_answer *a);

enum state_change {                                    /* bits of what state_apply returns */
	STATE_BEGAN = 1,       /* FOUND, valid: all is new and empty */
	STATE_STALE = 2,       /* FOUND, not valid: who sent it did not know that somebody holds the group */
	STATE_LOST  = 4,       /* GONE of a holder */
	STATE_LEFT  = 8        /* LEAVE, valid */
};

void state_init(struct state *s, int group);
void state_free(struct state *s);                      /* empty again, as after state_init */
/* -1: no memory, the state is of no use any more; else bits of enum state_change. Events at or below s->applied change
 * nothing. */
int  state_apply(struct state *s, const struct event *e, state_answer_fn answer, void *with);
/* Give the last answer to every client that has one: who had to may have died before it did. */
void state_repeat(const struct state *s, state_answer_fn answer, void *with);
const struct unit_holder *state_holder(const struct state *s, uint64_t id);          /* NULL: does not hold it */
/* who answers, NULL: nobody holds it */
const struct unit_holder *state_primary(const struct state *s);
/* rendezvous: the heaviest two should hold a group, the first of them answers */
uint64_t holder_weight(const char *name, uint64_t id, int group);

/* The whole state as bytes and back. put: NULL: no memory, else *len of them, to be freed. get: -1: damaged, or no
 * memory; s as after state_init then. */
unsigned char *state_put(const struct state *s, size_t *len);
int state_get(struct state *s, const void *bytes, size_t len);

/* between coordinator_state.c and coordinator_snapshot.c */
/* found or made; NULL: no memory */
struct resource_client *state_client(struct state *s, uint64_t id);
struct resource *state_resource_new(struct state *s, const char *key, size_t key_len);
void state_queue(struct resource *r, struct resource_client *c);
int  state_hold(struct resource *r, uint64_t id, uint32_t count);               /* -1: no memory */
int  state_holder_add(struct state *s, uint64_t id, const char *name);
#endif
