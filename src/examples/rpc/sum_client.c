/* sum_client - the client stub: packs arguments, calls, unpacks results */
#include "sum.h"
#include <string.h>

int
sum(int id, const char *service, uint64_t serial, int64_t a, int64_t b, int64_t *result, int timeout_ms, unsigned mode)
{
	unsigned char bytes[24];
	struct mom_writer w;
	struct mom_reader r;
	mom_writer_init(&w, bytes, sizeof bytes);
	mom_put_u64(&w, serial);
	mom_put_i64(&w, a);
	mom_put_i64(&w, b);
	int e = mom_call(id, service, &w, &r, timeout_ms, mode);
	if (e)
		return e;
	*result = mom_get_i64(&r);
	return mom_reader_failed(&r) ? MOM_EPROTO : 0;
}

int
sum_counts(int id, uint64_t from, uint64_t to, uint8_t *counts, int timeout_ms)
{
	unsigned char bytes[16];
	struct mom_writer w;
	struct mom_reader r;
	mom_writer_init(&w, bytes, sizeof bytes);
	mom_put_u64(&w, from);
	mom_put_u64(&w, to);
	int e = mom_call(id, "sum/counts", &w, &r, timeout_ms, MOM_AT_LEAST_ONCE);
	if (e)
		return e;
	const void *all = mom_get_raw(&r, to - from);
	if (all)
		memcpy(counts, all, to - from);
	return all ? 0 : MOM_EPROTO;
}

int
sum_start(int id, int64_t a, int64_t b, int takes_ms, uint64_t *job, int timeout_ms)
{
	unsigned char bytes[20];
	struct mom_writer w;
	struct mom_reader r;
	mom_writer_init(&w, bytes, sizeof bytes);
	mom_put_i64(&w, a);
	mom_put_i64(&w, b);
	mom_put_u32(&w, (uint32_t)takes_ms);
	int e = mom_call(id, "sum/start", &w, &r, timeout_ms, MOM_AT_MOST_ONCE);
	if (e)
		return e;
	*job = mom_get_u64(&r);
	return mom_reader_failed(&r) ? MOM_EPROTO : 0;
}

int
sum_poll(int id, uint64_t job, int *is_done, int64_t *result, int timeout_ms)
{
	unsigned char bytes[8];
	struct mom_writer w;
	struct mom_reader r;
	mom_writer_init(&w, bytes, sizeof bytes);
	mom_put_u64(&w, job);
	int e = mom_call(id, "sum/poll", &w, &r, timeout_ms, MOM_AT_MOST_ONCE);
	if (e)
		return e;
	*is_done = mom_get_u8(&r);
	*result = mom_get_i64(&r);
	return mom_reader_failed(&r) ? MOM_EPROTO : 0;
}

int
sum_pushed(const struct mom_message *m, uint64_t *job, int64_t *result)
{
	struct mom_reader r;
	mom_reader_init(&r, m->data, m->len);
	*job = mom_get_u64(&r);
	*result = mom_get_i64(&r);
	return strcmp(m->topic, SUM_PUSH_TOPIC) != 0 || mom_reader_failed(&r) ? -1 : 0;
}
