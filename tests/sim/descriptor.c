/* descriptor - descriptors and what they all have: read, write, close, poll; pipes, eventfds, pidfds, /proc */
#include "sim.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include "calls.h"

enum { PIPE_BYTES = 65536 };
struct pipe { int bytes, readers, writers; };     /* only how many: our pipes carry bells */
const char POLLERS[1];

struct file *
file_new(enum kind kind)
{
	struct file *f = sim_alloc(sizeof *f);
	f->kind = kind;
	f->users = 1;
	f->number = ++S.files;
	return f;
}

int
file_fd(struct file *f, int cloexec)
{
	for (int fd = 0; fd < FDS; fd++) {
		if (S.cur->fd[fd])
			continue;
		S.cur->fd[fd] = f;
		S.cur->cloexec &= ~(UINT64_C(1) << fd);
		S.cur->cloexec |= (uint64_t)(cloexec != 0) << fd;
		return fd;
	}
	sim_fault("%s[%d] has %d descriptors open", S.cur->role, S.cur->pid, FDS);
	errno = EMFILE;
	return -1;
}

struct file *
file_of(int fd)
{
	if (fd >= 0 && fd < FDS && S.cur->fd[fd])
		return S.cur->fd[fd];
	errno = EBADF;
	return NULL;
}

void file_share(struct file *f) { f->users++; }

void
file_drop(struct file *f)
{
	if (--f->users > 0)
		return;
	if (f->kind == FILE_DISK)
		disk_unlock(f);
	else if (f->kind == FILE_SOCKET)
		socket_forget(f->sock);
	else if (f->kind == FILE_PIPE) {
		*(f->writes ? &f->pipe->writers : &f->pipe->readers) -= 1;
		sim_wake(POLLERS);
	}
}

static int
pid_is_dead(const struct file *f)
{
	struct proc *p = process_by_pid(f->machine, f->pid);
	return p == NULL || p->state == PROC_ZOMBIE;
}

int
file_ready(struct file *f)
{
	switch (f->kind) {
	case FILE_PIPE:   return f->writes ? (f->pipe->bytes < PIPE_BYTES ? POLLOUT : 0)
	    : (f->pipe->bytes ? POLLIN : 0) | (f->pipe->writers ? 0 : POLLHUP);
	case FILE_EVENT:  return POLLOUT | (f->at ? POLLIN : 0);
	case FILE_PID:    return pid_is_dead(f) ? POLLIN : 0;
	case FILE_SOCKET: return socket_ready(f->sock);
	default:          return POLLIN | POLLOUT;
	}
}

int
sim_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	sim_enter("poll");
	int64_t until = timeout < 0 ? NEVER : S.now + (int64_t)timeout * MS;
	for (;;) {
		int ready = 0, r;
		for (nfds_t i = 0; i < n; i++) {
			struct file *f = fds[i].fd < 0 ? NULL : file_of(fds[i].fd);
			int bits = fds[i].fd < 0 ? 0 : f ? file_ready(f) : POLLNVAL;
			fds[i].revents = (short)(bits & (fds[i].events | POLLHUP | POLLERR | POLLNVAL));
			ready += fds[i].revents != 0;
		}
		if (ready)
			return (int)sim_back(ready);
		if (timeout == 0 || (r = sim_sleep(POLLERS, until)) == 1)
			return (int)sim_back(0);
		if (r < 0)
			return (int)sim_fail(EINTR);
	}
}

/* ---- reading and writing ---- */

static long
pipe_read(struct pipe *p, size_t n)
{
	long got = p->bytes < (int)n ? p->bytes : (long)n;
	if (got == 0)
		return sim_fail(p->writers ? EAGAIN : 0);
	p->bytes -= (int)got;
	return sim_back(got);
}

static long
pipe_write(struct pipe *p, size_t n)
{
	if (p->bytes + (int)n > PIPE_BYTES)
		return sim_fail(EAGAIN);
	p->bytes += (int)n;
	sim_wake(POLLERS);
	return sim_back((long)n);
}

static long
event_read(struct file *f, void *bytes)
{
	if (f->at == 0)
		return sim_fail(EAGAIN);
	memcpy(bytes, &f->at, 8);
	f->at = 0;
	return sim_back(8);
}

static long
text_read(struct file *f, void *bytes, size_t n)
{
	size_t left = strlen(f->text) - f->at;
	if (n > left)
		n = left;
	memcpy(bytes, f->text + f->at, n);
	f->at += n;
	return sim_back((long)n);
}

ssize_t
sim_read(int fd, void *bytes, size_t n)
{
	sim_enter("read");
	struct file *f = file_of(fd);
	long r;
	if (f == NULL)
		return sim_fail(EBADF);
	switch (f->kind) {
	case FILE_PIPE:   return pipe_read(f->pipe, n);
	case FILE_EVENT:  return event_read(f, bytes);
	case FILE_TEXT:   return text_read(f, bytes, n);
	case FILE_SOCKET: return socket_read(f->sock, bytes, n, f->flags & O_NONBLOCK);
	case FILE_DISK:
		r = disk_read(f, bytes, n, f->at);
		f->at += (uint64_t)(r > 0 ? r : 0);
		return r;
	default:          return sim_fail(EINVAL);
	}
}

ssize_t
sim_write(int fd, const void *bytes, size_t n)
{
	sim_enter("write");
	struct file *f = file_of(fd);
	uint64_t more;
	long r;
	if (f == NULL)
		return sim_fail(EBADF);
	switch (f->kind) {
	case FILE_LOG:
		world_log(S.cur, bytes, n);
		return (ssize_t)n;
	case FILE_PIPE:   return pipe_write(f->pipe, n);
	case FILE_EVENT:
		memcpy(&more, bytes, 8);
		f->at += more;
		sim_wake(POLLERS);
		return sim_back(8);
	case FILE_SOCKET: return socket_write(f->sock, bytes, n, f->flags & O_NONBLOCK);
	case FILE_DISK:
		r = disk_write(f, bytes, n, f->at);
		f->at += (uint64_t)(r > 0 ? r : 0);
		return r;
	default:          return sim_fail(EINVAL);
	}
}

int
sim_close(int fd)
{
	sim_enter("close");
	struct file *f = file_of(fd);
	if (f == NULL) {
		sim_fault("%s[%d] closes descriptor %d, which is not open", S.cur->role, S.cur->pid, fd);
		return (int)sim_fail(EBADF);
	}
	S.cur->fd[fd] = NULL;
	file_drop(f);
	return (int)sim_back(0);
}

int
sim_dup3(int fd, int to, int flags)
{
	sim_enter("dup3");
	struct file *f = file_of(fd), *old = file_of(to);
	if (f == NULL || to >= FDS)
		return (int)sim_fail(EBADF);
	file_share(f);
	S.cur->fd[to] = f;
	S.cur->cloexec &= ~(UINT64_C(1) << to);
	S.cur->cloexec |= (uint64_t)((flags & O_CLOEXEC) != 0) << to;
	if (old)
		file_drop(old);
	return (int)sim_back(to);
}

int
sim_fcntl(int fd, int command, ...)
{
	sim_enter("fcntl");
	struct file *f = file_of(fd);
	va_list ap;
	va_start(ap, command);
	int value = va_arg(ap, int);
	va_end(ap);
	if (f == NULL)
		return (int)sim_fail(EBADF);
	if (command == F_GETFL)
		return f->flags;
	if (command == F_GETFD)
		return (int)(S.cur->cloexec >> fd & 1);
	if (command == F_SETFL)
		f->flags = value;
	else if (command == F_SETFD) {
		S.cur->cloexec &= ~(UINT64_C(1) << fd);
		S.cur->cloexec |= (uint64_t)(value & FD_CLOEXEC) << fd;
	}
	return (int)sim_back(0);
}

/* ---- making ---- */

int
sim_pipe2(int fds[2], int flags)
{
	sim_enter("pipe2");
	struct pipe *p = sim_alloc(sizeof *p);
	*p = (struct pipe){ 0, 1, 1 };
	for (int k = 0; k < 2; k++) {
		struct file *f = file_new(FILE_PIPE);
		f->pipe = p;
		f->writes = k;
		f->flags = flags & O_NONBLOCK;
		fds[k] = file_fd(f, flags & O_CLOEXEC);
	}
	return (int)sim_back(0);
}

int
sim_eventfd(unsigned value, int flags)
{
	sim_enter("eventfd");
	struct file *f = file_new(FILE_EVENT);
	f->at = value;
	return (int)sim_back(file_fd(f, flags & EFD_CLOEXEC));
}

long
sim_syscall(long number, ...)
{
	sim_enter("syscall");
	va_list ap;
	va_start(ap, number);
	int pid = va_arg(ap, int);
	va_end(ap);
	if (number != SYS_pidfd_open || process_by_pid(S.cur->machine, pid) == NULL)
		return sim_fail(ESRCH);
	struct file *f = file_new(FILE_PID);
	f->pid = pid;
	f->machine = S.cur->machine;
	return sim_back(file_fd(f, 1));
}

/* /proc and /dev; NULL: none of those that are known */
static const char *
proc_text(const char *path)
{
	int pid;
	char rest[2];
	if (strcmp(path, "/dev/null") == 0)
		return "";
	const struct machine *m = &S.machines[S.cur->machine];
	if (strcmp(path, "/proc/sys/kernel/random/boot_id") == 0)
		return sim_text("%016llx-boot-%d\n", (unsigned long long)m->boot_id, m->boots);
	if (sscanf(path, "/proc/%d/map%1[s]", &pid, rest) == 2) {
		struct proc *p = process_by_pid(S.cur->machine, pid);
		return p && p->state != PROC_ZOMBIE ? sysv_maps(p) : NULL;
	}
	if (sscanf(path, "/proc/%d/sta%1[t]", &pid, rest) == 2) {
		struct proc *p = process_by_pid(S.cur->machine, pid);
		return p ? sim_text("%d (%s) %c 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 %d 0 0", pid, p->role,
		    p->state == PROC_ZOMBIE ? 'Z' : 'S', p->started) : NULL;
	}
	return NULL;
}

static int
open_at(int dir, const char *path, int flags, int mode)
{
	struct file *f;
	const char *text = strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/dev/", 5) == 0 ? proc_text(path) : NULL;
	int error = 0;
	if (text) {
		f = file_new(FILE_TEXT);
		f->text = text;
	} else if ((error = disk_open(dir, path, flags, mode, &f)) != 0)
		return (int)sim_fail(error);
	f->flags = flags & ~O_CLOEXEC;
	return (int)sim_back(file_fd(f, flags & O_CLOEXEC));
}

int
sim_openat(int dir, const char *path, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	int mode = va_arg(ap, int);
	va_end(ap);
	sim_enter("open");
	if (S.trace > 1)
		sim_note("  %s", path);
	return open_at(dir, path, flags, mode);
}

int
sim_open(const char *path, int flags, ...)
{
	sim_enter("open");
	if (S.trace > 1)
		sim_note("  %s", path);
	return open_at(AT_FDCWD, path, flags, 0);
}
