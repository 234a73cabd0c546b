/* process - what /proc shows of a process: when it started, whether it has a segment (an exec keeps pid and start
 * time); a part of mom_daemon */
#include "daemon/daemon.h"
#include "base/fdio.h"
#include "base/proc.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

/* A line of /proc/PID/maps that shows a System V segment ends in `DEV INODE /SYSV...`, and the inode is the segment's
 * id. */
static int
line_shows(const char *line, int shm)
{
	unsigned long inode;
	const char *name = strstr(line, "/SYSV");
	return name && sscanf(line, "%*s %*s %*s %*s %lu", &inode) == 1 && inode == (unsigned long)shm;
}

unsigned long long
process_started(pid_t pid)
{
	char text[1024];
	unsigned long long started = 0;
	const char *p = proc_stat(pid, text, sizeof text, NULL);
	for (int field = 3; p && field < 22; field++)
		p = (p = strchr(p, ' ')) ? p + 1 : NULL;
	return p && sscanf(p, "%llu", &started) == 1 ? started : 0;
}

int
process_has_segment(pid_t pid, int shm)
{
	char path[40], text[8192];
	size_t have = 0;
	snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC), found = 0, any = 0;
	for (ssize_t n; fd >= 0 && !found && (n = fdio_read(fd, text + have, sizeof text - 1 - have)) > 0; any = 1) {
		char *line = text, *end;
		text[have += (size_t)n] = '\0';
		for (; !found && (end = strchr(line, '\n')) != NULL; line = end + 1) {
			*end = '\0';
			found = line_shows(line, shm);
		}
		have = (size_t)(text + have - line);
		memmove(text, line, have);
		if (have == sizeof text - 1)
			have = 0;                      /* no line is that long */
	}
	fdio_close(&fd);
	return any ? found : -1;
}
