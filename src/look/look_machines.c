/* look_machines - see look_machines.h. Files are replaced as a whole by their writers, so what is read is one state or
 * the next, never half of each; between two files anything may have happened. */
#include "look/look_machines.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/hex.h"
#include "base/proc.h"
#include "format/record.h"
#include "ipc/ipcq.h"
#include "log/checkpoint_file.h"
#include "log/seglog.h"
#include "log/store_file.h"
#include "look/look_processes.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 64 * 1024 };

/* ---- those that the store knows ---- */

/* place: by shard, UINT64_MAX: none; away: at most so many s, -1: unknown */
struct known { uint32_t serial; char id[40], host[80]; uint64_t *place; int64_t away; };

/* The list is by serial. */
static struct known *
machine_of(struct known *list, int count, uint64_t serial)
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
checkpoint_machines(int fd, uint32_t shard, struct known *list, int count, int64_t age)
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
			struct known *m = more ? machine_of(list, count, r.publisher) : NULL;
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
machines_list(const struct known_machine *given, uint32_t count, struct known **list)
{
	*list = calloc(count + 1, sizeof **list);
	for (uint32_t i = 0; *list && i < count; i++) {
		struct known *m = &(*list)[i];
		*m = (struct known){ .serial = given[i].serial, .away = -1 };
		m->place = malloc(SHARDS_MAX * sizeof *m->place);
		hex_text(m->id, given[i].id, WIRE_ID_BYTES);
		snprintf(m->host, sizeof m->host, "%s", given[i].host);
		if (m->place == NULL)
			return -1;
		memset(m->place, 0xff, SHARDS_MAX * sizeof *m->place);
	}
	return *list ? 0 : -1;
}

static void
known_free(struct known *list, int count)
{
	for (int i = 0; list && i < count; i++)
		free(list[i].place);
	free(list);
}

/* dir: the store's folder */
static int
known_read(int dir, uint32_t shards, struct known **list)
{
	char name[40];
	struct stat st;
	struct machines_file file;
	*list = NULL;
	if (machines_file_read(&file, dir) < 0)
		return errno == ENOENT ? 0 : -1;       /* none has come yet */
	int count = (int)file.count, r = machines_list(file.list, file.count, list), error = errno;
	free(file.list);
	if (r < 0) {
		known_free(*list, count);
		*list = NULL;
		errno = error;
		return -1;
	}
	for (uint32_t k = 0; k < shards; k++) {
		snprintf(name, sizeof name, "shard-%u/checkpoint", k);
		int fd = fdio_open_at(dir, name, O_RDONLY | O_NOFOLLOW, 0);
		if (fd >= 0 && fstat(fd, &st) == 0)
			checkpoint_machines(fd, k, *list, count, clock_wall_us() / 1000000 - st.st_mtime);
		fdio_close(&fd);
	}
	return count;
}

/* ---- how far behind ---- */

/* The segments of a store's logs, listed where they are asked for: once, however many machines there are. */
struct logs {
	const char *folder;
	struct shard_log { int listed; struct seglog_file *files; size_t count; } of[SHARDS_MAX];
};

/* bytes: of the records in a segment's file */
static const struct shard_log *
log_of(struct logs *l, uint32_t shard)
{
	struct shard_log *log = &l->of[shard];
	char path[PATH_MAX], name[32];
	struct stat st;
	if (log->listed)
		return log;
	log->listed = 1;
	int fits = snprintf(path, sizeof path, "%s/shard-%u", l->folder, shard) < (int)sizeof path;
	int dir = fits ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (dir < 0 || seglog_list(dir, &log->files, &log->count) < 0)
		log->count = 0;
	for (size_t i = 0; i < log->count; i++) {
		snprintf(name, sizeof name, "log-%016llx", (unsigned long long)log->files[i].base);
		log->files[i].bytes = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > SEGLOG_HEADER
		    ? (uint64_t)st.st_size - SEGLOG_HEADER : 0;
	}
	fdio_close(&dir);
	return log;
}

static void
logs_free(struct logs *l)
{
	for (uint32_t k = 0; k < SHARDS_MAX; k++)
		free(l->of[k].files);
}

/* Positions of one incarnation can be subtracted; where the next segment is of another, what is in the file counts. */
static uint64_t
segment_behind(const struct seglog_file *f, uint64_t end, uint64_t place)
{
	uint64_t from = place > f->base ? place : f->base;
	if (end <= from)
		return 0;
	if (offset_incarnation(f->base) == offset_incarnation(end))
		return end - from;
	return f->bytes > from - f->base ? f->bytes - (from - f->base) : 0;
}

static uint64_t
log_behind(struct logs *l, uint32_t shard, uint64_t place, uint64_t head)
{
	uint64_t sum = 0;
	if (place >= head)
		return 0;
	if (offset_incarnation(place) == offset_incarnation(head))
		return head - place;
	const struct shard_log *log = log_of(l, shard);
	for (size_t i = 0; i < log->count && log->files[i].base < head; i++) {
		uint64_t next = i + 1 < log->count ? log->files[i + 1].base : head;
		sum += segment_behind(&log->files[i], next < head ? next : head, place);
	}
	return sum;
}

/* ---- those that are connected ---- */

/* What the connection's own processes say: their title is the address, their start the connection's. */
static void
connection_processes(const struct look_server *s, uint32_t slot, struct look_machine *c)
{
	struct look_process p;
	char command[256];
	if (s->counters == NULL || look_process(s, COUNTERS_SENDER(s->counters->shards, slot), &p) < 1 ||
	    proc_command(p.pid, command, sizeof command) < 0 ||
	    strncmp(command, "broker_sender ", 14) != 0)
		return;
	snprintf(c->address, sizeof c->address, "%.140s", command + 14);
	c->seconds = clock_wall_us() / 1000000 - proc_since(p.pid);
}

static int
connection_take(const struct look_server *s, uint32_t slot, struct logs *logs, struct look_machine *c)
{
	const struct broker_table *t = s->broker;
	*c = (struct look_machine){ .connected = 1, .slot = slot, .seconds = -1 };
	if (t == NULL || slot >= atomic_load(&t->conns) || slot >= t->capacity)
		return -1;
	const struct conn_word *w = &t->conn[slot];
	if (atomic_load(&w->state) != CONN_LIVE)
		return 0;
	int id = atomic_load(&w->unit);
	const struct broker_unit *u = id < 0 || ipcq_bytes(id) < broker_unit_words() ? NULL : ipcq_attach_to_read(id);
	c->serial = w->serial;
	c->window = w->window;
	connection_processes(s, slot, c);
	if (u == NULL)
		return 1;                              /* it ends just now */
	c->lag_known = u->magic == MAGIC_UNIT;
	c->taken = atomic_load(&u->delivery_credit);
	for (uint32_t k = 0; k < t->shards && k < SHARDS_MAX; k++) {
		uint64_t place = atomic_load(&u->place[k]), start = atomic_load(&u->start[k]),
		    head = atomic_load(&t->shard[k].head);
		place = place ? place : start ? start - 1 : head;
		c->lag += log_behind(logs, k, place, head);
	}
	ipcq_detach(u);
	return 1;
}

/* ---- all of them ---- */

/* Away: what the check-point said last. */
static void
take_away(const struct look_server *s, const struct known *k, struct logs *logs, struct look_machine *m)
{
	const struct broker_table *t = s->broker;
	m->seconds = k->away;
	for (uint32_t i = 0; t && i < t->shards && i < SHARDS_MAX; i++) {
		if (k->place[i] == UINT64_MAX)
			continue;
		m->lag_known = 1;
		m->lag += log_behind(logs, i, k->place[i], atomic_load(&t->shard[i].head));
	}
}

/* The connected ones, each once. */
static int
take_connected(const struct look_server *s, struct logs *logs, struct look_machine *list, uint32_t most)
{
	struct look_machine m;
	int n = 0, there;
	for (uint32_t slot = 0; slot < most && (there = connection_take(s, slot, logs, &m)) >= 0; slot++) {
		int old = 0;
		while (old < n && list[old].serial != m.serial)
			old++;
		if (there && m.serial)
			list[old] = m;
		n += there && m.serial && old == n;
	}
	return n;
}

static int
by_serial(const void *a, const void *b)
{
	const struct look_machine *x = a, *y = b;
	return x->serial < y->serial ? -1 : x->serial > y->serial;
}

int
look_machines(const struct look_server *s, struct look_machine **list)
{
	struct store_file store;
	struct known *known = NULL;
	struct logs logs = { .folder = s->files };
	int dir = open(s->files, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = dir < 0 ? -1 : store_file_read(&store, dir);
	int newer = r < 0 && errno == EPROTONOSUPPORT, error = errno;
	int count = r == 0 ? known_read(dir, store.shards, &known) : newer ? 0 : -1;
	error = r == 0 ? errno : error;
	fdio_close(&dir);
	if (count < 0 && s->broker)                    /* its connections can be seen all the same */
		count = 0;
	uint32_t conns = s->broker ? atomic_load(&s->broker->conns) : 0;
	*list = count < 0 ? NULL : calloc((size_t)count + conns + 1, sizeof **list);
	errno = error;
	if (*list == NULL) {
		known_free(known, count);
		return -1;
	}
	int n = take_connected(s, &logs, *list, conns), connected = n;
	qsort(*list, (size_t)n, sizeof **list, by_serial);
	for (int i = 0; i < count; i++) {
		struct look_machine key = { .serial = known[i].serial };
		struct look_machine *m = bsearch(&key, *list, (size_t)connected, sizeof key, by_serial);
		if (m == NULL) {
			m = &(*list)[n++];
			*m = (struct look_machine){ .serial = known[i].serial };
			take_away(s, &known[i], &logs, m);
		}
		memcpy(m->id, known[i].id, sizeof m->id);
		memcpy(m->host, known[i].host, sizeof m->host);
	}
	qsort(*list, (size_t)n, sizeof **list, by_serial);
	known_free(known, count);
	logs_free(&logs);
	return n;
}
