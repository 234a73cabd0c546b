/* slow - servers on a slow disk: one that others keep busy, or one that is to be the narrowest place of all
 *
 *     slow_begin("worker", 100, 0);  broker_start(...);  slow_end();
 *
 * The test program needs the shim: see tests.mk. */
#ifndef SLOW_H
#define SLOW_H
/* of that program, in servers that are started until slow_end, each sync and each read of a file takes so much longer */
void slow_begin(const char *program, int sync_ms, int read_ms);
void slow_end(void);
#endif
