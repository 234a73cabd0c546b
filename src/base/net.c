/* net - see net.h */
#include "base/net.h"
#include "base/fault.h"
#include "base/fdio.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* sa is filled in */
static void
net_complete(struct net_address *a)
{
	const struct sockaddr_in *v4 = (const void *)&a->sa;
	const struct sockaddr_in6 *v6 = (const void *)&a->sa;
	a->len = a->sa.ss_family == AF_INET ? sizeof *v4 : sizeof *v6;
	a->loopback = a->sa.ss_family == AF_INET ? ntohl(v4->sin_addr.s_addr) >> 24 == 127
	    : IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

int
net_parse(struct net_address *a, const char *ip, const char *port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&a->sa;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a->sa;
	char *end;
	long number = strtol(port, &end, 10);
	memset(a, 0, sizeof *a);
	if (*port == '\0' || *end != '\0' || number < 0 || number > 65535)
		return -2;
	if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)number);
	} else if (inet_pton(AF_INET6, ip, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)number);
	} else
		return -1;
	net_complete(a);
	return 0;
}

int
net_is_name(const char *host)
{
	static const char known[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	size_t n = strlen(host);
	return n > 0 && n < NET_HOST && strspn(host, known) == n && strspn(host, "0123456789.") < n &&
	    host[0] != '-' && host[0] != '.' && strstr(host, "..") == NULL;
}

int
net_resolve(struct net_address list[NET_ADDRESSES], const char *host, const char *port, const char **why)
{
	struct addrinfo wish = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *found = NULL;
	int n = 0;
	*why = "it has no address";
	if (net_parse(&list[0], host, port) == 0)
		return 1;
	int r = getaddrinfo(host, port, &wish, &found);
	if (r) {
		*why = r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r);
		return 0;
	}
	for (const struct addrinfo *a = found; a && n < NET_ADDRESSES; a = a->ai_next) {
		if (a->ai_family != AF_INET && a->ai_family != AF_INET6)
			continue;
		memset(&list[n], 0, sizeof list[n]);
		memcpy(&list[n].sa, a->ai_addr, a->ai_addrlen);
		net_complete(&list[n++]);
	}
	freeaddrinfo(found);
	return n;
}

int
net_listen(const struct net_address *a, int *port)
{
	int one = 1, fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_storage got;
	socklen_t len = sizeof got;
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
	    bind(fd, (const struct sockaddr *)&a->sa, a->len) < 0 || listen(fd, 1024) < 0 ||
	    getsockname(fd, (struct sockaddr *)&got, &len) < 0) {
		int keep = errno;
		close(fd);
		errno = keep;
		return -1;
	}
	*port = ntohs(got.ss_family == AF_INET ? ((struct sockaddr_in *)&got)->sin_port
	    : ((struct sockaddr_in6 *)&got)->sin6_port);
	return fd;
}

int
net_connect(const struct net_address *a, int *done)
{
	int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	*done = !fault_hits("connect") && connect(fd, (const struct sockaddr *)&a->sa, a->len) == 0;
	if (*done || errno == EINPROGRESS)
		return fd;
	int keep = errno;
	close(fd);
	errno = keep;
	return -1;
}

void
net_tune(int fd, int dead_ms)
{
	int one = 1;
	struct timeval t = { dead_ms / 1000, dead_ms % 1000 * 1000 };
	fdio_nonblock(fd, 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof dead_ms);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
}

void
net_peer_text(int fd, char *text, size_t n)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	char ip[INET6_ADDRSTRLEN] = "?";
	int port = 0;
	if (getpeername(fd, (struct sockaddr *)&sa, &len) == 0 && sa.ss_family == AF_INET) {
		inet_ntop(AF_INET, &((struct sockaddr_in *)&sa)->sin_addr, ip, sizeof ip);
		port = ntohs(((struct sockaddr_in *)&sa)->sin_port);
	} else if (sa.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&sa)->sin6_addr, ip, sizeof ip);
		port = ntohs(((struct sockaddr_in6 *)&sa)->sin6_port);
	}
	snprintf(text, n, "%s:%d", ip, port);
}

int
net_peer_is_here(int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	if (getpeername(fd, (struct sockaddr *)&sa, &len) < 0)
		return 0;
	if (sa.ss_family == AF_INET)
		return ntohl(((struct sockaddr_in *)&sa)->sin_addr.s_addr) >> 24 == 127;
	return sa.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)&sa)->sin6_addr);
}

const char *
net_hint(int error)
{
	switch (error) {
	case EAGAIN:
	case ETIMEDOUT:  return "nothing came for too long: the other side is stopped, or the network between is cut; "
	    "it is connected again";
	case EPIPE:
	case ECONNRESET: return "the other side ended; it is connected again";
	case EHOSTUNREACH:
	case ENETUNREACH: return "see `ip route`; it is connected again";
	case ENOMEM:
	case ENOBUFS:    return "no memory; see `free`";
	default:         return "it is connected again";
	}
}
