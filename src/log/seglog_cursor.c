/* seglog_cursor - reading a log while another process writes it; see seglog.h */
#include "base/fdio.h"
#include "base/crc32c.h"
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

int
seglog_header(int fd, struct seglog_head *head)
{
	unsigned char bytes[SEGLOG_HEADER];
	ssize_t n = fdio_pread_full(fd, bytes, sizeof bytes, 0);
	if (n < 0)
		return -3;
	if (n != sizeof bytes || memcmp(bytes, "MOMLOG1\n", 8) != 0 || get_u32(bytes + 60) != crc32c(0, bytes, 60))
		return -1;
	if (get_u32(bytes + 8) > SEGLOG_VERSION || get_u32(bytes + 12) > 1)
		return -2;
	*head = (struct seglog_head){ get_u64(bytes + 16), get_u64(bytes + 24), get_u32(bytes + 12) == 1,
	    get_u32(bytes + 32) == 1 };
	return 0;
}

int
seglog_is_sound(const char *p, size_t n, uint64_t at, uint64_t base, uint64_t salt, int packed)
{
	uint64_t offset = get_u64(p + 16), aux = get_u64(p + 48);
	if (!record_is_sound(p, n < SEGLOG_RECORD_LIMIT ? n : SEGLOG_RECORD_LIMIT) || record_stride(get_u32(p)) > n ||
	    (packed ? offset < at && p[9] != REC_END : offset != at))
		return 0;
	if ((p[9] == REC_GAP || p[9] == REC_END) && get_u32(p) != RECORD_HEADER)
		return 0;
	if (p[9] == REC_GAP && (!packed || aux <= offset || aux & 7))
		return 0;
	if (p[9] == REC_END && (aux <= base || aux < offset || aux < at || (!packed && aux - offset < RECORD_HEADER) ||
	    aux & 7 || offset_position(aux) >= SEGLOG_LAST))
		return 0;
	return get_u32(p + 4) == record_crc(p, get_u32(p), salt);
}

/* Where the first record at or above c->at stands in a packed segment: they are small, so it is looked for from the
 * start. */
static int
cursor_find(struct seglog_cursor *c)
{
	char p[RECORD_HEADER];
	for (c->pos = SEGLOG_HEADER;; c->pos += record_stride(get_u32(p))) {
		ssize_t n = fdio_pread_full(c->fd, p, sizeof p, c->pos);
		if (n < 0)
			return -1;
		if (n < (ssize_t)sizeof p || get_u32(p) < RECORD_HEADER || get_u32(p) > SEGLOG_RECORD_LIMIT ||
		    get_u64(p + 16) >= c->at || p[9] == REC_END)
			return 0;
		if (p[9] == REC_GAP && get_u64(p + 48) > c->at) {
			c->at = get_u64(p + 16);
			return 0;
		}
	}
}

int
seglog_seek(struct seglog_cursor *c, int dir, uint64_t at)
{
	struct seglog_file *files;
	size_t count, i;
	char name[SEGLOG_NAME];
	*c = (struct seglog_cursor){ .dir = dir, .fd = -1, .at = at };
	for (int tries = 0; tries < 100; tries++) {     /* a file may be pruned between the listing and the opening */
		if (seglog_list(dir, &files, &count) < 0)
			return -1;
		for (i = count; i > 1 && files[i - 1].base > at; i--)
			;
		uint64_t base = count ? files[i - 1].base : 0;
		struct seglog_head head;
		free(files);
		if (count == 0)
			break;
		seglog_name(name, base);
		c->fd = fdio_open_at(dir, name, O_RDONLY, 0);
		if (c->fd < 0 && errno == ENOENT)
			continue;
		if (c->fd < 0)
			return -1;
		c->base = base;
		c->at = at < base ? base : at;
		c->pos = c->at - base + SEGLOG_HEADER;
		int bad = seglog_header(c->fd, &head);
		if (bad == 0 && head.base > base) {    /* pruned, and the file used again, since it was listed */
			seglog_leave(c);
			continue;
		}
		c->salt = head.salt;
		c->packed = head.packed;
		if (bad || head.base != base) {
			int keep = bad == -3 ? errno : EBADMSG;
			seglog_leave(c);
			errno = keep;
			return -1;
		}
		if (c->packed && cursor_find(c) < 0) {
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
	fdio_close(&c->fd);
}

/* Whole sound records from the cursor's place on, up to an END, which is followed instead: *end. *at: behind the
 * last. */
static size_t
seglog_whole(const struct seglog_cursor *c, const char *bytes, size_t n, uint64_t *end, uint64_t *at)
{
	size_t q = 0;
	*end = 0;
	*at = c->at;
	while (n - q >= RECORD_HEADER) {
		const char *p = bytes + q;
		uint32_t stride = record_stride(get_u32(p));
		if (!seglog_is_sound(p, n - q, *at, c->base, c->salt, c->packed))
			break;
		if (p[9] == REC_END) {
			*end = get_u64(p + 48);
			break;
		}
		q += stride;
		*at = p[9] == REC_GAP ? get_u64(p + 48) : get_u64(p + 16) + stride;
	}
	return q;
}

/* A place inside a segment that a restart cut short: it has its END, below. A file without one has lost what was behind
 * it. */
static int
cursor_is_behind_end(const struct seglog_cursor *c)
{
	char p[RECORD_HEADER];
	struct stat st;
	return fstat(c->fd, &st) == 0 && st.st_size >= SEGLOG_HEADER + RECORD_HEADER &&
	    fdio_pread_full(c->fd, p, sizeof p, (uint64_t)st.st_size - sizeof p) == sizeof p && p[9] == REC_END &&
	    get_u32(p) == RECORD_HEADER &&
	    get_u64(p + 16) <= c->at && get_u32(p + 4) == record_crc(p, RECORD_HEADER, c->salt);
}

/* The segment is gone and its file is another one now. */
static int
cursor_is_stale(const struct seglog_cursor *c)
{
	struct seglog_head head;
	return seglog_header(c->fd, &head) == 0 && (head.base != c->base || head.salt != c->salt);
}

/* The file behind this one, 0: there is none. */
static uint64_t
cursor_next_base(const struct seglog_cursor *c)
{
	struct seglog_file *files;
	size_t count, i;
	if (seglog_list(c->dir, &files, &count) < 0)
		return 0;
	for (i = 0; i < count && files[i].base <= c->base; i++)
		;
	uint64_t base = i < count ? files[i].base : 0;
	free(files);
	return base;
}

ssize_t
seglog_read(struct seglog_cursor *c, void *bytes, size_t room, uint64_t limit)
{
	while (c->at < limit) {
		size_t n = c->packed || limit - c->at >= room ? room : (size_t)(limit - c->at);
		uint64_t end, at;
		ssize_t r = fdio_pread_full(c->fd, bytes, n, c->pos);
		if (r < 0)
			return -1;
		size_t q = seglog_whole(c, bytes, (size_t)r, &end, &at);
		if (q > 0) {
			c->at = at;
			c->pos += q;
			return (ssize_t)q;
		}
		if (end == 0 && r < (ssize_t)n && r < RECORD_HEADER && cursor_is_behind_end(c))
			end = cursor_next_base(c);
		if (end == 0 && cursor_is_stale(c)) {
			errno = ESTALE;
			return -1;
		}
		/* garbage, or the way leads back: a reader would go round for ever */
		if (end == 0 || end < c->at || (end == c->at && end != cursor_next_base(c))) {
			errno = EBADMSG;
			return -1;
		}
		int dir = c->dir;
		seglog_leave(c);
		if (seglog_seek(c, dir, end) < 0)
			return -1;
		/* the file that END names is gone, those behind it are there */
		if (c->base < end && cursor_next_base(c) > end) {
			seglog_leave(c);
			errno = EBADMSG;
			return -1;
		}
	}
	return 0;
}
