/* proc - see proc.h */
#include "base/proc.h"
#include "base/fdio.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

ssize_t
proc_read(pid_t pid, const char *file, char *text, size_t room)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	int fd = pid > 0 ? fdio_open_at(AT_FDCWD, path, O_RDONLY, 0) : -1;
	ssize_t n = fd < 0 ? -1 : fdio_read(fd, text, room - 1);
	fdio_close(&fd);
	text[n > 0 ? n : 0] = '\0';
	return n;
}

int
proc_command(pid_t pid, char *text, size_t room)
{
	ssize_t n = proc_read(pid, "cmdline", text, room);
	while (n > 0 && text[n - 1] == '\0')
		n--;
	for (ssize_t i = 0; i < n; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	return n > 0 ? 0 : -1;
}

int64_t
proc_since(pid_t pid)
{
	struct stat st;
	char path[40];
	snprintf(path, sizeof path, "/proc/%d", (int)pid);
	return pid > 0 && stat(path, &st) == 0 ? (int64_t)st.st_mtime : 0;
}

int
proc_is_stopped(pid_t pid, const char *name)
{
	char text[512], its[16];
	const char *state = pid > 0 ? proc_stat(pid, text, sizeof text, its) : NULL;
	return state && (*state == 'T' || *state == 't') && (name == NULL || strncmp(its, name, sizeof its - 1) == 0);
}

const char *
proc_stat(pid_t pid, char *text, size_t room, char name[16])
{
	ssize_t n = proc_read(pid, "stat", text, room);
	/* PID (NAME) STATE ... */
	const char *begin = n > 0 ? strchr(text, '(') : NULL, *end = begin ? strrchr(begin, ')') : NULL;
	if (end == NULL || end[1] != ' ')
		return NULL;
	if (name)
		snprintf(name, 16, "%.*s", (int)(end - begin - 1), begin + 1);
	return end + 2;
}
