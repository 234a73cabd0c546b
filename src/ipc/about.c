/* about - see about.h */
#include "ipc/about.h"
#include "base/fdio.h"
#include "base/sealed.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ABOUT_MOST = 3 * PATH_MAX };

void
about_folder(int dir, char path[PATH_MAX])
{
	char link[40];
	snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
	ssize_t n = readlink(link, path, PATH_MAX - 1);
	path[n > 0 ? n : 0] = '\0';
}

int
about_write(int dir, const struct about *a)
{
	char text[ABOUT_MOST];
	int n = snprintf(text, sizeof text, "kind %s\npid %d\nrun %s\nfiles %s\naddress %s\n",
	    a->is_broker ? "broker" : "daemon", (int)a->pid, a->run, a->files, a->address);
	if (n < 0 || (size_t)n >= sizeof text - SEAL_BYTES) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return sealed_save(dir, "about", text, (size_t)n, 0);
}

static void
about_line(struct about *a, const char *line)
{
	const char *value = strchr(line, ' ');
	if (value == NULL)
		return;
	size_t key = (size_t)(value++ - line);
	if (key == 4 && memcmp(line, "kind", 4) == 0)
		a->is_broker = strcmp(value, "broker") == 0;
	else if (key == 3 && memcmp(line, "pid", 3) == 0)
		a->pid = (pid_t)strtol(value, NULL, 10);
	else if (key == 3 && memcmp(line, "run", 3) == 0)
		snprintf(a->run, sizeof a->run, "%s", value);
	else if (key == 5 && memcmp(line, "files", 5) == 0)
		snprintf(a->files, sizeof a->files, "%s", value);
	else if (key == 7 && memcmp(line, "address", 7) == 0)
		snprintf(a->address, sizeof a->address, "%s", value);
}

int
about_read(int dir, struct about *a)
{
	size_t n;
	char *text = fdio_load(dir, "about", &n, ABOUT_MOST), *rest = NULL;
	*a = (struct about){ 0 };
	if (text == NULL)
		return -1;
	if (sealed_look(text, &n) < 0) {
		free(text);
		errno = EBADMSG;
		return -1;
	}
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		about_line(a, line);
	free(text);
	return a->pid > 0 && a->run[0] && a->files[0] ? 0 : -1;
}

void
about_remove(int dir)
{
	fdio_unlink_at(dir, "about");
}
