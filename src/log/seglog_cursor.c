/* seglog_cursor - reading a log while another process writes it; see seglog.h */
#include "base/fdio.h"
#include "log/seglog_inner.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int
by_base(const void *a, const void *b)
{
	const struct seglog_file *x = a, *y = b;
	return x->base < y->base ? -1 : x->base > y->base;
}

int
seglog_list(int dir, struct seglog_file **files, size_t *count)
{
	int fd = fdio_open_at(dir, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	size_t room = 0;
	*files = NULL;
	*count = 0;
	if (d == NULL) {
		int keep = errno;
		fdio_close(&fd);
		errno = keep;
		return -1;
	}
	for (struct dirent *e; errno = 0, (e = readdir(d)) != NULL;) {
		unsigned long long base;
		char name[32];
		if (sscanf(e->d_name, "log-%16llx", &base) != 1)
			continue;
		seglog_name(name, base);
		if (strcmp(name, e->d_name) != 0)
			continue;
		if (*count == room) {
			struct seglog_file *grown = realloc(*files, (room = room ? room * 2 : 16) * sizeof *grown);
			if (grown == NULL) {
				errno = ENOMEM;
				break;
			}
			*files = grown;
		}
		(*files)[(*count)++] = (struct seglog_file){ .base = base };
	}
	int error = errno;                             /* a folder that cannot be read is not an empty one */
	closedir(d);
	if (error) {
		free(*files);
		*files = NULL;
		*count = 0;
		errno = error;
		return -1;
	}
	if (*count)
		qsort(*files, *count, sizeof **files, by_base);
	return 0;
}

/* Where the first record at or above c->at stands in a packed segment: they are small, so it is looked for from the
 * start. */
static int
cursor_find(struct seglog_cursor *c)
{
	struct seglog_reader *r = &c->file;
	char p[RECORD_HEADER];
	for (r->pos = SEGLOG_HEADER;; r->pos += record_stride(get_u32(p))) {
		ssize_t n = fdio_pread_full(r->fd, p, sizeof p, r->pos);
		if (n < 0)
			return -1;
		if (n < (ssize_t)sizeof p || get_u32(p) < RECORD_HEADER || get_u32(p) > SEGLOG_RECORD_LIMIT ||
		    get_u64(p + 16) >= r->at || p[9] == REC_END)
			return 0;
		if (p[9] == REC_GAP && get_u64(p + 48) > r->at) {
			r->at = get_u64(p + 16);
			return 0;
		}
	}
}

/* The file that holds offset `at`: the last that begins at or below it, else the first. 0: there is none; -1: errno */
static int
cursor_file(int dir, uint64_t at, uint64_t *base)
{
	struct seglog_file *files;
	size_t count, i;
	if (seglog_list(dir, &files, &count) < 0)
		return -1;
	for (i = count; i > 1 && files[i - 1].base > at; i--)
		;
	*base = count ? files[i - 1].base : 0;
	free(files);
	return count > 0;
}

int
seglog_seek(struct seglog_cursor *c, int dir, uint64_t at)
{
	*c = (struct seglog_cursor){ .dir = dir, .file = { .fd = -1, .at = at } };
	for (int tries = 0; tries < 100; tries++) {     /* a file may be pruned between the listing and the opening */
		uint64_t base;
		int found = cursor_file(dir, at, &base);
		if (found < 0)
			return -1;
		if (found == 0)
			break;
		int bad = seglog_reader_open(&c->file, dir, base, O_RDONLY);
		if (bad && (errno == ENOENT || errno == ESTALE))
			continue;
		if (bad) {
			errno = errno == ENOTSUP ? EBADMSG : errno;
			return -1;
		}
		if (at > base) {
			c->file.at = at;
			c->file.pos = at - base + SEGLOG_HEADER;
		}
		if (c->file.head.packed && cursor_find(c) < 0) {
			seglog_leave(c);
			return -1;
		}
		return at < base;
	}
	errno = ENOENT;
	return -1;
}

void
seglog_leave(struct seglog_cursor *c)
{
	seglog_reader_close(&c->file);
}

void
seglog_unread(struct seglog_cursor *c, uint64_t at, size_t bytes)
{
	c->file.pos -= bytes;
	c->file.at = at;
}

/* Whole sound records from the cursor's place on. An END counts only where it is the first: then it is followed. */
static size_t
cursor_take(struct seglog_reader *r, const char *bytes, size_t n)
{
	size_t q = 0;
	for (uint32_t stride; n - q >= RECORD_HEADER && (q == 0 || bytes[q + 9] != REC_END) &&
	    (stride = seglog_reader_step(r, bytes + q, n - q)) > 0 && r->end == 0;)
		q += stride;
	return q;
}

/* A place inside a segment that a restart cut short: it has its END, below. A file without one has lost what was behind
 * it. */
static int
cursor_is_behind_end(const struct seglog_reader *r)
{
	char p[RECORD_HEADER];
	struct stat st;
	return fstat(r->fd, &st) == 0 && st.st_size >= SEGLOG_HEADER + RECORD_HEADER &&
	    fdio_pread_full(r->fd, p, sizeof p, (uint64_t)st.st_size - sizeof p) == sizeof p && p[9] == REC_END &&
	    get_u32(p) == RECORD_HEADER && get_u64(p + 16) <= r->at &&
	    get_u32(p + 4) == record_crc(p, RECORD_HEADER, r->head.salt);
}

/* The file behind this one, 0: there is none. */
static uint64_t
cursor_next_base(const struct seglog_cursor *c)
{
	struct seglog_file *files;
	size_t count, i;
	if (seglog_list(c->dir, &files, &count) < 0)
		return 0;
	for (i = 0; i < count && files[i].base <= c->file.head.base; i++)
		;
	uint64_t base = i < count ? files[i].base : 0;
	free(files);
	return base;
}

ssize_t
seglog_read(struct seglog_cursor *c, void *bytes, size_t room, uint64_t limit)
{
	struct seglog_reader *r = &c->file;
	while (r->at < limit) {
		size_t n = r->head.packed || limit - r->at >= room ? room : (size_t)(limit - r->at);
		ssize_t got = fdio_pread_full(r->fd, bytes, n, r->pos);
		if (got < 0)
			return -1;
		size_t q = cursor_take(r, bytes, (size_t)got);
		if (q > 0)
			return (ssize_t)q;
		uint64_t end = r->end;
		if (end == 0 && got < (ssize_t)n && got < RECORD_HEADER && cursor_is_behind_end(r))
			end = cursor_next_base(c);
		if (end == 0 && seglog_reader_is_stale(r)) {
			errno = ESTALE;
			return -1;
		}
		/* garbage, or the way leads back: a reader would go round for ever */
		if (end == 0 || end < r->at || (end == r->at && end != cursor_next_base(c))) {
			errno = EBADMSG;
			return -1;
		}
		int dir = c->dir;
		seglog_leave(c);
		if (seglog_seek(c, dir, end) < 0)
			return -1;
		/* the file that END names is gone, those behind it are there */
		if (r->head.base < end && cursor_next_base(c) > end) {
			seglog_leave(c);
			errno = EBADMSG;
			return -1;
		}
	}
	return 0;
}
