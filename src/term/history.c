/* history - see history.h. The file is text, a line a line, oldest first. It is read again before it is written, under
 * a lock of its folder, so that sessions at the same time lose nothing of one another. */
#include "term/history.h"
#include "base/fdio.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { FILE_MAX = HISTORY_LINES * (HISTORY_LINE_MAX + 1) };

static int
append(char ***lines, size_t *n, size_t *room, const char *line, size_t len)
{
	if (*n == *room) {
		size_t more = *room ? 2 * *room : 64;
		char **bigger = realloc(*lines, more * sizeof *bigger);
		if (bigger == NULL)
			return -1;
		*lines = bigger;
		*room = more;
	}
	char *copy = strndup(line, len);
	if (copy == NULL)
		return -1;
	(*lines)[(*n)++] = copy;
	return 0;
}

static void
drop_first(char **lines, size_t *n, size_t count)
{
	if (count == 0)
		return;
	for (size_t i = 0; i < count; i++)
		free(lines[i]);
	memmove(lines, lines + count, (*n - count) * sizeof *lines);
	*n -= count;
}

static int
is_kept(const struct history *h, const char *line, size_t len)
{
	if (len == 0 || line[0] == ' ')
		return 0;
	return h->n == 0 || strlen(h->lines[h->n - 1]) != len || memcmp(h->lines[h->n - 1], line, len) != 0;
}

static void
add_line(struct history *h, const char *line, size_t len)
{
	if (!is_kept(h, line, len) || append(&h->lines, &h->n, &h->room, line, len) < 0)
		return;
	if (h->n > HISTORY_LINES)
		drop_first(h->lines, &h->n, 1);
	if (h->path && len <= HISTORY_LINE_MAX)
		append(&h->fresh, &h->fresh_n, &h->fresh_room, line, len);
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

/* what is read from the file: its lines in order */
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

/* the folder of a path, opened, and the name in it; made where it is not there yet */
static int
open_folder(const char *path, int make, char *name)
{
	char copy[PATH_MAX], again[PATH_MAX];
	if (strlen(path) >= sizeof copy) {
		errno = ENAMETOOLONG;
		return -1;
	}
	const char *folder = dirname(strcpy(copy, path)), *last = basename(strcpy(again, path));
	if (strlen(last) > NAME_MAX - 4) {                       /* its temporary name is .new longer */
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(name, last);
	if (make && access(folder, F_OK) < 0 && fdio_mkdir_path(folder, 0700) < 0)
		return -1;
	size_t n = strlen(folder);
	if (n + 3 > sizeof again) {
		errno = ENAMETOOLONG;
		return -1;
	}
	stpcpy(mempcpy(again, folder, n), "/.");                 /* so that the folder may be a link */
	return fdio_open_at(AT_FDCWD, again, O_RDONLY | O_DIRECTORY, 0);
}

/* Waits a little, since a session that was stopped inside may hold the lock for ever; on a file system without locks
 * not at all. Then it is done without: at worst a line of another session is lost. */
static void
lock_folder(int dir)
{
	for (int i = 0; i < 100 && flock(dir, LOCK_EX | LOCK_NB) < 0 && (errno == EWOULDBLOCK || errno == EINTR); i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

int
history_open(struct history *h, const char *path)
{
	char name[NAME_MAX + 1], *real = realpath(path, NULL);     /* a link stays one: what it leads to is replaced */
	struct history old = { 0 };
	h->path = real ? real : strdup(path);
	int dir = h->path ? open_folder(h->path, 0, name) : -1, r = dir < 0 ? (errno == ENOENT ? 0 : -1)
	    : load(dir, name, &old), keep = errno;
	fdio_close(&dir);
	for (size_t i = 0; i < h->n && r == 0; i++)
		add_line(&old, h->lines[i], strlen(h->lines[i]));
	if (r < 0) {
		history_free(&old);
		free(h->path);
		h->path = NULL;
		errno = keep;
		return -1;
	}
	for (size_t i = 0; i < h->n; i++)
		free(h->lines[i]);
	free(h->lines);
	h->lines = old.lines;
	h->n = old.n;
	h->room = old.room;
	return 0;
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
	char name[NAME_MAX + 1];
	struct history all = { 0 };
	if (h->path == NULL || h->fresh_n == 0)
		return 0;
	int dir = open_folder(h->path, 1, name);
	if (dir < 0)
		return -1;
	lock_folder(dir);
	int r = load(dir, name, &all);
	for (size_t i = 0; i < h->fresh_n && r == 0; i++)
		history_add(&all, h->fresh[i]);
	if (r == 0)
		r = write_lines(dir, name, &all);
	int keep = errno;
	fdio_close(&dir);
	history_free(&all);
	if (r == 0)
		drop_first(h->fresh, &h->fresh_n, h->fresh_n);
	errno = keep;
	return r;
}

void
history_free(struct history *h)
{
	drop_first(h->lines, &h->n, h->n);
	drop_first(h->fresh, &h->fresh_n, h->fresh_n);
	free(h->lines);
	free(h->fresh);
	free(h->path);
	*h = (struct history){ 0 };
}
