/* object - one object of a server: made, called, held, freed when nobody holds it */
#include "api/object/object.h"
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- holders: of all objects of a server together ---- */

static struct object_holder *
holder_of(struct mom_server *s, uint64_t id)
{
	struct object_holder *h = map_get(&s->alive, &id, sizeof id);
	if (h)
		return h;
	h = calloc(1, sizeof *h);
	if (h == NULL)
		return NULL;
	*h = (struct object_holder){ .id = id };
	if (map_put(&s->alive, &h->id, sizeof h->id, h) == 0)
		return h;
	free(h);
	return NULL;
}

static void
holder_less(struct mom_server *s, struct object_holder *h)
{
	if (h->objects > 0)
		h->objects--;
	if (h->objects == 0) {
		map_del(&s->alive, &h->id, sizeof h->id);
		free(h);
	}
}

int
object_hold(struct mom_object *o, uint64_t id)
{
	struct object_holder *h = holder_of(o->server, id);
	if (h == NULL)
		return -1;
	h->heard_ms = o->server->heard_ms;
	if (map_get(&o->holders, &id, sizeof id))
		return 0;
	h->objects++;
	if (map_put(&o->holders, &h->id, sizeof h->id, h) < 0) {
		holder_less(o->server, h);
		return -1;
	}
	o->had_holder = 1;
	return 0;
}

void
object_unhold(struct mom_object *o, uint64_t id)
{
	struct object_holder *h = map_del(&o->holders, &id, sizeof id);
	if (h)
		holder_less(o->server, h);
}

/* ---- an object's life ---- */

struct mom_object *
object_new(struct mom_server *s, const struct mom_object_type *type, const char *topic)
{
	struct mom_object *o = calloc(1, sizeof *o);
	if (o == NULL)
		return NULL;
	*o = (struct mom_object){ .server = s, .type = type, .born_ms = s->heard_ms };
	o->waiting_end = &o->waiting;
	snprintf(o->topic, sizeof o->topic, "%s", topic);
	if (map_put(&s->objects, o->topic, strlen(o->topic), o) == 0)
		return o;
	free(o);
	return NULL;
}

void
object_end(struct mom_object *o)
{
	struct mom_server *s = o->server;
	struct object_holder *h;
	mom_unsubscribe(s->id, o->topic);
	map_del(&s->objects, o->topic, strlen(o->topic));
	for (size_t at = 0; (h = map_each(&o->holders, &at)) != NULL;)
		object_unhold(o, h->id);
	map_free(&o->holders);
	kept_free(&o->kept);
	while (o->waiting) {
		struct waiting_call *w = o->waiting;
		o->waiting = w->next;
		free(w);
	}
	if (o->self && o->type->release)
		o->type->release(o->self);
	free(o);
}

void
object_look(struct mom_object *o)
{
	if (o->state == OBJECT_HERE && !o->keep && o->holders.used == 0 &&
	    (o->had_holder || o->server->heard_ms - o->born_ms > o->server->lease_ms))
		object_end(o);
}

/* ---- what is asked of it ---- */

static int
do_method(struct mom_request *q, void *with)
{
	struct mom_object *o = with;
	if (object_hold(o, q->caller) < 0)
		return MOM_ELIMIT;
	int r = o->type->call(q, o->self);
	q->state->is_deferred = 0;                     /* not for methods: an answer to come would not move along */
	return r;
}

static int
do_hold(struct mom_request *q, void *with)
{
	struct mom_object *o = with;
	mom_put_u32(&q->reply, (uint32_t)o->server->lease_ms);
	return object_hold(o, q->caller) < 0 ? MOM_ELIMIT : 0;
}

static int
do_release(struct mom_request *q, void *with)
{
	object_unhold(with, q->caller);
	return 0;
}

void
object_serve(struct mom_object *o, const struct rpc_head *head, const struct mom_reader *args)
{
	static const mom_procedure procedures[] = { [RPC_METHOD] = do_method, [RPC_HOLD] = do_hold,
	    [RPC_RELEASE] = do_release };
	serve_request(o->server, &o->kept, head, args, procedures[head->kind], o);
}
