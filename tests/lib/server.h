/* server - the broker and the daemons of a case: start, stop, kill, bring back
 *
 *     struct server broker, daemon;
 *     broker_start(&broker, "broker", 0, NULL);          db and run folder below t_path("broker")
 *     daemon_start(&daemon, "daemon", broker.port);      MOM_RUN is daemon.run
 *
 * Started means: the ready byte came. Whatever still runs at the end of a case is stopped by SIGTERM and has to exit 0
 * with nothing left. */
#ifndef SERVER_H
#define SERVER_H

#include <stdio.h>
#include <sys/types.h>

struct server {
	char name[32], ip[20];
	int  is_broker, port;
	pid_t pid;                       /* 0: not running */
	/* folders (store: --db or --spool), stderr, stdout; log is appended to over restarts */
	char *run, *store, *log, *out;
	int  bare;                       /* no arguments but extra: its configuration says the rest */
	const char *extra[16];               /* further arguments, kept over restarts; NULL ends */
	const char *fault;               /* MOM_FAULT of the next start, or NULL */
	int  closed;                     /* bit 0, 1, 2: starts with that descriptor closed */
};

/* extra: further arguments, parted by blanks, or NULL; port 0: a free one */
void broker_start(struct server *s, const char *name, int port, const char *extra);
void daemon_start(struct server *s, const char *name, int port);
/* fills in without starting, for cases that set more before server_start */
void broker_plan(struct server *s, const char *name, int port, const char *extra);
void daemon_plan(struct server *s, const char *name, int port);
void server_start(struct server *s);            /* again, with the same arguments and port */
void server_start_unready(struct server *s);    /* fork and exec only */
void server_await_ready(struct server *s);
void server_await_again(struct server *s);      /* the same where its start may have been awaited already */
int  server_end_or_ready(struct server *s);     /* after server_start_unready: exit status, or -1: it is ready */
int  server_run_to_end(struct server *s);       /* for starts that must fail: exit status, -1 if it had to be killed */

/* SIGTERM; must exit 0, and none of its processes or objects may be left */
void server_stop(struct server *s);
void server_stop_by(struct server *s, int signal);
void server_kill(struct server *s);             /* kill -9 of the parent alone; waits until its children are gone too */
void server_kill_all(struct server *s);         /* kill -9 of parent and children */
void server_freeze(struct server *s);           /* SIGSTOP to all its processes, and waits until they are stopped */
void server_thaw(struct server *s);
pid_t server_child(struct server *s, const char *program);   /* waits for its living child of that name */
void server_replaced(struct server *s, const char *program, pid_t old);  /* waits until another process does that job */
int  server_log_has(struct server *s, const char *words);
long server_log_lines(struct server *s, const char *words);   /* how many lines have these words ("": all) ... */
long server_log_told(struct server *s, const char *words);    /* ... the same, "and N more like this" counted as N */
char *server_registry(struct server *s);        /* path of its registry file */
/* All of a case's own. */
void servers_stop(void);
/* The next clients of this process use this daemon. */
void use_daemon(struct server *s);
#endif
