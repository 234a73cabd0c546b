/* lineedit_choice - Tab: what may stand here. See lineedit_inner.h. */
#include "term/lineedit_inner.h"
#include "term/glyph.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* of a longer list the rest is only counted: more is no help, and would push the screen away */
enum { SHOWN_MAX = 100 };

void
lineedit_choose(struct lineedit_choices *c, const char *word, size_t n)
{
	if (c->n == c->room) {
		size_t room = c->room ? 2 * c->room : 32;
		char **bigger = realloc(c->words, room * sizeof *bigger);
		if (bigger == NULL)
			return;
		c->words = bigger;
		c->room = room;
	}
	if ((c->words[c->n] = strndup(word, n)) != NULL)
		c->n++;
}

static int
by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
sort(struct lineedit_choices *c)
{
	size_t kept = 0;
	if (c->n == 0)
		return;
	qsort(c->words, c->n, sizeof *c->words, by_bytes);
	for (size_t i = 1; i < c->n; i++)
		if (strcmp(c->words[kept], c->words[i]) == 0)
			free(c->words[i]);
		else
			c->words[++kept] = c->words[i];
	c->n = kept + 1;
}

/* how much of the first word all have, in whole code points; sorted: the first and the last decide */
static size_t
common(const struct lineedit_choices *c)
{
	const char *a = c->words[0], *b = c->words[c->n - 1];
	size_t n = 0;
	while (a[n] && a[n] == b[n])
		n++;
	while (n > 0 && glyph_settle(a, strlen(a), n) != n)
		n--;
	return n;
}

static void
show_all(struct lineedit *e, const struct lineedit_choices *c)
{
	size_t width = 1, count = c->n < SHOWN_MAX ? c->n : SHOWN_MAX;
	for (size_t i = 0; i < count; i++) {
		size_t w = draw_columns(c->words[i], strlen(c->words[i])) + 2;
		width = w > width ? w : width;
	}
	size_t across = e->columns > width ? (e->columns - 1) / width : 1, rows = (count + across - 1) / across;
	for (size_t row = 0; row < rows; row++) {
		draw_bytes(e, "\r\n");
		for (size_t i = row; i < count; i += rows) {
			draw_safely(e, c->words[i], strlen(c->words[i]));
			for (size_t w = draw_columns(c->words[i], strlen(c->words[i])); w < width &&
			    i + rows < count; w++)
				draw_bytes(e, " ");
		}
	}
	if (count < c->n) {
		char more[64];
		snprintf(more, sizeof more, "\r\n... and %zu more", c->n - count);
		draw_bytes(e, more);
	}
	draw_bytes(e, "\r\n");
	e->dirty = 1;
}

/* the word before the cursor becomes this one */
static void
put(struct lineedit *e, size_t from, const char *word, size_t n, int whole)
{
	bytes_cut(&e->text, from, e->cursor);
	e->cursor = from;
	text_insert(e, word, n);
	if (whole && (e->cursor == e->text.n || e->text.p[e->cursor] != ' '))
		text_insert(e, " ", 1);
	else if (whole)
		e->cursor++;
}

void
choice_complete(struct lineedit *e)
{
	struct lineedit_choices c = { .from = e->cursor };
	if (e->complete)
		e->complete(e->context, bytes_text(&e->text), e->cursor, &c);
	sort(&c);
	size_t typed = e->cursor - c.from, n = c.n ? common(&c) : 0;
	if (c.n == 1)
		put(e, c.from, c.words[0], n, 1);
	else if (c.n > 1 && n > typed)
		put(e, c.from, c.words[0], n, 0);
	else if (c.n > 1 && e->tabs > 1)
		show_all(e, &c);
	else
		lineedit_bell(e);
	for (size_t i = 0; i < c.n; i++)
		free(c.words[i]);
	free(c.words);
}
