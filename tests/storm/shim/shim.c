/* shim - see shim.h. Each wrapper asks `verdict` and does what that says; nothing here allocates or prints. */
#include "shim.h"
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { GO, GO_AND_DIE, GO_AND_HOLD, FAIL, SHORTEN };

static struct { struct shim *s; int role, life, active, forked; } me = { .role = -1 };

__attribute__((constructor)) static void
begin(void)
{
	static const char *const names[] = SHIM_ROLE_NAMES;
	const char *path = getenv("MOM_SHIM");
	int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0) : -1;
	if (fd < 0)
		return;
	void *p = (void *)syscall(SYS_mmap, NULL, sizeof *me.s, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	syscall(SYS_close, fd);
	if (p == MAP_FAILED)
		return;
	me.s = p;
	for (int i = 0; i < SHIM_ROLES; i++)
		if (strcmp(program_invocation_short_name, names[i]) == 0)
			me.role = i;
	if (me.role < 0)
		return;
	me.life = atomic_fetch_add(&me.s->lives[me.role], 1) + 1;
	me.active = me.life <= SHIM_LIVES;
}

static void
die(void)
{
	syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
}

static void
finish(int what)
{
	int keep = errno;
	struct timespec t = { 0, SHIM_HELD_MS * 1000000L };
	if (what == GO_AND_DIE)
		die();
	if (what == GO_AND_HOLD)
		while (syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &t, &t) < 0)
			;
	errno = keep;
}

/* ---- which errors a call may return, the likeliest first ---- */

struct errors { const char *call; int of[6]; };
static const struct errors table[] = {
	{ "open", { EMFILE, ENFILE, EINTR, ENOMEM, EIO, EACCES } },
	    { "openat", { EMFILE, ENFILE, EINTR, ENOMEM, EIO, ENOSPC } },
	{ "socket", { EMFILE, ENFILE, ENOBUFS, ENOMEM } }, { "socketpair", { EMFILE, ENFILE, ENOBUFS, ENOMEM } },
	{ "accept4", { EMFILE, ECONNABORTED, ENFILE, EINTR, ENOMEM } }, { "pipe2", { EMFILE, ENFILE } },
	    { "eventfd", { EMFILE, ENFILE, ENOMEM } },
	{ "bind", { EADDRINUSE, ENOMEM } }, { "listen", { EADDRINUSE } },
	    { "connect", { ECONNREFUSED, EINTR, EAGAIN, ENETUNREACH, ETIMEDOUT } },
	{ "setsockopt", { ENOMEM } }, { "getsockopt", { ENOBUFS } }, { "getsockname", { ENOBUFS } },
	    { "getpeername", { ENOTCONN } },
	{ "recv", { ECONNRESET, EINTR, ETIMEDOUT, ENOMEM } }, { "send", { ECONNRESET, EINTR, EPIPE, ENOBUFS } },
	{ "poll", { EINTR, ENOMEM } }, { "fork", { EAGAIN, ENOMEM } }, { "execl", { EAGAIN, ENOMEM, EMFILE, EACCES } },
	{ "readlink", { ENOMEM, EIO } }, { "stat", { EIO, ENOMEM } }, { "fstat", { EIO, ENOMEM } },
	    { "fstatat", { EIO, ENOMEM } },
	{ "faccessat", { EIO, ENOMEM } }, { "fstatvfs", { EIO } }, { "fdopendir", { ENOMEM } }, { "readdir", { EIO } },
	{ "pread", { EIO, EINTR } }, { "pwrite", { EIO, ENOSPC, EINTR, EDQUOT } },
	    { "fdatasync", { EIO, ENOSPC, EINTR } }, { "fsync", { EIO, ENOSPC, EINTR } },
	{ "fallocate", { ENOSPC, EINTR, EOPNOTSUPP, EIO } }, { "ftruncate", { EIO, EINTR } },
	    { "renameat", { EIO, ENOSPC, EDQUOT } },
	{ "linkat", { EIO, ENOSPC, EMLINK } }, { "unlinkat", { EIO, EROFS } }, { "rmdir", { EIO } },
	    { "mkdir", { ENOSPC, EIO } },
	{ "mkdirat", { ENOSPC, EIO } }, { "fchmod", { EIO } }, { "fchmodat", { EIO } }, { "fchown", { EPERM } },
	    { "fchownat", { EPERM } },
	{ "flock", { EINTR, ENOLCK } }, { "getrandom", { EINTR } }, { "mmap", { ENOMEM } }, { "madvise", { EAGAIN } },
	{ "msgget", { ENOSPC, ENOMEM } }, { "shmget", { ENOSPC, ENOMEM } }, { "semget", { ENOSPC, ENOMEM } },
	{ "shmat", { ENOMEM, EIDRM } }, { "msgrcv", { EINTR, EIDRM } }, { "msgsnd", { EAGAIN, EINTR, EIDRM, ENOMEM } },
	{ "semtimedop", { EINTR, EAGAIN, EIDRM, ENOMEM } }, { "msgctl", { EIDRM } }, { "shmctl", { EIDRM } },
	    { "semctl", { EIDRM } },
	{ "pidfd_open", { EMFILE, ENFILE, ENOMEM } }, { "usleep", { EINTR } }, { "close", { EINTR, EIO } },
};
static const struct errors on_file[] = { { "read", { EIO, EINTR } }, { "write", { ENOSPC, EIO, EINTR, EDQUOT } } };
static const struct errors on_socket[] = { { "read", { ECONNRESET, EINTR, ETIMEDOUT } },
    { "write", { ECONNRESET, EINTR, EPIPE, ENOBUFS } } };

static const struct errors *
errors_of(const char *call, int fd)
{
	struct stat st;
	if (strcmp(call, "read") == 0 || strcmp(call, "write") == 0) {
		int is_socket = syscall(SYS_fstat, fd, &st) == 0 && S_ISSOCK(st.st_mode);
		if (fd <= STDERR_FILENO)
			return NULL;           /* a log line is nobody's duty */
		return &(is_socket ? on_socket : on_file)[call[0] == 'w'];
	}
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(table[i].call, call) == 0)
			return &table[i];
	return NULL;
}

static int
pick(const struct errors *e, int turn)
{
	int n = 0;
	while (n < 6 && e->of[n])
		n++;
	return e->of[turn % n];
}

/* Only what may really be short: files and streams. The kernel's own files and packets come whole. */
static int
may_be_short(const char *call, int fd, size_t bytes)
{
	static const char *const calls[] = { "read", "write", "pread", "pwrite", "send", "recv" };
	struct stat st;
	int type = 0, known = 0;
	socklen_t n = sizeof type;
	for (size_t i = 0; i < 6; i++)
		known |= strcmp(call, calls[i]) == 0;
	if (!known || bytes < 2 || fd <= STDERR_FILENO || syscall(SYS_fstat, fd, &st) < 0)
		return 0;
	if (S_ISSOCK(st.st_mode))
		return syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_STREAM;
	return S_ISREG(st.st_mode) && (st.st_size > 0 || call[0] == 'w' || call[1] == 'w');
}

static int
is_turn(enum shim_kind kind, const char *call)
{
	struct shim *s = me.s;
	if (s->only[0] && strcmp(s->only, call) != 0)
		return 0;
	int count = atomic_fetch_add(&s->calls[me.role][me.life - 1][kind], 1) + 1;
	return me.role == s->role && me.life == s->life && (int)kind == s->kind && count == s->n;
}

static void
strike(const char *call, int error)
{
	strncpy(me.s->call, call, sizeof me.s->call - 1);
	me.s->error = error;
	me.s->pid = (int)syscall(SYS_getpid);
	atomic_store(&me.s->hit, 1);
}

/* Asked before each call. */
static int
verdict(const char *call, int fd, size_t bytes)
{
	int keep = errno, what = GO;
	if (!me.active)
		return GO;
	if (is_turn(SHIM_BEFORE, call)) {
		strike(call, 0);
		die();
	}
	if (is_turn(SHIM_AFTER, call)) {
		strike(call, 0);
		what = GO_AND_DIE;
	}
	if (is_turn(SHIM_HELD, call)) {
		strike(call, 0);
		what = GO_AND_HOLD;
	}
	const struct errors *e = errors_of(call, fd);
	if (e && is_turn(SHIM_FAIL, call)) {
		keep = pick(e, me.s->turn);
		strike(call, keep);
		what = FAIL;
	}
	if (may_be_short(call, fd, bytes) && is_turn(SHIM_SHORT, call)) {
		strike(call, 0);
		what = SHORTEN;
	}
	errno = keep;
	return what;
}

/* ---- wrappers ---- */

#define REAL(type, name, ...)                                            \
	static type (*real)(__VA_ARGS__);                                \
	if (real == NULL)                                                \
		real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

#define DO(type, name, fd, bytes, failure, call)                         \
	int what = verdict(name, fd, bytes);                             \
	if (what == FAIL)                                                \
		return failure;                                          \
	type result = call;                                              \
	finish(what);                                                    \
	return result

#define WRAP(type, failure, name, params, args)                          \
	type name params                                                 \
	{                                                                \
		REAL(type, name, UNPACK params);                         \
		DO(type, #name, -1, 0, failure, real args);              \
	}
#define UNPACK(...) __VA_ARGS__

WRAP(int, -1, socket, (int d, int t, int p), (d, t, p))
WRAP(int, -1, socketpair, (int d, int t, int p, int v[2]), (d, t, p, v))
WRAP(int, -1, accept4, (int fd, struct sockaddr *a, socklen_t *n, int f), (fd, a, n, f))
WRAP(int, -1, pipe2, (int v[2], int f), (v, f))
WRAP(int, -1, eventfd, (unsigned n, int f), (n, f))
WRAP(int, -1, bind, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
WRAP(int, -1, listen, (int fd, int n), (fd, n))
WRAP(int, -1, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
WRAP(int, -1, setsockopt, (int fd, int l, int o, const void *v, socklen_t n), (fd, l, o, v, n))
WRAP(int, -1, getsockopt, (int fd, int l, int o, void *v, socklen_t *n), (fd, l, o, v, n))
WRAP(int, -1, getsockname, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n))
WRAP(int, -1, getpeername, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n))
WRAP(int, -1, poll, (struct pollfd *f, nfds_t n, int ms), (f, n, ms))
WRAP(pid_t, -1, waitpid, (pid_t p, int *s, int f), (p, s, f))
WRAP(int, -1, kill, (pid_t p, int s), (p, s))
WRAP(ssize_t, -1, readlink, (const char *p, char *b, size_t n), (p, b, n))
WRAP(int, -1, stat, (const char *p, struct stat *st), (p, st))
WRAP(int, -1, fstat, (int fd, struct stat *st), (fd, st))
WRAP(int, -1, fstatat, (int fd, const char *p, struct stat *st, int f), (fd, p, st, f))
WRAP(int, -1, faccessat, (int fd, const char *p, int m, int f), (fd, p, m, f))
WRAP(int, -1, fstatvfs, (int fd, struct statvfs *st), (fd, st))
WRAP(DIR *, NULL, fdopendir, (int fd), (fd))
WRAP(struct dirent *, NULL, readdir, (DIR *d), (d))
WRAP(int, -1, fdatasync, (int fd), (fd))
WRAP(int, -1, fsync, (int fd), (fd))
WRAP(int, -1, fallocate, (int fd, int m, off_t a, off_t n), (fd, m, a, n))
WRAP(int, -1, ftruncate, (int fd, off_t n), (fd, n))
WRAP(int, -1, renameat, (int d, const char *a, int e, const char *b), (d, a, e, b))
WRAP(int, -1, linkat, (int d, const char *a, int e, const char *b, int f), (d, a, e, b, f))
WRAP(int, -1, unlinkat, (int d, const char *a, int f), (d, a, f))
WRAP(int, -1, rmdir, (const char *p), (p))
WRAP(int, -1, mkdir, (const char *p, mode_t m), (p, m))
WRAP(int, -1, mkdirat, (int d, const char *p, mode_t m), (d, p, m))
WRAP(int, -1, fchmod, (int fd, mode_t m), (fd, m))
WRAP(int, -1, fchmodat, (int d, const char *p, mode_t m, int f), (d, p, m, f))
WRAP(int, -1, fchown, (int fd, uid_t u, gid_t g), (fd, u, g))
WRAP(int, -1, fchownat, (int d, const char *p, uid_t u, gid_t g, int f), (d, p, u, g, f))
WRAP(int, -1, flock, (int fd, int o), (fd, o))
WRAP(ssize_t, -1, getrandom, (void *b, size_t n, unsigned f), (b, n, f))
WRAP(int, -1, madvise, (void *p, size_t n, int a), (p, n, a))
WRAP(int, -1, msgget, (key_t k, int f), (k, f))
WRAP(int, -1, shmget, (key_t k, size_t n, int f), (k, n, f))
WRAP(int, -1, semget, (key_t k, int n, int f), (k, n, f))
WRAP(int, -1, usleep, (useconds_t us), (us))
WRAP(int, -1, shmdt, (const void *p), (p))

/* closed all the same, as Linux does */
int
close(int fd)
{
	REAL(int, close, int);
	int what = verdict("close", -1, 0), keep = errno, r = real(fd);
	finish(what);
	if (what != FAIL)
		return r;
	errno = keep;
	return -1;
}

#define TRANSFER(name, params, args, shorter)                            \
	ssize_t name params                                              \
	{                                                                \
		REAL(ssize_t, name, UNPACK params);                      \
		int what = verdict(#name, fd, n);                        \
		if (what == FAIL)                                        \
			return -1;                                       \
		ssize_t r = what == SHORTEN ? real shorter : real args;  \
		finish(what);                                            \
		return r;                                                \
	}
TRANSFER(read, (int fd, void *b, size_t n), (fd, b, n), (fd, b, n / 2))
TRANSFER(write, (int fd, const void *b, size_t n), (fd, b, n), (fd, b, n / 2))
TRANSFER(pread, (int fd, void *b, size_t n, off_t at), (fd, b, n, at), (fd, b, n / 2, at))
TRANSFER(pwrite, (int fd, const void *b, size_t n, off_t at), (fd, b, n, at), (fd, b, n / 2, at))
TRANSFER(recv, (int fd, void *b, size_t n, int f), (fd, b, n, f), (fd, b, n / 2, f))
TRANSFER(send, (int fd, const void *b, size_t n, int f), (fd, b, n, f), (fd, b, n / 2, f))

int
open(const char *path, int flags, ...)
{
	REAL(int, open, const char *, int, ...);
	va_list ap;
	va_start(ap, flags);
	int mode = flags & O_CREAT ? va_arg(ap, int) : 0;
	va_end(ap);
	DO(int, "open", -1, 0, -1, real(path, flags, mode));
}

int
openat(int dir, const char *path, int flags, ...)
{
	REAL(int, openat, int, const char *, int, ...);
	va_list ap;
	va_start(ap, flags);
	int mode = flags & O_CREAT ? va_arg(ap, int) : 0;
	va_end(ap);
	DO(int, "openat", -1, 0, -1, real(dir, path, flags, mode));
}

void *
mmap(void *p, size_t n, int prot, int flags, int fd, off_t at)
{
	REAL(void *, mmap, void *, size_t, int, int, int, off_t);
	DO(void *, "mmap", -1, 0, MAP_FAILED, real(p, n, prot, flags, fd, at));
}

/* the only one that our programs make by its number is pidfd_open */
long
syscall(long number, ...)
{
	REAL(long, syscall, long, ...);
	long a[6];
	va_list ap;
	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (number != SYS_pidfd_open)
		return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	DO(long, "pidfd_open", -1, 0, -1, real(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}

pid_t
fork(void)
{
	REAL(pid_t, fork, void);
	int what = verdict("fork", -1, 0), active = me.active;
	if (what == FAIL)
		return -1;
	pid_t pid = real();
	if (pid == 0) {                 /* of the child's calls only the exec counts */
		me.forked = active;
		me.active = 0;
	} else
		finish(what);
	return pid;
}

int
execl(const char *path, const char *arg, ...)
{
	REAL(int, execv, const char *, char *const *);
	char *argv[16] = { (char *)(uintptr_t)arg };
	va_list ap;
	va_start(ap, arg);
	for (int i = 1; i < 15 && (argv[i] = va_arg(ap, char *)) != NULL; i++)
		;
	va_end(ap);
	me.active = me.forked;
	DO(int, "execl", -1, 0, -1, real(path, argv));
}

/* ---- System V: EIDRM means that a stranger removes the object; then the kernel itself says what becomes of the call
 * ---- */

#define IPC(type, failure, name, counts, params, args, removal)          \
	type name params                                                 \
	{                                                                \
		REAL(type, name, UNPACK params);                         \
		int what = counts ? verdict(#name, -1, 0) : GO;          \
		if (what == FAIL && errno == EIDRM)                      \
			removal;                                         \
		else if (what == FAIL)                                   \
			return failure;                                  \
		type r = real args;                                      \
		finish(what);                                            \
		return r;                                                \
	}
IPC(void *, (void *)-1, shmat, 1, (int id, const void *p, int f), (id, p, f), syscall(SYS_shmctl, id, IPC_RMID, NULL))
IPC(ssize_t, -1, msgrcv, 1, (int id, void *b, size_t n, long t, int f), (id, b, n, t, f),
    syscall(SYS_msgctl, id, IPC_RMID, NULL))
IPC(int, -1, msgsnd, 1, (int id, const void *b, size_t n, int f), (id, b, n, f),
    syscall(SYS_msgctl, id, IPC_RMID, NULL))
IPC(int, -1, semtimedop, 1, (int id, struct sembuf *o, size_t n, const struct timespec *t), (id, o, n, t),
    syscall(SYS_semctl, id, 0, IPC_RMID, 0))
IPC(int, -1, msgctl, 1, (int id, int c, struct msqid_ds *b), (id, c, b), syscall(SYS_msgctl, id, IPC_RMID, NULL))
IPC(int, -1, shmctl, c != IPC_INFO, (int id, int c, struct shmid_ds *b), (id, c, b),
    syscall(SYS_shmctl, id, IPC_RMID, NULL))

int
semctl(int id, int number, int c, ...)
{
	REAL(int, semctl, int, int, int, ...);
	va_list ap;
	va_start(ap, c);
	long arg = va_arg(ap, long);
	va_end(ap);
	int what = verdict("semctl", -1, 0);
	if (what == FAIL)
		syscall(SYS_semctl, id, 0, IPC_RMID, 0);
	int r = real(id, number, c, arg);
	finish(what);
	return r;
}

/* ---- the wall clock ---- */

int
clock_gettime(clockid_t clock, struct timespec *t)
{
	REAL(int, clock_gettime, clockid_t, struct timespec *);
	int r = real(clock, t);
	int64_t off = r == 0 && me.s && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
	    ? atomic_load(&me.s->wall_us) : 0;
	if (off) {
		int64_t us = t->tv_sec * INT64_C(1000000) + t->tv_nsec / 1000 + off;
		t->tv_sec = us / 1000000;
		t->tv_nsec = us % 1000000 * 1000;
	}
	return r;
}

time_t
time(time_t *out)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	if (out)
		*out = t.tv_sec;
	return t.tv_sec;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec t;
	(void)zone;
	clock_gettime(CLOCK_REALTIME, &t);
	*tv = (struct timeval){ t.tv_sec, t.tv_nsec / 1000 };
	return 0;
}
