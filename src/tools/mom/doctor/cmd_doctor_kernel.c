/* cmd_doctor_kernel - what the kernel and systemd give: System V objects, and a clock; a part of mom doctor */
#include "tools/mom/doctor/cmd_doctor.h"
#include "base/clock.h"
#include "ipc/ipcq.h"
#include "base/logind.h"
#include "look/kernel_limits.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- System V objects ---- */

/* One of each is made and removed at once. */
static void
try_objects(void)
{
	int msg = msgget(IPC_PRIVATE, 0600), msg_error = errno, shm = shmget(IPC_PRIVATE, client_bytes(MOM_MESSAGE_MAX),
	    0600), shm_error = errno;
	int sem = semget(IPC_PRIVATE, 1, 0600), sem_error = errno;
	if (msg < 0)
		doctor_say(DOCTOR_FAIL, "System V", ipcq_hint(msg_error), "no queue can be made: %s",
		    strerror(msg_error));
	if (shm < 0)
		doctor_say(DOCTOR_FAIL, "System V", ipcq_hint(shm_error),
		    "no segment of a client's size can be made: %s", strerror(shm_error));
	if (sem < 0)
		doctor_say(DOCTOR_FAIL, "System V", ipcq_hint(sem_error), "no semaphore can be made: %s",
		    strerror(sem_error));
	if (msg >= 0 && shm >= 0 && sem >= 0)
		doctor_say(DOCTOR_OK, "System V", NULL, "a queue, a segment and a semaphore can be made");
	if (msg >= 0)
		msgctl(msg, IPC_RMID, NULL);
	if (shm >= 0)
		shmctl(shm, IPC_RMID, NULL);
	if (sem >= 0)
		semctl(sem, 0, IPC_RMID);
}

/* few: with less left than this, little more can be started */
static void
say_room(const struct kernel_limit *l, uint64_t few)
{
	uint64_t left = l->most > l->used ? l->most - l->used : 0;
	enum doctor_level level = left < 4 ? DOCTOR_FAIL : left < few ? DOCTOR_WARN : DOCTOR_OK;
	char cure[200];
	snprintf(cure, sizeof cure, "%s (%s)", l->raise, l->need);
	doctor_say(level, "System V", level == DOCTOR_OK ? NULL : cure, "%s (%s): %" PRIu64 " of %" PRIu64
	    " are in use", l->what, l->name, l->used, l->most);
}

void
doctor_ipc(const struct servers *s)
{
	struct kernel_limit k[KERNEL_LIMITS];
	uint32_t message = MOM_MESSAGE_MAX;
	try_objects();
	for (size_t i = 0; i < s->count; i++) {
		uint32_t m = s->server[i].broker ? s->server[i].broker->message_max : s->server[i].machine
		    ? atomic_load(&s->server[i].machine->message_max) : 0;
		message = m > message && m <= MESSAGE_LIMIT ? m : message;
	}
	if (kernel_limits(k) < 0) {
		doctor_say(DOCTOR_WARN, "System V", "see ipcs -l", "the kernel's limits cannot be read: %s",
		    strerror(errno));
		return;
	}
	say_room(&k[KERNEL_MSGMNI], 32);
	say_room(&k[KERNEL_SHMMNI], 128);
	say_room(&k[KERNEL_SEMMNI], 128);
	say_room(&k[KERNEL_SEMMNS], 128);
	say_room(&k[KERNEL_SHMALL], 64 * client_bytes(message) / PAGE);
	if (k[KERNEL_SHMMAX].most < client_bytes(message))
		doctor_say(DOCTOR_FAIL, "System V", k[KERNEL_SHMMAX].raise,
		    "a client's segment takes %zu bytes, kernel.shmmax allows %" PRIu64,
		    client_bytes(message), k[KERNEL_SHMMAX].most);
}

/* ---- systemd's logind removes what a login user made when its last session ends ---- */

enum { FIRST_LOGIN_USER = 1000, NOBODY = 65534 };

void
doctor_remove_ipc(const struct servers *s)
{
	char path[40];
	struct stat st;
	uid_t login = 0;
	for (size_t i = 0; i < s->count; i++) {
		snprintf(path, sizeof path, "/proc/%d", (int)s->server[i].pid);
		if (s->server[i].pid && stat(path, &st) == 0 && st.st_uid >= FIRST_LOGIN_USER && st.st_uid != NOBODY)
			login = st.st_uid;
	}
	if (s->count == 0 && geteuid() >= FIRST_LOGIN_USER)
		login = geteuid();
	if (access("/run/systemd/system", F_OK) < 0)
		doctor_say(DOCTOR_OK, "RemoveIPC", NULL, "systemd does not run here: nobody removes the objects of a "
		    "user who logs out");
	else if (login == 0)
		doctor_say(DOCTOR_OK, "RemoveIPC", NULL, "no server runs as a login user: their objects stay whoever "
		    "logs out");
	else if (!logind_removes_ipc("", login))
		doctor_say(DOCTOR_OK, "RemoveIPC", NULL, "it is off, or %s lingers: objects of a user who logs out "
		    "stay", user_name(login));
	else
		doctor_say(DOCTOR_WARN, "RemoveIPC", "run the servers as a system user (systemd units, user mom), or "
		    "set RemoveIPC=no in /etc/systemd/logind.conf and restart systemd-logind; loginctl enable-linger "
		    "delays it", "the servers run as login user %s: their System V objects are removed when it logs "
		    "out", user_name(login));
}

/* ---- the clock ---- */

enum { CLOCK_WATCH_MS = 200, JUMP_US = 50000 };
static const int64_t clock_least_us = INT64_C(1700000000) * 1000000;       /* November 2023: this program is younger */
static int64_t began_wall_us, began_us;

void
doctor_clock_begin(void)
{
	began_wall_us = clock_wall_us();
	began_us = clock_us();
}

void
doctor_clock_end(const struct servers *s)
{
	int64_t left_us = CLOCK_WATCH_MS * INT64_C(1000) - (clock_us() - began_us), newest = 0;
	if (left_us > 0)
		usleep((useconds_t)left_us);
	int64_t wall = clock_wall_us(), jump = wall - began_wall_us - (clock_us() - began_us);
	for (size_t i = 0; i < s->count; i++) {
		struct counters *c = s->server[i].counters ? counters_page(s->server[i].counters, COUNTERS_SUPERVISOR)
		    : NULL;
		int64_t since = c ? atomic_load(&c->since_us) : 0;
		newest = since > newest ? since : newest;
	}
	if (wall < clock_least_us)
		doctor_say(DOCTOR_FAIL, "clock", "set it (timedatectl set-ntp true, or date -s)",
		    "it says a time before this program was made: messages get wrong times");
	else if (newest > wall + 1000000)
		doctor_say(DOCTOR_WARN, "clock", "see timedatectl: something sets it back; order and delivery do not "
		    "depend on it, the times of messages do",
		    "it went back by %" PRId64 " s since a server started", (newest - wall) / 1000000);
	else if (jump > JUMP_US || jump < -JUMP_US)
		doctor_say(DOCTOR_WARN, "clock", "see timedatectl: something sets it",
		    "it jumped by %" PRId64 " ms just now", jump / 1000);
	else
		doctor_say(DOCTOR_OK, "clock", NULL, "it is sane and does not jump");
}
