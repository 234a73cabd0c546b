/* relay - a TCP relay between daemons and a broker that counts frames, and can hold, cut or trickle
 *
 * It runs in a process of its own; the counters are in shared memory. Up is from daemon to broker. */
#ifndef RELAY_H
#define RELAY_H

#include <lib/server.h>
#include <stdatomic.h>

enum relay_way { RELAY_UP, RELAY_DOWN };
enum { RELAY_TYPES = 64, RELAY_PING = 36, RELAY_CREDIT = 39, RELAY_PLACE = 40 };

struct relay {
	pid_t pid;
	char ip[20];
	int  target;
	atomic_int  port, connections, accepted;
	atomic_int  hold[2];           /* 1: nothing is read in that way */
	atomic_int  trickle_us[2];     /* not 0: a byte at a time in that way, with such a pause after each */
	/* grows: the next connection that is in the middle of a frame of that way is closed there */
	atomic_int  cut_inside[2];
	atomic_int  cuts;              /* grows: all connections are closed at once, half a frame or not */
	volatile int cuts_done;       /* by the relay: so many cuts are made */
	volatile int cut_inside_done[2];
	/* what the daemon said first on its last connection: a copy, as a stranger on the line would take it */
	unsigned char hello[256];
	atomic_int  hello_bytes;
	atomic_long bytes[2], frames[2][RELAY_TYPES], strange[2];      /* strange: no frame begins here */
};

struct relay *relay_start(struct server *broker);
/* frames in that way, but for three types (-1: none) */
long relay_frames(struct relay *r, enum relay_way way, int but, int and_but, int nor);
void relay_hold(struct relay *r, int hold);     /* both ways */
void relay_cut(struct relay *r);
void relay_cut_inside(struct relay *r, enum relay_way way);   /* waits until it is done: needs traffic that way */
#endif
