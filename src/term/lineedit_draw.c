/* lineedit_draw - the row on the screen: prompt, what fits of the text, the cursor. Also what Tab may put in. See
 * lineedit_inner.h. */
#include "term/lineedit_inner.h"
#include "term/glyph.h"
#include <stdio.h>
#include <string.h>

enum {
	TEXT_LEAST  = 8,                 /* columns of text that a prompt has to leave, or there is none */
	MARKS_LEAST = 4,                 /* columns from which on < and > are shown */
	CHOICES_MAX = 100                /* of a longer list the rest is only counted: it would push the screen away */
};

/* a byte that is lost for want of memory is drawn by the next key */
static void
put(struct lineedit *e, const char *p, size_t n)
{
	if (bytes_replace(&e->out, e->out.n, e->out.n, p, n) < 0)
		e->dirty = 1;
}

void
draw_text(struct lineedit *e, const char *text)
{
	put(e, text, strlen(text));
}

static size_t
columns_of(const char *p, size_t n)
{
	char shown[4];
	size_t len, width, sum = 0;
	for (size_t at = 0; at < n; sum += width)
		at += glyph_show(p + at, n - at, shown, &len, &width);
	return sum;
}

static void
put_blanks(struct lineedit *e, size_t from, size_t to)
{
	for (; from < to; from++)
		put(e, " ", 1);
}

/* The characters of the text in the columns from `from` to `to`; blanks where a wide one lies there by half. */
static void
put_columns(struct lineedit *e, const char *p, size_t n, size_t from, size_t to)
{
	char shown[4];
	size_t len, width, drawn = from;
	for (size_t at = 0, column = 0; at < n && column <= to; column += width) {
		at += glyph_show(p + at, n - at, shown, &len, &width);
		if (width > 0 ? column < from || column + width > to : column != drawn || column == from)
			continue;
		put_blanks(e, drawn, column);
		put(e, shown, len);
		drawn = column + width;
	}
	put_blanks(e, drawn, to);
}

/* Puts the text into so many columns, and returns in which of them the cursor is. A text that does not fit moves on by
 * half of them, so that the cursor and the character under it are always seen. */
static size_t
put_text(struct lineedit *e, size_t room)
{
	const char *p = e->text.p;
	size_t all = columns_of(p, e->text.n), cursor = columns_of(p, e->cursor), marks = room >= MARKS_LEAST,
	    step = room >= MARKS_LEAST ? (room - 2) / 2 : 1;
	size_t from = all <= room || cursor + 3 <= room ? 0 : cursor >= step ? (cursor / step - 1) * step : 0,
	    to = all < from + room ? all : from + room, left = marks && from > 0, right = marks && to < all;
	put(e, "<", left);
	put_columns(e, p, e->text.n, from + left, to - right);
	put(e, ">", right);
	return cursor - from;
}

/* What stands before the text; its columns. */
static size_t
put_prompt(struct lineedit *e, size_t room)
{
	const char *before = !e->searching ? e->prompt : e->missed ? "not found: " : "search: ";
	const char *query = e->searching ? e->query.p : "", *behind = e->searching ? " | " : "";
	size_t n = strlen(query), width = strlen(before) + columns_of(query, n) + strlen(behind);
	if (width + TEXT_LEAST > room)
		return 0;
	draw_text(e, before);
	put_columns(e, query, n, 0, columns_of(query, n));
	draw_text(e, behind);
	return width;
}

void
draw_row(struct lineedit *e)
{
	char move[32];
	e->dirty = 0;
	draw_text(e, "\r");
	/* the last column stays free: some terminals go on in the next row there */
	size_t room = e->columns - 1, start = put_prompt(e, room), at = start + put_text(e, room - start);
	snprintf(move, sizeof move, at > 0 ? "\x1b[K\r\x1b[%zuC" : "\x1b[K\r", at);
	draw_text(e, move);
}

/* In columns, as ls does it; then the line again. */
void
draw_choices(struct lineedit *e, const struct lineedit_choices *c)
{
	char more[64];
	size_t width = 1, count = c->n < CHOICES_MAX ? c->n : CHOICES_MAX;
	for (size_t i = 0; i < count; i++) {
		size_t w = columns_of(c->words[i], strlen(c->words[i])) + 2;
		width = w > width ? w : width;
	}
	size_t across = e->columns > width ? (e->columns - 1) / width : 1, rows = (count + across - 1) / across;
	for (size_t i = 0; i < rows; i++) {
		draw_text(e, "\r\n");
		for (size_t k = i; k < count; k += rows) {
			size_t n = strlen(c->words[k]);
			put_columns(e, c->words[k], n, 0, k + rows < count ? width : columns_of(c->words[k], n));
		}
	}
	snprintf(more, sizeof more, count < c->n ? "\r\n... and %zu more\r\n" : "\r\n", c->n - count);
	draw_text(e, more);
	e->dirty = 1;
}
