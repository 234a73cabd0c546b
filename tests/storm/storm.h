/* storm - what all storms share: machines, kills by role, the calm after it, the verdict, the closing line
 *
 *     storm_begin(3, 2);                          a broker with 2 workers, 3 daemons, 4 topics, an empty crew
 *     crew_add(...);  crew_working();
 *     ... faults: storm_kill(ROLE_WORKER), storm_pause(pid, ms), storm_tend() every few ms ...
 *     storm_end(CHECKER_KILLS);                   all is continued and restarted, drained, stopped, judged; ends with
 *                                                 the closing line
 *
 * SEED=n repeats a storm's choices; without it each run has new ones, and its failure names them. */
#ifndef STORM_H
#define STORM_H

#include <lib/server.h>
#include <lib/t.h>
#include <storm/checker.h>
#include <storm/crew.h>

enum storm_role { ROLE_SERVER, ROLE_WORKER, ROLE_HANDLER, ROLE_SENDER, ROLE_DAEMON, ROLE_REQUESTER, ROLE_RESPONSER,
    ROLE_FORWARDER, ROLE_CLIENT, ROLES };
enum { STORM_MACHINES = 8 };

struct storm {
	struct server broker, daemon[STORM_MACHINES];
	int  machines;
	/* some of the publishers that are to be killed are ended from outside (crew_end) */
	int  ends_clients;
	struct t_rng rng;
	long kills[ROLES], in_recovery, pauses, drain_ms;      /* drain_ms: the longest */
	struct verdict verdict;      /* of all turns so far */
	int  turns;
	int64_t began;
};
extern struct storm storm;
extern const char *const role_name[ROLES];         /* as ps shows them */

/* The seed of this storm, into SEED; call it first, before anything draws random numbers. */
void storm_seed(void);
void storm_begin(int machines, int workers);
/* A living process of that role, any, or 0. ROLE_SERVER, ROLE_DAEMON: they may be down for a moment. */
pid_t storm_find(enum storm_role role);
/* kill -9 of one; the servers are started again at once, without waiting for their orphans. 0: there was none. */
int  storm_kill(enum storm_role role);
int  storm_pause(enum storm_role role, int ms);    /* SIGSTOP; storm_tend continues it */
void storm_tend(void);                             /* puts back what is gone, continues what is due */
void storm_calm(void);                             /* all is continued, up and at work again */
/* calm, drained, judged: histories and crew go, for a new crew; long storms take turns */
void storm_turn(enum checker_rules rules);
void storm_end(enum checker_rules rules);          /* probes, a last turn, I6 to I9 */
void storm_requires(void);                         /* no sentence is broken so far */
long storm_total_kills(void);
#endif
