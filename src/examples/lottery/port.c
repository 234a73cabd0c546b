/* port - the centre's text port: whoever connects gets one line, and the connection is closed */
#include "port.h"
#include "tell.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int
port_open(long port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1, s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
	    bind(s, (struct sockaddr *)&at, sizeof at) < 0 || listen(s, 16) < 0)
		tell_fatal(111, "the text port, 127.0.0.1 %ld: %s: `port` in lottery.conf, 0 takes a free one", port,
		    strerror(errno));
	return s;
}

int
port_number(int s)
{
	struct sockaddr_in at;
	socklen_t len = sizeof at;
	return getsockname(s, (struct sockaddr *)&at, &len) < 0 ? -1 : ntohs(at.sin_port);
}

void
port_answer(int s, const char *line)
{
	char said[512];
	int c;
	while ((c = accept4(s, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		/* a new connection has room for a line; what was said is read, or closing would throw the line away */
		if (send(c, line, strlen(line), MSG_NOSIGNAL) >= 0 && shutdown(c, SHUT_WR) == 0)
			for (int i = 0; i < 16 && recv(c, said, sizeof said, 0) > 0; i++) {
			}
		close(c);
	}
}
