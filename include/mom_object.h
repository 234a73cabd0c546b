/* Remote objects over MOM, on top of mom_rpc.h. An object lives in one process. Other processes hold a reference and
 * call its methods. The object can move to another process while they do so. It is freed when nobody holds it any more.
 *
 * In the process where it lives:
 *
 *     static int counter_call(struct mom_request *q, void *self)
 *     {
 *         struct counter *c = self;
 *         if (strcmp(q->service, "add") != 0) return mom_raise(q, 1, "a counter cannot %s", q->service);
 *         c->value += mom_get_i64(&q->args);
 *         mom_put_i64(&q->reply, c->value);
 *         return 0;
 *     }
 *     static const struct mom_object_type counter_type = { "counter", counter_call, counter_save, counter_load, free };
 *     struct mom_object *o = mom_object_export(server, &counter_type, calloc(1, sizeof(struct counter)));
 *     const char *ref = mom_object_ref(o);
 *     mom_publish(id, "counters", ref, strlen(ref), 0);      // a reference travels as any text
 *     while (mom_serve_one(server, -1) == 0)
 *         ;
 *
 * In a program that has the reference, on any machine:
 *
 *     int e = mom_object_call(id, ref, "add", &w, &r, 5000);
 *     mom_object_release(id, ref, 5000);
 *
 * A reference is the name of the object's topic, object/ID-NUMBER. It stays the same wherever the object goes. A call
 * is executed at most once. If it returns 0 or an error of the method's, it was executed once (see MOM_AT_MOST_ONCE).
 *
 * Who holds: a handle holds an object from mom_object_hold or its first mom_object_call on. It does so until
 * mom_object_release, until its own end, or until its process dies, in whatever way (a will on object/gone tells that).
 * A holder is also taken for dead if its machine stays away for longer than the lease, or if nothing is heard of the
 * holder for as long. A call renews all that its handle holds. A holder that makes no call for 10 s at a time has to
 * call mom_object_renew. Time in which the broker is away does not count. An object that nobody holds is freed; a new
 * one waits a lease for its first holder. Sending a reference does not keep the object alive: the sender has to hold
 * the object until the receiver has said that it holds it.
 *
 * Moving: mom_object_move asks another process to take the object. From then on calls wait. The state, the holders and
 * the record of what was executed for whom go over. A last message in the object's topic, COMMIT, separates the two
 * lives. The old place answers what comes before COMMIT with "moved to", so that it is asked again. The new place
 * executes what comes behind COMMIT. Nothing is lost and nothing is done twice. If the new place cannot take the
 * object, the old one goes on. If the old process dies before COMMIT, the object ends with it, as it does wherever its
 * process dies.
 *
 * Messages (see mom_rpc.h for their head) have these kinds: 3 a method, 4 hold, 5 release, 6 adopt and 7 adopted
 * between places, 8 commit, 9 cancel, 10 alive on object/alive, 11 gone on object/gone. The answer "moved to" is 34. */
#ifndef MOM_OBJECT_H
#define MOM_OBJECT_H

#include <mom_rpc.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MOM_REF_MAX          63      /* bytes of a reference */
#define MOM_OBJECT_LEASE_MS  30000   /* a holder that is not heard of for so long is gone */

/* An object, in the process where it lives. It is valid until its type's release was called for it. */
struct mom_object;

/* What a kind of object can do. The struct must stay where it is as long as the server lives. The same name means the
 * same kind in all processes. */
struct mom_object_type {
	const char *name;                                  /* 1 to MOM_SERVICE_MAX bytes */
	/* Executes the method q->service. It is like a mom_procedure, but must not use mom_defer. */
	int   (*call)(struct mom_request *q, void *self);
	/* For moves: writes the state. Returns 0; not 0: the object cannot move now. NULL: objects of this kind never
	 * move. */
	int   (*save)(void *self, struct mom_writer *w);
	/* For moves: makes the same object again. Returns NULL: not possible. If load is NULL, none can move to this
	 * process. */
	void *(*load)(struct mom_reader *r);
	/* Called when nobody holds the object any more, when it lives elsewhere, or when its server ends. May be
	 * NULL. */
	void  (*release)(void *self);
	/* Called when a move failed and the object goes on here. May be NULL. */
	void  (*stayed)(struct mom_object *o, void *self, int error, const char *text);
};

/* ---- where it lives ---- */

/* Let objects of this kind move to this server. mom_object_export does it, too. The server's will is used up by this.
 * Returns 0 (also the second time), MOM_EINVAL, MOM_ELIMIT, or as mom_subscribe and mom_will. The text is
 * mom_error_text(-1).
 *     mom_object_serve(server, &counter_type); */
int mom_object_serve(struct mom_server *s, const struct mom_object_type *type);

/* Export self as an object of that kind. Its methods are executed inside mom_serve_one. NULL: mom_error_text(-1) says
 * why, and self is still the caller's.
 *     struct mom_object *o = mom_object_export(server, &counter_type, counter); */
struct mom_object *mom_object_export(struct mom_server *s, const struct mom_object_type *type, void *self);

/* The object's reference: 1 to MOM_REF_MAX bytes. It never changes. The pointer is valid as long as o.
 *     mom_put_string8(&q->reply, mom_object_ref(o)); */
const char *mom_object_ref(const struct mom_object *o);

/* The object whose method this request calls. Do not ask in a procedure of mom_serve: it has no object.
 *     mom_object_move(mom_object_of(q), place, 5000); */
struct mom_object *mom_object_of(const struct mom_request *q);

/* The pointer that mom_object_export was given or that load has made. It is NULL only if NULL was exported.
 *     struct counter *c = mom_object_self(o); */
void *mom_object_self(const struct mom_object *o);

/* keep 1: the object lives on although nobody holds it, also at the place where it moves to. keep 0 (at the start): it
 * is freed when nobody holds it.
 *     mom_object_keep(o, 1); */
void mom_object_keep(struct mom_object *o, int keep);

/* How many handles hold the object, as far as this process knows.
 *     if (mom_object_holders(o) == 0) puts("nobody yet"); */
size_t mom_object_holders(const struct mom_object *o);

/* The place where a server takes objects, for mom_object_move. It is a text that can be sent. Valid as long as the
 * server.
 *     mom_put_string8(&q->reply, mom_object_place(q->server)); */
const char *mom_object_place(const struct mom_server *s);

/* Begin to move the object to another server. The move goes on inside mom_serve_one. Once this has returned, calls of
 * the object wait. They go on at the new place, or here if the new place cannot be reached within timeout_ms
 * (type->stayed is called then). Once the object has gone, o is no more, and type->release is called for what is left
 * here. A method may call mom_object_move; its own call is answered first. State, holders and kept answers have to fit
 * into one message of 1 MiB. Returns 0: begun; MOM_EINVAL (no such place, this very place, timeout_ms below 1, the kind
 * has no save), MOM_EBUSY: it is moving. The text is mom_error_text(-1).
 *     mom_object_move(o, place, 5000); */
int mom_object_move(struct mom_object *o, const char *place, int timeout_ms);

/* Set the lease of this server's objects: 300 ms or more, MOM_OBJECT_LEASE_MS at the start. Call it before the first
 * holder comes. Returns 0 or MOM_EINVAL.
 *     mom_object_lease(server, 5000); */
int mom_object_lease(struct mom_server *s, int lease_ms);

/* ---- who holds it ---- */

/* Become a holder without a call. Returns 0; MOM_ENOSUBSCRIBER: there is no such object (any more); or as mom_call.
 *     mom_object_hold(id, ref, 5000); */
int mom_object_hold(int id, const char *ref, int timeout_ms);

/* Call a method, and hold the object from now on. method: 1 to MOM_SERVICE_MAX bytes. All else is as in mom_call with
 * MOM_AT_MOST_ONCE: the method was executed once if this returns 0 or an error above 0. MOM_ENOSUBSCRIBER: there is no
 * such object any more, and nothing was executed. Calls of an object that moves wait until it has moved.
 *     mom_object_call(id, ref, "add", &w, &r, 5000); */
int mom_object_call(int id, const char *ref, const char *method, const struct mom_writer *request,
    struct mom_reader *reply, int timeout_ms);

/* Stop holding the object. Returns 0, also if the object is gone; MOM_ENOTSUB: this handle does not hold it; or as
 * mom_call, and then the handle still holds it.
 *     mom_object_release(id, ref, 5000); */
int mom_object_release(int id, const char *ref, int timeout_ms);

/* Say that this handle still holds what it holds. It is for holders that do not call. It costs nothing if this was said
 * less than a third of the lease ago. Returns 0, or as mom_publish with MOM_ASYNC.
 *     mom_object_renew(id); */
int mom_object_renew(int id);

#ifdef __cplusplus
}
#endif
#endif
