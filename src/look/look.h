/* Looking into running servers from outside: finds the brokers and daemons of this machine, attaches their tables and
 * counters read-only. Nothing is disturbed, nothing is changed. For tools and mom_http.
 *     struct look *l = look_all(NULL);
 *     for (size_t i = 0; i < l->count; i++)
 *         if (l->server[i].broker) puts(l->server[i].run);
 *     look_free(l); */
#ifndef LOOK_H
#define LOOK_H

#include "ipc/counters.h"
#include <limits.h>
#include "ipc/layout.h"
#include <sys/types.h>

struct look_server {
	int  is_broker;
	pid_t pid;                                   /* 0: does not run */
	char run[PATH_MAX];                          /* its run folder */
	char files[PATH_MAX];                        /* broker: the store; daemon: the spool */
	/* broker: where it listens; daemon: the broker's: "127.0.0.1 8080" */
	char address[128];
	const struct broker_table *broker;           /* NULL: a daemon, or it cannot be attached */
	const struct machine_table *machine;         /* NULL: a broker, ... */
	const struct counters_segment *counters;     /* NULL: it cannot be attached */
	char why[200];                               /* why not, and the cure; "" where it can */
};

struct look {
	struct look_server *server;
	size_t count;
	char tried[1000];                            /* the places where no server was found, and why not */
};

/* All servers whose run folders lie in the default roots (MOM_RUN first), or the one of that folder: a run folder or a
 * store. NULL: no memory. One that does not run and left nothing behind is not shown. */
struct look *look_all(const char *folder);
void look_free(struct look *l);

/* A client of a daemon, as its table and its own segment tell; the segment's words are the client's and may be
 * nonsense: only shown. */
struct look_client {
	uint32_t slot;
	uint64_t id;
	enum slot_state state;
	int durable;
	char name[MOM_NAME_MAX + 4];                 /* "" for an anonymous one, or where the list cannot be read */
	pid_t pid; uid_t uid;                        /* 0 where no process has it */
	uint64_t mail_bytes;                         /* waiting in its mail box */
	uint64_t request_bytes;                      /* in its ring: not acknowledged yet */
	int behind;                                  /* more waits in the spool */
};
/* The i-th slot; 1: filled in, 0: free, -1: no such slot. */
int look_client(const struct look_server *s, uint32_t i, struct look_client *c);

#endif
