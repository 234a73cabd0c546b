/* relay - a TCP relay between daemons and a broker that counts frames, and can hold, cut or trickle */
#include <lib/relay.h>
#include <lib/t.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAIRS = 64, CHUNK = 65536, LOOK_MS = 20 };

struct way {                           /* one direction of one connection */
	uint64_t skip;                 /* bytes of the frame under way that are still to come */
	unsigned char head[16];
	unsigned head_bytes;
	int ended;
};
struct pair { int fd[2], greeted; struct way way[2]; };   /* fd[0] daemon, fd[1] broker */
static struct pair pairs[PAIRS];
static int pair_count, seen_cuts;

/* a frame: u32 length (little endian) at 0, type at 9; it takes the length rounded up to 8 */
static void
count(struct relay *r, int which, struct way *w, const unsigned char *p, size_t n)
{
	r->bytes[which] += (long)n;
	while (n) {
		if (w->skip) {
			size_t step = w->skip < n ? (size_t)w->skip : n;
			w->skip -= step;
			p += step;
			n -= step;
			continue;
		}
		w->head[w->head_bytes++] = *p++;
		n--;
		if (w->head_bytes < sizeof w->head)
			continue;
		uint32_t len = w->head[0] | (uint32_t)w->head[1] << 8 | (uint32_t)w->head[2] << 16 |
		    (uint32_t)w->head[3] << 24;
		w->head_bytes = 0;
		if (len < sizeof w->head || w->head[9] >= RELAY_TYPES)
			r->strange[which]++;
		else
			r->frames[which][w->head[9]]++;
		w->skip = len < sizeof w->head ? 0 : ((uint64_t)len + 7) / 8 * 8 - sizeof w->head;
	}
}

static void
drop(struct relay *r, int i)
{
	close(pairs[i].fd[0]);
	close(pairs[i].fd[1]);
	pairs[i] = pairs[--pair_count];
	r->connections--;
}

static int
is_inside(const struct way *w)
{
	return w->skip || w->head_bytes;
}

/* how many of n bytes to pass so that the last one is in the middle of a frame */
static size_t
count_to_middle(struct relay *r, int which, struct way *w, const unsigned char *p, size_t n)
{
	size_t k = n / 2;
	count(r, which, w, p, k);
	if (!is_inside(w))
		count(r, which, w, p + k++, 1);
	return is_inside(w) ? k : 0;
}

/* -1: the connection is broken */
static int
pass(struct relay *r, struct pair *p, int from)
{
	static unsigned char buffer[CHUNK];
	int cut = r->cut_inside[from] != r->cut_inside_done[from], slow = r->trickle_us[from];
	ssize_t n = read(p->fd[from], buffer, slow ? 1 : sizeof buffer);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -1;
	if (n == 0) {
		p->way[from].ended = 1;
		shutdown(p->fd[!from], SHUT_WR);
		return p->way[!from].ended ? -1 : 0;
	}
	if (from == RELAY_UP && !p->greeted) {
		p->greeted = 1;
		r->hello_bytes = 0;
		memcpy(r->hello, buffer, (size_t)n < sizeof r->hello ? (size_t)n : sizeof r->hello);
		r->hello_bytes = (size_t)n < sizeof r->hello ? (int)n : (int)sizeof r->hello;
	}
	if (cut)
		n = (ssize_t)count_to_middle(r, from, &p->way[from], buffer, (size_t)n);
	else
		count(r, from, &p->way[from], buffer, (size_t)n);
	for (ssize_t done = 0; done < n;) {
		ssize_t m = send(p->fd[!from], buffer + done, (size_t)(n - done), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (m > 0) {
			done += m;
		} else if (errno == EAGAIN) {
			struct pollfd room = {p->fd[!from], POLLOUT, 0};
			poll(&room, 1, LOOK_MS);
			if (r->cuts != seen_cuts)
				return -1;
		} else if (errno != EINTR) {
			return -1;
		}
	}
	if (slow)
		usleep((useconds_t)slow);
	if (!cut || !is_inside(&p->way[from]))
		return 0;
	r->cut_inside_done[from] = r->cut_inside[from];
	return -1;
}

static void
take(struct relay *r, int listener)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)r->target)};
	int one = 1, daemon = accept(listener, NULL, NULL), broker = socket(AF_INET, SOCK_STREAM, 0);
	inet_pton(AF_INET, r->ip, &to.sin_addr);
	if (daemon < 0 || broker < 0 || pair_count == PAIRS || connect(broker, (struct sockaddr *)&to,
	    sizeof to) != 0) {
		close(daemon);
		close(broker);
		return;
	}
	setsockopt(daemon, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(broker, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	memset(&pairs[pair_count], 0, sizeof pairs[0]);
	pairs[pair_count].fd[0] = daemon;
	pairs[pair_count++].fd[1] = broker;
	r->connections++;
	r->accepted++;
}

static void
relay_run(void *argument)
{
	struct relay *r = argument;
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t size = sizeof at;
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, r->ip, &at.sin_addr);
	REQUIRE(bind(listener, (struct sockaddr *)&at, size) == 0 && listen(listener, PAIRS) == 0 &&
	    getsockname(listener, (struct sockaddr *)&at, &size) == 0, "relay: %s", strerror(errno));
	r->port = ntohs(at.sin_port);
	for (;;) {
		struct pollfd look[1 + 2 * PAIRS] = {{listener, POLLIN, 0}};
		int n = pair_count;
		for (int i = 0; i < n; i++)
			for (int k = 0; k < 2; k++)
				look[1 + 2 * i + k] = (struct pollfd){r->hold[k] ||
				    pairs[i].way[k].ended ? -1 : pairs[i].fd[k], POLLIN, 0};
		poll(look, (nfds_t)(1 + 2 * n), LOOK_MS);
		if (r->cuts != seen_cuts) {
			while (pair_count)
				drop(r, 0);
			r->cuts_done = seen_cuts = r->cuts;
			continue;
		}
		for (int i = n; i-- > 0;)
			if ((look[1 + 2 * i].revents && pass(r, &pairs[i], 0) < 0) ||
			    (look[2 + 2 * i].revents && pass(r, &pairs[i], 1) < 0))
				drop(r, i);
		if (look[0].revents)
			take(r, listener);
	}
}

static struct relay *relays[8];
static int relay_count;

static void
relays_end(void)
{
	while (relay_count) {
		kill(relays[--relay_count]->pid, SIGKILL);
		t_join(relays[relay_count]->pid);
	}
}

struct relay *
relay_start(struct server *broker)
{
	struct relay *r = t_shared_memory(sizeof *r);
	REQUIRE(relay_count < 8, "too many relays");
	if (relay_count == 0)
		t_at_end(relays_end);          /* after broker_start: ends before the servers do */
	relays[relay_count++] = r;
	snprintf(r->ip, sizeof r->ip, "%s", broker->ip);
	r->target = broker->port;
	r->pid = t_spawn(relay_run, r);
	WAIT_FOR(r->port, "the relay does not listen");
	return r;
}

long
relay_frames(struct relay *r, enum relay_way way, int but, int and_but, int nor)
{
	long n = 0;
	for (int type = 0; type < RELAY_TYPES; type++)
		if (type != but && type != and_but && type != nor)
			n += r->frames[way][type];
	return n;
}

void
relay_hold(struct relay *r, int hold)
{
	r->hold[RELAY_UP] = r->hold[RELAY_DOWN] = hold;
}

void
relay_cut(struct relay *r)
{
	r->cuts++;
	/* it may be connected anew by now */
	WAIT_FOR(r->cuts_done == r->cuts, "the relay keeps %d connections", r->connections);
}

void
relay_cut_inside(struct relay *r, enum relay_way way)
{
	r->cut_inside[way]++;
	WAIT_FOR(r->cut_inside_done[way] == r->cut_inside[way], "the relay saw no frame to cut in %s",
	    way == RELAY_UP ? "up" : "down");
}
