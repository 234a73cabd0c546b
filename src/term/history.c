/* history - see history.h. The file is text, a line a line, oldest first. Sessions at the same time add to its end, so
 * they lose nothing of one another. */
#include "term/history.h"
#include "base/fdio.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
add_line(struct history *h, const char *line, size_t len)
{
	const char *last = h->n > 0 ? h->lines[h->n - 1] : "";
	char *copy = len > 0 && len <= HISTORY_LINE_MAX && line[0] != ' ' ? strndup(line, len) : NULL;
	if (copy == NULL || strcmp(copy, last) == 0) {
		free(copy);
		return;
	}
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

char *
history_path(void)
{
	const char *own = getenv("MOM_HISTORY"), *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int has_state = state && *state == '/', has_home = home && *home == '/';
	char *path;
	if (own)
		return *own ? strdup(own) : NULL;
	if ((!has_state && !has_home) || asprintf(&path, "%s%s/mom/history", has_state ? state : home,
	    has_state ? "" : "/.local/state") < 0)
		return NULL;
	return path;
}

/* how: O_APPEND or O_TRUNC */
static int
write_lines(const struct history *h, const char *path, int how, size_t from)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | how, 0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "a");
	for (size_t i = from; f && i < h->n; i++)
		fprintf(f, "%s\n", h->lines[i]);
	if (f == NULL)
		fdio_close(&fd);
	int bad = f == NULL || ferror(f);
	return f && fclose(f) == 0 && !bad ? 0 : -1;
}

/* It is whole at any time. A line that another session adds just now may be lost. */
static int
cut_file(const struct history *h)
{
	char *fresh;
	if (asprintf(&fresh, "%s.%d", h->path, (int)getpid()) < 0)
		return -1;
	int r = write_lines(h, fresh, O_TRUNC, 0) < 0 ? -1 : rename(fresh, h->path), keep = errno;
	if (r < 0)
		unlink(fresh);
	free(fresh);
	errno = keep;
	return r;
}

int
history_open(struct history *h, const char *path)
{
	char *line = NULL;
	size_t room = 0, count = 0;
	FILE *f = fopen(path, "re");
	for (; f && getline(&line, &room, f) > 0; count++)
		history_add(h, line);
	int r = f ? ferror(f) : errno != ENOENT, keep = errno;
	free(line);
	if (f)
		fclose(f);
	h->path = r ? NULL : strdup(path);
	h->fresh = 0;
	if (r == 0 && count > HISTORY_FILE_LINES)
		return cut_file(h);
	errno = keep;
	return r ? -1 : 0;
}

int
history_save(struct history *h)
{
	if (h->path == NULL || h->fresh == 0)
		return 0;
	char *copy = strdup(h->path);
	int r = copy && fdio_mkdir_path(dirname(copy), 0700) == 0
	    ? write_lines(h, h->path, O_APPEND, h->n - h->fresh) : -1;
	free(copy);
	h->fresh = r < 0 ? h->fresh : 0;
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
