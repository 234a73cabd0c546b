/* The counters of servers as a page for Prometheus, text format 0.0.4. `mom stats --prometheus` and mom_http's /metrics
 * show the same.
 *     struct look *l = look_all(NULL, NULL);
 *     metrics_print(stdout, l->server, l->count);
 * Labels: role, server (its run folder); of a worker: shard; of handler and sender: machine (serial) and slot; of
 * topics: topic, shard. */
#ifndef METRICS_H
#define METRICS_H

#include "look/look.h"
#include <stdio.h>

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

void metrics_print(FILE *f, const struct look_server *servers, size_t count);

#endif
