/* The parts of mom_http: http_request (bytes to a request), http_conn (connections), http_watch (samples of what runs
 * here), http_json and http_pages (what is shown), http_html (the page for people). One process, one poll loop. */
#ifndef HTTP_H
#define HTTP_H

#include "ipc/counters.h"
#include "look/look_processes.h"
#include "base/spare.h"
#include "tools/http/http_request.h"
#include <poll.h>
#include <stdint.h>
#include <stdio.h>

enum {
	HTTP_CONNS       = 64,           /* at once: one more sends the oldest idle one away */
	HTTP_HEAD_MS     = 5000,         /* from a request's first byte to its last */
	HTTP_IDLE_MS     = 15000,        /* between requests */
	HTTP_STUCK_MS    = 10000,        /* a reader that takes nothing */
	HTTP_ANSWER_MS   = 30000,        /* a reader that takes it by single bytes */
	HTTP_SEND_BYTES  = 256 * 1024,   /* that the kernel keeps for a connection */
	/* after a refusal the rest of what comes is read, or the peer would never see the answer */
	HTTP_LINGER_MS   = 1000,
	HTTP_SAMPLE_MS   = 1000,
	HTTP_EMPTY_MS    = 100,          /* where nothing runs yet */
	HTTP_HISTORY     = 300,          /* samples kept: five minutes */
	HTTP_LINES       = 16,           /* processes of a server with a line of their own in its history */
	/* clients, machines, topics, processes in a list, those with most; how many there are is told */
	HTTP_SHOWN       = 100
};

/* ---- what is sent: shared by all connections that send it ---- */

struct http_body { int refs, status; const char *type; char nonce[33]; char *bytes; size_t n; };
struct http_body *http_body_hold(struct http_body *b);
void http_body_drop(struct http_body *b);

/* ---- samples ---- */

struct watch_page { uint32_t pid, owner; uint64_t total[FLOWS]; double rate[FLOWS]; };
struct watch_topic { uint64_t messages, bytes; double rate, byte_rate; uint32_t shard; char name[MOM_TOPIC_MAX + 1]; };
/* line: messages of a process, both ways; < 0: not known */
struct watch_moment { int64_t wall_ms; float flow[FLOWS]; float line[HTTP_LINES]; };

struct watch_server {
	char run[PATH_MAX];
	int  is_broker, seen;
	pid_t pid;
	uint32_t pages;
	struct watch_page *page;         /* as in the counters' segment */
	struct watch_topic *topic;       /* BUSY_ROWS a shard; name "": free */
	uint32_t topics;
	uint64_t total[FLOWS];           /* of the server: what its machines or programs gave and got */
	double rate[FLOWS];
	/* of its store or spool; looked at now and then. data: of what is used, what is written */
	uint64_t disk_used, disk_data, disk_free;
	int64_t disk_ms;
	struct watch_moment *moment;     /* HTTP_HISTORY, a circle */
	uint32_t moments, next;
};

struct watch {
	const char *folder;              /* NULL: all of this machine */
	const char *run;                 /* NULL, or a run folder to look in besides those of this machine */
	int is_exposed;                  /* others than this machine may read it: no command lines */
	struct look *look;               /* as of the last sample; NULL: no memory */
	struct watch_server *server;     /* server[i] belongs to look->server[i] */
	size_t count;
	uint64_t sample;
	int64_t taken_ms, wall_us;
};

void watch_take(struct watch *w, int64_t now);                 /* a new sample */
int64_t watch_due(const struct watch *w);                      /* when the next one is to be taken */
int  watch_alive(uint32_t pid, const char *program);           /* 1: that process runs that program */
/* 1: serves; 0: does not, with the reason */
int  watch_health(const struct look_server *s, char *why, size_t n);

/* ---- pages ---- */

void http_stats(FILE *f, const struct watch *w);
void http_history(FILE *f, const struct watch *w);
/* of a server; of the kernel where it is NULL */
void http_limits(FILE *f, const struct look_server *s, const struct watch_server *v);
/* The answer to a request; held for the caller. NULL: no memory */
struct http_body *http_page(struct watch *w, const struct http_request *r);
extern const char http_html[];
extern const unsigned http_html_bytes;

/* ---- connections ---- */

struct http_conns;
struct http_conns *http_conns_new(int listener, struct watch *w, const char *hosts); /* hosts: http-hosts, or NULL */
nfds_t  http_conns_polls(struct http_conns *c, struct pollfd *polls, int64_t now);         /* room for 1 + HTTP_CONNS */
void    http_conns_look(struct http_conns *c, const struct pollfd *polls, nfds_t n, int64_t now);
/* when look is to be called though nothing came; -1: never */
int64_t http_conns_due(const struct http_conns *c, int64_t now);

#endif
