/* forwarder_spool - what mom_forwarder keeps on disk for clients that are behind: ENTRY records, each with its
 * recipients; and what they say at a start; a part of mom_forwarder */
#include "daemon/forwarder.h"
#include "base/fdio.h"
#include "base/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void
spool_failed(const char *what)
{
	log_fatal(EXIT_SYSTEM, "spool: %s: %s: deliveries wait at the broker; %s", what, strerror(errno),
	    fdio_hint(errno));
}

/* What is written to a file that has no name any more nobody finds again: the broker is told of none of it. */
void
spool_files_look(void)
{
	uint64_t base = seglog_gone(&forwarder.spool);
	if (base)
		log_fatal(EXIT_DISK, "spool: log-%016llx is gone from its folder: nothing more is taken from the "
		    "broker; bring it back, then start this daemon again", (unsigned long long)base);
}

/* ---- the spool: ENTRY records, each with its recipients ---- */

uint64_t
spool_append(const void *record, const uint64_t *ids, size_t n)
{
	uint32_t inner = get_u32(record), len = (uint32_t)(RECORD_HEADER + 8 * n + inner), stride = record_stride(len);
	char *at = seglog_reserve(&forwarder.spool, stride, 0);
	struct record r = { .len = len, .header = RECORD_HEADER, .type = REC_ENTRY, .aux = n };
	if (at == NULL && fdio_is_full(errno))
		return 0;
	if (at == NULL)
		spool_failed("write");
	record_put(at, &r);
	for (size_t i = 0; i < n; i++)
		put_u64(at + RECORD_HEADER + 8 * i, ids[i]);
	memcpy(at + RECORD_HEADER + 8 * n, record, inner);
	memset(at + len, 0, stride - len);
	forwarder.dirty = 1;
	return seglog_take(&forwarder.spool, at);
}

int
spool_is_short(void)
{
	uint64_t whole, left, spare = SPOOL_SPARE * forwarder.spool.segment_bytes;
	if (forwarder.spool.base == forwarder.spool_looked)
		return 0;
	forwarder.spool_looked = forwarder.spool.base;
	left = seglog_room_left(&forwarder.spool, &whole);
	return left < (spare < whole / 8 ? spare : whole / 8);
}

/* The record inside an entry and the number of its recipients; NULL where there is none: a file is believed no more
 * than its lengths. */
const char *
entry_record(const char *entry, uint64_t *n)
{
	uint64_t room = get_u32(entry) - RECORD_HEADER;
	*n = get_u64(entry + 48);
	if (entry[9] != REC_ENTRY || *n > room / 8)
		return NULL;
	const char *record = entry + RECORD_HEADER + 8 * *n;
	room -= 8 * *n;
	return record_is_sound(record, room) && get_u32(record) <= RECORD_MOST(forwarder.unit->message_max) &&
	    get_u16(record + 14) < SHARDS_MAX ? record : NULL;
}

const char *
entry_for(const char *entry, uint64_t id)
{
	uint64_t n;
	const char *record = entry_record(entry, &n);
	for (uint64_t i = 0; record && i < n; i++)
		if (get_u64(entry + RECORD_HEADER + 8 * i) == id)
			return record;
	return NULL;
}

/* ---- what lies in the mail box too ---- */

static struct held *
held_room(struct held_queue *q)
{
	if (q->first == q->count)
		q->first = q->count = 0;
	if (q->count == q->room && q->first > q->room / 2) {
		memmove(q->held, q->held + q->first, (q->count - q->first) * sizeof *q->held);
		q->count -= q->first;
		q->first = 0;
	} else if (q->count == q->room) {
		q->room = q->room * 2 + 16;
		q->held = realloc(q->held, q->room * sizeof *q->held);
		if (q->held == NULL)
			log_fatal(EXIT_SYSTEM, "no memory for a mail box: see `free`");
	}
	return &q->held[q->count++];
}

void
held_push(struct box *b, uint64_t at, const char *record)
{
	uint64_t offset = get_u64(record + 16), bytes = spool_cost(get_u32(record));
	if (b->held == NULL && (b->held = calloc(SHARDS_MAX, sizeof *b->held)) == NULL)
		log_fatal(EXIT_SYSTEM, "no memory for a mail box: see `free`");
	struct held_queue *q = &b->held[get_u16(record + 14)];
	struct held *last = q->first < q->count ? &q->held[q->count - 1] : NULL;
	b->held_bytes += bytes;
	if (last && offset > last->offset && last->bytes + bytes <= HELD_BYTES) {
		last->offset = offset;
		last->bytes += bytes;
	} else
		*held_room(q) = (struct held){ at, offset, bytes };
}

void
held_clear(struct box *b)
{
	for (uint32_t k = 0; b->held && k < SHARDS_MAX; k++)
		b->held[k].first = b->held[k].count = 0;
	b->backlog += b->held_bytes;
	b->held_bytes = 0;
}

void
held_free(struct box *b)
{
	for (uint32_t k = 0; b->held && k < SHARDS_MAX; k++)
		free(b->held[k].held);
	free(b->held);
}

/* Where the spool is needed from for this box. */
uint64_t
box_needs(struct slot *v)
{
	struct box *b = v->own;
	uint64_t needs = b->behind ? b->next : forwarder.spool.end;
	for (uint32_t k = 0; b->held_bytes && k < SHARDS_MAX; k++) {
		struct held_queue *q = &b->held[k];
		for (; q->first < q->count && q->held[q->first].offset <= atomic_load(&v->segment->acked[k]);
		    q->first++)
			b->held_bytes -= q->held[q->first].bytes;
		if (q->first < q->count && q->held[q->first].at < needs)
			needs = q->held[q->first].at;
	}
	return needs;
}
