/* seglog_rewrite - finished segments written anew: with what is still needed of them, or around their damage; see
 * seglog.h */
#include "base/fdio.h"
#include "base/log.h"
#include "log/seglog_inner.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- reading a file record by record ---- */

int
segment_open(struct seglog_reader *r, const struct seglog *l, uint64_t base, uint64_t limit)
{
	int bad = seglog_reader_open(r, l->dir, base, O_RDWR);
	r->limit = limit;
	r->most = l->record_most;
	r->room = 2 * r->most;
	if (bad == 0)
		return 0;
	if (errno == EBADMSG || errno == ESTALE)
		return 1;
	if (errno == ENOTSUP)
		log_error("log-%016llx: a newer format than this program knows; use the newer program",
		    (unsigned long long)base);
	else
		log_error("log-%016llx: cannot be read: %s: %s", (unsigned long long)base, strerror(errno),
		    fdio_hint(errno));
	return -1;
}

int
segment_records(struct seglog_reader *r, uint64_t from, seglog_fn fn, void *with)
{
	const char *p;
	ssize_t n;
	while ((n = seglog_reader_next(r, &p)) > 0)
		for (const char *end = p + n; fn && p < end; p += record_stride(get_u32(p)))
			if (get_u64(p + 16) >= from && fn(with, p, get_u64(p + 16)) != 0)
				return -1;
	return (int)n;
}

/* ---- writing one anew ---- */

struct rewrite {
	struct seglog *log;
	uint64_t base, salt, at, bytes, most; /* at: behind the last record; bytes: of the file so far */
	int fd;
	char *buffer;
	size_t used, room;
	seglog_keep_fn keep;
	void *with;
};

static int
rewrite_flush(struct rewrite *w)
{
	if (fdio_pwrite_full(w->fd, w->buffer, w->used, w->bytes) < 0)
		return -1;
	w->bytes += w->used;
	w->used = 0;
	return 0;
}

static int
rewrite_add(struct rewrite *w, const char *bytes, uint32_t stride)
{
	if (w->used + stride > w->room && rewrite_flush(w) < 0)
		return -1;
	memcpy(w->buffer + w->used, bytes, stride);
	w->used += stride;
	return 0;
}

static int
rewrite_note(struct rewrite *w, int type, uint64_t offset, uint64_t aux)
{
	char p[RECORD_HEADER];
	struct record r = { .type = (uint8_t)type, .shard = w->log->place.shard, .offset = offset, .aux = aux };
	record_make(p, &r, NULL, NULL, 0);
	put_u32(p + 4, record_crc(p, RECORD_HEADER, w->salt));
	return rewrite_add(w, p, RECORD_HEADER);
}

static int
rewrite_begin(struct rewrite *w, struct seglog *l, uint64_t base, uint64_t salt)
{
	char name[SEGLOG_NAME + 8];
	*w = (struct rewrite){ .log = l, .base = base, .salt = salt, .at = base, .room = BATCH + l->record_most,
	    .most = UINT64_MAX };
	seglog_name(name, base);
	strcat(name, ".new");
	w->fd = fdio_open_at(l->dir, name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	w->buffer = w->fd < 0 ? NULL : malloc(w->room);
	if (w->buffer == NULL)
		return -1;
	seglog_head_put((unsigned char *)w->buffer, &(struct seglog_head){ .base = base, .salt = salt, .packed = 1 });
	w->used = SEGLOG_HEADER;
	return 0;
}

static void
rewrite_drop(struct rewrite *w)
{
	char name[SEGLOG_NAME + 8];
	int keep = errno;
	seglog_name(name, w->base);
	strcat(name, ".new");
	fdio_close(&w->fd);
	free(w->buffer);
	unlinkat(w->log->dir, name, 0);
	if (fdio_is_full(keep))
		seglog_drop_spares(w->log);
	errno = keep;
}

/* END and on disk, then in the old one's place. */
static int
rewrite_finish(struct rewrite *w, uint64_t next)
{
	struct seglog *l = w->log;
	char name[SEGLOG_NAME], temp[SEGLOG_NAME + 8];
	seglog_name(name, w->base);
	snprintf(temp, sizeof temp, "%s.new", name);
	if (rewrite_note(w, REC_END, w->at, next) < 0 || rewrite_flush(w) < 0 || fdio_sync(w->fd) < 0 ||
	    fdio_rename_at(l->dir, temp, name) < 0 ||
	    fdio_sync(l->dir) < 0)
		return -1;
	fdio_close(&w->fd);
	free(w->buffer);
	for (size_t i = 0; i < l->count; i++) {
		if (l->files[i].base != w->base)
			continue;
		l->total = l->total - l->files[i].bytes + w->bytes;
		l->files[i].bytes = w->bytes;
	}
	return 0;
}

static int
rewrite_record(void *with, const void *bytes, uint64_t offset)
{
	struct rewrite *w = with;
	const char *p = bytes;
	uint32_t stride = record_stride(get_u32(p));
	if (p[9] == REC_END || p[9] == REC_MARK || (w->keep && p[9] != REC_GAP && !w->keep(w->with, p)))
		return 0;
	w->at = p[9] == REC_GAP ? get_u64(p + 48) : offset + stride;
	if (w->bytes + w->used + stride > w->most) {
		errno = E2BIG;
		return -1;
	}
	return rewrite_add(w, p, stride);
}

int
seglog_pack(struct seglog *l, size_t i, uint64_t most, seglog_keep_fn keep, void *with)
{
	struct seglog_reader s;
	struct rewrite w = { .fd = -1 };
	int bad = segment_open(&s, l, l->files[i].base, l->files[i + 1].base);
	if (bad == 0)
		bad = rewrite_begin(&w, l, s.head.base, s.head.salt);
	w.most = most;
	w.keep = keep;
	w.with = with;
	if (bad == 0)
		bad = segment_records(&s, 0, rewrite_record, &w);
	if (bad == 0 && s.end != l->files[i + 1].base)
		bad = 1;
	if (bad == 0)
		bad = rewrite_finish(&w, s.end);
	if (bad && w.buffer)
		rewrite_drop(&w);
	if (bad == 1)
		errno = EBADMSG;
	int keep_errno = errno;
	seglog_reader_close(&s);
	errno = keep_errno;
	return bad ? -1 : 0;
}

/* ---- damage ---- */

static int
mend_gap(struct rewrite *w, uint64_t to)
{
	char lost[24] = "an unknown number of";        /* at the end of an incarnation: where that was nobody knows */
	if (offset_incarnation(to) == offset_incarnation(w->at))
		snprintf(lost, sizeof lost, "%llu", (unsigned long long)(to - w->at));
	log_error("%s/log-%016llx: damaged from offset %llx to %llx, %s bytes are lost: see %s", w->log->place.label,
	    (unsigned long long)w->base,
	    (unsigned long long)w->at, (unsigned long long)to, lost, w->log->place.corrupt);
	if (rewrite_note(w, REC_GAP, w->at, to) < 0)
		return -1;
	w->at = to;
	return 0;
}

/* 1: behind the last sound record nothing was ever written. */
static int
mend_is_empty(const struct seglog_reader *s)
{
	char bytes[4096];
	uint64_t pos = s->pos;
	for (ssize_t n; (n = fdio_pread_full(s->fd, bytes, sizeof bytes, pos)) != 0; pos += (uint64_t)n) {
		if (n < 0)
			return -1;
		for (ssize_t i = 0; i < n; i++)
			if (bytes[i])
				return 0;
	}
	return 1;
}

static int
mend_records(struct rewrite *w, struct seglog_reader *s, uint64_t next, int torn)
{
	for (;;) {
		if (segment_records(s, 0, rewrite_record, w) < 0)
			return -1;
		w->at = s->at;                                         /* marks were left out */
		if (s->end)                                            /* to a whole segment that is gone? */
			return s->end < next ? mend_gap(w, next) : 0;
		/* what was not on disk is a torn tail and no damage */
		int r = torn ? seglog_reader_has_later_mark(s) : 1;
		if (r == 1)
			r = seglog_reader_resume(s);
		if (r < 0)
			return -1;
		if (r == 0 && !torn && next > w->at) {
			/* an incarnation that ended here, and not damage */
			int empty = offset_incarnation(next) != offset_incarnation(w->at) ? mend_is_empty(s) : 0;
			return empty < 0 ? -1 : empty ? 0 : mend_gap(w, next);
		}
		if (r == 0)
			return 0;
		if (s->at > w->at && mend_gap(w, s->at) < 0)
			return -1;
	}
}

/* The damaged file is kept: a link to it in corrupt, before the new one takes its name. */
static int
mend_keep(struct seglog *l, uint64_t base)
{
	char name[SEGLOG_NAME], kept[2 * SEGLOG_NAME + 8];
	seglog_name(name, base);
	if (mkdirat(l->dir, l->place.corrupt, 0700) < 0 && errno != EEXIST)
		return -1;
	int fd = fdio_open_at(l->dir, l->place.corrupt, O_RDONLY | O_DIRECTORY, 0), r = -1;
	for (int n = 0; fd >= 0 && n < 1000; n++) {
		snprintf(kept, sizeof kept, n ? "%.32s-%s.%d" : "%.32s-%s", l->place.label, name, n);
		r = linkat(l->dir, name, fd, kept, 0);
		if (r == 0 || errno != EEXIST)
			break;
	}
	if (r < 0 && errno == ENOENT)
		r = 0;                                 /* it is missing as a whole */
	if (r == 0 && fdio_sync(fd) < 0)
		r = -1;
	fdio_close(&fd);
	return r;
}

int
seglog_set_aside(struct seglog *l, uint64_t base)
{
	char name[SEGLOG_NAME];
	seglog_name(name, base);
	return mend_keep(l, base) < 0 || fdio_unlink_at(l->dir, name) < 0 || fdio_sync(l->dir) < 0 ? -1 : 0;
}

int
seglog_mend(struct seglog *l, uint64_t base, uint64_t next, int torn)
{
	struct seglog_reader s = { .fd = -1 };
	struct rewrite w = { .fd = -1 };
	char name[SEGLOG_NAME];
	seglog_name(name, base);
	int there = faccessat(l->dir, name, F_OK, 0) == 0, bad = there ? segment_open(&s, l, base, next) : 1;
	if (bad >= 0 && bad != 0 && fdio_random(&s.head.salt, sizeof s.head.salt) < 0)
		bad = -1;
	int readable = bad == 0;
	bad = bad < 0 ? -1 : rewrite_begin(&w, l, base, s.head.salt);
	if (bad == 0)
		bad = readable ? mend_records(&w, &s, next, torn) : mend_gap(&w, next);
	if (bad == 0)
		bad = mend_keep(l, base);
	if (bad == 0)
		bad = rewrite_finish(&w, next);
	if (bad && w.buffer)
		rewrite_drop(&w);
	int keep_errno = errno;
	seglog_reader_close(&s);
	errno = keep_errno;
	if (bad)
		log_error("%s/%s: damaged, and it cannot be written anew: %s: %s", l->place.label, name,
		    strerror(errno), fdio_hint(errno));
	return bad ? -1 : 0;
}

/* somebody else's reader met the damage too, and it is mended already */
static int
segment_is_sound(struct seglog *l, size_t i)
{
	struct seglog_reader s;
	int sound = segment_open(&s, l, l->files[i].base, l->files[i + 1].base) == 0 &&
	    segment_records(&s, 0, NULL, NULL) == 0 && s.end == l->files[i + 1].base;
	seglog_reader_close(&s);
	return sound;
}

int
seglog_repair(struct seglog *l, uint64_t at)
{
	if (at >= l->base && seglog_roll(l) < 0)
		return -1;
	for (size_t i = 0; i + 1 < l->count; i++)
		if (l->files[i + 1].base > at)
			return segment_is_sound(l, i) ? 0 : seglog_mend(l, l->files[i].base, l->files[i + 1].base, 0);
	errno = ENOENT;
	return -1;
}
