/* The client table as requester, responser and forwarder see it: which slot has which client, with the client's segment
 * attached. */
#ifndef SLOTS_H
#define SLOTS_H
#include "ipc/layout.h"

struct slot {
	uint32_t state, owner;        /* as last seen; owner 0: nobody */
	struct client_segment *segment;   /* NULL: there is none, or it cannot be attached */
	int segment_id;
	uint64_t ring;                /* bytes of each of the client's two rings */
	uint64_t id;
	uint32_t generation, durable, fresh;
	void *own;                    /* what this process keeps for the slot */
};

struct slots {
	struct machine_table *table;
	struct daemon_unit *unit;
	enum unit_role role;
	uint32_t epoch, used;
	struct slot *slot;            /* table->capacity of them */
};

void slots_init(struct slots *s, struct machine_table *table, struct daemon_unit *unit, enum unit_role role);
/* Takes up what mom_daemon changed. changed(i, old) is called if a slot has another state, owner or segment than
 * before. Returns 1: something changed. */
int  slots_look(struct slots *s, void (*changed)(uint32_t i, const struct slot *old));
/* The same, even if mom_daemon has told of no change. */
void slots_look_again(struct slots *s, void (*changed)(uint32_t i, const struct slot *old));
/* Wakes the client if it sleeps for that: ASLEEP_FOR_*. */
void slots_wake(const struct slots *s, const struct slot *v, uint32_t what);
#endif
