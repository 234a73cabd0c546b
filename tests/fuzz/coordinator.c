/* coordinator - proves: whatever stands in a group's log, its state stays sound (who waits stands in one queue once,
 * nobody waits where a unit is free, units that are taken have a taker) and comes back from its snapshot the same; a
 * snapshot of any bytes is refused or survived.
 * INPUT  u8: 0 a snapshot, its bytes; else events: u8 kind, u8 client, u8 what (op, name), u8 value, until the end */
#include <mom_coding.h>
#include "coordinator_sound.h"

static long answers;

static void
hear(void *with, uint64_t client, const struct resource_answer *a)
{
	(void)with;
	FUZZ_CHECK(client != 0 && a->code <= ANSWER_WAITS && a->code >= MOM_ENORESOURCE);
	answers++;
}

static void
there_and_back(const struct state *s)
{
	struct state other;
	size_t len, again_len;
	state_init(&other, s->group);
	unsigned char *bytes = state_put(s, &len);
	FUZZ_CHECK(bytes && state_get(&other, bytes, len) == 0);
	unsigned char *again = state_put(&other, &again_len);
	FUZZ_CHECK(again && len == again_len);
	free(bytes);
	free(again);
	state_free(&other);
}

static void
events(struct state *s, struct fuzz_input *in)
{
	uint64_t numbers[8] = { 0 };
	for (uint64_t offset = 1; in->n >= 4; offset++) {
		struct event e = { .kind = (uint8_t)(1 + fuzz_number(in, 1) % EVENT_LAST), .offset = offset }, read;
		unsigned char bytes[EVENT_BYTES];
		struct mom_writer w;
		e.id = 1 + (fuzz_number(in, 1) & 7);
		unsigned what = (unsigned)fuzz_number(in, 1), value = (unsigned)fuzz_number(in, 1);
		e.op = (uint8_t)(1 + what % OP_LAST);
		e.name[0] = (char)('a' + what / OP_LAST % 3);
		e.value = (value & 24) == 8 ? INT32_MAX : (value & 24) == 16 ? INT32_MIN : (int32_t)(value & 3);
		e.flags = value >> 2 & 1;
		numbers[e.id - 1] += value >> 7 ? 0 : 1;               /* asked again */
		e.number = numbers[e.id - 1];
		e.target = e.kind == EVENT_FOUND ? value : e.number - 1;
		mom_writer_init(&w, bytes, sizeof bytes);
		event_put(&w, &e);
		FUZZ_CHECK(!mom_writer_failed(&w) && event_get(&read, bytes, w.len) == 0 && read.number == e.number &&
		    read.value == e.value);
		FUZZ_CHECK(state_apply(s, &e, hear, NULL) >= 0);
		check_sound(s, 1);
	}
	there_and_back(s);
	state_repeat(s, hear, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct state s;
	struct event e;
	state_init(&s, 0);
	if (fuzz_number(&in, 1) == 0) {
		event_get(&e, in.p, in.n);
		if (state_get(&s, in.p, in.n) == 0)
			there_and_back(&s);
	} else
		events(&s, &in);
	state_free(&s);
	return 0;
}

/* ---- seeds ---- */

void
fuzz_seeds(fuzz_seed_fn seed)
{
	static const unsigned char calls[] = { 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 1, 0, 0, 2, 1, 0, 0, 0, 3, 0, 0, 3, 9,
	    0, 1, 0, 0, 0, 0, 2, 2, 0, 0, 2, 4, 0 };
	static const unsigned char founds[] = { 1, 3, 0, 0, 0, 3, 1, 0, 1, 4, 2, 0, 0, 4, 3, 0, 0, 5, 3, 0, 0, 5, 2, 0,
	    0, 0, 0, 5, 1, 0, 0, 6, 128 };
	unsigned char bytes[512] = { 0 };
	struct fuzz_input in = { calls + 1, sizeof calls - 1 };
	struct state s;
	size_t len;
	seed("calls", calls, sizeof calls);
	seed("founds", founds, sizeof founds);
	state_init(&s, 0);
	events(&s, &in);
	unsigned char *snapshot = state_put(&s, &len);
	if (snapshot && len < sizeof bytes) {
		memcpy(bytes + 1, snapshot, len);
		seed("snapshot", bytes, len + 1);
	}
	free(snapshot);
	state_free(&s);
}
