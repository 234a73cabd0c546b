/* What the files of lineedit share: lineedit.c takes the keys, lineedit_text.c changes the text, lineedit_find.c is the
 * history, lineedit_choice.c the completion, lineedit_draw.c the screen. */
#ifndef LINEEDIT_INNER_H
#define LINEEDIT_INNER_H
#include "term/lineedit.h"

struct bytes { char *p; size_t n, room; };               /* if p is not NULL, a NUL is behind the bytes */

struct lineedit {
	const char *prompt;
	size_t columns;
	struct bytes text, killed, out;
	size_t cursor, left;                                 /* in bytes; left: the first byte that is drawn */
	int dirty;                                           /* the row is to be drawn anew */

	enum { KEYS_PLAIN, KEYS_ESC, KEYS_CSI, KEYS_ONE_MORE, KEYS_SS3 } keys;
	/* Parameters of an escape sequence. A longer one is no known key. */
	char csi[16];
	size_t csi_n;
	int pasting, paste_cr, tabs;

	struct history *history;
	/* the line that is shown; history->n: the one being typed */
	size_t at;
	struct bytes typed;                                  /* the line being typed, while another is shown */
	int searching, missed;
	struct bytes query, before;                          /* before: the text when the search began */
	size_t before_cursor, found;                         /* found: the line that is shown */

	lineedit_complete_fn complete;
	void *context;
};

/* -1: no memory, and nothing has changed */
int  bytes_put(struct bytes *b, size_t at, const void *p, size_t n);
int  bytes_set(struct bytes *b, const void *p, size_t n);
void bytes_cut(struct bytes *b, size_t from, size_t to);
const char *bytes_text(const struct bytes *b);

void lineedit_bell(struct lineedit *e);
/* lineedit_text.c */
void text_insert(struct lineedit *e, const char *p, size_t n);
void text_replace(struct lineedit *e, const char *p, size_t n);   /* the whole text; the cursor goes to its end */
void text_kill(struct lineedit *e, size_t from, size_t to);       /* Ctrl-Y brings it back */
void text_delete(struct lineedit *e, int forward);
void text_swap(struct lineedit *e);
void text_move(struct lineedit *e, int forward);
size_t text_word_left(const struct lineedit *e);
size_t text_word_right(const struct lineedit *e);
size_t text_blank_left(const struct lineedit *e);                 /* words as the shell separates them */
/* lineedit_find.c */
void find_go(struct lineedit *e, int step);                       /* -1: older */
void find_begin(struct lineedit *e);
/* 1: the search has taken the key. 0: the search is over, and the key is the line's. */
int  find_key(struct lineedit *e, unsigned char c);
void find_end(struct lineedit *e, int keep);
/* lineedit_choice.c */
void choice_complete(struct lineedit *e);
/* lineedit_draw.c */
void draw_row(struct lineedit *e);
void draw_safely(struct lineedit *e, const char *p, size_t n);
void draw_bytes(struct lineedit *e, const char *text);
size_t draw_columns(const char *p, size_t n);
#endif
