/* Before it sleeps, whoever has run dry looks again a few times and lets others run in between: to wake a process on another core takes
 * 10 to 40 us, longer than most of what it is woken for. Not where this process has one core only: there others must run first. */
#ifndef IDLING_H
#define IDLING_H
#include <stddef.h>
#include <sys/types.h>
struct idling { unsigned looks; };       /* in a row that found nothing */
int     idling_on(struct idling *l);     /* 1: others ran, look again. 0: sleep now */
ssize_t idling_read(int socket, void *bytes, size_t n);      /* fdio_read of a socket, that looks again before it sleeps */
#endif
