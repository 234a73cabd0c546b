/* crew - what the examples with semaphores share: coordinators as children, processes of one's own */
#ifndef CREW_H
#define CREW_H

#include <sys/types.h>

enum { CREW_MOST = 9 };

/* Starts that many mom_coordinator (of $BIN, bin/ or PATH), in turn on the daemons of MOM_RUN and of other (NULL: all
 * on the first), and waits until they have their shares. -1: told on stderr. They end with this process. */
int  crew_start(int count, const char *other);
/* kill -9, and another by its name; waits until that one has its share. 0, or -1 */
int  crew_restart(int i);
extern int crew_is_told;                       /* 1: what the coordinators log is shown, not their warnings alone */
int  crew_stop(void);                          /* 0: all ended well */

/* A child process that runs that, on the daemon of other where that is not NULL, and dies with this one. */
pid_t crew_fork(int (*run)(int), int i, const char *other);

void crew_sleep(int ms);
int  crew_random(int below);                   /* 0 to below - 1; each process has numbers of its own */
void crew_seed(unsigned seed);
#endif
