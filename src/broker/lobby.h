/* lobby - whoever has connected and is no machine yet, fairly; a part of broker_server
 *
 * Guests have not said HELLO yet, or wait for a place. Each takes a descriptor and no process. Strangers have a place:
 * a handler that reads their HELLO and then waits for the frame that shows that they go on. So whoever says nothing, or
 * says it slowly, costs next to nothing and keeps nobody out:
 *   - A place goes to a known machine first, then to the address that has the fewest places.
 *   - If there is no place, the oldest stranger of the address that has most has to go, once it has had its time
 *     (STRANGER_MS). Known machines go last.
 *   - A full lobby sends guests away by the same rule.
 * One address cannot take the places of another. Behind one address all take turns: with STRANGERS_MAX places and
 * LOBBY_MAX guests each is served within LOBBY_MAX / STRANGERS_MAX * STRANGER_MS, whatever the others say. */
#ifndef LOBBY_H
#define LOBBY_H
#include "base/spare.h"
#include "base/turnstile.h"
#include "format/limits.h"
#include "format/wire.h"
#include <poll.h>
#include <stddef.h>
#include <stdint.h>

/* until: by then a guest has to have said HELLO; from then on a stranger may be sent away. conn: a stranger's
 * connection. */
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
	/* sent_away: those that never showed to be machines; said: how many of them the log has told */
	uint64_t sent_away, said;
	int64_t looked, say_due;                 /* looked: when the last look was */
	char last[80];                           /* who was sent away last */
	struct turnstile turnstile;              /* while it rests nobody is accepted, and no stranger gets a place */
};
/* What the lobby needs from broker_server. */
struct lobby_host {
	/* Is this a known machine that is not connected and shows its token? */
	int  (*known)(void *with, const uint8_t machine[WIRE_ID_BYTES], uint64_t token);
	/* Makes a connection of the descriptor. Returns it; -1: none was made. The descriptor is the host's in any
	 * case. */
	int  (*take)(void *with, int fd);
	void (*drop)(void *with, uint32_t conn); /* ends a stranger that has to go: calls lobby_leave */
	void *with;
};

void    lobby_accept(struct lobby *l, struct spare *spare, int listener, int64_t now);
nfds_t  lobby_polls(const struct lobby *l, struct pollfd *polls);
/* To be called after poll, with polls as lobby_polls filled it. Those with a HELLO get a place. */
void    lobby_look(struct lobby *l, const struct pollfd *polls, nfds_t n, int64_t now, const struct lobby_host *host);
void    lobby_welcomed(struct lobby *l, uint32_t conn, int64_t now);     /* that stranger has to speak from here on */
/* That connection is none of a stranger any more, or never was. */
void    lobby_leave(struct lobby *l, uint32_t conn);
int64_t lobby_due(const struct lobby *l);   /* when to call lobby_look again; -1: never */
void    lobby_close(struct lobby *l);
#endif
