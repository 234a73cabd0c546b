/* shim - servers of which some system calls are others: on a disk that is slow, or where signals come all the time
 *
 *     shim_slow("worker", "sync", 100);  broker_start(...);  shim_end();
 *
 * The test program needs what is preloaded: see tests.mk. */
#ifndef SHIM_H
#define SHIM_H
/* In servers that are started until shim_end: */
/* calls of a kind take longer in it: sync, read, mkdir, unlink */
void shim_slow(const char *program, const char *call, int ms);
/* a signal interrupts every other call that it may interrupt */
void shim_interrupted(void);
/* the names of hosts are those of that file: see tests/shim/host_names.c */
void shim_host_names(const char *file);
void shim_end(void);
#endif
