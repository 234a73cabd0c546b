/* cmd_store - see cmd_store.h. Files are replaced as a whole by their writers, so what is read is one state or the next, never half of each;
 * between two files anything may have happened. */
#include "tools/cmd_store.h"
#include "common/clock.h"
#include "common/fdio.h"
#include "common/hex.h"
#include "common/seglog.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mom/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MACHINES_MOST = 64 * 1024 * 1024, PIECE = 64 * 1024, CHECKPOINT_HEAD = 64 };

char *
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
	unsigned version = 0;
	*s = (struct store_names){ .message = MOM_MESSAGE_MAX };
	char *text = store_load(folder, "store", 4096);
	if (text == NULL)
		return -1;
	int fields = sscanf(text, "mom store %u id %32s shards %u message %u", &version, s->id, &s->shards, &s->message);
	free(text);
	s->newer = fields >= 1 && version > 1;
	if (s->newer || (fields >= 3 && s->shards >= 1 && s->shards <= SHARDS_MAX))
		return 0;
	errno = EBADMSG;
	return -1;
}

int
spool_store(const char *folder, char store[40])
{
	char *text = store_load(folder, "identity", 4096);
	int found = text && sscanf(text, "mom spool %*u machine %*32s store %32s", store) == 1 && strspn(store, "0") != strlen(store);
	int error = text ? ENOENT : errno;
	free(text);
	errno = error;
	return found ? 0 : -1;
}

/* ---- machines ---- */

/* Check-points begin with their machines: what follows is not read. */
static void
checkpoint_machines(int fd, uint32_t shard, struct store_machine *list, int count, int64_t age)
{
	char *bytes = malloc(PIECE);
	uint64_t at = CHECKPOINT_HEAD, as_of;
	ssize_t n = bytes ? fdio_pread_full(fd, bytes, CHECKPOINT_HEAD, 0) : -1;
	int more = n == CHECKPOINT_HEAD && memcmp(bytes, "MOMCKPT\n", 8) == 0 && get_u32(bytes + 8) == 1;
	as_of = more ? get_u64(bytes + 16) : 0;
	while (more && (n = fdio_pread_full(fd, bytes, PIECE, at)) >= RECORD_HEADER) {
		size_t q = 0;
		for (struct record r; more && q + RECORD_HEADER <= (size_t)n; q += record_stride(r.len)) {
			record_get(&r, bytes + q);
			more = r.type == REC_MACHINE && r.len == RECORD_HEADER && r.crc == record_crc(bytes + q, r.len, as_of);
			if (!more || r.publisher < 1 || r.publisher > (uint64_t)count)
				continue;
			struct store_machine *m = &list[r.publisher - 1];
			m->place[shard] = r.aux;
			if (m->away < 0 || r.time + age < m->away)
				m->away = r.time + age;
		}
		at += q;
		more &= q > 0;
	}
	free(bytes);
}

static int
machines_lines(char *text, struct store_machine **list)
{
	char *rest = NULL;
	int count = 0, room = 0;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		struct store_machine m = { .away = -1 };
		if (sscanf(line, "%u %32s", &m.serial, m.id) != 2 || m.serial != (uint32_t)count + 1)
			return errno = EBADMSG, count;
		if (count == room) {
			struct store_machine *grown = realloc(*list, (size_t)(room = room * 2 + 16) * sizeof *grown);
			if (grown == NULL)
				return count;
			*list = grown;
		}
		m.place = malloc(SHARDS_MAX * sizeof *m.place);
		if (m.place == NULL)
			return count;
		memset(m.place, 0xff, SHARDS_MAX * sizeof *m.place);
		(*list)[count++] = m;
	}
	errno = 0;
	return count;
}

void
store_machines_free(struct store_machine *list, int count)
{
	for (int i = 0; i < count; i++)
		free(list[i].place);
	free(list);
}

int
store_machines(const char *folder, uint32_t shards, struct store_machine **list)
{
	char path[PATH_MAX];
	struct stat st;
	*list = NULL;
	char *text = store_load(folder, "machines", MACHINES_MOST);
	if (text == NULL)
		return errno == ENOENT ? 0 : -1;       /* none has come yet */
	int count = machines_lines(text, list), error = errno;
	free(text);
	if (error) {
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
		sum += segment_behind(dir, files[i].base, i + 1 < count && files[i + 1].base < head ? files[i + 1].base : head, place);
	free(files);
	close(dir);
	return sum;
}
