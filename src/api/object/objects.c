/* objects - the objects of a server together: what is asked of them, signs of life of their holders, and what the
 * program asks of the library. One object is in object.c; how it moves is in object_move.c. */
#include "api/object/object.h"
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
object_asked(struct mom_object *o, const struct rpc_head *head, const struct mom_reader *args)
{
	switch (o->state) {
	case OBJECT_HERE:
		object_serve(o, head, args);
		object_look(o);
		return;
	case OBJECT_COMING:                            /* before COMMIT: the old place says "moved to" */
		return;
	default:
		move_wait(o, head, args);
	}
}

/* ---- signs of life ---- */

/* A holder has died, or left with its handle. */
static void
holder_gone(struct mom_server *s, uint64_t id)
{
	struct mom_object *o;
	for (size_t at = 0; (o = map_each(&s->objects, &at)) != NULL;) {
		move_from_dead(o, id);
		object_unhold(o, id);
		object_look(o);
	}
}

static void
holders_expire(struct mom_server *s)
{
	struct object_holder *h;
	for (size_t at = 0; (h = map_each(&s->alive, &at)) != NULL;)
		if (s->heard_ms - h->heard_ms > s->lease_ms) {
			holder_gone(s, h->id);
			at = 0;                        /* it is out of the map, others may be, too */
		}
	struct mom_object *o;
	for (size_t at = 0; (o = map_each(&s->objects, &at)) != NULL;)
		object_look(o);
}

/* Our own ALIVE has come back: so long others could have been heard, too. An outage counts as one beat at most. */
static void
own_alive(struct mom_server *s)
{
	int64_t now = clock_ms(), passed = now - s->echo_ms, beat = s->lease_ms / 3;
	s->heard_ms += s->echo_ms == 0 ? 0 : passed < beat ? passed : beat;
	s->echo_ms = now;
	holders_expire(s);
}

static void
holder_alive(struct mom_server *s, uint64_t id)
{
	struct object_holder *h = map_get(&s->alive, &id, sizeof id);
	if (id == s->global_id)
		own_alive(s);
	else if (h)
		h->heard_ms = s->heard_ms;
}

/* ---- messages ---- */

void
objects_message(struct mom_server *s, const char *topic, const struct rpc_head *head, const struct mom_reader *args)
{
	struct mom_object *o = map_get(&s->objects, topic, strlen(topic));
	switch (head->kind) {
	case RPC_METHOD: case RPC_HOLD: case RPC_RELEASE:
		if (o)
			object_asked(o, head, args);
		return;
	case RPC_COMMIT: case RPC_CANCEL:
		if (o)
			move_marker(o, head);
		return;
	case RPC_ADOPTED:
		move_adopted(s, head, args);
		return;
	case RPC_ADOPT:
		move_adopt(s, head, args);
		return;
	case RPC_ALIVE:
		holder_alive(s, head->caller);
		return;
	case RPC_GONE:
		if (strcmp(topic, OBJECT_GONE) == 0)
			holder_gone(s, head->caller);
	}
}

static int
sign_put(unsigned char *bytes, size_t size, unsigned kind, uint64_t id)
{
	struct mom_writer w;
	mom_writer_init(&w, bytes, size);
	rpc_head_put(&w, &(struct rpc_head){ .kind = (uint8_t)kind, .caller = id });
	return (int)w.len;
}

void
objects_tick(struct mom_server *s)
{
	unsigned char bytes[32];
	struct mom_object *o;
	int64_t now = clock_ms();
	if (s->types.used == 0)
		return;
	if (now - s->beat_ms >= s->lease_ms / 3) {
		s->beat_ms = now;
		mom_publish(s->id, OBJECT_ALIVE, bytes, (size_t)sign_put(bytes, sizeof bytes, RPC_ALIVE, s->global_id),
		    MOM_FAST | MOM_ASYNC);
	}
	for (size_t at = 0; (o = map_each(&s->objects, &at)) != NULL;) {
		if (o->state == OBJECT_WANTED || o->state == OBJECT_ASKED || o->state == OBJECT_COMING)
			move_tick(o, now);
		if (o->state == OBJECT_HERE && o->waiting == NULL)
			object_look(o);
	}
}

int
objects_due_ms(struct mom_server *s)
{
	struct mom_object *o;
	int64_t now = clock_ms(), due = s->beat_ms + s->lease_ms / 3;
	if (s->types.used == 0)
		return -1;
	for (size_t at = 0; (o = map_each(&s->objects, &at)) != NULL;) {
		int64_t until = o->state == OBJECT_WANTED ? now : o->state == OBJECT_ASKED ? o->until_ms : due;
		due = until < due ? until : due;
	}
	return due > now ? (int)(due - now) : 0;
}

int
objects_subscribe_again(struct mom_server *s)
{
	struct mom_object *o;
	int e = s->types.used ? mom_subscribe(s->id, OBJECT_ALIVE, 0) : 0;
	if (s->types.used && (e == 0 || e == MOM_EEXIST))
		e = mom_subscribe(s->id, OBJECT_GONE, 0);
	for (size_t at = 0; (e == 0 || e == MOM_EEXIST) && (o = map_each(&s->objects, &at)) != NULL;)
		e = move_subscribe_again(o);
	return e;
}

void
objects_free(struct mom_server *s)
{
	struct mom_object *o;
	for (size_t at = 0; (o = map_each(&s->objects, &at)) != NULL;)
		object_end(o);
	map_free(&s->objects);
	map_free(&s->types);
	map_free(&s->alive);
}

/* ---- what the program asks ---- */

static int
objects_begin(struct mom_server *s)
{
	unsigned char bytes[32];
	int e = mom_subscribe(s->id, OBJECT_ALIVE, 0);
	if (e == 0 || e == MOM_EEXIST)
		e = mom_subscribe(s->id, OBJECT_GONE, 0);
	if (e == 0 || e == MOM_EEXIST)
		e = mom_will(s->id, OBJECT_GONE, bytes, (size_t)sign_put(bytes, sizeof bytes, RPC_GONE, s->global_id));
	return e ? handle_fail(NULL, e, "%s", mom_error_text(s->id)) : 0;
}

int
mom_object_serve(struct mom_server *s, const struct mom_object_type *type)
{
	size_t len = type && type->name ? strlen(type->name) : 0;
	if (len < 1 || len > MOM_SERVICE_MAX || type->call == NULL)
		return handle_fail(NULL, MOM_EINVAL, "a kind of object has a name of 1 to %d bytes and a call function",
		    MOM_SERVICE_MAX);
	const struct mom_object_type *known = map_get(&s->types, type->name, len);
	if (known)
		return known == type ? 0 : handle_fail(NULL, MOM_EINVAL,
		    "this server has another kind of object by the name %s", type->name);
	int e = s->types.used ? 0 : objects_begin(s);
	if (e)
		return e;
	return map_put(&s->types, type->name, len, (void *)(uintptr_t)type) < 0
	    ? handle_fail(NULL, MOM_ELIMIT, "no memory for objects: see `ulimit -v`") : 0;
}

struct mom_object *
mom_object_export(struct mom_server *s, const struct mom_object_type *type, void *self)
{
	char topic[MOM_REF_MAX + 1];
	if (mom_object_serve(s, type) < 0)
		return NULL;
	snprintf(topic, sizeof topic, "object/%016llx-%llx", (unsigned long long)s->global_id,
	    (unsigned long long)++s->exported);
	struct mom_object *o = object_new(s, type, topic);
	if (o == NULL) {
		handle_fail(NULL, MOM_ELIMIT, "no memory for an object: see `ulimit -v`");
		return NULL;
	}
	int e = mom_subscribe(s->id, topic, 0);
	if (e == 0) {
		o->self = self;
		return o;
	}
	handle_fail(NULL, e, "%s", mom_error_text(s->id));
	object_end(o);
	return NULL;
}

const char *
mom_object_ref(const struct mom_object *o)
{
	return o->topic;
}

struct mom_object *
mom_object_of(const struct mom_request *q)
{
	return q->state->with;
}

void *
mom_object_self(const struct mom_object *o)
{
	return o->self;
}

void
mom_object_keep(struct mom_object *o, int keep)
{
	o->keep = keep != 0;
}

size_t
mom_object_holders(const struct mom_object *o)
{
	return o->holders.used;
}

const char *
mom_object_place(const struct mom_server *s)
{
	return s->place;
}

int
mom_object_lease(struct mom_server *s, int lease_ms)
{
	if (lease_ms < 300)
		return handle_fail(NULL, MOM_EINVAL, "a lease is 300 ms or more: beats have to come in time");
	s->lease_ms = lease_ms;
	return 0;
}
