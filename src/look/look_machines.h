/* The machines of a broker, seen from outside: what the store's files say of them, and the words of their
 * connections. */
#ifndef LOOK_MACHINES_H
#define LOOK_MACHINES_H
#include "look/look.h"

struct look_machine {
	uint32_t serial;
	char id[40];                           /* hexadecimal; "": it is kept with its first client, and has had none */
	char host[80];                         /* "": unknown */
	int connected;
	uint32_t slot;                         /* of a connected one */
	int64_t seconds;                       /* it has been connected for so long, or away at most; -1: unknown */
	char address[160];                     /* of a connected one: "127.0.0.1:50112" */
	/* bytes of the log that it has not on its disk; of deliveries that it took; that may be on their way */
	uint64_t lag, taken, window;
	int lag_known;
};

/* All of a broker, by serial. malloc'd; how many, or -1: errno */
int look_machines(const struct look_server *s, struct look_machine **list);
#endif
