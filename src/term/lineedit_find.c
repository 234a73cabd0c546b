/* lineedit_find - the lines typed before: one by one, and searched. See lineedit_inner.h. */
#include "term/lineedit_inner.h"
#include "term/glyph.h"
#include <string.h>

void
find_go(struct lineedit *e, int step)
{
	if (e->history == NULL || (step < 0 ? e->at == 0 : e->at >= e->history->n)) {
		lineedit_bell(e);
		return;
	}
	if (e->at == e->history->n && bytes_set(&e->typed, bytes_text(&e->text), e->text.n) < 0) {
		lineedit_bell(e);
		return;
	}
	e->at += (size_t)step;
	if (e->at == e->history->n)
		text_replace(e, bytes_text(&e->typed), e->typed.n);
	else
		text_replace(e, e->history->lines[e->at], strlen(e->history->lines[e->at]));
}

/* ---- the search ---- */

void
find_begin(struct lineedit *e)
{
	if (e->history == NULL || bytes_set(&e->before, bytes_text(&e->text), e->text.n) < 0) {
		lineedit_bell(e);
		return;
	}
	bytes_cut(&e->query, 0, e->query.n);
	e->before_cursor = e->cursor;
	e->found = e->history->n;
	e->searching = 1;
	e->missed = 0;
	e->dirty = 1;
}

/* from line `at` on: shows the first that holds the query */
static void
look(struct lineedit *e, size_t at, int step)
{
	for (; at < e->history->n; at += (size_t)step) {          /* one below 0 is far above n */
		const char *line = e->history->lines[at], *hit = strstr(line, bytes_text(&e->query));
		if (hit == NULL)
			continue;
		text_replace(e, line, strlen(line));
		e->cursor = glyph_settle(line, e->text.n, (size_t)(hit - line));
		e->found = at;
		e->missed = 0;
		return;
	}
	e->missed = 1;
	lineedit_bell(e);
}

static void
again(struct lineedit *e, int step)
{
	e->dirty = 1;
	if (e->query.n > 0)
		look(e, e->found + (size_t)step, step);
}

static void
shorten(struct lineedit *e)
{
	e->dirty = 1;
	if (e->query.n == 0) {
		lineedit_bell(e);
		return;
	}
	bytes_cut(&e->query, glyph_prev(e->query.p, e->query.n), e->query.n);
	if (e->query.n > 0)
		look(e, e->history->n - 1, -1);
	else
		e->missed = 0;
}

int
find_key(struct lineedit *e, unsigned char c)
{
	if (c == 'R' - '@' || c == 'S' - '@')
		again(e, c == 'R' - '@' ? -1 : 1);
	else if (c == 0x7f || c == 'H' - '@')
		shorten(e);
	else if (c == 'G' - '@' || c == 'C' - '@')
		find_end(e, 0);
	else if (c < 0x20) {
		find_end(e, 1);
		return 0;
	} else if (bytes_put(&e->query, e->query.n, &c, 1) < 0)
		lineedit_bell(e);
	else {
		e->dirty = 1;
		look(e, e->found < e->history->n ? e->found : e->history->n - 1, -1);
	}
	return 1;
}

void
find_end(struct lineedit *e, int keep)
{
	if (!e->searching)
		return;
	e->searching = 0;
	e->dirty = 1;
	if (keep && e->found < e->history->n) {
		if (e->at == e->history->n && bytes_set(&e->typed, bytes_text(&e->before), e->before.n) < 0)
			lineedit_bell(e);
		e->at = e->found;
	} else {
		text_replace(e, bytes_text(&e->before), e->before.n);
		e->cursor = e->before_cursor;
	}
}
