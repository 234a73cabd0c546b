/* lobby - see lobby.h */
#include "broker/lobby.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/log_peer.h"
#include "base/net.h"
#include <errno.h>
#include "format/record.h"
#include "format/wire.h"
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { ACCEPT_MOST = 64, HELLO_LEAST = RECORD_HEADER + HELLO_BYTES };

static uint32_t
address_number(const struct sockaddr_storage *a)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
	if (a->ss_family == AF_INET)
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr;
	return crc32c(0, &v6->sin6_addr, 8);           /* one customer's network counts as one */
}

static void
crowd_remove(struct crowd *c, uint32_t i)
{
	memmove(c->of + i, c->of + i + 1, (c->count - i - 1) * sizeof *c->of);
	c->count--;
}

static uint32_t
crowd_share(const struct crowd *c, uint32_t from)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < c->count; i++)
		n += c->of[i].from == from;
	return n;
}

/* Who of them has to go: the oldest of the address that has most, of those whose time was over at `now`; known machines
 * last, and only at `late`. -1: nobody */
static int
crowd_victim(const struct crowd *c, int64_t now, int64_t late)
{
	int victim = -1;
	uint32_t most = 0;
	for (uint32_t i = 0; i < c->count; i++) {
		const struct guest *g = &c->of[i];
		uint32_t share = crowd_share(c, g->from);
		if (g->until > (g->known ? late : now))
			continue;
		if (victim < 0 || g->known < c->of[victim].known || (g->known == c->of[victim].known && share > most)) {
			victim = (int)i;
			most = share;
		}
	}
	return victim;
}

static void
lobby_count(struct lobby *l, int fd)
{
	net_peer_text(fd, l->last, sizeof l->last);
	l->sent_away++;
}

static void
guest_send_away(struct lobby *l, uint32_t i)
{
	lobby_count(l, l->guests.of[i].fd);
	close(l->guests.of[i].fd);
	crowd_remove(&l->guests, i);
}

static void
lobby_make_room(struct lobby *l)
{
	guest_send_away(l, (uint32_t)crowd_victim(&l->guests, INT64_MAX, INT64_MAX));
}

void
lobby_accept(struct lobby *l, struct spare *spare, int listener, int64_t now)
{
	for (int n = 0; n < ACCEPT_MOST; n++) {
		struct sockaddr_storage a;
		socklen_t len = sizeof a;
		int least = HELLO_LEAST, fd = spare_accept(spare, listener, SOCK_CLOEXEC | SOCK_NONBLOCK),
		    error = errno;
		int full = fd >= 0 ? spare->is_full : error != EAGAIN && error != EINTR && error != ECONNABORTED;
		if (full)
			log_peer(LOG_FROM_WARN, 0, "accept: %s: a machine is turned away, it tries again: raise "
			    "`ulimit -n`, or connect fewer machines",
			    fd >= 0 ? "no descriptors left" : strerror(error));
		if (full && l->guests.count)
			lobby_make_room(l);
		if (fd >= 0 && full) {
			close(fd);
			spare_open(spare);
		}
		if (fd < 0 || full)
			return;
		if (getpeername(fd, (struct sockaddr *)&a, &len) < 0) {      /* gone already */
			close(fd);
			continue;
		}
		turnstile_came(&l->turnstile);
		if (l->guests.count == LOBBY_MAX)
			lobby_make_room(l);
		/* poll tells of a HELLO, not of each byte */
		setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least);
		l->guests.of[l->guests.count++] = (struct guest){ .fd = fd, .from = address_number(&a),
		    .until = now + HANDSHAKE_MS };
	}
}

/* Of one that waits only its end is to be heard. */
nfds_t
lobby_polls(const struct lobby *l, struct pollfd *polls)
{
	for (uint32_t i = 0; i < l->guests.count; i++)
		polls[i] = (struct pollfd){ l->guests.of[i].fd,
		    (short)(l->guests.of[i].ready ? POLLRDHUP : POLLIN | POLLRDHUP), 0 };
	return l->guests.count;
}

static void
lobby_say(struct lobby *l, int64_t now)
{
	if (l->said == l->sent_away || now < l->say_due)
		return;
	log_warn("%llu connections closed that made no handshake within 3 s, or too slowly among many; the last from "
	    "%s: is it a mom_daemon",
	    (unsigned long long)(l->sent_away - l->said), l->last);
	l->said = l->sent_away;
	l->say_due = now + LOG_PEER_MS;
}

/* Who is it, and how long is its HELLO? Nothing is taken yet: its handler reads it, and says what is wrong with it. */
static int
guest_peek(struct guest *g)
{
	char bytes[HELLO_LEAST];
	struct hello h;
	ssize_t n = recv(g->fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
	if (n != sizeof bytes || bytes[9] != REC_HELLO)
		return HELLO_LEAST;
	wire_hello_get(&h, bytes + RECORD_HEADER, HELLO_BYTES);
	memcpy(g->machine, h.machine, sizeof g->machine);
	g->token = h.token;
	uint32_t len = get_u32(bytes);
	return len > HELLO_LEAST && len <= RECORD_HEADER + HELLO_MOST ? (int)record_stride(len) : HELLO_LEAST;
}

/* Its HELLO is there as a whole? Else it leaves where its time is over or it has hung up. */
static void
guest_look(struct lobby *l, uint32_t i, short revents, int64_t now)
{
	struct guest *g = &l->guests.of[i];
	int there = 0, whole = HELLO_LEAST, one = 1, gone = (revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
	if (g->ready ? !gone : !revents && now < g->until)
		return;
	if (!g->ready && ioctl(g->fd, FIONREAD, &there) == 0 && there >= HELLO_LEAST &&
	    there >= (whole = guest_peek(g))) {
		g->ready = 1;
		setsockopt(g->fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one);
	} else if (now >= g->until || gone)
		guest_send_away(l, i);
	else if (there >= HELLO_LEAST)                 /* poll is to tell of the rest */
		setsockopt(g->fd, SOL_SOCKET, SO_RCVLOWAT, &whole, sizeof whole);
}

/* Who gets the next place: a known machine, then the address that has the fewest, then the oldest. -1: nobody waits */
static int
lobby_next(struct lobby *l, const struct lobby_host *host)
{
	int next = -1;
	uint32_t fewest = 0;
	for (uint32_t i = 0; i < l->guests.count; i++) {
		struct guest *g = &l->guests.of[i];
		if (!g->ready)
			continue;
		g->known = host->known(host->with, g->machine, g->token);
		uint32_t share = crowd_share(&l->strangers, g->from);
		int better = next < 0 ? 1 : g->known - l->guests.of[next].known;
		if (better > 0 || (better == 0 && share < fewest)) {
			next = (int)i;
			fewest = share;
		}
	}
	return next;
}

static uint32_t
lobby_starting(const struct lobby *l)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < l->strangers.count; i++)
		n += l->strangers.of[i].starting != 0;
	return n;
}

/* A place for that guest. 0: it waits */
static int
lobby_place(struct lobby *l, const struct guest *g, int64_t now, const struct lobby_host *host)
{
	if (lobby_starting(l) >= STARTING_MAX)
		return 0;
	if (l->strangers.count < STRANGERS_MAX)
		return 1;
	int victim = crowd_victim(&l->strangers, now, g->known ? now : now - HANDSHAKE_MS + STRANGER_MS);
	if (victim < 0)
		return 0;
	struct guest *v = &l->strangers.of[victim];
	if (v->known >= g->known && crowd_share(&l->strangers, v->from) < crowd_share(&l->strangers, g->from))
		return 0;
	lobby_count(l, v->fd);
	host->drop(host->with, v->conn);
	return 1;
}

void
lobby_look(struct lobby *l, const struct pollfd *polls, nfds_t n, int64_t now, const struct lobby_host *host)
{
	for (uint32_t i = (uint32_t)n; i-- > 0;)
		guest_look(l, i, polls[i].revents, now);
	int rests = turnstile_rests(&l->turnstile, clock_us());
	for (int next; (next = lobby_next(l, host)) >= 0 && !(rests && !l->guests.of[next].known) &&
	    lobby_place(l, &l->guests.of[next], now, host);) {
		struct guest g = l->guests.of[next];
		if (g.known)
			turnstile_let_in(&l->turnstile);
		crowd_remove(&l->guests, (uint32_t)next);
		int conn = host->take(host->with, g.fd);
		if (conn < 0)
			continue;
		g.conn = (uint32_t)conn;
		g.starting = 1;
		g.until = now + HANDSHAKE_MS;          /* its handler has to begin first */
		l->strangers.of[l->strangers.count++] = g;
	}
	l->looked = now;
	lobby_say(l, now);
}

void
lobby_welcomed(struct lobby *l, uint32_t conn, int64_t now)
{
	for (uint32_t i = 0; i < l->strangers.count; i++)
		if (l->strangers.of[i].conn == conn) {
			l->strangers.of[i].starting = 0;
			l->strangers.of[i].until = now + STRANGER_MS;
		}
}

void
lobby_leave(struct lobby *l, uint32_t conn)
{
	for (uint32_t i = 0; i < l->strangers.count; i++)
		if (l->strangers.of[i].conn == conn) {
			crowd_remove(&l->strangers, i);
			return;
		}
}

/* What was due at the last look waits for something else now. */
static void
lobby_due_at(const struct lobby *l, int64_t *due, int64_t at)
{
	if (at > l->looked && (*due < 0 || at < *due))
		*due = at;
}

int64_t
lobby_due(const struct lobby *l)
{
	int64_t due = l->said != l->sent_away ? l->say_due : -1;
	int waits = 0;
	for (uint32_t i = 0; i < l->guests.count; i++) {
		const struct guest *g = &l->guests.of[i];
		waits |= g->ready;
		if (!g->ready && (due < 0 || g->until < due))
			due = g->until;
	}
	for (uint32_t i = 0; waits && i < l->strangers.count; i++) {
		lobby_due_at(l, &due, l->strangers.of[i].until);
		lobby_due_at(l, &due, l->strangers.of[i].until + HANDSHAKE_MS - STRANGER_MS);
	}
	return due;
}

void
lobby_close(struct lobby *l)
{
	while (l->guests.count)
		close(l->guests.of[--l->guests.count].fd);
}
