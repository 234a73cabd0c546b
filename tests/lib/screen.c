/* screen - see screen.h */
#include <lib/screen.h>
#include "term/glyph.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
screen_start(struct screen *s, size_t columns)
{
	memset(s, 0, sizeof *s);
	s->columns = columns < SCREEN_COLUMNS ? columns : SCREEN_COLUMNS;
}

static void
next_row(struct screen *s)
{
	if (++s->row < SCREEN_ROWS)
		return;
	memmove(s->cell[0], s->cell[1], sizeof s->cell - sizeof s->cell[0]);
	memset(s->cell[SCREEN_ROWS - 1], 0, sizeof s->cell[0]);
	s->row = SCREEN_ROWS - 1;
}

static void
show(struct screen *s, const char *p, size_t n, size_t width)
{
	if (width == 0) {
		char *joined = s->cell[s->row][s->column > 0 ? s->column - 1 : 0];
		if (*joined == '\0' && s->column > 1)
			joined -= SCREEN_CELL;                /* a wide one */
		if (strlen(joined) + n < SCREEN_CELL)
			strncat(joined, p, n);
		return;
	}
	if (s->column + width > s->columns) {
		s->wrapped++;
		s->column = 0;
		next_row(s);
	}
	for (size_t i = 0; i < width && s->column < s->columns; i++)
		memset(s->cell[s->row][s->column++], 0, SCREEN_CELL);
	memcpy(s->cell[s->row][s->column - width], p, n);
}

static void
clear(struct screen *s, size_t row, size_t from)
{
	if (from < SCREEN_COLUMNS)
		memset(s->cell[row][from], 0, (SCREEN_COLUMNS - from) * SCREEN_CELL);
}

/* a whole sequence, without its escape */
static const char *
obey(struct screen *s)
{
	size_t number = s->escape_n > 2 ? strtoul(s->escape + 1, NULL, 10) : 0;
	char *e = s->escape, last = e[s->escape_n - 1];
	e[s->escape_n] = '\0';
	s->escape_n = 0;
	if (strcmp(e, "[?2004h") == 0 || strcmp(e, "[?2004l") == 0)
		s->pastes = last == 'h';
	else if (last == 'C')
		s->column = s->column + number < s->columns ? s->column + number : s->columns - 1;
	else if (strcmp(e, "[K") == 0 || strcmp(e, "[J") == 0)
		clear(s, s->row, s->column);
	else if (strcmp(e, "[H") == 0)
		s->row = s->column = 0;
	else if (strcmp(e, "[2J") == 0)
		memset(s->cell, 0, sizeof s->cell);
	else
		return "an escape sequence that is not known";
	return NULL;
}

static const char *
put_code(struct screen *s, unsigned char c)
{
	uint32_t code;
	s->code[s->code_n++] = (char)c;
	size_t need = (unsigned char)s->code[0] < 0x80 ? 1 : (unsigned char)s->code[0] < 0xe0 ? 2
	    : (unsigned char)s->code[0] < 0xf0 ? 3 : 4;
	if (s->code_n < need)
		return NULL;
	s->code_n = 0;
	if (glyph_decode(s->code, need, &code) != need || glyph_width(code) < 0)
		return "a byte that is no character";
	show(s, s->code, need, (size_t)glyph_width(code));
	return NULL;
}

const char *
screen_put(struct screen *s, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	const char *wrong = NULL;
	for (size_t i = 0; i < n && wrong == NULL; i++) {
		if (s->escape_n > 0) {
			s->escape[s->escape_n++ - 1] = (char)p[i];
			if (s->escape_n > 2 && p[i] >= 0x40) {
				s->escape_n--;
				wrong = obey(s);
			} else if (s->escape_n == sizeof s->escape)
				return "an escape sequence without an end";
		} else if (p[i] == 0x1b)
			s->escape_n = 1;
		else if (p[i] == '\r')
			s->column = 0;
		else if (p[i] == '\n')
			next_row(s);
		else if (p[i] == '\a')
			s->bells++;
		else
			wrong = put_code(s, p[i]);
	}
	return wrong;
}

static int
is_wide(const char *cell)
{
	uint32_t code;
	size_t n = strlen(cell);
	return n > 0 && (glyph_decode(cell, n, &code), glyph_width(code)) == 2;
}

const char *
screen_row(struct screen *s, int from_cursor)
{
	size_t row = s->row + (size_t)from_cursor, end = s->columns;
	char *to = s->text;
	*to = '\0';
	if (row >= SCREEN_ROWS)
		return s->text;
	while (end > 0 && s->cell[row][end - 1][0] == '\0' && (end < 2 || !is_wide(s->cell[row][end - 2])))
		end--;
	for (size_t i = 0; i < end; i++)
		if (s->cell[row][i][0])
			to = stpcpy(to, s->cell[row][i]);
		else if (i == 0 || !is_wide(s->cell[row][i - 1]))
			to = stpcpy(to, " ");
	while (to > s->text && to[-1] == ' ')
		*--to = '\0';
	return s->text;
}
