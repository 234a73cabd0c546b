/* socket - TCP between machines and AF_UNIX within one: delays, short reads and writes, partitions, resets, power cuts
 * Bytes lie in the receiver's chunks, each with the time at which it arrives; a chunk that a partition holds arrives
 * when that ends. */
#include "sim.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "calls.h"

enum { FRESH, LISTENS, CONNECTING, OPEN, BROKEN, ROOM = 65536, USER_TIMEOUT = 12 * SECOND };

struct chunk { int64_t at, sent; size_t n, taken; char *bytes; struct chunk *next; };

struct sock {
	int domain, packets, state, machine, error, pid, port;
	int power_cut;                            /* its machine lost power: no more comes from it */
	struct sock *peer, *next;                 /* next: of all */
	struct chunk *first, **last;              /* what this one receives */
	size_t bytes, room;
	size_t low;                               /* SO_RCVLOWAT */
	int64_t latest, fin, timeout;             /* fin: when the peer's end arrives, NEVER: not yet */
	struct sock *backlog;                     /* LISTENS: connected, not accepted */
	struct sock *next_backlog;
	uint32_t address;
};

static struct sock *all;
static int next_port;

void
socket_reset(void)
{
	all = NULL;
	next_port = 50000;
}

static struct sock *
sock_new(int domain, int packets, int machine)
{
	struct sock *s = sim_alloc(sizeof *s);
	s->domain = domain;
	s->packets = packets;
	s->machine = machine;
	s->last = &s->first;
	s->fin = NEVER;
	s->pid = S.cur ? S.cur->pid : 0;
	s->room = domain == AF_INET ? (size_t)1 << (12 + S.seed % 5) : ROOM;
	s->next = all;
	all = s;
	return s;
}

static void
sock_ring(struct sock *s)
{
	sim_wake(s);
	sim_wake(POLLERS);
}

static void
sock_ring_at(int64_t when, struct sock *s)
{
	sim_wake_at(when, s);
	sim_wake_at(when, POLLERS);
}

static int
is_cut(const struct sock *s)
{
	return s->domain == AF_INET && s->peer && s->machine != s->peer->machine &&
	    (S.machines[s->machine].cut || S.machines[s->peer->machine].cut);
}

/* when what leaves s now arrives at its peer */
static int64_t
arrival(struct sock *s)
{
	struct sock *to = s->peer;
	int64_t at = s->domain != AF_INET ? S.now : is_cut(s) ||
	    to->power_cut ? NEVER : S.now + 20 + (int64_t)sim_below(sim_chance(32) ? 30 * MS : 200);
	if (at < to->latest)
		at = to->latest;
	return to->latest = at;
}

static void
sock_break(struct sock *s, int error)
{
	if (s->state != OPEN)
		return;
	s->state = BROKEN;
	s->error = error;
	sock_ring(s);
}

static size_t
readable(const struct sock *s)
{
	size_t n = 0;
	for (struct chunk *c = s->first; c && c->at <= S.now; c = c->next)
		n += c->n - c->taken;
	return n;
}

static int
has_end(const struct sock *s)
{
	return s->fin <= S.now && (s->first == NULL || s->first->at > S.now);
}

int
socket_ready(struct sock *s)
{
	if (s->state == LISTENS)
		return s->backlog ? POLLIN : 0;
	if (s->state == CONNECTING || s->state == FRESH)
		return 0;
	if (s->state == BROKEN)
		return POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP;
	int bits = s->first && s->first->at <= S.now && readable(s) >= s->low ? POLLIN : 0;
	if (s->fin <= S.now)
		bits |= POLLIN | POLLRDHUP | (s->domain == AF_UNIX ? POLLHUP : 0);
	if (s->peer == NULL || s->peer->bytes < s->peer->room)
		bits |= POLLOUT;
	return bits;
}

/* ---- reading and writing ---- */

static long
take(struct sock *s, char *bytes, size_t n)
{
	size_t got = 0;
	if (!s->packets && n > 1 && sim_chance(16))
		n = 1 + sim_below(n);
	while (s->first && s->first->at <= S.now && got < n) {
		struct chunk *c = s->first;
		size_t part = c->n - c->taken < n - got ? c->n - c->taken : n - got;
		memcpy(bytes + got, c->bytes + c->taken, part);
		got += part;
		c->taken += part;
		s->bytes -= part;
		if (c->taken < c->n && !s->packets)
			break;
		s->bytes -= c->n - c->taken;
		s->first = c->next;
		if (s->first == NULL)
			s->last = &s->first;
		if (s->packets)
			break;
	}
	if (s->peer)
		sock_ring(s->peer);
	return sim_back((long)got);
}

long
socket_read(struct sock *s, void *bytes, size_t n, int nonblock)
{
	int64_t until = s->timeout ? S.now + s->timeout : NEVER;
	for (;;) {
		if (s->state == BROKEN) {
			int error = s->error;
			s->error = 0;
			return error ? sim_fail(error) : sim_back(0);
		}
		if (s->first && s->first->at <= S.now)
			return take(s, bytes, n);
		if (has_end(s))
			return sim_back(0);
		if (s->state != OPEN)
			return sim_fail(ENOTCONN);
		int r = nonblock ? 1 : sim_sleep(s, until);
		if (r)
			return sim_fail(r == 1 ? EAGAIN : EINTR);
	}
}

/* TCP_USER_TIMEOUT: the oldest byte that did not arrive is too old */
static int64_t
oldest(const struct sock *to)
{
	for (struct chunk *c = to->first; c; c = c->next)
		if (c->at > S.now)
			return c->sent;
	return NEVER;
}

static void
append(struct sock *s, const char *bytes, size_t n)
{
	struct sock *to = s->peer;
	struct chunk *c = sim_alloc(sizeof *c);
	*c = (struct chunk){ .at = arrival(s), .sent = S.now, .n = n, .bytes = sim_alloc(n) };
	memcpy(c->bytes, bytes, n);
	*to->last = c;
	to->last = &c->next;
	to->bytes += n;
	if (c->at <= S.now)
		sock_ring(to);
	else if (c->at != NEVER)
		sock_ring_at(c->at, to);
}

long
socket_write(struct sock *s, const void *bytes, size_t n, int nonblock)
{
	const char *p = bytes;
	size_t put = 0;
	while (put < n) {
		if (s->state == BROKEN || s->peer == NULL) {
			int error = s->error ? s->error : EPIPE;
			s->error = 0;
			return put ? sim_back((long)put) : sim_fail(error);
		}
		if (s->state != OPEN)
			return sim_fail(ENOTCONN);
		int64_t old = s->domain == AF_INET ? oldest(s->peer) : NEVER;
		if (old != NEVER && S.now - old > USER_TIMEOUT) {
			sock_break(s, ETIMEDOUT);
			continue;
		}
		size_t room = s->peer->room > s->peer->bytes ? s->peer->room - s->peer->bytes : 0;
		if (s->packets)
			room = room >= n ? n : 0;
		if (room) {
			size_t part = room < n - put ? room : n - put;
			if (!s->packets && part > 1 && sim_chance(16))
				part = 1 + sim_below(part);
			append(s, p + put, part);
			put += part;
			if (!s->packets && sim_chance(16))
				break;                    /* a short write */
			continue;
		}
		int r = nonblock ? 1 : sim_sleep(s, old == NEVER ? NEVER : old + USER_TIMEOUT + MS);
		if (r == 1 && !nonblock)
			continue;
		if (r)
			return put ? sim_back((long)put) : sim_fail(r == 1 ? EAGAIN : EINTR);
	}
	return sim_back((long)put);
}

/* 0 at the end, 1 where there is a byte */
static long
peek(const struct sock *s)
{
	if (s->state == BROKEN)
		return s->error ? sim_fail(s->error) : 0;
	return s->first && s->first->at <= S.now ? sim_back(1) : has_end(s) ? sim_back(0) : sim_fail(EAGAIN);
}

ssize_t
sim_recv(int fd, void *bytes, size_t n, int flags)
{
	sim_enter("recv");
	struct file *f = file_of(fd);
	if (f && (flags & MSG_PEEK))
		return peek(f->sock);
	return f ? socket_read(f->sock, bytes, n, (f->flags & SOCK_NONBLOCK) | (flags & MSG_DONTWAIT))
	    : sim_fail(EBADF);
}

ssize_t
sim_send(int fd, const void *bytes, size_t n, int flags)
{
	sim_enter("send");
	struct file *f = file_of(fd);
	return f ? socket_write(f->sock, bytes, n, (f->flags & SOCK_NONBLOCK) | (flags & MSG_DONTWAIT))
	    : sim_fail(EBADF);
}

/* ---- the end of a connection ---- */

static void
reset_event(void *with)
{
	struct sock *s = with;
	if (is_cut(s))
		sim_at(S.now + 100 * MS, reset_event, s);
	else
		sock_break(s, ECONNRESET);
}

void
socket_forget(struct sock *s)
{
	struct sock *to = s->peer;
	for (struct sock *b = s->backlog; b; b = b->next_backlog)
		if (b->peer) {
			struct sock *client = b->peer;
			client->peer = NULL;
			sock_break(client, ECONNRESET);
		}
	s->backlog = NULL;
	int unread = s->first != NULL;
	s->state = BROKEN;
	s->peer = NULL;
	if (to == NULL)
		return;
	s->peer = to;
	int64_t at = arrival(s);
	s->peer = NULL;
	if (s->power_cut || S.machines[s->machine].up == 0) {
		to->power_cut = 1;                /* nothing tells it */
		return;
	}
	if (unread && s->domain == AF_INET) {
		to->peer = NULL;
		sim_at(at == NEVER ? S.now + 100 * MS : at, reset_event, to);
		return;
	}
	to->fin = at;
	to->peer = NULL;
	if (at <= S.now)
		sock_ring(to);
	else if (at != NEVER)
		sock_ring_at(at, to);
}

/* what a partition held goes on; s receives */
static void
release(struct sock *s)
{
	int64_t at = S.now + 200 * MS + (int64_t)sim_below(800 * MS);
	s->latest = at;
	for (struct chunk *c = s->first; c; c = c->next)
		if (c->at == NEVER)
			c->at = at;
	if (s->peer == NULL && s->fin == NEVER && !s->power_cut)
		s->fin = at;
	sock_ring_at(at, s);
}

void
socket_cut(int machine, int on)
{
	S.machines[machine].cut = on;
	for (struct sock *s = all; !on && s; s = s->next)
		if (s->domain == AF_INET && s->state == OPEN && s->latest == NEVER && !is_cut(s))
			release(s);
}

void
socket_break(void)
{
	struct sock *open[64];
	size_t n = 0;
	for (struct sock *s = all; s && n < 64; s = s->next)
		if (s->domain == AF_INET && s->state == OPEN && s->peer)
			open[n++] = s;
	if (n == 0)
		return;
	struct sock *s = open[sim_below(n)], *to = s->peer;
	sim_note("a connection is reset");
	s->peer = to->peer = NULL;
	sock_break(s, ECONNRESET);
	if (sim_chance(2))
		sock_break(to, ECONNRESET);
	/* only one end knows, the other hears it with its next byte, or by its silence */
	else {
		to->power_cut = 1;
		to->peer = to;
		to->room = 0;
		sim_at(S.now + (int64_t)sim_below(15 * SECOND), reset_event, to);
	}
}

void
socket_power_cut(int machine)
{
	for (struct sock *s = all; s; s = s->next)
		if (s->machine == machine)
			s->power_cut = 1;
}

/* A rebooted machine answers what comes for its old connections with a reset. */
void
socket_boot(int machine)
{
	(void)machine;
	for (struct sock *s = all; s; s = s->next)
		if (s->domain == AF_INET && s->state == OPEN && s->power_cut && s->machine != machine)
			sim_at(S.now + (int64_t)sim_below(20 * SECOND), reset_event, s);
}

/* ---- connecting ---- */

static int
new_fd(struct sock *s, int type)
{
	struct file *f = file_new(FILE_SOCKET);
	f->sock = s;
	f->flags = type & SOCK_NONBLOCK;
	return file_fd(f, type & SOCK_CLOEXEC);
}

int
sim_socket(int domain, int type, int protocol)
{
	sim_enter("socket");
	(void)protocol;
	return (int)sim_back(new_fd(sock_new(domain, (type & 15) == SOCK_SEQPACKET, S.cur->machine), type));
}

static void
join(struct sock *a, struct sock *b)
{
	a->peer = b;
	b->peer = a;
	a->state = b->state = OPEN;
}

int
sim_socketpair(int domain, int type, int protocol, int fds[2])
{
	sim_enter("socketpair");
	struct sock *a = sock_new(domain, 1, S.cur->machine), *b = sock_new(domain, 1, S.cur->machine);
	(void)protocol;
	join(a, b);
	fds[0] = new_fd(a, type);
	fds[1] = new_fd(b, type);
	return (int)sim_back(0);
}

int
sim_bind(int fd, const struct sockaddr *a, socklen_t n)
{
	sim_enter("bind");
	struct sock *s = file_of(fd)->sock;
	(void)n;
	if (a->sa_family == AF_UNIX) {
		int error = disk_bind(((const struct sockaddr_un *)a)->sun_path, s);
		return error ? (int)sim_fail(error) : (int)sim_back(0);
	}
	s->port = ntohs(((const struct sockaddr_in *)a)->sin_port);
	s->address = ((const struct sockaddr_in *)a)->sin_addr.s_addr;
	for (struct sock *o = all; o; o = o->next)
		if (o->state == LISTENS && o->domain == AF_INET && o->port == s->port)
			return (int)sim_fail(EADDRINUSE);
	return (int)sim_back(0);
}

int
sim_listen(int fd, int backlog)
{
	sim_enter("listen");
	(void)backlog;
	file_of(fd)->sock->state = LISTENS;
	return (int)sim_back(0);
}

static void
backlog_add(struct sock *listener, struct sock *client)
{
	struct sock *s = sock_new(client->domain, client->packets, listener->machine), **at = &listener->backlog;
	s->pid = client->pid;
	s->port = client->port;
	join(s, client);
	while (*at)
		at = &(*at)->next_backlog;
	*at = s;
	sock_ring(listener);
	sock_ring(client);
}

static void
connect_arrives(void *with)
{
	struct sock *s = with, *l;
	if (s->state != CONNECTING)
		return;
	for (l = all; l && !(l->state == LISTENS && l->domain == AF_INET && l->port == s->port); l = l->next)
		;
	int broker = 0;                           /* the machine that has the address */
	if (!S.machines[broker].up || S.machines[broker].cut || S.machines[s->machine].cut) {
		sim_at(S.now + SECOND, connect_arrives, s);      /* SYN again */
		return;
	}
	if (l) {
		backlog_add(l, s);
		return;
	}
	s->state = BROKEN;
	s->error = ECONNREFUSED;
	sock_ring(s);
}

int
sim_connect(int fd, const struct sockaddr *a, socklen_t n)
{
	sim_enter("connect");
	struct sock *s = file_of(fd)->sock;
	(void)n;
	if (a->sa_family == AF_UNIX) {
		struct sock *l = disk_listener(((const struct sockaddr_un *)a)->sun_path);
		if (l == NULL)
			return (int)sim_fail(errno);
		if (l->state != LISTENS)
			return (int)sim_fail(ECONNREFUSED);
		backlog_add(l, s);
		return (int)sim_back(0);
	}
	s->state = CONNECTING;
	s->port = ntohs(((const struct sockaddr_in *)a)->sin_port);
	sim_at(S.now + 50 + (int64_t)sim_below(400), connect_arrives, s);
	return (int)sim_fail(EINPROGRESS);
}

int
sim_accept4(int fd, struct sockaddr *a, socklen_t *n, int flags)
{
	sim_enter("accept");
	struct sock *l = file_of(fd)->sock, *s = l->backlog;
	(void)a, (void)n;
	if (s == NULL)
		return (int)sim_fail(EAGAIN);
	l->backlog = s->next_backlog;
	return (int)sim_back(new_fd(s, flags));
}

int
sim_setsockopt(int fd, int level, int option, const void *value, socklen_t n)
{
	const struct timeval *t = value;
	(void)n;
	if (level == SOL_SOCKET && option == SO_RCVTIMEO)
		file_of(fd)->sock->timeout = t->tv_sec * SECOND + t->tv_usec;
	if (level == SOL_SOCKET && option == SO_RCVLOWAT)
		file_of(fd)->sock->low = (size_t)*(const int *)value;
	return 0;
}

int
sim_getsockopt(int fd, int level, int option, void *value, socklen_t *n)
{
	sim_enter("getsockopt");
	struct sock *s = file_of(fd)->sock;
	(void)level, (void)n;
	if (option == SO_ERROR) {
		*(int *)value = s->error;
		s->error = 0;
		return (int)sim_back(0);
	}
	if (option != SO_PEERCRED)
		return (int)sim_fail(ENOPROTOOPT);
	*(struct ucred *)value = (struct ucred){ s->pid, 1000, 1000 };
	return (int)sim_back(0);
}

static int
name_put(const struct sock *s, struct sockaddr *a, uint32_t address)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)s->port),
	    .sin_addr.s_addr = address };
	memcpy(a, &v4, sizeof v4);
	return 0;
}

int sim_getsockname(int fd, struct sockaddr *a, socklen_t *n) { (void)n;
    return name_put(file_of(fd)->sock, a, file_of(fd)->sock->address); }
int sim_getpeername(int fd, struct sockaddr *a, socklen_t *n) { (void)n;
    return name_put(file_of(fd)->sock, a, htonl(0x0a000002)); }

int
sim_ioctl(int fd, unsigned long request, ...)
{
	sim_enter("ioctl");
	va_list ap;
	va_start(ap, request);
	int *n = va_arg(ap, int *);
	va_end(ap);
	if (request != FIONREAD)
		return (int)sim_fail(ENOTTY);
	*n = (int)readable(file_of(fd)->sock);
	return (int)sim_back(0);
}
