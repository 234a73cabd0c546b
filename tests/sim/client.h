/* client.h - the programs of a run that use libmom: what the world makes of them, what they tell the judge */
#ifndef SIM_CLIENT_H
#define SIM_CLIENT_H
#include <mom.h>
#include <stdint.h>

enum { TOPICS = 4, STREAMS = 256, CLIENTS = 8, PAYLOAD_MOST = 300000 };

/* How a subscriber asks for its topics. ALL: by one pattern for all topics that there are. */
enum asks { ASKS_TOPICS, ASKS_PATTERNS, ASKS_BOTH, ASKS_ALL, ASKS };

struct client {
	int subscriber, machine, pid, topics;     /* topics: bits */
	enum asks asks;
	unsigned flags;                           /* of mom_publish */
	char name[16];                            /* mom_open; "": mom_create */
	int count, begun, done;                   /* publisher: messages, those begun, all is acknowledged */
	int pause_us;
	unsigned largest;
	int ready;                                /* subscriber: subscribed; worker: joined */
	/* A subscriber that is a worker of the one group of this run; kind: MOM_GROUP_* of it. prefetch, and how often
	 * it does what is rare: one in so many. */
	int worker, prefetch, rare;
	unsigned kind;
};

struct client *world_client(int index);
int  world_is_over(void);                         /* subscribers are to end */
int  world_disk_was_full(int machine);
uint64_t world_random(uint64_t below);

/* A stream is what one process publishes; its messages on a topic are numbered from 0. */
int  judge_stream(int client);
unsigned judge_begins(int stream, int topic, unsigned flags);     /* the number of its next message */
void judge_ends(int stream, int topic, unsigned number, int code);
void judge_flushed(int stream, int code);
size_t judge_payload(char *bytes, int stream, int topic, unsigned number, unsigned largest);
void judge_session(int client);                   /* a subscriber begins, or begins again under its name */
void judge_subscribed(int client, int topic, int code);   /* code: 0 or MOM_EEXIST */
/* MOM_EFULL: its subscriptions have ended, what was to come on them does not */
void judge_cut(int client);
void judge_asks(int client);                      /* for the next message */
void judge_got(int client, int code, const struct mom_message *m);
/* Workers. A session is one membership of a worker. */
int  judge_joined(int client);                    /* a session begins; returns it. code 0 of mom_join */
void judge_leaves(int session);                   /* it ended: what was not settled comes back */
/* has_key: it has its topic as its key. */
struct job_told { unsigned tries; int has_key; uint64_t origin; };
void judge_job(int client, int session, const struct mom_message *m, struct job_told told);
void judge_settles(int session, const struct mom_message *m);
void judge_settled(int session);                  /* the broker is known to know all that was settled */
void judge_wrong(int client, const char *call, int code, const char *text);

/* for the world */
void judge_begin(void);
void judge_power_cut(int machine);
/* a daemon that is stopped has its living clients' segments removed with their last process */
void judge_forgets(int machine);
int  judge_is_settled(void);                      /* everything acknowledged has come to everybody */
const char *judge_missing(void);
long judge_published(void);
long judge_received(void);
#endif
