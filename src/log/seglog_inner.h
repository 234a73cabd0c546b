/* What the parts of the log share. Nobody else includes it. */
#ifndef SEGLOG_INNER_H
#define SEGLOG_INNER_H
#include "log/seglog.h"
enum { SEGLOG_NAME = 32 };
#define SEGLOG_LAST (UINT64_C(1) << 39)     /* no segment begins at or above this position */
void seglog_name(char *name, uint64_t base);
void seglog_head_put(unsigned char bytes[SEGLOG_HEADER], const struct seglog_head *head);
int  seglog_begin(struct seglog *l, uint64_t base);        /* makes the segment at base; -1: l->missing */
/* Files that are used again. keep: 0: the segment is gone, as if it was unlinked. take: the file, under that name now,
 * or -1. room: bytes that the next such file has already. */
int  seglog_spare_keep(struct seglog *l, const struct seglog_file *file, const char *name);
int  seglog_spare_take(struct seglog *l, const char *temp);
uint64_t seglog_spare_room(const struct seglog *l);
int  seglog_finish(struct seglog *l, uint64_t next);

/* May this record stand at offset `at`? n of its bytes are there. In a packed segment a record's offset may exceed
 * `at`; END may also be lower. Recovery and readers both ask this, so that readers get what recovery accepts. An END
 * that leads back, or to the place where it stands itself, is not valid. */
int seglog_is_sound(const char *p, size_t n, uint64_t at, uint64_t base, uint64_t salt, int packed);

/* One file that is read from its start, record by record. Each record is checked. */
struct seglog_scan {
	int fd, packed, reused;
	uint64_t base, salt;
	uint64_t pos, at;           /* behind the last sound record: pos in the file, at as an offset */
	/* No record but END begins at or above this offset, since the next segment does. 0: no next segment is
	 * known. */
	uint64_t limit;
	uint64_t size;              /* bytes of the file */
	uint64_t mark, end;         /* mark: highest MARK; end: where END leads, 0: no END */
	char *buffer;               /* room bytes; a largest record fits several times */
	size_t room, most;          /* most: bytes of a largest record */
};
int  scan_begin(struct seglog_scan *s, const struct seglog *l);        /* makes its buffer */
/* 0; 1: its header is damaged, or of another segment; -1: errno (logged) */
int  scan_open(struct seglog_scan *s, int dir, uint64_t base, uint64_t limit);
/* Reads sound records up to END, damage or the file's end; those from `from` on are shown to fn. -1: I/O error, or fn
 * said so. */
int  scan_records(struct seglog_scan *s, uint64_t from, seglog_fn fn, void *with);
/* Does a mark behind the unsound part say that this part was on disk? 1: it is damage and not a torn tail. -1: errno */
int  scan_has_later_mark(struct seglog_scan s);
/* Writes the segment anew around its damage. next: base of the segment that follows. torn: what is not sound behind the
 * last mark was never on disk, and makes no gap. */
int  seglog_mend(struct seglog *l, uint64_t base, uint64_t next, int torn);
/* Moves a file that is no part of the log to corrupt. */
int  seglog_set_aside(struct seglog *l, uint64_t base);
#endif
