/* things_client - the stubs: pack arguments, call, unpack results */
#include "things.h"
#include <stdlib.h>

int
counter_add(int id, const char *ref, int64_t by, int64_t *value, int timeout_ms)
{
	unsigned char bytes[8];
	struct mom_writer w;
	struct mom_reader r;
	mom_writer_init(&w, bytes, sizeof bytes);
	mom_put_i64(&w, by);
	int e = mom_object_call(id, ref, "add", &w, &r, timeout_ms);
	if (e)
		return e;
	*value = mom_get_i64(&r);
	return mom_reader_failed(&r) ? MOM_EPROTO : 0;
}

int
list_append(int id, const char *ref, uint32_t who, uint32_t number, int timeout_ms)
{
	unsigned char bytes[8];
	struct mom_writer w;
	mom_writer_init(&w, bytes, sizeof bytes);
	mom_put_u32(&w, who);
	mom_put_u32(&w, number);
	return mom_object_call(id, ref, "append", &w, NULL, timeout_ms);
}

uint32_t *
list_get(int id, const char *ref, size_t *n, int timeout_ms)
{
	struct mom_reader r;
	if (mom_object_call(id, ref, "get", NULL, &r, timeout_ms))
		return NULL;
	*n = mom_get_u32(&r);
	uint32_t *all = mom_reader_left(&r) == *n * 8 ? malloc(*n * 8 + 1) : NULL;
	for (size_t i = 0; all && i < 2 * *n; i++)
		all[i] = mom_get_u32(&r);
	return all;
}

int
thing_move_to(int id, const char *ref, const char *place, int timeout_ms)
{
	unsigned char bytes[MOM_TOPIC_MAX + 1];
	struct mom_writer w;
	mom_writer_init(&w, bytes, sizeof bytes);
	mom_put_string8(&w, place);
	return mom_object_call(id, ref, "move", &w, NULL, timeout_ms);
}
