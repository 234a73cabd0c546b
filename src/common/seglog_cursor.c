/* seglog_cursor - reading a log while another process writes it; see seglog.h */
#include "common/fdio.h"
#include "common/crc32c.h"
#include "common/seglog_inner.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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
	if (d == NULL)
		return -1;
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
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
				closedir(d);
				return -1;
			}
			*files = grown;
		}
		(*files)[(*count)++] = (struct seglog_file){ base, 0 };
	}
	closedir(d);
	if (*count)
		qsort(*files, *count, sizeof **files, by_base);
	return 0;
}

int
seglog_header(int fd, uint64_t *base, uint64_t *salt)
{
	unsigned char head[SEGLOG_HEADER];
	if (fdio_pread_full(fd, head, sizeof head, 0) != sizeof head || memcmp(head, "MOMLOG1\n", 8) != 0)
		return -1;
	if (get_u32(head + 8) > SEGLOG_VERSION)
		return -2;
	if (get_u32(head + 60) != crc32c(0, head, 60))
		return -1;
	*base = get_u64(head + 16);
	*salt = get_u64(head + 24);
	return 0;
}

int
seglog_seek(struct seglog_cursor *c, int dir, uint64_t at)
{
	struct seglog_file *files;
	size_t count, i;
	char name[32];
	for (int tries = 0; tries < 100; tries++) {     /* a file may be pruned between the listing and the opening */
		if (seglog_list(dir, &files, &count) < 0)
			return -1;
		for (i = count; i > 1 && files[i - 1].base > at; i--)
			;
		uint64_t base = count ? files[i - 1].base : 0;
		free(files);
		if (count == 0)
			break;
		seglog_name(name, base);
		int fd = fdio_open_at(dir, name, O_RDONLY, 0);
		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			return -1;
		*c = (struct seglog_cursor){ dir, fd, base, at < base ? base : at };
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

static int
seglog_next_file(struct seglog_cursor *c, uint64_t base)
{
	int dir = c->dir;
	seglog_leave(c);
	return seglog_seek(c, dir, base);
}

/* bytes of whole records, up to an END, which is followed instead: *end */
static size_t
seglog_whole(const char *bytes, size_t n, uint64_t *end)
{
	size_t q = 0;
	*end = 0;
	while (n - q >= RECORD_HEADER) {
		uint32_t len = get_u32(bytes + q);
		if (len < RECORD_HEADER || len > SEGLOG_RECORD_MAX || record_stride(len) > n - q)
			break;
		if (bytes[q + 9] == REC_END) {
			*end = get_u64(bytes + q + 48);
			break;
		}
		q += record_stride(len);
	}
	return q;
}

ssize_t
seglog_read(struct seglog_cursor *c, void *bytes, size_t room, uint64_t limit, uint64_t *first)
{
	while (c->at < limit) {
		size_t n = limit - c->at < room ? (size_t)(limit - c->at) : room;
		uint64_t end;
		ssize_t r = fdio_pread_full(c->fd, bytes, n, c->at - c->base + SEGLOG_HEADER);
		if (r < 0)
			return -1;
		size_t q = seglog_whole(bytes, (size_t)r, &end);
		*first = c->at;
		if (q > 0) {
			c->at += q;
			return (ssize_t)q;
		}
		if (end == 0) {
			/* a place inside a segment that a restart cut short: the next file goes on */
			if (r < (ssize_t)n && r < RECORD_HEADER) {
				struct seglog_file *files;
				size_t count, i;
				if (seglog_list(c->dir, &files, &count) < 0)
					return -1;
				for (i = 0; i < count && files[i].base <= c->base; i++)
					;
				end = i < count ? files[i].base : 0;
				free(files);
			}
		}
		if (end <= c->at) {                    /* garbage, or the way leads back: a reader would go round for ever */
			errno = EBADMSG;
			return -1;
		}
		if (seglog_next_file(c, end) < 0)
			return -1;
	}
	return 0;
}
