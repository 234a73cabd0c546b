/* lobby - accepted connections that have not said HELLO yet: a descriptor each, no process; a part of broker_server
 *
 * A handler is started once a whole HELLO is there, so whoever says nothing, or says it slowly, costs next to nothing and keeps nobody out.
 * When it is full the oldest of the address that has most in it has to go: one address cannot take the places of
 * another. Where handlers are short, addresses take turns. */
#ifndef LOBBY_H
#define LOBBY_H
#include "common/spare.h"
#include <mom/limits.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>

struct guest { int fd; uint32_t from; int64_t until; int ready; };
struct lobby {
	struct guest guests[LOBBY_MAX];          /* the oldest first */
	uint32_t count, last_from;               /* last_from: the address of the last that got a handler */
	uint64_t sent_away, said;                /* without a HELLO; of those, told in the log */
	int64_t say_due;
	char last[80];                           /* who it was */
};

void    lobby_accept(struct lobby *l, struct spare *spare, int listener, int64_t now);
nfds_t  lobby_polls(const struct lobby *l, struct pollfd *polls);
/* polls as filled, after poll: those with a HELLO go to take */
void    lobby_look(struct lobby *l, const struct pollfd *polls, nfds_t n, int64_t now, int (*take)(void *with, int fd), void *with);
int64_t lobby_due(const struct lobby *l);                /* when lobby_look has to be called again, -1: never */
void    lobby_close(struct lobby *l);
#endif
