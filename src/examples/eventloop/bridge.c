/* bridge - one thread that waits for a socket and for messages at once: mom_fd in poll
 * USAGE    bridge TOPIC [PORT]      PORT: on 127.0.0.1; 0 or none: a free one, which the first line on stdout names
 * Lines that come in over TCP are published to TOPIC; every message of TOPIC goes to whoever is connected (one at a
 * time). */
#include <mom.h>
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int
listen_on(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(fd, (struct sockaddr *)&a, n) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) < 0) {
		perror("bridge: listening");
		exit(1);
	}
	printf("listening on 127.0.0.1 %d\n", ntohs(a.sin_port));
	fflush(stdout);
	return fd;
}

static void
fail(int id)
{
	fprintf(stderr, "bridge: %s\n", mom_error_text(id));
	exit(1);
}

/* What came over the socket, a message a line. 0: it is closed. */
static int
publish_lines(int id, const char *topic, int fd)
{
	static char line[4096];
	static size_t have;
	ssize_t n = recv(fd, line + have, sizeof line - have, 0);
	if (n <= 0) {
		have = 0;
		return 0;
	}
	have += (size_t)n;
	for (char *end; (end = memchr(line, '\n', have)) != NULL || have == sizeof line;) {
		size_t len = end ? (size_t)(end - line) : have, with = end ? len + 1 : len;
		if (mom_publish(id, topic, line, len, MOM_FAST) < 0)
			fail(id);
		memmove(line, line + with, have -= with);
	}
	return 1;
}

/* All that is there: then the descriptor is quiet until more comes. */
static void
send_messages(int id, int *fd)
{
	struct mom_message m;
	int r;
	while ((r = mom_receive(id, &m, 0)) == 0) {
		if (*fd >= 0 && (send(*fd, m.data, m.len, MSG_NOSIGNAL) < 0 || send(*fd, "\n", 1, MSG_NOSIGNAL) < 0)) {
			close(*fd);
			*fd = -1;
		}
	}
	if (r != MOM_ETIMEDOUT && r != MOM_EINTR)
		fail(id);
}

int
main(int argc, char **argv)
{
	if (argc < 2)
		return fprintf(stderr, "usage: bridge TOPIC [PORT]\n"), 2;
	int id = mom_create(), listener, peer = -1;
	if (id < 0)
		fail(-1);
	if (mom_subscribe(id, argv[1], 0) < 0)
		fail(id);
	listener = listen_on(argc > 2 ? atoi(argv[2]) : 0);
	for (;;) {
		struct pollfd p[] = { { mom_fd(id), POLLIN, 0 }, { peer < 0 ? listener : peer, POLLIN, 0 } };
		if (poll(p, 2, -1) < 0)
			return perror("bridge: poll"), 1;
		if (p[0].revents)
			send_messages(id, &peer);
		if (p[1].revents && peer < 0)
			peer = accept(listener, NULL, NULL);
		else if (p[1].revents && !publish_lines(id, argv[1], peer)) {
			close(peer);
			peer = -1;
		}
	}
}
