/* object_move - an object goes from one server to another while it is called: see mom_object.h.
 *
 * The old place        HERE -> WANTED -> ASKED -> COMMITTED -> gone        (or back to HERE, by CANCEL)
 * The new place        COMING -> HERE                                     (or gone, by CANCEL)
 *
 * ADOPT carries the state, ADOPTED says that the new place has subscribed to the object's topic. COMMIT goes into that
 * topic, whose order both see alike: what comes before it is the old place's to answer ("moved to"), what comes behind
 * it the new place's. Only the old place publishes COMMIT; CANCEL either of them. Of the markers of a move the first in
 * the topic counts. The old place may go on at once when it has published CANCEL, as no COMMIT of its can follow. */
#include "api/object/object.h"
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMING_MS = 60000 };                     /* COMMIT comes at once, or never */

/* ---- the old place ---- */

int
mom_object_move(struct mom_object *o, const char *place, int timeout_ms)
{
	if (o->type->save == NULL)
		return handle_fail(NULL, MOM_EINVAL, "a %s does not move: it has no save", o->type->name);
	if (place == NULL || timeout_ms < 1 || strncmp(place, "rpc/at/", 7) != 0 || strlen(place) >= sizeof o->place ||
	    strcmp(place, o->server->place) == 0)
		return handle_fail(NULL, MOM_EINVAL, "place is what mom_object_place of another server says, "
		    "timeout_ms 1 or more");
	if (o->state != OBJECT_HERE)
		return handle_fail(NULL, MOM_EBUSY, "the object is moving");
	o->state = OBJECT_WANTED;
	o->move = ++o->server->moves;
	o->until_ms = clock_ms() + timeout_ms;
	snprintf(o->place, sizeof o->place, "%s", place);
	return 0;
}

void
move_wait(struct mom_object *o, const struct rpc_head *head, const struct mom_reader *args)
{
	size_t len = mom_reader_left(args);
	struct waiting_call *w = malloc(sizeof *w + len);
	if (w == NULL)
		return;                                /* the caller asks again */
	w->next = NULL;
	w->head = *head;
	w->len = len;
	if (len)
		memcpy(w->bytes, args->bytes + args->at, len);
	*o->waiting_end = w;
	o->waiting_end = &w->next;
}

static struct waiting_call *
waiting_next(struct mom_object *o)
{
	struct waiting_call *w = o->waiting;
	if (w && (o->waiting = w->next) == NULL)
		o->waiting_end = &o->waiting;
	return w;
}

/* It stays: what has waited is executed. */
static void
move_failed(struct mom_object *o, int error, const char *text)
{
	o->state = OBJECT_HERE;
	if (o->type->stayed)
		o->type->stayed(o, o->self, error, text);
	for (struct waiting_call *w; o->state == OBJECT_HERE && (w = waiting_next(o)) != NULL; free(w)) {
		struct mom_reader r;
		mom_reader_init(&r, w->bytes, w->len);
		object_serve(o, &w->head, &r);
	}
}

static size_t
move_head_len(const struct mom_object *o)
{
	return 2 + 8 + 8 + 1 + strlen(o->server->place) + 1 + strlen(o->topic);
}

/* COMMIT or CANCEL of the move that `from` began with that number. */
static int
marker_publish(struct mom_server *s, unsigned kind, const char *topic, uint64_t from, uint64_t move)
{
	unsigned char bytes[RPC_HEAD_MOST];
	struct mom_writer w;
	struct rpc_head head = { .kind = (uint8_t)kind, .caller = from, .number = move };
	mom_writer_init(&w, bytes, sizeof bytes);
	rpc_head_put(&w, &head);
	return rpc_publish(s->id, topic, &w, 0);
}

static void
move_cancel(struct mom_object *o)
{
	marker_publish(o->server, RPC_CANCEL, o->topic, o->server->global_id, o->move);
}

/* The room that was left for the head is filled; then it goes to the new place. */
static int
move_send(struct mom_object *o, struct mom_writer *w)
{
	struct rpc_head head = { .kind = RPC_ADOPT, .caller = o->server->global_id, .number = o->move };
	size_t len = w->len;
	snprintf(head.topic, sizeof head.topic, "%s", o->server->place);
	snprintf(head.name, sizeof head.name, "%s", o->topic);
	w->len = 0;
	rpc_head_put(w, &head);
	w->len = len;
	return rpc_publish(o->server->id, o->place, w, MOM_NEED_SUBSCRIBER);
}

/* All that it is: kind, whether it is kept, holders, what was executed for whom, its own state. */
static int
move_pack(struct mom_object *o, struct mom_writer *w)
{
	struct object_holder *h;
	w->len = move_head_len(o);
	mom_put_string8(w, o->type->name);
	mom_put_u8(w, (uint8_t)o->keep);
	mom_put_u32(w, (uint32_t)o->holders.used);
	for (size_t at = 0; (h = map_each(&o->holders, &at)) != NULL;)
		mom_put_u64(w, h->id);
	kept_save(&o->kept, w);
	return o->type->save(o->self, w) != 0;
}

static void
move_ask(struct mom_object *o)
{
	struct mom_writer w;
	struct mom_server *s = o->server;
	mom_writer_init(&w, s->out, s->room);
	if (move_pack(o, &w)) {
		move_failed(o, MOM_EINVAL, "its save refused");
		return;
	}
	if (mom_writer_failed(&w)) {
		move_failed(o, MOM_ETOOBIG, "its state does not fit into a message");
		return;
	}
	o->state = OBJECT_ASKED;
	int e = move_send(o, &w);
	if (e && e != MOM_ETIMEDOUT)
		move_failed(o, e, e == MOM_ENOSUBSCRIBER ? "no server is at that place" : mom_error_text(s->id));
}

void
move_tick(struct mom_object *o, int64_t now_ms)
{
	if (o->state == OBJECT_WANTED)
		move_ask(o);
	else if (o->state == OBJECT_ASKED && now_ms >= o->until_ms) {
		move_cancel(o);
		move_failed(o, MOM_ETIMEDOUT, "the new place gave no answer in time");
	} else if (o->state == OBJECT_COMING && now_ms >= o->until_ms) {
		o->until_ms = now_ms + COMING_MS;      /* ended when this comes back, unless a COMMIT is before it */
		marker_publish(o->server, RPC_CANCEL, o->topic, o->from, o->move);
	}
}

static void
move_commit(struct mom_object *o)
{
	o->state = OBJECT_COMMITTED;
	int e = marker_publish(o->server, RPC_COMMIT, o->topic, o->server->global_id, o->move);
	if (e && e != MOM_ETIMEDOUT) {                 /* not stored; on its way counts as stored */
		move_cancel(o);
		move_failed(o, e, mom_error_text(o->server->id));
	}
}

void
move_adopted(struct mom_server *s, const struct rpc_head *head, const struct mom_reader *args)
{
	struct mom_object *o = map_get(&s->objects, head->name, strlen(head->name));
	struct mom_reader r = *args;
	char text[MOM_RAISED_MAX + 1];
	int code = (int)mom_get_u32(&r);
	mom_get_string8(&r, text, sizeof text);
	if (mom_reader_failed(&r))
		return;
	if (o && o->state == OBJECT_ASKED && o->move == head->number) {
		if (code == 0)
			move_commit(o);
		else
			move_failed(o, code, text);    /* the new place has nothing: no CANCEL */
	} else if (code == 0 && !(o && o->state == OBJECT_COMMITTED && o->move == head->number) &&
	    strncmp(head->name, "object/", 7) == 0)
		/* too late: it subscribed behind our CANCEL */
		marker_publish(s, RPC_CANCEL, head->name, s->global_id, head->number);
}

int
move_subscribe_again(struct mom_object *o)
{
	int e = mom_subscribe(o->server->id, o->topic, 0);
	if ((e == 0 || e == MOM_EEXIST) && o->state == OBJECT_COMMITTED)
		e = marker_publish(o->server, RPC_COMMIT, o->topic, o->server->global_id, o->move);
	return e;
}

/* COMMIT came back: who has waited asks again, and the new place answers. */
static void
move_done(struct mom_object *o)
{
	char text[MOM_RAISED_MAX + 1];
	snprintf(text, sizeof text, "moved to %s", o->place);
	for (struct waiting_call *w; (w = waiting_next(o)) != NULL; free(w))
		serve_answer(o->server, &w->head, RPC_MOVED, 0, text);
	object_end(o);
}

/* ---- the new place ---- */

static int
adopt_load(struct mom_object *o, struct mom_reader *r)
{
	o->keep = mom_get_u8(r);
	for (uint32_t n = mom_get_u32(r); n > 0 && !mom_reader_failed(r); n--)
		if (object_hold(o, mom_get_u64(r)) < 0)
			return -1;
	if (kept_load(&o->kept, r, clock_ms()) < 0)
		return -1;
	o->had_holder = 1;                             /* it has lived: without holders there is nobody to wait for */
	o->self = o->type->load(r);
	return o->self && !mom_reader_failed(r) ? 0 : -1;
}

static int
adopt_object(struct mom_server *s, const struct rpc_head *head, struct mom_reader *r, const char **text)
{
	char kind[MOM_SERVICE_MAX + 1];
	mom_get_string8(r, kind, sizeof kind);
	const struct mom_object_type *type = map_get(&s->types, kind, strlen(kind));
	if (mom_reader_failed(r) || type == NULL || type->load == NULL) {
		*text = "the new place does not know this kind of object";
		return MOM_EINVAL;
	}
	struct mom_object *o = object_new(s, type, head->name);
	*text = "the new place has no memory for it";
	if (o == NULL)
		return MOM_ELIMIT;
	o->state = OBJECT_COMING;
	o->from = head->caller;
	o->until_ms = clock_ms() + COMING_MS;
	o->move = head->number;
	snprintf(o->place, sizeof o->place, "%.*s", RPC_ID_TOPIC - 1, head->topic);
	int e = adopt_load(o, r) < 0 ? MOM_EINVAL : mom_subscribe(s->id, o->topic, 0);
	if (e == 0 || e == MOM_EEXIST)
		return 0;
	*text = e == MOM_EINVAL ? "the new place could not load it" : mom_strerror(e);
	object_end(o);
	return e;
}

void
move_adopt(struct mom_server *s, const struct rpc_head *head, const struct mom_reader *args)
{
	unsigned char bytes[RPC_HEAD_MOST + 4 + 1 + MOM_RAISED_MAX];
	struct mom_writer w;
	struct mom_reader r = *args;
	struct rpc_head answer = { .kind = RPC_ADOPTED, .caller = s->global_id, .number = head->number };
	const char *text = "";
	struct mom_object *there = map_get(&s->objects, head->name, strlen(head->name));
	int code = 0;
	if (strlen(head->name) < 1 || strlen(head->name) > MOM_REF_MAX || strncmp(head->name, "object/", 7) != 0)
		return;
	if (there && there->state == OBJECT_COMING && there->from == head->caller && there->move < head->number) {
		/* of an earlier move that was cancelled before we had subscribed */
		object_end(there);
		there = NULL;
	}
	if (there == NULL)
		code = adopt_object(s, head, &r, &text);
	else if (there->state != OBJECT_COMING || there->from != head->caller || there->move != head->number) {
		code = MOM_EBUSY;
		text = "the new place has an object of this name";
	}
	snprintf(answer.topic, sizeof answer.topic, "%s", s->place);
	snprintf(answer.name, sizeof answer.name, "%s", head->name);
	mom_writer_init(&w, bytes, sizeof bytes);
	rpc_head_put(&w, &answer);
	mom_put_u32(&w, (uint32_t)code);
	mom_put_string8(&w, code ? text : "");
	rpc_publish(s->id, head->topic, &w, MOM_ASYNC);
}

void
move_from_dead(struct mom_object *o, uint64_t id)
{
	if (o->state == OBJECT_COMING && o->from == id)
		/* if it published COMMIT before it died, that is first */
		marker_publish(o->server, RPC_CANCEL, o->topic, o->from, o->move);
}

/* ---- both ---- */

void
move_marker(struct mom_object *o, const struct rpc_head *head)
{
	uint64_t from = o->state == OBJECT_COMING ? o->from : o->server->global_id;
	if (o->state < OBJECT_ASKED || head->caller != from || head->number != o->move)
		return;
	if (o->state == OBJECT_COMING && head->kind == RPC_COMMIT)
		o->state = OBJECT_HERE;
	else if (o->state == OBJECT_COMING)
		object_end(o);
	else if (head->kind == RPC_COMMIT)
		move_done(o);
	else
		move_failed(o, MOM_ETIMEDOUT, "the new place has given it up");
}
