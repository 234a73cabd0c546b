/* sum - the service of this example: its stub for callers, its procedures for the server. This file is all that the two
 * have in common. */
#ifndef SUM_H
#define SUM_H
#include <mom_rpc.h>

enum { SUM_OVERFLOW = 1, SUM_NO_JOB = 2 };         /* the errors that it raises */

/* ---- client stub (sum_client.c): as if they were functions of this program. They return what mom_call does. ---- */

/* a + b. serial: the caller's own number for it; the server counts how often it executes each. */
int sum(int id, const char *service, uint64_t serial, int64_t a, int64_t b, int64_t *result, int timeout_ms,
    unsigned mode);
/* how often the sums of serial from to below to were executed: into counts */
int sum_counts(int id, uint64_t from, uint64_t to, uint8_t *counts, int timeout_ms);

/* A sum that takes its time is a job. Long polling: ask until there is a result; the server answers when there is one,
 * or after a while with "not yet". Push: the server publishes the result to SUM_PUSH_TOPIC, and who subscribed before
 * is told. */
#define SUM_PUSH_TOPIC "sum/done"
int sum_start(int id, int64_t a, int64_t b, int takes_ms, uint64_t *job, int timeout_ms);
int sum_poll(int id, uint64_t job, int *is_done, int64_t *result, int timeout_ms);
int sum_pushed(const struct mom_message *m, uint64_t *job, int64_t *result);       /* 0: this message was one */

/* ---- server (sum_server.c): serves until it is told to stop ---- */
int sum_server(volatile const int *stop, volatile int *ready);
#endif
