/* mom_daemon's state, which its parts share: members (the list of clients), door (registration), link (the broker),
 * unit (requester, responser and forwarder). */
#ifndef DAEMON_H
#define DAEMON_H
#include "server/child.h"
#include "server/http_child.h"
#include "base/net.h"
#include "ipc/registry.h"
#include "base/spare.h"
#include "base/turnstile.h"
#include "ipc/layout.h"
#include "format/wire.h"

struct member {                          /* one slot of the client table */
	enum slot_state state;
	uint64_t id;
	uint32_t generation, owner;
	uid_t uid;
	pid_t pid;
	/* When the process started, from /proc: a pid alone may be another process's by now. 0: not known. */
	unsigned long long started;
	int durable, fresh;
	char name[MOM_NAME_MAX + 4];
	uint8_t nonce[16];
	int shm, sem, socket, pidfd;
	struct client_segment *segment;
	uint64_t ring;                   /* bytes of each of its two rings */
	uint64_t saved_ack;              /* digest of what is saved of a durable client's words */
	int worn;                             /* its words lie in the file worn-N: see members_load_words */
	uint32_t away;                   /* seconds that a durable client has had no process */
	int absent;                      /* a living client: ticks in a row in which nobody had the segment attached */
	int stray;                       /* a client that is away: ticks in a row in which somebody had */
	uint64_t admitted_at;            /* next request number when it was registered */
	uint32_t watch_told;             /* the `watch` that its socket was told of last */
	int poison_told;                 /* its socket was told that its ring is garbage */
};

/* somebody who waits at the door */
struct waiting { int fd; int64_t until; int asked; struct registration ask; uid_t uid; pid_t pid; };

/* A durable client that was away for too long. It is told when it comes back. */
struct forgotten { uid_t uid; char name[MOM_NAME_MAX + 4]; };

/* LINK_NAMED: it is asked for the addresses of the broker's host; d->socket is where they come. */
enum link_state { LINK_IDLE, LINK_NAMED, LINK_CONNECTING, LINK_HELLO, LINK_UP };

/* SPOOL_MOVED: the spool's path leads elsewhere, perhaps for a while. SPOOL_BROKEN: part of its log is gone; it stays
 * so until the next start. */
enum spool_state { SPOOL_GOOD, SPOOL_MOVED, SPOOL_BROKEN };

struct daemon {
	char host[NET_HOST], port[64];   /* of the broker */
	struct net_address address[NET_ADDRESSES];       /* the host's; asked for anew for each connection */
	int addresses, tried;
	pid_t resolver;                  /* asks for them */
	const char *run, *spool;         /* the folders' paths */
	int run_dir, run_lock, spool_dir, spool_lock, verbose, notify, door;
	dev_t door_dev;
	ino_t door_ino;                  /* what the socket's name leads to */
	struct spare spare;
	struct turnstile turnstile;      /* at the door */
	struct http_child http;
	struct registry registry;
	int table_id;
	struct machine_table *table;
	uint8_t machine[WIRE_ID_BYTES], store[WIRE_ID_BYTES];
	uint32_t serial, shards, message_max;
	/* token: what HELLO shows. token_fresh: what the last WELCOME gave. It is put on disk, and shown, once every
	 * shard of that broker has taken us up. The old token stays valid until then, so a WELCOME from a wrong store
	 * costs nothing. */
	uint64_t token, token_fresh;
	/* spool/clients still names clients that are gone. It is written with the next change, or tick. */
	int list_is_behind;
	uint64_t saved_starts;           /* digest of what is saved of the incarnations that the stream has shown */
	/* counters of global ids: given below next_id, reserved on disk below reserved_id */
	uint32_t next_id, reserved_id;

	struct member *members;          /* table->capacity */
	int listed;                      /* the list in the spool names the segments that this start made */
	uint32_t used;
	struct forgotten *forgotten;
	size_t forgotten_count;
	uint32_t expiry;                 /* seconds, from WELCOME; 0: never */

	struct waiting *waiting;
	size_t waiting_count, waiting_room;

	enum link_state link;
	char link_said[256];             /* why there is no connection, as it was logged: each reason is logged once */
	/* Why the broker did not take us after its WELCOME; "": it did. It is logged once, whatever comes between. */
	char refused[256];
	int socket, spool_failed;   /* spool_failed: the identity that the broker gave cannot be saved */
	enum spool_state spool_state;
	int64_t link_due, link_until;
	struct backoff link_backoff;
	char hello[512];
	size_t hello_have;
	/* The last connection was closed on a HELLO with the host's name: an older broker knows no such HELLO. */
	int hello_is_plain;

	int unit_id;
	struct daemon_unit *unit;
	pid_t requester, responser, forwarder;
	int unit_ending;
	int64_t unit_started, unit_due;
	struct backoff unit_backoff;
};

/* members */
/* takes up the list in the spool; adopts the clients that live */
void members_load(struct daemon *d);
int  members_save(struct daemon *d);
int  members_keep(const struct registry_object *o, void *d);       /* for registry_open */
int  members_use(const struct registry_object *o, void *d);        /* for registry_leave */
struct member *members_by_name(struct daemon *d, uid_t uid, const char *name);
/* Returns the slot, or MOM_E*. */
int  member_new(struct daemon *d, uid_t uid, pid_t pid, const char *name, const uint8_t nonce[16], char *why, size_t n);
/* 0; 1: not yet, as the forwarder is not done; -1: the list cannot be written */
int  member_resume(struct daemon *d, uint32_t slot, pid_t pid, const uint8_t nonce[16]);
void member_died(struct daemon *d, uint32_t slot, const char *why);
void members_wake(struct daemon *d);                   /* wakes clients that wait in poll and have mail */
/* Once a second: who still lives, missing semaphores, words of durable clients. */
void members_check(struct daemon *d);
void members_finished(struct daemon *d);               /* SLOT_DYING ones leave the list once DESTROY is acknowledged */
void members_stop(struct daemon *d);                   /* a clean stop: unsent requests and words go to the spool */
void members_limits(struct daemon *d);                 /* writes the broker's limits into all segments */

/* life */
enum life { LIFE_GOES_ON, LIFE_OVER, LIFE_UNDECIDED /* this is known within three seconds */ };
int  life_pidfd(int socket, pid_t pid);                /* pidfd of the process at the socket's other end; -1: none */
/* Once a second: NULL, or why a client that counts as living does not live any more. */
const char *life_ended(struct daemon *d, uint32_t slot);
/* The same at once, for somebody who waits for the client's name. */
enum life life_now(struct daemon *d, uint32_t slot, const char **why);
int  life_is_attached(const struct daemon *d, uint32_t slot);
int  life_goes_on(struct member *m);                   /* at a start: does the process live on? Takes its pidfd */

/* process: what /proc shows. It may hide the processes of other users. */
unsigned long long process_started(pid_t pid);         /* 0: not known */
int  process_has_segment(pid_t pid, int shm);          /* 1, 0, -1: cannot be seen */

/* identity in the spool */
void identity_load(struct daemon *d);
int  identity_save(struct daemon *d);
void identity_proven(struct daemon *d);                /* takes up the fresh token, if it is due */
void forgotten_load(struct daemon *d);
void forgotten_add(struct daemon *d, const struct member *m);
int  forgotten_take(struct daemon *d, uid_t uid, const char *name);      /* 1: it was on the list */
void starts_save(struct daemon *d);                    /* saves them if they changed */
void starts_load(struct daemon *d);

/* door */
int  door_open(struct daemon *d);
void door_accept(struct daemon *d);
void door_hear(struct daemon *d, size_t i);            /* somebody who waits says what it wants */
void door_serve(struct daemon *d);                     /* answer those who can be answered now */
void door_close(struct daemon *d);

int  door_look(struct daemon *d);                      /* 1: the socket was gone and is made anew; -1: it cannot be */

/* names */
int  names_about(struct daemon *d);                    /* writes the file `about`: 1, or -1 */
void names_look(struct daemon *d);                     /* once a second: makes anew what is gone */

/* link */
int64_t link_step(struct daemon *d, int64_t now);      /* connects if that is due; when to look again */
void link_event(struct daemon *d);                     /* the socket is ready for the handshake's next step */
void link_down(struct daemon *d);
/* Why there is none: logged once, and left in the run folder. "": there is no trouble. */
void link_say(struct daemon *d, const char *why);
void link_refused(struct daemon *d);                   /* the broker did not take us, after all: see unit->refused */
void link_proven(struct daemon *d);                    /* each second: it has taken us, so there is no trouble */

/* resolver */
int  resolver_start(struct daemon *d);                 /* the descriptor where the answer comes, or -1 with errno */
int  resolver_read(struct daemon *d, const char **why);        /* d->address is filled in; -1: why there is none */
int  resolver_reaped(struct daemon *d, pid_t pid);     /* 1: it was the resolver */
void resolver_end(struct daemon *d);

/* unit */
void unit_step(struct daemon *d, int64_t now);
int  unit_reaped(struct daemon *d, pid_t pid, int status, int64_t now);
void unit_connect(struct daemon *d);                   /* the handshake is done: requester and responser join */
void unit_end(struct daemon *d);
int  unit_is_gone(const struct daemon *d);
void unit_bells(struct daemon *d);
#endif
