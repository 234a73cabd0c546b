/* call - the caller's side of remote calls: who serves, ask, wait, ask again */
#include "api/rpc/rpc.h"
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the caller that rides on a handle ---- */

static void
rpc_caller_end(struct caller *of)
{
	struct rpc_caller *c = (struct rpc_caller *)of;
	while (c->bindings) {
		struct binding *b = c->bindings;
		c->bindings = b->next;
		free(b);
	}
	if (c->holds_end)
		c->holds_end(c);
	free(c->out);
}

int
rpc_caller_of(int id, struct rpc_caller **c)
{
	static const struct caller_make make = { sizeof **c, "rpc/reply/", "remote calls", rpc_caller_end };
	struct caller *of = NULL;
	int e = caller_of(id, CALLER_RPC, &make, &of);
	*c = (struct rpc_caller *)of;
	if (e == 0 && (*c)->retry_ms == 0)
		(*c)->retry_ms = RPC_RETRY_MS;
	return e;
}

/* ---- one question and its answer ---- */

static int64_t
call_left(const struct call *k)
{
	int64_t left = k->deadline < 0 ? -1 : k->deadline - clock_ms();
	return k->deadline >= 0 && left < 0 ? 0 : left;
}

static int
call_pack(struct rpc_caller *c, const struct call *k, struct mom_writer *w)
{
	size_t more = k->request ? k->request->len : 0;
	if (c->room < RPC_HEAD_MOST + more) {
		unsigned char *larger = realloc(c->out, RPC_HEAD_MOST + more);
		if (larger == NULL)
			return handle_fail(c->of.owner, MOM_ELIMIT,
			    "no memory for a request of %zu bytes: see `ulimit -v`", more);
		c->out = larger;
		c->room = RPC_HEAD_MOST + more;
	}
	mom_writer_init(w, c->out, c->room);
	rpc_head_put(w, &k->head);
	if (more)
		mom_put_raw(w, k->request->bytes, more);
	return mom_writer_failed(w) ? handle_fail(c->of.owner, MOM_EINVAL, "the request does not fit") : 0;
}

static int
call_send(struct rpc_caller *c, struct call *k, const char *topic)
{
	struct mom_writer w;
	int e = call_pack(c, k, &w);
	if (e)
		return e;
	mom_set_option(c->of.id, MOM_OPT_TIMEOUT_MS, (long)call_left(k));
	e = rpc_publish(c->of.id, topic, &w, MOM_NEED_SUBSCRIBER);
	k->sent += e == 0 || e == MOM_ETIMEDOUT;
	return e ? caller_fail(&c->of, e, "") : 0;
}

static int
is_answer(void *with, const struct mom_message *m)
{
	struct call *k = with;
	return rpc_answer_get(&k->answer, m) == 0 && k->answer.number == k->head.number;
}

/* The answer to k, passing over what comes late for calls before it. */
static int
call_await(struct rpc_caller *c, struct call *k, int64_t until)
{
	int e;
	do
		e = caller_hear(&c->of, until, is_answer, k);
	while (e == MOM_EINTR);
	return e && e != MOM_ETIMEDOUT ? caller_fail(&c->of, e, "") : e;
}

int
call_exchange(struct rpc_caller *c, struct call *k, const char *topic)
{
	int64_t wait = c->retry_ms;
	for (;;) {
		int e = call_send(c, k, topic);
		if (e == MOM_ENOSUBSCRIBER && k->sent && call_await(c, k, clock_ms() + c->retry_ms) == 0)
			/* it answered before it went: the answer may come behind the refusal */
			return 0;
		if (e && e != MOM_EAGAIN)              /* not sent: as if no answer came */
			return e;
		int64_t again = k->head.mode == MOM_MAYBE ? k->deadline : clock_ms() + wait;
		e = call_await(c, k, k->deadline >= 0 && k->deadline < again ? k->deadline : again);
		if (e == 0 && k->answer.kind != RPC_MOVED)
			return 0;
		if (e && e != MOM_ETIMEDOUT)
			return e;
		if (k->deadline >= 0 && clock_ms() >= k->deadline)
			return handle_fail(c->of.owner, MOM_ETIMEDOUT,
			    "no answer of %s in time, asked %d times: whether it was executed is not known",
			    k->head.name, k->sent);
		if (e && wait < (int64_t)c->retry_ms * RPC_RETRY_FOLD)
			wait *= 2;
	}
}

int
call_result(struct rpc_caller *c, struct call *k, struct mom_reader *reply)
{
	if (k->answer.code)
		return handle_fail(c->of.owner, k->answer.code, "%s", k->answer.text);
	if (reply)
		*reply = k->answer.result;
	return 0;
}

/* ---- who serves ---- */

static struct binding *
binding_find(struct rpc_caller *c, const char *service)
{
	struct binding *b = c->bindings;
	while (b && strcmp(b->service, service) != 0)
		b = b->next;
	return b;
}

static void
binding_drop(struct rpc_caller *c, struct binding *drop)
{
	for (struct binding **b = &c->bindings; *b; b = &(*b)->next)
		if (*b == drop) {
			*b = drop->next;
			free(drop);
			return;
		}
}

void
call_begin(struct rpc_caller *c, struct call *k, unsigned kind, unsigned mode, const char *name, int64_t deadline)
{
	*k = (struct call){ .head = { .kind = (uint8_t)kind, .mode = (uint8_t)mode, .caller = mom_global_id(c->of.id),
	    .number = ++c->of.number }, .deadline = deadline };
	snprintf(k->head.topic, sizeof k->head.topic, "%s", c->of.topic);
	snprintf(k->head.name, sizeof k->head.name, "%s", name);
}

static int
binding_ask(struct rpc_caller *c, const char *service, int64_t deadline, struct binding **bound)
{
	struct call k;
	char topic[MOM_TOPIC_MAX + 1];
	snprintf(topic, sizeof topic, "rpc/service/%s", service);
	call_begin(c, &k, RPC_WHO, MOM_AT_LEAST_ONCE, service, deadline);
	int e = call_exchange(c, &k, topic);
	if (e == MOM_ENOSUBSCRIBER)
		return handle_fail(c->of.owner, e, "nobody serves %s: start its server", service);
	if (e)
		return e;
	struct binding *b = calloc(1, sizeof *b + strlen(service) + 1);
	if (b == NULL)
		return handle_fail(c->of.owner, MOM_ELIMIT, "no memory for remote calls: see `ulimit -v`");
	mom_get_string8(&k.answer.result, b->topic, sizeof b->topic);
	if (k.answer.kind != RPC_HERE || mom_reader_failed(&k.answer.result)) {
		free(b);
		return handle_fail(c->of.owner, MOM_EPROTO, "who answers for %s speaks another language", service);
	}
	memcpy(b->service, service, strlen(service) + 1);
	b->next = c->bindings;
	c->bindings = *bound = b;
	return 0;
}

/* ---- calls ---- */

int
call_request_fault(struct rpc_caller *c, const struct mom_writer *request, int timeout_ms, unsigned mode)
{
	if (timeout_ms < -1 || mode > MOM_AT_MOST_ONCE)
		return handle_fail(c->of.owner, MOM_EINVAL, "timeout_ms is -1 (for ever) or more, mode one of enum "
		    "mom_call_mode");
	if (request && mom_writer_failed(request))
		return handle_fail(c->of.owner, MOM_ETOOBIG, "the arguments did not fit into their buffer of %zu "
		    "bytes: nothing was sent", request->size);
	return 0;
}

/* The server that was asked is gone. 0: no harm, another may be asked. */
static int
call_gone(struct rpc_caller *c, const struct call *k)
{
	if (k->sent == 0 || k->head.mode == MOM_AT_LEAST_ONCE)
		return 0;
	return handle_fail(c->of.owner, MOM_ETIMEDOUT, "the server of %s ended before it answered: whether it was "
	    "executed is not known", k->head.name);
}

int
mom_call(int id, const char *service, const struct mom_writer *request, struct mom_reader *reply, int timeout_ms,
    unsigned mode)
{
	struct rpc_caller *c;
	struct call k;
	int e = rpc_caller_of(id, &c);
	if (e || (e = call_request_fault(c, request, timeout_ms, mode)) != 0)
		return e;
	if (service == NULL || strlen(service) < 1 || strlen(service) > MOM_SERVICE_MAX)
		return handle_fail(c->of.owner, MOM_EINVAL, "a service's name has 1 to %d bytes", MOM_SERVICE_MAX);
	call_begin(c, &k, RPC_REQUEST, mode, service, handle_deadline(timeout_ms));
	k.request = request;
	for (;;) {
		struct binding *b = binding_find(c, service);
		if (b == NULL && (e = binding_ask(c, service, k.deadline, &b)) != 0)
			return e;
		e = call_exchange(c, &k, b->topic);
		if (e == 0)
			return call_result(c, &k, reply);
		if (e != MOM_ENOSUBSCRIBER)
			return e;
		binding_drop(c, b);
		if ((e = call_gone(c, &k)) != 0)
			return e;
	}
}

int
mom_call_retry(int id, int retry_ms)
{
	struct rpc_caller *c;
	int e = rpc_caller_of(id, &c);
	if (e == 0 && retry_ms < 1)
		return handle_fail(c->of.owner, MOM_EINVAL, "retry_ms is 1 or more");
	if (e == 0)
		c->retry_ms = retry_ms;
	return e;
}
