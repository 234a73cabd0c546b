/* lock - see lock.h. Never F_SETLK: it dies with the parent while an old child still writes. */
#include "base/lock.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/proc.h"
#include <errno.h>
#include <fcntl.h>
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
	char text[256];
	if (pid <= 0 || (kill(pid, 0) < 0 && errno == ESRCH))
		return 0;
	const char *state = proc_stat(pid, text, sizeof text, NULL);
	return !(state && (*state == 'Z' || *state == 'X'));
}

static int
lock_sign(int fd)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
	return fdio_truncate(fd, 0) < 0 ? -1 : fdio_pwrite_full(fd, text, (size_t)n, 0);
}

/* Who cleans old files passes over a folder that is locked, and over all below. Nothing else depends on it: a folder
 * that others may read they may lock, too. So it is waited for, since the last writers are about to end, but not
 * long. */
static void
lock_folder(int dir, int patience_ms)
{
	for (int64_t until = clock_ms() + patience_ms; flock(dir, LOCK_EX | LOCK_NB) < 0;) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || clock_ms() >= until)
			return;
		usleep(5000);
	}
}

/* The file under that name, locked; or as lock_take */
static int
lock_file(int dir, const char *name, pid_t *holder, int patience_ms)
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
		if (is_alive(*holder) || clock_ms() - began >= patience_ms) {
			close(fd);
			return -2;
		}
		usleep(5000);                  /* its parent is dead: the orphans end within moments */
	}
	return fd;
}

const char *
lock_holder_text(pid_t holder, char text[LOCK_HOLDER])
{
	char stat[256], name[16] = "";
	int known = proc_stat(holder, stat, sizeof stat, name) != NULL;
	snprintf(text, LOCK_HOLDER, "%s pid %d", known ? name : "a process,", (int)holder);
	return text;
}

int
lock_take(int dir, const char *name, pid_t *holder, int patience_ms)
{
	int fd;
	while ((fd = lock_file(dir, name, holder, patience_ms)) >= 0 && !fdio_leads_to(dir, name, fd))
		close(fd);                     /* who had it removed it when it ended */
	if (fd >= 0 && lock_sign(fd) < 0)
		fdio_close(&fd);
	if (fd >= 0)
		lock_folder(dir, patience_ms);
	return fd;
}

int
lock_renew(int dir, const char *name, int fd)
{
	pid_t holder;
	int flags = fcntl(fd, F_GETFD), fresh = lock_take(dir, name, &holder, 0);
	int bad = flags < 0 || fresh < 0 || dup3(fresh, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0) < 0, keep = errno;
	if (fresh >= 0)
		close(fresh);
	errno = fresh == -2 ? EBUSY : keep;
	return bad ? -1 : 1;
}

int
lock_look(int dir, const char *name, int fd)
{
	lock_folder(dir, 0);
	return fdio_leads_to(dir, name, fd) ? 0 : lock_renew(dir, name, fd);
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
