/* coordinators - mom_coordinator processes of a case: start, kill, bring back, wait until all is held twice
 *
 *     coordinator_start(0, &one);  coordinator_start(1, &two);  coordinators_settled(2);
 *     coordinator_kill(0);  coordinators_settled(1);
 *
 * Those that still run at the end of a case are stopped by SIGTERM and have to exit 0. They give signs of life each 50
 * ms. */
#ifndef COORDINATORS_H
#define COORDINATORS_H

#include <lib/server.h>

enum { COORDINATORS_MOST = 8 };

/* number i, by the name c0, c1, ...; returns when it has its share. NULL: the daemon it had */
void  coordinator_start(int i, struct server *daemon);
void  coordinator_begin(int i, struct server *daemon);         /* the same, without waiting for anything */
pid_t coordinator_pid(int i);                                  /* 0: does not run */
void  coordinator_kill(int i);                                 /* kill -9, reaped */
void  coordinator_stop(int i);                                 /* SIGTERM, exit 0 */
/* waits until so many are here and every group is held by min(2, count) and answered for by one */
void  coordinators_settled(int count);
int   coordinator_said(int i, const char *words);              /* in its log */
#endif
