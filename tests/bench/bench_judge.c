/* bench_judge - a part of mom_bench: each message carries a stamp; the judge says what was lost, doubled, changed or
 * out of order. A payload: the stamp, a pattern, and at its end (from 32 bytes on) the stamp's numbers again, so that
 * two halves of two messages show. */
#include "bench/bench.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STAMP_MAGIC = 0x6d62656e, STAMP_WITH_TAIL = sizeof(struct stamp) + sizeof(uint64_t) };

static uint64_t
stamp_tail(const struct stamp *s)
{
	return ~(s->sequence * 0x9e3779b97f4a7c15u ^ s->run ^ s->publisher);
}

void
stamp_fill(unsigned char *payload, size_t size)
{
	for (size_t i = 0; i < size; i++)
		payload[i] = (unsigned char)(i * 167 + (i >> 8));
}

void
stamp_put(unsigned char *payload, size_t size, const struct stamp *s)
{
	struct stamp whole = *s;
	uint64_t tail = stamp_tail(s);
	whole.magic = STAMP_MAGIC;
	memcpy(payload, &whole, sizeof whole);
	if (size >= STAMP_WITH_TAIL)
		memcpy(payload + size - sizeof tail, &tail, sizeof tail);
}

void
judge_init(struct judge *j, uint64_t run, size_t size, uint32_t publishers, uint64_t topics)
{
	memset(j, 0, sizeof *j);
	j->run = run;
	j->size = size;
	j->publishers = publishers;
	j->topics = topics;
	j->next = calloc(publishers * topics, sizeof *j->next);
	j->pattern = malloc(size);
	if (j->next == NULL || j->pattern == NULL)
		bench_die(BENCH_START, "no memory for %llu topics", (unsigned long long)topics);
	stamp_fill(j->pattern, size);
}

void
judge_free(struct judge *j)
{
	free(j->next);
	free(j->pattern);
	j->next = NULL;
	j->pattern = NULL;
}

static void __attribute__((format(printf, 2, 3)))
first_fault(struct judge *j, const char *format, ...)
{
	va_list list;
	if (j->tally.first[0])
		return;
	va_start(list, format);
	vsnprintf(j->tally.first, sizeof j->tally.first, format, list);
	va_end(list);
}

static int
changed(struct judge *j, const char *what, unsigned long long got, unsigned long long wanted)
{
	first_fault(j, "%s is %llu, wanted %llu", what, got, wanted);
	j->tally.changed++;
	return -1;
}

static int
is_whole(struct judge *j, const struct mom_message *m, struct stamp *s)
{
	uint64_t tail;
	size_t middle = j->size;
	if (m->flags & MOM_GAP)
		return changed(j, "a message that tells of a gap: flags", m->flags, 0);
	if (m->len != j->size)
		return changed(j, "length", m->len, j->size);
	memcpy(s, m->data, sizeof *s);
	if (s->magic != STAMP_MAGIC || s->run != j->run || s->publisher >= j->publishers)
		return changed(j, "a stamp that is none of this run: its run", s->run, j->run);
	if (j->size >= STAMP_WITH_TAIL) {
		middle -= sizeof tail;
		memcpy(&tail, (const char *)m->data + middle, sizeof tail);
		if (tail != stamp_tail(s))
			return changed(j, "the stamp at the end", tail, stamp_tail(s));
	}
	if (memcmp((const char *)m->data + sizeof *s, j->pattern + sizeof *s, middle - sizeof *s) != 0)
		return changed(j, "a byte between the stamps is another: sequence", s->sequence, s->sequence);
	const char *number = strrchr(m->topic, '/');
	if (strtoull(number ? number + 1 : "", NULL, 10) != s->sequence % j->topics)
		return changed(j, "the topic's number in the stamp", s->sequence % j->topics,
		    strtoull(number ? number + 1 : "", NULL, 10));
	return 0;
}

static void
open_gap(struct judge *j, size_t key, uint64_t from, uint64_t to)
{
	j->tally.lost += to - from;
	if (j->gaps < (int)(sizeof j->gap / sizeof *j->gap))
		j->gap[j->gaps++] = (struct gap){ key, from, to };
}

/* A number that was passed over has come after all: out of order, not lost. 1 if it was one. */
static int
close_gap(struct judge *j, size_t key, uint64_t number)
{
	for (int i = 0; i < j->gaps; i++) {
		struct gap *g = &j->gap[i];
		if (g->key != key || number < g->from || number >= g->to)
			continue;
		struct gap rest = { key, number + 1, g->to };
		g->to = number;
		j->tally.lost--;
		if (rest.from < rest.to && j->gaps < (int)(sizeof j->gap / sizeof *j->gap))
			j->gap[j->gaps++] = rest;
		return 1;
	}
	return 0;
}

int
judge_message(struct judge *j, const struct mom_message *m)
{
	struct stamp s;
	if (is_whole(j, m, &s) < 0)
		return -1;
	size_t key = s.publisher * j->topics + s.sequence % j->topics;
	uint64_t number = s.sequence / j->topics;
	if (number != j->next[key]) {
		first_fault(j, "publisher %u, topic %llu: message %llu came where %llu was next", s.publisher,
		    (unsigned long long)(s.sequence % j->topics), (unsigned long long)number,
		    (unsigned long long)j->next[key]);
		if (number > j->next[key])
			open_gap(j, key, j->next[key], number);
		else if (close_gap(j, key, number))
			j->tally.disorder++;
		else {
			j->tally.doubled++;
			return -1;
		}
	}
	if (number >= j->next[key])
		j->next[key] = number + 1;
	j->tally.got++;
	return (int)s.publisher;
}

int
tally_is_clean(const struct tally *t)
{
	return t->lost + t->doubled + t->changed + t->disorder == 0;
}

void
tally_add(struct tally *sum, const struct tally *t)
{
	sum->got += t->got;
	sum->lost += t->lost;
	sum->doubled += t->doubled;
	sum->changed += t->changed;
	sum->disorder += t->disorder;
	if (sum->first[0] == '\0')
		memcpy(sum->first, t->first, sizeof sum->first);
}

void
tally_text(const struct tally *t, char *text, size_t size)
{
	const struct { const char *what; uint64_t n; } fault[] = { { "lost", t->lost }, { "doubled", t->doubled },
	    { "changed", t->changed },
		{ "out of order", t->disorder } };
	size_t n = 0;
	text[0] = '\0';
	for (size_t i = 0; i < sizeof fault / sizeof *fault && n < size; i++)
		if (fault[i].n)
			n += (size_t)snprintf(text + n, size - n, "%s%llu %s", n ? ", " : "",
			    (unsigned long long)fault[i].n, fault[i].what);
	if (n < size && t->first[0])
		snprintf(text + n, size - n, "; the first: %s", t->first);
}
