/* register - see register.h. Run folders: MOM_RUN, else the default roots; only folders of our own user, root or mom
 * are trusted. */
#include "api/register.h"
#include "api/handle.h"
#include "api/settings.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "ipc/about.h"
#include "ipc/rundir.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { DOOR_RETRY_MS = 20, DOOR_WHY = 1000 };

/* What is there instead of a connected socket. Of several places the lowest counts. DOOR_NONE: no daemon is or was
 * there; DOOR_DENIED: not for this user; DOOR_WAITS: it was killed, or is starting; DOOR_LIMIT: this process is at a
 * limit; DOOR_LATE: no answer came in time */
enum { DOOR_NONE = -1, DOOR_DENIED = -2, DOOR_WAITS = -3, DOOR_LIMIT = -4, DOOR_LATE = -5 };

static int
door_error(int error)
{
	if (error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS)
		return DOOR_LIMIT;
	if (error == EACCES)
		return DOOR_DENIED;
	return error == ECONNREFUSED || error == EAGAIN || error == EINTR ? DOOR_WAITS : DOOR_NONE;
}

/* The folder's path may be longer than an address, and what is trusted is the folder that was opened: so the address
 * goes through /proc. Of the thread, since /proc/self shows no descriptors once the first thread has ended. Where there
 * is no /proc (a chroot) the path itself has to do, and whoever listens there has to be the folder's owner. */
static int
door_connect(int fd, int dir, const char *run)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct stat st;
	struct ucred who;
	socklen_t n = sizeof who;
	snprintf(a.sun_path, sizeof a.sun_path, "/proc/thread-self/fd/%d/socket", dir);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
		return 0;
	if (errno != ENOENT || fstatat(dir, "socket", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (snprintf(a.sun_path, sizeof a.sun_path, "%s/socket", run) >= (int)sizeof a.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
		return -1;
	if (fstat(dir, &st) == 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && who.uid == st.st_uid)
		return 0;
	errno = EPERM;
	return -1;
}

/* There is no socket. Does a daemon make one? It has the folder locked, and its predecessor's has another name then. */
static int
door_is_made(int dir)
{
	return faccessat(dir, "socket.old", F_OK, 0) == 0 || (flock(dir, LOCK_SH | LOCK_NB) < 0 &&
	    errno == EWOULDBLOCK);
}

static int
door_is_broker(int dir)
{
	struct about *a = malloc(sizeof *a);           /* too large for a small thread's stack */
	int is = a && about_read(dir, a) == 0 && a->is_broker;
	free(a);
	return is;
}

static void
door_why(const char *run, const char *what, int error, char *why, size_t n)
{
	char denied[DOOR_WHY];
	if (error == EACCES)
		snprintf(why, n, "%s: %s", run, rundir_denied(run, denied, sizeof denied));
	else
		snprintf(why, n, "%s%s: %s", run, what, strerror(error));
}

static int
door_knock(const char *run, int flags, char *why, size_t n)
{
	int dir = open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		int e = errno;
		door_why(run, "", e, why, n);
		return door_error(e);
	}
	if (!rundir_is_trusted(dir)) {
		snprintf(why, n, "%s belongs to another user and is not trusted", run);
		close(dir);
		return DOOR_NONE;
	}
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
	int ok = fd >= 0 && door_connect(fd, dir, run) == 0, error = errno;
	int starts = !ok && error == ENOENT && door_is_made(dir), is_broker = starts && door_is_broker(dir);
	close(dir);
	if (ok) {
		snprintf(why, n, "%s", run);
		return fd;
	}
	fdio_close(&fd);
	if (is_broker) {
		snprintf(why, n, "%s is the run folder of a broker: name that of a mom_daemon", run);
		return DOOR_NONE;
	}
	if (error == ENAMETOOLONG)
		snprintf(why, n, "there is no /proc here, and without it a path is too long for a socket: mount /proc, "
		    "or take a shorter run folder: %s", run);
	else
		door_why(run, "/socket", error, why, n);
	return starts ? DOOR_WAITS : door_error(error);
}

/* flags: SOCK_NONBLOCK where nothing is waited for. why: the daemon's run folder; or each place that was tried, and
 * what was wrong there */
static int
door_find(int flags, char *why, size_t n)
{
	char root[PATH_MAX];
	const char *run = secure_getenv("MOM_RUN");
	int e;
	const struct settings *s = settings_get(&e);       /* read long since */
	if (run && run[0])
		return door_knock(run, flags, why, n);
	if (s && s->run)
		return door_knock(s->run, flags, why, n);
	int best = DOOR_NONE;
	size_t used = 0;
	for (int i = 0; i < RUNDIR_ROOTS; i++) {
		rundir_root(i, root);
		if (root[0] == '\0')
			continue;
		snprintf(why + used, n - used, "%s", used ? "; " : "");
		used += strlen(why + used);
		int fd = door_knock(root, flags, why + used, n - used);
		if (fd >= 0) {
			memmove(why, why + used, strlen(why + used) + 1);
			return fd;
		}
		used += strlen(why + used);
		best = fd < best ? fd : best;
	}
	return best;
}

static int
door_ask(int fd, const struct registration *ask, struct registered *answer, int64_t deadline)
{
	struct pollfd p = { fd, POLLIN, 0 };
	/* closed already: it may have left an answer */
	if (send(fd, ask, sizeof *ask, MSG_NOSIGNAL) != sizeof *ask)
		return recv(fd, answer, sizeof *answer, MSG_DONTWAIT) == sizeof *answer ? 0 : -1;
	for (;;) {
		int64_t left = deadline - clock_ms();
		int r = left > 0 ? poll(&p, 1, (int)left) : 0;
		if (r == 0)
			return DOOR_LATE;
		if (r < 0 && errno == EINTR)
			continue;
		return recv(fd, answer, sizeof *answer, 0) == sizeof *answer ? 0 : -1;
	}
}

static void
door_say_who(const struct handle *h, struct registration *ask)
{
	*ask = (struct registration){ .magic = MAGIC_CLIENT, .layout = IPC_LAYOUT };
	memcpy(ask->nonce, h->nonce, sizeof ask->nonce);
	memcpy(ask->name, h->name, sizeof ask->name);
}

static void
door_keep(struct handle *h, int fd)
{
	struct stat st;
	h->socket = fd;
	h->socket_inode = fstat(fd, &st) == 0 ? st.st_ino : 0;
}

int
door_again(struct handle *h)
{
	struct registration ask;
	char why[DOOR_WHY];
	int fd = door_find(SOCK_NONBLOCK, why, sizeof why);
	door_say_who(h, &ask);
	ask.again = 1;
	if (fd >= 0 && send(fd, &ask, sizeof ask, MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof ask)
		fdio_close(&fd);
	if (fd < 0)
		return -1;
	door_keep(h, fd);
	return 0;
}

void
door_trouble(char *text, size_t n)
{
	char why[DOOR_WHY], path[DOOR_WHY + 16];
	int door = door_find(SOCK_NONBLOCK, why, sizeof why);
	snprintf(path, sizeof path, "%s/trouble", why);
	int fd = door < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int used = snprintf(text, n, " (");
	ssize_t r = fd < 0 ? -1 : fdio_read(fd, text + used, n - (size_t)used - 2);
	snprintf(text + (r > 0 ? used + r : 0), 2, "%s", r > 0 ? ")" : "");
	fdio_close(&fd);
	fdio_close(&door);
}

int
door_register(const char *name, int64_t deadline, struct registered *answer, struct handle *h)
{
	struct registration ask;
	char why[DOOR_WHY] = "", trouble[400];
	if (fdio_random(h->nonce, sizeof h->nonce) < 0)
		return handle_fail(NULL, MOM_ELIMIT, "getrandom: %s", strerror(errno));
	snprintf(h->name, sizeof h->name, "%s", name ? name : "");
	door_say_who(h, &ask);
	for (;;) {
		/* else a daemon that stands still would hold us beyond the deadline */
		int fd = door_find(SOCK_NONBLOCK, why, sizeof why), r = -1;
		if (fd == DOOR_DENIED)
			return handle_fail(NULL, MOM_ENODAEMON, "%.950s", why);
		if (fd == DOOR_NONE)
			return handle_fail(NULL, MOM_ENODAEMON, "no mom_daemon runs here (%.700s): start one, or set "
			    "MOM_RUN to its run folder", why);
		if (fd == DOOR_LIMIT)
			return handle_fail(NULL, MOM_ELIMIT, "%.700s: close files of this program, or raise `ulimit "
			    "-n`", why);
		if (fd >= 0 && (r = door_ask(fd, &ask, answer, deadline)) == 0) {
			door_keep(h, fd);
			answer->text[sizeof answer->text - 1] = '\0';
			return 0;
		}
		if (fd >= 0)
			close(fd);
		if (r == DOOR_LATE) {
			door_trouble(trouble, sizeof trouble);
			return handle_fail(NULL, MOM_ETIMEDOUT, "the daemon gave no answer in time: it has not reached "
			    "its broker yet, or stands still%s; see mom doctor and the daemon's log: no "
			    "client was made, and nothing was published", trouble);
		}
		if (clock_ms() >= deadline)
			return handle_fail(NULL, MOM_ETIMEDOUT, "the daemon was killed, is starting or stands still "
			    "(%.700s): it did not come in time: no client was made, and nothing was published", why);
		usleep(DOOR_RETRY_MS * 1000);
	}
}

int
door_is_ours(const struct handle *h)
{
	struct stat st;
	return h->socket >= 0 && fstat(h->socket, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ino == h->socket_inode;
}

int
door_lives(struct handle *h)
{
	struct registered answer;
	if (!door_is_ours(h))
		return 0;
	ssize_t n = recv(h->socket, &answer, sizeof answer, MSG_PEEK | MSG_DONTWAIT);
	if (n == sizeof answer && recv(h->socket, &answer, sizeof answer, MSG_DONTWAIT) == sizeof answer)
		h->unknown |= answer.code == MOM_EBADID;
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

void
door_close(struct handle *h)
{
	if (door_is_ours(h))
		close(h->socket);
	h->socket = -1;
}
