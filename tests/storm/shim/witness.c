/* witness - see witness.h. Preloaded into the servers of a run; nothing here allocates, prints, or changes what a call
 * does. */
#include "witness.h"
#include <errno.h>
#include <fcntl.h>
#include "ipc/layout.h"
#include "format/wire.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FDS = 1024, BATCH_DEEDS = 64, UNITS = 16, SLOTS = 4096, TRACE_FD = 800, CARRY_MOST = 4 << 20 };
enum of_fd { OF_NOT_KNOWN, OF_NOTHING, OF_LOG, OF_CHECKPOINT, OF_SOCKET };

static struct {
	int trace;
	uint8_t role;
	uint16_t shard; /* a worker's */
	uint32_t pid;
	struct {
		uint8_t of;
		uint64_t id;
		size_t ahead;
	} fd[FDS]; /* ahead: bytes that were seen here before the call took them */
	struct deed batch[BATCH_DEEDS];
	unsigned count;
	const struct broker_table *table; /* a worker's; a forwarder's are the next two */
	const struct machine_table *machine;
	const struct daemon_unit *daemon;
	uint64_t head, place[SHARDS_MAX];
	struct {
		struct broker_unit *unit;
		uint64_t acked[SLOTS];
	} unit[UNITS];
	struct {
		uint64_t publisher;
		uint32_t generation;
	} asked[SLOTS];
	uint64_t serial;
} me = { .trace = -1 };

__attribute__((constructor)) static void
begin(void)
{
	static const char *const names[] = { "", "worker", "mom_forwarder", "mom_requester", "broker_sender" };
	const char *path = getenv("MOM_WITNESS"), *child = getenv("MOM_CHILD");
	int shard = 0;
	for (unsigned i = ROLE_WORKER_PROCESS; i <= ROLE_SENDER_PROCESS; i++)
		if (strcmp(program_invocation_short_name, names[i]) == 0)
			me.role = (uint8_t)i;
	if (path == NULL || child == NULL || me.role == ROLE_OTHER)
		return;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
	me.trace = fd < 0 ? -1 : (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, TRACE_FD); /* out of the way of theirs */
	syscall(SYS_close, fd);
	me.pid = (uint32_t)syscall(SYS_getpid);
	sscanf(child, "%*d %*d %d", &shard);
	me.shard = (uint16_t)shard;
}

/* ---- writing it down ---- */

static void
flush(void)
{
	size_t n = me.count * sizeof(struct deed);
	if (me.count && syscall(SYS_write, me.trace, me.batch, n) != (long)n)
		abort(); /* what is not seen proves nothing */
	me.count = 0;
}

static struct deed *
deed(enum deed_kind kind)
{
	if (me.count == BATCH_DEEDS)
		flush();
	struct deed *d = &me.batch[me.count++];
	*d = (struct deed){ .pid = me.pid, .kind = (uint8_t)kind, .role = me.role, .shard = me.shard };
	return d;
}

static uint64_t
id_of(int fd)
{
	struct stat st;
	if (syscall(SYS_fstat, fd, &st) < 0)
		return 0;
	return (uint64_t)st.st_dev << 48 ^ (uint64_t)st.st_ino;
}

static enum deed_name
name_of(const char *name, uint64_t *number)
{
	char end[8] = "";
	unsigned long long n = 0;
	*number = 0;
	if (strcmp(name, "checkpoint") == 0)
		return NAME_CHECKPOINT;
	if (strcmp(name, "checkpoint.new") == 0)
		return NAME_CHECKPOINT_NEW;
	int is_log = sscanf(name, "log-%16llx%5s", &n, end) >= 1;
	if (!is_log && sscanf(name, "spare-%llu%5s", &n, end) < 1)
		return NAME_NONE;
	*number = n;
	if (end[0] == '\0')
		return is_log ? NAME_LOG : NAME_NONE;
	return strcmp(end, ".new") ? NAME_NONE : is_log ? NAME_LOG_NEW : NAME_SPARE;
}

static int
keeps_files(void)
{
	return me.trace >= 0 && (me.role == ROLE_WORKER_PROCESS || me.role == ROLE_FORWARDER_PROCESS);
}

static int
speaks(void)
{
	return me.trace >= 0 && (me.role == ROLE_REQUESTER_PROCESS || me.role == ROLE_SENDER_PROCESS);
}

/* ---- words in shared memory: looked at before each call of those who write them, so that none that was written since
 * the last one is missed ---- */

static void
look_at_unit(const struct broker_unit *u, uint64_t *acked)
{
	uint32_t used = atomic_load(&u->by_shard[me.shard].slots_used);
	const struct answer_words *words = broker_unit_answers((struct broker_unit *)(uintptr_t)u, u->slots, me.shard);
	for (uint32_t slot = 0; slot < used && slot < u->slots && slot < SLOTS; slot++) {
		uint64_t number = atomic_load(&words[slot].acked);
		if (number == acked[slot])
			continue;
		struct deed *d = deed(DEED_ACKED);
		d->a = u->serial;
		d->b = slot;
		d->c = acked[slot] = number;
	}
}

static void
look_at_places(void)
{
	for (uint32_t k = 0; me.daemon && me.machine && k < atomic_load(&me.machine->shards) && k < SHARDS_MAX; k++) {
		uint64_t place = atomic_load(&me.daemon->place[k]);
		if (place == me.place[k])
			continue;
		struct deed *d = deed(DEED_PLACE);
		d->shard = (uint16_t)k;
		d->a = atomic_load(&me.machine->serial);
		d->c = me.place[k] = place;
	}
}

static void
look_at_answers(void)
{
	uint64_t head = me.table ? atomic_load(&me.table->shard[me.shard].head) : 0;
	if (head != me.head)
		deed(DEED_HEAD)->c = me.head = head;
	for (int i = 0; i < UNITS; i++)
		if (me.unit[i].unit)
			look_at_unit(me.unit[i].unit, me.unit[i].acked);
}

static void
look(void)
{
	int keep = errno;
	if (me.trace < 0)
		return;
	if (me.role == ROLE_WORKER_PROCESS)
		look_at_answers();
	if (me.role == ROLE_FORWARDER_PROCESS)
		look_at_places();
	flush();
	errno = keep;
}

void *
shmat(int id, const void *at, int flags)
{
	void *p = (void *)syscall(SYS_shmat, id, at, flags);
	if (me.trace < 0 || p == (void *)-1)
		return p;
	uint32_t magic = *(uint32_t *)p;
	if (me.role == ROLE_SENDER_PROCESS && magic == MAGIC_UNIT)
		me.serial = ((struct broker_unit *)p)->serial;
	if (me.role == ROLE_WORKER_PROCESS && magic == MAGIC_BROKER)
		me.table = p;
	if (me.role == ROLE_FORWARDER_PROCESS && magic == MAGIC_MACHINE)
		me.machine = p;
	if (me.role == ROLE_FORWARDER_PROCESS && magic == MAGIC_UNIT)
		me.daemon = p;
	for (int i = 0; i < UNITS && me.role == ROLE_WORKER_PROCESS && magic == MAGIC_UNIT; i++) {
		if (me.unit[i].unit)
			continue;
		me.unit[i].unit = p;
		memset(me.unit[i].acked, 0, sizeof me.unit[i].acked);
		return p;
	}
	return p;
}

int
shmdt(const void *p)
{
	look();
	for (int i = 0; i < UNITS; i++)
		if (me.unit[i].unit == p)
			me.unit[i].unit = NULL;
	return (int)syscall(SYS_shmdt, p);
}

int
msgsnd(int id, const void *p, size_t n, int flags)
{
	look();
	return (int)syscall(SYS_msgsnd, id, p, n, flags);
}

ssize_t
msgrcv(int id, void *p, size_t n, long type, int flags)
{
	look();
	return syscall(SYS_msgrcv, id, p, n, type, flags);
}

/* ---- files ---- */

static int
is_zeros(const char *p, size_t n)
{
	return n == 0 || (p[0] == '\0' && memcmp(p, p + 1, n - 1) == 0);
}

static void
note_record(uint64_t file, uint64_t at, const char *p)
{
	struct record r;
	record_get(&r, p);
	if (record_is_request(r.type)) {
		struct deed *d = deed(DEED_RECORD);
		*d = (struct deed){ .pid = me.pid,
			.kind = DEED_RECORD,
			.role = me.role,
			.type = r.type,
			.shard = r.shard,
			.file = file,
			.dir = at,
			.a = r.publisher,
			.b = r.number,
			.c = r.offset,
			.flags = r.flags,
			.topic = deed_topic(record_topic(p), r.topic_len) };
	}
	if (r.type != REC_ENTRY)
		return;
	for (uint64_t i = 0; i < r.aux; i++) {
		const char *inner = p + RECORD_HEADER + 8 * r.aux;
		struct deed *d = deed(DEED_RECORD);
		d->type = REC_ENTRY;
		d->shard = get_u16(inner + 14);
		d->file = file;
		d->dir = at;
		d->a = get_u64(p + RECORD_HEADER + 8 * i);
		d->c = get_u64(inner + 16);
	}
}

static void
note_unknown(uint64_t file, uint64_t at, uint64_t n)
{
	struct deed *d = deed(DEED_UNKNOWN);
	d->file = file;
	d->a = at;
	d->b = n;
}

/* What a write cut off: the next one goes on with it. (A start writes what may not be on disk in large pieces.) */
static struct {
	uint64_t file, at;
	size_t n;
	char bytes[CARRY_MOST];
} carry;

static void
carry_is_over(uint64_t file)
{
	if (carry.n && carry.file == file)
		note_unknown(file, carry.at, carry.n);
	if (carry.file == file)
		carry.n = 0;
}

/* 1: it may be a record's beginning, and is kept */
static int
carry_keep(uint64_t file, const char *p, size_t n, uint64_t at)
{
	if (n > CARRY_MOST ||
	    (n >= RECORD_HEADER && (!record_header_is_sound(p, CARRY_MOST) || record_stride(get_u32(p)) <= n)))
		return 0;
	carry.file = file;
	carry.at = at;
	carry.n = n;
	memcpy(carry.bytes, p, n);
	return 1;
}

static size_t
carry_wants(void)
{
	if (carry.n < RECORD_HEADER)
		return RECORD_HEADER;
	return record_header_is_sound(carry.bytes, CARRY_MOST) ? record_stride(get_u32(carry.bytes)) : 0;
}

/* so many bytes of this write belong to the record that the last one cut off */
static size_t
carry_on(uint64_t file, const char *p, size_t n, uint64_t at)
{
	size_t q = 0;
	if (carry.n == 0 || carry.file != file || carry.at + carry.n != at) {
		carry_is_over(file);
		return 0;
	}
	while (q < n && carry.n < carry_wants())
		carry.bytes[carry.n++] = p[q++];
	if (carry.n == carry_wants() && record_is_sound(carry.bytes, carry.n)) {
		note_record(file, carry.at, carry.bytes);
		carry.n = 0;
	}
	return q;
}

static void
note_records(uint64_t file, const char *p, size_t n, uint64_t at)
{
	if (is_zeros(p, n)) /* written ahead of records */
		return;
	size_t q = carry_on(file, p, n, at);
	if (n >= 64 && at == 0 && memcmp(p, "MOMLOG1\n", 8) == 0) {
		struct deed *d = deed(DEED_HEADER);
		d->file = file;
		d->a = get_u64(p + 16);
		q = 64;
	}
	while (n - q >= RECORD_HEADER && record_is_sound(p + q, n - q) && record_stride(get_u32(p + q)) <= n - q) {
		note_record(file, at + q, p + q);
		q += record_stride(get_u32(p + q));
	}
	if (q < n && !carry_keep(file, p + q, n - q, at + q))
		note_unknown(file, at + q, n - q);
}

static void
note_write(int fd, const char *p, size_t n, uint64_t at)
{
	struct deed *d = deed(DEED_WRITE);
	uint64_t file = me.fd[fd].id;
	d->file = file;
	d->a = at;
	d->b = n;
	if (me.fd[fd].of == OF_LOG)
		note_records(file, p, n, at);
	else if (n >= 64 && memcmp(p, "MOMCKPT\n", 8) == 0) {
		d = deed(DEED_CHECKPOINT);
		d->file = file;
		d->a = get_u64(p + 16);
	}
	flush();
}

static void
note_wrote(int fd, ssize_t r)
{
	int keep = errno;
	struct deed *d = deed(DEED_WROTE);
	d->file = me.fd[fd].id;
	d->a = (uint64_t)r;
	flush();
	errno = keep;
}

static int
is_followed(int fd, enum of_fd of)
{
	return fd >= 0 && fd < FDS && me.fd[fd].of == of;
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	look();
	int mine = is_followed(fd, OF_LOG) || is_followed(fd, OF_CHECKPOINT);
	if (mine)
		note_write(fd, p, n, (uint64_t)at);
	ssize_t r = syscall(SYS_pwrite64, fd, p, n, at);
	if (mine)
		note_wrote(fd, r);
	return r;
}

int
openat(int dir, const char *path, int flags, ...)
{
	va_list ap;
	uint64_t number = 0;
	va_start(ap, flags);
	int mode = flags & O_CREAT ? va_arg(ap, int) : 0;
	va_end(ap);
	int fd = (int)syscall(SYS_openat, dir, path, flags, mode), keep = errno;
	if (!keeps_files() || fd < 0 || fd >= FDS)
		return fd;
	enum deed_name name = (flags & O_ACCMODE) == O_RDONLY ? NAME_NONE : name_of(path, &number);
	me.fd[fd].ahead = 0;
	me.fd[fd].of = name == NAME_NONE ? OF_NOTHING : name >= NAME_CHECKPOINT ? OF_CHECKPOINT : OF_LOG;
	if (name == NAME_NONE)
		return fd;
	struct deed *d = deed(DEED_OPEN);
	d->file = me.fd[fd].id = id_of(fd);
	d->dir = id_of(dir);
	d->from = (uint8_t)name;
	d->a = number;
	d->b = (flags & O_TRUNC) != 0;
	flush();
	errno = keep;
	return fd;
}

int
close(int fd)
{
	if (fd == me.trace && fd >= 0)
		return 0;
	if (fd >= 0 && fd < FDS)
		me.fd[fd].of = OF_NOT_KNOWN;
	return (int)syscall(SYS_close, fd);
}

int
ftruncate(int fd, off_t n)
{
	look();
	int r = (int)syscall(SYS_ftruncate, fd, n), keep = errno;
	if (keeps_files() && is_followed(fd, OF_LOG) && r == 0) {
		struct deed *d = deed(DEED_TRUNCATED);
		d->file = me.fd[fd].id;
		d->a = (uint64_t)n;
		flush();
	}
	errno = keep;
	return r;
}

static int
synced(int fd, long call)
{
	look();
	uint64_t id = keeps_files() ? id_of(fd) : 0;
	if (id == 0)
		return (int)syscall(call, fd);
	carry_is_over(id);
	deed(DEED_SYNC)->file = id;
	flush();
	int r = (int)syscall(call, fd), keep = errno;
	struct deed *d = deed(DEED_SYNCED);
	d->file = id;
	d->a = (uint64_t)r;
	flush();
	errno = keep;
	return r;
}

int
fsync(int fd)
{
	return synced(fd, SYS_fsync);
}
int
fdatasync(int fd)
{
	return synced(fd, SYS_fdatasync);
}

int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	struct deed d = { .pid = me.pid, .kind = DEED_RENAME, .role = me.role, .shard = me.shard };
	look();
	d.from = (uint8_t)name_of(from, &d.a);
	d.to = (uint8_t)name_of(to, &d.b);
	int mine = keeps_files() && (d.from || d.to);
	if (mine) {
		d.dir = id_of(to_dir);
		*deed(DEED_RENAME) = d;
		flush();
	}
	int r = (int)syscall(SYS_renameat, from_dir, from, to_dir, to), keep = errno;
	if (mine) {
		d.kind = DEED_RENAMED;
		d.c = (uint64_t)r;
		*deed(DEED_RENAMED) = d;
		flush();
	}
	errno = keep;
	return r;
}

int
unlinkat(int dir, const char *name, int flags)
{
	uint64_t number;
	look();
	enum deed_name from = keeps_files() ? name_of(name, &number) : NAME_NONE;
	if (from != NAME_NONE) {
		struct deed *d = deed(DEED_UNLINK);
		d->dir = id_of(dir);
		d->from = (uint8_t)from;
		d->a = number;
		flush();
	}
	return (int)syscall(SYS_unlinkat, dir, name, flags);
}

/* ---- frames that leave ---- */

static void
note_answers(const char *p, uint32_t n)
{
	for (; n >= ANSWER_BYTES; p += ANSWER_BYTES, n -= ANSWER_BYTES) {
		uint16_t kind = get_u16(p + 6);
		if (kind != ANSWER_ACKED && kind != ANSWER_RESULT)
			continue;
		struct deed *d = deed(DEED_ANSWER);
		d->type = (uint8_t)kind;
		d->shard = get_u16(p + 4);
		d->a = me.serial;
		d->b = get_u32(p);
		d->c = get_u64(p + 8);
	}
}

static void
note_request(const struct record *r)
{
	uint32_t slot = (uint32_t)r->time, generation = number_generation(r->number);
	if (slot >= SLOTS || (r->type != REC_DESTROY && me.asked[slot].publisher == r->publisher &&
				 me.asked[slot].generation == generation))
		return;
	struct deed *d = deed(DEED_ASKED);
	d->type = r->type;
	d->shard = r->shard;
	d->a = r->publisher;
	d->b = slot;
	d->c = r->number;
	if (r->type == REC_DESTROY)
		return;
	me.asked[slot].publisher = r->publisher;
	me.asked[slot].generation = generation;
}

static void
note_frame(const char *p)
{
	struct record r;
	record_get(&r, p);
	if (me.role == ROLE_SENDER_PROCESS && r.type == REC_ANSWERS)
		note_answers(record_data(p, &r), record_data_len(p, &r));
	if (me.role != ROLE_REQUESTER_PROCESS)
		return;
	if (record_is_request(r.type)) {
		me.serial = r.publisher >> 32;
		note_request(&r);
	} else if (r.type == REC_ALIVE && record_data_len(p, &r) >= 8)
		me.serial = get_u64(record_data(p, &r)) >> 32;
	else if (r.type == REC_PLACE) {
		struct deed *d = deed(DEED_PLACE);
		d->shard = r.shard;
		d->a = me.serial;
		d->c = r.aux;
	}
}

static int
is_the_socket(int fd)
{
	struct stat st;
	if (fd < 0 || fd >= FDS || !speaks())
		return 0;
	if (me.fd[fd].of == OF_NOT_KNOWN)
		me.fd[fd].of = syscall(SYS_fstat, fd, &st) == 0 && S_ISSOCK(st.st_mode) ? OF_SOCKET : OF_NOTHING;
	return me.fd[fd].of == OF_SOCKET;
}

/* Both write whole frames; what a call does not take comes once more. */
static void
note_frames(int fd, const char *p, size_t n)
{
	size_t q = me.fd[fd].ahead;
	while (q < n && n - q >= RECORD_HEADER && record_is_sound(p + q, n - q)) {
		note_frame(p + q);
		q += record_stride(get_u32(p + q));
	}
	if (q < n)
		deed(DEED_UNKNOWN)->b = n - q;
	flush();
}

ssize_t
write(int fd, const void *p, size_t n)
{
	look();
	int keep = errno, file = keeps_files() && (is_followed(fd, OF_LOG) || is_followed(fd, OF_CHECKPOINT)),
	    frames = is_the_socket(fd);
	if (file)
		note_write(fd, p, n, (uint64_t)syscall(SYS_lseek, fd, 0, SEEK_CUR));
	if (frames)
		note_frames(fd, p, n);
	errno = keep;
	ssize_t r = syscall(SYS_write, fd, p, n);
	if (file)
		note_wrote(fd, r);
	if (frames)
		me.fd[fd].ahead = r < 0 ? n : n - (size_t)r;
	return r;
}
