/* rundir - see rundir.h */
#include "common/rundir.h"
#include "common/etc.h"
#include "common/fdio.h"
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

void
rundir_roots(char roots[RUNDIR_ROOTS][PATH_MAX])
{
	const char *xdg = secure_getenv("XDG_RUNTIME_DIR");
	roots[0][0] = '\0';
	if (xdg && xdg[0] == '/')
		snprintf(roots[0], PATH_MAX, "%s/mom", xdg);
	snprintf(roots[1], PATH_MAX, "/tmp/mom-%u", (unsigned)geteuid());
	snprintf(roots[2], PATH_MAX, "/run/mom");
}

int
rundir_open(const char *path, const char **why)
{
	struct stat st;
	if (fdio_mkdir_path(path, 0700) < 0) {
		*why = strerror(errno);
		return -1;
	}
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		*why = strerror(errno);
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
rundir_is_trusted(int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return 0;
	return st.st_uid == geteuid() || st.st_uid == 0 || etc_user_id("mom") == (int64_t)st.st_uid;
}
