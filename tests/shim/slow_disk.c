/* slow_disk - LD_PRELOAD: in the program SLOW_IN each call of the kind SLOW_CALL takes SLOW_MS longer, as on a disk
 * that others keep busy.
 * Kinds: sync (fsync, fdatasync), read (pread), mkdir (mkdirat), unlink (unlinkat) */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void *
slowed(const char *call, const char *kind)
{
	const char *ms = getenv("SLOW_MS"), *in = getenv("SLOW_IN"), *slow = getenv("SLOW_CALL");
	if (ms && in && slow && strcmp(slow, kind) == 0 && strcmp(in, program_invocation_short_name) == 0)
		usleep((useconds_t)atoi(ms) * 1000);
	return dlsym(RTLD_NEXT, call);
}

int
fsync(int fd)
{
	return ((int (*)(int))(size_t)slowed("fsync", "sync"))(fd);
}

int
fdatasync(int fd)
{
	return ((int (*)(int))(size_t)slowed("fdatasync", "sync"))(fd);
}

ssize_t
pread(int fd, void *bytes, size_t n, off_t at)
{
	return ((ssize_t (*)(int, void *, size_t, off_t))(size_t)slowed("pread", "read"))(fd, bytes, n, at);
}

int
mkdirat(int dir, const char *path, mode_t mode)
{
	return ((int (*)(int, const char *, mode_t))(size_t)slowed("mkdirat", "mkdir"))(dir, path, mode);
}

int
unlinkat(int dir, const char *path, int flags)
{
	return ((int (*)(int, const char *, int))(size_t)slowed("unlinkat", "unlink"))(dir, path, flags);
}
