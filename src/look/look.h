/* Looking into running servers from outside. It finds the brokers and daemons of this machine and attaches their tables
 * and counters read-only. It disturbs and changes nothing. For tools and mom_http.
 *     struct look *l = look_all(NULL, NULL);
 *     for (size_t i = 0; i < l->count; i++)
 *         if (l->server[i].broker) puts(l->server[i].run);
 *     look_free(l); */
#ifndef LOOK_H
#define LOOK_H

#include "ipc/about.h"
#include "ipc/counters.h"
#include <limits.h>
#include "ipc/layout.h"
#include <sys/types.h>

struct look_server {
	int  is_broker;
	pid_t pid;                                   /* 0: it does not run */
	char run[PATH_MAX];                          /* its run folder */
	char files[PATH_MAX];                        /* broker: the store; daemon: the spool */
	/* Broker: where it listens; daemon: where its broker listens: "127.0.0.1 8080". */
	char address[ABOUT_ADDRESS];
	const struct broker_table *broker;           /* NULL: it is a daemon, or cannot be attached */
	const struct machine_table *machine;         /* NULL: it is a broker, or cannot be attached */
	const struct counters_segment *counters;     /* NULL: it cannot be attached */
	char why[200];                               /* why it cannot be attached, and the cure; "" if it can */
	char trouble[400];                           /* a daemon: why it has no broker; "": it has, or looks for it */
};

struct look {
	struct look_server *server;
	size_t count;
	char tried[1000];                            /* the places where no server was found, and why not */
};

/* All servers whose run folders lie in the default roots, and before them that of `run`, unless it is NULL. Or only the
 * server of `folder`, which is a run folder or a store. NULL: no memory. A server that does not run and left nothing
 * behind is not shown. */
struct look *look_all(const char *folder, const char *run);
void look_free(struct look *l);

/* A client of a daemon, as the daemon's table and the client's own segment tell. The client may write anything into its
 * segment, so those words may be nonsense: only show them. */
struct look_client {
	uint32_t slot;
	uint64_t id;
	enum slot_state state;
	int durable;
	char name[MOM_NAME_MAX + 4];                 /* "" for an anonymous one */
	pid_t pid; uid_t uid;                        /* pid: 0 if no process has it */
	uint64_t mail_bytes;                         /* bytes that wait in its mail box */
	uint64_t request_bytes;                      /* bytes in its ring: not acknowledged yet */
	int behind;                                  /* more waits in the spool */
	int cut;                                     /* too much waited for it, and it was not told yet */
	/* What it has not acknowledged: messages in the mail box and in the spool, their bytes there, and the
	 * broker's time of the oldest (microseconds since 1970; 0: none). */
	uint64_t waiting, waiting_bytes;
	int64_t oldest_us;
	/* how many, and names of some topics, ", " between them: a second late; SUBSCRIPTIONS_UNKNOWN and "" while a
	 * daemon without its broker does not know them */
	uint64_t subscriptions;
	char topics[SLOT_TOPICS];
};
/* seconds that the oldest message waits for it */
uint64_t look_oldest(const struct look_client *c);
/* Looks at the i-th slot. 1: filled in, 0: free, -1: no such slot. */
int look_client(const struct look_server *s, uint32_t i, struct look_client *c);

#endif
