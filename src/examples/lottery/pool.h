/* pool - the worker processes behind one queue
 *
 * The queue is a pair of sockets of which each message is taken by one worker; a null message (no bytes) stops the
 * worker that takes it. A second pair brings back what was done. A worker ends, too, when the centre is gone. */
#ifndef POOL_H
#define POOL_H

#include "bet.h"
#include "store.h"
#include <sys/types.h>

struct job {                                   /* a message of an agency */
	uint64_t offset, publisher;
	uint32_t number, len;
	unsigned char data[BATCH_BYTES_MAX + 1];   /* one more than may be, so that what is too long is seen to be */
};

struct pool {
	int queue, done;                       /* the centre's ends */
	int count, living;
	pid_t pid[64];                         /* as many as workers may be, see config.c */
};

void pool_start(struct pool *p, struct store *s, const struct config *c);
int  pool_give(struct pool *p, const struct job *j);          /* 0, or -1: no worker is left */
/* What a worker has done. 1, 0: nothing yet, -1: no worker is left */
int  pool_take(struct pool *p, struct store_entry *e);
/* Reaps workers that have ended: the pid of one that was not told to, or 0. */
pid_t pool_reap(struct pool *p);
/* A null message each, and waits until all have ended. What they did is taken with pool_take. */
void pool_stop(struct pool *p);
#endif
