/* stream - see stream.h */
#include "broker/stream.h"
#include "format/kinds.h"
#include "base/fdio.h"
#include "base/log_peer.h"
#include "worker/checkpoint.h"
#include <errno.h>
#include <mom.h>
#include <stdlib.h>

struct stream_topic { char *name; uint16_t len; size_t count; uint64_t number; };
struct stream_client { uint64_t id; struct stream_sub *subs; };
struct stream_key { uint64_t client, topic; };       /* id, number */
struct stream_sub {
	struct stream_key key;
	struct stream_topic *topic;
	struct stream_sub *next, **link;             /* of its client's; link: what leads to it */
};

static void *
stream_memory(void *old, size_t n)
{
	void *p = realloc(old, n);
	if (p == NULL)
		log_fatal(EXIT_SYSTEM, "no memory for a machine's subscriptions: see `free`");
	return p;
}

static void
stream_map(struct map *m, const void *key, size_t len, void *value)
{
	if (map_add(m, key, len, value) < 0)
		log_fatal(EXIT_SYSTEM, "no memory for a machine's subscriptions: see `free`");
}

static struct stream_topic *
stream_topic(struct stream *s, const char *name, uint16_t len)
{
	struct stream_topic *t = map_get(&s->topics, name, len);
	if (t)
		return t;
	t = stream_memory(NULL, sizeof *t);
	*t = (struct stream_topic){ stream_memory(NULL, (size_t)len + 1), len, 0, s->numbers++ };
	memcpy(t->name, name, len);
	stream_map(&s->topics, t->name, len, t);
	return t;
}

static void
stream_subscribe(struct stream *s, uint64_t id, const char *name, uint16_t len)
{
	struct stream_client *c = map_get(&s->clients, &id, sizeof id);
	if (c == NULL) {
		c = stream_memory(NULL, sizeof *c);
		*c = (struct stream_client){ .id = id };
		stream_map(&s->clients, &c->id, sizeof c->id, c);
	}
	struct stream_topic *t = stream_topic(s, name, len);
	struct stream_key key = { id, t->number };
	if (t->count && map_get(&s->subs, &key, sizeof key))
		return;
	struct stream_sub *sub = stream_memory(NULL, sizeof *sub);
	*sub = (struct stream_sub){ key, t, c->subs, &c->subs };
	if (c->subs)
		c->subs->link = &sub->next;
	c->subs = sub;
	t->count++;
	stream_map(&s->subs, &sub->key, sizeof sub->key, sub);
}

static void
stream_drop(struct stream *s, struct stream_sub *sub)
{
	struct stream_topic *t = sub->topic;
	map_del(&s->subs, &sub->key, sizeof sub->key);
	*sub->link = sub->next;
	if (sub->next)
		sub->next->link = sub->link;
	free(sub);
	if (--t->count > 0)
		return;
	map_del(&s->topics, t->name, t->len);
	free(t->name);
	free(t);
}

static void
stream_unsubscribe(struct stream *s, uint64_t id, const char *name, uint16_t len)
{
	struct stream_topic *t = map_get(&s->topics, name, len);
	struct stream_key key = { id, t ? t->number : 0 };
	struct stream_sub *sub = t ? map_get(&s->subs, &key, sizeof key) : NULL;
	if (sub)
		stream_drop(s, sub);
}

static void
stream_destroy(struct stream *s, uint64_t id)
{
	struct stream_client *c = map_del(&s->clients, &id, sizeof id);
	while (c && c->subs)
		stream_drop(s, c->subs);
	free(c);
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
	if (r.type != REC_LISTED || r.publisher >> 32 != s->serial)
		return 0;
	stream_subscribe(s, r.publisher, record_topic(bytes), r.topic_len);
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
	if (s->at == 0 || s->at > s->as_of || s->from > s->as_of)
		s->at = s->as_of;                      /* changes of subscriptions are needed from there on */
	else if (s->from > s->at)
		s->at = s->from;
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

/* Is this record for the machine? */
static int
stream_wants(const struct stream *s, const char *p)
{
	uint8_t type = (uint8_t)p[9];
	if (type == REC_MESSAGE)
		return get_u64(p + 16) >= s->from && map_get(&s->topics, p + RECORD_HEADER, get_u16(p + 12)) != NULL;
	if (type == REC_GAP)
		return s->topics.used && get_u64(p + 48) > s->from;
	return type == REC_START || is_own_change(s, p);
}

/* From such a record on the machine wants more, or less. */
static void
stream_follow(struct stream *s, const char *p)
{
	if (!kind_of((uint8_t)p[9])->changes_subscriptions)
		return;
	uint16_t len = get_u16(p + 12);
	uint64_t publisher = get_u64(p + 32);
	if (len == 0)
		stream_destroy(s, publisher);
	else if (p[9] == REC_SUBSCRIBE)
		stream_subscribe(s, publisher, p + RECORD_HEADER, len);
	else
		stream_unsubscribe(s, publisher, p + RECORD_HEADER, len);
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
	if (r == 1 && s->topics.used) {
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
