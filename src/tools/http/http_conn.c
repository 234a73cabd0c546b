/* http_conn - connections of browsers: read a request, send its answer, in pieces as they come; a part of mom_http
 *
 * A connection holds one head of at most 8 KiB and one answer, and reads nothing while it sends, so what it can cost is
 * bounded. Whoever is slow has its time and is then cut off; whoever comes when all places are taken sends the oldest
 * idle one away, or the oldest. */
#include "base/fdio.h"
#include "base/log_peer.h"
#include "tools/http/http.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum conn_is { IS_IDLE, IS_HEAD, IS_SENDING, IS_LINGERING };

struct http_conn {
	int fd;
	enum conn_is is;
	int close;                       /* after this answer */
	int64_t began, until;            /* of the present state; until: the latest moment for progress */
	size_t have, head_len, sent;     /* sent: of head and body together */
	size_t body_len;                 /* 0 for HEAD */
	struct http_body *body;
	char head[1200], in[HTTP_HEAD_MAX];
};

struct http_conns {
	int listener;
	struct watch *watch;
	const char *hosts;               /* names under which it may be asked, or NULL */
	struct spare spare;
	uint32_t count;
	struct http_conn *conn[HTTP_CONNS];      /* the oldest first */
};

struct http_conns *
http_conns_new(int listener, struct watch *w, const char *hosts)
{
	struct http_conns *c = calloc(1, sizeof *c);
	if (c == NULL)
		return NULL;
	c->listener = listener;
	c->watch = w;
	c->hosts = hosts;
	spare_open(&c->spare);
	return c;
}

static void
conn_is_now(struct http_conn *v, enum conn_is is, int64_t now)
{
	static const int patience[] = { [IS_IDLE] = HTTP_IDLE_MS, [IS_HEAD] = HTTP_HEAD_MS,
	    [IS_SENDING] = HTTP_STUCK_MS, [IS_LINGERING] = HTTP_LINGER_MS };
	v->is = is;
	v->began = now;
	v->until = now + patience[is];
}

static void
conn_remove(struct http_conns *c, uint32_t i)
{
	struct http_conn *v = c->conn[i];
	/* or the kernel would keep what a stuck reader does not take, for minutes */
	struct linger at_once = { 1, 0 };
	if (v->is == IS_SENDING)
		setsockopt(v->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	close(v->fd);
	http_body_drop(v->body);
	free(v);
	c->count--;
	memmove(c->conn + i, c->conn + i + 1, (c->count - i) * sizeof *c->conn);
}

static void
conn_make_room(struct http_conns *c)
{
	uint32_t victim = 0;
	for (uint32_t i = 0; i < c->count; i++) {
		const struct http_conn *v = c->conn[i], *worst = c->conn[victim];
		if ((v->is == IS_IDLE) > (worst->is == IS_IDLE) ||
		    ((v->is == IS_IDLE) == (worst->is == IS_IDLE) && v->began < worst->began))
			victim = i;
	}
	log_debug("%d connections: the %s is sent away", HTTP_CONNS,
	    c->conn[victim]->is == IS_IDLE ? "oldest idle one" : "oldest");
	conn_remove(c, victim);
}

static void
conns_accept(struct http_conns *c, int64_t now)
{
	int one = 1, most = HTTP_SEND_BYTES;
	for (int n = 0; n < HTTP_CONNS; n++) {
		int fd = spare_accept(&c->spare, c->listener, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct http_conn *v = fd >= 0 && !c->spare.is_full ? calloc(1, sizeof *v) : NULL;
		if (v == NULL && (fd >= 0 || (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)))
			log_peer(LOG_FROM_WARN, 0, "accept: %s: a connection is turned away",
			    fd >= 0 ? "no descriptors or no memory left" : strerror(errno));
		if (fd >= 0 && v == NULL) {
			close(fd);
			spare_open(&c->spare);
		}
		if (v == NULL)
			return;
		v->fd = fd;
		if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0 ||
		    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &most, sizeof most) < 0)
			log_debug("setsockopt: %s", strerror(errno));
		conn_is_now(v, IS_HEAD, now);
		if (c->count == HTTP_CONNS)
			conn_make_room(c);
		c->conn[c->count++] = v;
	}
}

/* ---- one connection: each returns -1 where it has ended ---- */

static void
conn_head(struct http_conn *v, const struct http_request *r)
{
	char date[40];
	time_t now = time(NULL);
	struct tm t;
	gmtime_r(&now, &t);
	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &t);
	int n = snprintf(v->head, sizeof v->head,
	    "HTTP/1.1 %d %s\r\n"
	    "Date: %s\r\n"
	    "Content-Type: %s\r\n"
	    "Content-Length: %zu\r\n"
	    "Connection: %s\r\n"
	    "%sCache-Control: no-store\r\n"
	    "X-Content-Type-Options: nosniff\r\n"
	    "X-Frame-Options: DENY\r\n"
	    "Referrer-Policy: no-referrer\r\n"
	    "Cross-Origin-Resource-Policy: same-origin\r\n"
	    "Cross-Origin-Opener-Policy: same-origin\r\n"
	    "Content-Security-Policy: default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	    v->body->status, http_status_text(v->body->status), date, v->body->type, v->body->n,
	    v->close ? "close" : "keep-alive",
	    v->body->status == 405 ? "Allow: GET, HEAD\r\n" : "");
	if (v->body->nonce[0])
		n += snprintf(v->head + n, sizeof v->head - (size_t)n,
		    "; connect-src 'self'; img-src data:; style-src 'nonce-%s'; script-src 'nonce-%s'",
		    v->body->nonce, v->body->nonce);
	n += snprintf(v->head + n, sizeof v->head - (size_t)n, "\r\n\r\n");
	v->head_len = (size_t)n;
	v->body_len = r->head_only ? 0 : v->body->n;
	v->sent = 0;
}

static int
conn_send(struct http_conn *v, int64_t now)
{
	while (v->sent < v->head_len + v->body_len) {
		size_t head = v->sent < v->head_len ? v->head_len - v->sent : 0, from = v->sent + head - v->head_len;
		struct iovec parts[2] = { { v->head + v->sent * (head > 0), head },
		    { v->body->bytes + from, v->body_len - from } };
		struct msghdr m = { .msg_iov = parts, .msg_iovlen = 2 };
		ssize_t n = sendmsg(v->fd, &m, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return -1;
		if (n < 0)
			return 0;
		v->sent += (size_t)n;
		v->until = now + HTTP_STUCK_MS < v->began + HTTP_ANSWER_MS ? now + HTTP_STUCK_MS
		    : v->began + HTTP_ANSWER_MS;
	}
	http_body_drop(v->body);
	v->body = NULL;
	if (v->close) {
		shutdown(v->fd, SHUT_WR);
		conn_is_now(v, IS_LINGERING, now);
	} else
		conn_is_now(v, v->have ? IS_HEAD : IS_IDLE, now);
	return 0;
}

/* The requests that are there, one after the other, as far as their answers can be sent now. */
static int
conn_serve(struct http_conns *c, struct http_conn *v, int64_t now)
{
	struct http_request r;
	while (v->have && (v->is == IS_HEAD || v->is == IS_IDLE)) {
		size_t n = http_request_parse(v->in, v->have, c->hosts, &r);
		if (n == 0) {
			if (v->is == IS_IDLE)
				conn_is_now(v, IS_HEAD, now);
			return 0;
		}
		v->have -= n;
		memmove(v->in, v->in + n, v->have);
		v->close = r.close;
		v->body = http_page(c->watch, &r);
		if (v->body == NULL)
			return -1;
		conn_head(v, &r);
		conn_is_now(v, IS_SENDING, now);
		if (conn_send(v, now) < 0)
			return -1;
	}
	return 0;
}

static int
conn_read(struct http_conns *c, struct http_conn *v, int64_t now)
{
	char rest[4096];
	int lingers = v->is == IS_LINGERING;
	ssize_t n = fdio_read(v->fd, lingers ? rest : v->in + v->have, lingers ? sizeof rest : sizeof v->in - v->have);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (n == 0)
		return -1;
	if (lingers)
		return 0;
	v->have += (size_t)n;
	return conn_serve(c, v, now);
}

static int
conn_event(struct http_conns *c, struct http_conn *v, int events, int64_t now)
{
	if (v->is != IS_SENDING)
		return events & (POLLIN | POLLHUP | POLLERR) ? conn_read(c, v, now) : 0;
	if (events & (POLLHUP | POLLERR))
		return -1;
	if (events & POLLOUT && (conn_send(v, now) < 0 || conn_serve(c, v, now) < 0))
		return -1;
	return 0;
}

/* ---- all ---- */

nfds_t
http_conns_polls(struct http_conns *c, struct pollfd *polls, int64_t now)
{
	polls[0] = (struct pollfd){ spare_is_ready(&c->spare, now) ? c->listener : -1, POLLIN, 0 };
	for (uint32_t i = 0; i < c->count; i++)
		polls[i + 1] = (struct pollfd){ c->conn[i]->fd, c->conn[i]->is == IS_SENDING ? POLLOUT : POLLIN, 0 };
	return c->count + 1;
}

void
http_conns_look(struct http_conns *c, const struct pollfd *polls, nfds_t n, int64_t now)
{
	for (nfds_t k = n; k-- > 1;) {           /* from the end, since those that end leave the list */
		struct http_conn *v = c->conn[k - 1];
		if ((polls[k].revents && conn_event(c, v, polls[k].revents, now) < 0) || now >= v->until)
			conn_remove(c, (uint32_t)k - 1);
	}
	if (polls[0].revents)
		conns_accept(c, now);
}

int64_t
http_conns_due(const struct http_conns *c, int64_t now)
{
	int64_t due = spare_is_ready(&c->spare, now) ? -1 : c->spare.until_ms;
	for (uint32_t i = 0; i < c->count; i++)
		if (due < 0 || c->conn[i]->until < due)
			due = c->conn[i]->until;
	return due;
}
