/* slow_sync - LD_PRELOAD: every fsync and fdatasync of the program SLOW_SYNC_IN takes SLOW_SYNC_MS longer, as on a disk that others keep busy */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
slow_call(const char *name, int fd)
{
	int (*real)(int) = (int (*)(int))(size_t)dlsym(RTLD_NEXT, name);
	const char *ms = getenv("SLOW_SYNC_MS"), *in = getenv("SLOW_SYNC_IN");
	if (ms && in && strcmp(in, program_invocation_short_name) == 0)
		usleep((useconds_t)atoi(ms) * 1000);
	return real(fd);
}

int
fsync(int fd)
{
	return slow_call("fsync", fd);
}

int
fdatasync(int fd)
{
	return slow_call("fdatasync", fd);
}
