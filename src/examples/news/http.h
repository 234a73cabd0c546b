/* http - a little HTTP server inside somebody's poll loop: pages, forms, and streams of server-sent events
 *
 *     http_open(8081);                             on 127.0.0.1
 *     for (;;) {
 *         int n = http_poll(fds, room);            what to wait for
 *         poll(fds, n, http_wait_ms());
 *         http_serve(fds, n, handle);              handle(c, request) is called for each whole request, and answers it
 *     }
 *
 * Each connection carries one request: `Connection: close`. What is not HTTP/1.x, too long, too slow or not for this
 * host is refused here. */
#ifndef HTTP_H
#define HTTP_H

#include "request.h"
#include <poll.h>
#include <stddef.h>

enum { HTTP_CONNECTIONS = 64, HTTP_POLL_MAX = HTTP_CONNECTIONS + 1 };

struct http_connection;
typedef void (*http_handle_fn)(struct http_connection *c, const struct request *r);

/* 0: a free port. 0, or -1 with errno */
int  http_open(int port);
int  http_port(void);
int  http_poll(struct pollfd *fds);
int  http_wait_ms(void);
void http_serve(const struct pollfd *fds, int n, http_handle_fn handle);
void http_close(void);

void http_reply(struct http_connection *c, int status, const char *type, const void *body, size_t len);
void http_text(struct http_connection *c, int status, const char *text);
void http_see_other(struct http_connection *c, const char *path);
/* The connection stays open for events from now on. */
void http_stream(struct http_connection *c);
void http_event(struct http_connection *c, const char *event, const char *data);
void http_event_to_all(const char *event, const char *data);
#endif
