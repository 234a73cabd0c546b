/* checker - reads the histories of all clients of a storm and says whether what is promised to a user was kept */
#include <storm/checker.h>
#include <lib/payload.h>
#include <lib/t.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const sentence_text[SENTENCES] = {
	"every message that was acknowledged is exactly once in the history of each subscriber that was there before "
	    "it",
	"each subscriber got what one publisher published on one topic in that order",
	"nothing was invented, altered or ascribed to another publisher",
	"nothing came twice within a session; after a death only what was not acknowledged came again, flagged "
	    "MOM_REDELIVERED",
	"offsets grow within a topic, and a message has the same one at all subscribers",
	"nothing was left behind: no queue, segment, semaphore, process, descriptor, temporary file",
	"whatever was killed was back in time",
	"processes with nothing to do used no CPU",
	"no sanitizer has found anything",
};

enum fate { FATE_MAYBE, FATE_SENT, FATE_ACKED, FATE_REFUSED };
enum { NAME = 64, TOPICS_MAX = 256, FAST = 1 };

struct sent {                        /* one message that was tried */
	int64_t tried;
	uint64_t offset;             /* 0: nobody got it yet */
	int seen_by;                 /* the last view that got it; 0: none */
	uint8_t fate, fast;
};
struct stream {                      /* what one process published on one topic */
	uint32_t publisher, count, room;
	int topic, rank;             /* rank: of its session among those of all clients, by time */
	uint64_t id;
	enum payload_mix mix;
	struct sent *sent;
};
struct at { uint64_t offset; int stream; uint32_t n; };
/* what one subscriber (all its processes) got of one topic, from subscribe to unsubscribe */
struct view {
	int number;                  /* its own, for sent.seen_by */
	int64_t subscribed;          /* 0: not known to have returned */
	int has_left, must_be_silent, strange;       /* strange: something in it stayed unknown, see identify */
	struct at *got;              /* accepted, in the order of coming */
	/* at: those below were handed to this session; acked: those below were acknowledged */
	long count, room, at, acked;
	uint64_t session_last;       /* offset, in this session */
};
/* of a publisher on a topic, at one subscriber; strange: see identify */
struct last { uint64_t id; int topic, stream; uint32_t n; int strange; };
/* what lies at an offset; stream -1: free */
struct place { uint64_t offset; int topic, stream; uint32_t n; };
struct session { char *path, name[NAME]; int64_t began; int durable,
    ended; unsigned long lost_told; uint64_t id; uint32_t publisher; enum payload_mix mix; };

static struct judge {
	struct verdict *v;
	enum checker_rules rules;
	struct session *sessions;
	int session_count;
	char *topics[TOPICS_MAX];
	int topic_count;
	struct stream *streams;
	int stream_count, stream_room, *index, index_size;
	struct at *known[TOPICS_MAX];        /* all offsets that anybody got, by topic */
	long known_count[TOPICS_MAX], known_room[TOPICS_MAX];
	struct place *places;                /* the same by offset, a hash table */
	long place_count, place_room;
	/* the subscriber that is being judged */
	const struct session *who;
	struct view view[TOPICS_MAX];
	struct last *last;
	int last_count, last_room, view_number, manual;
	long may_be_unwritten;               /* handed to a process that was killed before it could write it down */
} j;

static void __attribute__((format(printf, 2, 3)))
broken(enum sentence i, const char *format, ...)
{
	va_list list;
	if (j.v->broken[i]++)
		return;
	va_start(list, format);
	vsnprintf(j.v->first[i], sizeof j.v->first[i], format, list);
	va_end(list);
}

static void *
grown(void *array, long count, long *room, size_t size)
{
	if (count < *room)
		return array;
	*room = *room * 2 + 16;
	array = realloc(array, (size_t)*room * size);
	REQUIRE(array, "no memory for %ld", *room);
	return array;
}

static int
topic_of(const char *name)
{
	for (int i = 0; i < j.topic_count; i++)
		if (strcmp(j.topics[i], name) == 0)
			return i;
	REQUIRE(j.topic_count < TOPICS_MAX, "more than %d topics", TOPICS_MAX);
	j.topics[j.topic_count] = strdup(name);
	return j.topic_count++;
}

/* ---- streams: (publisher, topic) to what was tried ---- */

static int *
stream_cell(uint32_t publisher, int topic)
{
	uint64_t h = ((uint64_t)publisher << 8 | (uint64_t)topic) * UINT64_C(0x9E3779B97F4A7C15);
	for (int i = (int)(h >> 40) % j.index_size;; i = (i + 1) % j.index_size) {
		int s = j.index[i];
		if (s < 0 || (j.streams[s].publisher == publisher && j.streams[s].topic == topic))
			return &j.index[i];
	}
}

static int
stream_find(uint32_t publisher, int topic)
{
	return *stream_cell(publisher, topic);
}

static void
index_grow(void)
{
	if (j.stream_count * 2 < j.index_size)
		return;
	free(j.index);
	j.index_size = j.index_size ? j.index_size * 4 : 1024;
	j.index = malloc((size_t)j.index_size * sizeof *j.index);
	memset(j.index, -1, (size_t)j.index_size * sizeof *j.index);
	for (int i = 0; i < j.stream_count; i++)
		*stream_cell(j.streams[i].publisher, j.streams[i].topic) = i;
}

static struct stream *
stream_of(const struct session *s, int topic)
{
	int *cell = stream_cell(s->publisher, topic);
	if (*cell < 0) {
		long room = j.stream_room;
		j.streams = grown(j.streams, j.stream_count, &room, sizeof *j.streams);
		j.stream_room = (int)room;
		j.streams[j.stream_count] = (struct stream){ .publisher = s->publisher, .topic = topic,
		    .rank = (int)(s - j.sessions), .id = s->id, .mix = s->mix };
		*cell = j.stream_count++;
		index_grow();
		return &j.streams[j.stream_count - 1];
	}
	return &j.streams[*cell];
}

/* ---- offsets that somebody got ---- */

static struct place *
place_cell(int topic, uint64_t offset)
{
	uint64_t h = (offset ^ (uint64_t)topic << 56) * UINT64_C(0x9E3779B97F4A7C15);
	for (long i = (long)(h >> 24) % j.place_room;; i = (i + 1) % j.place_room)
		if (j.places[i].stream < 0 || (j.places[i].offset == offset && j.places[i].topic == topic))
			return &j.places[i];
}

static void
places_grow(void)
{
	struct place *old = j.places;
	long room = j.place_room;
	if (j.place_count * 2 < room)
		return;
	j.place_room = room ? room * 4 : 4096;
	j.places = malloc((size_t)j.place_room * sizeof *j.places);
	REQUIRE(j.places, "no memory for %ld offsets", j.place_room);
	for (long i = 0; i < j.place_room; i++)
		j.places[i].stream = -1;
	for (long i = 0; i < room; i++)
		if (old[i].stream >= 0)
			*place_cell(old[i].topic, old[i].offset) = old[i];
	free(old);
}

static void
place_add(int topic, uint64_t offset, int stream, uint32_t n)
{
	struct place *p = place_cell(topic, offset);
	if (p->stream >= 0)
		return;
	*p = (struct place){ offset, topic, stream, n };
	j.place_count++;
	places_grow();
}

/* ---- reading ---- */

struct line { char *word[12]; int words; int64_t time; };

/* the next whole line of *text; a last one without its end was being written when its process died */
static int
line_next(char **text, struct line *l)
{
	char *end = strchr(*text, '\n'), *rest = NULL;
	if (!end)
		return 0;
	*end = 0;
	l->words = 0;
	for (char *w = strtok_r(*text, " ", &rest); w && l->words < 12; w = strtok_r(NULL, " ", &rest))
		l->word[l->words++] = w;
	*text = end + 1;
	REQUIRE(l->words >= 2, "a line of a history without its time");
	l->time = strtoll(l->word[1], NULL, 10);
	return 1;
}

static int
is(const struct line *l, const char *event, int words)
{
	return strcmp(l->word[0], event) == 0 && l->words >= words;
}

static int
by_time(const void *a, const void *b)
{
	const struct session *x = a, *y = b;
	return x->began < y->began ? -1 : x->began > y->began;
}

static void
sessions_read(const char *folder)
{
	DIR *d = opendir(folder);
	long room = 0;
	REQUIRE(d, "%s: %s", folder, strerror(errno));
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		struct session s = { .began = 0 };
		struct line l;
		if (!strchr(e->d_name, '@'))
			continue;
		s.path = t_text("%s/%s", folder, e->d_name);
		char *text = t_read_file(s.path), *rest = text;
		if (line_next(&rest, &l) && is(&l, "client", 7)) {
			s.began = l.time;
			snprintf(s.name, sizeof s.name, "%s", l.word[2]);
			s.durable = strcmp(l.word[3], "durable") == 0;
			s.id = strtoull(l.word[4], NULL, 16);
			s.publisher = (uint32_t)strtoul(l.word[5], NULL, 10);
			s.mix = (enum payload_mix)atoi(l.word[6]);
			j.sessions = grown(j.sessions, j.session_count, &room, sizeof *j.sessions);
			j.sessions[j.session_count++] = s;
		}
		free(text);
	}
	closedir(d);
	if (j.session_count)
		qsort(j.sessions, (size_t)j.session_count, sizeof *j.sessions, by_time);
}

static void
tried(const struct session *s, const struct line *l)
{
	struct stream *t = stream_of(s, topic_of(l->word[2]));
	uint32_t n = (uint32_t)strtoul(l->word[3], NULL, 10);
	long room = t->room;
	REQUIRE(n == t->count, "%s: tries number %u of %s, the next is %u", s->path, n, l->word[2], t->count);
	t->sent = grown(t->sent, t->count, &room, sizeof *t->sent);
	t->room = (uint32_t)room;
	t->sent[t->count++] = (struct sent){ .tried = l->time, .fast = (atoi(l->word[4]) & FAST) != 0 };
	j.v->tried++;
}

static void
fate_set(const struct session *s, const struct line *l, enum fate fate)
{
	struct stream *t = stream_of(s, topic_of(l->word[2]));
	uint32_t n = (uint32_t)strtoul(l->word[3], NULL, 10);
	REQUIRE(n < t->count, "%s: an answer to number %u of %s, which was not tried", s->path, n, l->word[2]);
	t->sent[n].fate = (uint8_t)fate;
}

static void
on_their_way_are(const struct session *s, enum fate fate)
{
	for (int i = 0; i < j.topic_count; i++) {
		int k = stream_find(s->publisher, i);
		for (uint32_t n = k < 0 ? 0 : j.streams[k].count; n-- > 0;)
			if (j.streams[k].sent[n].fate == FATE_SENT)
				j.streams[k].sent[n].fate = (uint8_t)fate;
	}
}

/* 0: all that is on its way is acknowledged. A failure: some of it is refused, nobody knows which. MOM_ETIMEDOUT,
 * MOM_EINTR: nothing new. */
static void
flushed(const struct session *s, int code)
{
	if (code != MOM_ETIMEDOUT && code != MOM_EINTR)
		on_their_way_are(s, code == 0 || code == MOM_ELOST ? FATE_ACKED : FATE_MAYBE);
}

static void
publishes_read(struct session *s)
{
	char *text = t_read_file(s->path), *rest = text;
	for (struct line l; line_next(&rest, &l);) {
		if (is(&l, "try", 5))
			tried(s, &l);
		else if (is(&l, "ok", 4))
			fate_set(s, &l, FATE_ACKED);
		else if (is(&l, "sent", 4))
			fate_set(s, &l, FATE_SENT);
		else if (is(&l, "no", 4))
			fate_set(s, &l, FATE_REFUSED);
		else if (is(&l, "maybe", 4))
			fate_set(s, &l, FATE_MAYBE);
		else if (is(&l, "ended", 2)) {
			on_their_way_are(s, FATE_MAYBE);
			j.v->ended++;
		}
		else if (is(&l, "flush", 3))
			flushed(s, atoi(l.word[2]));
		else if (is(&l, "lost", 3))
			s->lost_told += strtoul(l.word[2], NULL, 10);
		else if (is(&l, "end", 3))
			s->ended = 1;
	}
	j.v->lost_told += (long)s->lost_told;
	free(text);
}

static void
fates_count(void)
{
	for (int i = 0; i < j.stream_count; i++)
		for (uint32_t n = 0; n < j.streams[i].count; n++) {
			enum fate f = (enum fate)j.streams[i].sent[n].fate;
			j.v->acknowledged += f == FATE_ACKED;
			j.v->sent += f == FATE_SENT;
			j.v->refused += f == FATE_REFUSED;
			j.v->unknown += f == FATE_MAYBE;
		}
}

/* ---- one subscriber ---- */

static int
is_owed(const struct sent *s)
{
	return s->fate == FATE_ACKED || (s->fate == FATE_SENT && j.rules == CHECKER_KILLS);
}

static void
lacks(const struct stream *t, uint32_t n)
{
	broken(I1, "%s never got number %u of publisher %u on %s (%s%s), of which the publisher was told that it is %s",
	    j.who->name, n, t->publisher,
	    j.topics[t->topic], t->sent[n].fast ? "fast" : "durable",
	    t->sent[n].offset ? t_text(", offset %llx", (unsigned long long)t->sent[n].offset) : "",
	    t->sent[n].fate == FATE_ACKED ? "stored" : "on its way");
}

static struct last *
last_of(uint64_t id, int topic)
{
	for (int i = 0; i < j.last_count; i++)
		if (j.last[i].id == id && j.last[i].topic == topic)
			return &j.last[i];
	long room = j.last_room;
	j.last = grown(j.last, j.last_count, &room, sizeof *j.last);
	j.last_room = (int)room;
	j.last[j.last_count] = (struct last){ id, topic, -1, 0, 0 };
	return &j.last[j.last_count++];
}

/* What a stream owes this view: everything certain from the first that it was there for to the last that it can have
 * got. */
static void
stream_close(struct view *w, struct stream *t, int drained)
{
	uint32_t from = 0, to = drained ? t->count : 0;
	int from_seen = w->subscribed == 0 || last_of(t->id, t->topic)->strange;
	while (from < t->count && t->sent[from].seen_by != w->number &&
	    (from_seen || t->sent[from].tried < w->subscribed))
		from++;
	for (uint32_t n = t->count; n-- > from && to == 0;)
		if (t->sent[n].seen_by == w->number)
			to = n;
	unsigned long untold = j.sessions[t->rank].lost_told;
	for (uint32_t n = from; n < to; n++) {
		if (t->sent[n].seen_by == w->number || !is_owed(&t->sent[n]))
			continue;
		if (!(j.rules == CHECKER_POWER && t->sent[n].fast))
			lacks(t, n);
		else if (!j.sessions[t->rank].ended)
			continue;                      /* it died before it could be told */
		else if (untold-- == 0) {
			lacks(t, n);
			untold = 0;
		}
	}
}

static void
view_close(int topic, int drained)
{
	struct view *w = &j.view[topic];
	for (int i = 0; i < j.stream_count && (w->subscribed || w->count); i++)
		if (j.streams[i].topic == topic)
			stream_close(w, &j.streams[i], drained);
}

struct got { uint64_t offset, id, hash; size_t len; unsigned flags; int topic, has_head; uint32_t publisher, n; };

static const char *
got_text(const struct got *g)
{
	static char text[200];
	int k = snprintf(text, sizeof text, "%zu bytes of %016llx on %s, offset %llx, flags %u", g->len,
	    (unsigned long long)g->id, j.topics[g->topic],
	    (unsigned long long)g->offset, g->flags);
	if (g->has_head)
		snprintf(text + k, sizeof text - (size_t)k, ", number %u of publisher %u", g->n, g->publisher);
	return text;
}

static int
is_right(const struct stream *t, uint32_t n, const struct got *g)
{
	uint64_t hash;
	return payload_expected(t->mix, t->publisher, j.topics[t->topic], n, &hash) == g->len && hash == g->hash;
}

/* Which message it is: what its payload says. One that is too short for that is the next of its publisher's that looks
 * like it; where it is the first of its publisher's here (this subscriber came late), it is what another subscriber
 * found at this offset; -2: nobody did, so it stays unknown. -1: no such message. Durable subscribers are judged
 * first. */
static int
identify(const struct got *g, struct last *last, uint32_t *n)
{
	int s = g->has_head ? stream_find(g->publisher, g->topic) : last->stream;
	*n = g->has_head ? g->n : last->n + 1;
	if (s < 0 && !g->has_head) {
		struct place *p = place_cell(g->topic, g->offset);
		last->strange |= p->stream < 0;
		if (p->stream < 0)
			return -2;
		s = p->stream;
		*n = p->n;
	}
	if (s < 0)
		return -1;
	struct stream *t = &j.streams[s];
	while (!g->has_head && *n < t->count && (t->sent[*n].fate == FATE_REFUSED || !is_right(t, *n, g)))
		++*n;
	return *n < t->count && t->id == g->id && is_right(t, *n, g) ? s : -1;
}

static struct at *
find_at(struct view *w, uint64_t offset)
{
	for (long lo = 0, hi = w->count; lo < hi;) {
		long mid = (lo + hi) / 2;
		if (w->got[mid].offset == offset)
			return &w->got[mid];
		if (w->got[mid].offset < offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* at or below the newest offset: it may only be one that came to an earlier process of this client */
static void
came_again(struct view *w, const struct got *g)
{
	struct at *a = find_at(w, g->offset);
	if (!a) {
		broken(I2, "%s: an older message came after a newer one: %s", j.who->name, got_text(g));
		return;
	}
	struct stream *t = &j.streams[a->stream];
	if (!is_right(t, a->n, g) || t->id != g->id)
		broken(I3, "%s: what came again is not what came first: %s", j.who->name, got_text(g));
	if (!(g->flags & MOM_REDELIVERED))
		broken(I4, "%s: came again after a death without MOM_REDELIVERED: %s", j.who->name, got_text(g));
	if (a - w->got < w->acked && j.rules == CHECKER_KILLS)
		broken(I4, "%s: came again although it was acknowledged: %s", j.who->name, got_text(g));
	w->at = a - w->got + 1;
	j.v->redelivered++;
}

static void
known_add(const struct at *a, int topic)
{
	j.known[topic] = grown(j.known[topic], j.known_count[topic], &j.known_room[topic], sizeof **j.known);
	j.known[topic][j.known_count[topic]++] = *a;
}

/* a message that this client got for the first time */
static void
came(struct view *w, const struct got *g)
{
	struct last *last = last_of(g->id, g->topic);
	uint32_t n = 0;
	int s = identify(g, last, &n);
	if (s == -2) {
		w->strange = 1;
		return;
	}
	if (s < 0) {
		broken(I3, "%s: nobody published this: %s", j.who->name, got_text(g));
		return;
	}
	struct stream *t = &j.streams[s];
	struct sent *m = &t->sent[n];
	int may_repeat = j.rules == CHECKER_POWER && m->fast;
	if (last->stream >= 0 && !(may_repeat && m->seen_by == w->number) &&
	    (t->rank < j.streams[last->stream].rank || (last->stream == s && n <= last->n)))
		broken(m->seen_by == w->number ? I1 : I2, "%s: number %u of publisher %u on %s came after number %u of "
		    "publisher %u%s, offset %llx", j.who->name, n,
		    t->publisher, j.topics[g->topic], last->n, j.streams[last->stream].publisher,
		    m->seen_by == w->number ? ", a second time" : "",
		    (unsigned long long)g->offset);
	if (last->stream != s || n > last->n)
		*last = (struct last){ g->id, g->topic, s, n, last->strange };
	if (m->fate == FATE_REFUSED)
		broken(I3, "%s: number %u of publisher %u on %s came although its publisher was told that it is not "
		    "stored", j.who->name, n, t->publisher,
		    j.topics[g->topic]);
	if (m->offset && m->offset != g->offset && !may_repeat)
		broken(I5, "%s: number %u of publisher %u on %s has offset %llx, at another subscriber %llx",
		    j.who->name, n, t->publisher, j.topics[g->topic],
		    (unsigned long long)g->offset, (unsigned long long)m->offset);
	if (g->flags & MOM_REDELIVERED && j.may_be_unwritten-- <= 0 && j.rules == CHECKER_KILLS)
		broken(I4, "%s: flagged MOM_REDELIVERED, but no process of this client can have got it before: %s",
		    j.who->name, got_text(g));
	m->offset = g->offset;
	m->seen_by = w->number;
	struct at a = { g->offset, s, n };
	known_add(&a, g->topic);
	place_add(g->topic, g->offset, s, n);
	w->got = grown(w->got, w->count, &w->room, sizeof *w->got);
	w->got[w->count++] = a;
	w->at = w->count;
	j.v->accepted++;
}

static void
acked(void)
{
	for (int i = 0; i < j.topic_count; i++)
		if (j.view[i].at > j.view[i].acked)
			j.view[i].acked = j.view[i].at;
}

static void
received(const struct line *l)
{
	struct got g = { .topic = topic_of(l->word[2]), .offset = strtoull(l->word[3], NULL, 16),
	    .id = strtoull(l->word[4], NULL, 16),
		.len = strtoull(l->word[5], NULL, 10), .hash = strtoull(l->word[6], NULL, 16),
		    .flags = (unsigned)atoi(l->word[7]),
		.has_head = l->word[8][0] != '-' };
	struct view *w = &j.view[g.topic];
	if (g.has_head) {
		g.publisher = (uint32_t)strtoul(l->word[8], NULL, 10);
		g.n = (uint32_t)strtoul(l->word[9], NULL, 10);
	}
	if (!j.manual)
		acked();
	j.v->delivered++;
	if (w->must_be_silent)
		broken(I4, "%s: came after unsubscribe had returned: %s", j.who->name, got_text(&g));
	if (w->session_last && g.offset == w->session_last)
		broken(I4, "%s: came twice in a row: %s", j.who->name, got_text(&g));
	else if (w->session_last && g.offset < w->session_last)
		broken(find_at(w, g.offset) ? I4 : I5, "%s: came after offset %llx in the same session: %s",
		    j.who->name, (unsigned long long)w->session_last, got_text(&g));
	else if (w->count && g.offset <= w->got[w->count - 1].offset)
		came_again(w, &g);
	else
		came(w, &g);
	w->session_last = g.offset;
}

static void
subscription(const struct line *l)
{
	int topic = topic_of(l->word[2]);
	struct view *w = &j.view[topic];
	if (is(l, "sub?", 3) && w->has_left) {
		view_close(topic, 0);
		free(w->got);
		*w = (struct view){ .number = ++j.view_number };
	} else if (is(l, "sub", 3) && !w->subscribed)
		w->subscribed = l->time;
	else if (is(l, "unsub?", 3))
		w->has_left = 1;
	else if (is(l, "unsub", 3))
		w->must_be_silent = 1;
}

static void
session_begins(void)
{
	j.manual = 0;
	for (int i = 0; i < j.topic_count; i++) {
		j.view[i].session_last = 0;
		j.view[i].at = j.view[i].acked;
	}
}

/* 1: it was drained */
static int
session_judge(const struct session *s)
{
	char *text = t_read_file(s->path), *rest = text;
	int ended = 0;
	session_begins();
	for (struct line l; line_next(&rest, &l);) {
		if (is(&l, "got", 10))
			received(&l);
		else if (is(&l, "ack", 2))
			acked();
		else if (is(&l, "manual", 2))
			j.manual = 1;
		else if (is(&l, "sub", 3) || is(&l, "sub?", 3) || is(&l, "unsub", 3) || is(&l, "unsub?", 3))
			subscription(&l);
		else if (is(&l, "end", 3))
			ended = 1 + (strcmp(l.word[2], "drained") == 0);
		else if (is(&l, "gap", 3) && ++j.v->gaps)
			broken(I1, "%s was told by MOM_GAP that messages are missing", s->name);
	}
	if (ended && !j.manual)
		acked();                               /* mom_close did */
	j.may_be_unwritten += ended == 0;
	free(text);
	return ended == 2;
}

static long
known_from(int topic, uint64_t offset)
{
	long lo = 0, hi = j.known_count[topic];
	while (lo < hi) {
		long mid = (lo + hi) / 2;
		if (j.known[topic][mid].offset < offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int
is_headless(const struct at *a)
{
	uint64_t hash;
	const struct stream *t = &j.streams[a->stream];
	return payload_expected(t->mix, t->publisher, j.topics[t->topic], a->n, &hash) < PAYLOAD_HEAD;
}

/* A subscriber that got two messages of a topic got all that anybody got between them. */
static void
compare_known(int drained)
{
	for (int i = 0; i < j.topic_count; i++) {
		struct view *w = &j.view[i];
		if (w->count == 0 || w->has_left)
			continue;
		for (long k = known_from(i, w->got[0].offset); k < j.known_count[i]; k++) {
			const struct at *a = &j.known[i][k];
			if (!drained && a->offset > w->got[w->count - 1].offset)
				break;
			if (!find_at(w, a->offset) && !(w->strange && is_headless(a)) &&
			    !(j.rules == CHECKER_POWER && j.streams[a->stream].sent[a->n].fast))
				broken(I1, "%s never got offset %llx of %s (number %u of publisher %u), which others "
				    "got, but got %llx before and %llx as its last", j.who->name,
				    (unsigned long long)a->offset, j.topics[i], a->n, j.streams[a->stream].publisher,
				    (unsigned long long)w->got[0].offset,
				    (unsigned long long)w->got[w->count - 1].offset);
		}
	}
}

struct kept { int drained; struct view view[TOPICS_MAX]; };

/* all sessions of the client that begins with session i; its views are kept for compare_known */
static struct kept *
client_judge(int i, char *is_done)
{
	struct kept *k = calloc(1, sizeof *k);
	for (int t = 0; t < TOPICS_MAX; t++)
		j.view[t] = (struct view){ .number = ++j.view_number };
	j.last_count = 0;
	j.may_be_unwritten = 0;
	j.who = &j.sessions[i];
	j.v->clients++;
	for (int s = i; s < j.session_count; s++) {
		if (is_done[s] || strcmp(j.sessions[s].name, j.who->name) != 0)
			continue;
		if (s > i && !j.who->durable)
			broken(I3, "two histories of the anonymous client %s", j.who->name);
		is_done[s] = 1;
		k->drained = session_judge(&j.sessions[s]);
	}
	j.v->drained += k->drained;
	for (int t = 0; t < j.topic_count; t++)
		view_close(t, k->drained && !j.view[t].has_left);
	memcpy(k->view, j.view, sizeof k->view);
	return k;
}

static int
by_offset(const void *a, const void *b)
{
	const struct at *x = a, *y = b;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	if (x->stream != y->stream)
		return x->stream < y->stream ? -1 : 1;
	return x->n < y->n ? -1 : x->n > y->n;
}

/* one entry each; two messages at one offset are told */
static void
known_sort(int topic)
{
	struct at *a = j.known[topic];
	long n = 0;
	if (j.known_count[topic])
		qsort(a, (size_t)j.known_count[topic], sizeof *a, by_offset);
	for (long i = 0; i < j.known_count[topic]; i++) {
		if (n && a[n - 1].offset == a[i].offset && (a[n - 1].stream != a[i].stream || a[n - 1].n != a[i].n))
			broken(I5, "offset %llx of %s is number %u of publisher %u for one subscriber, number %u of "
			    "publisher %u for another",
			    (unsigned long long)a[i].offset, j.topics[topic], a[i].n, j.streams[a[i].stream].publisher,
			    a[n - 1].n, j.streams[a[n - 1].stream].publisher);
		if (n == 0 || a[n - 1].offset != a[i].offset)
			a[n++] = a[i];
	}
	j.known_count[topic] = n;
}

static void
judge_free(struct kept **kept)
{
	for (int i = 0; i < j.session_count; i++) {
		free(j.sessions[i].path);
		for (int t = 0; kept[i] && t < TOPICS_MAX; t++)
			free(kept[i]->view[t].got);
		free(kept[i]);
	}
	for (int i = 0; i < j.stream_count; i++)
		free(j.streams[i].sent);
	for (int i = 0; i < j.topic_count; i++) {
		free(j.topics[i]);
		free(j.known[i]);
	}
	free(kept);
	free(j.sessions);
	free(j.streams);
	free(j.index);
	free(j.last);
	free(j.places);
}

void
checker_judge(struct verdict *v, const char *folder, enum checker_rules rules)
{
	memset(v, 0, sizeof *v);
	memset(&j, 0, sizeof j);
	j.v = v;
	j.rules = rules;
	index_grow();
	places_grow();
	sessions_read(folder);
	for (int i = 0; i < j.session_count; i++)
		publishes_read(&j.sessions[i]);
	fates_count();
	v->sessions = j.session_count;
	char *is_done = calloc((size_t)j.session_count + 1, 1);
	struct kept **kept = calloc((size_t)j.session_count + 1, sizeof *kept);
	for (int durable = 1; durable >= 0; durable--)
		for (int i = 0; i < j.session_count; i++)
			if (!is_done[i] && j.sessions[i].durable >= durable)
				kept[i] = client_judge(i, is_done);
	free(is_done);
	for (int t = 0; t < j.topic_count; t++)
		known_sort(t);
	for (int i = 0; i < j.session_count; i++) {
		if (!kept[i])
			continue;
		j.who = &j.sessions[i];
		memcpy(j.view, kept[i]->view, sizeof j.view);
		compare_known(kept[i]->drained);
	}
	judge_free(kept);
	for (int i = I1; i <= I5; i++)
		v->judged[i] = 1;
}

void
checker_add(struct verdict *all, const struct verdict *v)
{
	long *sum = &all->clients;
	for (const long *add = &v->clients; add <= &v->drained; add++)
		*sum++ += *add;
	for (int i = 0; i < SENTENCES; i++) {
		if (v->broken[i] && !all->broken[i])
			snprintf(all->first[i], sizeof all->first[i], "%s", v->first[i]);
		all->judged[i] |= v->judged[i];
		all->broken[i] += v->broken[i];
	}
}

void
checker_say(struct verdict *v, enum sentence i, int ok, const char *format, ...)
{
	va_list list;
	v->judged[i] = 1;
	if (ok || v->broken[i]++)
		return;
	va_start(list, format);
	vsnprintf(v->first[i], sizeof v->first[i], format, list);
	va_end(list);
}

int
checker_holds(const struct verdict *v)
{
	for (int i = 0; i < SENTENCES; i++)
		if (v->judged[i] && v->broken[i])
			return 0;
	return 1;
}

void
checker_require(const struct verdict *v, const char *repeat)
{
	for (int i = 0; i < SENTENCES; i++)
		REQUIRE(!v->judged[i] || !v->broken[i], "I%d \"%s\" is broken %ld times, first: %s; again with %s",
		    i + 1, sentence_text[i], v->broken[i], v->first[i],
		    repeat);
}
