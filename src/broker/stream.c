/* stream - see stream.h */
#include "broker/stream.h"
#include "format/group.h"
#include "format/kinds.h"
#include "format/properties.h"
#include "ipc/counters.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/log_peer.h"
#include "log/checkpoint_file.h"
#include <errno.h>
#include <mom.h>
#include <stdlib.h>

static void *
stream_memory(void *old, size_t n)
{
	void *p = realloc(old, n);
	if (p == NULL)
		log_fatal(EXIT_SYSTEM, "no memory for a machine's stream: see `free`");
	return p;
}

/* ---- the list ---- */

static void
stream_put(struct stream *s, struct record *r, const char *topic)
{
	if (s->room - s->have < RECORD_MAX)
		s->out = stream_memory(s->out, s->room = s->room * 2 + BATCH + RECORD_MAX);
	r->shard = (uint16_t)s->shard;
	s->have += record_make(s->out + s->have, r, topic, NULL, 0);
}

static void
stream_taken(struct stream *s, const void *payload, uint32_t n)
{
	struct taken t;
	if (n != TAKEN_BYTES)
		return;
	taken_get(&t, payload);
	if (t.client >> 32 != s->serial)
		return;
	if (s->hands_count == s->hands_room)
		s->hands = stream_memory(s->hands, (s->hands_room = s->hands_room * 2 + 64) * sizeof *s->hands);
	s->hands[s->hands_count++] = t.hand;
}

static int
by_offset(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static int
stream_listed(void *with, const void *bytes)
{
	struct stream *s = with;
	struct record r;
	record_get(&r, bytes);
	if (++s->looked % STREAM_SHARE == 0 && s->alive)
		s->alive();
	if (r.type == REC_MACHINE && r.publisher == s->serial)
		s->at = r.aux;
	if (r.type == REC_MACHINE && r.publisher == s->serial)
		s->expired_below = r.number;
	if (r.type == REC_TAKEN)
		stream_taken(s, record_data(bytes, &r), record_data_len(bytes, &r));
	if (r.type != REC_LISTED || r.publisher >> 32 != s->serial)
		return 0;
	subscriptions_change(&s->table, &r, record_topic(bytes));
	stream_put(s, &r, record_topic(bytes));
	s->told++;                                     /* counts, until stream_start is done */
	return 0;
}

int
stream_start(struct stream *s, uint32_t message, uint64_t head)
{
	struct record list = { .type = REC_LIST };
	s->record_most = RECORD_MOST(message);
	stream_put(s, &list, NULL);                    /* its place in front: made anew below */
	if (checkpoint_read(s->dir, &s->as_of, stream_listed, s) != 0)
		return -1;
	uint64_t place = s->at;
	if (s->at == 0 || s->at > s->as_of || s->from > s->as_of)
		s->at = s->as_of;                      /* changes of subscriptions are needed from there on */
	else if (s->from > s->at)
		s->at = s->from;
	if (s->hands_count)
		qsort(s->hands, s->hands_count, sizeof *s->hands, by_offset);
	/* a machine without a place yet */
	for (size_t i = 0; i < s->hands_count && s->hands[i] < s->at; i++)
		if (s->hands[i] >= s->from && s->hands[i] >= place)
			s->at = s->hands[i];
	list.aux = s->told;
	list.offset = s->at;
	list.number = s->expired_below;
	/* a worker that has just started shows its head a moment later */
	list.publisher = head > s->as_of ? head : s->as_of;
	record_make(s->out, &list, NULL, NULL, 0);
	s->told = 0;
	s->started = 1;
	return 0;
}

/* ---- the log ---- */

/* A change of the machine's own subscriptions that was made: the code of its result is in aux. Who unsubscribes from
 * all, or is destroyed, is answered by no code. */
static int
is_own_change(const struct stream *s, const char *p)
{
	uint8_t type = (uint8_t)p[9];
	if (!kind_of(type)->changes_subscriptions || get_u64(p + 32) >> 32 != s->serial || get_u64(p + 16) < s->as_of)
		return 0;
	return get_u16(p + 12) == 0 || get_u64(p + 48) == 0;
}

/* What nobody wants is remembered, too: most of a log is for others. */
static int
a_pattern_wants(struct stream *s, const char *topic, uint16_t len)
{
	struct subscribed **patterns;
	void *wanted = NULL;
	if (s->table.patterns.count == 0 || memo_get(&s->table.memo, topic, len, &wanted))
		return wanted != NULL;
	wanted = subscriptions_match(&s->table, topic, len, &patterns) ? s : NULL;
	subscriptions_note(&s->table, topic, len, wanted, 0);
	return wanted != NULL;
}

static int
has_expired(const char *p)
{
	struct record r;
	if (!(get_u16(p + 10) & REC_F_PROPERTIES))
		return 0;
	record_get(&r, p);
	int expired = record_is_expired(p, &r, clock_wall_us() / 1000);
	counters_add(COUNT_EXPIRED, (uint64_t)expired);
	return expired;
}

/* It was settled before, or taken back, else. */
static int
hand_counts(const struct stream *s, uint64_t offset)
{
	return offset >= s->as_of || (s->hands_count &&
	    bsearch(&offset, s->hands, s->hands_count, sizeof offset, by_offset) != NULL);
}

/* Is this record for the machine? */
static int
stream_wants(struct stream *s, const char *p)
{
	uint8_t type = (uint8_t)p[9];
	uint16_t topic_len = get_u16(p + 12);
	if (type == REC_MESSAGE)
		return get_u64(p + 16) >= s->from && (map_get(&s->table.topics, p + RECORD_HEADER, topic_len) ||
		    a_pattern_wants(s, p + RECORD_HEADER, topic_len)) && !has_expired(p);
	if (type == REC_HAND)
		/* expired, too: its member settles it, and gets the next one */
		return get_u64(p + 40) >> 32 == s->serial && get_u64(p + 16) >= s->from &&
		    hand_counts(s, get_u64(p + 16));
	if (type == REC_GAP)
		return s->table.topics.used && get_u64(p + 48) > s->from;
	return type == REC_START || is_own_change(s, p);
}

/* From such a record on the machine wants more, or less. */
static void
stream_follow(struct stream *s, const char *p)
{
	struct record r;
	if (!kind_of((uint8_t)p[9])->changes_subscriptions)
		return;
	record_get(&r, p);
	subscriptions_change(&s->table, &r, p + RECORD_HEADER);
}

/* What is wanted moves together at the front; runs move at once, and not at all where everything is wanted. */
static size_t
stream_keep(struct stream *s, char *bytes, size_t n)
{
	size_t kept = 0, run = 0, q = 0;
	while (q < n) {
		size_t stride = record_stride(get_u32(bytes + q));
		if (stream_wants(s, bytes + q))
			stream_follow(s, bytes + q);
		else {
			if (kept != run)
				memmove(bytes + kept, bytes + run, q - run);
			kept += q - run;
			run = q + stride;
		}
		q += stride;
	}
	if (kept != run)
		memmove(bytes + kept, bytes + run, n - run);
	return kept + (n - run);
}

static int
stream_seek(struct stream *s)
{
	int r = seglog_seek(&s->cursor, s->dir, s->at);
	if (r < 0)
		return -1;
	if (r == 1 && s->table.topics.used) {
		log_peer(LOG_FROM_ERROR, s->serial, "shard %u: the log begins at %llx, above the machine's place %llx: "
		    "it is told of the gap; was the store replaced by an older copy?", s->shard,
		    (unsigned long long)s->cursor.file.at, (unsigned long long)s->at);
		stream_put(s, &(struct record){ .type = REC_GAP, .offset = s->at, .aux = s->cursor.file.at }, NULL);
	}
	s->at = s->cursor.file.at;
	s->reading = 1;
	return 0;
}

int
stream_read(struct stream *s, uint64_t head, uint64_t wanted)
{
	s->sent = s->have = 0;
	if (s->at >= head)
		return 0;
	if (wanted && s->at >= wanted) {
		if (s->reading)
			seglog_leave(&s->cursor);
		s->reading = 0;
		s->at = head;
		return 0;
	}
	if (!s->reading && stream_seek(s) < 0)
		return -1;
	if (s->have)
		return 0;
	if (s->room < BATCH + s->record_most)
		s->out = stream_memory(s->out, s->room = BATCH + s->record_most);
	/* a batch at first, and more only where one record is larger */
	ssize_t n = seglog_read(&s->cursor, s->out, BATCH, head);
	if (n < 0 && errno == EBADMSG && s->cursor.file.fd >= 0)
		n = seglog_read(&s->cursor, s->out, BATCH + s->record_most, head);
	if (n < 0) {
		int error = errno;
		s->at = s->cursor.file.at;
		seglog_leave(&s->cursor);
		s->reading = 0;
		errno = error;
		return error == ESTALE ? stream_seek(s) : -1;  /* pruned: the machine needs nothing of it */
	}
	s->at = s->cursor.file.at;
	s->have = stream_keep(s, s->out, (size_t)n);
	if (s->have && s->have == (size_t)n)
		s->told = s->at;                       /* the last record says it itself */
	return 0;
}

void
stream_tell_place(struct stream *s)
{
	if (s->told >= s->at || s->sent != s->have)
		return;
	s->sent = s->have = 0;
	stream_put(s, &(struct record){ .type = REC_UPTO, .aux = s->at }, NULL);
	s->told = s->at;
}
