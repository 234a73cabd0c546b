/* seglog_walk - a segment looked at from outside; see seglog_walk.h */
#include "log/seglog_walk.h"
#include "base/fdio.h"
#include "log/seglog_inner.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { WALK_ROOM = 1024 * 1024, TORN_LOOKS = 5, TORN_LOOK_MS = 20 };

int
seglog_walk_open(struct seglog_walk *w, int dir, uint64_t base)
{
	char name[SEGLOG_NAME];
	*w = (struct seglog_walk){ .fd = -1, .pos = SEGLOG_HEADER, .at = base, .room = WALK_ROOM };
	seglog_name(name, base);
	w->fd = fdio_open_at(dir, name, O_RDONLY, 0);
	if (w->fd < 0)
		return -1;
	int bad = seglog_header(w->fd, &w->head), error = bad == -3 ? errno : bad == -2 ? ENOTSUP : bad ? EBADMSG : 0;
	if (error == 0 && w->head.base != base)
		error = w->head.base > base ? ESTALE : EBADMSG;
	w->buffer = error ? NULL : malloc(w->room);
	if (w->buffer)
		return 0;
	seglog_walk_close(w);
	errno = error ? error : ENOMEM;
	return -1;
}

void
seglog_walk_close(struct seglog_walk *w)
{
	fdio_close(&w->fd);
	free(w->buffer);
	w->buffer = NULL;
}

/* The record at p takes more than there is room for, and the file may have it. */
static int
walk_grow(struct seglog_walk *w, const char *p, size_t n)
{
	if (n < w->room || !record_header_is_sound(p, SEGLOG_RECORD_LIMIT) || record_stride(get_u32(p)) <= w->room)
		return 0;
	size_t room = record_stride(get_u32(p));
	char *grown = realloc(w->buffer, room);
	if (grown == NULL)
		return -1;
	w->buffer = grown;
	w->room = room;
	return 1;
}

static size_t
walk_whole(struct seglog_walk *w, size_t n)
{
	size_t q = 0;
	while (w->end == 0 && n - q >= RECORD_HEADER) {
		const char *p = w->buffer + q;
		if (!seglog_is_sound(p, n - q, w->at, w->head.base, w->head.salt, w->head.packed))
			break;
		uint32_t stride = record_stride(get_u32(p));
		if (p[9] == REC_END)
			w->end = get_u64(p + 48);
		w->at = p[9] == REC_GAP ? get_u64(p + 48) : get_u64(p + 16) + stride;
		q += stride;
	}
	return q;
}

ssize_t
seglog_walk_next(struct seglog_walk *w, const char **bytes)
{
	for (int grown = 1; grown && w->end == 0;) {
		ssize_t n = fdio_pread_full(w->fd, w->buffer, w->room, w->pos);
		if (n < 0)
			return -1;
		size_t q = walk_whole(w, (size_t)n);
		w->pos += q;
		*bytes = w->buffer;
		if (q)
			return (ssize_t)q;
		grown = n < RECORD_HEADER ? 0 : walk_grow(w, w->buffer, (size_t)n);
		if (grown < 0)
			return -1;
	}
	return 0;
}

uint64_t
seglog_walk_left(const struct seglog_walk *w)
{
	struct stat st;
	return fstat(w->fd, &st) < 0 || (uint64_t)st.st_size < w->pos ? 0 : (uint64_t)st.st_size - w->pos;
}

/* Is there a sound record by now? What was read stays where it is. */
static int
walk_has_more(const struct seglog_walk *w)
{
	struct seglog_walk look = *w;
	const char *bytes;
	look.buffer = malloc(look.room);
	ssize_t n = look.buffer ? seglog_walk_next(&look, &bytes) : -1;
	free(look.buffer);
	return n > 0;
}

/* A MARK behind what is not sound, which says that it was on disk: 1; 0: there is none; -1: errno */
static int
walk_has_later_mark(struct seglog_walk *w)
{
	for (uint64_t pos = w->pos + 8;;) {
		ssize_t n = fdio_pread_full(w->fd, w->buffer, w->room, pos);
		if (n < RECORD_HEADER)
			return n < 0 ? -1 : 0;
		size_t q = 0;
		for (; q + RECORD_HEADER <= (size_t)n; q += 8) {
			const char *p = w->buffer + q;
			uint64_t place = w->head.base + pos + q - SEGLOG_HEADER;
			if (p[9] == REC_MARK && get_u32(p) == RECORD_HEADER && get_u64(p + 16) == place &&
			    get_u64(p + 48) > w->at &&
			    get_u32(p + 4) == record_crc(p, RECORD_HEADER, w->head.salt))
				return 1;
		}
		pos += q;
	}
}

static int
walk_has_torn_head(const struct seglog_walk *w)
{
	char p[RECORD_HEADER];
	return fdio_pread_full(w->fd, p, sizeof p, w->pos) == sizeof p &&
	    record_header_is_sound(p, SEGLOG_RECORD_LIMIT) && get_u64(p + 16) == w->at;
}

/* The file is another segment by now. */
static int
walk_is_gone(const struct seglog_walk *w)
{
	struct seglog_head head;
	return seglog_header(w->fd, &head) == 0 && (head.base != w->head.base || head.salt != w->head.salt);
}

static enum seglog_tail
walk_tail(struct seglog_walk *w)
{
	if (w->head.packed)                            /* it was on disk as a whole before it had its name */
		return SEGLOG_DAMAGED;
	int marked = walk_has_later_mark(w);
	if (marked < 0)
		return SEGLOG_UNREADABLE;
	/* after the mark was looked for: a writer that goes on makes both */
	if (walk_has_more(w))
		return SEGLOG_MORE;
	if (marked)
		return SEGLOG_DAMAGED;
	for (int i = 0; walk_has_torn_head(w); i++) {
		if (i == TORN_LOOKS)
			return SEGLOG_TORN;
		nanosleep(&(struct timespec){ .tv_nsec = TORN_LOOK_MS * 1000000L }, NULL);
		if (walk_has_more(w))
			return SEGLOG_MORE;
	}
	return SEGLOG_OPEN;
}

enum seglog_tail
seglog_walk_tail(struct seglog_walk *w)
{
	if (w->end)
		return SEGLOG_ENDED;
	enum seglog_tail tail = walk_tail(w);
	int keep = errno;
	if (tail != SEGLOG_MORE && walk_is_gone(w))    /* last: what was seen may be another segment's */
		return SEGLOG_GONE;
	errno = keep;
	return tail;
}
