/* disk - see disk.h */
#include <storm/disk.h>
#include "base/log.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FDS = 1024 };
enum kind { WRITE, TRUNCATE, NAME, RENAME, UNLINK };

struct bytes { size_t refs; unsigned char at[]; };
struct change {
	enum kind kind;
	int file;                              /* index */
	size_t at, n;                          /* WRITE: where, how many; TRUNCATE: n */
	struct bytes *bytes;
	char name[DISK_NAME], to[DISK_NAME];
};
struct file { unsigned char *bytes; size_t size; };      /* what is synced */
struct name { char text[DISK_NAME]; int file; };
struct disk {
	struct file *files;
	int file_count, name_count;
	struct name names[DISK_FILES];         /* synced */
	struct change *pending;
	size_t count, room;
};

static struct {
	int dir, on;
	struct disk disk;
	int fd[FDS];                           /* file index + 1 */
	struct { char text[DISK_NAME]; int file; } now[DISK_FILES];     /* names as a process sees them */
	int now_count;
	uint64_t random;
} k;
void (*disk_step)(int syncs);
char disk_log[16384];

static void
step(int syncs)
{
	if (disk_step)
		disk_step(syncs);
}

/* ---- the model ---- */

static void
change_free(struct change *c)
{
	if (c->bytes && --c->bytes->refs == 0)
		free(c->bytes);
}

static struct change *
change_add(enum kind kind, int file)
{
	struct disk *d = &k.disk;
	REQUIRE(d->count < DISK_PENDING, "too many calls without an fsync");
	if (d->count == d->room)
		d->pending = realloc(d->pending, (d->room = d->room * 2 + 64) * sizeof *d->pending);
	struct change *c = &d->pending[d->count++];
	memset(c, 0, sizeof *c);
	c->kind = kind;
	c->file = file;
	return c;
}

static int
file_new(struct disk *d)
{
	d->files = realloc(d->files, ((size_t)d->file_count + 1) * sizeof *d->files);
	d->files[d->file_count] = (struct file){ NULL, 0 };
	return d->file_count++;
}

static void
file_size(struct file *f, size_t size)
{
	if (size > f->size) {
		f->bytes = realloc(f->bytes, size);
		memset(f->bytes + f->size, 0, size - f->size);
	}
	f->size = size;
}

static void
file_change(struct file *f, const struct change *c)
{
	if (c->kind == TRUNCATE)
		file_size(f, c->n);
	if (c->kind != WRITE)
		return;
	if (c->at + c->n > f->size)
		file_size(f, c->at + c->n);
	memcpy(f->bytes + c->at, c->bytes->at, c->n);
}

static int
name_find(const struct disk *d, const char *text)
{
	for (int i = 0; i < d->name_count; i++)
		if (strcmp(d->names[i].text, text) == 0)
			return i;
	return -1;
}

static void
name_set(struct disk *d, const char *text, int file)
{
	int i = name_find(d, text);
	if (i < 0 && file >= 0) {
		REQUIRE(d->name_count < DISK_FILES, "too many files");
		i = d->name_count++;
		snprintf(d->names[i].text, DISK_NAME, "%s", text);
	}
	if (i >= 0)
		d->names[i].file = file;
	if (i >= 0 && file < 0)
		d->names[i] = d->names[--d->name_count];
}

static void
name_change(struct disk *d, const struct change *c)
{
	if (c->kind == RENAME) {
		int from = name_find(d, c->name);
		if (from >= 0 && d->names[from].file == c->file)
			name_set(d, c->name, -1);
		name_set(d, c->to, c->file);
	} else if (c->kind == NAME) {
		name_set(d, c->name, c->file);
	} else if (c->kind == UNLINK) {
		name_set(d, c->name, -1);
	}
}

/* file: of that file; -1: names */
static void
make_durable(int file)
{
	struct disk *d = &k.disk;
	size_t left = 0;
	for (size_t i = 0; i < d->count; i++) {
		struct change *c = &d->pending[i];
		int is_data = c->kind == WRITE || c->kind == TRUNCATE;
		if (file >= 0 ? is_data && c->file == file : !is_data) {
			if (is_data)
				file_change(&d->files[file], c);
			else
				name_change(d, c);
			change_free(c);
		} else {
			d->pending[left++] = *c;
		}
	}
	d->count = left;
}

static int
now_find(const char *name)
{
	for (int i = 0; i < k.now_count; i++)
		if (strcmp(k.now[i].text, name) == 0)
			return i;
	return -1;
}

static void
now_set(const char *name, int file)
{
	int i = now_find(name);
	if (i < 0) {
		REQUIRE(k.now_count < DISK_FILES, "too many files");
		i = k.now_count++;
	}
	snprintf(k.now[i].text, DISK_NAME, "%s", name);
	k.now[i].file = file;
}

static void
now_del(const char *name)
{
	int i = now_find(name);
	if (i >= 0)
		k.now[i] = k.now[--k.now_count];
}

/* ---- the calls ---- */

int __real_openat(int dir, const char *name, int flags, ...);
int __real_close(int fd);
ssize_t __real_write(int fd, const void *bytes, size_t n);
ssize_t __real_pwrite(int fd, const void *bytes, size_t n, off_t at);
int __real_ftruncate(int fd, off_t n);
int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __real_unlinkat(int dir, const char *name, int flags);
int __wrap_openat(int dir, const char *name, int flags, ...);
int __wrap_close(int fd);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t n, off_t at);
int __wrap_ftruncate(int fd, off_t n);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_unlinkat(int dir, const char *name, int flags);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fallocate(int fd, int mode, off_t at, off_t n);
ssize_t __wrap_getrandom(void *bytes, size_t n, unsigned flags);

static int
file_of(int fd)
{
	return k.on && fd >= 0 && fd < FDS ? k.fd[fd] - 1 : -1;
}

int
__wrap_openat(int dir, const char *name, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	int fd = __real_openat(dir, name, flags, flags & O_CREAT ? va_arg(ap, int) : 0);
	va_end(ap);
	if (!k.on || dir != k.dir || fd < 0 || strcmp(name, ".") == 0)
		return fd;
	REQUIRE(fd < FDS, "too many files are open");
	int i = now_find(name), changed = 0, file = i < 0 ? -1 : k.now[i].file;
	if (file < 0) {
		REQUIRE(flags & O_CREAT, "%s was made behind the model's back", name);
		file = file_new(&k.disk);
		snprintf(change_add(NAME, file)->name, DISK_NAME, "%s", name);
		now_set(name, file);
		changed = 1;
	} else if (flags & O_TRUNC) {
		change_add(TRUNCATE, file);
		changed = 1;
	}
	k.fd[fd] = file + 1;
	if (changed)
		step(0);
	return fd;
}

int
__wrap_close(int fd)
{
	if (fd >= 0 && fd < FDS)
		k.fd[fd] = 0;
	return __real_close(fd);
}

static void
wrote(int fd, const void *bytes, ssize_t n, off_t at)
{
	int file = file_of(fd);
	if (file < 0 || n <= 0)
		return;
	struct change *c = change_add(WRITE, file);
	c->at = (size_t)at;
	c->n = (size_t)n;
	c->bytes = malloc(sizeof *c->bytes + (size_t)n);
	c->bytes->refs = 1;
	memcpy(c->bytes->at, bytes, (size_t)n);
	step(0);
}

ssize_t
__wrap_write(int fd, const void *bytes, size_t n)
{
	off_t at = file_of(fd) >= 0 ? lseek(fd, 0, SEEK_CUR) : 0;
	ssize_t r = __real_write(fd, bytes, n);
	wrote(fd, bytes, r, at);
	return r;
}

ssize_t
__wrap_pwrite(int fd, const void *bytes, size_t n, off_t at)
{
	ssize_t r = __real_pwrite(fd, bytes, n, at);
	wrote(fd, bytes, r, at);
	return r;
}

int
__wrap_ftruncate(int fd, off_t n)
{
	int r = __real_ftruncate(fd, n), file = file_of(fd);
	if (r == 0 && file >= 0) {
		change_add(TRUNCATE, file)->n = (size_t)n;
		step(0);
	}
	return r;
}

int
__wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	int r = __real_renameat(from_dir, from, to_dir, to);
	if (r == 0 && k.on && from_dir == k.dir) {
		int i = now_find(from);
		REQUIRE(to_dir == k.dir && i >= 0, "a rename of %s out of the folder", from);
		struct change *c = change_add(RENAME, k.now[i].file);
		snprintf(c->name, DISK_NAME, "%s", from);
		snprintf(c->to, DISK_NAME, "%s", to);
		now_del(from);
		now_set(to, c->file);
		step(0);
	}
	return r;
}

int
__wrap_unlinkat(int dir, const char *name, int flags)
{
	int r = __real_unlinkat(dir, name, flags);
	if (r == 0 && k.on && dir == k.dir) {
		snprintf(change_add(UNLINK, 0)->name, DISK_NAME, "%s", name);
		now_del(name);
		step(0);
	}
	return r;
}

int
__wrap_fsync(int fd)
{
	int file = file_of(fd);
	if (k.on && (file >= 0 || fd == k.dir)) {
		make_durable(file);
		step(1);
	}
	return 0;
}

int
__wrap_fdatasync(int fd)
{
	return __wrap_fsync(fd);
}

int
__wrap_fallocate(int fd, int mode, off_t at, off_t n)
{
	(void)fd, (void)at, (void)n;
	REQUIRE(mode == FALLOC_FL_KEEP_SIZE, "this fallocate is not in the model");
	return 0;
}

ssize_t
__wrap_getrandom(void *bytes, size_t n, unsigned flags)
{
	struct t_rng r = { k.random };
	(void)flags;
	t_rng_fill(&r, bytes, n);
	k.random = r.state;
	return (ssize_t)n;
}

void
disk_random_seed(uint64_t seed)
{
	k.random = seed;
}

/* ---- states ---- */

static void
disk_drop(struct disk *d)
{
	for (size_t i = 0; i < d->count; i++)
		change_free(&d->pending[i]);
	for (int i = 0; i < d->file_count; i++)
		free(d->files[i].bytes);
	free(d->pending);
	free(d->files);
	memset(d, 0, sizeof *d);
}

void
disk_watch(int dir)
{
	char names[DISK_FILES][DISK_NAME];
	disk_drop(&k.disk);
	k.now_count = 0;
	int n = disk_names(dir, names, DISK_FILES);
	for (int i = 0; i < n; i++) {
		int file = file_new(&k.disk);
		k.disk.files[file].bytes = (unsigned char *)disk_get(dir, names[i], &k.disk.files[file].size);
		name_set(&k.disk, names[i], file);
		now_set(names[i], file);
	}
	memset(k.fd, 0, sizeof k.fd);
	k.dir = dir;
	k.on = 1;
}

void
disk_unwatch(void)
{
	k.on = 0;
}

static int
is_named(const struct disk *d, int file)
{
	for (int i = 0; i < d->name_count; i++)
		if (d->names[i].file == file)
			return 1;
	for (size_t i = 0; i < d->count; i++)
		if (d->pending[i].file == file && (d->pending[i].kind == NAME || d->pending[i].kind == RENAME))
			return 1;
	return 0;
}

static void
copy_to(struct disk *d, const struct disk *from)
{
	*d = *from;
	d->files = calloc((size_t)from->file_count + 1, sizeof *d->files);
	for (int i = 0; i < from->file_count; i++) {
		if (!is_named(from, i) || from->files[i].size == 0)
			continue;
		d->files[i].bytes = malloc(from->files[i].size);
		d->files[i].size = from->files[i].size;
		memcpy(d->files[i].bytes, from->files[i].bytes, from->files[i].size);
	}
	d->pending = malloc((from->count + 1) * sizeof *d->pending);
	if (from->count)
		memcpy(d->pending, from->pending, from->count * sizeof *d->pending);
	for (size_t i = 0; i < d->count; i++)
		if (d->pending[i].bytes)
			d->pending[i].bytes->refs++;
	d->room = d->count + 1;
}

struct disk *
disk_copy(void)
{
	struct disk *d = malloc(sizeof *d);
	copy_to(d, &k.disk);
	return d;
}

void
disk_free(struct disk *d)
{
	disk_drop(d);
	free(d);
}

size_t
disk_pending(const struct disk *d)
{
	return d->count;
}

/* A write that came through in part: each sector of 512 bytes is new, or as it was, or zeros. */
static void
tear(struct file *f, const struct change *c, struct t_rng *rng)
{
	size_t end = c->at + c->n;
	for (size_t at = c->at; at < end;) {
		size_t next = (at / 512 + 1) * 512, n = (next < end ? next : end) - at;
		if (t_rng_below(rng, 2)) {
			if (at + n > f->size)
				file_size(f, at + n);
			memcpy(f->bytes + at, c->bytes->at + (at - c->at), n);
		}
		at += n;
	}
}

/* What lay on the disk where the file grew: bytes of another file, at the same place in it where there are. What is
 * written over is old or new. */
static void
stale(struct file *f, const struct change *c, const struct disk *d, struct t_rng *rng)
{
	const struct file *other = &d->files[t_rng_below(rng, (uint64_t)d->file_count)];
	size_t grown = f->size > c->at ? f->size - c->at : 0;
	if (c->at + c->n > f->size)
		file_size(f, c->at + c->n);
	for (size_t i = grown; i < c->n; i++)
		f->bytes[c->at + i] = other->size > c->at + i && other != f ? other->bytes[c->at + i]
		    : (unsigned char)t_rng_below(rng, 256);
}

static void
image_change(struct disk *d, const struct change *c, enum disk_way way, struct t_rng *rng)
{
	struct file *f = &d->files[c->file];
	if (c->kind != WRITE && c->kind != TRUNCATE) {
		if (way != DISK_DROP)
			name_change(d, c);
	} else if (way == DISK_KEEP || (c->kind == TRUNCATE && way != DISK_DROP)) {
		file_change(f, c);
	} else if (way == DISK_TORN) {
		tear(f, c, rng);
	} else if (way == DISK_STALE) {
		stale(f, c, d, rng);
	} else if (way == DISK_ZEROS && c->at + c->n > f->size) {
		file_size(f, c->at + c->n);
	}
}

void
disk_image(const struct disk *from, const unsigned char *way, struct t_rng *rng, int to)
{
	struct disk d = *from;
	d.files = calloc((size_t)from->file_count + 1, sizeof *d.files);
	for (int i = 0; i < from->file_count; i++) {
		file_size(&d.files[i], from->files[i].size);
		if (from->files[i].size)
			memcpy(d.files[i].bytes, from->files[i].bytes, from->files[i].size);
	}
	for (size_t i = 0; i < from->count; i++)
		image_change(&d, &from->pending[i], way[i], rng);
	disk_clear(to);
	for (int i = 0; i < d.name_count; i++)
		disk_put(to, d.names[i].text, d.files[d.names[i].file].bytes, d.files[d.names[i].file].size);
	for (int i = 0; i < d.file_count; i++)
		free(d.files[i].bytes);
	free(d.files);
}

void
disk_resume(const struct disk *from, int dir)
{
	unsigned char all[DISK_PENDING];
	struct disk d;
	memset(all, DISK_KEEP, sizeof all);
	disk_image(from, all, NULL, dir);
	disk_drop(&k.disk);
	copy_to(&k.disk, from);
	k.now_count = 0;
	d = k.disk;                                    /* the names as they are */
	for (size_t i = 0; i < d.count; i++)
		if (d.pending[i].kind != WRITE && d.pending[i].kind != TRUNCATE)
			name_change(&d, &d.pending[i]);
	for (int i = 0; i < d.name_count; i++)
		now_set(d.names[i].text, d.names[i].file);
	memset(k.fd, 0, sizeof k.fd);
	k.dir = dir;
	k.on = 1;
}

/* ---- real files ---- */

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

int
disk_names(int dir, char (*names)[DISK_NAME], int most)
{
	int n = 0, fd = __real_openat(dir, ".", O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	REQUIRE(d, "opendir: %s", strerror(errno));
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		if (e->d_name[0] != '.' && n < most)
			snprintf(names[n++], DISK_NAME, "%.63s", e->d_name);
	closedir(d);
	qsort(names, (size_t)n, sizeof *names, by_text);
	return n;
}

void
disk_remove(int dir, const char *name)
{
	if (__real_unlinkat(dir, name, 0) == 0)
		return;
	int below = __real_openat(dir, name, O_RDONLY | O_DIRECTORY);
	REQUIRE(below >= 0, "unlink(%s): %s", name, strerror(errno));
	disk_clear(below);
	__real_close(below);
	__real_unlinkat(dir, name, AT_REMOVEDIR);
}

void
disk_clear(int dir)
{
	char names[DISK_FILES][DISK_NAME];
	int n = disk_names(dir, names, DISK_FILES);
	for (int i = 0; i < n; i++)
		disk_remove(dir, names[i]);
}

void
disk_put(int dir, const char *name, const void *bytes, size_t n)
{
	int fd = __real_openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	REQUIRE(fd >= 0 && (n == 0 || __real_pwrite(fd, bytes, n, 0) == (ssize_t)n), "%s: %s", name, strerror(errno));
	__real_close(fd);
}

char *
disk_get(int dir, const char *name, size_t *n)
{
	struct stat st;
	int fd = __real_openat(dir, name, O_RDONLY);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		__real_close(fd);
		return NULL;
	}
	char *bytes = malloc((size_t)st.st_size + 1);
	*n = (size_t)st.st_size;
	REQUIRE(pread(fd, bytes, *n, 0) == st.st_size, "read(%s): %s", name, strerror(errno));
	__real_close(fd);
	return bytes;
}

/* ---- the log of the code under test ---- */

static void
log_add(const char *severity, const char *format, va_list ap)
{
	size_t n = strlen(disk_log), room = sizeof disk_log - n;
	int m = snprintf(disk_log + n, room, "%s: ", severity);
	if (m > 0 && (size_t)m < room && vsnprintf(disk_log + n + m, room - (size_t)m, format, ap) > 0 &&
	    strlen(disk_log) + 1 < sizeof disk_log)
		strcat(disk_log, "\n");
}

#define LOG(severity) do { va_list ap; va_start(ap, format); log_add(severity, format, ap); va_end(ap); } while (0)
void log_init(const char *role, uint32_t how) { (void)role, (void)how; }
void log_follow(const _Atomic uint32_t *how) { (void)how; }
int  log_to_file(const char *path) { (void)path; return 0; }
int  log_is_journal(void) { return 0; }
void log_reopen_by_signal(void) { }
const char *log_role(void) { return "storm"; }
void log_debug(const char *format, ...) { (void)format; }
void log_info(const char *format, ...) { LOG("info"); }
void log_warn(const char *format, ...) { LOG("warn"); }
void log_error(const char *format, ...) { LOG("error"); }
void log_fatal(int status, const char *format, ...) { LOG("fatal");
    t_fail("log", status, "no fatal error", "%s", disk_log); }
