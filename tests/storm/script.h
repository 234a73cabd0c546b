/* script - the programs of a run of `calls`: a client that makes every call of mom.h, and an ear that hears all of it
 *
 * Both are this test program itself, executed anew (with the shim before it): STORM_ROLE says which, STORM_FILE names
 * the struct storm that they share with the test. The client may be killed anywhere and started again: it goes on with
 * the part that it was in, as a new publisher (a new generation). A message is "GENERATION NUMBER" and filling. The ear
 * is never hit; it judges. */
#ifndef SCRIPT_H
#define SCRIPT_H

#include <storm/shim/shim.h>

enum { SCRIPT_GENERATIONS = 24, SCRIPT_MESSAGES = 256, SCRIPT_JOBS = 256, SCRIPT_PARTS = 3 };
/* of a job: GIVEN: to a worker; DONE: the broker is known to know that it is settled */
enum job { JOB_NONE, JOB_DOUBT, JOB_STORED, JOB_GIVEN, JOB_SETTLED, JOB_DONE };
enum fate { FATE_NONE, FATE_DOUBT, FATE_STORED, FATE_REFUSED };        /* of a message, as its publisher was told */

struct heard { atomic_int last[SCRIPT_GENERATIONS], count, again; };

struct storm {
	struct shim shim;
	atomic_int generation;                 /* of the client's process */
	atomic_int fate[SCRIPT_GENERATIONS][SCRIPT_MESSAGES], sent[SCRIPT_GENERATIONS];
	atomic_int part, may_go;               /* the client is done with part, waits until may_go is that */
	atomic_int client_done, ear_ready, ear_stop, ear_done;
	struct heard ear, own;                 /* own: the client's own subscription */
	/* jobs of a group, by generation and number */
	atomic_int job[SCRIPT_GENERATIONS][SCRIPT_JOBS], jobs[SCRIPT_GENERATIONS];
	atomic_int errors;                     /* calls that failed with a clear text, and were made again */
	atomic_int failed;
	char why[600];
};

void script_fail(struct storm *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* every message that is known to be stored has come; 0, or which not into text */
int  script_missing(struct storm *s, const struct heard *h, char *text, unsigned size);
#endif
