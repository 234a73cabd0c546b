/* Finding the daemon and registering with it. */
#ifndef API_DOOR_H
#define API_DOOR_H
#include "ipc/layout.h"
struct handle;

/* 0 and the answer, the connected socket in the handle; or MOM_E*, the text in this thread's. */
int  door_register(const char *name, int64_t deadline, struct registered *answer, struct handle *h);
/* the same registration with the daemon's successor, without waiting for its answer: 0, or -1: not now */
int  door_again(struct handle *h);
int  door_is_ours(const struct handle *h);     /* the socket still is what has its number */
/* a daemon is at its other end. Takes up its answer to door_again: see handle.unknown */
int  door_lives(struct handle *h);
/* after a sleep in vain: a successor of the daemon is asked. is_gone: the semaphore is gone */
void door_check(struct handle *h, int is_gone);
void door_close(struct handle *h);             /* the socket, if it is ours */
#endif
