/* mom_responser - answers into the clients' words, deliveries to the forwarder; one process a machine, while the broker
 * is connected
 * STARTED BY  mom_daemon, with mom_requester, once the handshake is done
 * READS       frames from the socket        WRITES  words in clients' segments, the delivery ring
 * SLEEPS IN   read: the socket              WHY A PAIR  poll(2) cannot wait on msgrcv(2): one sleeps on the socket, one
 *             on the queue
 * MUST NOT    wait for a client or the forwarder: deliveries obey the credit that was granted
 * KEYS        max-message, log-level, log-format, log-time, log-file
 * COUNTS      bytes_in, messages_in, refused, sleeps
 * SIGNALS     USR1: its log file anew. It may be killed at any time
 * EXIT        0 the broker closed, or is silent   100 the broker sent nonsense   111 system call failed
 * ON CRASH    mom_daemon ends requester and forwarder and connects anew; what was on its way comes again */
#include "server/child.h"
#include "server/frames.h"
#include "format/kinds.h"
#include "ipc/counters.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/log_peer.h"
#include "base/net.h"
#include "base/program.h"
#include "daemon/slots.h"
#include <errno.h>
#include "format/wire.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct {
	struct machine_table *table;
	struct daemon_unit *unit;
	struct slots slots;
	struct frames_in in;
	struct ring_writer out;
	uint32_t shards;
	int notify, fed, ring_requester;
	int is_here, has_time;                /* the broker runs on this machine; it has told its time */
	char listed[SHARDS_MAX];              /* shards whose stream has begun */
	uint32_t listed_count;
} responser;

static void
bad_broker(const char *what)
{
	log_peer_fatal(EXIT_USAGE, 0, "the broker sent %s: the connection is made anew; is it a broker_server of this "
	    "version?", what);
}

static void
raise_word(word64 *word, uint64_t value)
{
	if (atomic_load(word) < value)
		atomic_store(word, value);
}

/* The DESTROY that mom_requester sent after a dead client's ring. Its answer is no word of the client's: whoever has
 * the segment would take it for an answer to a request of its own. */
static void
on_destroyed(uint32_t i, uint32_t shard)
{
	struct slot *v = &responser.slots.slot[i];
	uint64_t *shards = v->own, all = shards_all(responser.shards), one = 1;
	if (shards == NULL && (v->own = shards = calloc(1, sizeof *shards)) == NULL)
		log_fatal(EXIT_SYSTEM, "no memory for a client: see `free`");
	*shards |= UINT64_C(1) << shard;
	if (*shards != all || atomic_load(&responser.unit->slot[i].destroyed) == v->owner)
		return;
	atomic_store(&responser.unit->slot[i].destroyed, v->owner);
	if (fdio_write_full(responser.notify, &one, sizeof one) < 0)
		log_debug("notify: %s", strerror(errno));
}

/* the slot has another owner, or its owner is dying now: nothing is destroyed of it yet */
static void
on_slot(uint32_t i, const struct slot *old)
{
	struct slot *v = &responser.slots.slot[i];
	(void)old;
	free(v->own);
	v->own = NULL;
	if (v->segment)                                /* a predecessor may have been killed before it woke the owner */
		slots_wake(&responser.slots, v, ASLEEP_FOR_ANSWERS | ASLEEP_FOR_ROOM);
}

/* What was told before, on a former connection or of a former power cut, does not count again. */
static void
on_lost(struct answer_words *w, const struct answer *a)
{
	uint64_t number, value, from = a->number;
	int64_t count;
	if (!result_read(&w->lost, &number, &count, &value))
		/* nothing yet, or a predecessor was killed as it wrote: then it is told once more */
		count = atomic_load(&w->lost.code);
	else if (from <= value)
		from = value + 1;
	if (a->value >= from && a->value - from < (uint64_t)(INT64_MAX - count))
		result_write(&w->lost, from, count + (int64_t)(a->value - from) + 1, a->value);
}

static void
on_answer(const struct answer *a)
{
	if (a->shard >= responser.shards || a->slot >= responser.table->capacity)
		bad_broker("an answer to nobody");
	struct slot *v = a->slot < responser.slots.used ? &responser.slots.slot[a->slot] : NULL;
	if (v == NULL || v->segment == NULL)
		return;                                /* gone meanwhile */
	/* No request of the client itself has a later generation than its slot. mom_requester may have seen that it is
	 * dying before mom_daemon had told that the table changed. */
	if (a->kind == ANSWER_ACKED && v->state != SLOT_DYING && number_generation(a->number) > v->generation)
		slots_look_again(&responser.slots, on_slot);
	if (a->kind == ANSWER_ACKED && v->state == SLOT_DYING && number_generation(a->number) >= v->generation) {
		on_destroyed(a->slot, a->shard);
		return;
	}
	if (v->segment == NULL)
		return;
	struct answer_words *w = &v->segment->answer[a->shard];
	switch (a->kind) {
	case ANSWER_ACKED:
		raise_word(&w->acked, a->number);
		break;
	case ANSWER_RESULT:
		result_write(&w->result[a->number & 1], a->number, a->code, a->value);
		break;
	case ANSWER_REFUSED:
		counters_add(COUNT_REFUSED, 1);
		if (a->number > atomic_load(&w->refused))
			refused_write(w, a->number, a->code);
		break;
	case ANSWER_LOST:
		on_lost(w, a);
		break;
	default:
		bad_broker("an answer of no kind");
	}
	int room = a->kind != ANSWER_ACKED || (a->shard == atomic_load(&v->segment->enough_shard) &&
	    a->number >= atomic_load(&v->segment->enough));
	slots_wake(&responser.slots, v, ASLEEP_FOR_ANSWERS | (room ? ASLEEP_FOR_ROOM : 0));
}

static void
on_answers(const void *frame, const struct record *r)
{
	const char *payload = record_data(frame, r);
	uint32_t n = record_data_len(frame, r);
	if (n % ANSWER_BYTES)
		bad_broker("answers that are cut");
	slots_look(&responser.slots, on_slot);
	for (uint32_t at = 0; at < n; at += ANSWER_BYTES) {
		struct answer a;
		wire_answer_get(&a, payload + at);
		on_answer(&a);
	}
}

static void
on_delivery(const void *frame, const struct record *r)
{
	uint32_t stride = record_stride(r->len);
	char *at = ring_reserve(&responser.out, stride);
	if (r->shard >= responser.shards)
		bad_broker("a shard that does not exist");
	if (at == NULL)
		bad_broker("more than was granted");
	memcpy(at, frame, stride);
	ring_advance(&responser.out, stride);
	counters_add(COUNT_MESSAGES_IN, r->type == REC_MESSAGE);
	responser.fed = 1;
	if (r->type != REC_LIST || responser.listed[r->shard])
		return;
	responser.listed[r->shard] = 1;
	if (++responser.listed_count == responser.shards)
		atomic_store(&responser.unit->proven, 1);
}

/* no clock shows that for some 36,000 years */
#define TIME_MOST_US (INT64_C(1) << 60)

/* For libmom, which ends the life of messages by the broker's clock. Here that is our own. */
static void
on_time(int64_t broker_us)
{
	if (broker_us < 0 || broker_us >= TIME_MOST_US)
		bad_broker("a time that cannot be");
	if (responser.is_here)
		return;
	int64_t seen = broker_us - clock_wall_us(), known = (int64_t)atomic_load(&responser.unit->clock_ahead);
	uint64_t ahead = (uint64_t)(responser.has_time ? clock_ahead(known, seen) : seen);
	responser.has_time = 1;
	atomic_store(&responser.unit->clock_ahead, ahead);
	slots_look(&responser.slots, on_slot);
	for (uint32_t i = 0; i < responser.slots.used; i++)
		if (responser.slots.slot[i].segment)
			atomic_store(&responser.slots.slot[i].segment->clock_ahead, ahead);
}

static void
on_frame(const void *frame)
{
	struct record r;
	record_get(&r, frame);
	switch (r.type) {
	case REC_ANSWERS:
		on_answers(frame, &r);
		return;
	case REC_CREDIT:
		if (r.shard >= responser.shards)
			bad_broker("a shard that does not exist");
		atomic_store(&responser.unit->credit[r.shard], r.aux);
		responser.ring_requester = 1;
		return;
	case REC_PING:
		on_time(r.time);
		return;
	case REC_REFUSE:
		snprintf(responser.unit->refused, sizeof responser.unit->refused, "refused: %.*s",
		    (int)(record_data_len(frame, &r) < 200 ? record_data_len(frame, &r) : 200),
		    (const char *)record_data(frame, &r));
		exit(EXIT_USAGE);                      /* mom_daemon tells it */
	default:
		if (!kind_of(r.type)->is_delivered)
			bad_broker("a frame of a type that has no place here");
		on_delivery(frame, &r);
	}
}

static void
take_frames(void)
{
	const char *fault = NULL;
	for (const char *frame; (frame = frames_next(&responser.in, &fault)) != NULL;)
		on_frame(frame);
	if (fault)
		bad_broker(fault);
	if (responser.fed) {
		ring_publish(&responser.out);
		bell_ring(&responser.out.ring->bell, &responser.table->deliver_queue);
	}
	if (responser.ring_requester)
		bell_ring(&responser.unit->credit_bell, &responser.table->request_queue);
	responser.fed = responser.ring_requester = 0;
}

int
main(int argc, char **argv)
{
	struct child_place place;
	program_begin(argc, argv, "mom_responser");
	child_begin(&place, "mom_responser", "mom_daemon");
	responser.table = child_attach(place.table);
	responser.unit = child_attach(place.index);
	responser.notify = place.fds[1];
	responser.is_here = net_peer_is_here(place.fds[0]);
	log_follow(&responser.table->log);
	log_peers_share(&responser.table->limits);
	frames_in_begin(&responser.in, place.fds[0], responser.unit->message_max);
	responser.shards = atomic_load(&responser.table->shards);
	ring_writer_init(&responser.out, daemon_unit_ring(responser.unit, responser.unit->slots),
	    UNIT_RING(responser.unit->message_max),
	    WINDOW_OF(responser.unit->message_max));
	counters_begin(atomic_load(&responser.table->counters), COUNTERS_UNIT(UNIT_RESPONSER), ROLE_RESPONSER, 0);
	slots_init(&responser.slots, responser.table, responser.unit, UNIT_RESPONSER);
	for (;;) {
		ssize_t r = frames_wait(&responser.in);
		if (r == 0) {
			log_peer(LOG_FROM_INFO, 0, "the broker closed the connection");
			return 0;
		}
		if (r < 0 && errno == EAGAIN) {
			log_peer(LOG_FROM_WARN, 0, "the broker is silent for 12 s: it is stopped, or the network "
			    "between is cut: the connection is made anew");
			return 0;
		}
		if (r < 0)
			log_peer_fatal(EXIT_SYSTEM, 0, "read(socket): %s: %s", strerror(errno), net_hint(errno));
		slots_look(&responser.slots, on_slot);
		take_frames();
	}
}
