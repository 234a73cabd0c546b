/* rundir - see rundir.h */
#include "ipc/rundir.h"
#include "base/etc.h"
#include "base/fdio.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
rundir_default(char *path, size_t n)
{
	const char *xdg = secure_getenv("XDG_RUNTIME_DIR");
	if (geteuid() == 0)
		snprintf(path, n, "/run/mom");
	else if (xdg && xdg[0] == '/')
		snprintf(path, n, "%s/mom", xdg);
	else
		snprintf(path, n, "/tmp/mom-%u", (unsigned)geteuid());
}

int
rundir_spool(char *path, size_t n)
{
	const char *state = secure_getenv("XDG_STATE_HOME"), *home = secure_getenv("HOME");
	int len = -1;
	if (geteuid() == 0)
		len = snprintf(path, n, "/var/spool/mom");
	else if (state && state[0] == '/')
		len = snprintf(path, n, "%s/mom/spool", state);
	else if (home && home[0] == '/')
		len = snprintf(path, n, "%s/.local/state/mom/spool", home);
	return len < 0 || (size_t)len >= n ? -1 : 0;
}

void
rundir_root(int i, char path[PATH_MAX])
{
	const char *xdg = secure_getenv("XDG_RUNTIME_DIR");
	char login[40];
	snprintf(login, sizeof login, "/run/user/%u", (unsigned)geteuid());
	path[0] = '\0';
	if (i == 0 && xdg && xdg[0] == '/')
		snprintf(path, PATH_MAX, "%s/mom", xdg);
	else if (i == 1 && !(xdg && strcmp(xdg, login) == 0))
		snprintf(path, PATH_MAX, "%s/mom", login);
	else if (i == 2)
		snprintf(path, PATH_MAX, "/tmp/mom-%u", (unsigned)geteuid());
	else if (i == 3)
		snprintf(path, PATH_MAX, "/run/mom");
}

/* What went wrong, and what helps */
static const char *
fault_of(int error)
{
	static char text[200];
	snprintf(text, sizeof text, "%s: %s", strerror(error), error == ENOENT ? "make the folder above it" :
	    fdio_hint(error));
	return text;
}

int
rundir_open(const char *path, const char **why)
{
	struct stat st;
	int fd = -1;
	for (int tries = 0; tries < 3 && fd < 0; tries++) {    /* a server that stops just then removes an empty one */
		if (fdio_mkdir_path(path, 0700) < 0) {
			*why = fault_of(errno);
			return -1;
		}
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && errno != ENOENT)
			break;
	}
	if (fd < 0 || fstat(fd, &st) < 0) {
		*why = fault_of(errno);
		fdio_close(&fd);
		return -1;
	}
	if (st.st_uid != geteuid() || (st.st_mode & 022)) {
		*why = st.st_uid != geteuid() ? "it belongs to another user; name a folder of your own" :
		    "others may write to it; run chmod go-w on it";
		close(fd);
		return -1;
	}
	return fd;
}

int
rundir_open_given(const char *path, const char **why)
{
	static char text[PATH_MAX + 100];
	char parent[PATH_MAX];
	struct stat st;
	snprintf(parent, sizeof parent, "%s", path);
	for (size_t n = strlen(parent); n > 1 && parent[n - 1] == '/'; n--)
		parent[n - 1] = '\0';
	char *slash = strrchr(parent, '/');
	if (slash > parent)
		*slash = '\0';
	if (slash > parent && stat(parent, &st) < 0 && errno == ENOENT) {
		snprintf(text, sizeof text, "there is no folder %s: make it, or name another", parent);
		*why = text;
		return -1;
	}
	return rundir_open(path, why);
}

/* The kernel's list of sockets is everybody's to read. */
static int
is_served(const char *path)
{
	char *list = etc_load("", "/proc/net/unix"), wanted[PATH_MAX + 16];
	snprintf(wanted, sizeof wanted, " %s/socket\n", path);
	int is = list && strstr(list, wanted) != NULL;
	free(list);
	return is;
}

const char *
rundir_denied(const char *path, char *text, size_t n)
{
	char owner[ETC_NAME], group[ETC_NAME], us[ETC_NAME];
	struct stat st;
	if (stat(path, &st) < 0) {
		snprintf(text, n, "%s: a folder above it may not be entered", strerror(errno));
		return text;
	}
	int used = snprintf(text, n, "%sthe user %s may not use it: it is for the user %s",
	    is_served(path) ? "a mom_daemon runs here, and " : "", etc_user_name(geteuid(), us),
	    etc_user_name(st.st_uid, owner));
	size_t at = (size_t)used < n ? (size_t)used : n - 1;
	if (st.st_mode & S_IXGRP)
		snprintf(text + at, n - at, " and for members of the group %s; become one (as root: usermod -aG %s %s)"
		    " and log in again", etc_group_name(st.st_gid, group), group, us);
	else
		snprintf(text + at, n - at, " alone; to share it, make a group mom (as root: groupadd mom; usermod -aG "
		    "mom %s), start the daemon again, and log in again", us);
	return text;
}

int
rundir_is_trusted(int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return 0;
	return st.st_uid == geteuid() || st.st_uid == 0 || etc_user_id("mom") == (int64_t)st.st_uid;
}
