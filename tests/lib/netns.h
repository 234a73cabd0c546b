/* netns - the broker and each machine in a network of its own, tied by a veth pair: cables that can be pulled, cut one
 * way, made thin
 *
 *     const char *why = netns_begin(2);            the case's process is in the broker's network now; or why that
 *                                                  cannot be
 *     netns_broker(&broker, "broker", NULL);       listens on NETNS_BROKER
 *     netns_daemon(&one, "one", 1, broker.port);   in machine 1's network (1 .. count)
 *
 * Faults act on packets only; no process notices but by what its sockets do. All by netlink: no tool is needed, but
 * root is. The networks vanish with the case's processes. */
#ifndef NETNS_H
#define NETNS_H

#include <lib/server.h>
#include <stdint.h>

enum netns_way { NETNS_UP = 1, NETNS_DOWN = 2, NETNS_BOTH = 3 };       /* up: from the machine to the broker */
#define NETNS_BROKER "10.77.0.1"

const char *netns_begin(int machines);                                  /* NULL: done */
void netns_broker(struct server *s, const char *name, const char *extra);
void netns_daemon(struct server *s, const char *name, int machine, int port);
void netns_restart(struct server *s, int machine);                      /* server_start in that machine's network */

void netns_drop(int machine, enum netns_way ways);                      /* packets vanish */
void netns_thin(int machine, enum netns_way ways, uint32_t bytes_a_second);
void netns_heal(int machine);                                           /* neither drop nor thin */
void netns_link(int machine, int is_up);                                /* the cable */
/* a route says so, where packets of that way begin */
void netns_unreachable(int machine, enum netns_way ways, int on);
/* NETNS_UP: the machine's kernel ends all its TCP connections with RST, NETNS_DOWN: the broker's those of the machine;
 * how many */
int  netns_reset(int machine, enum netns_way side);
void netns_move(int machine);                                           /* it loses its address and gets another */
#endif
