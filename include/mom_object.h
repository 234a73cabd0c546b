/* Remote objects over MOM, on top of mom_rpc.h: an object lives in one process, others hold a reference and call its
 * methods; it can move to another process while they do, and is freed when nobody holds it any more.
 *
 * Where it lives:
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
 * Who has the reference, on any machine:
 *
 *     int e = mom_object_call(id, ref, "add", &w, &r, 5000);
 *     mom_object_release(id, ref);
 *
 * A reference is the name of the object's topic, object/ID-NUMBER, and stays the same wherever the object goes. Calls
 * are executed at most once, and once where they return 0 or an error of the method's (see MOM_AT_MOST_ONCE).
 *
 * Who holds: a handle holds an object from mom_object_hold or its first mom_object_call until mom_object_release, its
 * own end, or the death of its process, however that ends (a will on object/gone). A machine that stays away for longer
 * than the lease, and a holder of whom nothing is heard for as long, is taken for dead, too: calls renew all that a
 * handle holds; who does not call for 10 s at a time calls mom_object_renew. Time in which the broker is away does not
 * count. An object that nobody holds is freed; a new one waits a lease for its first holder. A reference on its way is
 * no holder: who passes one on holds it until the other has said that it does.
 *
 * Moving: mom_object_move asks another process to take the object. From then on calls wait; the state, the holders and
 * what was executed for whom go over. A last message in the object's topic, COMMIT, parts the two lives: what comes
 * before it the old place answers with "moved to", so that it is asked again; what comes behind it the new place
 * executes. Nothing is lost and nothing done twice. If the new place cannot take it the old one goes on. If the old
 * process dies before COMMIT the object ends with it, as it does wherever its process dies.
 *
 * Messages (see mom_rpc.h for their head): kind 3 a method, 4 hold, 5 release, 6 adopt and 7 adopted between places, 8
 * commit, 9 cancel, 10 alive on object/alive, 11 gone on object/gone; the answer "moved to" is 34. */
#ifndef MOM_OBJECT_H
#define MOM_OBJECT_H

#include <mom_rpc.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MOM_REF_MAX          63      /* bytes of a reference */
#define MOM_OBJECT_LEASE_MS  30000   /* a holder of whom nothing is heard for so long is gone */

/* in the process where it lives; valid until its type's release was called for it */
struct mom_object;

/* What a kind of object can. It must stay where it is as long as the server; the same name means the same kind in all
 * processes. */
struct mom_object_type {
	const char *name;                                  /* 1 to MOM_SERVICE_MAX bytes */
	/* executes method q->service: as a mom_procedure, but for mom_defer */
	int   (*call)(struct mom_request *q, void *self);
	/* for moves: the state; 0, or not 0: it cannot move now. NULL: never moves */
	int   (*save)(void *self, struct mom_writer *w);
	/* the same object again; NULL: not possible. NULL here: none move to this process */
	void *(*load)(struct mom_reader *r);
	/* nobody holds it any more, it lives elsewhere, or its server ends. May be NULL */
	void  (*release)(void *self);
	/* a move failed, it goes on here. May be NULL */
	void  (*stayed)(struct mom_object *o, void *self, int error, const char *text);
};

/* ---- where it lives ---- */

/* Let objects of this kind move to this server. mom_object_export does it, too. Returns 0 (also the second time),
 * MOM_EINVAL, MOM_ELIMIT, or as mom_subscribe and mom_will: the server's will is taken by this. The
 * text is that of mom_error_text(-1).
 *     mom_object_serve(server, &counter_type); */
int mom_object_serve(struct mom_server *s, const struct mom_object_type *type);

/* Export self as an object of that kind; its methods are executed inside mom_serve_one. NULL: mom_error_text(-1) says
 * why, self is still the caller's.
 *     struct mom_object *o = mom_object_export(server, &counter_type, counter); */
struct mom_object *mom_object_export(struct mom_server *s, const struct mom_object_type *type, void *self);

/* Its reference: 1 to MOM_REF_MAX bytes, the same for ever; valid as long as o.
 *     mom_put_string8(&q->reply, mom_object_ref(o)); */
const char *mom_object_ref(const struct mom_object *o);

/* The object whose method this request calls; in a mom_procedure there is none: do not ask there.
 *     mom_object_move(mom_object_of(q), place, 5000); */
struct mom_object *mom_object_of(const struct mom_request *q);

/* What export was given or load has made, never NULL.
 *     struct counter *c = mom_object_self(o); */
void *mom_object_self(const struct mom_object *o);

/* keep 1: it lives on though nobody holds it, also where it moves to. 0 (at the start): it is freed when nobody does.
 *     mom_object_keep(o, 1); */
void mom_object_keep(struct mom_object *o, int keep);

/* How many handles hold it, as far as is known here.
 *     if (mom_object_holders(o) == 0) puts("nobody yet"); */
size_t mom_object_holders(const struct mom_object *o);

/* Where a server takes objects: a text that can travel, for mom_object_move. Valid as long as the server.
 *     mom_put_string8(&q->reply, mom_object_place(q->server)); */
const char *mom_object_place(const struct mom_server *s);

/* Begin to move it to another server; the move goes on inside mom_serve_one. From its return on calls wait, and go on
 * at the new place, or here if it cannot be reached within timeout_ms (then type->stayed is told). Once it has gone, o
 * is no more and type->release is called for what is here. It may be called from a method: that call is answered first.
 * State, holders and kept answers have to fit into one message of 1 MiB. Returns 0: begun; MOM_EINVAL (no such place,
 * this very place, timeout_ms below 1, the kind has no save), MOM_EBUSY: it is moving; text: mom_error_text(-1).
 *     mom_object_move(o, place, 5000); */
int mom_object_move(struct mom_object *o, const char *place, int timeout_ms);

/* The lease of this server's objects: 300 ms or more, MOM_OBJECT_LEASE_MS at the start; before the first holder comes.
 * Returns 0 or MOM_EINVAL.
 *     mom_object_lease(server, 5000); */
int mom_object_lease(struct mom_server *s, int lease_ms);

/* ---- who holds it ---- */

/* Become a holder, without calling. Returns 0; MOM_ENOSUBSCRIBER: there is no such object (any more); or as mom_call.
 *     mom_object_hold(id, ref, 5000); */
int mom_object_hold(int id, const char *ref, int timeout_ms);

/* Call a method, and hold the object from now on. method: 1 to MOM_SERVICE_MAX bytes. All else as mom_call with
 * MOM_AT_MOST_ONCE; it is executed once where this returns 0 or an error above 0. MOM_ENOSUBSCRIBER: there is no such
 * object any more, not executed. Calls of an object that moves wait for it.
 *     mom_object_call(id, ref, "add", &w, &r, 5000); */
int mom_object_call(int id, const char *ref, const char *method, const struct mom_writer *request,
    struct mom_reader *reply, int timeout_ms);

/* Hold it no longer. Returns 0, also where the object is gone; MOM_ENOTSUB: this handle does not hold it; or as
 * mom_call, and holds it still.
 *     mom_object_release(id, ref, 5000); */
int mom_object_release(int id, const char *ref, int timeout_ms);

/* Say that this handle still holds what it holds: costs nothing where it was said in the last third of the lease. For
 * holders that do not call. Returns 0, or as mom_publish with MOM_ASYNC.
 *     mom_object_renew(id); */
int mom_object_renew(int id);

#ifdef __cplusplus
}
#endif
#endif
