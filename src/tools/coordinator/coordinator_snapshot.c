/* coordinator_snapshot - a group's state as bytes, for who is to hold it too; little endian, by mom_coding.h
 *
 *     u8 1, u8 group, u64 founded, u64 applied
 *     u32 holders: u64 id, string8 name
 *     u32 clients: u64 id, u64 number, u8 op, i32 code, i32 value
 *     u32 resources: u8 flags, i32 value, bytes8 key; u32 who wait: u64 id; u32 who have taken: u64 id, u32 count; u32
 *     whose last request took: u64 id */
#include "tools/coordinator/coordinator_state.h"
#include <stdlib.h>
#include <string.h>

enum { SNAPSHOT_FORMAT = 1 };

static void
resource_put(struct mom_writer *w, const struct state *s, const struct resource *r)
{
	uint32_t waiting = 0, took = 0;
	size_t at = 0;
	mom_put_u8(w, r->flags);
	mom_put_u32(w, (uint32_t)r->value);
	mom_put_bytes8(w, r->key, r->key_len);
	for (const struct resource_client *c = r->first; c; c = c->next)
		waiting++;
	mom_put_u32(w, waiting);
	for (const struct resource_client *c = r->first; c; c = c->next)
		mom_put_u64(w, c->id);
	mom_put_u32(w, (uint32_t)r->holding_count);
	for (size_t i = 0; i < r->holding_count; i++) {
		mom_put_u64(w, r->holdings[i].id);
		mom_put_u32(w, r->holdings[i].count);
	}
	for (struct resource_client *c; (c = map_each(&s->clients, &at)) != NULL; )
		took += c->resource == r && !c->waits;
	mom_put_u32(w, took);
	at = 0;
	for (struct resource_client *c; (c = map_each(&s->clients, &at)) != NULL; )
		if (c->resource == r && !c->waits)
			mom_put_u64(w, c->id);
}

static void
put(struct mom_writer *w, const struct state *s)
{
	size_t at = 0;
	mom_put_u8(w, SNAPSHOT_FORMAT);
	mom_put_u8(w, (uint8_t)s->group);
	mom_put_u64(w, s->founded);
	mom_put_u64(w, s->applied);
	mom_put_u32(w, (uint32_t)s->holder_count);
	for (size_t i = 0; i < s->holder_count; i++) {
		mom_put_u64(w, s->holders[i].id);
		mom_put_string8(w, s->holders[i].name);
	}
	mom_put_u32(w, (uint32_t)s->clients.used);
	for (struct resource_client *c; (c = map_each(&s->clients, &at)) != NULL; ) {
		mom_put_u64(w, c->id);
		mom_put_u64(w, c->number);
		mom_put_u8(w, c->op);
		mom_put_u32(w, (uint32_t)c->code);
		mom_put_u32(w, (uint32_t)c->value);
	}
	mom_put_u32(w, (uint32_t)s->resources.used);
	at = 0;
	for (struct resource *r; (r = map_each(&s->resources, &at)) != NULL; )
		resource_put(w, s, r);
}

unsigned char *
state_put(const struct state *s, size_t *len)
{
	for (size_t size = 4096; ; size *= 2) {
		struct mom_writer w;
		unsigned char *bytes = malloc(size);
		if (bytes == NULL)
			return NULL;
		mom_writer_init(&w, bytes, size);
		put(&w, s);
		*len = w.len;
		if (!mom_writer_failed(&w))
			return bytes;
		free(bytes);
	}
}

/* ---- back ---- */

static struct resource_client *
client_known(struct state *s, uint64_t id)
{
	return map_get(&s->clients, &id, sizeof id);
}

static int
resource_get(struct mom_reader *r, struct state *s)
{
	uint8_t flags = mom_get_u8(r);
	int32_t value = (int32_t)mom_get_u32(r);
	size_t len;
	const void *key = mom_get_bytes8(r, &len);
	struct resource *made = mom_reader_failed(r) || map_get(&s->resources, key, len) ? NULL
	    : state_resource_new(s, key, len);
	if (made == NULL)
		return -1;
	made->flags = flags;
	made->value = value;
	for (uint32_t n = mom_get_u32(r); n && !mom_reader_failed(r); n--) {
		struct resource_client *c = client_known(s, mom_get_u64(r));
		if (c == NULL || c->resource)
			return -1;
		state_queue(made, c);
	}
	for (uint32_t n = mom_get_u32(r); n && !mom_reader_failed(r); n--) {
		uint64_t id = mom_get_u64(r);
		uint32_t count = mom_get_u32(r);
		if (count == 0 || state_hold(made, id, count) < 0)
			return -1;
	}
	for (uint32_t n = mom_get_u32(r); n && !mom_reader_failed(r); n--) {
		struct resource_client *c = client_known(s, mom_get_u64(r));
		if (c == NULL || c->resource)
			return -1;
		c->resource = made;
	}
	return mom_reader_failed(r) ? -1 : 0;
}

static int
client_get(struct mom_reader *r, struct state *s)
{
	uint64_t id = mom_get_u64(r);
	struct resource_client *c = mom_reader_failed(r) ? NULL : state_client(s, id);
	if (c == NULL)
		return -1;
	c->number = mom_get_u64(r);
	c->op = mom_get_u8(r);
	c->code = (int32_t)mom_get_u32(r);
	c->value = (int32_t)mom_get_u32(r);
	return mom_reader_failed(r) ? -1 : 0;
}

static int
holder_get(struct mom_reader *r, struct state *s)
{
	char name[MOM_NAME_MAX + 1];
	uint64_t id = mom_get_u64(r);
	mom_get_string8(r, name, sizeof name);
	return mom_reader_failed(r) ? -1 : state_holder_add(s, id, name);
}

static int
get(struct mom_reader *r, struct state *s)
{
	static int (*const parts[])(struct mom_reader *, struct state *) = { holder_get, client_get, resource_get };
	if (mom_get_u8(r) != SNAPSHOT_FORMAT || mom_get_u8(r) != s->group)
		return -1;
	s->founded = mom_get_u64(r);
	s->applied = mom_get_u64(r);
	for (int i = 0; i < 3; i++)
		for (uint32_t n = mom_get_u32(r); n; n--)
			if (parts[i](r, s) < 0)
				return -1;
	return mom_reader_failed(r) || mom_reader_left(r) ? -1 : 0;
}

int
state_get(struct state *s, const void *bytes, size_t len)
{
	struct mom_reader r;
	state_free(s);
	mom_reader_init(&r, bytes, len);
	if (get(&r, s) == 0)
		return 0;
	state_free(s);
	return -1;
}
