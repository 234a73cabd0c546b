/* http - a little HTTP server inside somebody's poll loop */
#include "http.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	HEAD_MS  = 10000,                      /* a request, and the taking of its answer, take no longer */
	/* a stream in which nothing happens gets an empty line, which tells a dead one */
	BEAT_MS  = 15000,
	SEND_BUF = 65536,                      /* in the kernel, of each connection */
	OUT_MAX  = 1 << 20                     /* bytes that wait for one reader: more, and it is too slow */
};

struct http_connection {
	int fd;                                /* -1: free */
	int stream, ends;                      /* ends: when all is sent */
	int64_t since;                         /* its begin; of a stream: its last byte */
	size_t in_len, out_len, out_at, out_room;
	char *out;
	char in[REQUEST_HEAD_MAX + REQUEST_BODY_MAX + 8];  /* the empty line, and a NUL */
};

static struct { int listener, port, open; struct http_connection connections[HTTP_CONNECTIONS]; } http;

static int64_t
now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int
http_open(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int on = 1, s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	for (int i = 0; i < HTTP_CONNECTIONS; i++)
		http.connections[i].fd = -1;
	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(s, (struct sockaddr *)&at, sizeof at) < 0 ||
	    listen(s, 512) < 0 || getsockname(s, (struct sockaddr *)&at, &len) < 0)
		return -1;
	http.listener = s;
	http.port = ntohs(at.sin_port);
	return 0;
}

int
http_port(void)
{
	return http.port;
}

static void
hang_up(struct http_connection *c)
{
	close(c->fd);
	free(c->out);
	c->fd = -1;
	c->out = NULL;
	c->stream = c->ends = 0;
	c->in_len = c->out_len = c->out_at = c->out_room = 0;
	http.open--;
}

void
http_close(void)
{
	for (int i = 0; i < HTTP_CONNECTIONS; i++)
		if (http.connections[i].fd >= 0)
			hang_up(&http.connections[i]);
	close(http.listener);
}

/* ---- answers ---- */

/* What the socket does not take now is sent when it does. */
static void
out_flush(struct http_connection *c)
{
	while (c->fd >= 0 && c->out_at < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			hang_up(c);
			return;
		}
		c->out_at += (size_t)n;
	}
	c->out_at = c->out_len = 0;
	if (c->fd >= 0 && c->ends == 1) {
		/* what it may still say is read, or closing would throw the answer away */
		c->ends = 2;
		shutdown(c->fd, SHUT_WR);
	}
}

static void
out_add(struct http_connection *c, const void *bytes, size_t len)
{
	if (c->fd < 0)
		return;
	if (c->out_len + len > c->out_room) {
		size_t room = (c->out_len + len) * 2;
		char *more = c->out_len - c->out_at + len > OUT_MAX ? NULL : realloc(c->out, room);
		if (more == NULL) {                    /* a reader that does not read */
			hang_up(c);
			return;
		}
		c->out = more;
		c->out_room = room;
	}
	memcpy(c->out + c->out_len, bytes, len);
	c->out_len += len;
}

static const char *
reason(int status)
{
	static const struct { int status; const char *text; } reasons[] = {
		{ 200, "OK" }, { 303, "See Other" }, { 400, "Bad Request" }, { 403, "Forbidden" }, { 404, "Not Found" },
		    { 405, "Method Not Allowed" },
		{ 413, "Content Too Large" }, { 431, "Request Header Fields Too Large" }, { 501, "Not Implemented" },
		    { 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" },
	};
	for (unsigned i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "Error";
}

static void
head(struct http_connection *c, int status, const char *type, const char *more)
{
	char text[800];
	int n = snprintf(text, sizeof text, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nConnection: close\r\nCache-Control: "
	    "no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: same-origin\r\nContent-Security-Policy: "
	    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action "
	    "'self'; base-uri 'none'; frame-ancestors 'none'\r\n%s\r\n", status, reason(status), type, more);
	out_add(c, text, (size_t)n);
}

void
http_reply(struct http_connection *c, int status, const char *type, const void *body, size_t len)
{
	char more[64];
	snprintf(more, sizeof more, "Content-Length: %zu\r\n", len);
	head(c, status, type, more);
	out_add(c, body, len);
	c->ends = 1;
}

void
http_text(struct http_connection *c, int status, const char *text)
{
	http_reply(c, status, "text/plain; charset=utf-8", text, strlen(text));
}

void
http_see_other(struct http_connection *c, const char *path)
{
	char more[200];
	snprintf(more, sizeof more, "Location: %s\r\nContent-Length: 0\r\n", path);
	head(c, 303, "text/plain", more);
	c->ends = 1;
}

void
http_stream(struct http_connection *c)
{
	head(c, 200, "text/event-stream", "");
	c->stream = 1;
}

void
http_event(struct http_connection *c, const char *event, const char *data)
{
	if (*event) {
		out_add(c, "event: ", 7);
		out_add(c, event, strlen(event));
		out_add(c, "\n", 1);
	}
	out_add(c, "data: ", 6);
	out_add(c, data, strlen(data));
	out_add(c, "\n\n", 2);
	c->since = now_ms();
}

void
http_event_to_all(const char *event, const char *data)
{
	for (int i = 0; i < HTTP_CONNECTIONS; i++) {
		struct http_connection *c = &http.connections[i];
		if (c->fd < 0 || !c->stream)
			continue;
		http_event(c, event, data);
		out_flush(c);
	}
}

/* ---- the loop's parts ---- */

int
http_poll(struct pollfd *fds)
{
	int n = 0;
	fds[n++] = (struct pollfd){ http.listener, POLLIN, 0 };
	for (int i = 0; i < HTTP_CONNECTIONS; i++, n++) {
		struct http_connection *c = &http.connections[i];
		fds[n] = (struct pollfd){ c->fd, (short)(POLLIN | (c->out_at < c->out_len ? POLLOUT : 0)), 0 };
	}
	return n;
}

int
http_wait_ms(void)
{
	return http.open ? 1000 : -1;
}

/* Where all places are taken the longest idle one is given up. */
static struct http_connection *
place(void)
{
	struct http_connection *oldest = &http.connections[0];
	for (int i = 0; i < HTTP_CONNECTIONS; i++) {
		struct http_connection *c = &http.connections[i];
		if (c->fd < 0)
			return c;
		if (c->since < oldest->since)
			oldest = c;
	}
	hang_up(oldest);
	return oldest;
}

static void
accept_all(void)
{
	int fd, size = SEND_BUF;
	while ((fd = accept4(http.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		struct http_connection *c = place();
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
		c->fd = fd;
		c->stream = c->ends = 0;
		c->since = now_ms();
		http.open++;
	}
}

/* More of a request; what comes after it is read and forgotten. */
static void
take_in(struct http_connection *c, http_handle_fn handle)
{
	struct request r;
	char *to = c->in + c->in_len;
	size_t room = sizeof c->in - 1 - c->in_len;
	if (c->stream || c->ends)
		to = c->in, room = sizeof c->in - 1;
	ssize_t n = recv(c->fd, to, room, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		hang_up(c);
		return;
	}
	if (c->stream || c->ends)
		return;
	c->in_len += (size_t)n;
	int status = request_parse(&r, c->in, c->in_len);
	if (status == 1 && !request_is_local(&r, http.port))
		http_text(c, 403, "only for pages of this host: http://127.0.0.1:PORT/\n");
	else if (status == 1)
		handle(c, &r);
	else if (status)
		http_text(c, status, "not a request that is understood here\n");
}

static void
look_at_clock(struct http_connection *c, int64_t now)
{
	if (c->stream && now - c->since > BEAT_MS) {
		if (c->out_at < c->out_len) {          /* nothing was taken since the last one */
			hang_up(c);
			return;
		}
		out_add(c, ":\n\n", 3);
		c->since = now;
	} else if (!c->stream && now - c->since > HEAD_MS) {
		hang_up(c);
	}
}

void
http_serve(const struct pollfd *fds, int n, http_handle_fn handle)
{
	int64_t now = now_ms();
	for (int i = 1; i < n; i++) {
		struct http_connection *c = &http.connections[i - 1];
		if (c->fd < 0 || c->fd != fds[i].fd)
			continue;
		if (fds[i].revents & (POLLIN | POLLHUP | POLLERR))
			take_in(c, handle);
		if (c->fd >= 0)
			look_at_clock(c, now);
		out_flush(c);
	}
	if (fds[0].revents)
		accept_all();
}
