/* A log in segments: the worker's store and the daemon's spool are both such a log. It has one writer; readers open the
 * files themselves. An offset is an incarnation (24 bits) and a position (40 bits). Each start of the writer begins a
 * new incarnation, so an offset never comes again. BASE in the name of a file log-BASE is the offset of its first
 * record, in 16 hex digits. The file has a header of 64 bytes, then records, each at its offset - BASE + 64.
 *   0 "MOMLOG1\n"  8 u32 version 3  12 u32 1: packed  16 u64 base  24 u64 salt  32 u32 1: reused  36 zeros  60 u32
 *                  CRC32C of bytes 0..60
 * A finished segment ends in an END record that names the next one. MARK: everything below its aux is on disk. GAP:
 * what lay between its offset and its aux was damaged. A packed segment is a finished one that was written anew with
 * what is still needed of it: its records keep their offsets and stand back to back. A reused segment is a file that
 * held another segment before. The rest of the old one lies behind the new records, under another salt. */
#ifndef SEGLOG_H
#define SEGLOG_H
#include "log/seglog_reader.h"

struct seglog_file { uint64_t base, bytes, note; int due; };     /* note, due: for the owner of the log */
/* corrupt: where damaged segments move to, a path from dir. label: stands in front of their names there. record: bytes
 * of a largest record; in the spool it may stand in an ENTRY with its recipients. shard: GAPs name it. */
struct seglog_place { int dir; const char *corrupt, *label; uint32_t record; uint16_t shard; };

struct seglog {
	struct seglog_place place;
	int dir, fd;
	uint64_t salt, base;            /* of the segment that is written */
	uint64_t end;                   /* where the next record goes */
	uint64_t written, synced, marked;
	/* The kernel was asked to write the pages back up to here, so that a sync finds little left to do. */
	uint64_t kicked;
	/* The file's blocks were written once up to here. To sync those again takes no change of the file system's own
	 * data. */
	uint64_t prepared;
	unsigned spares;                /* how many files spare-N.new there are; they become the next segments */
	uint64_t segment_bytes, total;  /* total: bytes of all files */
	uint32_t record_most;
	size_t looked;                  /* the file that seglog_gone looked at last */
	/* The segment at `base` could not be made. It is tried again when there is something to write. */
	int missing;
	char  *buffer;
	size_t used, room;
	struct seglog_file *files;      /* by base; the last one is being written */
	size_t count, files_room;
};

/* Gets a record at a replay. If it returns anything but 0, the replay ends with -1. */
typedef int (*seglog_fn)(void *with, const void *bytes, uint64_t offset);

/* Recovers the log and starts a new incarnation. A torn tail is cut (and logged). What may not be on disk is written
 * again and synced. Records from offset `from` on are shown to fn. Damage is never cut: what is sound stays, the
 * damaged file moves to corrupt/, and a GAP says how much is missing. If the disk is full, the log is opened all the
 * same; there is room for records once the disk has some. -1: an I/O error, or a file of a newer version (logged). */
int   seglog_open(struct seglog *l, const struct seglog_place *place, uint64_t segment_bytes, uint64_t from,
    seglog_fn fn, void *with);
void  seglog_close(struct seglog *l);
/* Room for a record at the end, in memory. If the segment is full, a new one is begun here. NULL with errno:
 * fdio_is_full (the log goes on for records that still fit), or another one, which is final. spare: bytes of the
 * segment that are kept for more important records. */
void *seglog_reserve(struct seglog *l, uint32_t stride, uint32_t spare);
/* The record that was made at that place counts from here on. Sets its offset and crc; returns the offset. */
uint64_t seglog_take(struct seglog *l, void *at);
int   seglog_flush(struct seglog *l);                 /* writes what was taken; -1: the log must not be used any more */
int   seglog_sync(struct seglog *l);                  /* flushes and calls fdatasync; -1 is final */
/* Removes the segments that end at or below that offset, but for a few files that are used again. */
void  seglog_prune(struct seglog *l, uint64_t below);
void  seglog_drop_spares(struct seglog *l);           /* removes these, too: somebody needs the room */
int   seglog_roll(struct seglog *l);                  /* begins a new segment now */
/* Begins a new segment when nothing in the log is needed. If the disk is full, all old files go first. -1 is final
 * unless fdio_is_full. */
int   seglog_renew(struct seglog *l);
/* Bytes left on the disk, without what a new segment takes. *whole: bytes of the whole disk. */
uint64_t seglog_room_left(const struct seglog *l, uint64_t *whole);
/* To be called once a second. Returns the base of a segment whose file is gone (or, for the one that is being written,
 * replaced by another); 0: none. It looks at some of the finished segments, in turns. */
uint64_t seglog_gone(struct seglog *l);
typedef int (*seglog_keep_fn)(void *with, const void *bytes);             /* 1: the record is still needed */
/* Writes the finished segment number i anew with what is still needed. Readers who have the old file open go on with
 * that. -1: errno. EBADMSG: it is damaged. E2BIG: more than `most` bytes of it are needed (it stays as it is). */
int   seglog_pack(struct seglog *l, size_t i, uint64_t most, seglog_keep_fn keep, void *with);
/* Mends the segment that holds that offset, since it is damaged: see seglog_open. -1: errno */
int   seglog_repair(struct seglog *l, uint64_t at);

struct seglog_cursor { int dir; struct seglog_reader file; };
/* Begins to read at offset `at`. If the log begins above `at`, the cursor stands at the log's start, and 1 is returned.
 * If only the record at `at` is gone (in a packed segment), the cursor stands at the next one, and 0 is returned. -1:
 * errno */
int   seglog_seek(struct seglog_cursor *c, int dir, uint64_t at);
/* Reads whole sound records from c->file.at on, below `limit`, at most room bytes. Returns how many bytes; 0: none. -1:
 * errno. EBADMSG: damage at c->file.at, or room is too small for the record there. ESTALE: the segment is gone and its
 * file used again, so nobody should need it. */
ssize_t seglog_read(struct seglog_cursor *c, void *bytes, size_t room, uint64_t limit);
/* So many bytes that were read last, from the record at offset `at` on, are to be read again. */
void  seglog_unread(struct seglog_cursor *c, uint64_t at, size_t bytes);
void  seglog_leave(struct seglog_cursor *c);
int   seglog_list(int dir, struct seglog_file **files, size_t *count);      /* malloc'd, by base */
#endif
