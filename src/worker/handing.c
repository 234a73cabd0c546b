/* handing - the messages of groups to their members: HAND records, what comes back by time or by death; a part of
 * worker */
#include "worker/worker.h"
#include "base/boot.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/log_peer.h"
#include "format/properties.h"
#include "format/topic.h"
#include "ipc/counters.h"
#include "worker/groups_file.h"
#include <errno.h>
#include <mom.h>
#include <stdlib.h>

/* ROUND_BYTES: of the log, for all groups in a round, so that publishers do not wait. CHUNK: a read; a member takes few
 * messages at a time. */
enum { ROUND_BYTES = 256 * 1024, CHUNK = 16 * 1024 };

static struct groups *
groups(void)
{
	return &worker.shard.groups;
}

/* ---- one message to one member ---- */

/* What is copied: a message, or a hand that came back (from: its offset). r: its header as the log has it. is_of_ring:
 * the properties say for how long a message lives; those of the log say until when. */
struct source { const struct record *r; const void *bytes; uint64_t from; uint32_t tries; int is_of_ring; };

static char *
put_property(char *at, uint8_t tag, const void *value, uint32_t n)
{
	*at = (char)tag;
	put_u16(at + 1, (uint16_t)n);
	memcpy(at + PROPERTY_HEAD, value, n);
	return at + PROPERTY_HEAD + n;
}

/* -1: the log has no room. */
static int
hand_to(struct group *g, const struct member *m, const struct source *from)
{
	const struct record *r = from->r;
	char value[NOTE_MOST];
	uint32_t others = hand_properties(from->bytes, r), n = record_data_len(from->bytes, r);
	int64_t now_ms = worker.now_us / 1000;
	struct hand_note note = { from->from, group_cursor(g), g->max_hold_ms ? now_ms + g->max_hold_ms : 0,
	    from->tries, g->name };
	uint32_t noted = hand_note_put(value, &note), size = (others ? others : 2) + PROPERTY_HEAD + noted;
	struct record hand = { .type = REC_HAND, .flags = (r->flags & REC_F_DURABLE) | REC_F_PROPERTIES,
	    .topic_len = r->topic_len, .shard = r->shard, .time = r->time, .publisher = r->publisher,
	    .number = m->client->subscriber.id, .aux = from->from ? r->aux : r->offset };
	uint32_t stride = (uint32_t)record_stride(RECORD_HEADER + record_topic_size(r->topic_len) + size + n);
	void *place = worker_place(stride, 1);
	if (place == NULL)
		return -1;
	char *at = record_begin(place, &hand, record_topic(from->bytes), size + n);
	put_u16(at, (uint16_t)(size - 2));
	at += 2;
	if (others) {
		memcpy(at, record_properties(from->bytes, r) + 2, others - 2);
		at += others - 2;
	}
	at = put_property(at, PROPERTY_HAND, value, noted);
	if (n)
		memcpy(at, record_data(from->bytes, r), n);
	if (from->is_of_ring)
		record_expires_from(place, &hand, now_ms);
	worker.batch += stride;
	worker.durable |= (hand.flags & REC_F_DURABLE) != 0;
	seglog_take(&worker.shard.log, place);
	shard_apply(&worker.shard, place, worker.shard.log.end);
	return 0;
}

/* ---- what was stored just now ---- */

/* How often a message that the log has no hand of was handed out, with this time. */
static uint32_t
first_try(const struct record *r)
{
	return !(r->flags & REC_F_DURABLE) && r->offset < worker.shard.risk ? 2 : 1;
}

static void
hand_fresh(struct group *g, const struct record *r, const void *bytes)
{
	uint64_t key = group_key(g, bytes, r);
	enum turn turn = group_turn(g, key);
	struct member *m = g->ready.count ? NULL : group_next_member(g);
	if (turn == TURN_SKIP) {
		group_skip(g, r->offset, key);
		g->read_at = r->offset + record_stride(r->len);
	} else if (turn == TURN_TAKE && m && g->back + g->dead < HANDS_KEPT_MOST &&
	    !(g->kind & MOM_GROUP_EXCLUSIVE && g->back)) {
		g->read_at = r->offset + record_stride(r->len);
		struct source from = { r, bytes, 0, 1, 1 };
		if (hand_to(g, m, &from) == 0)
			return;
		g->read_at = r->offset;
	}
	if (m)
		groups_wake(groups(), g);
}

void
worker_hand_message(const struct record *r, const void *bytes)
{
	const struct group_reach *reach = groups()->count ? groups_reach(groups(), record_topic(bytes), r->topic_len)
	    : NULL;
	uint64_t end = r->offset + record_stride(r->len);
	for (size_t i = 0; reach && i < reach->count; i++) {
		struct group *g = reach->of[i].group;
		if (reach->of[i].since >= r->offset)
			continue;
		if (g->read_at == r->offset && g->newest == end)
			hand_fresh(g, r, bytes);
		else
			groups_wake(groups(), g);
	}
}

/* ---- what stands in the log ---- */

static char *
buffer(void)
{
	static char *bytes;
	size_t room = CHUNK + (size_t)RECORD_MOST(worker.table->message_max);
	if (bytes == NULL && (bytes = malloc(room)) == NULL)
		log_fatal(EXIT_SYSTEM, "no memory for groups: see `free`");
	return bytes;
}

/* Readers see the file, so what was taken has to be in it. 0; there is nothing to read at or above that offset: 1 */
static int
flush_for(uint64_t at)
{
	struct seglog *l = &worker.shard.log;
	if (at >= l->written && seglog_flush(l) < 0)
		worker_disk_failed("writing the log");
	return at >= l->written;
}

/* Whole records from the cursor on; or the one that stands there, however large. 0: there are none now. -1: not this
 * time; where the log was damaged it is mended. */
static ssize_t
read_records(struct seglog_cursor *c)
{
	struct seglog *l = &worker.shard.log;
	ssize_t n = seglog_read(c, buffer(), CHUNK, l->written);
	if (n < 0 && errno == EBADMSG && c->file.fd >= 0)
		n = seglog_read(c, buffer(), CHUNK + (size_t)RECORD_MOST(worker.table->message_max), l->written);
	int why = errno;
	if (n >= 0)
		return n;
	if (why == EBADMSG && seglog_repair(l, c->file.at) < 0 && !fdio_is_full(errno))
		worker_disk_failed("a damaged segment cannot be written anew");
	else if (why != EBADMSG && why != ESTALE && why != ENOENT && why != EMFILE && why != ENFILE &&
	    !fdio_is_full(why))
		worker_disk_failed("reading the log for a group");
	return -1;
}

static int
seek(struct seglog_cursor *c, uint64_t at)
{
	if (seglog_seek(c, worker.shard.dir, at) >= 0)
		return 0;
	if (errno == EBADMSG && seglog_repair(&worker.shard.log, at) < 0 && !fdio_is_full(errno))
		worker_disk_failed("a damaged segment cannot be written anew");
	return -1;
}

/* The record at that offset. NULL: it cannot be read now; *gone: nor ever. */
static const char *
record_at(uint64_t offset, int *gone)
{
	struct seglog_cursor c;
	*gone = 0;
	if (flush_for(offset) || seek(&c, offset) < 0)
		return NULL;
	ssize_t n = read_records(&c);
	seglog_leave(&c);
	*gone = n == 0 || (n > 0 && (get_u64(buffer() + 16) != offset || buffer()[9] == REC_GAP));
	return n > 0 && !*gone ? buffer() : NULL;
}

/* ---- what came back, and what was skipped ---- */

int
worker_hand_is_durable(uint64_t hand)
{
	const struct hand *h = groups_hand(groups(), hand);
	return h && h->durable;
}

static int
take_back(const struct hand *h, enum take_back_why why)
{
	struct record r = { .type = REC_TAKE_BACK, .flags = h->durable ? REC_F_DURABLE : 0, .aux = h->offset,
	    .number = why };
	return worker_log(&r, NULL, 0);
}

static void
tell_gone(const struct group *g, uint64_t offset)
{
	log_peer(LOG_FROM_ERROR, worker.shard.index, "shard %u: a message of the group %s, at %llx, is damaged on "
	    "disk: nobody gets it; look at the disk", worker.shard.index, g->name, (unsigned long long)offset);
}

enum done { DONE_HANDED, DONE_DROPPED, DONE_NOT_NOW };

static enum done
hand_again(struct group *g, const struct member *m, const struct hand *h)
{
	struct record r;
	int gone;
	const char *bytes = record_at(h->offset, &gone);
	if (gone) {
		tell_gone(g, h->offset);
		return take_back(h, TAKE_BACK_DAMAGED) < 0 ? DONE_NOT_NOW : DONE_DROPPED;
	}
	if (bytes == NULL)
		return DONE_NOT_NOW;
	record_get(&r, bytes);
	if (record_is_expired(bytes, &r, worker.now_us / 1000))
		return take_back(h, TAKE_BACK_EXPIRED) < 0 ? DONE_NOT_NOW : DONE_DROPPED;
	struct source from = { &r, bytes, h->offset, h->tries + 1, 0 };
	return hand_to(g, m, &from) < 0 ? DONE_NOT_NOW : DONE_HANDED;
}

/* A message that stood behind one whose key was in work. What is gone or has expired leaves no record: a start finds
 * it, or finds it not, in the same way. */
static enum done
hand_skipped(struct group *g, const struct member *m, uint64_t offset)
{
	struct record r = { 0 };
	int gone;
	const char *bytes = record_at(offset, &gone);
	if (bytes == NULL && !gone)
		return DONE_NOT_NOW;
	if (bytes)
		record_get(&r, bytes);
	if (gone)
		tell_gone(g, offset);
	int expired = bytes && record_is_expired(bytes, &r, worker.now_us / 1000);
	int unbound = bytes && !groups_gets(groups(), g, record_topic(bytes), r.topic_len, r.offset);
	uint64_t key = bytes ? group_key(g, bytes, &r) : 0;
	groups()->totals.expired += expired != 0;
	group_unskip(g, offset);
	if (gone || expired || unbound)
		return DONE_DROPPED;
	struct source from = { &r, bytes, 0, first_try(&r), 0 };
	if (hand_to(g, m, &from) == 0)
		return DONE_HANDED;
	group_skip_again(g, offset, key);
	return DONE_NOT_NOW;
}

/* ---- what nobody has had yet ---- */

static int
reader_open(struct group *g)
{
	struct groups *gs = groups();
	if (g->reader && g->cursor.file.at == g->read_at)
		return 0;
	groups_close_reader(gs, g);
	unsigned i = gs->reader_turn++ % READERS_MOST;
	if (gs->readers[i])
		groups_close_reader(gs, gs->readers[i]);
	if (seek(&g->cursor, g->read_at) < 0)
		return -1;
	gs->readers[i] = g;
	g->reader = (int)i + 1;
	return 0;
}

/* A message that the group has not seen. DROPPED: it is not for it, or goes to somebody later, or to nobody. */
static enum done
hand_unread(struct group *g, const struct record *r, const char *bytes)
{
	if (r->type != REC_MESSAGE || r->offset < g->read_at || group_is_ahead(g, r->offset) ||
	    !groups_gets(groups(), g, record_topic(bytes), r->topic_len, r->offset))
		return DONE_DROPPED;
	if (record_is_expired(bytes, r, worker.now_us / 1000)) {
		groups()->totals.expired++;
		g->waiting -= g->waiting > 0;
		return DONE_DROPPED;
	}
	uint64_t key = group_key(g, bytes, r), before = g->read_at;
	enum turn turn = group_turn(g, key);
	if (turn == TURN_SKIP) {
		group_skip(g, r->offset, key);
		return DONE_DROPPED;
	}
	const struct member *m = turn == TURN_TAKE ? group_next_member(g) : NULL;
	if (m == NULL)
		return DONE_NOT_NOW;
	g->read_at = r->offset + record_stride(r->len);
	struct source from = { r, bytes, 0, first_try(r), 0 };
	if (hand_to(g, m, &from) == 0)
		return DONE_HANDED;
	g->read_at = before;
	return DONE_NOT_NOW;
}

/* Hands out what a read of the log finds. It ends with it, or where nobody has room. */
static enum done
hand_from_log(struct group *g, size_t *budget)
{
	if (flush_for(g->read_at) || reader_open(g) < 0)
		return DONE_NOT_NOW;
	ssize_t n = read_records(&g->cursor);
	if (n < 0) {
		groups_close_reader(groups(), g);
		return DONE_NOT_NOW;
	}
	if (n == 0 && g->newest > worker.shard.log.written) {   /* a segment's end: what follows is not in its file */
		g->read_at = g->cursor.file.at;
		return flush_for(g->newest - 1) ? DONE_NOT_NOW : DONE_DROPPED;
	}
	if (n == 0) {                                  /* damage took what there was */
		g->read_at = g->newest;
		return DONE_DROPPED;
	}
	enum done done = DONE_DROPPED;
	size_t q = 0;
	struct record r;
	for (; q < (size_t)n; q += record_stride(r.len)) {
		record_get(&r, buffer() + q);
		if ((done = hand_unread(g, &r, buffer() + q)) == DONE_NOT_NOW)
			break;
	}
	if (q < (size_t)n)
		g->oldest_us = r.time;
	if (q < (size_t)n)
		seglog_unread(&g->cursor, r.offset, (size_t)n - q);
	if (g->cursor.file.at > g->read_at)
		g->read_at = g->cursor.file.at;
	*budget -= q + CHUNK / 4 < *budget ? q + CHUNK / 4 : *budget;
	return done;
}

/* One step for a group. */
static enum done
hand_next(struct group *g, size_t *budget)
{
	int holds;
	struct hand *back = group_next_back(g, &holds);
	struct member *m = group_next_member(g);
	uint64_t skipped;
	if (m == NULL || holds)
		return DONE_NOT_NOW;
	if (back || (skipped = group_next_skipped(g)) != 0) {
		*budget -= *budget < CHUNK ? *budget : CHUNK;
		return back ? hand_again(g, m, back) : hand_skipped(g, m, skipped);
	}
	if (g->kind & MOM_GROUP_EXCLUSIVE && g->back)
		return DONE_NOT_NOW;
	if (g->read_at >= g->newest) {
		groups_close_reader(groups(), g);
		group_has_none(groups(), g);
		return DONE_NOT_NOW;
	}
	if (g->back + g->dead >= HANDS_KEPT_MOST) {
		log_peer(LOG_FROM_ERROR, worker.shard.index, "the group %s has %zu messages that came back or are "
		    "dead: it takes no new ones; look at them with mom dead %s, and retry or purge them", g->name,
		    g->back + g->dead, g->name);
		return DONE_NOT_NOW;
	}
	return hand_from_log(g, budget);
}

int
worker_hand_out(void)
{
	struct groups *gs = groups();
	size_t budget = ROUND_BYTES;
	struct group *last = NULL;
	for (struct group *g; budget && worker.batch < BATCH_MOST && (g = groups_next_hungry(gs)) != NULL;) {
		enum done done = DONE_HANDED;
		size_t share = budget < ROUND_BYTES / 4 ? budget : ROUND_BYTES / 4, left = share;
		while (left && worker.batch < BATCH_MOST && (done = hand_next(g, &left)) != DONE_NOT_NOW)
			;
		budget -= share - left;
		if (done != DONE_NOT_NOW)
			groups_wake(gs, g);
		if (g == last)
			break;
		last = last ? last : g;
	}
	return gs->hungry != NULL;
}

/* ---- time ---- */

static void
look_away(const struct machine *m)
{
	for (const struct client *c = m->first; c; c = c->next_of_machine)
		for (const struct member *of = c->memberships; of; of = of->next_of_client)
			while (of->hands && m->away >= of->group->hand_timeout_s)
				if (take_back(of->hands, TAKE_BACK_AWAY) < 0)
					return;
}

static void
look_held(struct group *g)
{
	int64_t now = clock_ms();
	for (struct hand *h = g->hands, *next; h; h = next) {
		next = h->next;
		if (h->state == TAKEN_OUT && now - h->since_ms >= g->max_hold_ms && take_back(h, TAKE_BACK_HELD) < 0)
			return;
	}
}

static int
delete_group(const struct group *g)
{
	char bytes[ORDER_MOST];
	struct group_order o = { .act = GROUP_DELETE };
	struct record r = { .type = REC_GROUP, .flags = REC_F_DURABLE };
	strcpy(o.name, g->name);
	return worker_log(&r, bytes, group_order_put(bytes, &o));
}

/* Nobody has been its member for so long that it is taken for forgotten: it would keep its messages for ever. */
static int
look_alone(struct group *g, uint32_t seconds)
{
	uint32_t expiry = atomic_load(&worker.table->expiry);
	if (g->members)
		return 0;
	g->alone_s += seconds;
	worker.shard.changed |= g->alone_s / 3600 != (g->alone_s - seconds) / 3600;
	if (expiry == 0 || g->alone_s < expiry)
		return 0;
	log_peer(LOG_FROM_WARN, 0, "the group %s had no member for %llu s: it is deleted with %llu messages that "
	    "waited in shard %u (--machine-expiry says when)", g->name, (unsigned long long)g->alone_s,
	    (unsigned long long)g->waiting, worker.shard.index);
	return delete_group(g) == 0;
}

static int
member_ends(struct member *m)
{
	char bytes[ORDER_MOST];
	struct group_order o = { .act = GROUP_NONE };
	struct record r = { .type = REC_LEAVE, .flags = REC_F_DURABLE | REC_F_EXPIRED,
	    .publisher = m->client->subscriber.id, .number = m->client->last };
	strcpy(o.name, m->group->name);
	m->has_ended = 1;
	return worker_log(&r, bytes, group_order_put(bytes, &o));
}

void
worker_end_memberships(struct client *c)
{
	for (struct member *m = c->memberships, *next; m; m = next) {
		next = m->next_of_client;
		member_ends(m);                        /* where there is no room: at a tick */
	}
}

static void
look_ended(struct group *g)
{
	for (struct member *m = g->first, *next; m; m = next) {
		int is_last = m->next == NULL;
		next = m->next;
		if (m->has_ended && (member_ends(m) < 0 || is_last))
			return;                        /* the group may be gone with its last member */
	}
}

static void
count(void)
{
	const struct groups_totals *is = &groups()->totals, *was = &worker.counted;
	counters_add(COUNT_HANDED, is->handed - was->handed);
	counters_add(COUNT_SETTLED, is->settled - was->settled);
	counters_add(COUNT_SETTLED_LATE, is->late - was->late);
	counters_add(COUNT_GIVEN_BACK, is->given_back - was->given_back);
	counters_add(COUNT_DEAD, is->dead - was->dead);
	counters_add(COUNT_EXPIRED, is->expired - was->expired);
	worker.counted = *is;
}

void
worker_groups_look(uint32_t seconds)
{
	struct groups *gs = groups();
	uint64_t whole, left, kept = GROUPS_SEGMENTS * worker.shard.log.segment_bytes;
	size_t at = 0;
	count();
	groups_file_look(gs, worker.shard.dir, 0);
	worker.disk_is_short = 0;
	if (gs->count == 0)
		return;
	left = seglog_room_left(&worker.shard.log, &whole);
	worker.disk_is_short = left < (kept < whole / 8 ? kept : whole / 8);
	worker.now_us = clock_wall_us();
	for (const struct machine *m = worker.shard.machines; m; m = m->next)
		if (!m->live)
			look_away(m);
	for (struct group *g; (g = map_each(&gs->names, &at)) != NULL;) {
		if (look_alone(g, seconds))
			continue;
		if (g->max_hold_ms && g->out)
			look_held(g);
		groups_wake(gs, g);
		look_ended(g);
	}
}

/* ---- the start ---- */

uint64_t
worker_boot(void)
{
	const char *id = boot_id();
	return id ? topic_hash64(id, strlen(id)) : 0;
}

/* Of a fast hand neither the copy nor what became of it was synced. */
void
worker_groups_begin(uint64_t boot_before)
{
	size_t at = 0;
	uint64_t boot = worker_boot();
	worker.counted = groups()->totals;
	for (struct group *g; (boot == 0 || boot != boot_before) && (g = map_each(&groups()->names, &at)) != NULL;)
		for (struct hand *h = g->hands, *next; h; h = next) {
			next = h->next;
			if (h->state == TAKEN_OUT && !h->durable && take_back(h, TAKE_BACK_POWER) < 0)
				break;
		}
}
