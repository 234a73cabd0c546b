/* life - does a client's process still live, and has it its client? A part of mom_daemon.
 *
 * A pidfd decides where there is one: it is readable once the last thread of a process has ended. The kernel's count of
 * those who have the client's segment attached decides the rest: a process that executed another program, or one of
 * another PID namespace, of which there is no pidfd. /proc may confirm that a process lives. It never says that one is
 * dead: it may be hidden (hidepid), not mounted or another namespace's, and it calls a process dead whose first thread
 * has ended. */
#include "daemon/daemon.h"
#include "ipc/ipcq_own.h"
#include "base/fdio.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77                      /* of the machines that Linux runs on, all but PA-RISC and SPARC */
#endif
static const char why_gone[] = "its process is gone (pidfd readable)", why_given_back[] = "it gave its handle back";
enum { ABSENT_TICKS = 3 };                   /* a unit that was killed just now has not detached for us yet, or has */

static int
pidfd_open_of(pid_t pid)
{
	int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	if (fd >= 0)
		fdio_cloexec(fd, 1);
	return fd;
}

int
life_pidfd(int socket, pid_t pid)
{
#if !defined(__hppa__) && !defined(__sparc__)
	int fd = -1;
	socklen_t n = sizeof fd;
	if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &n) == 0)
		return fd;
#endif
	return pidfd_open_of(pid);               /* an older kernel */
}

static int
pidfd_says_dead(int pidfd)
{
	struct pollfd p = { pidfd, POLLIN, 0 };
	return pidfd >= 0 && poll(&p, 1, 0) > 0;
}

/* Somebody beside us has the segment attached, as far as can be seen at this moment. Our children say when they have
 * it. */
int
life_is_attached(const struct daemon *d, uint32_t i)
{
	int there = ipcq_attached(d->members[i].shm), ours = 1;
	for (int role = 0; d->unit && role < UNIT_ROLES; role++)
		ours += atomic_load(&d->unit->slot[i].attached[role]);
	return there < 0 || there > ours;
}

/* Our children are all there, so that what they say can be believed. */
static int
unit_is_whole(const struct daemon *d)
{
	return d->unit && !d->unit_ending && d->forwarder && (d->link != LINK_UP || (d->requester && d->responser));
}

/* The process of this registration was attached: its CREATE took a number. Before that, nobody attached means
 * nothing. */
static int
has_come(const struct member *m)
{
	return m->socket < 0 || (m->segment && atomic_load(&m->segment->next[0]) != m->admitted_at);
}

const char *
life_ended(struct daemon *d, uint32_t i)
{
	struct member *m = &d->members[i];
	if (pidfd_says_dead(m->pidfd))
		return why_gone;
	if (m->socket < 0 && m->segment && atomic_load(&m->segment->goodbye))
		return why_given_back;
	m->absent = unit_is_whole(d) && has_come(m) && !life_is_attached(d, i) ? m->absent + 1 : 0;
	if (m->absent < ABSENT_TICKS || process_has_segment(m->pid, m->shm) == 1)
		return NULL;
	return m->pidfd >= 0 ? "its process goes on without it: segment unattached (did it execute another program?)" :
	    m->socket < 0 ? "socket closed and segment unattached" : "segment unattached";
}

enum life
life_now(struct daemon *d, uint32_t i, const char **why)
{
	struct member *m = &d->members[i];
	*why = why_gone;
	if (pidfd_says_dead(m->pidfd))
		return LIFE_OVER;
	*why = why_given_back;
	if (m->segment && atomic_load(&m->segment->goodbye))
		return LIFE_OVER;
	if (!has_come(m) || life_is_attached(d, i))
		return LIFE_GOES_ON;
	*why = "its process goes on without it: segment unattached and not in /proc/PID/maps";
	return unit_is_whole(d) && process_has_segment(m->pid, m->shm) == 0 ? LIFE_OVER : LIFE_UNDECIDED;
}

/* At a start: nothing of us but this process has the segment attached, since a predecessor's children are gone before
 * its lock is free. */
int
life_goes_on(struct member *m)
{
	unsigned long long now = process_started(m->pid);
	m->pidfd = pidfd_open_of(m->pid);
	/* it is that process, and not a later one with its number */
	if (m->pidfd >= 0 && now && now == m->started)
		return !pidfd_says_dead(m->pidfd);
	fdio_close(&m->pidfd);
	return ipcq_attached(m->shm) > 1;
}
