/* list - entries in the order in which they were appended: who, and that one's own number */
#include "things.h"
#include <stdlib.h>
#include <string.h>

struct list { uint32_t *entries; uint32_t used, room; };       /* two numbers an entry */

void *
list_new(void)
{
	struct list *l = calloc(1, sizeof *l);
	if (l)
		__sync_fetch_and_add(things_alive, 1);
	return l;
}

static void
list_release(void *self)
{
	__sync_fetch_and_sub(things_alive, 1);
	free(((struct list *)self)->entries);
	free(self);
}

static int
list_add(struct list *l, uint32_t who, uint32_t number)
{
	if (l->used == l->room) {
		uint32_t room = 2 * l->room + 64;
		uint32_t *more = realloc(l->entries, 2 * room * sizeof *more);
		if (more == NULL)
			return -1;
		l->entries = more;
		l->room = room;
	}
	l->entries[2 * l->used] = who;
	l->entries[2 * l->used++ + 1] = number;
	return 0;
}

static int
list_save(void *self, struct mom_writer *w)
{
	const struct list *l = self;
	mom_put_u32(w, l->used);
	for (uint32_t i = 0; i < 2 * l->used; i++)
		mom_put_u32(w, l->entries[i]);
	return 0;
}

static void *
list_load(struct mom_reader *r)
{
	struct list *l = list_new();
	for (uint32_t n = mom_get_u32(r); l && n > 0 && !mom_reader_failed(r); n--) {
		uint32_t who = mom_get_u32(r), number = mom_get_u32(r);
		if (list_add(l, who, number) < 0) {
			list_release(l);
			return NULL;
		}
	}
	return l;
}

static int
list_call(struct mom_request *q, void *self)
{
	if (strcmp(q->service, "move") == 0)
		return thing_move(q);
	if (strcmp(q->service, "get") == 0)
		return list_save(self, &q->reply);
	if (strcmp(q->service, "append") != 0)
		return mom_raise(q, THING_CANNOT, "a list cannot %s", q->service);
	uint32_t who = mom_get_u32(&q->args), number = mom_get_u32(&q->args);
	if (mom_reader_failed(&q->args))
		return 0;                               /* the library tells the caller */
	return list_add(self, who, number) < 0 ? MOM_ELIMIT : 0;
}

const struct mom_object_type list_type = { "list", list_call, list_save, list_load, list_release, NULL };
