/* mom_forwarder - deliveries to the clients' mail boxes, and to the spool where a client is behind; one process a
 * machine
 * STARTED BY  mom_daemon, with or without a connection to the broker
 * READS       the delivery ring, mail boxes' words, the spool       WRITES  mail boxes, the spool, places as words
 * SLEEPS IN   msgrcv: its queue
 * MUST NOT    wait for a client; route by anything but the broker's list and its changes
 * KEYS        client-backlog-max, max-message, log-level, log-format, log-time, log-file
 * COUNTS      batch, bytes_out, copies, cuts, expired, messages_in, redelivered, sleeps, spooled
 * SIGNALS     USR1: its log file anew. It may be killed at any time
 * EXIT        111 system call failed (a broken disk under the spool, too: deliveries wait at the broker; on a full one
 *             clients are cut)
 *             112 a file of the spool's log is gone: not started again
 * ON CRASH    mom_daemon ends requester and responser and makes the unit anew; what was on its way comes again, what
 *             was routed is known from the mail boxes and the spool */
#include "server/child.h"
#include "ipc/counters.h"
#include "base/fdio.h"
#include "ipc/idling.h"
#include "base/log_peer.h"
#include "base/program.h"
#include "daemon/forwarder.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- deliveries ---- */

/* into the spool, for those whose mail box did not take it */
static void
spool_chosen(const char *record)
{
	if (forwarder.chosen_count == 0)
		return;
	if (forwarder.recipients == NULL && (forwarder.recipients = calloc(forwarder.table->capacity,
	    sizeof *forwarder.recipients)) == NULL)
		log_fatal(EXIT_SYSTEM, "no memory for %u recipients: see `free`", forwarder.table->capacity);
	for (size_t i = 0; i < forwarder.chosen_count; i++)
		forwarder.recipients[i] = forwarder.slots.slot[forwarder.chosen[i]].id;
	int there = spool_append(record, forwarder.recipients, forwarder.chosen_count) != 0;
	for (size_t i = 0; i < forwarder.chosen_count; i++) {
		struct slot *v = &forwarder.slots.slot[forwarder.chosen[i]];
		if (there) {
			box_backlog_add(v->own, record);
			box_spooled(v, record);
			box_tell(v);
		} else
			box_cut(v, "the spool's disk is full");
	}
	forwarder.chosen_count = 0;
	if (there)
		boxes_cut_if_short();
}

/* Does the subscription still count for that record? */
static struct slot *
recipient(const struct subscription *sub, const struct record *r)
{
	struct subscriber *c = sub->of.client;
	struct slot *v = &forwarder.slots.slot[c->slot];
	const struct box *b = v->own;
	if (b == NULL || b->id != c->id) {
		v = map_get(&forwarder.by_id, &c->id, sizeof c->id);
		b = v ? v->own : NULL;
		c->slot = v ? (uint32_t)(v - forwarder.slots.slot) : 0;
	}
	return b && v->state != SLOT_DYING && sub->since >= b->cut[r->shard] ? v : NULL;
}

static void
deliver_record(const char *record, const struct subscribed *topic)
{
	struct record r;
	record_get(&r, record);
	for (const struct subscription *sub = topic->first; sub; sub = sub->next_of_topic) {
		if (sub->has_run || r.offset <= sub->since || (sub->flags & REC_F_NO_ECHO &&
		    r.publisher == sub->of.client->id))
			continue;
		struct slot *v = recipient(sub, &r);
		if (v)
			box_deliver(v, record, &r);
	}
	spool_chosen(record);
}

/* A run: messages of one topic, one behind the other in the ring. Who takes it as a whole gets it in one piece; the
 * others record by record. */
static void
run_deliver(void)
{
	struct run *run = &forwarder.run;
	size_t whole = 0;
	struct record first;
	if (run->bytes == 0)
		return;
	/* after the records were seen: whoever they are for was shown before they were sent */
	slots_look(&forwarder.slots, box_on_slot);
	record_get(&first, run->from);
	for (struct subscription *sub = run->topic->first; sub; sub = sub->next_of_topic) {
		struct slot *v = sub->flags & REC_F_NO_ECHO || first.offset <= sub->since ? NULL
		    : recipient(sub, &first);
		sub->has_run = v && box_deliver_run(v, run, first.shard, first.offset);
		whole += sub->has_run;
	}
	for (size_t q = 0; whole < run->topic->count && q < run->bytes; q += record_stride(get_u32(run->from + q)))
		deliver_record(run->from + q, run->topic);
	for (struct subscription *sub = run->topic->first; whole && sub; sub = sub->next_of_topic)
		sub->has_run = 0;
	run->bytes = 0;
}

static void
on_message(const char *record)
{
	struct run *run = &forwarder.run;
	uint32_t stride = record_stride(get_u32(record));
	uint16_t topic_len = get_u16(record + 12);
	uint64_t offset = get_u64(record + 16);
	/* A run is looked at by its first record alone: so each of the others belongs to its shard and comes later,
	 * whatever the broker sends. */
	if (run->bytes && record == run->from + run->bytes && run->bytes + stride <= RUN_BYTES &&
	    topic_len == run->topic->len &&
	    offset > run->last && get_u16(record + 14) == get_u16(run->from + 14) &&
	    memcmp(record_topic(record), run->topic->name, topic_len) == 0) {
		run->bytes += stride;
		run->messages++;
		run->last = offset;
		return;
	}
	run_deliver();
	struct subscribed *topic = routes_reach(&forwarder.routes, get_u16(record + 14), record_topic(record),
	    topic_len);
	if (topic)
		*run = (struct run){ record, stride, 1, offset, topic };
}

/* What was in the gap nobody knows: every subscriber of the shard is told, once. */
static void
on_gap(const char *record, const struct record *r)
{
	size_t at = 0;
	for (struct subscribed *topic; (topic = map_each(&forwarder.routes.of[r->shard].topics, &at)) != NULL;)
		for (const struct subscription *sub = topic->first; sub; sub = sub->next_of_topic) {
			struct slot *v = recipient(sub, r);
			if (v && sub->since < r->aux)
				box_deliver(v, record, r);
		}
	spool_chosen(record);
}

/* It is for one client. Where that has no process, it is nobody's: its membership has ended, or will. */
static void
on_hand(const char *record, const struct record *r)
{
	struct slot *v = map_get(&forwarder.by_id, &r->number, sizeof r->number);
	counters_add(COUNT_MESSAGES_IN, 1);
	if (v == NULL || v->own == NULL || v->id != r->number || v->state != SLOT_LIVE)
		return;
	if (atomic_load(&v->segment->cuts) != atomic_load(&v->segment->cuts_told))
		return;                                /* its memberships end as it hears that it was cut */
	box_deliver(v, record, r);
	spool_chosen(record);
}

/* The broker has forgotten it: whoever uses it is told. */
static void
client_forgotten(struct slot *v)
{
	word32 *forgotten = &forwarder.unit->slot[v - forwarder.slots.slot].gone;
	if (v->segment == NULL || v->state == SLOT_FREE || v->state == SLOT_DYING ||
	    atomic_exchange(forgotten, v->owner) == v->owner)
		return;
	atomic_store(&v->segment->gone, 1);
	log_peer(LOG_FROM_WARN, (uint64_t)(v - forwarder.slots.slot),
	    "client %016llx: this machine was away from its broker for too long: the client's subscriptions are "
	    "forgotten; raise the broker's --machine-expiry",
	    (unsigned long long)v->id);
	box_wake(v, ASLEEP_FOR_ANY);
}

/* The list says which clients the broker has forgotten: those with a lower counter. */
static void
on_list(const struct record *r)
{
	forwarder.ended[r->shard] = r->publisher;
	for (uint32_t i = 0; i < forwarder.slots.used; i++) {
		struct slot *v = &forwarder.slots.slot[i];
		if ((uint32_t)v->id < r->number)
			client_forgotten(v);
		box_risk(v);
	}
}

static void
on_change(const char *record, const struct record *r)
{
	routes_change(&forwarder.routes, r, record_topic(record));
	if (r->type == REC_LIST)
		on_list(r);
	int expired = r->type == REC_DESTROY && r->flags & REC_F_EXPIRED;
	struct slot *v = expired ? map_get(&forwarder.by_id, &r->publisher, sizeof r->publisher) : NULL;
	if (v && v->id == r->publisher)
		client_forgotten(v);
}

static void
saw(uint16_t shard, uint64_t to)
{
	if (to > forwarder.seen[shard])
		forwarder.seen[shard] = to;
}

static void
on_record(const char *record)
{
	struct record r;
	uint16_t shard = get_u16(record + 14);
	forwarder.taken += record_stride(get_u32(record));
	if (shard >= SHARDS_MAX)
		return;
	if (record[9] == REC_MESSAGE) {
		counters_add(COUNT_MESSAGES_IN, 1);
		on_message(record);
		saw(shard, get_u64(record + 16) + record_stride(get_u32(record)));
		return;
	}
	run_deliver();
	slots_look(&forwarder.slots, box_on_slot);
	record_get(&r, record);
	if (r.type == REC_HAND)
		on_hand(record, &r);
	else if (r.type == REC_GAP)
		on_gap(record, &r);
	else if (r.type == REC_START && r.offset > atomic_load(&forwarder.table->start[r.shard])) {
		atomic_store(&forwarder.table->start_bits[r.shard], r.aux);
		atomic_store(&forwarder.table->start[r.shard], r.offset);
	}
	else
		on_change(record, &r);
	saw(shard, r.type == REC_UPTO || r.type == REC_GAP ? r.aux : r.type == REC_LIST ? r.offset
	    : r.type <= REC_DESTROY || r.type == REC_START || r.type == REC_HAND ? r.offset + record_stride(r.len) : 0);
}

/* ---- between two ticks, where much is routed: the broker may forget what every client has acknowledged ---- */

static void
places_look(void)
{
	uint64_t place[SHARDS_MAX];
	uint32_t shards = atomic_load(&forwarder.table->shards);
	memcpy(place, forwarder.seen, sizeof place);
	for (uint32_t i = 0; i < forwarder.slots.used; i++) {
		const struct slot *v = &forwarder.slots.slot[i];
		const struct box *b = v->own;
		if ((b && b->unsafe) || atomic_load(&forwarder.table->slot[i].cuts) !=
		    atomic_load(&forwarder.table->slot[i].cuts_saved))
			return;                        /* see tick_boxes */
		for (uint32_t k = 0; b && v->state != SLOT_DYING && k < shards; k++) {
			uint64_t acked = atomic_load(&v->segment->acked[k]);
			if (b->routed[k] > acked && acked < place[k])
				place[k] = acked;
		}
	}
	for (uint32_t k = 0; k < shards; k++)
		if (place[k] > atomic_load(&forwarder.unit->place[k]))
			atomic_store(&forwarder.unit->place[k], place[k]);
}

static int
drain(void)
{
	int broken = 0, n = 0;
	uint64_t began = forwarder.taken;
	for (const char *p; forwarder.taken - began < BATCH && (p = ring_next(&forwarder.in, &broken)) != NULL; n++)
		on_record(p);
	run_deliver();
	forwarder.patience_us += (int64_t)((forwarder.taken - began) *
	    PATIENCE_US / (WINDOW_OF(forwarder.unit->message_max) / 2));
	if (forwarder.patience_us > PATIENCE_ALL_US)
		forwarder.patience_us = PATIENCE_ALL_US;
	if (n)
		counters_observe(HISTOGRAM_BATCH, (uint64_t)n);
	if (broken)
		log_fatal(EXIT_SYSTEM, "the delivery ring holds garbage: the unit is made anew");
	boxes_publish();
	if (forwarder.spool.used && seglog_flush(&forwarder.spool) < 0)
		spool_failed("write");
	for (uint32_t k = 0; n && k < SHARDS_MAX; k++)
		if (forwarder.seen[k] > atomic_load(&forwarder.table->routed[k]))
			atomic_store(&forwarder.table->routed[k], forwarder.seen[k]);
	if (atomic_load(&forwarder.ring->tail) != forwarder.in.at) {
		atomic_store_explicit(&forwarder.ring->tail, forwarder.in.at, memory_order_release);
		atomic_store(&forwarder.unit->taken, forwarder.taken);
	}
	/* half: the requester waits for the other half, not in step with this */
	if (forwarder.taken - forwarder.taken_rung >= CREDIT_STEP(forwarder.unit->message_max) / 2) {
		forwarder.taken_rung = forwarder.taken;
		if (forwarder.taken - forwarder.taken_placed >= PLACE_BYTES) {
			forwarder.taken_placed = forwarder.taken;
			places_look();
		}
		bell_ring(&forwarder.unit->taken_bell, &forwarder.table->request_queue);
	}
	return n;
}

/* ---- once a second: what is not acknowledged becomes safe, then the broker may forget what lies below ---- */

/* A power cut took what its word said. Mail of a pattern that it has no more may be dropped. */
static void
settle_patterns(struct slot *v)
{
	uint32_t unknown = MAY_HAVE_PATTERN;
	if (v->segment == NULL || atomic_load_explicit(&v->segment->has_pattern, memory_order_relaxed) != unknown)
		return;
	long n = routes_patterns(&forwarder.routes, atomic_load(&forwarder.table->shards), v->id);
	if (n >= 0)
		atomic_compare_exchange_strong(&v->segment->has_pattern, &unknown, n ? HAS_PATTERN : 0);
}

/* The word is the client's: what it says is believed as far as a count may be wrong. */
static void
tick_expired(struct slot *v, struct box *b)
{
	uint64_t expired = atomic_load(&v->segment->expired);
	if (expired > b->expired_told)
		counters_add(COUNT_EXPIRED, expired - b->expired_told);
	b->expired_told = expired;
}

static void
tick_boxes(void)
{
	for (uint32_t i = 0; i < forwarder.slots.used; i++) {
		struct slot *v = &forwarder.slots.slot[i];
		struct box *b = v->own;
		if (b && b->unsafe && box_away(v, i) < 0)
			forwarder.unsafe = 1;
		if (atomic_load(&forwarder.table->slot[i].cuts) != atomic_load(&forwarder.table->slot[i].cuts_saved))
			/* what it does not get must be known after a power cut */
			forwarder.unsafe = 1;
		if (b == NULL || v->state == SLOT_AWAY)
			continue;
		if (v->state == SLOT_LIVE && box_shadow(v, b->tick_head) < 0)
			forwarder.unsafe = 1;
		settle_patterns(v);
		tick_expired(v, b);
		b->tick_head = b->out.head;
		b->patience_us += b->patience_us < PATIENCE_US ? PATIENCE_TICK_US : 0;
		for (uint32_t k = 0; k < SHARDS_MAX; k++)
			if (forwarder.seen[k] && atomic_load(&v->segment->seen[k]) != forwarder.seen[k])
				atomic_store(&v->segment->seen[k], forwarder.seen[k]);
		slots_wake(&forwarder.slots, v, ASLEEP_FOR_SEEN);
	}
}

static void
tick_prune(void)
{
	uint64_t needed = forwarder.spool.end;
	for (uint32_t i = 0; i < forwarder.slots.used; i++) {
		struct slot *v = &forwarder.slots.slot[i];
		if (v->own == NULL || v->state == SLOT_DYING)
			continue;
		struct box *b = v->own;
		b->needs = box_needs(v);
		needed = b->needs < needed ? b->needs : needed;
	}
	if (needed == forwarder.spool.end && forwarder.spool.end - forwarder.spool.base > SPOOL_TIDY &&
	    seglog_renew(&forwarder.spool) < 0 &&
	    !fdio_is_full(errno))
		spool_failed("a new segment");
	seglog_prune(&forwarder.spool, needed);
	seglog_packing_look(&forwarder.packing, forwarder.spool.end);
}

/* For people that look: what they see may be half of the one and half of the other. */
static void
tick_topics(void)
{
	char text[SLOT_TOPICS] = "";
	struct slot_topics *shown = machine_topics(forwarder.table);
	uint32_t shards = atomic_load(&forwarder.table->shards);
	if (!forwarder.routes.changed || shown == NULL)
		return;
	forwarder.routes.changed = 0;
	for (uint32_t i = 0; i < forwarder.slots.used; i++) {
		if (forwarder.slots.slot[i].own == NULL)
			continue;
		atomic_store(&shown[i].subscriptions, routes_of_client(&forwarder.routes, shards,
		    forwarder.slots.slot[i].id, text, sizeof text));
		memcpy(shown[i].names, text, sizeof text);
	}
}

static void
on_tick(void)
{
	uint32_t ticks = atomic_load(&forwarder.table->ticks);
	if (ticks == forwarder.ticks)
		return;
	forwarder.ticks = ticks;
	spool_files_look();
	forwarder.patience_us = PATIENCE_ALL_US;
	forwarder.unsafe = 0;
	tick_boxes();
	tick_topics();
	boxes_cut_if_short();
	if (forwarder.dirty && seglog_sync(&forwarder.spool) < 0)
		spool_failed("fdatasync");
	forwarder.dirty = 0;
	for (uint32_t k = 0; k < SHARDS_MAX; k++) {
		if (!forwarder.unsafe && forwarder.seen_before[k] > atomic_load(&forwarder.unit->place[k]))
			atomic_store(&forwarder.unit->place[k], forwarder.seen_before[k]);
		forwarder.seen_before[k] = forwarder.seen[k];
	}
	tick_prune();
}

static void
bells_clear(void)
{
	bell_clear(&forwarder.unit->forwarder_time);
	bell_clear(&forwarder.ring->bell);
	slots_look(&forwarder.slots, box_on_slot);
	boxes_bells_clear();
}

/* not 0: there was something */
static int
round_of_work(void)
{
	slots_look(&forwarder.slots, box_on_slot);
	int more = drain();
	more += boxes_refill();
	more += forwarder.fed_count > 0;
	boxes_publish();
	on_tick();
	if (forwarder.packing.waits)
		seglog_packing_one(&forwarder.packing);
	return more + forwarder.packing.waits;
}

int
main(int argc, char **argv)
{
	struct child_place place;
	program_begin(argc, argv, "mom_forwarder");
	child_begin(&place, "mom_forwarder", "mom_daemon");
	forwarder.table = child_attach(place.table);
	forwarder.unit = child_attach(place.index);
	forwarder.dir = place.fds[0];
	forwarder.notify = place.fds[1];
	forwarder.spool.fd = -1;
	log_follow(&forwarder.table->log);
	log_peers_share(&forwarder.table->limits);
	forwarder.buffer_bytes = BATCH + 2 * (size_t)RECORD_MOST(forwarder.unit->message_max);
	forwarder.buffer = malloc(forwarder.buffer_bytes);
	forwarder.chosen = calloc(forwarder.table->capacity, sizeof *forwarder.chosen);
	forwarder.fed = calloc(forwarder.table->capacity, sizeof *forwarder.fed);
	forwarder.is_fed = calloc(forwarder.table->capacity, 1);
	if (forwarder.is_fed == NULL || forwarder.chosen == NULL || forwarder.fed == NULL || forwarder.buffer == NULL)
		log_fatal(EXIT_SYSTEM, "no memory for %u clients: see `free`", forwarder.table->capacity);
	forwarder.ring = daemon_unit_ring(forwarder.unit, forwarder.unit->slots);
	ring_reader_init(&forwarder.in, forwarder.ring, UNIT_RING(forwarder.unit->message_max),
	    atomic_load(&forwarder.ring->tail));
	forwarder.ticks = atomic_load(&forwarder.table->ticks);
	counters_begin(atomic_load(&forwarder.table->counters), COUNTERS_UNIT(UNIT_FORWARDER), ROLE_FORWARDER, 0);
	forwarder.patience_us = PATIENCE_ALL_US;
	forwarder.routes.cut = box_cut_below;
	slots_init(&forwarder.slots, forwarder.table, forwarder.unit, UNIT_FORWARDER);
	spool_recover();
	spool_pack_begin();
	idling_serve(&forwarder.table->deliver_queue, NULL, round_of_work, bells_clear);
	log_fatal(EXIT_SYSTEM, "msgrcv(queue): %s: it is made anew", strerror(errno));
}
