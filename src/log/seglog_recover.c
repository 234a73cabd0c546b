/* seglog_recover - what a writer does with the log that it finds; see seglog.h and db/README.md */
#include "base/fdio.h"
#include "base/log.h"
#include "log/seglog_inner.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What may be in the page cache only is written once more and synced before anybody is told of it. */
static int
segment_make_durable(struct seglog_reader *s)
{
	uint64_t at = SEGLOG_HEADER;
	if (s->mark > s->head.base && !s->head.packed)
		at += s->mark - s->head.base;
	while (at < s->pos) {
		size_t n = s->pos - at < s->room ? (size_t)(s->pos - at) : s->room;
		ssize_t r = fdio_pread_full(s->fd, s->buffer, n, at);
		if (r <= 0 || fdio_pwrite_full(s->fd, s->buffer, (size_t)r, at) < 0)
			return -1;
		at += (uint64_t)r;
	}
	return fdio_datasync(s->fd);
}

/* Behind the last record of a reused file lies what it held before, and not a record that was to be the next. */
static int
segment_is_leftover(const struct seglog_reader *s)
{
	char p[24];
	return s->head.reused && fdio_pread_full(s->fd, p, sizeof p, s->pos) == sizeof p && get_u64(p + 16) != s->at;
}

static int
segment_cut(struct seglog_reader *s)
{
	uint64_t left = seglog_reader_left(s);
	if (left == 0)
		return 0;
	if (!segment_is_leftover(s))
		log_warn("log-%016llx: torn tail cut at offset %llx, %llu bytes, never acknowledged as durable",
		    (unsigned long long)s->head.base,
		    (unsigned long long)s->at, (unsigned long long)left);
	return fdio_truncate(s->fd, s->pos);
}

/* ---- the files, one after the other ---- */

struct recovery {
	struct seglog *log;
	struct seglog_file *files;
	size_t count;
	uint64_t from;
	seglog_fn fn;
	void *with;
	struct seglog_reader segment;
};

static int
recovery_add(struct recovery *r, size_t i, uint64_t base)
{
	struct seglog_file *grown = realloc(r->files, (r->count + 1) * sizeof *grown);
	if (grown == NULL)
		return -1;
	r->files = grown;
	memmove(grown + i + 1, grown + i, (r->count - i) * sizeof *grown);
	grown[i] = (struct seglog_file){ .base = base };
	r->count++;
	return 0;
}

/* Its damage is taken out, then it is read on from where it was. */
static int
recovery_mend(struct recovery *r, uint64_t base, uint64_t next, int torn)
{
	struct seglog_reader *s = &r->segment;
	uint64_t from = s->fd >= 0 && s->at > r->from ? s->at : r->from;
	seglog_reader_close(s);
	if (seglog_mend(r->log, base, next, torn) < 0 || segment_open(s, r->log, base, next) != 0)
		return -1;
	return segment_records(s, from, r->fn, r->with);
}

static uint64_t
next_incarnation(uint64_t offset)
{
	return (uint64_t)(offset_incarnation(offset) + 1) << 40;
}

/* Files that begin below the place where this segment's END leads are none of the log: no writer leaves any. 1: there
 * were some. */
static int
recovery_set_aside(struct recovery *r, size_t i)
{
	struct seglog_reader s = r->segment;
	s.limit = 0;
	if (s.end == 0 && segment_records(&s, 0, NULL, NULL) < 0)
		return -1;
	size_t n = i + 1;
	for (; n < r->count && r->files[n].base < s.end; n++) {
		log_error("%s/log-%016llx: log-%016llx leads past it to %016llx: it is no part of the log, and is set "
		    "aside in corrupt/",
		    r->log->place.label, (unsigned long long)r->files[n].base, (unsigned long long)r->files[i].base,
		    (unsigned long long)s.end);
		if (seglog_set_aside(r->log, r->files[n].base) < 0)
			return -1;
	}
	memmove(r->files + i + 1, r->files + n, (r->count - n) * sizeof *r->files);
	r->count -= n - i - 1;
	return n > i + 1;
}

enum { DAMAGED = 1, SEGMENT_LOST, AGAIN };

static int
recover_middle(struct recovery *r, size_t i)
{
	struct seglog_reader *s = &r->segment;
	uint64_t base = r->files[i].base, next = r->files[i + 1].base;
	int bad = segment_open(s, r->log, base, next);
	if (bad == 0)
		bad = segment_records(s, r->from, r->fn, r->with) < 0 ? -1 : s->end && s->end < next ? SEGMENT_LOST
		    : s->end != next;
	if (bad == DAMAGED && s->fd >= 0 && (bad = recovery_set_aside(r, i)) >= 0) {
		r->from = bad && s->at > r->from ? s->at : r->from;
		bad = bad ? AGAIN : DAMAGED;
	}
	if (bad == DAMAGED)
		bad = recovery_mend(r, base, next, 0);
	r->files[i].bytes = s->pos;
	seglog_reader_close(s);
	if (bad == SEGMENT_LOST)
		bad = recovery_add(r, i + 1, s->end) < 0 || seglog_mend(r->log, s->end, next, 0) < 0 ? -1 : 0;
	return bad;
}

/* A segment that was there: a check-point says so. It is made anew, as a gap. */
static int
recovery_lost(struct recovery *r, size_t i, uint64_t base)
{
	return recovery_add(r, i, base) < 0 || seglog_mend(r->log, base, next_incarnation(r->from), 0) < 0 ? -1 : 0;
}

/* The file is left open for the writer, who ends it; or closed, where it has its END. */
static int
recover_last(struct recovery *r, size_t i)
{
	struct seglog_reader *s = &r->segment;
	uint64_t base = r->files[i].base;
	int bad = segment_open(s, r->log, base, 0);
	if (bad == 1)
		return recovery_mend(r, base, next_incarnation(base), 0);
	if (bad < 0 || segment_records(s, r->from, r->fn, r->with) < 0)
		return -1;
	if (s->end != 0 && s->end < r->from) {         /* the segments up to the check-point are gone */
		seglog_reader_close(s);
		return recovery_lost(r, i + 1, s->end);
	}
	/* perhaps in the page cache only, and not cut behind: readers look for END at the file's end */
	if (s->end != 0)
		return segment_cut(s) < 0 ? -1 : segment_make_durable(s);
	if (s->at < r->from)                           /* a check-point is a mark too */
		return recovery_mend(r, base, next_incarnation(r->from), 0);
	if (s->head.packed)                                 /* it was on disk as a whole, before it had its name */
		return recovery_mend(r, base, next_incarnation(s->at), 0);
	bad = seglog_reader_has_later_mark(s);
	if (bad < 0)
		return -1;
	if (bad)
		return recovery_mend(r, base, next_incarnation(s->at), 1);
	return segment_cut(s) < 0 || segment_make_durable(s) < 0 ? -1 : 0;
}

static int
recover_files(struct recovery *r)
{
	for (size_t i = 0; i < r->count; i++) {
		/* below the check-point: sound or not, nobody replays it */
		if (i + 1 < r->count && r->files[i + 1].base <= r->from) {
			struct stat st;
			char name[SEGLOG_NAME];
			seglog_name(name, r->files[i].base);
			r->files[i].bytes = fstatat(r->log->dir, name, &st, 0) == 0 ? (uint64_t)st.st_size : 0;
		} else if (i + 1 < r->count) {
			int bad = recover_middle(r, i);
			if (bad < 0)
				return -1;
			i -= bad == AGAIN;                     /* with the files that are left, from where it was */
		} else {
			if (recover_last(r, i) < 0)
				return -1;
			r->files[i].bytes = r->segment.pos;
		}
	}
	return 0;
}

/* The log goes on behind what was found: base of the segment that is to be made, 0: trouble. */
static uint64_t
recovery_end(struct recovery *r)
{
	struct seglog *l = r->log;
	struct seglog_reader *s = &r->segment;
	uint64_t next = s->end ? s->end : next_incarnation(s->at);
	if (next_incarnation(next) < next || (s->end == 0 && next < s->at)) {
		log_error("log-%016llx: its offsets are used up: make a new store", (unsigned long long)s->head.base);
		errno = EOVERFLOW;
		next = 0;
	}
	l->files = r->files;
	l->count = l->files_room = r->count;
	for (size_t i = 0; i < r->count; i++)
		l->total += r->files[i].bytes;
	if (next == 0 || s->end) {                     /* the file that END promises was not made any more */
		seglog_reader_close(s);
		return next;
	}
	l->fd = s->fd;
	l->salt = s->head.salt;
	l->base = s->head.base;
	l->end = l->written = l->synced = l->kicked = s->at;
	return seglog_finish(l, next) < 0 ? 0 : next;
}

int
seglog_open(struct seglog *l, const struct seglog_place *place, uint64_t segment_bytes, uint64_t from, seglog_fn fn,
    void *with)
{
	struct recovery r = { .log = l, .from = from, .fn = fn, .with = with, .segment = { .fd = -1 } };
	*l = (struct seglog){ .place = *place, .dir = place->dir, .fd = -1, .segment_bytes = segment_bytes };
	l->record_most = 2 * place->record;
	l->room = BATCH + l->record_most;
	l->buffer = malloc(l->room);
	/* names first: what is built on a rename that a killed predecessor did not sync must not outlive it */
	if (l->buffer == NULL || fdio_sync(l->dir) < 0 || seglog_list(l->dir, &r.files, &r.count) < 0)
		return -1;
	fdio_sweep(l->dir, "log-");
	fdio_sweep(l->dir, "spare-");
	uint64_t next = UINT64_C(1) << 40;
	int bad = r.count == 0 && from > 0 ? -1 : recover_files(&r);
	if (r.count == 0 && from > 0) {                /* to begin anew would give out offsets again */
		log_error("%s: it has no log any more, though its check-point is of %016llx: bring the log back",
		    place->label, (unsigned long long)from);
		errno = ENOENT;
	}
	if (bad) {
		seglog_reader_close(&r.segment);
		free(r.files);
	} else if (r.count > 0)
		next = recovery_end(&r);
	free(r.segment.buffer);
	if (bad || next == 0)
		return -1;
	/* a new start is a new incarnation, also behind an END that promised a file of the old one */
	uint64_t last = r.count ? l->files[r.count - 1].base : 0;
	if (seglog_begin(l, next) < 0)
		return fdio_is_full(errno) ? 0 : -1;
	if (offset_incarnation(next) > offset_incarnation(last) && offset_position(next) == 0)
		return 0;
	uint64_t fresh = next_incarnation(next);
	return seglog_finish(l, fresh) == 0 && (seglog_begin(l, fresh) == 0 || fdio_is_full(errno)) ? 0 : -1;
}
