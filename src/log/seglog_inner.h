/* What the parts of the log share. Nobody else includes it. */
#ifndef SEGLOG_INNER_H
#define SEGLOG_INNER_H
#include "log/seglog.h"
enum { SEGLOG_NAME = 32 };
void seglog_name(char *name, uint64_t base);
void seglog_head_put(unsigned char bytes[SEGLOG_HEADER], const struct seglog_head *head);
int  seglog_begin(struct seglog *l, uint64_t base);        /* makes the segment at base; -1: l->missing */
/* Files that are used again. keep: 0: the segment is gone, as if it was unlinked. take: the file, under that name now,
 * or -1. room: bytes that the next such file has already. */
int  seglog_spare_keep(struct seglog *l, const struct seglog_file *file, const char *name);
int  seglog_spare_take(struct seglog *l, const char *temp);
uint64_t seglog_spare_room(const struct seglog *l);
int  seglog_finish(struct seglog *l, uint64_t next);

/* A segment is opened for the writer's own look at it. 0; 1: its header is damaged, or of another segment; -1: errno
 * (logged). limit: where the next segment begins, 0: unknown. */
int  segment_open(struct seglog_reader *r, const struct seglog *l, uint64_t base, uint64_t limit);
/* Reads sound records up to END, damage or the file's end; those from `from` on are shown to fn. -1: I/O error, or fn
 * said so. */
int  segment_records(struct seglog_reader *r, uint64_t from, seglog_fn fn, void *with);
/* Writes the segment anew around its damage. next: base of the segment that follows. torn: what is not sound behind the
 * last mark was never on disk, and makes no gap. */
int  seglog_mend(struct seglog *l, uint64_t base, uint64_t next, int torn);
/* Moves a file that is no part of the log to corrupt. */
int  seglog_set_aside(struct seglog *l, uint64_t base);
#endif
