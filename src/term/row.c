/* row - see row.h */
#include "term/row.h"
#include "term/glyph.h"
#include <string.h>

enum {
	TEXT_LEAST  = 8,                 /* columns of text that a prompt has to leave, or there is none */
	MARKS_LEAST = 4,                 /* columns from which on < and > are shown */
	LIST_MAX    = 100                /* of a longer list the rest is only counted: it would push the screen away */
};

static size_t
columns_of(const char *p, size_t n)
{
	size_t sum = 0;
	for (struct glyph g; n > 0; p += g.bytes, n -= g.bytes) {
		g = glyph_at(p, n);
		sum += g.columns;
	}
	return sum;
}

/* The characters of the text in the columns from `from` to `to`; blanks where a wide one lies there by half. */
static void
put_columns(FILE *out, const char *p, size_t from, size_t to)
{
	size_t n = strlen(p), drawn = from, column = 0;
	for (struct glyph g; n > 0 && column <= to; p += g.bytes, n -= g.bytes, column += g.columns) {
		g = glyph_at(p, n);
		if (g.columns ? column < from || column + g.columns > to : column != drawn || column == from)
			continue;
		fprintf(out, "%*s%s", (int)(column - drawn), "", g.shown);
		drawn = column + g.columns;
	}
	fprintf(out, "%*s", (int)(to - drawn), "");
}

/* A text that does not fit moves on by half of its room, so that the cursor and the character under it are always
 * seen. */
void
row_draw(FILE *out, size_t columns, const char *prompt, const char *text, size_t cursor)
{
	/* the last column stays free: some terminals go on in the next row there */
	size_t room = columns > 2 ? columns - 1 : 1, start = columns_of(prompt, strlen(prompt));
	start = start + TEXT_LEAST > room ? 0 : start;
	room -= start;
	size_t all = columns_of(text, strlen(text)), at = columns_of(text, cursor), marks = room >= MARKS_LEAST;
	size_t step = marks ? (room - 2) / 2 : 1, from = all <= room || at + 3 <= room || at < step ? 0
	    : (at / step - 1) * step, to = all < from + room ? all : from + room;
	int left = marks && from > 0, right = marks && to < all;
	fputs("\r", out);
	put_columns(out, prompt, 0, start);
	fputs(left ? "<" : "", out);
	put_columns(out, text, from + (size_t)left, to - (size_t)right);
	fputs(right ? ">\x1b[K\r" : "\x1b[K\r", out);
	if (start + at > from)
		fprintf(out, "\x1b[%zuC", start + at - from);
}

void
row_list(FILE *out, size_t columns, char *const *words, size_t n)
{
	size_t width = 1, count = n < LIST_MAX ? n : LIST_MAX;
	for (size_t i = 0; i < count; i++) {
		size_t w = columns_of(words[i], strlen(words[i])) + 2;
		width = w > width ? w : width;
	}
	size_t across = columns > width ? (columns - 1) / width : 1, rows = (count + across - 1) / across;
	for (size_t i = 0; i < rows; i++) {
		fputs("\r\n", out);
		for (size_t k = i; k < count; k += rows) {
			size_t last = k + rows >= count;
			put_columns(out, words[k], 0, last ? columns_of(words[k], strlen(words[k])) : width);
		}
	}
	if (count < n)
		fprintf(out, "\r\n... and %zu more", n - count);
	fputs("\r\n", out);
}
