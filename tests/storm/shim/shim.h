/* shim - what a test tells shim.so, and what that tells back: a struct in a file that every process of a run maps
 *
 *     LD_PRELOAD=shim.so MOM_SHIM=FILE broker_server ...
 *
 * The shim counts the system calls that a process makes through libc. The life-th process of a role (the first is life
 * 1) is the victim: at its n-th call it is killed before or after it, or the call fails, or transfers less than it was
 * asked for, or the process is held up for a while after it, so that all others get ahead. That happens once: `hit` is
 * set first, so whoever is started next lives. The wall clock of all processes is off by wall_us. */
#ifndef SHIM_H
#define SHIM_H

#include <stdatomic.h>
#include <stdint.h>

enum shim_role { SHIM_BROKER_SERVER, SHIM_BROKER_HANDLER, SHIM_BROKER_SENDER, SHIM_WORKER, SHIM_MOM_DAEMON,
    SHIM_MOM_REQUESTER,
	SHIM_MOM_RESPONSER, SHIM_MOM_FORWARDER, SHIM_CLIENT, SHIM_ROLES };
#define SHIM_ROLE_NAMES { "broker_server", "broker_handler", "broker_sender", "worker", "mom_daemon", "mom_requester", \
	"mom_responser", "mom_forwarder", "client" }

enum shim_kind { SHIM_BEFORE, SHIM_AFTER, SHIM_FAIL, SHIM_SHORT, SHIM_HELD, SHIM_KINDS };
#define SHIM_KIND_NAMES { "kill-before", "kill-after", "fail", "short", "held" }
enum { SHIM_HELD_MS = 40 };
enum { SHIM_LIVES = 3 };

struct shim {
	/* set before the run */
	int role, life, kind, n;
	int turn;                      /* fail: which of the call's errnos, 0 the likeliest */
	char only[24];                 /* count the calls of this name only */
	_Atomic int64_t wall_us;
	/* told */
	atomic_int lives[SHIM_ROLES];
	atomic_int calls[SHIM_ROLES][SHIM_LIVES][SHIM_KINDS];      /* by life - 1; those that this kind could hit */
	atomic_int hit, pid;
	char call[24];
	int error;
};
#endif
