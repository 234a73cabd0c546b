/* slow_disk - LD_PRELOAD: in the program SLOW_IN every fsync and fdatasync takes SLOW_SYNC_MS longer, every pread SLOW_READ_MS, as on a disk
 * that others keep busy */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *
slowed(const char *call, const char *by)
{
	const char *ms = getenv(by), *in = getenv("SLOW_IN");
	if (ms && in && strcmp(in, program_invocation_short_name) == 0)
		usleep((useconds_t)atoi(ms) * 1000);
	return dlsym(RTLD_NEXT, call);
}

int
fsync(int fd)
{
	return ((int (*)(int))(size_t)slowed("fsync", "SLOW_SYNC_MS"))(fd);
}

int
fdatasync(int fd)
{
	return ((int (*)(int))(size_t)slowed("fdatasync", "SLOW_SYNC_MS"))(fd);
}

ssize_t
pread(int fd, void *bytes, size_t n, off_t at)
{
	return ((ssize_t (*)(int, void *, size_t, off_t))(size_t)slowed("pread", "SLOW_READ_MS"))(fd, bytes, n, at);
}
