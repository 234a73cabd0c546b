/* The terminal under a line editor. It is raw while a line is typed. At all other times it is as it was before, however
 * that line ends. */
#ifndef TERM_H
#define TERM_H
#include <signal.h>
#include "term/lineedit.h"

/* 1: standard input and output are a terminal that can move its cursor (TERM is set, and not dumb). */
int term_can_edit(void);
/* Reads a line at a prompt. Returns it as lineedit_line does. NULL: Ctrl-D, or the terminal is gone, or a handler of
 * the program's set *over, which is looked at after each signal. What was typed ahead waits for the next call. */
const char *term_read(struct lineedit *e, const volatile sig_atomic_t *over);
#endif
