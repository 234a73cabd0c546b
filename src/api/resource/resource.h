/* The messages between the callers of mom_resource.h and the coordinators, and among the coordinators. They are written
 * as mom_coding.h says.
 *
 *     resource/log/G        all that changes group G, in the order of that topic: EVENT_*                    (durable)
 *     resource/reply/ID     answers to client ID: u64 number, i32 code, i32 value                            (fast)
 *     resource/gone         wills of clients: u64 id, u64 the groups that it used, a bit each                (durable)
 *     resource/alive        coordinators: u8 ALIVE_*, u64 id, string8 name, u64 groups held, u64 groups answered for,
 *                           u32 ms between signs of life
 *     resource/state/ID     a snapshot for coordinator ID, in parts: u8 group, u64 offset in the log, u32 whole length,
 *                           u32 place, the bytes
 *     resource/held/G       nothing is published here; a subscriber means that somebody holds the group */
#ifndef RESOURCE_H
#define RESOURCE_H

#include <mom.h>
#include <mom_coding.h>
#include <mom_resource.h>

/* At most 64, since they are bits of a word. More groups spread finer and cost a topic each. */
enum { RESOURCE_GROUPS = 32 };

#define RESOURCE_GONE  "resource/gone"
#define RESOURCE_ALIVE "resource/alive"
#define RESOURCE_LOG   "resource/log/"
#define RESOURCE_REPLY "resource/reply/"
#define RESOURCE_STATE "resource/state/"
#define RESOURCE_HELD  "resource/held/"
enum { RESOURCE_TOPIC_MAX = 48 };

enum event_kind {
	EVENT_REQUEST = 1,     /* a client's request: id, number, op, flags, value, target, name */
	EVENT_GONE    = 2,     /* the client or coordinator id is dead */
	EVENT_JOIN    = 3,     /* the coordinator id wants a snapshot as of this event */
	/* The coordinator id found nobody that holds the group after `target`, the offset of its JOIN. The group begins
	 * anew, empty. It carries the coordinator's name. */
	EVENT_FOUND   = 4,
	/* the coordinator id holds the group from this event on; it carries the coordinator's name */
	EVENT_ACTIVE  = 5,
	EVENT_LEAVE   = 6,     /* the coordinator id would rather not hold it; valid while two others do */
	EVENT_LAST    = EVENT_LEAVE
};

enum resource_op { OP_SEM_INIT = 1, OP_SEM_WAIT, OP_SEM_TRY, OP_SEM_SIGNAL, OP_SEM_DESTROY, OP_VAR_INIT, OP_VAR_READ,
    OP_VAR_WRITE, OP_VAR_DESTROY,
	OP_CANCEL,             /* the request `target` of the same caller is void, done or not */
	OP_LAST = OP_CANCEL };

/* The answer to a request that is asked again while it waits. Codes 0, MOM_NOT_FREE and below 0 end a call. */
enum { ANSWER_WAITS = 2 };
enum { ALIVE_HELLO = 1, ALIVE_HERE = 2, ALIVE_DEAD = 3 };

struct event {
	uint8_t  kind, op, flags;
	int32_t  value;
	uint64_t offset;                           /* its place in the log; not part of the bytes */
	uint64_t id, number, target;
	char name[MOM_RESOURCE_MAX + 1];
};

struct resource_answer { uint64_t number; int32_t code, value; };

void event_put(struct mom_writer *w, const struct event *e);
int  event_get(struct event *e, const void *bytes, size_t len);             /* -1: none of ours */
void answer_put(struct mom_writer *w, const struct resource_answer *a);
int  answer_get(struct resource_answer *a, const void *bytes, size_t len);
int  resource_group(const char *name);
uint64_t resource_hash(const void *bytes, size_t len, uint64_t salt);       /* the same on all machines */
enum { EVENT_BYTES = 64 + MOM_RESOURCE_MAX };                               /* room for any event */

#endif
