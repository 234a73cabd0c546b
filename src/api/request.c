/* request - publish, subscribe and the rest on their way: the ring, its numbers, answers, refusals, losses */
#include "api/hand.h"
#include "format/topic.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIM_BYTES = 64 * 1024 };

/* Neither acknowledged nor given up: its answer is still to come. */
static int
is_open(const struct client_segment *c, uint32_t shard, uint64_t number)
{
	return number > atomic_load(&c->answer[shard].acked) && number >= atomic_load(&c->first[shard]);
}

/* The ring is the resend buffer: its tail moves only past what is answered. */
static void
requests_trim(struct handle *h)
{
	struct client_segment *c = h->segment;
	struct ring *ring = h->out.ring;
	while (h->tail != h->out.head && h->out.head - h->tail <= h->ring) {
		uint64_t at = ring_place(h->tail, h->ring, &h->tail_lap), there = h->out.head - h->tail;
		const char *p = ring->bytes + at;
		uint32_t len = get_u32(p);
		if (len == 0 && h->ring - at <= there) {
			h->tail += h->ring - at;
			continue;
		}
		uint32_t shard = get_u16(p + 14);
		uint64_t number = get_u64(p + 40);
		if (len < RECORD_HEADER || len > there || record_stride(len) > there || shard >= SHARDS_MAX)
			break;                         /* a stray pointer wrote here; the requester says so */
		if (is_open(c, shard, number))
			break;
		if (number >= atomic_load(&c->first[shard]))
			/* before the tail: it cannot be sent again */
			atomic_store_explicit(&c->first[shard], number + 1, memory_order_release);
		h->tail += record_stride(len);
	}
	atomic_store_explicit(&ring->tail, h->tail, memory_order_release);
	/* before what is written there next: mom_requester copies a frame first and looks at the tail then (see
	 * feed_frame) */
	atomic_thread_fence(memory_order_release);
}

static void
note_failure(struct handle *h, uint64_t count, int code, const char *text)
{
	if (h->failed == 0) {
		h->failed_code = code;
		snprintf(h->failed_text, sizeof h->failed_text, "%s", text);
	}
	h->failed += count;
}

/* So many more, of which these are the last */
static void
note_lost(struct handle *h, uint64_t count, uint64_t from, uint64_t to)
{
	h->lost += count;
	snprintf(h->lost_text, sizeof h->lost_text, "the broker lost its power: %llu fast messages are gone (the last: "
	    "numbers %llu to %llu of this client)", (unsigned long long)h->lost,
	    (unsigned long long)(from & NUMBER_COUNTER),
	    (unsigned long long)(to & NUMBER_COUNTER));
}

/* What a broker may say: a failure, or where `may_succeed` 0. */
int
answer_code(int64_t code, int may_succeed)
{
	return (code < 0 && code >= MOM_ENOSUBSCRIBER) || code == MOM_ENOGROUP || (code == 0 && may_succeed) ? (int)code
	    : MOM_EPROTO;
}

/* What had been acknowledged was lost in a power cut, came again from the ring, and was refused then; and meanwhile the
 * acknowledgement was seen and its room given back. It is a loss like any other. */
static void
look_refused_late(struct handle *h, uint32_t shard, uint64_t refused, uint64_t first)
{
	atomic_store(&h->segment->refused_from[shard], refused);
	atomic_store(&h->segment->refused_to[shard], first - 1);
	note_lost(h, first - refused, refused, first - 1);
}

/* A refusal covers all of that shard that was appended before we saw it. */
static void
look_refused(struct handle *h, uint32_t shard)
{
	struct client_segment *c = h->segment;
	int64_t said;
	uint64_t refused = refused_read(&c->answer[shard], &said), first = atomic_load(&c->first[shard]),
	    next = atomic_load(&c->next[shard]);
	if (refused && refused < first && refused > atomic_load(&c->refused_to[shard]))
		look_refused_late(h, shard, refused, first);
	if (refused == 0 || refused < first || refused >= next)
		return;
	uint64_t from = atomic_load(&c->refused_to[shard]) + 1 == refused ? atomic_load(&c->refused_from[shard])
	    : refused;
	int code = answer_code(said, 0);
	char text[200];
	snprintf(text, sizeof text, "%s: requests %llu to %llu of this client were refused and are not stored",
	    mom_strerror(code),
	    (unsigned long long)(refused & NUMBER_COUNTER), (unsigned long long)((next - 1) & NUMBER_COUNTER));
	atomic_store(&c->refused_from[shard], from);
	atomic_store(&c->refused_to[shard], next - 1);
	atomic_store(&c->first[shard], next);
	uint64_t again = hands_refused(h, shard, refused, code);
	if (again < next - refused)
		note_failure(h, next - refused - again, code, text);
	bell_ring(&h->out.ring->bell, &c->request_queue);
}

static void
look_lost(struct handle *h, uint32_t shard)
{
	struct client_segment *c = h->segment;
	uint64_t from, to;
	int64_t telling;
	if (!result_read(&c->answer[shard].lost, &from, &telling, &to) ||
	    (uint64_t)telling == atomic_load(&c->lost_told[shard]))
		return;
	uint64_t lost = (uint64_t)telling - atomic_load(&c->lost_told[shard]);      /* by several power cuts, perhaps */
	atomic_store(&c->lost_told[shard], (uint64_t)telling);
	uint64_t lo = atomic_load(&c->refused_from[shard]), hi = atomic_load(&c->refused_to[shard]),
	    last = to - from + 1;
	if (lo && lo <= from && hi >= to)
		lost -= lost < last ? lost : last;     /* was told as refused */
	if (lost == 0)
		return;
	note_lost(h, lost, from, to);
}

static void
look_pending(struct handle *h, uint32_t shard)
{
	struct pending *p = &h->pending[shard];
	uint64_t number, value;
	int64_t code;
	if (p->number == 0)
		return;
	if (result_read(&h->segment->answer[shard].result[p->number & 1], &number, &code, &value) &&
	    number == p->number) {
		uint64_t awaited = h->back.awaited & UINT64_C(1) << shard;
		if (p->type == REC_UNSUBSCRIBE && code == 0)
			tombstone_add(h, p->topic_hash, shard, value);
		if (p->type == REC_LEAVE && code == 0)
			hands_left(h, p->topic_hash, shard, value);
		if (code && !awaited)
			note_failure(h, 1, answer_code(code, 0), mom_strerror(answer_code(code, 0)));
		h->back.owed |= code == 0 ? awaited : 0;
		h->back.awaited &= ~awaited;
		p->number = 0;
	} else if (p->number < atomic_load(&h->segment->first[shard])) {
		h->back.awaited &= ~(UINT64_C(1) << shard);
		p->number = 0;
	}
}

void
requests_look(struct handle *h)
{
	for (uint32_t k = 0; k < h->shards; k++) {
		look_refused(h, k);
		look_lost(h, k);
		look_pending(h, k);
	}
}

/* The answer that frees half of the ring: to sleep for less would cost more wake-ups than messages are sent. */
static void
say_enough(struct handle *h)
{
	struct client_segment *c = h->segment;
	const struct ring *ring = h->out.ring;
	uint64_t half = h->tail + (h->out.head - h->tail) / 2;
	for (uint64_t at = h->tail; at < half && h->out.head - at <= h->ring;) {
		const char *p = ring->bytes + at % h->ring;
		uint32_t len = get_u32(p);
		uint32_t shard = get_u16(p + 14);
		if (len && shard < SHARDS_MAX && is_open(c, shard, get_u64(p + 40))) {
			atomic_store_explicit(&c->enough_shard, shard, memory_order_relaxed);
			atomic_store_explicit(&c->enough, get_u64(p + 40), memory_order_relaxed);
		}
		/* always on: no stride is 0, and the ring's end lies ahead */
		at += len ? record_stride(len) : h->ring - at % h->ring;
	}
	atomic_thread_fence(memory_order_seq_cst);
}

/* An answer that came while it was said may have been taken for too little, and be the last for long. */
static int
enough_is_open(const struct handle *h)
{
	struct client_segment *c = h->segment;
	uint32_t shard = atomic_load(&c->enough_shard);
	return shard < SHARDS_MAX && is_open(c, shard, atomic_load(&c->enough));
}

struct room { uint32_t stride; void *at; uint64_t window; };

static void *
reserve(struct handle *h, const struct room *room)
{
	uint64_t used = h->out.head - h->tail;
	return used && used + room->stride > room->window ? NULL : ring_reserve(&h->out, room->stride);
}

static int
has_room(struct handle *h, const void *with)
{
	struct room *room = (struct room *)(uintptr_t)with;
	room->at = reserve(h, room);
	if (room->at && h->out.head - h->trimmed_at < TRIM_BYTES)
		return 1;
	/* now and then while all goes well, so that refusals are seen and an early wrap finds room */
	h->trimmed_at = h->out.head;
	for (uint32_t tries = 0; tries <= h->shards; tries++) {
		requests_look(h);
		requests_trim(h);
		if (room->at == NULL)
			room->at = reserve(h, room);
		if (room->at || !atomic_load_explicit(&h->segment->asleep, memory_order_relaxed))
			break;
		say_enough(h);                         /* the last look before it sleeps */
		if (enough_is_open(h))
			break;
	}
	return room->at != NULL;
}

static uint32_t
ask_stride(const struct ask *ask)
{
	return (uint32_t)record_stride(RECORD_HEADER + record_topic_size(ask->topic_len) + ask->properties_size +
	    ask->len);
}

static void
append_at(struct handle *h, const struct ask *ask, const struct room *room, uint64_t *number)
{
	struct client_segment *c = h->segment;
	struct record r = { .type = (uint8_t)ask->type, .flags = (uint16_t)ask->flags, .shard = (uint16_t)ask->shard,
	    .topic_len = ask->topic_len, .aux = ask->aux };
	*number = r.number = atomic_load_explicit(&c->next[ask->shard], memory_order_relaxed);
	char *at = record_begin(room->at, &r, ask->topic, ask->properties_size + ask->len);
	if (ask->properties_size)
		at = properties_put(at, ask->properties, ask->properties_size);
	if (ask->len)
		memcpy(at, ask->data, ask->len);
	atomic_store_explicit(&c->next[ask->shard], r.number + 1, memory_order_release);
	ring_advance(&h->out, room->stride);
	ring_publish(&h->out);
	bell_ring(&h->out.ring->bell, &c->request_queue);
}

/* ---- what became of hands ---- */

void
hands_push(struct handle *h)
{
	while (h->unsent && !atomic_load(&h->segment->poisoned) && !handle_is_ended(h)) {
		char verdict[8];
		struct ask ask = { .type = REC_SETTLE, .data = verdict, .len = sizeof verdict };
		struct room room = { ask_stride(&ask), NULL, UINT64_MAX };      /* however small the window is */
		if (!has_room(h, &room))
			return;
		/* only now: to look for room may move what was given */
		while (h->unsent_from < h->given_count && h->given[h->unsent_from].state != UNSENT)
			h->unsent_from++;
		if (h->unsent_from == h->given_count)
			break;
		struct given *g = &h->given[h->unsent_from++];
		put_u64(verdict, g->verdict);
		ask.shard = g->shard;
		ask.aux = g->hand;
		append_at(h, &ask, &room, &g->number);
		g->state = SENT;
		h->unsent--;
	}
	if (h->given_count > h->look_at)
		hands_look(h);
}

int
request_append(struct handle *h, const struct ask *ask, int64_t deadline, uint64_t *number)
{
	struct client_segment *c = h->segment;
	if (atomic_load_explicit(&c->poisoned, memory_order_relaxed))
		return handle_poisoned(h);
	if (handle_is_ended(h))
		return handle_ended(h);
	if (h->unsent)
		hands_push(h);
	struct room room = { ask_stride(ask), NULL, (uint64_t)h->window };
	int e = handle_wait(h, has_room, &room, deadline, ASLEEP_FOR_ROOM);
	if (e == MOM_ETIMEDOUT)
		return handle_fail(h, MOM_EAGAIN, "no room for it in time: %ld bytes wait for the broker's answer; "
		    "this request was not sent: call again",
		    (long)(h->out.head - h->tail));
	if (e)
		return e;
	append_at(h, ask, &room, number);
	return 0;
}

int
requests_end_subscriptions(struct handle *h, int64_t deadline)
{
	uint64_t number;
	int e = 0;
	for (uint32_t k = 0; e == 0 && k < h->shards; k++) {
		struct ask ask = { .type = REC_UNSUBSCRIBE, .flags = REC_F_DURABLE, .shard = k };
		e = request_append(h, &ask, deadline, &number);
	}
	return e;
}

struct wanted { uint32_t shard; uint64_t number; };

static int
is_answered(struct handle *h, const void *with)
{
	const struct wanted *w = with;
	struct answer_words *a = &h->segment->answer[w->shard];
	int64_t code;
	uint64_t refused = refused_read(a, &code);
	return atomic_load(&a->acked) >= w->number || (refused <= w->number &&
	    refused >= atomic_load(&h->segment->first[w->shard])) ||
	    atomic_load(&h->segment->first[w->shard]) > w->number;
}

int
request_outcome(struct handle *h, uint32_t shard, uint64_t number, int64_t deadline)
{
	struct wanted w = { shard, number };
	int e = handle_wait(h, is_answered, &w, deadline, ASLEEP_FOR_ANSWERS);
	if (e == MOM_ETIMEDOUT)
		return handle_fail(h, e, "no answer in time (is the broker up?): it is on its way and takes effect "
		    "once the broker is back: do not repeat it, mom_flush tells what became of it");
	if (e)
		return e;
	uint64_t failed = h->failed;
	int first_code = h->failed_code;
	requests_look(h);
	requests_trim(h);
	if (atomic_load(&h->segment->answer[shard].acked) >= number)
		return 0;
	int64_t said;
	int code = refused_read(&h->segment->answer[shard], &said) ? answer_code(said, 0) : MOM_EPROTO;
	if (h->failed > failed) {                      /* told here, not once more by flush */
		h->failed--;
		h->failed_code = failed ? first_code : h->failed_code;
	}
	const char *cure = code == MOM_EFULL ? "the broker's store, its disk or this topic's share is full: let "
	    "subscribers catch up, make room on that disk, or raise --store-max or --topic-max" :
	    code == MOM_ETOOBIG ? "the message is larger than the broker's --topic-max lets wait in a topic: raise "
	    "that, or send it in pieces" :
	    code == MOM_ENOSUBSCRIBER ? "nobody subscribes to this topic itself now (patterns do not count)" :
	    code == MOM_EBADID ? "the broker has forgotten this client: destroy the handle and make a new one"
	    : mom_strerror(code);
	return handle_fail(h, code, "nothing was stored: %s", cure);
}

/* ---- a pattern that is taken back ---- */

int
take_back_send(struct handle *h, int64_t deadline)
{
	struct ask ask = { .type = REC_UNSUBSCRIBE, .flags = REC_F_DURABLE, .topic = h->back.name,
	    .topic_len = h->back.len };
	uint64_t number;
	for (uint32_t k = 0; k < h->shards; k++) {
		uint64_t bit = UINT64_C(1) << k;
		ask.shard = k;
		if (!(h->back.owed & bit) || h->pending[k].number)
			continue;
		int e = request_append(h, &ask, deadline, &number);
		if (e)
			return e;
		h->back.owed &= ~bit;
		h->pending[k] = (struct pending){ number, topic_hash64(h->back.name, h->back.len), REC_UNSUBSCRIBE };
	}
	return 0;
}

void
take_back_look(struct handle *h)
{
	if (h->back.owed)
		take_back_send(h, handle_deadline(0));
}

/* ---- all of them ---- */

static int
all_answered(struct handle *h, const void *with)
{
	(void)with;
	requests_look(h);
	hands_push(h);
	hands_look(h);
	return requests_open(h) == 0;
}

int
requests_flush(struct handle *h, int64_t deadline, unsigned interruptible)
{
	int e;
	do {
		take_back_look(h);
		e = handle_wait(h, all_answered, NULL, deadline, ASLEEP_FOR_ANSWERS | interruptible);
	} while (e == 0 && h->back.owed);
	requests_trim(h);
	if (e == MOM_ETIMEDOUT)
		return handle_fail(h, e, "not all is acknowledged: %ld bytes are on their way",
		    (long)(h->out.head - h->tail));
	if (e)
		return e;
	if (h->failed) {
		e = handle_fail(h, h->failed_code, "%llu failed, the first: %s", (unsigned long long)h->failed,
		    h->failed_text);
		h->failed = 0;
		return e;
	}
	if (h->lost) {
		h->lost = 0;
		return handle_fail(h, MOM_ELOST, "%s", h->lost_text);
	}
	return 0;
}

