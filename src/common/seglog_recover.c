/* seglog_recover - what a writer does with the log that it finds; see seglog.h and db/README.md */
#include "common/fdio.h"
#include "common/log.h"
#include "common/seglog_inner.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct scan {
	int fd;
	uint64_t base, salt;
	uint64_t bytes;             /* of records that are sound, from the file's start */
	uint64_t size;              /* of the file */
	uint64_t mark, end;         /* highest MARK; where END leads, 0: no END */
	char *buffer;               /* holds a largest record twice */
	size_t room;
};

static int
record_is_intact(const char *p, size_t n, uint64_t offset, uint64_t salt)
{
	return record_is_sound(p, n < SEGLOG_RECORD_MAX ? n : SEGLOG_RECORD_MAX) && record_stride(get_u32(p)) <= n && get_u64(p + 16) == offset && get_u32(p + 4) == record_crc(p, get_u32(p), salt);
}

/* Sound records of one file, shown to fn from `from` on. -1: I/O error or fn said so. */
static int
scan_records(struct scan *s, uint64_t from, seglog_fn fn, void *with)
{
	s->bytes = SEGLOG_HEADER;
	for (;;) {
		ssize_t n = fdio_pread_full(s->fd, s->buffer, s->room, s->bytes);
		size_t q = 0;
		if (n < 0)
			return -1;
		while (s->end == 0 && (size_t)n - q >= RECORD_HEADER) {
			const char *p = s->buffer + q;
			uint64_t offset = s->base + s->bytes - SEGLOG_HEADER;
			if (!record_is_intact(p, (size_t)n - q, offset, s->salt))
				break;
			if (p[9] == REC_MARK && get_u64(p + 48) > s->mark)
				s->mark = get_u64(p + 48);
			if (p[9] == REC_END)
				s->end = get_u64(p + 48);
			if (fn && offset >= from && fn(with, p, offset) != 0)
				return -1;
			q += record_stride(get_u32(p));
			s->bytes += record_stride(get_u32(p));
		}
		if (q == 0 || s->end != 0)
			return 0;
	}
}

/* Is there, behind what is not sound, a mark that says that it was on disk? Then it is damage and not a torn tail. */
static int
scan_has_later_mark(struct scan *s)
{
	uint64_t bad = s->base + s->bytes - SEGLOG_HEADER;
	char p[RECORD_HEADER];
	for (uint64_t at = s->bytes + 8; at + RECORD_HEADER <= s->size; at += 8) {
		if (fdio_pread_full(s->fd, p, sizeof p, at) != sizeof p)
			return 0;
		if (p[9] == REC_MARK && record_is_intact(p, sizeof p, s->base + at - SEGLOG_HEADER, s->salt) && get_u64(p + 48) > bad)
			return 1;
	}
	return 0;
}

static int
scan_open(struct scan *s, int dir, uint64_t base)
{
	char name[32];
	struct stat st;
	seglog_name(name, base);
	s->mark = s->end = 0;
	s->fd = fdio_open_at(dir, name, O_RDWR, 0);
	if (s->fd < 0 || fstat(s->fd, &st) < 0) {
		log_error("open(%s): %s", name, strerror(errno));
		return -1;
	}
	s->size = (uint64_t)st.st_size;
	int r = seglog_header(s->fd, &s->base, &s->salt);
	if (r < 0 || s->base != base) {
		log_error("%s: %s", name, r == -2 ? "a newer format than this program knows; use the newer program" : "its header is damaged; restore it from a backup");
		close(s->fd);
		return -1;
	}
	return 0;
}

/* What may be in the page cache only is written once more and synced before anybody is told of it. */
static int
scan_make_durable(struct scan *s)
{
	uint64_t at = s->mark > s->base ? s->mark - s->base + SEGLOG_HEADER : SEGLOG_HEADER;
	while (at < s->bytes) {
		size_t n = s->bytes - at < s->room ? (size_t)(s->bytes - at) : s->room;
		ssize_t r = fdio_pread_full(s->fd, s->buffer, n, at);
		if (r <= 0 || fdio_pwrite_full(s->fd, s->buffer, (size_t)r, at) < 0)
			return -1;
		at += (uint64_t)r;
	}
	return fdio_datasync(s->fd);
}

static int
scan_cut(struct scan *s)
{
	uint64_t bad = s->base + s->bytes - SEGLOG_HEADER;
	if (s->bytes == s->size)
		return 0;
	if (bad < s->mark || scan_has_later_mark(s)) {
		log_error("log-%016llx: damaged at offset %llx, below what was on disk: restore the store from a backup", (unsigned long long)s->base,
		    (unsigned long long)bad);
		return -1;
	}
	log_warn("log-%016llx: torn tail cut at offset %llx, %llu bytes, never acknowledged as durable", (unsigned long long)s->base,
	    (unsigned long long)bad, (unsigned long long)(s->size - s->bytes));
	return ftruncate(s->fd, (off_t)s->bytes);
}

/* The file that END of the last segment promised was not made any more. */
static int
recover_promised(struct seglog *l, struct seglog_file **files, size_t *count, uint64_t end)
{
	struct seglog_file *grown = realloc(*files, (*count + 1) * sizeof *grown);
	if (grown == NULL)
		return -1;
	*files = grown;
	if (seglog_create(l, end) < 0)
		return -1;
	l->count--;
	l->total -= SEGLOG_HEADER;
	(*files)[(*count)++] = (struct seglog_file){ end, 0 };
	return 0;
}

static int
recover_files(struct seglog *l, struct seglog_file **files, size_t *count, uint64_t from, seglog_fn fn, void *with, struct scan *s)
{
	for (size_t i = 0; i < *count; i++) {
		int last = i + 1 == *count;
		if (!last && (*files)[i + 1].base <= from) {           /* below the check-point: sound or not, nobody replays it */
			struct stat st;
			char name[32];
			seglog_name(name, (*files)[i].base);
			(*files)[i].bytes = fstatat(l->dir, name, &st, 0) == 0 ? (uint64_t)st.st_size : 0;
			continue;
		}
		if (scan_open(s, l->dir, (*files)[i].base) < 0)
			return -1;
		int bad = scan_records(s, from, fn, with);
		uint64_t behind = s->base + s->bytes - SEGLOG_HEADER;
		if (!bad && ((!last && s->end != (*files)[i + 1].base) || (s->end != 0 && s->end < behind))) {
			log_error("log-%016llx: damaged at offset %llx: the segment does not lead to the next; restore the store from a backup",
			    (unsigned long long)s->base, (unsigned long long)behind);
			bad = -1;
		}
		if (!bad && last)
			bad = scan_cut(s) < 0 || scan_make_durable(s) < 0 ? -1 : 0;
		(*files)[i].bytes = s->bytes;
		if (bad) {
			close(s->fd);
			return -1;
		}
		if (last && s->end != 0) {
			close(s->fd);
			if (recover_promised(l, files, count, s->end) < 0)
				return -1;
			continue;
		}
		if (!last)
			close(s->fd);
	}
	return 0;
}

int
seglog_open(struct seglog *l, int dir, uint64_t segment_bytes, uint64_t from, seglog_fn fn, void *with)
{
	struct seglog_file *files;
	struct scan s = { .fd = -1, .room = 4 * RECORD_MAX };
	size_t count;
	*l = (struct seglog){ .dir = dir, .fd = -1, .segment_bytes = segment_bytes, .room = BATCH + 2 * RECORD_MAX };
	l->buffer = malloc(l->room);
	s.buffer = malloc(s.room);
	if (l->buffer == NULL || s.buffer == NULL || seglog_list(dir, &files, &count) < 0) {
		free(s.buffer);
		return -1;
	}
	int bad = recover_files(l, &files, &count, from, fn, with, &s);
	uint64_t next = UINT64_C(1) << 40;
	if (!bad && count > 0) {
		free(l->files);
		l->files = files;
		l->count = l->files_room = count;
		l->total = 0;
		for (size_t i = 0; i < count; i++)
			l->total += files[i].bytes;
		fdio_close(&l->fd);
		l->fd = s.fd;
		l->salt = s.salt;
		l->base = s.base;
		l->end = l->written = l->synced = s.base + s.bytes - SEGLOG_HEADER;
		next = (uint64_t)(offset_incarnation(l->end) + 1) << 40;
		if (next < l->end) {
			log_error("log-%016llx: its offsets are used up; restore the store from a backup", (unsigned long long)l->base);
			errno = EOVERFLOW;
			bad = -1;
		}
		bad = bad || seglog_finish(l, next) < 0 ? -1 : 0;
	} else
		free(files);
	free(s.buffer);
	return bad < 0 || seglog_create(l, next) < 0 ? -1 : 0;
}
