/* Reads one segment of a log from its start, record by record, and never writes it. It is for programs that look at a
 * store from outside, while its writer goes on or after it died. They must know the segment's end from damage; a cursor
 * (seglog.h) need not know it.
 *     struct seglog_walk w;
 *     if (seglog_walk_open(&w, dir, base) == 0)
 *         while ((n = seglog_walk_next(&w, &bytes)) > 0) look_at(bytes, n);
 *     seglog_walk_close(&w); */
#ifndef SEGLOG_WALK_H
#define SEGLOG_WALK_H
#include "log/seglog.h"

struct seglog_walk {
	int fd;
	struct seglog_head head;
	uint64_t pos, at;               /* behind the last sound record: pos in the file, at as an offset */
	uint64_t end;                   /* where its END leads; 0: none was met */
	char *buffer;
	size_t room;
};

enum seglog_tail {
	SEGLOG_ENDED,                   /* its END was read */
	SEGLOG_OPEN,                    /* nothing of the segment stands behind: the writer is here, or was */
	SEGLOG_MORE,                    /* more came meanwhile: read on */
	/* A record's head without its rest. It was never on disk as a whole; the next start cuts it. */
	SEGLOG_TORN,
	SEGLOG_DAMAGED,                 /* not sound, though it was on disk */
	SEGLOG_GONE,                    /* nobody needed it, and its file is another segment now */
	SEGLOG_UNREADABLE               /* errno */
};

/* 0; -1: errno. ENOENT: it is gone. ESTALE: its file is another segment already. EBADMSG: its header is damaged.
 * ENOTSUP: a newer format. */
int seglog_walk_open(struct seglog_walk *w, int dir, uint64_t base);
/* Reads whole sound records, and END, into w's own memory. Returns how many bytes; 0: there are no more, and
 * seglog_walk_tail says why; -1: errno */
ssize_t seglog_walk_next(struct seglog_walk *w, const char **bytes);
/* Says why there are no more records. It may wait 100 ms for a writer that is in the middle of a record. */
enum seglog_tail seglog_walk_tail(struct seglog_walk *w);
uint64_t seglog_walk_left(const struct seglog_walk *w);         /* bytes of the file behind the last sound record */
void seglog_walk_close(struct seglog_walk *w);
#endif
