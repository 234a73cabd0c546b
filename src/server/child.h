/* Starting and being a child. A supervisor starts a program that lies beside its own; the child learns its place from
 * the environment variable MOM_CHILD and dies with its parent (PDEATHSIG: killing is fair, every role may be killed at
 * any time). */
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
	int  verbose;                /* how it logs, as log.h says */
	int  fds[CHILD_FDS];         /* inherited under the same numbers; -1 ends the list */
	const char *more;            /* argv[2], or NULL */
};

struct child_place { int table, index, verbose, fds[CHILD_FDS]; };

pid_t child_start(const struct child_plan *plan);            /* pid, or -1 with errno */
/* In the child, first thing: logs under `role`; where it was not started by its parent it says so and exits 100. */
void  child_begin(struct child_place *place, const char *role, const char *parent);

void  child_end(pid_t pid);                                  /* at once, and reaped; 0: there is none */

/* When to start again what ended. Plain state, no calls: see tests/unit/backoff.c */
struct backoff { int delay_ms; };
int   backoff_after(struct backoff *b, int by_kill, int64_t alive_ms);   /* milliseconds to wait */
int   child_ended_well(int status);                          /* exit 0: its work was done */
int   child_was_killed(int status);                          /* ended by SIGKILL or SIGTERM, not by its own fault */
const char *child_status_text(int status);
const char *child_hint(int error);                           /* why fork(2) or what it needs failed: the cure */
#endif
