/* seglog_spare - files that are used again: their blocks are on the disk and their pages in memory, so that they are
 * written several times faster than new ones; see seglog.h. By their names a start after a crash removes them. */
#include "base/fdio.h"
#include "base/log.h"
#include "log/seglog_inner.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { SPARES_MOST = 3 };

static void
spare_name(char *name, unsigned i)
{
	sprintf(name, "spare-%u.new", i);
}

int
seglog_spare_keep(struct seglog *l, const struct seglog_file *file, const char *name)
{
	struct stat st;
	char spare[SEGLOG_NAME];
	if (l->spares == SPARES_MOST || file->bytes > l->segment_bytes || file->bytes < l->segment_bytes / 2 ||
	    fstatat(l->dir, name, &st, 0) < 0 || st.st_nlink != 1)
		return -1;
	spare_name(spare, l->spares);
	if (fdio_rename_at(l->dir, name, spare) < 0)
		return -1;
	l->spares++;
	return 0;
}

void
seglog_drop_spares(struct seglog *l)
{
	char spare[SEGLOG_NAME];
	while (l->spares) {
		spare_name(spare, --l->spares);
		if (fdio_unlink_at(l->dir, spare) < 0 && errno != ENOENT)
			log_warn("unlink(%s): %s: the next start removes it", spare, strerror(errno));
	}
}

/* What the next segment has already: its file may hold less than one, the rest is taken when it is made. */
uint64_t
seglog_spare_room(const struct seglog *l)
{
	struct stat st;
	char spare[SEGLOG_NAME];
	if (l->spares == 0)
		return 0;
	spare_name(spare, l->spares - 1);
	return fstatat(l->dir, spare, &st, 0) < 0 ? 0 : (uint64_t)st.st_blocks * 512 + SEGMENT_MIN;
}

int
seglog_spare_take(struct seglog *l, const char *temp)
{
	char spare[SEGLOG_NAME];
	if (l->spares == 0)
		return -1;
	spare_name(spare, --l->spares);
	return fdio_rename_at(l->dir, spare, temp) < 0 ? -1 : fdio_open_at(l->dir, temp, O_RDWR, 0);
}
