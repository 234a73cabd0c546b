/* cmd_store - see cmd_store.h. Files are replaced as a whole by their writers, so what is read is one state or the
 * next, never half of each; between two files anything may have happened. */
#include "tools/mom/cmd_store.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/hex.h"
#include "log/seglog.h"
#include "log/store_file.h"
#include "log/checkpoint_file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include "format/limits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 64 * 1024 };

/* as fdio_load */
static char *
store_load(const char *folder, const char *name, size_t most)
{
	size_t n;
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *text = dir < 0 ? NULL : fdio_load(dir, name, &n, most);
	int keep = errno;
	fdio_close(&dir);
	errno = keep;
	return text;
}

int
store_names(const char *folder, struct store_names *s)
{
	struct store_file f;
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = dir < 0 ? -1 : store_file_read(&f, dir);
	*s = (struct store_names){ .newer = r < 0 && errno == EPROTONOSUPPORT };
	if (r == 0) {
		hex_text(s->id, f.id, sizeof f.id);
		s->shards = f.shards;
		s->message = f.message;
	}
	int keep = errno;
	fdio_close(&dir);
	errno = keep;
	return s->newer ? 0 : r;
}

int
spool_store(const char *folder, char store[40])
{
	char *text = store_load(folder, "identity", 4096);
	int found = text && sscanf(text, "mom spool %*u machine %*32s store %32s", store) == 1 &&
	    strspn(store, "0") != strlen(store);
	int error = text ? ENOENT : errno;
	free(text);
	errno = error;
	return found ? 0 : -1;
}

/* ---- machines ---- */

/* The list is by serial. */
static struct store_machine *
machine_of(struct store_machine *list, int count, uint64_t serial)
{
	int from = 0, to = count;
	while (from < to) {
		int i = from + (to - from) / 2;
		if (list[i].serial == serial)
			return &list[i];
		if (list[i].serial < serial)
			from = i + 1;
		else
			to = i;
	}
	return NULL;
}

/* Check-points begin with their machines: what follows is not read. */
static void
checkpoint_machines(int fd, uint32_t shard, struct store_machine *list, int count, int64_t age)
{
	char *bytes = malloc(PIECE);
	uint64_t at = CHECKPOINT_HEADER, as_of;
	ssize_t n = bytes ? fdio_pread_full(fd, bytes, CHECKPOINT_HEADER, 0) : -1;
	int more = n == CHECKPOINT_HEADER && memcmp(bytes, "MOMCKPT\n", 8) == 0 &&
	    get_u32(bytes + 8) <= CHECKPOINT_VERSION;
	as_of = more ? get_u64(bytes + 16) : 0;
	while (more && (n = fdio_pread_full(fd, bytes, PIECE, at)) >= RECORD_HEADER) {
		size_t q = 0;
		for (struct record r; more && q + RECORD_HEADER <= (size_t)n; q += record_stride(r.len)) {
			record_get(&r, bytes + q);
			more = r.type == REC_MACHINE && r.len == RECORD_HEADER &&
			    r.crc == record_crc(bytes + q, r.len, as_of);
			struct store_machine *m = more ? machine_of(list, count, r.publisher) : NULL;
			if (m == NULL)
				continue;
			m->place[shard] = r.aux;
			if (m->away < 0 || r.time + age < m->away)
				m->away = r.time + age;
		}
		at += q;
		more &= q > 0;
	}
	free(bytes);
}

/* None is known to be away, or to have a place. */
static int
machines_list(const struct known_machine *known, uint32_t count, struct store_machine **list)
{
	*list = calloc(count + 1, sizeof **list);
	for (uint32_t i = 0; *list && i < count; i++) {
		struct store_machine *m = &(*list)[i];
		*m = (struct store_machine){ .serial = known[i].serial, .away = -1 };
		m->place = malloc(SHARDS_MAX * sizeof *m->place);
		hex_text(m->id, known[i].id, WIRE_ID_BYTES);
		if (m->place == NULL)
			return -1;
		memset(m->place, 0xff, SHARDS_MAX * sizeof *m->place);
	}
	return *list ? 0 : -1;
}

void
store_machines_free(struct store_machine *list, int count)
{
	for (int i = 0; list && i < count; i++)
		free(list[i].place);
	free(list);
}

int
store_machines(const char *folder, uint32_t shards, struct store_machine **list)
{
	char path[PATH_MAX];
	struct stat st;
	*list = NULL;
	struct machines_file known;
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = dir < 0 ? -1 : machines_file_read(&known, dir), error = errno;
	fdio_close(&dir);
	errno = error;
	if (r < 0)
		return errno == ENOENT ? 0 : -1;       /* none has come yet */
	int count = (int)known.count;
	r = machines_list(known.list, known.count, list);
	error = errno;
	free(known.list);
	if (r < 0) {
		store_machines_free(*list, count);
		errno = error;
		return -1;
	}
	for (uint32_t k = 0; k < shards; k++) {
		if (snprintf(path, sizeof path, "%s/shard-%u/checkpoint", folder, k) >= (int)sizeof path)
			break;
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0 && fstat(fd, &st) == 0)
			checkpoint_machines(fd, k, *list, count, clock_wall_us() / 1000000 - st.st_mtime);
		fdio_close(&fd);
	}
	return count;
}

/* Positions of one incarnation can be subtracted; where the next segment is of another, what is in the file counts. */
static uint64_t
segment_behind(int dir, uint64_t base, uint64_t end, uint64_t place)
{
	struct stat st;
	char name[32];
	uint64_t from = place > base ? place : base;
	if (end <= from)
		return 0;
	if (offset_incarnation(base) == offset_incarnation(end))
		return end - from;
	snprintf(name, sizeof name, "log-%016llx", (unsigned long long)base);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || (uint64_t)st.st_size < SEGLOG_HEADER + (from - base))
		return 0;
	return (uint64_t)st.st_size - SEGLOG_HEADER - (from - base);
}

uint64_t
store_behind(const char *folder, uint32_t shard, uint64_t place, uint64_t head)
{
	char path[PATH_MAX];
	struct seglog_file *files;
	size_t count;
	uint64_t sum = 0;
	if (place >= head)
		return 0;
	if (offset_incarnation(place) == offset_incarnation(head))
		return head - place;
	if (snprintf(path, sizeof path, "%s/shard-%u", folder, shard) >= (int)sizeof path)
		return 0;
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || seglog_list(dir, &files, &count) < 0) {
		fdio_close(&dir);
		return 0;
	}
	for (size_t i = 0; i < count && files[i].base < head; i++)
		sum += segment_behind(dir, files[i].base, i + 1 < count && files[i + 1].base < head ? files[i + 1].base
		    : head, place);
	free(files);
	close(dir);
	return sum;
}
