/* mom_forwarder - deliveries to the clients' mail boxes, and to the spool where a client is behind; one process a machine
 * STARTED BY  mom_daemon, with or without a connection to the broker
 * READS       the delivery ring, mail boxes' words, the spool       WRITES  mail boxes, the spool, places as words
 * SLEEPS IN   msgrcv: its queue
 * MUST NOT    wait for a client; route by anything but the broker's list and its changes
 * SIGNALS     none: it may be killed at any time
 * EXIT        111 system call failed (a full or broken disk under the spool, too: deliveries wait at the broker)
 * ON CRASH    mom_daemon ends requester and responser and makes the unit anew; what was on its way comes again, what was
 *             routed is known from the mail boxes and the spool */
#include "common/child.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/seglog.h"
#include "daemon/routes.h"
#include "daemon/slots.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SPOOL_SEGMENT = 16 * 1024 * 1024, SPOOL_TIDY = 4 * 1024 * 1024, SPOOL_READ = BATCH + 2 * RECORD_MAX };

struct held { uint64_t at, offset; uint32_t shard; };    /* an entry of the spool that lies in the mail box too */

struct box {                              /* one client's mail */
	struct ring_writer out;
	uint64_t boxed[SHARDS_MAX];       /* highest offset that is, or was, in the mail box */
	uint64_t routed[SHARDS_MAX];      /* ... or in the spool */
	int behind;                       /* the spool has more for it, from `next` on */
	uint64_t next;
	struct seglog_cursor cursor;
	int reading;
	uint64_t shadowed;                /* ring position: what lies below is acknowledged or in the spool */
	uint64_t tick_head;               /* head at the last tick */
	struct held *held;                /* queue: first .. count */
	size_t first, count, room;
	int fed, chosen;
};

static struct {
	struct machine_table *table;
	struct daemon_unit *unit;
	struct slots slots;
	struct map by_id;                 /* global id to struct slot */
	struct routes routes;
	struct ring_reader in;
	struct ring *ring;
	struct seglog spool;
	uint64_t seen[SHARDS_MAX], seen_before[SHARDS_MAX], taken, taken_rung;
	uint32_t ticks;
	int notify, dir, dirty;           /* dirty: the spool has what is not synced */
	uint32_t *chosen, *fed;           /* slots */
	size_t chosen_count, fed_count;
	char *buffer;
} f;

static void
spool_failed(const char *what)
{
	log_fatal(EXIT_SYSTEM, "spool: %s: %s: deliveries wait at the broker; make room in the spool folder", what, strerror(errno));
}

/* ---- the spool: ENTRY records, each with its recipients ---- */

static uint64_t
spool_append(const void *record, const uint64_t *ids, size_t n)
{
	uint32_t inner = get_u32(record), len = (uint32_t)(RECORD_HEADER + 8 * n + inner), stride = record_stride(len);
	char *at = seglog_reserve(&f.spool, stride, 0);
	struct record r = { .len = len, .header = RECORD_HEADER, .type = REC_ENTRY, .aux = n };
	if (at == NULL)
		spool_failed("write");
	record_put(at, &r);
	for (size_t i = 0; i < n; i++)
		put_u64(at + RECORD_HEADER + 8 * i, ids[i]);
	memcpy(at + RECORD_HEADER + 8 * n, record, inner);
	memset(at + len, 0, stride - len);
	f.dirty = 1;
	return seglog_take(&f.spool, at);
}

/* The record inside an entry, where the client is a recipient; else NULL. */
static const char *
entry_for(const char *entry, uint64_t id)
{
	uint64_t n = get_u64(entry + 48), len = get_u32(entry);
	if (entry[9] != REC_ENTRY || n > (len - RECORD_HEADER) / 8)
		return NULL;
	for (uint64_t i = 0; i < n; i++) {
		const char *inner = entry + RECORD_HEADER + 8 * n;
		if (get_u64(entry + RECORD_HEADER + 8 * i) == id)
			return record_is_sound(inner, len - RECORD_HEADER - 8 * n) ? inner : NULL;
	}
	return NULL;
}

static void
held_push(struct box *b, uint64_t at, const char *record)
{
	if (b->first > 0 && b->first == b->count)
		b->first = b->count = 0;
	if (b->count == b->room) {
		if (b->first > b->room / 2) {
			memmove(b->held, b->held + b->first, (b->count - b->first) * sizeof *b->held);
			b->count -= b->first;
			b->first = 0;
		} else {
			b->room = b->room * 2 + 64;
			b->held = realloc(b->held, b->room * sizeof *b->held);
			if (b->held == NULL)
				log_fatal(EXIT_SYSTEM, "no memory for a mail box");
		}
	}
	b->held[b->count++] = (struct held){ at, get_u64(record + 16), get_u16(record + 14) };
}

/* Where the spool is needed from for this box. */
static uint64_t
box_needs(struct slot *v)
{
	struct box *b = v->own;
	while (b->first < b->count && b->held[b->first].offset <= atomic_load(&v->segment->acked[b->held[b->first].shard]))
		b->first++;
	if (b->first < b->count)
		return b->held[b->first].at;
	return b->behind ? b->next : f.spool.end;
}

/* ---- mail boxes ---- */

static void
box_wake(struct slot *v)
{
	slots_wake(v->segment);
}

static int
box_put(struct slot *v, const char *record)
{
	struct box *b = v->own;
	uint32_t len = get_u32(record), stride = record_stride(len);
	char *at = ring_reserve(&b->out, stride);
	if (at == NULL)
		return 0;
	memcpy(at, record, len);
	ring_advance(&b->out, stride);
	b->boxed[get_u16(record + 14)] = get_u64(record + 16);
	if (!b->fed) {
		b->fed = 1;
		f.fed[f.fed_count++] = (uint32_t)(v - f.slots.slot);
	}
	return 1;
}

/* What is in the mail box, not acknowledged and not in the spool, up to a ring position, goes to the spool too. */
static void
box_shadow(struct slot *v, uint64_t to)
{
	struct box *b = v->own;
	const struct ring *ring = client_mail(v->segment);
	uint64_t tail = atomic_load(&ring->tail), from = tail > b->shadowed && tail <= b->out.head ? tail : b->shadowed, safe[SHARDS_MAX] = { 0 };
	struct ring_reader r;
	int broken;
	ring_publish(&b->out);
	ring_reader_init(&r, ring, RING_CLIENT, from);
	while (r.at < to) {
		const char *p = ring_copy(&r, f.buffer, &broken);
		if (p == NULL)
			break;                         /* broken: the client wrote into its own mail */
		uint32_t shard = get_u16(p + 14);
		uint64_t offset = get_u64(p + 16);
		if (shard >= SHARDS_MAX || offset <= atomic_load(&v->segment->acked[shard]))
			continue;
		held_push(b, spool_append(p, &v->id, 1), p);
		safe[shard] = offset;
	}
	b->shadowed = to > b->shadowed ? to : b->shadowed;
	if (f.spool.used && seglog_flush(&f.spool) < 0)
		spool_failed("write");
	for (uint32_t k = 0; k < SHARDS_MAX; k++)
		if (safe[k] > atomic_load(&v->segment->safe[k]))
			atomic_store(&v->segment->safe[k], safe[k]);
}

static void
box_fall_behind(struct slot *v)
{
	struct box *b = v->own;
	if (b->behind)
		return;
	box_shadow(v, b->out.head);
	b->behind = 1;
	b->next = f.spool.end;
	atomic_store(&v->segment->behind, 1);
	log_debug("client %016llx is behind: spool from %llx", (unsigned long long)v->id, (unsigned long long)b->next);
}

static void
box_deliver(struct slot *v, const char *record, const struct record *r)
{
	struct box *b = v->own;
	if (r->offset <= b->routed[r->shard])
		return;
	if (b->behind || v->state != SLOT_LIVE || !box_put(v, record)) {
		box_fall_behind(v);
		f.chosen[f.chosen_count++] = (uint32_t)(v - f.slots.slot);
	}
	b->routed[r->shard] = r->offset;
}

/* ---- refilling from the spool ---- */

/* What the broker's list and the stream say of a spooled message: the list says nothing of what lies beyond the stream's place. */
enum known { KNOWN_NOT_YET, KNOWN_WANTED, KNOWN_UNWANTED };

static enum known
still_subscribed(const struct slot *v, const char *record)
{
	uint32_t shard = get_u16(record + 14);
	uint64_t offset = get_u64(record + 16);
	if (!f.routes.listed[shard] || f.seen[shard] <= offset)
		return KNOWN_NOT_YET;
	const struct route_sub *sub = route_sub_of(routes_find(&f.routes, record_topic(record), get_u16(record + 12)), v->id);
	return sub && sub->since < offset ? KNOWN_WANTED : KNOWN_UNWANTED;
}

/* One entry into the box. 0: no room, or it is too early to say. libmom itself drops what it has unsubscribed from, unless its segment is new. */
static int
refill_entry(struct slot *v, const char *entry, uint64_t at)
{
	struct box *b = v->own;
	const char *record = entry_for(entry, v->id);
	if (record == NULL)
		return 1;
	uint32_t shard = get_u16(record + 14);
	uint64_t offset = get_u64(record + 16);
	if (shard >= SHARDS_MAX || offset <= b->boxed[shard] || offset <= atomic_load(&v->segment->acked[shard]))
		return 1;
	enum known known = still_subscribed(v, record);
	if (known == KNOWN_UNWANTED)
		return 1;
	if (known == KNOWN_NOT_YET && v->fresh)
		return 0;
	if (!box_put(v, record))
		return 0;
	held_push(b, at, record);
	return 1;
}

static void
box_refill_done(struct slot *v)
{
	struct box *b = v->own;
	if (b->reading)
		seglog_leave(&b->cursor);
	b->reading = 0;
	b->behind = 0;
	atomic_store(&v->segment->behind, 0);
	log_debug("client %016llx has caught up", (unsigned long long)v->id);
}

static void
box_refill(struct slot *v)
{
	struct box *b = v->own;
	uint64_t first;
	int room = 1, moved = 0;
	if (f.spool.used && seglog_flush(&f.spool) < 0)
		spool_failed("write");
	while (room && b->next < f.spool.end) {
		if (b->reading == 0 && seglog_seek(&b->cursor, f.dir, b->next) < 0)
			spool_failed("read");
		b->reading = 1;
		ssize_t n = seglog_read(&b->cursor, f.buffer, SPOOL_READ, f.spool.end, &first);
		if (n < 0)
			spool_failed("read");
		if (n == 0) {
			b->next = f.spool.end;
			break;
		}
		size_t q = 0;
		while (q < (size_t)n && (room = refill_entry(v, f.buffer + q, first + q)) != 0)
			q += record_stride(get_u32(f.buffer + q));
		moved |= q > 0;
		b->next = first + q;
		if (q < (size_t)n) {                   /* full: read again from there later */
			seglog_leave(&b->cursor);
			b->reading = 0;
		}
	}
	if (moved && b->out.head != b->shadowed) {
		ring_publish(&b->out);
		b->shadowed = b->out.head;             /* it came from the spool */
		for (uint32_t k = 0; k < SHARDS_MAX; k++)
			if (b->boxed[k] > atomic_load(&v->segment->safe[k]))
				atomic_store(&v->segment->safe[k], b->boxed[k]);
	}
	if (b->next >= f.spool.end)
		box_refill_done(v);
}

static void
refill_all(void)
{
	for (uint32_t i = 0; i < f.slots.used; i++) {
		struct slot *v = &f.slots.slot[i];
		struct box *b = v->own;
		if (b == NULL || v->state != SLOT_LIVE)
			continue;
		bell_clear(&v->segment->mail_bell);
		if (!b->behind || ring_used(&b->out) > RING_CLIENT / 2)
			continue;
		box_refill(v);
	}
}

/* ---- clients come, go away, come back ---- */

static void
box_free(struct box *b)
{
	if (b == NULL)
		return;
	if (b->reading)
		seglog_leave(&b->cursor);
	free(b->held);
	free(b);
}

/* What the mail box holds says what was routed. */
static void
box_scan(struct slot *v)
{
	struct box *b = v->own;
	struct ring *ring = client_mail(v->segment);
	struct ring_reader r;
	int broken;
	ring_writer_init(&b->out, ring, RING_CLIENT, 0);
	b->shadowed = atomic_load(&ring->tail);
	ring_reader_init(&r, ring, RING_CLIENT, b->shadowed);
	for (uint32_t k = 0; k < SHARDS_MAX; k++) {
		uint64_t handed = atomic_load(&v->segment->handed[k]), acked = atomic_load(&v->segment->acked[k]);
		b->boxed[k] = handed > acked ? handed : acked;
	}
	for (const char *p; (p = ring_next(&r, &broken)) != NULL;)
		if (get_u16(p + 14) < SHARDS_MAX && get_u64(p + 16) > b->boxed[get_u16(p + 14)])
			b->boxed[get_u16(p + 14)] = get_u64(p + 16);
	memcpy(b->routed, b->boxed, sizeof b->routed);
	b->next = f.spool.end;
	b->tick_head = b->out.head;
}

/* All that is not acknowledged is in the spool from here on; a successor's mail box begins empty. */
static void
box_away(struct slot *v, uint32_t i)
{
	struct box *b = v->own;
	box_shadow(v, b->out.head);
	b->next = box_needs(v);
	b->first = b->count = 0;
	b->behind = 1;
	if (b->reading)
		seglog_leave(&b->cursor);
	b->reading = 0;
	atomic_store(&v->segment->behind, 1);
	for (uint32_t k = 0; k < SHARDS_MAX; k++)
		b->boxed[k] = atomic_load(&v->segment->acked[k]);
	if (seglog_sync(&f.spool) < 0)
		spool_failed("fdatasync");
	atomic_store(&f.unit->slot[i].away_safe, v->owner);
	uint64_t one = 1;
	if (write(f.notify, &one, sizeof one) < 0)
		log_debug("notify: %s", strerror(errno));
}

static void
on_slot(uint32_t i, const struct slot *old)
{
	struct slot *v = &f.slots.slot[i];
	if (old->id != v->id || v->segment == NULL || old->segment != v->segment) {
		if (old->id)
			map_del(&f.by_id, &old->id, sizeof old->id);
		box_free(v->own);
		v->own = NULL;
	}
	if (v->state == SLOT_FREE || v->segment == NULL)
		return;
	if (v->own == NULL) {
		v->own = calloc(1, sizeof(struct box));
		if (v->own == NULL || map_put(&f.by_id, &v->id, sizeof v->id, v) < 0)
			log_fatal(EXIT_SYSTEM, "no memory for a client");
		box_scan(v);
	}
	if (v->state == SLOT_AWAY && f.spool.fd >= 0)
		box_away(v, i);
}

/* ---- start: what the spool says ---- */

static int
recover_entry(void *with, const void *entry, uint64_t at)
{
	(void)with;
	uint64_t n = get_u64((const char *)entry + 48);
	if (((const char *)entry)[9] != REC_ENTRY)
		return 0;
	for (uint64_t k = 0; k < n; k++) {
		uint64_t id = get_u64((const char *)entry + RECORD_HEADER + 8 * k);
		struct slot *v = map_get(&f.by_id, &id, sizeof id);
		const char *record = v ? entry_for(entry, id) : NULL;
		if (record == NULL || v->own == NULL)
			continue;
		struct box *b = v->own;
		uint32_t shard = get_u16(record + 14);
		uint64_t offset = get_u64(record + 16);
		if (shard >= SHARDS_MAX)
			continue;
		if (offset > b->routed[shard])
			b->routed[shard] = offset;
		if (offset <= atomic_load(&v->segment->acked[shard]))
			continue;
		if (offset <= b->boxed[shard] && !b->behind)
			held_push(b, at, record);
		else if (!b->behind) {
			b->behind = 1;
			b->next = at;
		}
	}
	return 0;
}

static void
recover(void)
{
	slots_look(&f.slots, on_slot);                 /* the boxes first: the entries find their clients */
	if (seglog_open(&f.spool, f.dir, SPOOL_SEGMENT, 0, recover_entry, NULL) < 0)
		spool_failed("cannot be taken up");
	for (uint32_t i = 0; i < f.slots.used; i++) {
		struct slot *v = &f.slots.slot[i];
		struct box *b = v->own;
		if (b == NULL)
			continue;
		if (!b->behind)
			b->next = f.spool.end;
		atomic_store(&v->segment->behind, (uint32_t)b->behind);
		log_debug("client %016llx: mail up to %llx, routed up to %llx%s", (unsigned long long)v->id, (unsigned long long)b->boxed[0],
		    (unsigned long long)b->routed[0], b->behind ? ", behind" : "");
		if (v->state == SLOT_AWAY)
			box_away(v, i);
	}
}

/* ---- deliveries ---- */

static void
on_message(const char *record, const struct record *r)
{
	static uint64_t *ids;
	struct route *route = routes_find(&f.routes, record_topic(record), r->topic_len);
	f.chosen_count = 0;
	for (size_t i = 0; route && i < route->count; i++) {
		struct route_sub *sub = &route->subs[i];
		if (r->offset <= sub->since || (sub->flags & REC_F_NO_ECHO && r->publisher == sub->client))
			continue;
		struct slot *v = map_get(&f.by_id, &sub->client, sizeof sub->client);
		if (v && v->own && v->state != SLOT_DYING)
			box_deliver(v, record, r);
	}
	if (f.chosen_count == 0)
		return;
	if (ids == NULL && (ids = calloc(f.table->capacity, sizeof *ids)) == NULL)
		log_fatal(EXIT_SYSTEM, "no memory for %u recipients", f.table->capacity);
	for (size_t i = 0; i < f.chosen_count; i++)
		ids[i] = f.slots.slot[f.chosen[i]].id;
	spool_append(record, ids, f.chosen_count);
}

static void
on_record(const char *record)
{
	struct record r;
	record_get(&r, record);
	f.taken += record_stride(r.len);
	if (r.shard >= SHARDS_MAX)
		return;
	if (r.type == REC_MESSAGE)
		on_message(record, &r);
	else
		routes_change(&f.routes, &r, record_topic(record));
	uint64_t seen = r.type == REC_UPTO ? r.aux : r.type == REC_LIST ? r.offset : r.type <= REC_DESTROY ? r.offset + record_stride(r.len) : 0;
	if (seen > f.seen[r.shard])
		f.seen[r.shard] = seen;
}

static void
boxes_publish(void)
{
	for (size_t i = 0; i < f.fed_count; i++) {
		struct slot *v = &f.slots.slot[f.fed[i]];
		struct box *b = v->own;
		if (b == NULL)
			continue;
		b->fed = 0;
		ring_publish(&b->out);
		box_wake(v);
	}
	f.fed_count = 0;
}

static int
drain(void)
{
	int broken = 0, n = 0;
	uint64_t began = f.taken;
	for (const char *p; f.taken - began < BATCH && (p = ring_next(&f.in, &broken)) != NULL; n++)
		on_record(p);
	if (broken)
		log_fatal(EXIT_SYSTEM, "the delivery ring holds garbage: the unit is made anew");
	boxes_publish();
	if (f.spool.used && seglog_flush(&f.spool) < 0)
		spool_failed("write");
	if (atomic_load(&f.ring->tail) != f.in.at) {
		atomic_store_explicit(&f.ring->tail, f.in.at, memory_order_release);
		atomic_store(&f.unit->taken, f.taken);
	}
	if (f.taken - f.taken_rung >= WINDOW / 4) {
		f.taken_rung = f.taken;
		bell_ring(&f.unit->taken_bell, &f.table->request_queue);
	}
	return n;
}

/* ---- once a second: what is not acknowledged becomes safe, then the broker may forget what lies below ---- */

static void
tick_boxes(void)
{
	for (uint32_t i = 0; i < f.slots.used; i++) {
		struct slot *v = &f.slots.slot[i];
		struct box *b = v->own;
		if (b == NULL || v->state == SLOT_AWAY)
			continue;
		if (v->state == SLOT_LIVE)
			box_shadow(v, b->tick_head);
		b->tick_head = b->out.head;
		for (uint32_t k = 0; k < SHARDS_MAX; k++)
			if (f.seen[k] && atomic_load(&v->segment->seen[k]) != f.seen[k])
				atomic_store(&v->segment->seen[k], f.seen[k]);
	}
}

static void
tick_prune(void)
{
	uint64_t needed = f.spool.end;
	for (uint32_t i = 0; i < f.slots.used; i++) {
		struct slot *v = &f.slots.slot[i];
		if (v->own == NULL || v->state == SLOT_DYING)
			continue;
		uint64_t least = box_needs(v);
		needed = least < needed ? least : needed;
	}
	if (needed == f.spool.end && f.spool.end - f.spool.base > SPOOL_TIDY && seglog_roll(&f.spool) < 0)
		spool_failed("a new segment");
	seglog_prune(&f.spool, needed);
}

static void
on_tick(void)
{
	uint32_t ticks = atomic_load(&f.table->ticks);
	if (ticks == f.ticks)
		return;
	f.ticks = ticks;
	tick_boxes();
	if (f.dirty && seglog_sync(&f.spool) < 0)
		spool_failed("fdatasync");
	f.dirty = 0;
	for (uint32_t k = 0; k < SHARDS_MAX; k++) {
		if (f.seen_before[k] > atomic_load(&f.unit->place[k]))
			atomic_store(&f.unit->place[k], f.seen_before[k]);
		f.seen_before[k] = f.seen[k];
	}
	tick_prune();
}

static int
round_of_work(void)
{
	bell_clear(&f.unit->forwarder_time);
	bell_clear(&f.ring->bell);
	slots_look(&f.slots, on_slot);
	int more = drain();
	refill_all();
	boxes_publish();
	on_tick();
	return more;
}

int
main(void)
{
	struct child_place place;
	child_begin(&place, "mom_forwarder", "mom_daemon");
	f.table = ipcq_attach(place.table, 0);
	f.unit = ipcq_attach(place.index, 0);
	f.dir = place.fds[0];
	f.notify = place.fds[1];
	f.spool.fd = -1;
	f.buffer = malloc(SPOOL_READ);
	if (f.table == NULL || f.unit == NULL || f.buffer == NULL)
		log_fatal(EXIT_SYSTEM, "shmat: %s", strerror(errno));
	f.chosen = calloc(f.table->capacity, sizeof *f.chosen);
	f.fed = calloc(f.table->capacity, sizeof *f.fed);
	if (f.chosen == NULL || f.fed == NULL)
		log_fatal(EXIT_SYSTEM, "no memory for %u clients", f.table->capacity);
	f.ring = daemon_unit_ring(f.unit, f.unit->slots);
	ring_reader_init(&f.in, f.ring, RING_WINDOW, atomic_load(&f.ring->tail));
	f.ticks = atomic_load(&f.table->ticks);
	slots_init(&f.slots, f.table, f.unit, UNIT_FORWARDER);
	recover();
	for (;;) {
		while (round_of_work())
			;
		if (ipcq_wait(atomic_load(&f.table->deliver_queue)) < 0 && errno != EINTR)
			log_fatal(EXIT_SYSTEM, "msgrcv(queue): %s: it is made anew", strerror(errno));
	}
}
