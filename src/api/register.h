/* Finding the daemon and registering with it. */
#ifndef API_DOOR_H
#define API_DOOR_H
#include "ipc/layout.h"
struct handle;

/* 0: *answer is the answer, and the handle has the connected socket. Else MOM_E*; the text is this thread's. */
int  door_register(const char *name, int64_t deadline, struct registered *answer, struct handle *h);
/* Sends the same registration to the daemon's successor and does not wait for its answer. 0, or -1: not now. */
int  door_again(struct handle *h);
/* What the daemon says of its broker, in brackets behind a blank; "" where there is nothing to say. n: 8 or more. */
void door_trouble(char *text, size_t n);
int  door_is_ours(const struct handle *h);     /* 1: the socket still has its number */
/* Is a daemon at the socket's other end? Takes up its answer to door_again: see handle.unknown. */
int  door_lives(struct handle *h);
/* To be called after a sleep in vain: asks a successor of the daemon, if there is one. is_gone: the semaphore is
 * gone. */
void door_check(struct handle *h, int is_gone);
void door_close(struct handle *h);             /* closes the socket, if it is ours */
#endif
