/* lobby - whoever has connected and is no machine yet, fairly; a part of broker_server
 *
 * Guests have not said HELLO yet, or wait for a place: a descriptor each, no process. Strangers have a place: a handler
 * that reads their HELLO, and then waits for the frame that shows that they go on. So whoever says nothing, or says it
 * slowly, costs next to nothing and keeps nobody out:
 *   - a place goes to a known machine first, then to the address that has the fewest places;
 *   - where there is none the oldest stranger of the address that has most has to go, once it has had its time
 *     (STRANGER_MS): known machines last;
 *   - a full lobby sends guests away by the same rule.
 * One address cannot take the places of another. Behind one address all take turns: with STRANGERS_MAX places and
 * LOBBY_MAX guests each is served within LOBBY_MAX / STRANGERS_MAX * STRANGER_MS, whatever the others say. */
#ifndef LOBBY_H
#define LOBBY_H
#include "base/spare.h"
#include "format/limits.h"
#include "format/wire.h"
#include <poll.h>
#include <stddef.h>
#include <stdint.h>

/* until: a guest has to have said HELLO; a stranger may be sent away from then on. conn: a stranger's */
struct guest {
	int fd, ready, known, starting;          /* starting: a stranger whose handler has not said yet who comes */
	uint32_t from, conn;
	int64_t until;
	uint8_t machine[WIRE_ID_BYTES];
	uint64_t token;
};
struct crowd { struct guest of[LOBBY_MAX]; uint32_t count; };      /* the oldest first */
struct lobby {
	struct crowd guests, strangers;
	uint64_t sent_away, said;                /* without having shown to be machines; of those, told in the log */
	int64_t looked, say_due;                 /* looked: when the last look was */
	char last[80];                           /* who it was */
};
/* What the lobby wants of broker_server */
struct lobby_host {
	/* a known machine, not connected, that shows its token? */
	int  (*known)(void *with, const uint8_t machine[WIRE_ID_BYTES], uint64_t token);
	/* its connection, -1: none was made; the descriptor is the host's in any case */
	int  (*take)(void *with, int fd);
	void (*drop)(void *with, uint32_t conn); /* a stranger that has to go: calls lobby_leave */
	void *with;
};

void    lobby_accept(struct lobby *l, struct spare *spare, int listener, int64_t now);
nfds_t  lobby_polls(const struct lobby *l, struct pollfd *polls);
/* polls as filled, after poll: those with a HELLO get a place */
void    lobby_look(struct lobby *l, const struct pollfd *polls, nfds_t n, int64_t now, const struct lobby_host *host);
void    lobby_welcomed(struct lobby *l, uint32_t conn, int64_t now);     /* from here on that stranger has to speak */
/* that connection is none of a stranger any more; or never was */
void    lobby_leave(struct lobby *l, uint32_t conn);
int64_t lobby_due(const struct lobby *l);   /* when lobby_look has to be called again, -1: never */
void    lobby_close(struct lobby *l);
#endif
