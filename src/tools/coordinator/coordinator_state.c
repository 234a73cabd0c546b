/* coordinator_state - a group's semaphores and variables, moved by the events of its log; see coordinator_state.h */
#include "tools/coordinator/coordinator_state.h"
#include <stdlib.h>
#include <string.h>

struct applying { struct state *s; state_answer_fn answer; void *with; int failed; };

/* ---- memory ---- */

void
state_init(struct state *s, int group)
{
	*s = (struct state){ .group = group };
}

static void
resource_free(struct resource *r)
{
	free(r->holdings);
	free(r);
}

void
state_free(struct state *s)
{
	size_t at = 0;
	for (struct resource *r; (r = map_each(&s->resources, &at)) != NULL; )
		resource_free(r);
	at = 0;
	for (struct resource_client *c; (c = map_each(&s->clients, &at)) != NULL; )
		free(c);
	map_free(&s->resources);
	map_free(&s->clients);
	free(s->holders);
	state_init(s, s->group);
}

struct resource_client *
state_client(struct state *s, uint64_t id)
{
	struct resource_client *c = map_get(&s->clients, &id, sizeof id);
	if (c)
		return c;
	c = calloc(1, sizeof *c);
	if (c == NULL)
		return NULL;
	c->id = id;
	if (map_put(&s->clients, &c->id, sizeof c->id, c) == 0)
		return c;
	free(c);
	return NULL;
}

struct resource *
state_resource_new(struct state *s, const char *key, size_t key_len)
{
	struct resource *r = calloc(1, sizeof *r + key_len);
	if (r == NULL)
		return NULL;
	memcpy(r->key, key, key_len);
	r->key_len = key_len;
	if (map_put(&s->resources, r->key, key_len, r) == 0)
		return r;
	free(r);
	return NULL;
}

int
state_hold(struct resource *r, uint64_t id, uint32_t count)
{
	for (size_t i = 0; i < r->holding_count; i++)
		if (r->holdings[i].id == id) {
			r->holdings[i].count += count;
			return 0;
		}
	if (r->holding_count == r->holding_room) {
		size_t room = r->holding_room ? 2 * r->holding_room : 4;
		struct holding *more = realloc(r->holdings, room * sizeof *more);
		if (more == NULL)
			return -1;
		r->holdings = more;
		r->holding_room = room;
	}
	r->holdings[r->holding_count++] = (struct holding){ id, count };
	return 0;
}

int
state_holder_add(struct state *s, uint64_t id, const char *name)
{
	if (state_holder(s, id))
		return 0;
	struct unit_holder *more = realloc(s->holders, (s->holder_count + 1) * sizeof *more);
	if (more == NULL)
		return -1;
	s->holders = more;
	struct unit_holder *h = &more[s->holder_count++];
	*h = (struct unit_holder){ .id = id };
	strncpy(h->name, name, sizeof h->name - 1);
	return 0;
}

/* ---- who holds the group ---- */

const struct unit_holder *
state_holder(const struct state *s, uint64_t id)
{
	for (size_t i = 0; i < s->holder_count; i++)
		if (s->holders[i].id == id)
			return &s->holders[i];
	return NULL;
}

uint64_t
holder_weight(const char *name, uint64_t id, int group)
{
	uint64_t w = resource_hash(name, strlen(name), (uint64_t)group + 1) & ~UINT64_C(0xffff);
	return w | (resource_hash(&id, sizeof id, 0) & 0xffff);        /* two of the same name differ, too */
}

const struct unit_holder *
state_primary(const struct state *s)
{
	const struct unit_holder *best = NULL;
	for (size_t i = 0; i < s->holder_count; i++) {
		const struct unit_holder *h = &s->holders[i];
		if (best == NULL || holder_weight(h->name, h->id, s->group) > holder_weight(best->name, best->id,
		    s->group))
			best = h;
	}
	return best;
}

static int
holder_drop(struct state *s, uint64_t id)
{
	const struct unit_holder *h = state_holder(s, id);
	if (h == NULL)
		return 0;
	size_t i = (size_t)(h - s->holders);
	memmove(&s->holders[i], &s->holders[i + 1], (--s->holder_count - i) * sizeof *h);
	return 1;
}

/* ---- answers, units, queues ---- */

static void
finish(struct applying *a, struct resource_client *c, int code, int32_t value)
{
	c->waits = 0;
	c->code = code;
	c->value = value;
	if (a->answer)
		a->answer(a->with, c->id, &(struct resource_answer){ c->number, code, value });
}

void
state_queue(struct resource *r, struct resource_client *c)
{
	c->waits = 1;
	c->resource = r;
	c->next = NULL;
	if (r->last)
		r->last->next = c;
	else
		r->first = c;
	r->last = c;
}

static void
unqueue(struct resource_client *c)
{
	struct resource *r = c->resource;
	struct resource_client *before = NULL;
	for (struct resource_client *w = r->first; w != c; w = w->next)
		before = w;
	if (before)
		before->next = c->next;
	else
		r->first = c->next;
	if (r->last == c)
		r->last = before;
	c->waits = 0;
	c->resource = NULL;
}

static void
take(struct applying *a, struct resource *r, struct resource_client *c)
{
	if (!(r->flags & MOM_DSEM_KEEP) && state_hold(r, c->id, 1) < 0)
		a->failed = 1;
	c->resource = r;
	finish(a, c, 0, 0);
}

static void
give(struct applying *a, struct resource *r)
{
	struct resource_client *c = r->first;
	if (c == NULL) {
		r->value += r->value < INT32_MAX;      /* who gives back what others have given already gives nothing */
		return;
	}
	unqueue(c);
	take(a, r, c);
}

static void
holding_less(struct resource *r, size_t i)
{
	if (--r->holdings[i].count == 0)
		memmove(&r->holdings[i], &r->holdings[i + 1], (--r->holding_count - i) * sizeof *r->holdings);
}

static int
untake_own(struct resource *r, uint64_t id)
{
	for (size_t i = 0; i < r->holding_count; i++)
		if (r->holdings[i].id == id) {
			holding_less(r, i);
			return 1;
		}
	return 0;
}

/* One unit of this client's, else of who has had its own for longest, is not taken any more. */
static void
untake(struct resource *r, uint64_t id)
{
	if (!untake_own(r, id) && r->holding_count)
		holding_less(r, 0);
}

/* ---- requests ---- */

static size_t
key_of(char *key, const struct event *e)
{
	size_t len = strlen(e->name);
	key[0] = e->op < OP_VAR_INIT ? 's' : 'v';
	memcpy(key + 1, e->name, len);
	return len + 1;
}

static struct resource *
resource_of(struct applying *a, const struct event *e)
{
	char key[MOM_RESOURCE_MAX + 1];
	return map_get(&a->s->resources, key, key_of(key, e));
}

static void
init(struct applying *a, const struct event *e, struct resource_client *c)
{
	char key[MOM_RESOURCE_MAX + 1];
	size_t len = key_of(key, e);
	if (map_get(&a->s->resources, key, len)) {
		finish(a, c, MOM_EEXIST, 0);
		return;
	}
	if (e->op == OP_SEM_INIT && e->value < 0) {    /* mom_dsem_init refuses it; others may say it */
		finish(a, c, MOM_EINVAL, 0);
		return;
	}
	struct resource *r = state_resource_new(a->s, key, len);
	if (r == NULL) {
		a->failed = 1;
		return;
	}
	r->value = e->value;
	r->flags = e->flags;
	finish(a, c, 0, 0);
}

static void
forget(struct applying *a, struct resource *r)
{
	size_t at = 0;
	while (r->first) {
		struct resource_client *c = r->first;
		unqueue(c);
		finish(a, c, MOM_ENORESOURCE, 0);
	}
	for (struct resource_client *c; (c = map_each(&a->s->clients, &at)) != NULL; )
		if (c->resource == r)
			c->resource = NULL;
	map_del(&a->s->resources, r->key, r->key_len);
	resource_free(r);
}

static void
wait_for(struct applying *a, struct resource *r, struct resource_client *c)
{
	if (r->value > 0) {
		r->value--;
		take(a, r, c);
	} else if (c->op == OP_SEM_TRY)
		finish(a, c, MOM_NOT_FREE, 0);
	else
		state_queue(r, c);
}

static void
signal_to(struct applying *a, struct resource *r, struct resource_client *c)
{
	if (r->value == INT32_MAX && r->first == NULL) {
		finish(a, c, MOM_ELIMIT, 0);
		return;
	}
	untake(r, c->id);
	give(a, r);
	finish(a, c, 0, 0);
}

static void
execute(struct applying *a, const struct event *e, struct resource_client *c)
{
	struct resource *r = resource_of(a, e);
	if (e->op == OP_SEM_INIT || e->op == OP_VAR_INIT) {
		init(a, e, c);
		return;
	}
	if (r == NULL) {
		finish(a, c, MOM_ENORESOURCE, 0);
		return;
	}
	switch (e->op) {
	case OP_SEM_WAIT: case OP_SEM_TRY: wait_for(a, r, c); break;
	case OP_SEM_SIGNAL: signal_to(a, r, c); break;
	case OP_VAR_WRITE: r->value = e->value; finish(a, c, 0, 0); break;
	case OP_VAR_READ: finish(a, c, 0, r->value); break;
	default: forget(a, r); finish(a, c, 0, 0);
	}
}

/* What it asked for before and has given up: waits no longer, or is given back. `before`: its last request. */
static void
cancel(struct applying *a, const struct event *e, struct resource_client *c, const struct resource_client *before)
{
	struct resource *r = before->resource;
	if (before->number == e->target && r && !before->waits && (r->flags & MOM_DSEM_KEEP || untake_own(r, c->id)))
		give(a, r);
	finish(a, c, 0, 0);
}

static void
request(struct applying *a, const struct event *e)
{
	struct resource_client *c = state_client(a->s, e->id), before;
	if (c == NULL) {
		a->failed = 1;
		return;
	}
	if (e->number < c->number)                     /* asked again, late: it has gone on since */
		return;
	if (e->number == c->number) {
		struct resource_answer again = { c->number, c->waits ? ANSWER_WAITS : c->code,
		    c->waits ? 0 : c->value };
		if (a->answer)
			a->answer(a->with, c->id, &again);
		return;
	}
	before = *c;
	if (c->waits)                                  /* who asks for something else waits no longer */
		unqueue(c);
	c->resource = NULL;
	c->number = e->number;
	c->op = e->op;
	if (e->op == OP_CANCEL)
		cancel(a, e, c, &before);
	else
		execute(a, e, c);
}

/* ---- deaths and holders ---- */

static void
client_gone(struct applying *a, uint64_t id)
{
	size_t at = 0;
	struct resource_client *c = map_get(&a->s->clients, &id, sizeof id);
	if (c == NULL)
		return;
	if (c->waits)
		unqueue(c);
	map_del(&a->s->clients, &c->id, sizeof c->id);
	free(c);
	for (struct resource *r; (r = map_each(&a->s->resources, &at)) != NULL; )
		for (size_t i = 0; i < r->holding_count; i++)
			while (i < r->holding_count && r->holdings[i].id == id) {
				holding_less(r, i);
				give(a, r);
			}
}

static int
state_founding_is_valid(const struct state *s, const struct event *e)
{
	return e->target > s->founded;
}

/* begin so, whatever was; -1 no memory is told by the next call */
static void
state_found(struct state *s, const struct event *e)
{
	state_free(s);
	s->founded = s->applied = e->offset;
}

int
state_apply(struct state *s, const struct event *e, state_answer_fn answer, void *with)
{
	struct applying a = { s, answer, with, 0 };
	int changed = 0;
	if (e->offset <= s->applied)
		return 0;
	s->applied = e->offset;
	switch (e->kind) {
	case EVENT_REQUEST:
		request(&a, e);
		break;
	case EVENT_GONE:
		changed = holder_drop(s, e->id) ? STATE_LOST : 0;
		client_gone(&a, e->id);
		break;
	case EVENT_ACTIVE:
		a.failed = state_holder_add(s, e->id, e->name) < 0;
		break;
	case EVENT_LEAVE:
		changed = s->holder_count > 2 && holder_drop(s, e->id) ? STATE_LEFT : 0;
		break;
	case EVENT_FOUND:
		changed = state_founding_is_valid(s, e) ? STATE_BEGAN : STATE_STALE;
		if (changed == STATE_STALE)
			break;
		state_found(s, e);
		a.failed = state_holder_add(s, e->id, e->name) < 0;
		break;
	}
	return a.failed ? -1 : changed;
}

void
state_repeat(const struct state *s, state_answer_fn answer, void *with)
{
	size_t at = 0;
	for (struct resource_client *c; (c = map_each(&s->clients, &at)) != NULL; )
		if (!c->waits)
			answer(with, c->id, &(struct resource_answer){ c->number, c->code, c->value });
}
