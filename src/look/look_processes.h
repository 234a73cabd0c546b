/* The processes of a server, seen from outside: who counts on which page of its counters, and what flows through it. */
#ifndef LOOK_PROCESSES_H
#define LOOK_PROCESSES_H
#include "look/look.h"

/* Who counts on that page of a server. Returns 1; 0: nobody did yet; -1: no such page. */
struct look_process {
	const struct counters *counters;
	enum counter_role role;
	pid_t pid;                                   /* of the present process or the last one */
	int shard;                                   /* of a worker; else -1 */
	int slot;                                    /* of a handler or sender; else -1 */
	uint32_t machine;                            /* its serial; else 0 */
};
uint32_t look_pages(const struct look_server *s);         /* pages that a process has had */
int look_process(const struct look_server *s, uint32_t page, struct look_process *p);
/* The next of its processes, from *page on, that is stopped: 1; 0: there is none. */
int look_stopped(const struct look_server *s, uint32_t *page, struct look_process *p);
void look_process_name(const struct look_process *p, char *text, size_t n);        /* "worker shard 3" */

/* What flows through a process, and how much of it in a second between two samples. */
enum flow { FLOW_IN, FLOW_BYTES_IN, FLOW_OUT, FLOW_BYTES_OUT, FLOWS };
uint64_t flow_of(const struct counters *c, enum flow f);
/* A counter that went down belongs to somebody else by now: 0. */
double flow_rate(uint64_t now, uint64_t before, double seconds);

#endif
