/* wire_peer - see wire_peer.h */
#include <lib/t.h>
#include <lib/wire_peer.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_in
address(const char *ip, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}

int
peer_dial(struct server *broker, const char *from, int ms)
{
	struct sockaddr_in to = address(broker->ip, broker->port), own = address(from, 0);
	int error = 0, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t n = sizeof error;
	struct pollfd p = { fd, POLLOUT, 0 };
	REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&own, sizeof own) == 0, "bind to %s: %s", from, strerror(errno));
	if ((connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) || poll(&p, 1, ms) != 1 ||
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 || error) {
		close(fd);
		return -1;
	}
	fcntl(fd, F_SETFL, 0);
	return fd;
}

int
peer_listen(int *port)
{
	struct sockaddr_in at = address(t_ip(), *port);
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	REQUIRE(bind(fd, (struct sockaddr *)&at, size) == 0 && listen(fd, 64) == 0 &&
	    getsockname(fd, (struct sockaddr *)&at, &size) == 0, "listen: %s", strerror(errno));
	*port = ntohs(at.sin_port);
	return fd;
}

int
peer_knock(struct server *daemon)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(at.sun_path, sizeof at.sun_path, "%s/socket", daemon->run);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
		return fd;
	REQUIRE(errno == EAGAIN || errno == EMFILE, "connect: %s", strerror(errno));
	close(fd);
	return -1;
}

void
peer_hello(int fd, uint32_t slots, uint32_t number, uint64_t token)
{
	char bytes[512], payload[HELLO_BYTES];
	struct hello hello = { .version = WIRE_VERSION, .message_max = MOM_MESSAGE_MAX, .slots = slots,
		.window = WINDOW, .token = token };
	for (uint32_t i = 0; i < WIRE_ID_BYTES; i++)
		hello.machine[i] = (uint8_t)(i < 4 ? number >> 8 * i : i);
	wire_hello_put(payload, &hello);
	uint32_t n = record_make(bytes, &(struct record){ .type = REC_HELLO }, NULL, payload, sizeof payload);
	REQUIRE(send(fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n || errno == EPIPE || errno == ECONNRESET, "send: %s",
	    strerror(errno));
}

uint32_t
peer_alive(char *bytes, uint32_t serial, uint32_t clients, int complete)
{
	char ids[64 * 8];
	for (uint32_t i = 0; i < clients; i++)
		put_u64(ids + 8 * i, (uint64_t)serial << 32 | (i + 1));
	struct record r = { .type = REC_ALIVE, .aux = (uint64_t)complete };
	return record_make(bytes, &r, NULL, ids, 8 * clients);
}

static int
read_all(int fd, char *bytes, size_t n, int64_t until)
{
	for (size_t have = 0; have < n;) {
		struct pollfd p = { fd, POLLIN, 0 };
		int64_t left = until - t_now_ms();
		ssize_t r = -1;
		if (left > 0 && poll(&p, 1, (int)left) == 1)
			r = recv(fd, bytes + have, n - have, MSG_DONTWAIT);
		if (r <= 0)
			return -1;
		have += (size_t)r;
	}
	return 0;
}

struct wire_peer *
peer_join(struct server *broker, uint32_t number, uint32_t slots, int ms)
{
	char bytes[RECORD_HEADER + WELCOME_BYTES];
	int64_t until = t_now_ms() + ms;
	int fd = peer_dial(broker, "127.0.0.1", ms);
	if (fd < 0)
		return NULL;
	peer_hello(fd, slots, number, 0);
	if (read_all(fd, bytes, sizeof bytes, until) < 0 || bytes[9] != REC_WELCOME) {
		close(fd);
		return NULL;
	}
	struct wire_peer *p = calloc(1, sizeof *p);
	p->fd = fd;
	wire_welcome_get(&p->welcome, bytes + RECORD_HEADER);
	return p;
}

struct wire_peer *
peer_take(int listener, int ms)
{
	char bytes[RECORD_HEADER + HELLO_MOST];
	int64_t until = t_now_ms() + ms;
	struct pollfd l = { listener, POLLIN, 0 };
	int fd = poll(&l, 1, ms) == 1 ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
	if (fd < 0)
		return NULL;
	if (read_all(fd, bytes, RECORD_HEADER + HELLO_BYTES, until) < 0 || bytes[9] != REC_HELLO ||
	    get_u32(bytes) > sizeof bytes || read_all(fd, bytes + RECORD_HEADER + HELLO_BYTES,
	    record_stride(get_u32(bytes)) - RECORD_HEADER - HELLO_BYTES, until) < 0) {
		close(fd);
		return NULL;
	}
	struct wire_peer *p = calloc(1, sizeof *p);
	p->fd = fd;
	wire_hello_get(&p->hello, bytes + RECORD_HEADER, get_u32(bytes) - RECORD_HEADER);
	return p;
}

void
peer_leave(struct wire_peer *p)
{
	if (p == NULL)
		return;
	close(p->fd);
	free(p);
}

int
peer_put(struct wire_peer *p, struct record *r, const char *topic, const void *data, uint32_t len)
{
	if (p->have + RECORD_HEADER + MOM_TOPIC_MAX + 8 + len > sizeof p->out)
		return 0;
	p->have += record_make(p->out + p->have, r, topic, data, len);
	p->frames++;
	return 1;
}

int
peer_request(struct wire_peer *p, struct record *r, const char *topic, const void *data, uint32_t len)
{
	size_t before = p->have;
	if (p->requests - p->taken + RECORD_HEADER + MOM_TOPIC_MAX + 8 + len > p->welcome.window ||
	    !peer_put(p, r, topic, data, len))
		return 0;
	p->requests += p->have - before;
	return 1;
}

static void
hear_frame(struct wire_peer *p, const char *frame)
{
	struct record r;
	record_get(&r, frame);
	switch (r.type) {
	case REC_CREDIT:
		p->taken = p->credit = r.aux;
		break;
	case REC_PING:
		peer_put(p, &(struct record){ .type = REC_PING }, NULL, NULL, 0);
		break;
	case REC_MESSAGE: case REC_SUBSCRIBE: case REC_UNSUBSCRIBE: case REC_DESTROY: case REC_GAP: case REC_START:
	case REC_LIST: case REC_LISTED: case REC_UPTO:
		p->deliveries += record_stride(r.len);
	}
}

static void
hear_frames(struct wire_peer *p)
{
	size_t q = 0;
	while (p->got - q >= RECORD_HEADER && record_stride(get_u32(p->in + q)) <= p->got - q) {
		hear_frame(p, p->in + q);
		q += record_stride(get_u32(p->in + q));
	}
	memmove(p->in, p->in + q, p->got -= q);
	struct record credit = { .type = REC_CREDIT, .aux = p->deliveries };
	if (p->deliveries - p->told > WINDOW / 4 && peer_put(p, &credit, NULL, NULL, 0))
		p->told = p->deliveries;
}

int
peer_turn(struct wire_peer *p)
{
	ssize_t r = -1, w = -1;
	struct pollfd f = { p->fd, (short)((p->deaf ? 0 : POLLIN) | (p->have ? POLLOUT : 0)), 0 };
	if (p->have)
		w = send(p->fd, p->out + p->sent, p->have - p->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (p->have && w < 0 && errno != EAGAIN)
		return 0;
	p->sent += w > 0 ? (size_t)w : 0;
	if (p->sent == p->have)
		p->sent = p->have = 0;
	if (!p->deaf)
		r = recv(p->fd, p->in + p->got, sizeof p->in - p->got, MSG_DONTWAIT);
	if (!p->deaf && (r == 0 || (r < 0 && errno != EAGAIN)))
		return 0;
	p->got += r > 0 ? (size_t)r : 0;
	if (r > 0)
		hear_frames(p);
	if (r <= 0 && w <= 0)
		poll(&f, 1, 1);
	return 1;
}
