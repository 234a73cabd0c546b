/* caller - see caller.h */
#include "api/caller.h"
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>

enum { CALLER_END_MS = 2000 };

static void
caller_end(struct caller *c)
{
	mom_set_option(c->id, MOM_OPT_TIMEOUT_MS, CALLER_END_MS);
	mom_destroy(c->id);                            /* if the broker is away it is destroyed later */
	if (c->end_rest)
		c->end_rest(c);
	free(c);
}

static int
caller_begin(struct handle *h, const struct caller_make *make, struct caller **made)
{
	struct caller *c = calloc(1, make->bytes);
	if (c == NULL)
		return handle_fail(h, MOM_ELIMIT, "no memory for %s: see `ulimit -v`", make->what);
	*c = (struct caller){ .owner = h, .id = mom_create(), .end = caller_end, .end_rest = make->end_rest };
	if (c->id < 0) {
		int e = handle_fail(h, c->id, "no client for the answers: %s", mom_error_text(-1));
		free(c);
		return e;
	}
	snprintf(c->topic, sizeof c->topic, "%s%016llx", make->topic, (unsigned long long)mom_global_id(c->id));
	int e = mom_subscribe(c->id, c->topic, 0);
	if (e) {
		handle_fail(h, e, "%s: %s", c->topic, mom_error_text(c->id));
		caller_end(c);
		return e;
	}
	*made = c;
	return 0;
}

int
caller_of(int id, enum caller_kind kind, const struct caller_make *make, struct caller **c)
{
	int e = 0;
	struct handle *h = handle_get(id, &e);
	if (h == NULL)
		return e;
	if (h->caller[kind] && h->caller[kind]->is_broken) {
		caller_end(h->caller[kind]);
		h->caller[kind] = NULL;
	}
	if (h->caller[kind] == NULL)
		e = caller_begin(h, make, &h->caller[kind]);
	*c = h->caller[kind];
	return e;
}

int
caller_fail(struct caller *c, int code, const char *about)
{
	c->is_broken |= code == MOM_EBADID || code == MOM_EPROTO;
	return handle_fail(c->owner, code, "%s%s%s", about, *about ? ": " : "", mom_error_text(c->id));
}

int
caller_hear(struct caller *c, int64_t until, int (*is_it)(void *with, const struct mom_message *m), void *with)
{
	struct mom_message m;
	for (;;) {
		int64_t left = until < 0 ? -1 : until - clock_ms();
		int e = mom_receive(c->id, &m, until < 0 ? -1 : left < 0 ? 0 : left > INT32_MAX ? INT32_MAX
		    : (int)left);
		if (e == 0 && is_it(with, &m))
			return 0;
		if (e == MOM_EFULL)                    /* it was cut: answers are lost, its subscription ended */
			e = mom_subscribe(c->id, c->topic, 0);
		if (e && e != MOM_EEXIST)
			return e;
		if (until >= 0 && left <= 0)           /* strangers may publish there without end */
			return MOM_ETIMEDOUT;
	}
}
