/* What the parts of the log share; nobody else includes it. */
#ifndef SEGLOG_INNER_H
#define SEGLOG_INNER_H
#include "log/seglog.h"
enum { SEGLOG_NAME = 32 };
#define SEGLOG_LAST (UINT64_C(1) << 39)     /* no segment begins at this position of an incarnation, or behind */
void seglog_name(char *name, uint64_t base);
void seglog_head_put(unsigned char bytes[SEGLOG_HEADER], const struct seglog_head *head);
int  seglog_begin(struct seglog *l, uint64_t base);        /* the same, or it is missing */
/* Files that are used again. keep: 0, the segment is gone as if it was unlinked. take: the file under that name, or -1.
 * room: bytes that the next one has already */
int  seglog_spare_keep(struct seglog *l, const struct seglog_file *file, const char *name);
int  seglog_spare_take(struct seglog *l, const char *temp);
uint64_t seglog_spare_room(const struct seglog *l);
int  seglog_finish(struct seglog *l, uint64_t next);

/* May this record, of which n bytes are there, stand at offset `at` (in a packed segment: there or behind, its END
 * also before, where all that is left lies before)? Recovery and readers ask
 * the same, so that what one accepts the other gets. An END that leads back, or to where it stands itself, is none. */
int seglog_is_sound(const char *p, size_t n, uint64_t at, uint64_t base, uint64_t salt, int packed);

/* One file read from its start, record by record, each checked. */
struct seglog_scan {
	int fd, packed, reused;
	uint64_t base, salt;
	uint64_t pos, at;           /* behind the last sound record: in the file, as an offset */
	/* no record but END begins here or above: the next segment does; 0: none is known */
	uint64_t limit;
	uint64_t size;              /* of the file */
	uint64_t mark, end;         /* highest MARK; where END leads, 0: no END */
	char *buffer;               /* room bytes: holds a largest record several times */
	size_t room, most;          /* most: bytes of one record */
};
int  scan_begin(struct seglog_scan *s, const struct seglog *l);        /* its memory */
/* 0; 1: its header is damaged; -1: errno (logged) */
int  scan_open(struct seglog_scan *s, int dir, uint64_t base, uint64_t limit);
/* Sound records, shown to fn from `from` on, up to END, damage or the file's end. -1: I/O error or fn said so. */
int  scan_records(struct seglog_scan *s, uint64_t from, seglog_fn fn, void *with);
/* Is there, behind what is not sound, a mark that says that it was on disk? Then it is damage and not a torn tail. -1:
 * errno */
int  scan_has_later_mark(struct seglog_scan s);
/* Writes the segment anew around its damage. next: base of the segment that follows. torn: what is not sound behind the
 * last mark was never on disk and no gap. */
int  seglog_mend(struct seglog *l, uint64_t base, uint64_t next, int torn);
/* A file that is no part of the log moves to corrupt. */
int  seglog_set_aside(struct seglog *l, uint64_t base);
#endif
