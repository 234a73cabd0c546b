/* What the parts of mom_coordinator share. */
#ifndef COORDINATOR_H
#define COORDINATOR_H

#include "tools/coordinator/coordinator_state.h"
#include <signal.h>

enum { HOLDERS_WANTED = 2, NAME_BYTES = MOM_NAME_MAX + 1 };

struct peer {                                /* another coordinator, as it says in resource/alive */
	uint64_t id, held, primary;
	char name[NAME_BYTES];
	long heard;                            /* our own signs of life that had come back by then */
	long alive_ms;                         /* how often it gives one */
	int is_known;                          /* 0: only named in a group's state, it has said nothing yet */
};

enum phase { PLACE_OUT, PLACE_JOINING, PLACE_ACTIVE };

struct delayed { uint64_t offset; size_t len; unsigned char bytes[EVENT_BYTES]; };

struct place {                                 /* a group, and what we have to do with it */
	enum phase phase;
	struct state state;
	/* offset of our first JOIN that came back: what is founded on later knowledge we can judge */
	uint64_t joined;
	uint64_t base;                         /* and of the last */
	/* signs of life when we began to wait for a snapshot, or got its last part */
	long silent_since;
	int is_said;                           /* subscribed to its held topic: nobody else founds it any more */
	struct delayed *delayed;               /* JOINING: its log since we subscribed */
	size_t delayed_count, delayed_room;
	unsigned char *snapshot;               /* as much as has come */
	uint64_t snapshot_at;
	uint32_t snapshot_len, snapshot_got, snapshot_looked;      /* looked: got at the last look */
};

struct coordinator {
	int id;                                /* handle; -1: none */
	uint64_t global;
	char name[NAME_BYTES];
	long alive_ms, missed;                 /* a sign of life so often; dead after so many missed */
	int is_ready, must_begin_anew;
	/* our own signs of life that came back: how time passes. It stands still while the broker, or we, do */
	long echoes;
	struct place places[RESOURCE_GROUPS];
	struct peer *members;
	size_t member_count;
};
extern struct coordinator co;
extern volatile sig_atomic_t coordinator_stop;

/* coordinator_members.c */
void member_heard(const struct mom_message *m);        /* of resource/alive */
struct peer *member_find(uint64_t id);
int  member_rank(int group);                           /* how many living ones should rather hold it than we */
int  members_hold(int group);                          /* a living one says that it holds it */
void member_say(unsigned kind);                        /* we are here */
void members_forget(void);

/* coordinator_place.c */
void place_event(int group, const struct mom_message *m);      /* of resource/log/G */
void place_snapshot(const struct mom_message *m);              /* a part of one, for us */
/* once a sign of life, and when a member comes or goes: join, ask again, leave */
void place_look(int group);
void place_tell_gone(int group, uint64_t id);          /* that client or coordinator is dead: into the log */
void place_forget(int group);
int  coordinator_publish(const char *topic, const void *bytes, size_t len, unsigned flags);

#endif
