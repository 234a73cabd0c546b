/* interrupted - LD_PRELOAD: every other call of those that a signal may interrupt ends with EINTR */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* counts calls of one kind: 1: this one is interrupted */
static int
hit(unsigned *calls)
{
	errno = EINTR;
	return __atomic_fetch_add(calls, 1, __ATOMIC_SEQ_CST) % 2 == 0;
}

#define CALL(type, name, parameters, ...) \
	type name parameters \
	{ \
		static unsigned calls; \
		return hit(&calls) ? -1 : ((type (*) parameters)(size_t)dlsym(RTLD_NEXT, #name))(__VA_ARGS__); \
	}

CALL(int, fsync, (int fd), fd)
CALL(int, fdatasync, (int fd), fd)
CALL(int, ftruncate, (int fd, off_t n), fd, n)
CALL(int, fallocate, (int fd, int mode, off_t at, off_t n), fd, mode, at, n)
CALL(int, fstatvfs, (int fd, struct statvfs *st), fd, st)
CALL(int, flock, (int fd, int how), fd, how)
CALL(ssize_t, pread, (int fd, void *bytes, size_t n, off_t at), fd, bytes, n, at)
CALL(ssize_t, pwrite, (int fd, const void *bytes, size_t n, off_t at), fd, bytes, n, at)
CALL(ssize_t, read, (int fd, void *bytes, size_t n), fd, bytes, n)
CALL(ssize_t, write, (int fd, const void *bytes, size_t n), fd, bytes, n)

int
openat(int dir, const char *path, int flags, ...)
{
	static unsigned calls;
	va_list more;
	va_start(more, flags);
	unsigned mode = va_arg(more, unsigned);        /* where there is none nobody looks at it */
	va_end(more);
	return hit(&calls) ? -1 : ((int (*)(int, const char *, int, unsigned))(size_t)dlsym(RTLD_NEXT, "openat"))(dir,
	    path, flags, mode);
}
