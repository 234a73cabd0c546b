/* lobby - see lobby.h */
#include "broker/lobby.h"
#include "common/crc32c.h"
#include "common/log_peer.h"
#include "common/net.h"
#include <errno.h>
#include <mom/record.h>
#include <mom/wire.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { ACCEPT_MOST = 64, HELLO_WHOLE = RECORD_HEADER + HELLO_BYTES };

static uint32_t
address_number(const struct sockaddr_storage *a)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
	if (a->ss_family == AF_INET)
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr;
	return crc32c(0, &v6->sin6_addr, 8);           /* one customer's network counts as one */
}

static void
lobby_remove(struct lobby *l, uint32_t i)
{
	memmove(l->guests + i, l->guests + i + 1, (l->count - i - 1) * sizeof *l->guests);
	l->count--;
}

static void
lobby_send_away(struct lobby *l, uint32_t i)
{
	net_peer_text(l->guests[i].fd, l->last, sizeof l->last);
	close(l->guests[i].fd);
	lobby_remove(l, i);
	l->sent_away++;
}

/* The oldest of those who have most. */
static uint32_t
lobby_victim(const struct lobby *l)
{
	uint32_t victim = 0, most = 0;
	for (uint32_t i = 0; i < l->count; i++) {
		uint32_t n = 0;
		for (uint32_t k = i; k < l->count; k++)
			n += l->guests[k].from == l->guests[i].from;
		if (n > most) {
			most = n;
			victim = i;
		}
	}
	return victim;
}

void
lobby_accept(struct lobby *l, struct spare *spare, int listener, int64_t now)
{
	for (int n = 0; n < ACCEPT_MOST; n++) {
		struct sockaddr_storage a;
		socklen_t len = sizeof a;
		int whole = HELLO_WHOLE, fd = spare_accept(spare, listener, SOCK_CLOEXEC | SOCK_NONBLOCK), error = errno;
		int full = fd >= 0 ? spare->is_full : error != EAGAIN && error != EINTR && error != ECONNABORTED;
		if (full)
			log_peer(LOG_FROM_WARN, 0, "accept: %s: a machine is turned away, it tries again: raise "
			    "`ulimit -n`, or connect fewer machines",
			    fd >= 0 ? "no descriptors left" : strerror(error));
		if (full && l->count)
			lobby_send_away(l, lobby_victim(l));
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
		if (l->count == LOBBY_MAX)
			lobby_send_away(l, lobby_victim(l));
		setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &whole, sizeof whole);       /* poll tells of a whole HELLO, not of each byte */
		l->guests[l->count++] = (struct guest){ fd, address_number(&a), now + HANDSHAKE_MS, 0 };
	}
}

nfds_t
lobby_polls(const struct lobby *l, struct pollfd *polls)
{
	for (uint32_t i = 0; i < l->count; i++)
		polls[i] = (struct pollfd){ l->guests[i].fd, POLLIN | POLLRDHUP, 0 };
	return l->count;
}

static void
lobby_say(struct lobby *l, int64_t now)
{
	if (l->said == l->sent_away || now < l->say_due)
		return;
	log_warn("%llu connections closed that made no handshake within 3 s, or too slowly among many; the last from %s: is it a mom_daemon",
	    (unsigned long long)(l->sent_away - l->said), l->last);
	l->said = l->sent_away;
	l->say_due = now + LOG_PEER_MS;
}

/* Its HELLO is there as a whole? Else it leaves where its time is over or it has hung up. */
static void
guest_look(struct lobby *l, uint32_t i, short revents, int64_t now)
{
	struct guest *g = &l->guests[i];
	int there, one = 1;
	g->ready = 0;
	if (!revents && now < g->until)
		return;
	if (ioctl(g->fd, FIONREAD, &there) == 0 && there >= HELLO_WHOLE) {
		g->ready = 1;
		setsockopt(g->fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one);
	} else if (now >= g->until || revents & (POLLRDHUP | POLLHUP | POLLERR))
		lobby_send_away(l, i);
}

void
lobby_look(struct lobby *l, const struct pollfd *polls, nfds_t n, int64_t now, int (*take)(void *with, int fd), void *with)
{
	for (uint32_t i = (uint32_t)n; i-- > 0;)
		guest_look(l, i, polls[i].revents, now);
	/* the oldest first; but before them those of another address than the last: no address can take every place */
	for (int any = 0, room = 1; room && any < 2; any++) {
		for (uint32_t i = 0; room && i < l->count; i++) {
			struct guest g = l->guests[i];
			if (!g.ready || (!any && g.from == l->last_from))
				continue;
			room = take(with, g.fd) == 0;
			if (!room)
				continue;
			l->last_from = g.from;
			lobby_remove(l, i--);
		}
	}
	lobby_say(l, now);
}

int64_t
lobby_due(const struct lobby *l)
{
	int64_t due = l->count ? l->guests[0].until : -1;
	if (l->said != l->sent_away && (due < 0 || l->say_due < due))
		due = l->say_due;
	return due;
}

void
lobby_close(struct lobby *l)
{
	while (l->count)
		close(l->guests[--l->count].fd);
}
