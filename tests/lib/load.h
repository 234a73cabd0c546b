/* load - client programs of a case: publishers and subscribers in processes of their own
 *
 *     struct load *sub = subscriber_start(&daemon, "a,b", PAYLOAD_MIX);
 *     struct load *pub = publisher_start(&daemon, 1, "a,b", 1000, PAYLOAD_MIX, MOM_ASYNC);
 *     load_finish(pub);  load_expect(sub, pub->sent);  load_finish(sub);
 *
 * A publisher's number n goes to topic n modulo topics. It fails the case at any error but MOM_ETIMEDOUT (on its way);
 * when it ends, all that it sent is acknowledged. A subscriber judges every message (payload.h) and fails the case at
 * the first wrong one. */
#ifndef LOAD_H
#define LOAD_H

#include <lib/payload.h>
#include <lib/server.h>
#include <stdatomic.h>

enum { LOAD_TOPICS = 16 };

struct load {                          /* in memory shared by the case and its clients */
	/* set before load_start */
	char run[256], topics[LOAD_TOPICS][64], name[65];       /* name: mom_open */
	int  topic_count, is_subscriber, crash;                 /* crash: end by _exit, without destroy */
	unsigned index, flags;
	enum payload_mix mix;
	long count;                    /* messages; 0: until load_stop */
	int  pause_ms;                 /* publisher: between messages */
	int  again, from_middle;       /* subscriber: see payload_judge */
	/* shown by the client */
	pid_t pid;
	atomic_int  ready, stop, done, blocked;
	atomic_long sent, got, repeated, timeouts;
	atomic_ulong id;               /* global */
	atomic_int  local;
	atomic_uint next[LOAD_TOPICS]; /* publisher: number of the next message by topic */
};

struct load *load_new(struct server *daemon, const char *topics, enum payload_mix mix);
void load_start(struct load *l);
struct load *publisher_start(struct server *daemon, unsigned index, const char *topics, long count,
    enum payload_mix mix, unsigned flags);
/* returns when it is subscribed */
struct load *subscriber_start(struct server *daemon, const char *topics, enum payload_mix mix);
void load_ready(struct load *l);
void load_moves(struct load *l, long more);     /* waits until it has sent or got that many more */
/* waits until it has got that many: patience counts from its last progress */
void load_expect(struct load *l, long total);
void load_stop(struct load *l);                 /* tell it to end */
/* publisher without load_stop: to its count; subscriber: stopped, looks once more; both: exit 0 */
void load_finish(struct load *l);
void load_kill(struct load *l);                 /* kill -9, reaped */
#endif
