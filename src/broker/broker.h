/* broker_server's state, which its parts share: conns (connections), workers, and the loop. */
#ifndef BROKER_H
#define BROKER_H
#include "broker/control.h"
#include "broker/lobby.h"
#include "broker/machines.h"
#include "broker/store.h"
#include "server/child.h"
#include "server/http_child.h"
#include "ipc/registry.h"
#include "base/spare.h"
#include "ipc/layout.h"

struct worker_child { pid_t pid; int64_t started, due; struct backoff backoff; int failed; };

struct conn {
	pid_t handler, sender;
	int socket, control;             /* control: open until the handshake is done and the machine is known */
	int unit, queue;                 /* System V ids, -1: none */
	/* its machine is known; if not, the handler asks before it takes the first client */
	int is_known;
	struct known_machine machine;    /* as WELCOME said; zeros before that */
	char peer[80];
};

struct broker {
	struct store store;
	struct machines machines;
	struct registry registry;
	struct lobby lobby;
	int table_id, verbose, listener;       /* verbose: how children log, see log.h */
	struct spare spare;
	int64_t keep_said;               /* when a machine could not be written to the file last */
	struct http_child http;
	struct broker_table *table;
	struct worker_child workers[SHARDS_MAX];
	int store_lost;                  /* its path leads elsewhere: no worker runs until it is back */
	struct conn *conns;
};


void workers_start(struct broker *b, int64_t now);         /* starts those that are due; makes missing queues */
int  workers_reaped(struct broker *b, pid_t pid, int status, int64_t now);
void workers_end(struct broker *b);                        /* kills them at once */
int64_t workers_due(const struct broker *b);               /* when the next one is to be started; -1: none */
int  workers_ready(const struct broker *b);

extern const struct lobby_host conn_host;                  /* its `with` has to be the broker */
void conn_control(struct broker *b, uint32_t i);           /* its handler says something */
int  conn_reaped(struct broker *b, pid_t pid, int status, int64_t cpu_us);
void conn_end(struct broker *b, uint32_t i);
void conn_bells(struct broker *b);                         /* rings their bells of time */
#endif
