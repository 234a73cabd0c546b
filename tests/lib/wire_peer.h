/* wire_peer - one end of the connection between a daemon and its broker, spoken by a case itself, well or badly
 *
 *     int fd = peer_dial(&broker, "127.0.0.1", T_PATIENCE_MS);          a socket, no word said yet
 *     struct wire_peer *m = peer_join(&broker, 7, 64, T_PATIENCE_MS);   machine 7 with 64 slots: HELLO, WELCOME
 *     peer_put(m, &record, topic, data, len);                           a frame: what is wrong with it stays wrong
 *     peer_turn(m);                                                     sends, reads what it can; 0: it is over
 */
#ifndef WIRE_PEER_H
#define WIRE_PEER_H

#include <lib/server.h>
#include "format/wire.h"

enum { PEER_OUT = 256 * 1024, PEER_IN = 2 * 1024 * 1024 };

struct wire_peer {
	int fd, deaf;                          /* deaf: reads nothing any more */
	struct hello hello;                    /* what the daemon's end said */
	struct welcome welcome;                /* and the broker's */
	uint64_t requests, taken;              /* a machine: bytes of requests of shard 0; of those, taken */
	uint64_t deliveries, told;             /* bytes of deliveries that came, and what we said of it */
	uint64_t credit;                       /* a broker: bytes of deliveries that the daemon says it took */
	uint64_t frames, turns, next;          /* frames that were put; turns and next are the case's own */
	size_t have, sent, got;
	char out[PEER_OUT], in[PEER_IN];
};

/* All sockets block; ms: how long it may take, then -1. */
int  peer_dial(struct server *broker, const char *from, int ms);
int  peer_listen(int *port);               /* at the case's address; *port 0: any, and then which */
int  peer_knock(struct server *daemon);    /* at its registration socket; -1: it does not take more */

void peer_hello(int fd, uint32_t slots, uint32_t number, uint64_t token);
uint32_t peer_alive(char *bytes, uint32_t serial, uint32_t clients, int complete);       /* of clients 1, 2, ... */

/* NULL: refused, or not in time. The daemon's end, and the broker's: what the listener gets first. */
struct wire_peer *peer_join(struct server *broker, uint32_t number, uint32_t slots, int ms);
struct wire_peer *peer_take(int listener, int ms);
void peer_leave(struct wire_peer *p);      /* NULL: nothing to do */

/* 0: no room now. A request also keeps within the window. */
int  peer_put(struct wire_peer *p, struct record *r, const char *topic, const void *data, uint32_t len);
int  peer_request(struct wire_peer *p, struct record *r, const char *topic, const void *data, uint32_t len);
int  peer_turn(struct wire_peer *p);       /* waits for a millisecond where nothing moves */
#endif
