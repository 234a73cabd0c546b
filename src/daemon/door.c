/* door - registration of local clients over AF_UNIX: who asks, what it gets; a part of mom_daemon */
#include "daemon/daemon.h"
#include "common/clock.h"
#include "common/counters.h"
#include "common/etc.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/topic.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { DOOR_WAIT_MS = 60000 };

/* The address goes through /proc/self/fd, since a folder's path may be longer than sun_path. */
static void
door_address(struct daemon *d, struct sockaddr_un *a, const char *name)
{
	memset(a, 0, sizeof *a);
	a->sun_family = AF_UNIX;
	snprintf(a->sun_path, sizeof a->sun_path, "/proc/self/fd/%d/%s", d->run_dir, name);
}

static void
door_group(struct daemon *d)
{
	struct stat st;
	int64_t gid = etc_group_id("mom");
	if (gid >= 0 && (fchownat(d->run_dir, "socket.new", (uid_t)-1, (gid_t)gid, 0) < 0 ||
			    (fstat(d->run_dir, &st) == 0 &&
				(fchown(d->run_dir, (uid_t)-1, (gid_t)gid) < 0 || fchmod(d->run_dir, 0750) < 0))))
		log_warn(
		    "the group mom cannot be given the registration socket: %s: only this user's programs can register",
		    strerror(errno));
}

int
door_open(struct daemon *d)
{
	struct sockaddr_un a;
	door_address(d, &a, "socket.new");
	unlinkat(d->run_dir, "socket.new", 0);
	d->door = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (d->door < 0 || bind(d->door, (struct sockaddr *)&a, sizeof a) < 0)
		return -1;
	if (fchmodat(d->run_dir, "socket.new", 0660, 0) < 0)
		return -1;
	door_group(d);
	/* listening before it has its name: a client finds either the old socket, which refuses, or one that serves */
	return listen(d->door, 1024) < 0 || fdio_rename_at(d->run_dir, "socket.new", "socket") < 0 ? -1 : 0;
}

void
door_close(struct daemon *d)
{
	unlinkat(d->run_dir, "socket", 0);
	fdio_close(&d->door);
	while (d->waiting_count > 0)
		close(d->waiting[--d->waiting_count].fd);
}

static int door_answer(int fd, int code, const struct member *m, uint32_t slot, const char *text);

/* What it asks is read first, or its answer would be lost with the connection. */
static void
door_turn_away(struct daemon *d, int fd)
{
	struct registration ask;
	if (recv(fd, &ask, sizeof ask, 0) < 0 && errno != EAGAIN)
		log_debug("a client left at the door");
	door_answer(fd, MOM_ELIMIT, NULL, 0, "mom_daemon has no descriptors left: raise its `ulimit -n`, or end some clients");
	close(fd);
	spare_open(&d->spare);
}

void
door_accept(struct daemon *d)
{
	struct ucred who;
	socklen_t n = sizeof who;
	int fd = spare_accept(&d->spare, d->door, SOCK_CLOEXEC | SOCK_NONBLOCK), error = errno;
	if ((fd >= 0 ? d->spare.is_full : error != EAGAIN && error != EINTR && error != ECONNABORTED) && spare_says(&d->spare, clock_ms()))
		log_warn("accept: %s: raise `ulimit -n` of the daemon", fd >= 0 ? "no descriptors left, a client is turned away" : strerror(error));
	if (fd >= 0 && d->spare.is_full) {
		door_turn_away(d, fd);
		return;
	}
	if (fd < 0)
		return;
	if (d->waiting_count == d->waiting_room) {
		size_t room = d->waiting_room * 2 + 16;
		struct waiting *grown = realloc(d->waiting, room * sizeof *grown);
		if (grown == NULL) {
			close(fd);
			return;
		}
		d->waiting = grown;
		d->waiting_room = room;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0) {
		close(fd);
		return;
	}
	d->waiting[d->waiting_count++] = (struct waiting){ .fd = fd, .until = clock_ms() + HANDSHAKE_MS, .uid = who.uid, .pid = who.pid };
}

static void
door_forget(struct daemon *d, size_t i, int close_it)
{
	if (close_it)
		close(d->waiting[i].fd);
	d->waiting[i] = d->waiting[--d->waiting_count];
}

static int
door_answer(int fd, int code, const struct member *m, uint32_t slot, const char *text)
{
	struct registered a = { .code = code, .segment = -1, .local_id = -1 };
	if (m) {
		a.segment = m->shm;
		a.local_id = (int)slot;
		a.id = m->id;
	}
	snprintf(a.text, sizeof a.text, "%s", text ? text : "");
	return send(fd, &a, sizeof a, MSG_NOSIGNAL) == sizeof a ? 0 : -1;
}

void
door_hear(struct daemon *d, size_t i)
{
	struct waiting *w = &d->waiting[i];
	struct registration ask;
	ssize_t n = recv(w->fd, &ask, sizeof ask, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (w->asked || n != sizeof ask || ask.magic != MAGIC_CLIENT || ask.layout != IPC_LAYOUT || memchr(ask.name, '\0', sizeof ask.name) == NULL) {
		if (n > 0)
			door_answer(w->fd, MOM_EPROTO, NULL, 0, "the program was built with another libmom than this daemon: build it anew");
		door_forget(d, i, 1);
		return;
	}
	w->ask = ask;
	w->asked = 1;
	w->until = clock_ms() + DOOR_WAIT_MS;
}

static int
pidfd_of(int socket, pid_t pid)
{
	int fd = -1;
#ifdef SO_PEERPIDFD
	socklen_t n = sizeof fd;
	if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &n) == 0)
		return fd;
#else
	(void)socket;
#endif
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd >= 0)
		fdio_cloexec(fd, 1);
	return fd;
}

static void
door_admit(struct daemon *d, struct waiting *w, uint32_t slot, int again)
{
	struct member *m = &d->members[slot];
	fdio_close(&m->socket);
	fdio_close(&m->pidfd);
	m->socket = w->fd;
	m->pidfd = pidfd_of(w->fd, w->pid);
	m->absent = 0;
	if (!again) {
		counters_add(COUNT_CLIENTS, 1);
		m->admitted_at = m->segment ? atomic_load(&m->segment->next[0]) : 0;
		m->watch_told = 0;
	}
	if (door_answer(w->fd, 0, m, slot, NULL) < 0)
		fdio_close(&m->socket);                        /* it asks again with the same nonce, or is seen to be dead */
}

/* 1: served or turned away. 0: it has to wait. */
static int
door_try(struct daemon *d, struct waiting *w)
{
	char why[200] = "";
	int code = 0, slot = -1, again;
	const char *fault = w->ask.name[0] ? client_name_fault(w->ask.name) : NULL;
	struct member *m = w->ask.name[0] ? members_by_name(d, w->uid, w->ask.name) : NULL;
	for (uint32_t i = 0; i < d->used && slot < 0; i++)            /* the same nonce gets the same answer */
		if (d->members[i].state == SLOT_LIVE && d->members[i].pid == w->pid && memcmp(d->members[i].nonce, w->ask.nonce, 16) == 0)
			slot = (int)i;
	again = slot >= 0;
	if (slot < 0 && m && m->state == SLOT_LIVE && member_is_gone(m)) {
		member_died(d, (uint32_t)(m - d->members));
		m = members_by_name(d, w->uid, w->ask.name);          /* none if it was destroyed */
	}
	if (slot < 0 && fault) {
		code = MOM_EINVAL;
		snprintf(why, sizeof why, "%s", fault);
	} else if (slot < 0 && m) {
		if (m->state == SLOT_LIVE) {
			code = MOM_EBUSY;
			snprintf(why, sizeof why, "the durable client %s is in use by process %d", w->ask.name, (int)m->pid);
		} else {
			int r = m->state == SLOT_DYING ? 1 : member_resume(d, (uint32_t)(m - d->members), w->pid, w->ask.nonce);
			if (r > 0)
				return 0;
			slot = r < 0 ? -1 : (int)(m - d->members);
			code = r < 0 ? MOM_EIO : 0;
			if (r < 0)
				snprintf(why, sizeof why, "the daemon's spool cannot be written: mend the disk or make room");
		}
	} else if (slot < 0)
		slot = code = member_new(d, w->uid, w->pid, w->ask.name, w->ask.nonce, why, sizeof why);
	if (slot >= 0 && code >= 0)
		door_admit(d, w, (uint32_t)slot, again);
	else {
		door_answer(w->fd, code, NULL, 0, why);
		close(w->fd);
	}
	return 1;
}

void
door_serve(struct daemon *d)
{
	int64_t now = clock_ms();
	for (size_t i = 0; i < d->waiting_count;) {
		struct waiting *w = &d->waiting[i];
		if (w->asked && d->serial && door_try(d, w))
			door_forget(d, i, 0);
		else if (w->asked && d->spool_failed) {
			door_answer(w->fd, MOM_EIO, NULL, 0, "the daemon's spool cannot be written: mend the disk or make room");
			door_forget(d, i, 1);
		}
		else if (now > w->until)
			door_forget(d, i, 1);
		else
			i++;
	}
}
