/* lock - see lock.h. Never F_SETLK: it dies with the parent while an old child still writes. */
#include "common/lock.h"
#include "common/clock.h"
#include "common/fdio.h"
#include <errno.h>
#include <fcntl.h>
#include <mom/limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static pid_t
lock_holder(int fd)
{
	char text[24] = "";
	ssize_t n = pread(fd, text, sizeof text - 1, 0);
	return n > 0 ? (pid_t)atoi(text) : 0;
}

static int
is_alive(pid_t pid)
{
	char path[40], text[256];
	if (pid <= 0 || (kill(pid, 0) < 0 && errno == ESRCH))
		return 0;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	fdio_close(&fd);
	text[n > 0 ? n : 0] = '\0';
	char *state = strrchr(text, ')');
	return !(state && (state[2] == 'Z' || state[2] == 'X'));
}

int
lock_take(int dir, const char *name, pid_t *holder)
{
	int fd = fdio_open_at(dir, name, O_RDWR | O_CREAT, 0600);
	int64_t began = clock_ms();
	if (fd < 0)
		return -1;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		*holder = lock_holder(fd);
		if (errno != EWOULDBLOCK && errno != EINTR) {
			close(fd);
			return -1;
		}
		if (is_alive(*holder) || clock_ms() - began > STOP_MS) {
			close(fd);
			return -2;
		}
		usleep(5000);                  /* its parent is dead: the orphans end within moments */
	}
	char text[24];
	int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
	if (fdio_truncate(fd, 0) < 0 || fdio_pwrite_full(fd, text, (size_t)n, 0) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int
lock_is_taken(int dir, const char *name)
{
	errno = 0;
	int fd = fdio_open_at(dir, name, O_RDONLY, 0);
	int taken = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0;       /* shared: two who look do not see each other */
	int keep = errno;
	fdio_close(&fd);
	errno = keep;
	return taken;
}
