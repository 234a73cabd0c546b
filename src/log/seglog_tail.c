/* seglog_tail - where a segment ends for a tool that looks at it from outside, while its writer goes on or after it
 * died: see seglog_reader.h */
#include "log/seglog_reader.h"
#include "base/fdio.h"
#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum { TORN_LOOKS = 5, TORN_LOOK_MS = 20 };

/* Is there a sound record by now? What was read stays where it is. */
static int
has_more(const struct seglog_reader *r)
{
	struct seglog_reader look = *r;
	const char *bytes;
	look.buffer = NULL;
	ssize_t n = seglog_reader_next(&look, &bytes);
	free(look.buffer);
	return n > 0;
}

static int
has_torn_head(const struct seglog_reader *r)
{
	char p[RECORD_HEADER];
	return fdio_pread_full(r->fd, p, sizeof p, r->pos) == sizeof p &&
	    record_header_is_sound(p, SEGLOG_RECORD_LIMIT) && get_u64(p + 16) == r->at;
}

static enum seglog_tail
look_at_tail(struct seglog_reader *r)
{
	if (r->head.packed)                            /* it was on disk as a whole before it had its name */
		return SEGLOG_DAMAGED;
	int marked = seglog_reader_has_later_mark(r);
	if (marked < 0)
		return SEGLOG_UNREADABLE;
	/* after the mark was looked for: a writer that goes on makes both */
	if (has_more(r))
		return SEGLOG_MORE;
	if (marked)
		return SEGLOG_DAMAGED;
	for (int i = 0; has_torn_head(r); i++) {
		if (i == TORN_LOOKS)
			return SEGLOG_TORN;
		nanosleep(&(struct timespec){ .tv_nsec = TORN_LOOK_MS * 1000000L }, NULL);
		if (has_more(r))
			return SEGLOG_MORE;
	}
	return SEGLOG_OPEN;
}

enum seglog_tail
seglog_reader_tail(struct seglog_reader *r)
{
	if (r->end)
		return SEGLOG_ENDED;
	enum seglog_tail tail = look_at_tail(r);
	int keep = errno;
	if (tail != SEGLOG_MORE && seglog_reader_is_stale(r))   /* last: what was seen may be another segment's */
		return SEGLOG_GONE;
	errno = keep;
	return tail;
}
