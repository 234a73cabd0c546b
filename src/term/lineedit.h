/* The editor of one line: it takes the bytes of keys and gives the bytes of the screen. It makes no system call; term.h
 * is its terminal.
 * KEYS     move: left right Ctrl-B Ctrl-F; by words: Alt-B Alt-F (Ctrl- and Alt-arrows); home end Ctrl-A Ctrl-E
 *          delete: backspace Ctrl-H, delete Ctrl-D; a word Ctrl-W, to the start or end Ctrl-U Ctrl-K; Ctrl-Y gives
 *          that back
 *          history: up down Ctrl-P Ctrl-N; Ctrl-R searches it (Ctrl-G gives up). Tab completes, twice: shows what is
 *          possible
 *          Ctrl-L clears the screen, Ctrl-C the line; Ctrl-D in an empty line: the end; Ctrl-Z: stop
 * PASTES   bracketed pastes are put in as they are, with their line ends: nothing is run before Enter is hit
 * SCREEN   one row. A longer line moves under it; < and > say where more is */
#ifndef LINEEDIT_H
#define LINEEDIT_H
#include <stddef.h>
#include "term/history.h"

enum lineedit_event {
	LINEEDIT_MORE,                   /* all was taken; the line goes on */
	LINEEDIT_LINE,                   /* Enter: lineedit_line */
	LINEEDIT_END,                    /* Ctrl-D in an empty line */
	LINEEDIT_STOP                    /* Ctrl-Z: the process is to be stopped; then lineedit_resize */
};

enum { LINEEDIT_MAX = 65536, LINEEDIT_CHOICES = 1000 };   /* a line has fewer bytes; more choices are left out */

/* The words that may stand where the cursor is, sorted, each once. from: where in the text the word begins. */
struct lineedit_choices { size_t n, from; char *words[LINEEDIT_CHOICES]; };
void lineedit_choose(struct lineedit_choices *c, const char *word, size_t n);
typedef void (*lineedit_complete_fn)(const char *text, size_t cursor, struct lineedit_choices *choices);

/* NULL: no memory. history is only read. */
struct lineedit *lineedit_new(const char *prompt, const struct history *history, lineedit_complete_fn complete);
void lineedit_free(struct lineedit *e);
void lineedit_begin(struct lineedit *e, size_t columns);          /* begins an empty line, with the prompt */
/* Stops behind the key that makes an event. *used: how many bytes were taken. */
enum lineedit_event lineedit_feed(struct lineedit *e, const void *bytes, size_t n, size_t *used);
/* The line as it is now, valid until the next call. A pasted line may hold newlines; none holds a NUL. */
const char *lineedit_line(const struct lineedit *e);
size_t lineedit_cursor(const struct lineedit *e);                 /* the cursor's place in the line */
void lineedit_resize(struct lineedit *e, size_t columns);         /* sets the width, and draws the row anew */
/* What has to be written to the screen since the last call. It is valid until the next call. */
const char *lineedit_output(struct lineedit *e, size_t *n);
#endif
