/* The editor of one line at a terminal: a machine that takes the bytes of keys and gives the bytes of the screen. It
 * makes no system call; term.h is its terminal.
 *
 *     struct lineedit *e = lineedit_new("mom> ", 80, &history);
 *     lineedit_begin(e, 80);                               the prompt is in lineedit_output
 *     switch (lineedit_feed(e, keys, n, &used)) { case LINEEDIT_LINE: use(lineedit_line(e)); ... }
 *
 * KEYS     left right Ctrl-B Ctrl-F, Alt-B Alt-F (Ctrl- and Alt-arrows) by words, home end Ctrl-A Ctrl-E
 *          backspace Ctrl-H, delete Ctrl-D, Ctrl-W Alt-backspace Alt-D words, Ctrl-U Ctrl-K to the begin or end, Ctrl-Y
 *          gives that back, Ctrl-T swaps two
 *          up down Ctrl-P Ctrl-N history, Ctrl-R Ctrl-S search it (Ctrl-G gives up), Tab completes, twice: shows what
 *          is possible
 *          Ctrl-L clears the screen, Ctrl-C the line; Ctrl-D in an empty line: the end; Ctrl-Z: stop
 * PASTES   bracketed ones are put in as they are, line ends too: nothing is run before Enter is hit
 * SCREEN   one row: a line that is longer moves under it, < and > say where more is. Any byte may be in a line: it is
 *          drawn so that it cannot
 *          do anything to the terminal */
#ifndef LINEEDIT_H
#define LINEEDIT_H
#include <stddef.h>
#include "term/history.h"

struct lineedit;
enum lineedit_event {
	LINEEDIT_MORE,                   /* all was taken, the line goes on */
	LINEEDIT_LINE,                   /* Enter: lineedit_line */
	LINEEDIT_END,                    /* Ctrl-D in an empty line */
	LINEEDIT_STOP                    /* Ctrl-Z: the process wants to be stopped; lineedit_redraw afterwards */
};

/* The words that may stand where the cursor is, in any order, twice too. */
struct lineedit_choices { char **words; size_t n, room, from; };         /* from: where in the text the word begins */
void lineedit_choose(struct lineedit_choices *c, const char *word, size_t n);
typedef void (*lineedit_complete_fn)(void *context, const char *text, size_t cursor, struct lineedit_choices *choices);

/* NULL: no memory; history is only read */
struct lineedit *lineedit_new(const char *prompt, struct history *history);
void lineedit_free(struct lineedit *e);
void lineedit_on_complete(struct lineedit *e, lineedit_complete_fn fn, void *context);
void lineedit_begin(struct lineedit *e, size_t columns);          /* an empty line, and the prompt */
/* Stops behind the key that makes an event; used says how many bytes were taken. */
enum lineedit_event lineedit_feed(struct lineedit *e, const void *bytes, size_t n, size_t *used);
/* as it is now; until the next call. Pasted ones may hold newlines, none holds a NUL */
const char *lineedit_line(const struct lineedit *e);
size_t lineedit_cursor(const struct lineedit *e);                 /* its place in it */
void lineedit_resize(struct lineedit *e, size_t columns);         /* and redraws */
void lineedit_redraw(struct lineedit *e);
/* What has to be written to the screen since the last call; valid until the next call. */
const char *lineedit_output(struct lineedit *e, size_t *n);
#endif
