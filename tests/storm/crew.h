/* crew - the clients of a storm: processes that publish or receive without end, write their history, die in every way,
 * and are replaced
 *
 *     crew_begin(folder, "a,b");                           histories go there; all clients use these topics
 *     crew_add(&daemon, CREW_PUBLISHER, CREW_NAMED, MOM_ASYNC);
 *     while (storm) crew_tend();                           puts a new process where one is gone
 *     crew_order(i, ORDER_EXEC); crew_kill(i);
 *     crew_drain();                                        publishers flush and go, subscribers read to the end; all
 *                                                          end well
 *
 * A named client's next process opens the same name, at once. Every process is a publisher number of its own
 * (history.h). */
#ifndef CREW_H
#define CREW_H

#include <lib/server.h>
#include <stdatomic.h>
#include <storm/history.h>

enum { CREW_MAX = 64, CREW_GHOSTS = 64, CREW_TOPICS = 8, CREW_TEMPO_MS = 20 };
enum crew_job { CREW_PUBLISHER, CREW_SUBSCRIBER };
/* MANUAL: MOM_OPT_MANUAL_ACK. SPARED: nobody kills it. SLEEPER: a subscriber that takes nothing before the last word */
enum crew_how {
	CREW_ANONYMOUS = 0,
	CREW_NAMED = 1,
	CREW_MANUAL = 2,
	CREW_SPARED = 4,
	CREW_SLEEPER = 8 | CREW_SPARED
};
enum crew_order {
	ORDER_NONE,
	ORDER_FORK,                  /* a forked child keeps the descriptors, the client itself dies */
	ORDER_EXEC,                  /* becomes another program, with the same pid */
	ORDER_CLOSE,                 /* closes its descriptors and goes on */
	ORDER_LEAVE,                 /* close or destroy, and begins anew in the same process */
	ORDERS,
	CREW_ENDED = ORDERS,         /* for crew_deaths: see crew_end */
	CREW_DEATHS
};

struct crew_client {
	char run[256], name[65];
	enum crew_job job;
	int  how, number, tempo_ms;  /* tempo_ms: a publisher's longest pause */
	unsigned flags;
	struct server *daemon;
	pid_t pid;                   /* 0: to be started */
	int  started;                /* how many processes so far */
	/* shared */
	atomic_int order, stop, working, done, ended;
	atomic_long count;           /* sent or got, over all processes */
	atomic_ulong id;             /* global, of its session now */
};

extern struct crew_client *crew;             /* crew_size of them, in shared memory */
extern int crew_size;
extern enum payload_mix crew_mix;            /* PAYLOAD_STORM */
extern long crew_deaths[CREW_DEATHS];         /* [ORDER_NONE]: plain kill -9 */

void crew_begin(const char *folder, const char *topics);    /* again after a drain: a new crew */
struct crew_client *crew_add(struct server *daemon, enum crew_job job, int how, unsigned flags);
void crew_tend(void);
void crew_kill(int i);                       /* kill -9, reaped */
void crew_order(int i, enum crew_order order);
/* An anonymous publisher's client is ended from outside while it publishes: its daemon takes it for one that destroyed
 * its handle. The publisher is told so (MOM_EBADID), and begins anew. 0: it is none, or is just beginning. */
int  crew_end(int i);
void crew_working(void);                     /* waits until every client is */
void crew_drain(void);
int  crew_subscribers(const struct server *daemon);
uint32_t crew_publisher_number(void);        /* the next free one */
const char *crew_folder(void);
const char *crew_topic(int i);               /* NULL behind the last */
#endif
