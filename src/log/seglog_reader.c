/* seglog_reader - see seglog_reader.h */
#include "log/seglog_reader.h"
#include "base/crc32c.h"
#include "base/fdio.h"
#include "log/seglog_inner.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { READER_ROOM = 1024 * 1024 };

/* 0; -1: errno, as seglog_reader_open */
static int
read_head(int fd, struct seglog_head *head)
{
	unsigned char p[SEGLOG_HEADER];
	ssize_t n = fdio_pread_full(fd, p, sizeof p, 0);
	if (n < 0)
		return -1;
	errno = n != sizeof p || memcmp(p, "MOMLOG1\n", 8) != 0 || get_u32(p + 60) != crc32c(0, p, 60) ? EBADMSG
	    : get_u32(p + 8) > SEGLOG_VERSION || get_u32(p + 12) > 1 ? ENOTSUP : 0;
	if (errno)
		return -1;
	*head = (struct seglog_head){ get_u64(p + 16), get_u64(p + 24), get_u32(p + 12) == 1, get_u32(p + 32) == 1 };
	return 0;
}

int
seglog_reader_begin(struct seglog_reader *r, int fd)
{
	*r = (struct seglog_reader){ .fd = fd, .pos = SEGLOG_HEADER, .most = SEGLOG_RECORD_LIMIT, .room = READER_ROOM };
	if (read_head(fd, &r->head) < 0)
		return -1;
	r->at = r->head.base;
	return 0;
}

int
seglog_reader_open(struct seglog_reader *r, int dir, uint64_t base, int flags)
{
	char name[SEGLOG_NAME];
	seglog_name(name, base);
	int fd = fdio_open_at(dir, name, flags, 0);
	int error = fd < 0 || seglog_reader_begin(r, fd) < 0 ? errno : r->head.base > base ? ESTALE
	    : r->head.base < base ? EBADMSG : 0;
	if (error == 0)
		return 0;
	fdio_close(&fd);
	*r = (struct seglog_reader){ .fd = -1, .pos = SEGLOG_HEADER, .at = base };
	errno = error;
	return -1;
}

void
seglog_reader_close(struct seglog_reader *r)
{
	fdio_close(&r->fd);
	free(r->buffer);
	r->buffer = NULL;
}

static int
is_sound(const struct seglog_reader *r, const char *p, size_t n, uint64_t at)
{
	uint64_t offset = get_u64(p + 16), aux = get_u64(p + 48);
	int type = p[9];
	if (!record_is_sound(p, n < r->most ? n : r->most) || record_stride(get_u32(p)) > n ||
	    (r->head.packed ? offset < at && type != REC_END : offset != at))
		return 0;
	if ((type == REC_GAP || type == REC_END) && get_u32(p) != RECORD_HEADER)
		return 0;
	if (type == REC_GAP && (!r->head.packed || aux <= offset || aux & 7))
		return 0;
	if (type == REC_END && (aux <= r->head.base || aux < offset || aux < at || (!r->head.packed && aux - offset <
	    RECORD_HEADER) || aux & 7 || offset_position(aux) >= SEGLOG_LAST))
		return 0;
	uint64_t behind = type == REC_GAP ? aux : type == REC_END ? offset : offset + record_stride(get_u32(p));
	return (r->limit == 0 || behind <= r->limit) && get_u32(p + 4) == record_crc(p, get_u32(p), r->head.salt);
}

uint32_t
seglog_reader_step(struct seglog_reader *r, const char *p, size_t n)
{
	if (r->end || n < RECORD_HEADER || !is_sound(r, p, n, r->at))
		return 0;
	uint32_t stride = record_stride(get_u32(p));
	uint64_t aux = get_u64(p + 48);
	if (p[9] == REC_MARK && aux > r->mark)
		r->mark = aux;
	if (p[9] == REC_END)
		r->end = aux;
	else                            /* END is no place for a record, and in a packed segment it may stand lower */
		r->at = p[9] == REC_GAP ? aux : get_u64(p + 16) + stride;
	r->pos += stride;
	return stride;
}

/* 1: the record at the buffer's start takes more than there was room for; now there is. -1: no memory */
static int
grow(struct seglog_reader *r, size_t n)
{
	if (n < r->room || !record_header_is_sound(r->buffer, (uint32_t)r->most) ||
	    record_stride(get_u32(r->buffer)) <= r->room)
		return 0;
	size_t room = record_stride(get_u32(r->buffer));
	char *grown = realloc(r->buffer, room);
	if (grown == NULL)
		return -1;
	r->buffer = grown;
	r->room = room;
	return 1;
}

ssize_t
seglog_reader_next(struct seglog_reader *r, const char **bytes)
{
	if (r->buffer == NULL && (r->buffer = malloc(r->room)) == NULL)
		return -1;
	*bytes = r->buffer;
	for (int grown = 1; grown > 0 && r->end == 0;) {
		ssize_t n = fdio_pread_full(r->fd, r->buffer, r->room, r->pos);
		if (n < 0)
			return -1;
		size_t q = 0;
		for (uint32_t stride; (stride = seglog_reader_step(r, r->buffer + q, (size_t)n - q)) > 0; q += stride)
			;
		if (q)
			return (ssize_t)q;
		grown = n < RECORD_HEADER ? 0 : grow(r, (size_t)n);
		*bytes = r->buffer;
		if (grown < 0)
			return -1;
	}
	return 0;
}

uint64_t
seglog_reader_left(const struct seglog_reader *r)
{
	struct stat st;
	return fstat(r->fd, &st) < 0 || (uint64_t)st.st_size < r->pos ? 0 : (uint64_t)st.st_size - r->pos;
}

int
seglog_reader_is_stale(const struct seglog_reader *r)
{
	struct seglog_head head;
	return read_head(r->fd, &head) == 0 && (head.base != r->head.base || head.salt != r->head.salt);
}

/* ---- behind what is not sound ---- */

int
seglog_reader_resume(struct seglog_reader *r)
{
	uint64_t size = r->pos + seglog_reader_left(r);
	for (uint64_t pos = r->pos + RECORD_HEADER; pos + RECORD_HEADER <= size;) {
		ssize_t n = fdio_pread_full(r->fd, r->buffer, r->room, pos);
		if (n < RECORD_HEADER)
			return n < 0 ? -1 : 0;
		/* a record that the buffer cuts off is looked at again from the next buffer's start */
		size_t last = pos + (size_t)n < size ? (size_t)n - r->most - 8 : (size_t)n - RECORD_HEADER, q = 0;
		for (; q <= last; q += 8) {
			uint64_t at = r->head.packed ? r->at : r->head.base + pos + q - SEGLOG_HEADER;
			if (!is_sound(r, r->buffer + q, (size_t)n - q, at))
				continue;
			uint64_t offset = get_u64(r->buffer + q + 16);
			r->pos = pos + q;
			r->at = offset > r->at ? offset : r->at;       /* a packed segment's END may stand lower */
			return 1;
		}
		pos += q;
	}
	return 0;
}

int
seglog_reader_has_later_mark(struct seglog_reader *r)
{
	for (uint64_t pos = r->pos + 8;;) {
		ssize_t n = fdio_pread_full(r->fd, r->buffer, r->room, pos);
		if (n < RECORD_HEADER)
			return n < 0 ? -1 : 0;
		size_t q = 0;
		for (; q + RECORD_HEADER <= (size_t)n; q += 8) {
			const char *p = r->buffer + q;
			if (p[9] == REC_MARK && get_u64(p + 48) > r->at &&
			    is_sound(r, p, (size_t)n - q, r->head.base + pos + q - SEGLOG_HEADER))
				return 1;
		}
		pos += q;
	}
}
