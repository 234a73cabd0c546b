/* Signals of a supervisor. A handler sets a flag and writes to a pipe; the poll loop does the work. */
#ifndef SIG_H
#define SIG_H
#include <signal.h>
extern volatile sig_atomic_t sig_got_stop, sig_got_child, sig_got_reload, sig_got_reopen;
/* TERM and INT stop, CHLD wakes, HUP reloads, USR1 reopens the log, PIPE is ignored. Returns the descriptor to poll, or
 * -1. */
int  sig_init(void);
void sig_drain(void);     /* empties the pipe; call it before the flags are looked at */
#endif
