/* Starting a child, and being one. A supervisor starts a program that lies beside its own. The child learns its place
 * from the environment variable MOM_CHILD. It dies with its parent (PDEATHSIG). Killing is fair: every role may be
 * killed at any time. */
#ifndef CHILD_H
#define CHILD_H
#include <stdint.h>
#include <sys/types.h>

enum { CHILD_FDS = 8 };

struct child_plan {
	const char *program;         /* file name, beside our own */
	const char *title;           /* argv[1]: what a person sees in ps */
	int  table;                  /* id of the segment where the rest is found */
	int  index;                  /* slot or shard */
	int  verbose;                /* how it logs, see log.h */
	int  fds[CHILD_FDS];         /* inherited under the same numbers; -1 ends the list */
	const char *more;            /* argv[2], or NULL */
};

struct child_place { int table, index, verbose, fds[CHILD_FDS]; };

pid_t child_start(const struct child_plan *plan);            /* pid, or -1 with errno */
/* First thing after fork: the usual signals, and an end with its parent. */
void  child_forked(pid_t parent);
/* First thing in the child's program: it logs under `role`. If it was not started by its parent, it says so and exits
 * 100. */
void  child_begin(struct child_place *place, const char *role, const char *parent);
void *child_attach(int segment);                             /* memory of its parent's; or the process ends, 111 */

void  child_end(pid_t pid);                                  /* kills it at once, and reaps it; 0: there is none */

/* When to start a child again that ended. Plain state, no calls: see tests/unit/backoff.c. */
struct backoff { int delay_ms; };
int   backoff_after(struct backoff *b, int by_kill, int64_t alive_ms);   /* milliseconds to wait */
int   child_ended_well(int status);                          /* exit 0: its work was done */
int   child_was_killed(int status);                          /* SIGKILL or SIGTERM ended it, not its own fault */
const char *child_status_text(int status);
const char *child_hint(int error);                           /* what to do if fork(2), or what it needs, failed */
#endif
