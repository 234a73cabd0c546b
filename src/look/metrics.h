/* The counters of servers as a page for Prometheus, text format 0.0.4. `mom stats --prometheus` and mom_http's /metrics
 * show the same.
 *     struct look *l = look_all(NULL);
 *     metrics_print(stdout, l->server, l->count);
 * Labels: role, server (its run folder); of a worker: shard; of handler and sender: machine (serial) and slot; of
 * topics: topic, shard. */
#ifndef METRICS_H
#define METRICS_H

#include "look/look.h"
#include <stdio.h>

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

void metrics_print(FILE *f, const struct look_server *servers, size_t count);

/* Who counts on that page of a server. Returns 1; 0: nobody did yet; -1: no such page. */
struct metrics_process {
	const struct counters *counters;
	enum counter_role role;
	pid_t pid;                                   /* of the present process or the last one */
	int shard;                                   /* of a worker; else -1 */
	int slot;                                    /* of a handler or sender; else -1 */
	uint32_t machine;                            /* its serial; else 0 */
};
uint32_t metrics_pages(const struct look_server *s);         /* pages that a process has had */
int metrics_process(const struct look_server *s, uint32_t page, struct metrics_process *p);
void metrics_process_name(const struct metrics_process *p, char *text, size_t n);        /* "worker shard 3" */

/* What flows through a process, and how much of it in a second between two samples. */
enum flow { FLOW_IN, FLOW_BYTES_IN, FLOW_OUT, FLOW_BYTES_OUT, FLOWS };
uint64_t flow_of(const struct counters *c, enum flow f);
/* A counter that went down belongs to somebody else by now: 0. */
double flow_rate(uint64_t now, uint64_t before, double seconds);

#endif
