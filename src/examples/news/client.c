/* client - what a browser does with the two pages: forms are sent, events come in */
#include "client.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int
dial(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval limit = { 10, 0 };
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s >= 0 && setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
	    connect(s, (struct sockaddr *)&at, sizeof at) == 0)
		return s;
	if (s >= 0)
		close(s);
	return -1;
}

static int
say(int s, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(s, bytes, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			bytes += n, len -= (size_t)n;
	}
	return 0;
}

int
client_post(int port, const char *path, const char *form)
{
	char text[4096];
	size_t got = 0;
	ssize_t n;
	int status = -1, s = dial(port);
	if (s < 0)
		return -1;
	int len = snprintf(text, sizeof text, "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nOrigin: "
	    "http://127.0.0.1:%d\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n%s",
	    path, port, port, strlen(form), form);
	if ((size_t)len < sizeof text && say(s, text, (size_t)len) == 0) {
		while (got < sizeof text - 1 && ((n = recv(s, text + got, sizeof text - 1 - got, 0)) > 0 ||
		    (n < 0 && errno == EINTR)))
			got += n > 0 ? (size_t)n : 0;
		text[got] = 0;
		if (sscanf(text, "HTTP/1.1 %d ", &status) != 1)
			status = -1;
	}
	close(s);
	return status;
}

int
client_stream_open(struct client_stream *s, int port)
{
	char text[200];
	int len = snprintf(text, sizeof text, "GET /events HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", port);
	s->len = 0;
	s->skip = 0;
	s->fd = dial(port);
	if (s->fd < 0)
		return -1;
	if (say(s->fd, text, (size_t)len) == 0)
		return 0;
	client_stream_close(s);
	return -1;
}

/* The first line of what has come, without its end, taken out of it. NULL: no whole one is here */
static char *
take_line(struct client_stream *s, char *line, size_t size)
{
	char *end = memchr(s->bytes, '\n', s->len);
	if (end == NULL)
		return NULL;
	size_t len = (size_t)(end - s->bytes);
	snprintf(line, size, "%.*s", (int)len, s->bytes);
	s->len -= len + 1;
	memmove(s->bytes, end + 1, s->len);
	return line;
}

int
client_stream_next(struct client_stream *s, int timeout_ms, char *json, size_t size)
{
	static char line[sizeof s->bytes];
	struct pollfd p = { s->fd, POLLIN, 0 };
	for (;;) {
		while (take_line(s, line, sizeof line)) {
			if (strncmp(line, "event:", 6) == 0) {         /* not an entry: its data goes with it */
				s->skip = 1;
			} else if (strncmp(line, "data: ", 6) == 0) {
				int skip = s->skip;
				s->skip = 0;
				if (!skip)
					return snprintf(json, size, "%s", line + 6) > 0;
			}
		}
		int n = s->len == sizeof s->bytes ? -1 : poll(&p, 1, timeout_ms);
		if (n <= 0)
			return n;
		ssize_t got = recv(s->fd, s->bytes + s->len, sizeof s->bytes - s->len, 0);
		if (got <= 0)
			return -1;
		s->len += (size_t)got;
	}
}

void
client_stream_close(struct client_stream *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}
