/* mom_http as a child of broker_server or mom_daemon: --http IP:PORT. The supervisor listens, so that the port stays the same whatever
 * happens to the child, and a wrong address is told at once; the child gets the listening socket and the run folder, and looks from there.
 * All of it does nothing without --http. */
#ifndef HTTP_CHILD_H
#define HTTP_CHILD_H
#include "common/child.h"
#include "common/net.h"

struct http_child {
	const char *address;             /* as given; NULL: no --http */
	char ip[64], port_text[8];
	struct net_address listen;
	int listener, port, run_dir, verbose;
	pid_t pid;
	int64_t started, due;
	struct backoff backoff;
};

/* "127.0.0.1:8081", "[::1]:8081", port 0: any free one. NULL, or what is wrong with it and the cure. Not for addresses that are not loopback, but insecure. */
const char *http_address(const char *text, int insecure, char *ip, size_t n, char *port, size_t m, struct net_address *a);
const char *http_child_parse(struct http_child *h, const char *text, int insecure);
int  http_child_open(struct http_child *h, int run_dir, int verbose);      /* listens, and says where in the run folder's file `http`; -1: errno */
void http_child_step(struct http_child *h, int64_t now);                   /* starts it where that is due */
int  http_child_reaped(struct http_child *h, pid_t pid, int status, int64_t now);
int64_t http_child_due(const struct http_child *h, int64_t until);         /* the earlier of both */
void http_child_stop(struct http_child *h);
#endif
