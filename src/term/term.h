/* The terminal under a line editor. It is raw while a line is typed. At all other times it is as it was before, however
 * that line ends. */
#ifndef TERM_H
#define TERM_H
#include <signal.h>
#include <stddef.h>
#include "term/lineedit.h"

enum term_end { TERM_LINE, TERM_END, TERM_SIGNAL, TERM_NONE };  /* TERM_NONE: it cannot be made raw, errno */

/* 1: standard input and output are a terminal that can move its cursor (TERM is set, and not dumb). */
int    term_can_edit(void);
/* Reads a line at a prompt. TERM_LINE: it is in lineedit_line. TERM_END: Ctrl-D, or the terminal is gone. TERM_SIGNAL:
 * a handler of the program's set *over, which is looked at after each signal. What was typed ahead waits for the next
 * call. */
enum term_end term_read(struct lineedit *e, const volatile sig_atomic_t *over);
#endif
