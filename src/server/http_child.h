/* mom_http as a child of broker_server or mom_daemon: --http IP:PORT. The supervisor listens, so that the port stays
 * the same whatever happens to the child, and so that a wrong address is told at once. The child gets the listening
 * socket and the run folder, and looks from there. Without --http all of this does nothing. */
#ifndef HTTP_CHILD_H
#define HTTP_CHILD_H
#include "server/child.h"
#include "config/http_address.h"

struct http_child {
	const char *address;             /* as given; NULL: no --http */
	const char *hosts;               /* http-hosts, or NULL */
	struct http_address at;
	int listener, port, run_dir;
	pid_t pid;
	int renewed;                     /* it was told to end, so that it takes the log anew */
	int64_t started, due;
	struct backoff backoff;
};

/* address and hosts: http_address_fault and http_hosts_fault have accepted them; or NULL. */
void http_child_plan(struct http_child *h, const char *address, const char *hosts);
/* Listens, and says where in the run folder's file `http`. -1: errno */
int  http_child_open(struct http_child *h, int run_dir);
/* Once a second. 1: that file was gone and is written anew; -1: it cannot be. */
int  http_child_look(const struct http_child *h);
/* Starts it if that is due. log: how it logs, see log.h. */
void http_child_step(struct http_child *h, int log, int64_t now);
int  http_child_reaped(struct http_child *h, pid_t pid, int status, int64_t now);
/* the earlier one of `until` and when it is due */
int64_t http_child_due(const struct http_child *h, int64_t until);
void http_child_renew(struct http_child *h);                               /* it gets another log file or level */
void http_child_stop(struct http_child *h);
#endif
