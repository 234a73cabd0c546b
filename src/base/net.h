/* TCP: addresses, listening, connecting, and the options that every connection of ours has. */
#ifndef NET_H
#define NET_H
#include <stddef.h>
#include <sys/socket.h>
enum { NET_HOST = 254, NET_ADDRESSES = 8 };          /* bytes of a host's name; so many of its addresses are tried */
struct net_address { struct sockaddr_storage sa; socklen_t len; int loopback; };
/* -1: not an IPv4 or IPv6 address; -2: not a port */
int  net_parse(struct net_address *a, const char *ip, const char *port);
/* 1: it may be the name of a host. What has digits and dots alone is none: it is an address with a mistake. */
int  net_is_name(const char *host);
/* The addresses of a host, or the one that `host` is. Returns how many; 0: none, and *why says so. A name is asked for
 * with getaddrinfo, which may take a minute. */
int  net_resolve(struct net_address list[NET_ADDRESSES], const char *host, const char *port, const char **why);
/* returns the socket; *port: the port that it got */
int  net_listen(const struct net_address *a, int *port);
/* a non-blocking socket; *done: it is connected already */
int  net_connect(const struct net_address *a, int *done);
/* Sets: no delay; a peer that is silent for so long is dead; blocking. */
void net_tune(int fd, int dead_ms);
/* What to do about a failed call on a connection. */
const char *net_hint(int error);
void net_peer_text(int fd, char *text, size_t n);                          /* "127.0.0.1:50112" */
int  net_peer_is_here(int fd);                         /* 1: the peer has a loopback address: it is this machine */
#endif
