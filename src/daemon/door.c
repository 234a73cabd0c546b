/* door - registration of local clients over AF_UNIX: who asks, what it gets; a part of mom_daemon */
#include "daemon/daemon.h"
#include "ipc/about.h"
#include "base/clock.h"
#include "ipc/counters.h"
#include "base/etc.h"
#include "base/fdio.h"
#include "base/log_peer.h"
#include "format/topic.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { DOOR_WAIT_MS = 60000 };

static gid_t door_gid = (gid_t)-1;              /* of the group mom, where it may use this daemon */

/* What is made in the folder from then on is the group's: a socket is never there that the group may not use. A service
 * may not be allowed to set that bit. */
static int
door_give(struct daemon *d, gid_t gid)
{
	if (fchown(d->run_dir, (uid_t)-1, gid) < 0 || (fchmod(d->run_dir, 02750) < 0 && fchmod(d->run_dir, 0750) < 0))
		return -1;
	door_gid = gid;
	return 0;
}

static void
door_group(struct daemon *d)
{
	int64_t gid = etc_group_id("mom");
	if (gid >= 0 && door_give(d, (gid_t)gid) < 0)
		log_warn("the group mom cannot be given the registration socket: %s: only this user's programs can "
		    "register",
		    strerror(errno));
}

/* By the folder's path, for the kernel's list of sockets: a cleaner of old files looks there whether the socket is in
 * use. It may be longer than sun_path, or lead elsewhere by now: then the way is through the descriptor. */
static int
door_bind(struct daemon *d, int by_path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char folder[PATH_MAX];
	if (by_path)
		about_folder(d->run_dir, folder);
	else
		snprintf(folder, sizeof folder, "/proc/self/fd/%d", d->run_dir);
	if ((by_path && !fdio_leads_to(AT_FDCWD, folder, d->run_dir)) ||
	    snprintf(a.sun_path, sizeof a.sun_path, "%s/socket", folder) >= (int)sizeof a.sun_path)
		return -1;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t usual = umask(0117);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) < 0) {
		int keep = errno;
		fdio_close(&fd);
		errno = keep;
	}
	umask(usual);
	return fd;
}

/* It is bound under its name, not renamed to it: so it stands in /proc/net/unix. Meanwhile, and after a kill in
 * between, a predecessor's has another name, by which a client knows that it is to wait. */
int
door_open(struct daemon *d)
{
	struct stat st;
	door_group(d);
	if (fdio_rename_at(d->run_dir, "socket", "socket.old") < 0 && errno != ENOENT)
		return -1;
	int fd = door_bind(d, 1);
	if (fd < 0)
		fd = door_bind(d, 0);
	if (fd >= 0 && door_gid != (gid_t)-1 && fchownat(d->run_dir, "socket", (uid_t)-1, door_gid, 0) < 0)
		log_warn("%s/socket: the group mom may not use it: %s", d->run, strerror(errno));
	if (fd < 0 || listen(fd, 1024) < 0 || fstatat(d->run_dir, "socket", &st, AT_SYMLINK_NOFOLLOW) < 0) {
		fdio_close(&fd);
		return -1;
	}
	d->door_dev = st.st_dev;
	d->door_ino = st.st_ino;
	fdio_close(&d->door);                          /* who waits there comes again */
	d->door = fd;
	unlinkat(d->run_dir, "socket.old", 0);
	unlinkat(d->run_dir, "socket.new", 0);         /* of an older release */
	return 0;
}

int
door_look(struct daemon *d)
{
	struct stat st;
	int there = fstatat(d->run_dir, "socket", &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (there ? st.st_dev == d->door_dev && st.st_ino == d->door_ino : errno != ENOENT)
		return 0;
	return door_open(d) < 0 ? -1 : 1;
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
	door_answer(fd, MOM_ELIMIT, NULL, 0, "mom_daemon has no descriptors left: raise its `ulimit -n`, or end some "
	    "clients");
	close(fd);
	spare_open(&d->spare);
}

static void
door_forget(struct daemon *d, size_t i, int close_it)
{
	if (close_it)
		close(d->waiting[i].fd);
	d->waiting[i] = d->waiting[--d->waiting_count];
}

/* Whoever says nothing holds no more than a quarter of the descriptors: clients, and files for a moment, need the
 * rest. */
static int
door_has_share(const struct daemon *d)
{
	struct rlimit most;
	return getrlimit(RLIMIT_NOFILE, &most) == 0 && d->waiting_count >= most.rlim_cur / 4;
}

/* Of those who have said nothing yet the one who has waited longest, of the user who has more than half of them; -1:
 * all have spoken. */
static int
door_silent(const struct daemon *d)
{
	uid_t uid = 0;
	int votes = 0, oldest = -1;
	for (size_t i = 0; i < d->waiting_count; i++) {
		const struct waiting *w = &d->waiting[i];
		if (w->asked)
			continue;
		if (votes == 0)
			uid = w->uid;
		votes += w->uid == uid ? 1 : -1;
	}
	for (size_t i = 0; i < d->waiting_count; i++) {
		const struct waiting *w = &d->waiting[i];
		if (!w->asked && w->uid == uid && (oldest < 0 || w->until < d->waiting[oldest].until))
			oldest = (int)i;
	}
	return oldest;
}

void
door_accept(struct daemon *d)
{
	struct ucred who;
	socklen_t n = sizeof who;
	int fd = spare_accept(&d->spare, d->door, SOCK_CLOEXEC | SOCK_NONBLOCK), error = errno;
	if (fd >= 0 ? d->spare.is_full : error != EAGAIN && error != EINTR && error != ECONNABORTED)
		log_peer(LOG_FROM_WARN, 0, "accept: %s: raise `ulimit -n` of the daemon",
		    fd >= 0 ? "no descriptors left, somebody is turned away" : strerror(error));
	int silent = fd >= 0 && (d->spare.is_full || door_has_share(d)) ? door_silent(d) : -1;
	if (silent >= 0) {                             /* it makes room for somebody who may have more to say */
		door_forget(d, (size_t)silent, 1);
		if (d->spare.is_full)
			spare_open(&d->spare);
	}
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
	turnstile_came(&d->turnstile);
	d->waiting[d->waiting_count++] = (struct waiting){ .fd = fd, .until = clock_ms() + HANDSHAKE_MS, .uid = who.uid,
	    .pid = who.pid };
}

static int
door_answer(int fd, int code, const struct member *m, uint32_t slot, const char *text)
{
	struct registered a = { .code = code, .segment = -1, .local_id = -1 };
	if (m) {
		a.segment = m->shm;
		a.local_id = (int)slot;
		a.id = m->id;
		a.owner = m->owner;
	}
	a.ipc_namespace = ipcq_namespace();
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
	if (w->asked || n != sizeof ask || ask.magic != MAGIC_CLIENT || ask.layout != IPC_LAYOUT ||
	    memchr(ask.name, '\0', sizeof ask.name) == NULL) {
		if (n > 0)
			door_answer(w->fd, MOM_EPROTO, NULL, 0, "the program was built with another libmom than this "
			    "daemon: build it anew");
		door_forget(d, i, 1);
		return;
	}
	w->ask = ask;
	w->asked = 1;
	w->until = clock_ms() + DOOR_WAIT_MS;
}

static void
door_admit(struct daemon *d, struct waiting *w, uint32_t slot, int again)
{
	struct member *m = &d->members[slot];
	turnstile_let_in(&d->turnstile);
	fdio_close(&m->socket);
	fdio_close(&m->pidfd);
	m->socket = w->fd;
	m->pidfd = life_pidfd(w->fd, w->pid);
	m->pid = w->pid;
	m->absent = 0;
	if (!again) {
		counters_add(COUNT_CLIENTS, 1);
		m->admitted_at = m->segment ? atomic_load(&m->segment->next[0]) : 0;
		m->watch_told = 0;
	}
	m->poison_told = 0;
	if (door_answer(w->fd, 0, m, slot, NULL) < 0)
		/* it asks again with the same nonce, or is seen to be dead */
		fdio_close(&m->socket);
}

/* 1: served or turned away. 0: it has to wait. */
static int
door_try(struct daemon *d, struct waiting *w)
{
	char why[200] = "";
	const char *ended;
	int code = 0, slot = -1, again;
	enum life life = LIFE_GOES_ON;
	const char *fault = w->ask.name[0] ? client_name_fault(w->ask.name) : NULL;
	struct member *m = w->ask.name[0] ? members_by_name(d, w->uid, w->ask.name) : NULL;
	for (uint32_t i = 0; i < d->used && slot < 0; i++)            /* the same nonce gets the same answer */
		if (d->members[i].state == SLOT_LIVE && d->members[i].uid == w->uid &&
		    memcmp(d->members[i].nonce, w->ask.nonce, 16) == 0)
			slot = (int)i;
	again = slot >= 0;
	if (!again && !w->ask.again && m && m->state == SLOT_LIVE &&
	    (life = life_now(d, (uint32_t)(m - d->members), &ended)) == LIFE_OVER) {
		member_died(d, (uint32_t)(m - d->members), ended);
		m = members_by_name(d, w->uid, w->ask.name);          /* none if it was destroyed */
	}
	if (life == LIFE_UNDECIDED)
		return 0;
	if (!again && w->ask.again) {
		code = MOM_EBADID;
		snprintf(why, sizeof why, "this daemon does not know the client any more");
	} else if (slot < 0 && fault) {
		code = MOM_EINVAL;
		snprintf(why, sizeof why, "%s", fault);
	} else if (slot < 0 && m) {
		if (m->state == SLOT_LIVE) {
			code = MOM_EBUSY;
			snprintf(why, sizeof why, "the durable client %s is in use by process %d", w->ask.name,
			    (int)m->pid);
		} else {
			int r = m->state == SLOT_DYING ? 1 : member_resume(d, (uint32_t)(m - d->members), w->pid,
			    w->ask.nonce);
			if (r > 0)
				return 0;
			slot = r < 0 ? -1 : (int)(m - d->members);
			code = r < 0 ? MOM_EIO : 0;
			if (r < 0)
				snprintf(why, sizeof why, "the daemon's spool cannot be written: mend the disk or make "
				    "room");
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
		if (w->asked && d->spool_state != SPOOL_GOOD) {
			door_answer(w->fd, MOM_EIO, NULL, 0, "the daemon's spool is gone: its log says how to bring it "
			    "back");
			door_forget(d, i, 1);
		} else if (w->asked && (d->serial || w->ask.again) && door_try(d, w))
			door_forget(d, i, 0);
		else if (w->asked && d->spool_failed) {
			door_answer(w->fd, MOM_EIO, NULL, 0, "the daemon's spool cannot be written: mend the disk or "
			    "make room");
			door_forget(d, i, 1);
		}
		else if (now > w->until)
			door_forget(d, i, 1);
		else
			i++;
	}
}
