/* The one reader of a segment: recovery, a cursor beside the writer, and tools that look at a store from outside read
 * their records through it, so all of them get the same. It never writes.
 *     struct seglog_reader r;
 *     if (seglog_reader_open(&r, dir, base, O_RDONLY) == 0)
 *         while ((n = seglog_reader_next(&r, &bytes)) > 0) look_at(bytes, n);
 *     seglog_reader_close(&r); */
#ifndef SEGLOG_READER_H
#define SEGLOG_READER_H
#include "format/record.h"
#include <stddef.h>
#include <sys/types.h>

enum { SEGLOG_HEADER = 64, SEGLOG_VERSION = 3 /* 2: properties, 3: groups */,
    SEGLOG_RECORD_LIMIT = 2 * RECORD_MOST(MESSAGE_LIMIT) };
#define SEGLOG_LAST (UINT64_C(1) << 39)     /* no segment begins at or above this position */

struct seglog_head { uint64_t base, salt; int packed, reused; };

struct seglog_reader {
	int fd;
	struct seglog_head head;
	uint64_t pos, at;               /* behind the last sound record: pos in the file; at as an offset, END aside */
	uint64_t mark, end;             /* mark: highest MARK; end: where END leads, 0: none was met */
	/* No record but END ends above this offset, since the next segment begins there. 0: no next segment is
	 * known. */
	uint64_t limit;
	size_t most;                    /* bytes of a largest record */
	char *buffer;                   /* of seglog_reader_next, which makes it: room bytes */
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
 * ENOTSUP: a newer format. flags: O_RDONLY or O_RDWR. */
int seglog_reader_open(struct seglog_reader *r, int dir, uint64_t base, int flags);
/* The same, of a file that is open already: whatever segment it is. If it fails, fd is the caller's still. */
int seglog_reader_begin(struct seglog_reader *r, int fd);
/* If a record that may stand here begins at p, of which n bytes are there: moves on behind it, and returns its stride.
 * 0: it is not sound, or not whole, or END was met before. In a packed segment a record's offset may exceed r->at; END
 * may also be lower. An END that leads back, or to the place where it stands itself, is not valid. */
uint32_t seglog_reader_step(struct seglog_reader *r, const char *p, size_t n);
/* Reads whole sound records, and END, into r's own memory. Returns how many bytes; 0: there are no more, and
 * seglog_reader_tail says why; -1: errno */
ssize_t seglog_reader_next(struct seglog_reader *r, const char **bytes);
/* Says why there are no more records. It may wait 100 ms for a writer that is in the middle of a record. */
enum seglog_tail seglog_reader_tail(struct seglog_reader *r);
/* Moves on over damage to the next sound record: 1; 0: there is none; -1: errno. r->room has to be more than r->most
 * and 8 bytes. */
int seglog_reader_resume(struct seglog_reader *r);
/* Does a MARK behind what is not sound say that this was on disk? 1: it is damage and no torn tail. -1: errno */
int seglog_reader_has_later_mark(struct seglog_reader *r);
int seglog_reader_is_stale(const struct seglog_reader *r);      /* 1: the segment is gone, its file another one now */
uint64_t seglog_reader_left(const struct seglog_reader *r);     /* bytes of the file behind the last sound record */
void seglog_reader_close(struct seglog_reader *r);
#endif
