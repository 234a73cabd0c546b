/* resource_wire - the messages of semaphores and variables, put and got: see resource.h */
#include "api/resource/resource.h"
#include <string.h>

void
event_put(struct mom_writer *w, const struct event *e)
{
	mom_put_u8(w, e->kind);
	mom_put_u64(w, e->id);
	mom_put_u64(w, e->number);
	mom_put_u64(w, e->target);
	mom_put_u8(w, e->op);
	mom_put_u8(w, e->flags);
	mom_put_u32(w, (uint32_t)e->value);
	mom_put_string8(w, e->name);
}

int
event_get(struct event *e, const void *bytes, size_t len)
{
	struct mom_reader r;
	mom_reader_init(&r, bytes, len);
	e->kind = mom_get_u8(&r);
	e->id = mom_get_u64(&r);
	e->number = mom_get_u64(&r);
	e->target = mom_get_u64(&r);
	e->op = mom_get_u8(&r);
	e->flags = mom_get_u8(&r);
	e->value = (int32_t)mom_get_u32(&r);
	mom_get_string8(&r, e->name, sizeof e->name);
	if (mom_reader_failed(&r) || mom_reader_left(&r) || e->kind < EVENT_REQUEST || e->kind > EVENT_LAST)
		return -1;
	return e->kind == EVENT_REQUEST && (e->op < OP_SEM_INIT || e->op > OP_LAST) ? -1 : 0;
}

void
answer_put(struct mom_writer *w, const struct resource_answer *a)
{
	mom_put_u64(w, a->number);
	mom_put_u32(w, (uint32_t)a->code);
	mom_put_u32(w, (uint32_t)a->value);
}

int
answer_get(struct resource_answer *a, const void *bytes, size_t len)
{
	struct mom_reader r;
	mom_reader_init(&r, bytes, len);
	a->number = mom_get_u64(&r);
	a->code = (int32_t)mom_get_u32(&r);
	a->value = (int32_t)mom_get_u32(&r);
	return mom_reader_failed(&r) || mom_reader_left(&r) || a->code > ANSWER_WAITS ||
	    a->code < MOM_ENORESOURCE ? -1 : 0;
}

uint64_t
resource_hash(const void *bytes, size_t len, uint64_t salt)
{
	const unsigned char *p = bytes;
	uint64_t h = 0xcbf29ce484222325u ^ salt * 0x9e3779b97f4a7c15u;
	for (; len; len--, p++)
		h = (h ^ *p) * 0x100000001b3u;
	h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
	h = (h ^ h >> 27) * 0x94d049bb133111ebu;
	return h ^ h >> 31;
}

int
resource_group(const char *name)
{
	return (int)(resource_hash(name, strlen(name), 0) % RESOURCE_GROUPS);
}
