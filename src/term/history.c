/* history - see history.h. The file is text, a line a line, oldest first. It is read again before it is written, under
 * a lock of its folder, so that sessions at the same time lose nothing of one another. */
#include "term/history.h"
#include "base/fdio.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { FILE_MAX = HISTORY_LINES * (HISTORY_LINE_MAX + 1) };

static void
add_line(struct history *h, const char *line, size_t len)
{
	const char *last = h->n > 0 ? h->lines[h->n - 1] : "";
	if (len == 0 || line[0] == ' ' || (strlen(last) == len && memcmp(last, line, len) == 0))
		return;
	char *copy = strndup(line, len);
	if (copy == NULL)
		return;
	if (h->n == HISTORY_LINES) {
		free(h->lines[0]);
		memmove(h->lines, h->lines + 1, --h->n * sizeof *h->lines);
	}
	h->lines[h->n++] = copy;
	h->fresh += h->fresh < HISTORY_LINES;
}

void
history_add(struct history *h, const char *line)
{
	for (size_t len; *line; line += len + (line[len] == '\n')) {
		len = strcspn(line, "\n");
		add_line(h, line, len);
	}
}

/* ---- the file ---- */

char *
history_path(void)
{
	const char *own = getenv("MOM_HISTORY"), *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *path = NULL;
	int n = 0;
	if (own)
		return *own ? strdup(own) : NULL;
	if (state && *state == '/')
		n = asprintf(&path, "%s/mom/history", state);
	else if (home && *home == '/')
		n = asprintf(&path, "%s/.local/state/mom/history", home);
	return n < 0 ? NULL : path;
}

/* Opens the folder of h->path, and makes it if asked to; *name is the file's name in it. -1: errno. */
static int
open_folder(const struct history *h, int make, const char **name)
{
	char *slash = strrchr(h->path, '/'), *folder = slash ? strndup(h->path, (size_t)(slash + 1 - h->path))
	    : strdup(".");
	if (folder == NULL)
		return -1;
	*name = slash ? slash + 1 : h->path;
	int dir = make && access(folder, F_OK) < 0 && fdio_mkdir_path(folder, 0700) < 0 ? -1
	    : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), keep = errno;
	free(folder);
	errno = keep;
	return dir;
}

static int
load(int dir, const char *name, struct history *to)
{
	size_t n;
	char *bytes = fdio_load(dir, name, &n, FILE_MAX);
	if (bytes == NULL)
		return errno == ENOENT ? 0 : -1;
	history_add(to, bytes);
	free(bytes);
	return 0;
}

int
history_open(struct history *h, const char *path)
{
	const char *name;
	char *real = realpath(path, NULL);                       /* a link stays one: what it leads to is replaced */
	struct history next = { .path = real ? real : strdup(path) };
	int dir = next.path ? open_folder(&next, 0, &name) : -1;
	int r = dir < 0 ? (errno == ENOENT ? 0 : -1) : load(dir, name, &next), keep = errno;
	fdio_close(&dir);
	for (size_t i = 0; i < h->n && r == 0; i++)
		history_add(&next, h->lines[i]);
	next.fresh = 0;
	history_free(r == 0 ? h : &next);
	if (r == 0)
		*h = next;
	errno = keep;
	return r;
}

/* Waits a little, since a session that was stopped inside may hold the lock for ever; on a file system without locks
 * not at all. Then it is done without: at worst a line of another session is lost. */
static void
lock_folder(int dir)
{
	for (int i = 0; i < 100 && flock(dir, LOCK_EX | LOCK_NB) < 0 && (errno == EWOULDBLOCK || errno == EINTR); i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static int
write_lines(int dir, const char *name, const struct history *all)
{
	size_t n = 0;
	for (size_t i = 0; i < all->n; i++)
		n += strlen(all->lines[i]) + 1;
	char *bytes = malloc(n + 1), *p = bytes;
	if (bytes == NULL)
		return -1;
	for (size_t i = 0; i < all->n; i++)
		p = stpcpy(stpcpy(p, all->lines[i]), "\n");
	int r = fdio_replace(dir, name, bytes, n, 0);
	free(bytes);
	return r;
}

int
history_save(struct history *h)
{
	const char *name;
	struct history all = { 0 };
	int dir = h->path && h->fresh > 0 ? open_folder(h, 1, &name) : -1;
	if (dir < 0)
		return h->path && h->fresh > 0 ? -1 : 0;
	lock_folder(dir);
	int r = load(dir, name, &all);
	for (size_t i = h->n - h->fresh; i < h->n && r == 0; i++)
		if (strlen(h->lines[i]) <= HISTORY_LINE_MAX)
			history_add(&all, h->lines[i]);
	if (r == 0 && (r = write_lines(dir, name, &all)) == 0)
		h->fresh = 0;
	int keep = errno;
	fdio_close(&dir);
	history_free(&all);
	errno = keep;
	return r;
}

void
history_free(struct history *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->lines[i]);
	free(h->path);
	memset(h, 0, sizeof *h);
}
