/* mom_requester - clients' rings to the socket; one process a machine, while the broker is connected
 * STARTED BY  mom_daemon, with mom_responser, once the handshake is done
 * READS       the request rings of all clients, words      WRITES  frames to the socket
 * SLEEPS IN   msgrcv: its queue            WHY A PAIR  poll(2) cannot wait on msgrcv(2): one sleeps on the socket, one
 *             on the queue
 * MUST NOT    move a client's tail (the ring is the resend buffer); believe a byte of it before it is copied
 * KEYS        max-message, log-level, log-format, log-time, log-file
 * COUNTS      bytes_out, messages_out, resent, sleeps
 * SIGNALS     USR1: its log file anew. It may be killed at any time
 * EXIT        0 the peer closed   111 system call failed
 * ON CRASH    mom_daemon ends responser and forwarder, connects anew: rings are sent again from their tails */
#include "server/child.h"
#include "server/frames.h"
#include "format/kinds.h"
#include "ipc/counters.h"
#include "base/fdio.h"
#include "ipc/idling.h"
#include "base/log_peer.h"
#include "base/program.h"
#include "format/topic.h"
#include "daemon/slots.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* TURN_BYTES: that are looked at of one client before the next has its turn, whatever becomes of them. What is not sent
 * counts SKIP_COST times: a client can write more of that than anybody can look at. */
enum { TURN_BYTES = 128 * 1024, SKIP_COST = 4 };

struct feed {
	uint64_t at, lap;                      /* position in the ring */
	uint64_t again;                        /* what lies below may have been sent on a former connection */
	uint64_t last[SHARDS_MAX];             /* number of the last frame seen, a shard */
	uint64_t sent[SHARDS_MAX];             /* ... and of the last one sent on this connection */
	uint32_t served[SHARDS_MAX];           /* the look at which that was ... */
	uint32_t had_turn[SHARDS_MAX];         /* ... and the last look at it while it had the turn */
	uint32_t owner;
	int destroy_sent, died_sent;
	int poisoned;                          /* its ring holds garbage; the segment's word is its client's to write */
};

static struct {
	struct machine_table *table;
	struct daemon_unit *unit;
	struct slots slots;
	uint32_t shards, ticks, record_most;
	uint32_t pinged;                      /* the tick of the last PING: a round may be longer than one */
	uint64_t window;
	uint64_t sent[SHARDS_MAX];            /* bytes of frames, a shard */
	uint32_t turn[SHARDS_MAX];            /* 1 + the slot that found too little credit: it sends next; 0: any */
	uint32_t look;                        /* how many looks at a client there were */
	uint64_t place_told[SHARDS_MAX], taken_told, token_told;
	struct topic_memo topic;
	int began;
	struct frames_out out;
} requester;

static void
put_note(int type, uint32_t shard, uint64_t aux)
{
	frames_put(&requester.out, &(struct record){ .type = (uint8_t)type, .shard = (uint16_t)shard, .aux = aux },
	    NULL, 0);
}

/* ---- the list of living clients: what is not on it the broker destroys ---- */

static void
send_alive(uint32_t shard)
{
	enum { A_FRAME = 4096 };
	static char ids[A_FRAME * 8];
	uint32_t n = 0;
	struct record r = { .type = REC_ALIVE, .shard = (uint16_t)shard };
	for (uint32_t i = 0; i < requester.slots.used; i++) {
		if (requester.slots.slot[i].state == SLOT_FREE)
			continue;
		put_u64(ids + 8 * n++, requester.slots.slot[i].id);
		if (n < A_FRAME)
			continue;
		requester.sent[shard] += frames_put(&requester.out, &r, ids, n * 8);
		n = 0;
	}
	r.aux = 1;
	r.offset = atomic_load(&requester.table->routed[shard]);
	r.publisher = atomic_load(&requester.table->start[shard]);
	r.number = atomic_load(&requester.table->start_bits[shard]);
	requester.sent[shard] += frames_put(&requester.out, &r, ids, n * 8);
}

/* ---- one client's ring ---- */

/* A client that found too little is the next that gets some: else those that are looked at first would always take it
 * all. A client that was served on its turn goes behind the others. */
static int
has_credit(const struct feed *f, uint32_t i, uint32_t shard, uint32_t stride)
{
	if (requester.turn[shard] && requester.turn[shard] != i + 1)
		return 0;
	if (requester.sent[shard] + stride - atomic_load(&requester.unit->credit[shard]) <= requester.window)
		return 1;
	if (f->served[shard] != requester.look || f->had_turn[shard] != requester.look)
		requester.turn[shard] = i + 1;
	return 0;
}

static void
look_begins(struct feed *f, uint32_t i)
{
	requester.look++;
	for (uint32_t k = 0; k < requester.shards; k++) {
		if (requester.turn[k] != i + 1)
			continue;
		requester.turn[k] = 0;
		if (f)
			f->had_turn[k] = requester.look;
	}
}

static void
poison(struct slot *v, uint32_t i, const char *what)
{
	struct feed *f = v->own;
	f->poisoned = 1;
	atomic_store(&v->segment->poisoned, 1);
	log_peer(LOG_FROM_WARN, i, "client %016llx in slot %u: its ring holds garbage (%s): nothing more of it is "
	    "sent; it has to destroy its handle and to look for a stray pointer", (unsigned long long)v->id, i, what);
	slots_wake(&requester.slots, v, ASLEEP_FOR_ANY);
}

static const char *
frame_fault(const struct slot *v, const struct feed *f, const void *p, const struct record *r)
{
	static const char *const faults[] = { [SHAPE_NO_REQUEST] = "a type that is no request",
	    [SHAPE_TOPIC_UNWANTED] = "a topic where none belongs", [SHAPE_TOPIC_BAD] = "a bad topic",
	    [SHAPE_TOPIC_ELSEWHERE] = "a topic of another shard",
	    [SHAPE_PAYLOAD_UNWANTED] = "a payload where none belongs",
	    [SHAPE_ORDER_BAD] = "an order of no group", [SHAPE_PROPERTIES_BAD] = "bad properties",
	    [SHAPE_PROPERTIES_LARGE] = "properties that are too long",
	    [SHAPE_PAYLOAD_LARGE] = "a payload that is too long" };
	if (r->shard >= requester.shards)
		return "a shard that does not exist";
	enum shape shape = request_shape(p, r, &requester.topic, requester.shards,
	    atomic_load(&requester.table->message_max));
	if (shape != SHAPE_GOOD)
		return faults[shape];
	if (r->number == 0 || (f->last[r->shard] && r->number != f->last[r->shard] + 1 &&
	    number_generation(r->number) <= number_generation(f->last[r->shard])))
		return "request numbers out of order";
	return number_generation(r->number) > v->generation ? "request numbers of a later owner" : NULL;
}

enum step { STEP_NONE, STEP_SENT, STEP_BLOCKED, STEP_POISONED };

/* Nothing of a client and shard is sent while a refusal is not answered by libmom's `first`. */
static int
is_dropped(struct slot *v, const struct record *r, uint64_t first)
{
	uint64_t refused = atomic_load(&v->segment->answer[r->shard].refused);
	return r->number < first || (refused >= first && r->number >= refused);
}

/* The worker ends the connection of the whole machine for a gap in one client's numbers, so none may leave here: what
 * is sent goes on where this connection was, or begins at `first`, or with a new generation. libmom writes nothing
 * else. */
static int
leaves_gap(const struct feed *f, const struct record *r, uint64_t first)
{
	uint64_t sent = f->sent[r->shard];
	return r->number != first && (sent == 0 || r->number != sent + 1) && (r->number & NUMBER_COUNTER) != 1;
}

/* past what a former connection brought home: the numbers begin anew */
static void
feed_jump(struct feed *f, uint64_t at)
{
	f->at = at;
	memset(f->last, 0, sizeof f->last);
}

/* A client may give up what it has appended (a refusal, an answer to a former connection) and write there anew while it
 * is looked at: then its tail has passed, and nothing is wrong. */
static enum step
feed_fault(struct slot *v, struct feed *f, uint32_t i, const struct ring *ring, const char *what)
{
	uint64_t tail = atomic_load(&ring->tail);
	if (tail > f->at && tail - f->at <= v->ring) {
		feed_jump(f, tail);
		return STEP_NONE;
	}
	poison(v, i, what);
	return STEP_POISONED;
}

static enum step
feed_frame(struct slot *v, struct feed *f, uint32_t i, uint64_t head, const struct ring *ring, uint32_t *looked)
{
	uint64_t place = ring_place(f->at, v->ring, &f->lap), left = v->ring - place, there = head - f->at;
	struct record r;
	/* beyond 2^64 it would go round for ever */
	if (head < f->at || there > v->ring || (f->at & 7) || there < 8)
		return feed_fault(v, f, i, ring, "its counters");
	uint32_t len = get_u32(ring->bytes + place);
	uint64_t stride = record_stride(len);                    /* read once: the client may change it */
	if (len == 0) {                                          /* a pad */
		if (left > there)
			return feed_fault(v, f, i, ring, "a pad beyond its head");
		f->at += left;
		return STEP_NONE;
	}
	if (len < RECORD_HEADER || len > requester.record_most || stride > left || stride > there)
		return feed_fault(v, f, i, ring, "a length that cannot be");
	char *p = frames_room(&requester.out, stride);
	*looked = (uint32_t)stride;
	memcpy(p, ring->bytes + place, stride);
	put_u32(p, len);
	/* the copy first, then the tail: libmom moves it before it writes there anew */
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load(&ring->tail) > f->at) {                  /* acknowledged meanwhile: the copy may be anything */
		feed_jump(f, atomic_load(&ring->tail));
		return STEP_NONE;
	}
	record_get(&r, p);
	const char *fault = record_is_sound(p, len) ? frame_fault(v, f, p, &r) : "a frame that cannot be";
	uint64_t first = r.shard < requester.shards ? atomic_load(&v->segment->first[r.shard]) : 0;
	if (fault == NULL && first > r.number && number_generation(first) > number_generation(r.number) + 1)
		fault = "a first number that cannot be";
	if (fault)
		return feed_fault(v, f, i, ring, fault);
	if (is_dropped(v, &r, first)) {
		f->last[r.shard] = r.number;
		f->at += stride;
		return STEP_NONE;
	}
	if (leaves_gap(f, &r, first))
		return feed_fault(v, f, i, ring, "a gap in its request numbers");
	if (!has_credit(f, i, r.shard, stride))
		return STEP_BLOCKED;
	put_u32(p + 4, 0);
	put_u16(p + 10, r.flags & REC_F_ASKED);
	put_u64(p + 16, first);
	put_u64(p + 24, i);
	put_u64(p + 32, v->id);
	requester.out.have += stride;
	requester.sent[r.shard] += stride;
	counters_add(COUNT_MESSAGES_OUT, r.type == REC_MESSAGE);
	counters_add(COUNT_RESENT, f->at < f->again);
	f->last[r.shard] = f->sent[r.shard] = r.number;
	f->served[r.shard] = requester.look;
	f->at += stride;
	return STEP_SENT;
}

/* After the ring of a dead client: DESTROY to each shard, under a raised generation. The responser hears the
 * answers. */
static void
feed_destroy(struct slot *v, struct feed *f, uint32_t i)
{
	uint64_t number = number_make(v->generation, 1);
	if (f->destroy_sent)
		return;
	for (uint32_t k = 0; k < requester.shards; k++)
		if (!has_credit(f, i, k, RECORD_HEADER))
			return;
	for (uint32_t k = 0; k < requester.shards; k++)
		requester.sent[k] += frames_put(&requester.out, &(struct record){ .type = REC_DESTROY,
		    .flags = REC_F_DURABLE,
		    .shard = (uint16_t)k, .publisher = v->id, .number = number, .offset = number, .time = i }, NULL, 0);
	f->destroy_sent = 1;
}

/* A durable client without a process: its will is due. Said once a connection, and for each process that ends. */
static void
feed_died(const struct slot *v, struct feed *f)
{
	for (uint32_t k = 0; k < requester.shards; k++)
		if (!has_credit(f, (uint32_t)(v - requester.slots.slot), k, RECORD_HEADER))
			return;
	for (uint32_t k = 0; k < requester.shards; k++)
		requester.sent[k] += frames_put(&requester.out, &(struct record){ .type = REC_DIED,
		    .shard = (uint16_t)k,
		    .publisher = v->id }, NULL, 0);
	f->died_sent = 1;
}

static int
feed_look(uint32_t i)
{
	struct slot *v = &requester.slots.slot[i];
	struct feed *f = v->own;
	int more = 0;
	look_begins(f, i);
	if (v->state == SLOT_FREE || v->segment == NULL || f == NULL)
		return 0;
	const struct ring *ring = client_requests(v->segment);
	/* tail first: it is not above head */
	uint64_t looked = 0, tail = atomic_load(&ring->tail), head = atomic_load_explicit(&ring->head,
	    memory_order_acquire);
	int idle = f->poisoned;
	if (idle && atomic_load(&v->segment->poisoned) == 0)
		atomic_store(&v->segment->poisoned, 1);
	if (!idle && tail > f->at && tail - f->at <= v->ring)
		feed_jump(f, tail);
	while (!idle && f->at != head && !more) {
		uint32_t stride = 0;
		enum step step = feed_frame(v, f, i, head, ring, &stride);
		if (step == STEP_BLOCKED || step == STEP_POISONED)
			break;
		if (step == STEP_NONE)                 /* it may have jumped above the head that was seen */
			head = atomic_load_explicit(&ring->head, memory_order_acquire);
		looked += step == STEP_SENT ? stride : (uint64_t)SKIP_COST * (stride + RECORD_HEADER);
		more = looked > TURN_BYTES;
	}
	if (v->state != SLOT_AWAY)
		f->died_sent = 0;
	else if (!f->died_sent && (f->at == head || f->poisoned))
		feed_died(v, f);
	if (v->state == SLOT_DYING && (f->at == head || f->poisoned))
		feed_destroy(v, f, i);
	return more;
}

static void
on_slot(uint32_t i, const struct slot *old)
{
	struct slot *v = &requester.slots.slot[i];
	struct feed *f = v->own;
	if (v->state == SLOT_FREE || v->segment == NULL) {
		free(f);
		v->own = NULL;
		return;
	}
	if (f && old->segment_id == v->segment_id && old->id == v->id)
		return;                                /* the same ring goes on, whoever writes it now */
	free(f);
	v->own = f = calloc(1, sizeof *f);
	if (f == NULL)
		log_fatal(EXIT_SYSTEM, "no memory for a client: see `free`");
	f->at = atomic_load(&client_requests(v->segment)->tail);
	f->again = requester.began ? f->at : atomic_load(&client_requests(v->segment)->head);
}

static void
notes_look(int on_tick)
{
	uint64_t taken = atomic_load(&requester.unit->taken);
	if (taken - requester.taken_told >= CREDIT_STEP(requester.unit->message_max) / 2 ||
	    (on_tick && taken != requester.taken_told)) {
		put_note(REC_CREDIT, 0, taken);
		requester.taken_told = taken;
	}
	for (uint32_t k = 0; k < requester.shards; k++) {
		uint64_t place = atomic_load(&requester.unit->place[k]);
		if (place > requester.place_told[k] && (on_tick || place - requester.place_told[k] >= PLACE_BYTES))
			put_note(REC_PLACE, k, requester.place_told[k] = place);
	}
}

static void
bells_clear(void)
{
	bell_clear(&requester.unit->credit_bell);
	bell_clear(&requester.unit->taken_bell);
	bell_clear(&requester.unit->requester_time);
	slots_look(&requester.slots, on_slot);
	for (uint32_t i = 0; i < requester.slots.used; i++)
		if (requester.slots.slot[i].segment)
			bell_clear(&client_requests(requester.slots.slot[i].segment)->bell);
}

/* how much there was, in messages or so */
static int
round_of_work(void)
{
	int more = 0, on_tick = atomic_load(&requester.table->ticks) != requester.ticks;
	uint64_t moved = requester.out.moved;
	slots_look(&requester.slots, on_slot);
	for (uint32_t i = 0; i < requester.slots.used; i++)
		more |= feed_look(i);
	notes_look(on_tick);
	if (on_tick) {
		requester.ticks = atomic_load(&requester.table->ticks);
		uint64_t token = atomic_load(&requester.table->token);
		if (requester.ticks - requester.pinged >= PING_TICKS || token != requester.token_told) {
			requester.pinged = requester.ticks;
			put_note(REC_PING, 0, requester.token_told = token);
		}
	}
	frames_flush(&requester.out);
	return more + (int)((requester.out.moved - moved + FLOW_BYTES - 1) / FLOW_BYTES);
}

int
main(int argc, char **argv)
{
	struct child_place place;
	program_begin(argc, argv, "mom_requester");
	child_begin(&place, "mom_requester", "mom_daemon");
	requester.table = child_attach(place.table);
	requester.unit = child_attach(place.index);
	log_follow(&requester.table->log);
	log_peers_share(&requester.table->limits);
	requester.window = atomic_load(&requester.table->window);
	requester.record_most = RECORD_MOST(requester.unit->message_max);
	frames_out_begin(&requester.out, place.fds[0], 0, BATCH + requester.record_most);
	requester.shards = atomic_load(&requester.table->shards);
	requester.ticks = requester.pinged = atomic_load(&requester.table->ticks);
	counters_begin(atomic_load(&requester.table->counters), COUNTERS_UNIT(UNIT_REQUESTER), ROLE_REQUESTER, 0);
	slots_init(&requester.slots, requester.table, requester.unit, UNIT_REQUESTER);
	slots_look(&requester.slots, on_slot);
	requester.began = 1;
	for (uint32_t k = 0; k < requester.shards; k++)
		send_alive(k);
	idling_serve(&requester.table->request_queue, NULL, round_of_work, bells_clear);
	log_fatal(EXIT_SYSTEM, "msgrcv(queue): %s: it is made anew", strerror(errno));
}
