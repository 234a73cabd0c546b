/* The terminal under a line editor: raw while a line is typed, as it was before at all other times, however that
 * ends. */
#ifndef TERM_H
#define TERM_H
#include <signal.h>
#include <stddef.h>
#include "term/lineedit.h"

enum term_end { TERM_LINE, TERM_END, TERM_SIGNAL, TERM_NONE };  /* NONE: it cannot be made raw, errno says why */

/* standard input and output are a terminal that knows how to move its cursor (TERM is set, and not dumb) */
int    term_can_edit(void);
/* A line at a prompt: lineedit_line. END: Ctrl-D, or the terminal is gone. SIGNAL: a handler of the program's set
 * *over, which is looked at after each signal. What was typed ahead waits for the next call. */
enum term_end term_read(struct lineedit *e, const volatile sig_atomic_t *over);
#endif
