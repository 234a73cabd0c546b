/* screen - a terminal for what programs under test write to it: rows of characters and a cursor */
#ifndef SCREEN_H
#define SCREEN_H
#include <stddef.h>

enum { SCREEN_COLUMNS = 200, SCREEN_ROWS = 30, SCREEN_CELL = 24 };

struct screen {
	size_t columns, row, column;                 /* the cursor; column == columns: behind the last */
	char cell[SCREEN_ROWS][SCREEN_COLUMNS][SCREEN_CELL];   /* "" is blank; the right half of a wide character too */
	char escape[32];                             /* a sequence of which not all has come */
	size_t escape_n;
	char code[4];                                /* a character likewise */
	size_t code_n;
	/* a character came behind the last column; pastes: bracketed ones are asked for */
	int wrapped, bells, pastes;
	char text[SCREEN_COLUMNS * SCREEN_CELL];
};
void screen_start(struct screen *s, size_t columns);
/* NULL, or what in these bytes no terminal should be sent. A newline goes to the next row, without the first column. */
const char *screen_put(struct screen *s, const void *bytes, size_t n);
/* The row without blanks at its end; row 0 is the cursor's, -1 the one above it. Until the next call. */
const char *screen_row(struct screen *s, int from_cursor);
#endif
