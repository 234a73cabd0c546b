/* kept - what was executed for whom, and what was answered: so that a request that comes again is not executed again.
 * State without calls. */
#include "api/rpc/rpc.h"
#include <stdlib.h>
#include <string.h>

static struct kept_call *
kept_new(struct kept *k, uint64_t caller)
{
	struct kept_call *c = calloc(1, sizeof *c);
	if (c == NULL)
		return NULL;
	c->caller = caller;
	if (map_put(&k->calls, &c->caller, sizeof c->caller, c) == 0)
		return c;
	free(c);
	return NULL;
}

enum kept_verdict
kept_take(struct kept *k, uint64_t caller, uint64_t number, int64_t now_ms, struct kept_call **call)
{
	struct kept_call *c = map_get(&k->calls, &caller, sizeof caller);
	if (c == NULL && (c = kept_new(k, caller)) == NULL)
		return KEPT_NO_MEMORY;
	*call = c;
	if (number < c->number)
		return KEPT_OLD;
	c->used_ms = now_ms;
	if (number == c->number)
		return KEPT_AGAIN;
	c->number = number;
	free(c->answer);
	c->answer = NULL;
	return KEPT_NEW;
}

void
kept_answer(struct kept *k, uint64_t caller, uint64_t number, const void *answer, size_t len)
{
	struct kept_call *c = map_get(&k->calls, &caller, sizeof caller);
	if (c == NULL || c->number != number || c->answer || (c->answer = malloc(len)) == NULL)
		return;
	memcpy(c->answer, answer, len);
	c->len = (uint32_t)len;
}

static void
kept_drop(struct kept *k, struct kept_call *c)
{
	map_del(&k->calls, &c->caller, sizeof c->caller);
	free(c->answer);
	free(c);
}

void
kept_sweep(struct kept *k, int64_t now_ms)
{
	struct kept_call *c;
	if (now_ms - k->swept_ms < KEPT_SWEEP_MS)
		return;
	k->swept_ms = now_ms;
	for (size_t at = 0; (c = map_each(&k->calls, &at)) != NULL;) {
		if (now_ms - c->used_ms > KEPT_NUMBER_MS)
			kept_drop(k, c);
		else if (now_ms - c->used_ms > KEPT_ANSWER_MS) {
			free(c->answer);
			c->answer = NULL;
		}
	}
}

void
kept_free(struct kept *k)
{
	struct kept_call *c;
	for (size_t at = 0; (c = map_each(&k->calls, &at)) != NULL;)
		kept_drop(k, c);
	map_free(&k->calls);
}

void
kept_save(const struct kept *k, struct mom_writer *w)
{
	struct kept_call *c;
	uint32_t n = 0;
	for (size_t at = 0; map_each(&k->calls, &at) != NULL;)
		n++;
	mom_put_u32(w, n);
	for (size_t at = 0; (c = map_each(&k->calls, &at)) != NULL;) {
		mom_put_u64(w, c->caller);
		mom_put_u64(w, c->number);
		mom_put_bytes32(w, c->answer ? (const void *)c->answer : "", c->answer ? c->len : 0);
	}
}

int
kept_load(struct kept *k, struct mom_reader *r, int64_t now_ms)
{
	for (uint32_t n = mom_get_u32(r); n > 0 && !mom_reader_failed(r); n--) {
		struct kept_call *c;
		size_t len;
		uint64_t caller = mom_get_u64(r), number = mom_get_u64(r);
		const void *answer = mom_get_bytes32(r, &len);
		if (mom_reader_failed(r))
			break;
		if (kept_take(k, caller, number, now_ms, &c) == KEPT_NO_MEMORY)
			return -1;
		if (len)
			kept_answer(k, caller, number, answer, len);
	}
	return mom_reader_failed(r) ? -1 : 0;
}
