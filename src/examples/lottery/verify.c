/* verify - what came out of a lottery, against its agencies' files read one after the other by one process */
#include "verify.h"
#include "bet.h"
#include "tell.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lines { char **all; size_t count, room; };

static void
lines_add(struct lines *l, const char *text)
{
	if (l->count == l->room) {
		l->room = l->room ? 2 * l->room : 1024;
		l->all = realloc(l->all, l->room * sizeof *l->all);
	}
	if (l->all == NULL || (l->all[l->count++] = strdup(text)) == NULL)
		tell_fatal(111, "no memory for %zu lines: see `ulimit -v`", l->room);
}

static int
by_text(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

/* -1 where they hold the same, else the first place of difference, both sorted */
static long
lines_differ(struct lines *a, struct lines *b)
{
	size_t n = a->count < b->count ? a->count : b->count;
	if (a->count)
		qsort(a->all, a->count, sizeof *a->all, by_text);
	if (b->count)
		qsort(b->all, b->count, sizeof *b->all, by_text);
	for (size_t i = 0; i < n; i++)
		if (strcmp(a->all[i], b->all[i]) != 0)
			return (long)i;
	return a->count == b->count ? -1 : (long)n;
}

static void
lines_free(struct lines *l)
{
	while (l->count > 0)
		free(l->all[--l->count]);
	free(l->all);
	*l = (struct lines){ 0 };
}

/* All bets of a file (agency 0: bets.csv) as lines of bets.csv, and the documents of those that win. -1: error in
 * text */
static int
read_bets(const char *path, unsigned agency, struct lines *bets, struct lines *winners, long winner, char *text,
    size_t size)
{
	static struct csv csv;
	struct bet b;
	char line[BET_LINE_MAX + 1];
	int r = csv_open(&csv, path);
	while (r == 0 && (r = bet_next(&b, &csv, agency)) > 0) {
		bet_line(line, &b);
		lines_add(bets, line);
		if (b.number == (unsigned)winner && winners) {
			snprintf(line, sizeof line, "%u\n", b.document);
			lines_add(winners, line);
		}
		r = 0;
	}
	if (r < 0)
		snprintf(text, size, "%s", csv.error);
	csv_close(&csv);
	return r;
}

static void
read_told(const char *path, struct lines *told)
{
	char line[64];
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		lines_add(told, line);
	if (f)
		fclose(f);
}

static void
complain(struct verdict *v, const char *format, long first, long second)
{
	if (*v->text == 0)
		snprintf(v->text, sizeof v->text, format, first, second);
}

int
verify(struct verdict *v, const struct config *c)
{
	struct lines sent = { 0 }, stored = { 0 };
	*v = (struct verdict){ .own_winners = 1 };
	for (long i = 1; i <= c->agencies; i++) {
		struct lines winners = { 0 }, told = { 0 };
		if (read_bets(config_path(c, "agency-%ld.csv", i), (unsigned)i, &sent, &winners, c->winner, v->text,
		    sizeof v->text) < 0)
			v->own_winners = 0;
		read_told(config_path(c, "winners-%ld.csv", i), &told);
		v->winners += (long)winners.count;
		v->told += (long)told.count;
		if (lines_differ(&winners, &told) >= 0) {
			v->own_winners = 0;
			complain(v, "agency %ld: the documents of winners-%ld.csv are not those of its winners", i, i);
		}
		lines_free(&winners);
		lines_free(&told);
	}
	int readable = read_bets(config_path(c, "bets.csv"), 0, &stored, NULL, 0, v->text, sizeof v->text) == 0;
	v->sent = (long)sent.count;
	v->stored = (long)stored.count;
	long place = lines_differ(&sent, &stored);
	v->same_bets = readable && place < 0;
	if (place >= 0)
		complain(v, "bets.csv, sorted, differs from the agencies' bets from line %ld on", place + 1, 0);
	lines_free(&sent);
	lines_free(&stored);
	return v->same_bets && v->own_winners && *v->text == 0;
}
