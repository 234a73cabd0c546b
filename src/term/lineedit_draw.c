/* lineedit_draw - the row on the screen: prompt, what fits of the text, the cursor. See lineedit_inner.h. */
#include "term/lineedit_inner.h"
#include "term/glyph.h"
#include <stdio.h>
#include <string.h>

enum { TEXT_LEAST = 8 };                 /* columns of text that a prompt has to leave, or there is none */

/* a lost byte of the screen is drawn anew by the next key */
static void
put(struct lineedit *e, const char *p, size_t n)
{
	if (bytes_put(&e->out, e->out.n, p, n) < 0)
		e->dirty = 1;
}

void
draw_bytes(struct lineedit *e, const char *text)
{
	put(e, text, strlen(text));
}

/* as many characters as fit into that many columns; their columns */
static size_t
put_fitting(struct lineedit *e, const char *p, size_t n, size_t columns)
{
	char shown[4];
	size_t len, width, used = 0;
	for (size_t at = 0; at < n;) {
		size_t took = glyph_show(p + at, n - at, shown, &len, &width);
		if (used + width > columns)
			break;
		put(e, shown, len);
		used += width;
		at += took;
	}
	return used;
}

void
draw_safely(struct lineedit *e, const char *p, size_t n)
{
	put_fitting(e, p, n, (size_t)-1);
}

/* columns of the text; where they are more than most: any number above most */
static size_t
columns_up_to(const char *p, size_t n, size_t most)
{
	char shown[4];
	size_t len, width, sum = 0;
	for (size_t at = 0; at < n && sum <= most; sum += width)
		at += glyph_show(p + at, n - at, shown, &len, &width);
	return sum;
}

size_t
draw_columns(const char *p, size_t n)
{
	return columns_up_to(p, n, (size_t)-1);
}

/* the first character so that no more than columns lie between it and `at` */
static size_t
back_from(const char *p, size_t at, size_t columns)
{
	while (at > 0) {
		size_t before = glyph_prev(p, at), width = draw_columns(p + before, at - before);
		if (width > columns)
			break;
		columns -= width;
		at = before;
	}
	return at;
}

/* the cursor has to be among what is drawn, with one column for each mark */
static void
scroll(struct lineedit *e, size_t room)
{
	size_t marks = room >= 4 ? 2 : 0;
	if (e->left > e->text.n)
		e->left = e->text.n;
	if (e->cursor < e->left || (e->cursor == e->left && e->left > 0))
		e->left = back_from(e->text.p, e->cursor, room / 3);
	size_t under = marks && e->cursor < e->text.n ? 2 : 0;     /* what the cursor stands on is seen too */
	if (columns_up_to(bytes_text(&e->text) + e->left, e->cursor - e->left, room) + under + marks > room)
		e->left = back_from(e->text.p, e->cursor, (room - marks) / 2);
	if (e->left > 0 && columns_up_to(bytes_text(&e->text), e->text.n, room) < room)
		e->left = 0;
}

/* puts the text into room columns; where in them the cursor is */
static size_t
put_text(struct lineedit *e, size_t room)
{
	const char *p = bytes_text(&e->text) + e->left;
	size_t n = e->text.n - e->left, used = 0, before = columns_up_to(p, e->cursor - e->left, room);
	if (e->left > 0 && room >= 4) {
		put(e, "<", 1);
		used = 1;
	}
	before += used;
	if (columns_up_to(p, n, room) + used <= room)
		put_fitting(e, p, n, room - used);
	else if (room < 4)
		put_fitting(e, p, n, room);
	else {
		used += put_fitting(e, p, n, room - used - 1);
		for (; used < room - 1; used++)                       /* before a wide character that does not fit */
			put(e, " ", 1);
		put(e, ">", 1);
	}
	return before < room ? before : room;
}

/* what stands before the text */
static size_t
put_prompt(struct lineedit *e, size_t room)
{
	if (!e->searching) {
		size_t width = draw_columns(e->prompt, strlen(e->prompt));
		if (width + TEXT_LEAST > room)
			return 0;
		put(e, e->prompt, strlen(e->prompt));
		return width;
	}
	const char *words = e->missed ? "not found: " : "search: ", *query = bytes_text(&e->query);
	size_t from = e->query.n ? back_from(query, e->query.n, room / 3) : 0,
	    width = strlen(words) + draw_columns(query + from, e->query.n - from) + 3;
	if (width + TEXT_LEAST > room)
		return 0;
	put(e, words, strlen(words));
	draw_safely(e, query + from, e->query.n - from);
	put(e, " | ", 3);
	return width;
}

void
draw_row(struct lineedit *e)
{
	char move[32];
	e->dirty = 0;
	put(e, "\r", 1);
	/* the last column stays free: some terminals go on in the next row there */
	size_t room = e->columns - 1, start = put_prompt(e, room);
	scroll(e, room - start);
	size_t at = start + put_text(e, room - start);
	draw_bytes(e, "\x1b[K\r");
	if (at > 0) {
		snprintf(move, sizeof move, "\x1b[%zuC", at);
		draw_bytes(e, move);
	}
}

void
lineedit_bell(struct lineedit *e)
{
	draw_bytes(e, "\a");
}
