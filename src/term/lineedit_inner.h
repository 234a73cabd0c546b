/* What the files of lineedit share: lineedit.c takes the keys, lineedit_draw.c makes the screen. */
#ifndef LINEEDIT_INNER_H
#define LINEEDIT_INNER_H
#include "term/bytes.h"
#include "term/lineedit.h"

struct lineedit {
	const char *prompt;
	size_t columns, cursor;                          /* cursor: in bytes */
	struct bytes text, out;
	int dirty;                                       /* the row is to be drawn anew */
	char keys[16];                                   /* an escape sequence that has begun */
	size_t keys_n;
	int pasting, paste_cr, tabs;
	char *killed;                                    /* what Ctrl-Y puts in */

	const struct history *history;
	size_t at;                                       /* the line that is shown; history->n: the one being typed */
	char *typed;                                     /* the line being typed, while another is shown */
	struct bytes query;                              /* of the search */
	int searching, missed;
	size_t search_began;                             /* the line that was shown when the search began */

	lineedit_complete_fn complete;
};

/* lineedit_draw.c */
void draw_text(struct lineedit *e, const char *text);    /* puts it on the screen as it is */
void draw_row(struct lineedit *e);
void draw_choices(struct lineedit *e, const struct lineedit_choices *c);
#endif
