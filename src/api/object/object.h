/* What the parts of a server's objects share. mom_object.h has the protocol. */
#ifndef API_OBJECT_H
#define API_OBJECT_H
#include "api/rpc/rpc.h"
#include <mom_object.h>

#define OBJECT_ALIVE "object/alive"
#define OBJECT_GONE  "object/gone"

enum object_state {
	OBJECT_HERE,
	OBJECT_WANTED,         /* a move is asked for: calls wait */
	OBJECT_ASKED,          /* the state was sent to the new place */
	OBJECT_COMMITTED,      /* COMMIT is published; when it comes back to us, all before it was seen */
	OBJECT_COMING          /* at the new place: loaded, waiting for COMMIT */
};
/* One for each holder of objects of the server. */
struct object_holder { uint64_t id; int64_t heard_ms; uint32_t objects; };
struct waiting_call { struct waiting_call *next; struct rpc_head head; size_t len; unsigned char bytes[]; };

struct mom_object {
	struct mom_server *server;
	const struct mom_object_type *type;
	void *self;
	enum object_state state;
	int keep, had_holder;
	int64_t born_ms;                       /* measured by the server's heard_ms */
	struct map holders;                    /* struct object_holder */
	struct kept kept;
	char place[RPC_ID_TOPIC];              /* the place where it goes */
	int64_t until_ms;
	/* from: COMING: the server that it comes from; move: number of the move at the old place */
	uint64_t from, move;
	struct waiting_call *waiting, **waiting_end;
	char topic[MOM_REF_MAX + 1];
};

/* ---- object.c ---- */
struct mom_object *object_new(struct mom_server *s, const struct mom_object_type *type, const char *topic);
void object_end(struct mom_object *o);                         /* unsubscribes, frees self and all else */
int  object_hold(struct mom_object *o, uint64_t id);           /* -1: no memory */
void object_unhold(struct mom_object *o, uint64_t id);
void object_look(struct mom_object *o);                        /* it may be gone afterwards: nobody holds it */
/* Executes a METHOD, HOLD or RELEASE now. */
void object_serve(struct mom_object *o, const struct rpc_head *head, const struct mom_reader *args);

/* ---- objects.c: all of a server ---- */
void objects_message(struct mom_server *s, const char *topic, const struct rpc_head *head,
    const struct mom_reader *args);
void objects_tick(struct mom_server *s);
int  objects_due_ms(struct mom_server *s);                     /* -1: never */
int  objects_subscribe_again(struct mom_server *s);
void objects_free(struct mom_server *s);

/* ---- object_move.c ---- */
/* Keeps a call that comes while the object moves. */
void move_wait(struct mom_object *o, const struct rpc_head *head, const struct mom_reader *args);
/* To be called after the server was cut: the marker may have been lost. */
int  move_subscribe_again(struct mom_object *o);
void move_tick(struct mom_object *o, int64_t now_ms);
void move_adopt(struct mom_server *s, const struct rpc_head *head, const struct mom_reader *args);
void move_adopted(struct mom_server *s, const struct rpc_head *head, const struct mom_reader *args);
/* Handles COMMIT or CANCEL. The object may be gone afterwards. */
void move_marker(struct mom_object *o, const struct rpc_head *head);
/* the server id has died; it matters if the object is COMING from there */
void move_from_dead(struct mom_object *o, uint64_t id);
#endif
