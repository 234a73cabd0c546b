/* forwarder_box - the clients' mail boxes: filling them, copying to the spool what stays, refilling from it; a part of
 * mom_forwarder */
#include "daemon/forwarder.h"
#include "base/clock.h"
#include "ipc/counters.h"
#include "base/fdio.h"
#include "base/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- mail boxes ---- */

/* to be published and its owner woken */
static void
box_is_fed(struct slot *v)
{
	uint32_t i = (uint32_t)(v - forwarder.slots.slot);
	if (forwarder.is_fed[i])
		return;
	forwarder.is_fed[i] = 1;
	forwarder.fed[forwarder.fed_count++] = i;
}

/* whole records of a shard, so many, the last at that offset */
static int
box_copy(struct slot *v, const char *records, uint32_t bytes, size_t messages, uint16_t shard, uint64_t last)
{
	struct box *b = v->own;
	uint64_t head = b->out.head;
	char *at = ring_reserve(&b->out, bytes);
	if (b->out.head != head)
		box_is_fed(v);                 /* a pad: its owner may sleep, and has to pass it before there is room */
	if (at == NULL)
		return 0;
	memcpy(at, records, bytes);
	ring_advance(&b->out, bytes);
	b->boxed[shard] = last;
	counters_add(COUNT_COPIES, messages);
	counters_add(COUNT_BYTES_OUT, bytes);
	box_is_fed(v);
	return 1;
}

static int
box_put(struct slot *v, const char *record)
{
	return box_copy(v, record, record_stride(get_u32(record)), 1, get_u16(record + 14), get_u64(record + 16));
}

int
box_deliver_run(struct slot *v, const struct run *run, uint16_t shard, uint64_t first)
{
	struct box *b = v->own;
	if (b->behind || v->state != SLOT_LIVE || first <= b->routed[shard] || box_is_over(v, run->bytes) ||
	    !box_copy(v, run->from, (uint32_t)run->bytes, run->messages, shard, run->last))
		return 0;
	b->routed[shard] = run->last;
	return 1;
}

/* What is in the mail box, not acknowledged and not in the spool, up to a ring position, goes to the spool too. */
int
box_shadow(struct slot *v, uint64_t to)
{
	struct box *b = v->own;
	const struct ring *ring = client_mail(v->segment, v->ring);
	uint64_t tail = atomic_load(&ring->tail), from = tail > b->shadowed && tail <= b->out.head ? tail : b->shadowed,
	    safe[SHARDS_MAX] = { 0 };
	struct ring_reader r;
	int broken, full = 0;
	ring_publish(&b->out);
	ring_reader_init(&r, ring, v->ring, from);
	while (r.at < to && !full) {
		uint64_t before = r.at;
		const char *p = ring_copy(&r, forwarder.buffer, forwarder.buffer_bytes, &broken);
		if (p == NULL)
			break;                         /* broken: the client wrote into its own mail */
		uint32_t shard = get_u16(p + 14);
		uint64_t offset = get_u64(p + 16);
		if (shard >= SHARDS_MAX || offset <= atomic_load(&v->segment->acked[shard]))
			continue;
		if (p[9] == REC_HAND) {                /* comes back to its group when its client ends */
			safe[shard] = offset;
			continue;
		}
		uint64_t at = spool_append(p, &v->id, 1);
		full = at == 0;
		if (full)
			to = before;
		else {
			held_push(b, at, p);
			safe[shard] = offset;
		}
	}
	b->shadowed = to > b->shadowed ? to : b->shadowed;
	if (forwarder.spool.used && seglog_flush(&forwarder.spool) < 0)
		spool_failed("write");
	int more = 0;
	for (uint32_t k = 0; k < SHARDS_MAX; k++) {
		if (safe[k] <= atomic_load(&v->segment->safe[k]))
			continue;
		atomic_store(&v->segment->safe[k], safe[k]);
		more = 1;
	}
	if (more && b->behind)
		/* what is safe now only its owner can free, for what waits in the spool */
		box_wake(v, ASLEEP_FOR_MAIL);
	return full ? -1 : 0;
}

/* ---- a full mail box ---- */

/* 1: there is room again, and the record is in it */
static int
box_wait(struct slot *v, const char *record)
{
	struct box *b = v->own;
	int64_t began = clock_us(), until = began + (b->patience_us < forwarder.patience_us ? b->patience_us
	    : forwarder.patience_us);
	uint32_t stride = record_stride(get_u32(record));
	uint64_t enough = stride > v->ring / 2 ? v->ring - stride : v->ring / 2;
	boxes_publish();
	while (ring_used(&b->out) > enough && clock_us() < until)
		usleep(PATIENCE_STEP_US);
	int done = box_put(v, record);
	forwarder.patience_us -= clock_us() - began;
	b->patience_us = !done ? b->patience_us / PATIENCE_CUT : b->patience_us < PATIENCE_US / 2 ? b->patience_us * 2
	    : PATIENCE_US;
	return done;
}

/* 0; -1: there is no room in the spool for what lies in its mail box, so nothing can be put behind that */
static int
box_fall_behind(struct slot *v)
{
	struct box *b = v->own;
	if (b->behind)
		return b->unsafe ? -1 : 0;
	if (box_shadow(v, b->out.head) < 0)
		return -1;
	b->behind = 1;
	b->next = forwarder.spool.end;
	atomic_store(&v->segment->behind, 1);
	box_wake(v, ASLEEP_FOR_MAIL);          /* it may have read all and sleep: only it can free what is safe now */
	log_debug("client %016llx is behind: spool from %llx", (unsigned long long)v->id, (unsigned long long)b->next);
	return 0;
}

void
box_deliver(struct slot *v, const char *record, const struct record *r)
{
	struct box *b = v->own;
	if (r->offset <= b->routed[r->shard])
		return;
	if (r->type != REC_HAND && box_is_over(v, spool_cost(r->len))) {
		box_cut(v, "more waits for it than --client-backlog-max, with what it has read and not acknowledged");
		return;
	}
	if (b->behind || v->state != SLOT_LIVE || (!box_put(v, record) && !box_wait(v, record))) {
		if (box_fall_behind(v) < 0) {
			box_cut(v, "the spool's disk is full");
			return;
		}
		forwarder.chosen[forwarder.chosen_count++] = (uint32_t)(v - forwarder.slots.slot);
		counters_add(COUNT_SPOOLED, 1);
	}
	b->routed[r->shard] = r->offset;
}

/* ---- refilling from the spool ---- */

/* What the broker's list and the stream say of a spooled message: the list says nothing of what lies beyond the
 * stream's place. */
enum known { KNOWN_NOT_YET, KNOWN_WANTED, KNOWN_UNWANTED };

static enum known
still_subscribed(const struct slot *v, const char *record)
{
	uint32_t shard = get_u16(record + 14);
	uint64_t offset = get_u64(record + 16);
	if (record[9] == REC_GAP || record[9] == REC_HAND)
		return KNOWN_WANTED;
	if (!forwarder.routes.listed[shard] || forwarder.seen[shard] <= offset)
		return KNOWN_NOT_YET;
	return routes_want(&forwarder.routes, shard, v->id, record_topic(record), get_u16(record + 12), offset)
	    ? KNOWN_WANTED : KNOWN_UNWANTED;
}

/* The spool itself was damaged: told behind the last message of shard 0 that came. */
static const char *
gap_for(const struct slot *v, const char *entry, char record[RECORD_HEADER])
{
	const struct box *b = v->own;
	uint64_t acked = atomic_load(&v->segment->acked[0]), last = b->boxed[0] > acked ? b->boxed[0] : acked;
	struct record r = { .type = REC_GAP, .offset = last + 1,
	    .aux = last + 1 + get_u64(entry + 48) - get_u64(entry + 16) };
	record_make(record, &r, NULL, NULL, 0);
	return record;
}

/* One record into the box. 0: no room, or it is too early to say. libmom itself drops what it has unsubscribed from,
 * unless its segment is new. */
static int
refill_record(struct slot *v, const char *record, uint64_t at)
{
	struct box *b = v->own;
	uint32_t shard = get_u16(record + 14);
	uint64_t offset = get_u64(record + 16);
	if (shard >= SHARDS_MAX || offset <= b->boxed[shard] || offset <= atomic_load(&v->segment->acked[shard]))
		return 1;
	enum known known = still_subscribed(v, record);
	if (known != KNOWN_UNWANTED && ((known == KNOWN_NOT_YET && v->fresh) || !box_put(v, record))) {
		b->spooled_since = get_u64(record + 24);
		return 0;
	}
	b->spooled -= b->spooled > 0;
	if (known == KNOWN_UNWANTED)
		return 1;
	counters_add(COUNT_REDELIVERED, 1);
	if (record[9] != REC_HAND)             /* that one is its group's: it comes back there when its client ends */
		held_push(b, at, record);
	return 1;
}

static int
refill_entry(struct slot *v, const char *entry, uint64_t at)
{
	struct box *b = v->own;
	char gap[RECORD_HEADER];
	const char *record = entry[9] == REC_GAP ? gap_for(v, entry, gap) : entry_for(entry, v->id);
	if (record == NULL)
		return 1;
	int moved = refill_record(v, record, at);
	uint64_t cost = moved ? spool_cost(get_u32(record)) : 0;
	b->backlog -= cost < b->backlog ? cost : b->backlog;
	if (record[9] == REC_HAND)
		b->hands -= cost < b->hands ? cost : b->hands;
	return moved;
}

static void
box_refill_done(struct slot *v)
{
	struct box *b = v->own;
	if (b->reading)
		seglog_leave(&b->cursor);
	b->reading = 0;
	b->behind = 0;
	b->backlog = b->hands = b->spooled = 0;
	atomic_store(&v->segment->behind, 0);
	/* one that was cut has all now; one with too many tombstones may forget some */
	box_wake(v, ASLEEP_FOR_ANY);
	log_debug("client %016llx has caught up", (unsigned long long)v->id);
}

/* 1: there is more to read for it, after the others had their turn: what lies between its entries may be very much */
static int
box_refill(struct slot *v)
{
	struct box *b = v->own;
	int room = 1, moved = 0;
	size_t share = REFILL_BYTES;
	if (forwarder.spool.used && seglog_flush(&forwarder.spool) < 0)
		spool_failed("write");
	while (room && share && b->next < forwarder.spool.end) {
		ssize_t n = b->reading || seglog_seek(&b->cursor, forwarder.dir, b->next) >= 0
		    ? seglog_read(&b->cursor, forwarder.buffer, forwarder.buffer_bytes, forwarder.spool.end) : -1;
		b->reading = n >= 0;
		if (n < 0 && errno == EBADMSG && seglog_repair(&forwarder.spool, b->cursor.file.at) == 0) {
			seglog_leave(&b->cursor);
			continue;
		}
		if (n < 0 && fdio_is_full(errno)) {   /* mending takes some */
			b->reading = 0;
			seglog_leave(&b->cursor);
			return 0;
		}
		if (n < 0)
			spool_failed("read");
		if (n == 0) {
			b->next = forwarder.spool.end;
			break;
		}
		size_t q = 0;
		while (q < (size_t)n && (room = refill_entry(v, forwarder.buffer + q,
		    get_u64(forwarder.buffer + q + 16))) != 0)
			q += record_stride(get_u32(forwarder.buffer + q));
		moved |= q > 0;
		b->next = q < (size_t)n ? get_u64(forwarder.buffer + q + 16) : b->cursor.file.at;
		share -= (size_t)n < share ? (size_t)n : share;
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
	if (b->next >= forwarder.spool.end)
		box_refill_done(v);
	box_tell(v);
	return room && b->behind;
}

int
boxes_refill(void)
{
	int more = 0;
	for (uint32_t i = 0; i < forwarder.slots.used; i++) {
		struct slot *v = &forwarder.slots.slot[i];
		struct box *b = v->own;
		if (b == NULL || v->state != SLOT_LIVE || !b->behind || ring_used(&b->out) > v->ring / 2)
			continue;
		more |= box_refill(v);
	}
	return more;
}

void
boxes_bells_clear(void)
{
	for (uint32_t i = 0; i < forwarder.slots.used; i++)
		if (forwarder.slots.slot[i].own && forwarder.slots.slot[i].state == SLOT_LIVE)
			bell_clear(&forwarder.slots.slot[i].segment->mail_bell);
}

/* ---- clients come, go away, come back ---- */

static void
box_free(struct box *b)
{
	if (b == NULL)
		return;
	if (b->reading)
		seglog_leave(&b->cursor);
	held_free(b);
	free(b);
}

/* What the mail box holds says what was routed. */
static void
box_scan(struct slot *v)
{
	struct box *b = v->own;
	struct ring *ring = client_mail(v->segment, v->ring);
	struct ring_reader r;
	int broken;
	ring_writer_init(&b->out, ring, v->ring, 0);
	b->shadowed = atomic_load(&ring->tail);
	ring_reader_init(&r, ring, v->ring, b->shadowed);
	for (uint32_t k = 0; k < SHARDS_MAX; k++) {
		uint64_t handed = atomic_load(&v->segment->handed[k]), acked = atomic_load(&v->segment->acked[k]);
		b->boxed[k] = handed > acked ? handed : acked;
		b->cut[k] = atomic_load(&v->segment->cut[k]);
	}
	/* once round, and by copies: a client may go on writing */
	for (const char *p; r.at - b->shadowed < v->ring && (p = ring_copy(&r, forwarder.buffer, forwarder.buffer_bytes,
	    &broken)) !=
	    NULL;)
		if (get_u16(p + 14) < SHARDS_MAX && get_u64(p + 16) > b->boxed[get_u16(p + 14)])
			b->boxed[get_u16(p + 14)] = get_u64(p + 16);
	memcpy(b->routed, b->boxed, sizeof b->routed);
	b->next = forwarder.spool.end;
	b->tick_head = b->out.head;
	b->patience_us = PATIENCE_US;
}

/* Set once: what is stored later was not handed out before. */
void
box_risk(struct slot *v)
{
	for (uint32_t k = 0; v->segment && k < SHARDS_MAX; k++)
		if (forwarder.ended[k] && atomic_load(&v->segment->risk[k]) == RISK_UNKNOWN)
			atomic_store(&v->segment->risk[k], forwarder.ended[k]);
}

void
box_spooled(struct slot *v, const char *record)
{
	struct box *b = v->own;
	uint64_t time = get_u64(record + 24);
	if (b->spooled++ == 0 || time < b->spooled_since)
		b->spooled_since = time;
}

void
box_tell(struct slot *v)
{
	const struct box *b = v->own;
	struct slot_word *w = &forwarder.table->slot[v - forwarder.slots.slot];
	atomic_store(&w->spooled, b->spooled);
	atomic_store(&w->spooled_bytes, b->spooled ? b->backlog : 0);
	atomic_store(&w->spooled_since, b->spooled ? b->spooled_since : 0);
}

/* Its mail box counts no more: what lies there and is not acknowledged waits in the spool. */
static void
box_leave_mail(struct slot *v)
{
	const struct box *b = v->own;
	const struct ring *ring = client_mail(v->segment, v->ring);
	struct ring_reader r;
	int broken;
	uint64_t tail = atomic_load(&ring->tail);
	ring_reader_init(&r, ring, v->ring, tail);
	for (const char *p; r.at - tail < v->ring && r.at < b->out.head &&
	    (p = ring_copy(&r, forwarder.buffer, forwarder.buffer_bytes, &broken)) != NULL;) {
		uint16_t shard = get_u16(p + 14);
		uint64_t offset = get_u64(p + 16);
		if (shard < SHARDS_MAX && p[9] != REC_HAND && offset <= b->boxed[shard] &&
		    offset > atomic_load(&v->segment->acked[shard]))
			box_spooled(v, p);
	}
}

/* All that is not acknowledged is in the spool from here on; a successor's mail box begins empty. */
int
box_away(struct slot *v, uint32_t i)
{
	struct box *b = v->own;
	b->unsafe = box_shadow(v, b->out.head) < 0;
	if (b->unsafe) {
		b->behind = 1;
		return -1;
	}
	box_leave_mail(v);
	b->next = box_needs(v);
	held_clear(b);
	b->behind = 1;
	if (b->reading)
		seglog_leave(&b->cursor);
	b->reading = 0;
	atomic_store(&v->segment->behind, 1);
	for (uint32_t k = 0; k < SHARDS_MAX; k++)
		b->boxed[k] = atomic_load(&v->segment->acked[k]);
	box_tell(v);
	if (seglog_sync(&forwarder.spool) < 0)
		spool_failed("fdatasync");
	atomic_store(&forwarder.unit->slot[i].away_safe, v->owner);
	notify_daemon();
	return 0;
}

/* Its client comes back with a new segment: what waits for it in the spool is as it was. */
static void
box_renew(struct slot *v)
{
	struct box *b = v->own;
	ring_writer_init(&b->out, client_mail(v->segment, v->ring), v->ring, 0);
	b->shadowed = b->tick_head = b->out.head;
	b->patience_us = PATIENCE_US;
	for (uint32_t k = 0; k < SHARDS_MAX; k++) {
		b->boxed[k] = atomic_load(&v->segment->acked[k]);
		b->cut[k] = atomic_load(&v->segment->cut[k]);
	}
	box_risk(v);
	atomic_store(&v->segment->behind, 1);
}

void
box_on_slot(uint32_t i, const struct slot *old)
{
	struct slot *v = &forwarder.slots.slot[i];
	struct box *b = v->own;
	routes_forget(&forwarder.routes);              /* what was cut of a client is known by its box */
	if (b && v->segment && old->id == v->id && old->segment_id != v->segment_id &&
	    atomic_load(&forwarder.unit->slot[i].away_safe) == old->owner)
		box_renew(v);
	else if (old->id != v->id || v->segment == NULL || old->segment_id != v->segment_id) {
		if (b)
			map_del(&forwarder.by_id, &b->id, sizeof b->id);
		box_free(b);
		v->own = NULL;
	}
	/* a living client's mail box that cannot be attached: its messages must not be passed over */
	if (v->segment == NULL && v->state != SLOT_FREE && v->state != SLOT_DYING &&
	    atomic_load(&forwarder.table->slot[i].owner) == v->owner &&
	    atomic_load(&forwarder.table->slot[i].state) == v->state)
		log_fatal(EXIT_SYSTEM, "shmat(segment of client %016llx): %s: %s", (unsigned long long)v->id,
		    strerror(errno), ipcq_attach_hint(errno));
	if (v->state == SLOT_FREE || v->segment == NULL)
		return;
	if (v->own == NULL) {
		v->own = b = calloc(1, sizeof *b);
		if (b)
			b->id = v->id;
		if (b == NULL || map_put(&forwarder.by_id, &b->id, sizeof b->id, v) < 0)
			log_fatal(EXIT_SYSTEM, "no memory for a client: see `free`");
		b->expired_told = atomic_load(&v->segment->expired);
		forwarder.routes.changed = 1;          /* its topics are to be shown, not those of whoever was here */
		box_scan(v);
		box_risk(v);
		box_is_fed(v);                         /* a predecessor may have been killed before it woke the owner */
	}
	/* the spool is open, with a segment to write to or without */
	if (v->state == SLOT_AWAY && forwarder.spool.buffer)
		box_away(v, i);
}

void
boxes_publish(void)
{
	for (size_t i = 0; i < forwarder.fed_count; i++) {
		struct slot *v = &forwarder.slots.slot[forwarder.fed[i]];
		struct box *b = v->own;
		forwarder.is_fed[forwarder.fed[i]] = 0;
		if (b == NULL)
			continue;
		ring_publish(&b->out);
		box_wake(v, ASLEEP_FOR_MAIL);
	}
	forwarder.fed_count = 0;
}
