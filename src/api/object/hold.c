/* hold - the holder's side of remote objects: hold, call, release, and signs of life */
#include "api/object/object.h"
#include "base/clock.h"
#include <stdlib.h>
#include <string.h>

static struct hold **
hold_find(struct rpc_caller *c, const char *ref)
{
	struct hold **at = &c->holds;
	while (*at && strcmp((*at)->ref, ref) != 0)
		at = &(*at)->next;
	return at;
}

static void
hold_drop(struct rpc_caller *c, const char *ref)
{
	struct hold **at = hold_find(c, ref), *h = *at;
	if (h) {
		*at = h->next;
		free(h);
	}
}

static void
holds_free(struct rpc_caller *c)
{
	while (c->holds)
		hold_drop(c, c->holds->ref);
}

static int
holder_sign(struct rpc_caller *c, unsigned kind, unsigned char *bytes, size_t size)
{
	struct mom_writer w;
	mom_writer_init(&w, bytes, size);
	rpc_head_put(&w, &(struct rpc_head){ .kind = (uint8_t)kind, .caller = mom_global_id(c->of.id) });
	return (int)w.len;
}

/* The will tells all places that this holder is no more. */
static int
holder_will(struct rpc_caller *c)
{
	unsigned char bytes[32];
	if (c->has_will)
		return 0;
	int e = mom_will(c->of.id, OBJECT_GONE, bytes, (size_t)holder_sign(c, RPC_GONE, bytes, sizeof bytes));
	if (e)
		return handle_fail(c->of.owner, e, "%s", mom_error_text(c->of.id));
	c->has_will = 1;
	return 0;
}

static int
holder_renew(struct rpc_caller *c)
{
	unsigned char bytes[32];
	int64_t now = clock_ms();
	if (c->holds == NULL || now - c->beat_ms < c->lease_ms / 3)
		return 0;
	c->beat_ms = now;
	int e = mom_publish(c->of.id, OBJECT_ALIVE, bytes, (size_t)holder_sign(c, RPC_ALIVE, bytes, sizeof bytes),
	    MOM_FAST | MOM_ASYNC);
	return e ? handle_fail(c->of.owner, e, "%s", mom_error_text(c->of.id)) : 0;
}

/* One message to the object, answered by whoever has it by then. */
static int
object_exchange(struct rpc_caller *c, struct call *k, const char *ref, unsigned kind, const char *name,
    const struct mom_writer *request, int64_t deadline)
{
	call_begin(c, k, kind, MOM_AT_MOST_ONCE, name, deadline);
	k->request = request;
	int e = call_exchange(c, k, ref);
	if (e != MOM_ENOSUBSCRIBER)
		return e;
	hold_drop(c, ref);
	if (k->sent)
		return handle_fail(c->of.owner, MOM_ETIMEDOUT, "the object ended before it answered: whether %s was "
		    "executed is not known", name);
	return handle_fail(c->of.owner, e, "there is no object %s: its process has ended, or nobody held it", ref);
}

static int
hold_begin(struct rpc_caller *c, const char *ref, int64_t deadline)
{
	struct call k;
	size_t len = strlen(ref);
	int e = holder_will(c);
	if (e)
		return e;
	e = object_exchange(c, &k, ref, RPC_HOLD, "hold", NULL, deadline);
	if (e || (e = call_result(c, &k, NULL)) != 0)
		return e;
	uint32_t lease = mom_get_u32(&k.answer.result);
	struct hold *h = malloc(sizeof *h + len + 1);
	if (h == NULL)
		return handle_fail(c->of.owner, MOM_ELIMIT, "no memory for a reference: see `ulimit -v`");
	*h = (struct hold){ .next = c->holds };
	memcpy(h->ref, ref, len + 1);
	c->holds = h;
	c->holds_end = holds_free;
	if (c->lease_ms == 0 || lease < c->lease_ms)
		c->lease_ms = lease;
	return 0;
}

/* The caller that rides on id, and a reference that may be one. */
static int
holder_of_ref(int id, const char *ref, int timeout_ms, struct rpc_caller **c)
{
	int e = rpc_caller_of(id, c);
	if (e)
		return e;
	if (timeout_ms < -1)
		return handle_fail((*c)->of.owner, MOM_EINVAL, "timeout_ms is -1 (for ever) or more");
	if (ref == NULL || strncmp(ref, "object/", 7) != 0 || strlen(ref) > MOM_REF_MAX)
		return handle_fail((*c)->of.owner, MOM_EINVAL, "this is no reference of an object: use what "
		    "mom_object_ref says");
	return 0;
}

int
mom_object_hold(int id, const char *ref, int timeout_ms)
{
	struct rpc_caller *c;
	int e = holder_of_ref(id, ref, timeout_ms, &c);
	if (e || *hold_find(c, ref))
		return e ? e : holder_renew(c);
	return hold_begin(c, ref, handle_deadline(timeout_ms));
}

int
mom_object_call(int id, const char *ref, const char *method, const struct mom_writer *request, struct mom_reader *reply,
    int timeout_ms)
{
	struct rpc_caller *c;
	struct call k;
	int64_t deadline = handle_deadline(timeout_ms);
	int e = holder_of_ref(id, ref, timeout_ms, &c);
	if (e || (e = call_request_fault(c, request, timeout_ms, MOM_AT_MOST_ONCE)) != 0)
		return e;
	if (method == NULL || strlen(method) < 1 || strlen(method) > MOM_SERVICE_MAX)
		return handle_fail(c->of.owner, MOM_EINVAL, "a method's name has 1 to %d bytes", MOM_SERVICE_MAX);
	if (*hold_find(c, ref) == NULL && (e = hold_begin(c, ref, deadline)) != 0)
		return e;
	if ((e = holder_renew(c)) != 0)
		return e;
	e = object_exchange(c, &k, ref, RPC_METHOD, method, request, deadline);
	return e ? e : call_result(c, &k, reply);
}

int
mom_object_release(int id, const char *ref, int timeout_ms)
{
	struct rpc_caller *c;
	struct call k;
	int e = holder_of_ref(id, ref, timeout_ms, &c);
	if (e)
		return e;
	if (*hold_find(c, ref) == NULL)
		return handle_fail(c->of.owner, MOM_ENOTSUB, "this handle does not hold %s", ref);
	e = object_exchange(c, &k, ref, RPC_RELEASE, "release", NULL, handle_deadline(timeout_ms));
	if (*hold_find(c, ref) == NULL)
		return 0;                              /* it was gone */
	if (e || (e = call_result(c, &k, NULL)) != 0)
		return e;
	hold_drop(c, ref);
	return 0;
}

int
mom_object_renew(int id)
{
	struct rpc_caller *c;
	int e = rpc_caller_of(id, &c);
	return e ? e : holder_renew(c);
}
