/* seglog - the writer's side of a log in segments; see seglog.h. Recovery is in seglog_recover.c, what is written
 * anew (packed, mended) in seglog_rewrite.c, readers in seglog_reader.c and seglog_cursor.c */
#include "log/seglog.h"
#include "base/crc32c.h"
#include "base/fdio.h"
#include "base/log.h"
#include "log/seglog_inner.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

void
seglog_name(char *name, uint64_t base)
{
	sprintf(name, "log-%016llx", (unsigned long long)base);
}

static int
seglog_note_file(struct seglog *l, uint64_t base)
{
	if (l->count == l->files_room) {
		size_t room = l->files_room ? l->files_room * 2 : 16;
		struct seglog_file *grown = realloc(l->files, room * sizeof *grown);
		if (grown == NULL)
			return -1;
		l->files = grown;
		l->files_room = room;
	}
	l->files[l->count++] = (struct seglog_file){ .base = base, .bytes = SEGLOG_HEADER };
	l->total += SEGLOG_HEADER;
	return 0;
}

void
seglog_head_put(unsigned char bytes[SEGLOG_HEADER], const struct seglog_head *head)
{
	memset(bytes, 0, SEGLOG_HEADER);
	memcpy(bytes, "MOMLOG1\n", 8);
	put_u32(bytes + 8, SEGLOG_VERSION);
	put_u32(bytes + 12, (uint32_t)head->packed);
	put_u64(bytes + 16, head->base);
	put_u64(bytes + 24, head->salt);
	put_u32(bytes + 32, (uint32_t)head->reused);
	put_u32(bytes + 60, crc32c(0, bytes, 60));
}

/* A segment must fit whole: its last records could not be written otherwise. */
static int
seglog_may_grow(const struct seglog *l)
{
	struct rlimit most;
	if (getrlimit(RLIMIT_FSIZE, &most) < 0 || most.rlim_cur >= l->segment_bytes)
		return 1;
	errno = EFBIG;
	return 0;
}

/* The disk space is taken here, so that a full disk is met between records and never inside one. */
static int
seglog_create(struct seglog *l, uint64_t base)
{
	char name[SEGLOG_NAME], temp[SEGLOG_NAME + 8];
	unsigned char head[SEGLOG_HEADER];
	struct seglog_head h = { .base = base };
	seglog_name(name, base);
	snprintf(temp, sizeof temp, "%s.new", name);
	if (!seglog_may_grow(l) || fdio_random(&h.salt, sizeof h.salt) < 0)
		return -1;
	int fd = seglog_spare_take(l, temp);
	int spare = fd >= 0;
	/* also a new one: zeros may lie behind its records, see seglog_prepare */
	h.reused = 1;
	if (fd < 0 && (fd = fdio_open_at(l->dir, temp, O_RDWR | O_CREAT | O_TRUNC, 0600)) < 0)
		return -1;
	seglog_head_put(head, &h);
	if (fdio_allocate(fd, l->segment_bytes) < 0 || fdio_pwrite_full(fd, head, sizeof head, 0) < 0 ||
	    fdio_sync(fd) < 0 || fdio_rename_at(l->dir, temp, name) < 0 || fdio_sync(l->dir) < 0 ||
	    seglog_note_file(l, base) < 0) {
		int keep = errno;
		close(fd);
		unlinkat(l->dir, temp, 0);
		errno = keep;
		return -1;
	}
	fdio_close(&l->fd);
	l->fd = fd;
	l->salt = h.salt;
	l->base = l->end = l->written = l->synced = l->kicked = base;
	l->prepared = base + (spare ? l->segment_bytes : 0);
	return 0;
}

int
seglog_begin(struct seglog *l, uint64_t base)
{
	fdio_close(&l->fd);
	l->base = l->end = l->written = l->synced = l->kicked = base;
	l->missing = seglog_create(l, base) < 0;
	return l->missing ? -1 : 0;
}

static uint64_t
seglog_in_file(const struct seglog *l)
{
	return l->end - l->base + SEGLOG_HEADER;
}

int
seglog_flush(struct seglog *l)
{
	if (l->used == 0)
		return 0;
	if (fdio_pwrite_full(l->fd, l->buffer, l->used, l->written - l->base + SEGLOG_HEADER) < 0)
		return -1;
	l->written += l->used;
	l->total += l->used;
	l->files[l->count - 1].bytes += l->used;
	l->used = 0;
	if (l->written - l->kicked >= WRITE_BACK_BYTES) {
		fdio_write_back(l->fd, l->kicked - l->base + SEGLOG_HEADER, l->written - l->kicked);
		l->kicked = l->written;
	}
	return 0;
}

enum { PREPARE_BYTES = 256 * 1024 };

/* Small syncs one after the other: zeros are written ahead of them, so that each finds its blocks made and takes half
 * the time. */
static void
seglog_prepare(struct seglog *l)
{
	static char zeros[PREPARE_BYTES];               /* never written: takes no memory */
	uint64_t at = l->prepared > l->written ? l->prepared : l->written, place = at - l->base + SEGLOG_HEADER;
	if (l->written <= l->prepared || l->written - l->synced > PREPARE_BYTES / 16 ||
	    place + sizeof zeros > l->segment_bytes)
		return;
	l->prepared = at + sizeof zeros;
	/* only a wish: a full disk that could not be taken beforehand, perhaps */
	(void)fdio_pwrite_full(l->fd, zeros, sizeof zeros, place);
}

int
seglog_sync(struct seglog *l)
{
	if (seglog_flush(l) < 0)
		return -1;
	if (l->synced == l->written)
		return 0;
	seglog_prepare(l);
	if (fdio_datasync(l->fd) < 0)
		return -1;
	l->synced = l->written;
	return 0;
}

static void *
seglog_room(struct seglog *l, uint32_t stride)
{
	if (l->used + stride > l->room && seglog_flush(l) < 0)
		return NULL;
	return l->buffer + l->used;
}

uint64_t
seglog_take(struct seglog *l, void *at)
{
	uint64_t offset = l->end;
	uint32_t len = get_u32(at);
	put_u64((char *)at + 16, offset);
	put_u32((char *)at + 4, record_crc(at, len, l->salt));
	l->used += record_stride(len);
	l->end += record_stride(len);
	return offset;
}

static int
seglog_note(struct seglog *l, int type, uint64_t aux)
{
	struct record r = { .type = (uint8_t)type, .aux = aux };
	void *at = seglog_room(l, RECORD_HEADER);
	if (at == NULL)
		return -1;
	record_make(at, &r, NULL, NULL, 0);
	seglog_take(l, at);
	return 0;
}

/* END, on disk, before the next segment has its first record: so only the last segment can have a torn tail. */
int
seglog_finish(struct seglog *l, uint64_t next)
{
	l->prepared = UINT64_MAX;               /* nothing follows */
	if (seglog_note(l, REC_END, next) < 0 || seglog_sync(l) < 0)
		return -1;
	if (fdio_truncate(l->fd, l->written - l->base + SEGLOG_HEADER) < 0)      /* gives back what lies beyond */
		log_warn("ftruncate: %s: a little disk space is lost until the segment goes, by itself",
		    strerror(errno));
	return 0;
}

uint64_t
seglog_room_left(const struct seglog *l, uint64_t *whole)
{
	struct statvfs st;
	uint64_t takes = l->segment_bytes + SEGMENT_MIN;
	*whole = 0;
	if (fdio_statvfs(l->dir, &st) < 0)
		return 0;
	*whole = (uint64_t)st.f_blocks * st.f_frsize;
	uint64_t left = (uint64_t)st.f_bavail * st.f_frsize + l->spares * l->segment_bytes;
	return left < takes ? 0 : left - takes;
}

/* Is there room for one more segment? */
static int
seglog_probe(struct seglog *l)
{
	struct statvfs st;
	if (!seglog_may_grow(l))
		return -1;
	/* several that hold too little each may hold enough together */
	for (int more = 1; more; seglog_drop_spares(l)) {
		more = l->spares > 0;
		if (fdio_statvfs(l->dir, &st) < 0)
			return -1;
		if ((uint64_t)st.f_bavail * st.f_frsize + seglog_spare_room(l) >= l->segment_bytes + SEGMENT_MIN)
			return 0;
	}
	errno = ENOSPC;
	return -1;
}

int
seglog_roll(struct seglog *l)
{
	uint64_t next = l->end + RECORD_HEADER;
	if (offset_position(next) >= SEGLOG_LAST)
		next = (uint64_t)(offset_incarnation(next) + 1) << 40;
	if (next < l->end) {                    /* the last incarnation is used up: a start says so, too */
		errno = EOVERFLOW;
		return -1;
	}
	/* room on the disk first: a full one must leave the old segment open */
	if (seglog_probe(l) < 0 || seglog_finish(l, next) < 0)
		return -1;
	return seglog_begin(l, next);           /* END is written: nothing may follow it here */
}

int
seglog_renew(struct seglog *l)
{
	uint64_t next = l->end + RECORD_HEADER;
	if (seglog_roll(l) == 0)
		return 0;
	if (errno != ENOSPC || l->missing || seglog_finish(l, next) < 0)
		return -1;
	fdio_close(&l->fd);
	l->base = l->end = l->written = l->synced = next;
	l->missing = 1;
	seglog_prune(l, next);
	return seglog_begin(l, next);
}

void *
seglog_reserve(struct seglog *l, uint32_t stride, uint32_t spare)
{
	if (l->missing && (seglog_probe(l) < 0 || seglog_begin(l, l->base) < 0))
		return NULL;
	if (l->fd < 0) {
		errno = EIO;
		return NULL;
	}
	if (seglog_in_file(l) + stride + spare + 3 * RECORD_HEADER > l->segment_bytes && seglog_roll(l) < 0)
		return NULL;
	/* written once after each sync: what recovery may not cut */
	if (l->marked < l->synced && l->synced > l->base && l->used == 0) {
		l->marked = l->synced;
		if (seglog_note(l, REC_MARK, l->synced) < 0)
			return NULL;
	}
	return seglog_room(l, stride);
}

void
seglog_prune(struct seglog *l, uint64_t below)
{
	size_t n = 0;
	char name[SEGLOG_NAME];
	unsigned spares = l->spares;
	while (n + 1 < l->count ? l->files[n + 1].base <= below : n < l->count && l->missing && l->base <= below) {
		seglog_name(name, l->files[n].base);
		if (seglog_spare_keep(l, &l->files[n], name) < 0 && fdio_unlink_at(l->dir, name) < 0 &&
		    errno != ENOENT) {
			log_warn("unlink(%s): %s: %s", name, strerror(errno), fdio_hint(errno));
			break;
		}
		l->total -= l->files[n].bytes;
		n++;
	}
	memmove(l->files, l->files + n, (l->count - n) * sizeof *l->files);
	l->count -= n;
	/* before they are written to: under its old name nothing new may ever be found */
	if (l->spares != spares && fdio_sync(l->dir) < 0)
		seglog_drop_spares(l);
}

enum { LOOKED_AT = 64 };

uint64_t
seglog_gone(struct seglog *l)
{
	char name[SEGLOG_NAME];
	seglog_name(name, l->base);
	if (l->fd >= 0 && !fdio_leads_to(l->dir, name, l->fd))
		return l->base;
	for (size_t n = 0; n < LOOKED_AT && n < l->count; n++) {
		l->looked = (l->looked + 1) % l->count;
		seglog_name(name, l->files[l->looked].base);
		if (!fdio_leads_to(l->dir, name, -1))
			return l->files[l->looked].base;
	}
	return 0;
}

void
seglog_close(struct seglog *l)
{
	seglog_drop_spares(l);
	fdio_close(&l->fd);
	free(l->buffer);
	free(l->files);
	l->buffer = NULL;
	l->files = NULL;
}
