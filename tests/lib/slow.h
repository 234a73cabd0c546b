/* slow - servers on a slow disk: one that others keep busy, or one that is to be the narrowest place of all
 *
 *     slow_begin("worker", "sync", 100);  broker_start(...);  slow_end();
 *
 * The test program needs the shim: see tests.mk. */
#ifndef SLOW_H
#define SLOW_H
/* of that program, in servers that are started until slow_end, each call of a kind takes so much longer: sync, read, mkdir, unlink */
void slow_begin(const char *program, const char *call, int ms);
void slow_end(void);
#endif
