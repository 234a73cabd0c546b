/* counter - a number that is added to */
#include "things.h"
#include <stdlib.h>
#include <string.h>

struct counter { int64_t value; };
volatile long *things_alive;

void *
counter_new(void)
{
	struct counter *c = calloc(1, sizeof *c);
	if (c)
		__sync_fetch_and_add(things_alive, 1);
	return c;
}

static void
counter_release(void *self)
{
	__sync_fetch_and_sub(things_alive, 1);
	free(self);
}

int
thing_move(struct mom_request *q)
{
	char place[MOM_TOPIC_MAX + 1];
	mom_get_string8(&q->args, place, sizeof place);
	if (!mom_reader_failed(&q->args) && mom_object_move(mom_object_of(q), place, 10000) < 0)
		return mom_raise(q, THING_STAYS, "%s", mom_error_text(-1));
	return 0;
}

static int
counter_call(struct mom_request *q, void *self)
{
	struct counter *c = self;
	if (strcmp(q->service, "move") == 0)
		return thing_move(q);
	if (strcmp(q->service, "add") != 0)
		return mom_raise(q, THING_CANNOT, "a counter cannot %s", q->service);
	int64_t by = mom_get_i64(&q->args);
	if (!mom_reader_failed(&q->args))
		c->value += by;
	mom_put_i64(&q->reply, c->value);
	return 0;
}

static int
counter_save(void *self, struct mom_writer *w)
{
	mom_put_i64(w, ((struct counter *)self)->value);
	return 0;
}

static void *
counter_load(struct mom_reader *r)
{
	struct counter *c = counter_new();
	if (c)
		c->value = mom_get_i64(r);
	return c;
}

const struct mom_object_type counter_type = { "counter", counter_call, counter_save, counter_load, counter_release,
    NULL };
