/* A log in segments: the worker's store and the daemon's spool are both this. One writer; readers open the files
 * themselves. offset = incarnation (24 bits) and position (40): a new incarnation at every start of the writer, so an
 * offset never comes again. File log-BASE (BASE: offset of its first record, 16 hex digits): a header of 64 bytes, then
 * records, each at its offset - BASE + 64.
 *   0 "MOMLOG1\n"  8 u32 version 1  12 u32 1: packed  16 u64 base  24 u64 salt  32 u32 1: reused  36 zeros  60 u32
 *                  CRC32C of bytes 0..60
 * A finished segment ends in an END record that names the next one. MARK: everything below its aux is on disk. GAP:
 * what lay between its offset and its aux was damaged. A packed segment is a finished one that was written anew with
 * what is still needed of it: its records keep their offsets and stand back to back. A reused segment is a file that
 * held another before: behind its records lies what is left of that, under another salt. */
#ifndef SEGLOG_H
#define SEGLOG_H
#include "format/record.h"
#include <stddef.h>
#include <sys/types.h>

enum { SEGLOG_HEADER = 64, SEGLOG_VERSION = 1, SEGLOG_RECORD_LIMIT = 2 * RECORD_MOST(MESSAGE_LIMIT) };

struct seglog_file { uint64_t base, bytes, note; int due; };     /* note, due: the owner's */
/* corrupt: where damaged segments move to, a path from dir; label: what stands in front of their names there; record: a
 * largest one, which in the spool may stand in an ENTRY with its recipients; shard: that GAPs name */
struct seglog_place { int dir; const char *corrupt, *label; uint32_t record; uint16_t shard; };

struct seglog {
	struct seglog_place place;
	int dir, fd;
	uint64_t salt, base;            /* of the segment that is written */
	uint64_t end;                   /* where the next record goes */
	uint64_t written, synced, marked;
	/* up to here the kernel was asked to write pages back: a sync finds little left to do */
	uint64_t kicked;
	/* up to here the file's blocks were written once: to sync those again takes no change of the file system's own
	 * data */
	uint64_t prepared;
	unsigned spares;                /* files spare-N.new that are the next segments */
	uint64_t segment_bytes, total;  /* total: of all files */
	uint32_t record_most;
	size_t looked;                  /* the file that was looked at last: see seglog_gone */
	/* the segment at `base` could not be made: tried again when there is something to write */
	int missing;
	char  *buffer;
	size_t used, room;
	struct seglog_file *files;      /* by base; the last one is written */
	size_t count, files_room;
};

/* a record at a replay; not 0 ends it with -1 */
typedef int (*seglog_fn)(void *with, const void *bytes, uint64_t offset);

/* Recover and start a new incarnation: a torn tail is cut (and logged), what may not be on disk is written again and
 * synced; records from offset `from` on are shown to fn. Damage is never cut: what is sound goes on, the damaged file
 * moves to corrupt, a GAP says how much is missing. On a full disk it is open all the same: there is room once the disk
 * has some. -1: an I/O error, or a file of a newer version (logged). */
int   seglog_open(struct seglog *l, const struct seglog_place *place, uint64_t segment_bytes, uint64_t from,
    seglog_fn fn, void *with);
void  seglog_close(struct seglog *l);
/* Room for a record at the end (in memory; a full segment is left for a new one here), or NULL with errno: fdio_is_full
 * (the log goes on for records that still fit) or another, final. spare: bytes of the segment that are kept for records
 * of more importance. */
void *seglog_reserve(struct seglog *l, uint32_t stride, uint32_t spare);
/* the record made there counts: sets offset and crc, returns its offset */
uint64_t seglog_take(struct seglog *l, void *at);
int   seglog_flush(struct seglog *l);                 /* write what was taken; -1: the log must not be used any more */
int   seglog_sync(struct seglog *l);                  /* flush and fdatasync; -1 is final */
/* segments that end at or below go, but for a few whose files are used again */
void  seglog_prune(struct seglog *l, uint64_t below);
void  seglog_drop_spares(struct seglog *l);           /* these, too: somebody needs the room */
int   seglog_roll(struct seglog *l);                  /* begin a new segment now */
/* Nothing in the log is needed: all files go, then a new one begins. -1 is final unless fdio_is_full. */
int   seglog_renew(struct seglog *l);
/* bytes on the disk, beside what a new segment takes; of how many */
uint64_t seglog_room_left(const struct seglog *l, uint64_t *whole);
/* Once a second: the base of a segment whose file is gone, or another's; 0: none. Of the finished ones some are looked
 * at, in turns */
uint64_t seglog_gone(struct seglog *l);
typedef int (*seglog_keep_fn)(void *with, const void *bytes);             /* 1: the record is still needed */
/* Write the finished segment number i anew with what is still needed; readers who have the old one open go on with
 * that. -1: errno; EBADMSG: it is damaged, E2BIG: more than `most` bytes of it are needed (it stays as it is). */
int   seglog_pack(struct seglog *l, size_t i, uint64_t most, seglog_keep_fn keep, void *with);
/* The segment that holds that offset is damaged: see seglog_open. -1: errno */
int   seglog_repair(struct seglog *l, uint64_t at);

struct seglog_cursor { int dir, fd, packed; uint64_t base, at, salt, pos; };
/* At offset `at`, or at the next that there is where that is gone (1 then, where it is not in a packed segment). -1:
 * errno */
int   seglog_seek(struct seglog_cursor *c, int dir, uint64_t at);
/* Whole sound records from c->at on, below `limit`, at most room bytes: how many. 0: none. -1: errno; EBADMSG: damage
 * at c->at, or room is too small for the record there; ESTALE: the segment is gone and its file used again, so nobody
 * should need it */
ssize_t seglog_read(struct seglog_cursor *c, void *bytes, size_t room, uint64_t limit);
void  seglog_leave(struct seglog_cursor *c);
int   seglog_list(int dir, struct seglog_file **files, size_t *count);      /* malloc'd, by base */
/* For the printer: the header of a file; -1 where it is none of ours or damaged, -2 a newer version, -3 it cannot
 * be read: errno. */
struct seglog_head { uint64_t base, salt; int packed, reused; };
int   seglog_header(int fd, struct seglog_head *head);
#endif
