/* lineedit_text - the text of the line and its cursor. See lineedit_inner.h. */
#include "term/lineedit_inner.h"
#include "term/glyph.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- bytes ---- */

/* ---- changes ---- */

void
text_insert(struct lineedit *e, const char *p, size_t n)
{
	if (bytes_put(&e->text, e->cursor, p, n) < 0) {
		lineedit_bell(e);
		return;
	}
	e->cursor += n;
	e->dirty = 1;
}

void
text_replace(struct lineedit *e, const char *p, size_t n)
{
	if (bytes_set(&e->text, p, n) < 0) {
		lineedit_bell(e);
		return;
	}
	e->cursor = n;
	e->left = 0;
	e->dirty = 1;
}

static void
cut(struct lineedit *e, size_t from, size_t to)
{
	bytes_cut(&e->text, from, to);
	e->cursor = from;
	e->dirty = 1;
}

void
text_kill(struct lineedit *e, size_t from, size_t to)
{
	if (from < to && bytes_set(&e->killed, e->text.p + from, to - from) == 0)
		cut(e, from, to);
	else
		lineedit_bell(e);
}

void
text_delete(struct lineedit *e, int forward)
{
	if (forward ? e->cursor == e->text.n : e->cursor == 0)
		lineedit_bell(e);
	else if (forward)
		cut(e, e->cursor, glyph_next(e->text.p, e->text.n, e->cursor));
	else
		cut(e, glyph_prev(e->text.p, e->cursor), e->cursor);
}

/* the character before the cursor and the one under it; at the end the two before it */
void
text_swap(struct lineedit *e)
{
	size_t middle = e->cursor == e->text.n && e->cursor > 0 ? glyph_prev(e->text.p, e->cursor) : e->cursor;
	if (middle == 0 || middle == e->text.n) {
		lineedit_bell(e);
		return;
	}
	size_t first = glyph_prev(e->text.p, middle), end = glyph_next(e->text.p, e->text.n, middle),
	    n = middle - first;
	char *copy = strndup(e->text.p + first, n);
	if (copy == NULL)
		return;
	memmove(e->text.p + first, e->text.p + middle, end - middle);
	memcpy(e->text.p + first + (end - middle), copy, n);
	free(copy);
	e->cursor = end;
	e->dirty = 1;
}

/* ---- moves ---- */

void
text_move(struct lineedit *e, int forward)
{
	if (forward ? e->cursor == e->text.n : e->cursor == 0)
		lineedit_bell(e);
	else
		e->cursor = forward ? glyph_next(e->text.p, e->text.n, e->cursor) : glyph_prev(e->text.p, e->cursor);
	e->dirty = 1;
}

static int
is_word(char c)
{
	return isalnum((unsigned char)c) || (c & 0x80) || c == '_';
}

size_t
text_word_left(const struct lineedit *e)
{
	size_t at = e->cursor;
	while (at > 0 && !is_word(e->text.p[at - 1]))
		at--;
	while (at > 0 && is_word(e->text.p[at - 1]))
		at--;
	return at;
}

size_t
text_word_right(const struct lineedit *e)
{
	size_t at = e->cursor;
	while (at < e->text.n && !is_word(e->text.p[at]))
		at++;
	while (at < e->text.n && is_word(e->text.p[at]))
		at++;
	return at;
}

size_t
text_blank_left(const struct lineedit *e)
{
	size_t at = e->cursor;
	while (at > 0 && isspace((unsigned char)e->text.p[at - 1]))
		at--;
	while (at > 0 && !isspace((unsigned char)e->text.p[at - 1]))
		at--;
	return at;
}
