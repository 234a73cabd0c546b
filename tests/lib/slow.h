/* slow - servers on a disk whose syncs take longer: what others keep busy, or what is to be the narrowest place of all
 *
 *     slow_begin("worker", 100);  broker_start(...);  slow_end();
 *
 * The test program needs the shim: see tests.mk. */
#ifndef SLOW_H
#define SLOW_H
void slow_begin(const char *program, int ms);      /* each sync of that program, in servers started until slow_end, takes so much longer */
void slow_end(void);
#endif
