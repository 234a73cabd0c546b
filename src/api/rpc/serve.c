/* serve - a server of remote calls: its life, its services, what comes to it. How it executes and answers is in
 * answer.c. */
#include "api/object/object.h"
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- its life ---- */

static void
server_free(struct mom_server *s)
{
	struct service *v;
	for (size_t at = 0; (v = map_each(&s->services, &at)) != NULL;) {
		map_del(&s->services, v->name, strlen(v->name));
		free(v);
	}
	map_free(&s->services);
	kept_free(&s->kept);
	free(s->out);
	free(s);
}

static int
server_begin(struct mom_server *s)
{
	s->room = MOM_MESSAGE_MAX;                     /* touched only as far as answers go */
	s->out = malloc(s->room);
	if (s->out == NULL)
		return handle_fail(NULL, MOM_ELIMIT, "no memory for a server: see `ulimit -v`");
	s->id = mom_create();
	if (s->id < 0)
		return s->id;
	s->global_id = mom_global_id(s->id);
	snprintf(s->place, sizeof s->place, "rpc/at/%016llx", (unsigned long long)s->global_id);
	int e = mom_subscribe(s->id, s->place, 0);
	return e ? handle_fail(NULL, e, "%s", mom_error_text(s->id)) : 0;
}

struct mom_server *
mom_server_create(void)
{
	struct mom_server *s = calloc(1, sizeof *s);
	if (s == NULL) {
		handle_fail(NULL, MOM_ELIMIT, "no memory for a server: see `ulimit -v`");
		return NULL;
	}
	s->id = -1;
	s->lease_ms = MOM_OBJECT_LEASE_MS;
	if (server_begin(s) == 0)
		return s;
	if (s->id >= 0) {
		char text[sizeof ((struct handle *)0)->text];
		snprintf(text, sizeof text, "%s", mom_error_text(-1));
		mom_destroy(s->id);
		handle_fail(NULL, MOM_EIO, "%s", text);
	}
	server_free(s);
	return NULL;
}

int
mom_server_id(const struct mom_server *s)
{
	return s->id;
}

int
mom_server_destroy(struct mom_server *s)
{
	if (s == NULL)
		return 0;
	objects_free(s);
	int e = mom_destroy(s->id);
	server_free(s);
	return e;
}

static int
service_subscribe(struct mom_server *s, const char *name)
{
	char topic[MOM_TOPIC_MAX + 1];
	snprintf(topic, sizeof topic, "rpc/service/%s", name);
	return mom_subscribe(s->id, topic, 0);
}

int
mom_serve(struct mom_server *s, const char *service, mom_procedure procedure, void *with)
{
	size_t len = service ? strlen(service) : 0;
	if (len < 1 || len > MOM_SERVICE_MAX || procedure == NULL)
		return handle_fail(NULL, MOM_EINVAL, "a service has a name of 1 to %d bytes and a procedure",
		    MOM_SERVICE_MAX);
	if (map_get(&s->services, service, len))
		return handle_fail(NULL, MOM_EEXIST, "this server serves %s already", service);
	struct service *v = calloc(1, sizeof *v + len + 1);
	if (v == NULL)
		return handle_fail(NULL, MOM_ELIMIT, "no memory for a service: see `ulimit -v`");
	*v = (struct service){ procedure, with };
	memcpy(v->name, service, len + 1);
	if (map_put(&s->services, v->name, len, v) < 0) {
		free(v);
		return handle_fail(NULL, MOM_ELIMIT, "no memory for a service: see `ulimit -v`");
	}
	int e = service_subscribe(s, service);
	if (e == 0)
		return 0;
	map_del(&s->services, v->name, len);
	free(v);
	return handle_fail(NULL, e, "%s", mom_error_text(s->id));
}

/* ---- messages ---- */

static void
tell_here(struct mom_server *s, const struct rpc_head *head)
{
	unsigned char bytes[1 + 8 + 1 + RPC_ID_TOPIC];
	struct mom_writer w;
	mom_writer_init(&w, bytes, sizeof bytes);
	mom_put_u8(&w, RPC_HERE);
	mom_put_u64(&w, head->number);
	mom_put_string8(&w, s->place);
	rpc_publish(s->id, head->topic, &w, MOM_ASYNC);
}

static void
server_dispatch(struct mom_server *s, const struct mom_message *m)
{
	struct mom_reader r;
	struct rpc_head head;
	mom_reader_init(&r, m->data, m->len);
	if (m->flags & MOM_GAP || rpc_head_get(&head, &r) < 0)
		/* what was lost its callers ask again; and strangers may publish anything */
		return;
	struct service *v = map_get(&s->services, head.name, strlen(head.name));
	struct mom_reader args;
	mom_reader_init(&args, r.bytes + r.at, mom_reader_left(&r));
	if (head.kind > RPC_REQUEST)
		objects_message(s, m->topic, &head, &args);
	else if (head.kind == RPC_WHO && v)
		tell_here(s, &head);
	else if (head.kind == RPC_REQUEST && v)
		serve_request(s, &s->kept, &head, &args, v->procedure, v->with);
	else if (head.kind == RPC_REQUEST)
		serve_answer(s, &head, RPC_ANSWER, MOM_ENOSUBSCRIBER, "this server has no such service");
}

/* It was cut, as too many requests waited for it: its subscriptions have ended. */
static int
server_subscribe_again(struct mom_server *s)
{
	struct service *v;
	char text[sizeof ((struct handle *)0)->text];
	snprintf(text, sizeof text, "%s", mom_error_text(s->id));
	int e = mom_subscribe(s->id, s->place, 0);
	for (size_t at = 0; (e == 0 || e == MOM_EEXIST) && (v = map_each(&s->services, &at)) != NULL;)
		e = service_subscribe(s, v->name);
	if (e == 0 || e == MOM_EEXIST)
		e = objects_subscribe_again(s);
	return e && e != MOM_EEXIST ? e : handle_fail(handle_peek(s->id), MOM_EFULL, "%s (the server did)", text);
}

/* Objects have times of their own: a sleep ends when one is due. */
static int
server_receive(struct mom_server *s, struct mom_message *m, int timeout_ms)
{
	if (timeout_ms < -1)
		return mom_receive(s->id, m, timeout_ms);
	for (int64_t deadline = timeout_ms > 0 ? clock_ms() + timeout_ms : timeout_ms;;) {
		objects_tick(s);
		int due = objects_due_ms(s);
		int64_t left = timeout_ms > 0 ? deadline - clock_ms() : timeout_ms;
		left = timeout_ms > 0 && left < 0 ? 0 : left;
		int is_due = due >= 0 && (left < 0 || due < left);
		int e = mom_receive(s->id, m, is_due ? due : (int)left);
		if (e != MOM_ETIMEDOUT || !is_due)
			return e;
	}
}

int
mom_serve_one(struct mom_server *s, int timeout_ms)
{
	struct mom_message m;
	kept_sweep(&s->kept, clock_ms());
	int e = server_receive(s, &m, timeout_ms);
	if (e == 0) {
		server_dispatch(s, &m);
		objects_tick(s);
	}
	return e == MOM_EFULL ? server_subscribe_again(s) : e;
}

int
mom_server_wait_ms(struct mom_server *s)
{
	return objects_due_ms(s);
}
