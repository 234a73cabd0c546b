/* A machine's connection to a broker, seen from outside. */
#ifndef CMD_MACHINES_H
#define CMD_MACHINES_H

#include "look/look.h"

struct connection {
	uint32_t machine;                      /* its serial */
	int64_t seconds;                       /* for so long; -1: unknown */
	char address[160];
	/* bytes of the log that it has not on its disk; of deliveries that it took; that may be on their way */
	uint64_t lag, taken, window;
	int lag_known;
};
/* That of a slot; 1: filled in, 0: none, -1: no such slot. */
int connection_look(const struct look_server *s, uint32_t slot, struct connection *c);

#endif
