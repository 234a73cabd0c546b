/* hold_log - LD_PRELOAD: whoever opens a segment of a log makes the file HOLD_LOG.waits and goes on once HOLD_LOG.go is
 * there */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
openat(int dir, const char *name, int flags, ...)
{
	int (*real)(int, const char *, int, ...) = (int (*)(int, const char *, int, ...))(size_t)dlsym(RTLD_NEXT,
	    "openat");
	va_list ap;
	va_start(ap, flags);
	int mode = flags & O_CREAT ? va_arg(ap, int) : 0;
	va_end(ap);
	const char *hold = getenv("HOLD_LOG");
	char path[4096];
	if (hold && strncmp(name, "log-", 4) == 0) {
		snprintf(path, sizeof path, "%s.waits", hold);
		close(real(AT_FDCWD, path, O_WRONLY | O_CREAT, 0600));
		snprintf(path, sizeof path, "%s.go", hold);
		while (access(path, F_OK) < 0)
			usleep(1000);
	}
	return real(dir, name, flags, mode);
}
