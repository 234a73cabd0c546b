/* disk - files and folders of a machine, and what a power cut leaves of them
 * Every file has what it holds and what is on the disk (kept); fdatasync makes the second the first. A power cut keeps,
 * of what was written since, any 512-byte sectors; of a folder's changes since its fsync, the first n. */
#include "sim.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include "calls.h"

enum { SECTOR = 512 };
struct bytes { char *at; uint64_t size, room; };
struct range { uint64_t from, to; struct range *next; };
struct entry { const char *name; struct inode *inode; struct entry *next; };
struct change { const char *from, *to; struct inode *inode; struct change *next; };   /* from goes; to is inode */

struct inode {
	int folder, machine, links;
	unsigned mode, number;
	struct bytes now, kept;
	uint64_t reserved, counted;
	struct range *dirty;
	struct entry *entries, *kept_entries;
	struct change *changes, **changes_end;
	struct file *lock;
	struct sock *sock;
	struct inode *next;                       /* of all of this run */
};

static struct inode *all;
static unsigned numbers;

static struct inode *
inode_new(int machine, int folder)
{
	struct inode *i = sim_alloc(sizeof *i);
	i->folder = folder;
	i->machine = machine;
	i->mode = folder ? S_IFDIR | 0700 : S_IFREG | 0600;
	i->number = ++numbers;
	i->changes_end = &i->changes;
	i->next = all;
	all = i;
	return i;
}

/* ---- folders ---- */

static struct entry **
entry_find(struct entry **list, const char *name)
{
	while (*list && strcmp((*list)->name, name) != 0)
		list = &(*list)->next;
	return list;
}

static void
entry_set(struct entry **list, const char *name, struct inode *inode)
{
	struct entry **at = entry_find(list, name);
	if (inode == NULL) {
		if (*at)
			*at = (*at)->next;
		return;
	}
	struct entry *e = sim_alloc(sizeof *e);         /* never changed in place: readers walk it */
	*e = (struct entry){ name, inode, *at ? (*at)->next : NULL };
	*at = e;
}

static void
change_apply(struct entry **list, const struct change *c)
{
	if (c->from)
		entry_set(list, c->from, NULL);
	if (c->to)
		entry_set(list, c->to, c->inode);
}

static void
folder_change(struct inode *dir, const char *from, const char *to, struct inode *inode)
{
	struct change *c = sim_alloc(sizeof *c);
	*c = (struct change){ from ? sim_text("%s", from) : NULL, to ? sim_text("%s", to) : NULL, inode, NULL };
	*dir->changes_end = c;
	dir->changes_end = &c->next;
	change_apply(&dir->entries, c);
}

static void
folder_keep(struct inode *dir, uint64_t changes)
{
	struct change *c = dir->changes;
	for (; c && changes > 0; c = c->next, changes--)
		change_apply(&dir->kept_entries, c);
	dir->changes = c;
	if (c == NULL)
		dir->changes_end = &dir->changes;
}

/* ---- paths: no links ---- */

/* The folder and the last name; errno or 0. */
static int
path_walk(int dir, const char *path, struct inode **folder, char last[NAME_MAX + 1])
{
	int fd, n;
	struct inode *at = S.machines[S.cur->machine].root;
	if (sscanf(path, "/proc/self/fd/%d/%n", &fd, &n) == 1 ||
	    sscanf(path, "/proc/thread-self/fd/%d/%n", &fd, &n) == 1) {
		path += n;
		dir = fd;
	} else if (path[0] == '/' || dir == AT_FDCWD)
		dir = -1;
	if (dir >= 0) {
		struct file *f = file_of(dir);
		if (f == NULL || f->kind != FILE_DISK)
			return EBADF;
		at = f->inode;
	}
	for (;;) {
		while (*path == '/')
			path++;
		size_t len = strcspn(path, "/");
		if (len > NAME_MAX)
			return ENAMETOOLONG;
		memcpy(last, path, len);
		last[len] = '\0';
		path += len;
		if (strcmp(last, ".") == 0)
			last[0] = '\0';
		if (!at->folder)
			return ENOTDIR;
		if (*path == '\0')
			break;
		if (last[0] == '\0')
			continue;
		if (strcmp(last, "..") == 0) {                  /* ../corrupt: rare */
			struct inode *up = NULL;
			for (struct inode *i = all; i; i = i->next)
				for (struct entry *e = i->folder ? i->entries : NULL; e; e = e->next)
					if (e->inode == at)
						up = i;
			at = up;
			continue;
		}
		struct entry *e = *entry_find(&at->entries, last);
		if (e == NULL)
			return ENOENT;
		at = e->inode;
	}
	*folder = at;
	return 0;
}

static int
path_find(int dir, const char *path, struct inode **i)
{
	char last[NAME_MAX + 1];
	struct inode *folder;
	int error = path_walk(dir, path, &folder, last);
	if (error)
		return error;
	struct entry *e = last[0] ? *entry_find(&folder->entries, last) : NULL;
	*i = last[0] == '\0' ? folder : e ? e->inode : NULL;
	return *i ? 0 : ENOENT;
}

/* ---- space ---- */

static void
count_space(struct inode *i)
{
	uint64_t takes = i->links == 0 ? 0 : i->now.size > i->reserved ? i->now.size : i->reserved;
	S.machines[i->machine].disk_used += takes - i->counted;
	i->counted = takes;
}

static int
has_space(const struct inode *i, uint64_t size)
{
	const struct machine *m = &S.machines[i->machine];
	return size <= i->counted || m->disk_used + (size - i->counted) <= m->disk_room;
}

static void
bytes_grow(struct bytes *b, uint64_t size)
{
	if (size > b->room) {
		uint64_t room = b->room ? b->room : 256;
		while (room < size)
			room *= 2;
		char *more = sim_alloc(room);
		if (b->size)
			memcpy(more, b->at, b->size);
		b->at = more;
		b->room = room;
	}
	if (size < b->size)
		memset(b->at + size, 0, b->size - size);
	b->size = size;
}

static void
bytes_put(struct bytes *b, const struct bytes *from, uint64_t at, uint64_t to)
{
	if (to > from->size)
		to = from->size;
	if (to > b->size)
		to = b->size;
	if (at < to)
		memcpy(b->at + at, from->at + at, to - at);
}

/* ---- what is kept ---- */

static void
file_keep(struct inode *i)
{
	bytes_grow(&i->kept, i->now.size);
	for (struct range *r = i->dirty; r; r = r->next)
		bytes_put(&i->kept, &i->now, r->from, r->to);
	i->dirty = NULL;
}

/* One power cut: nothing, all or some of what was not synced. */
static void
file_crash(struct inode *i)
{
	int how = (int)sim_below(3);
	uint64_t old = i->kept.size, size = how == 0 ? old : how == 1 ||
	    sim_chance(2) ? i->now.size : old < i->now.size ?
	    old + sim_below(i->now.size - old + 1) : i->now.size;
	bytes_grow(&i->kept, size);
	for (struct range *r = how ? i->dirty : NULL; r; r = r->next)
		for (uint64_t at = r->from, to; at < r->to; at = to) {
			to = (at / SECTOR + 1) * SECTOR;
			to = to < r->to ? to : r->to;
			if (how == 1 || sim_chance(2))
				bytes_put(&i->kept, &i->now, at, to);
		}
	i->dirty = NULL;
	bytes_grow(&i->now, 0);
	bytes_grow(&i->now, i->kept.size);
	bytes_put(&i->now, &i->kept, 0, i->kept.size);
}

void
disk_crash(int machine)
{
	for (struct inode *i = all; i; i = i->next) {
		if (i->machine != machine)
			continue;
		i->lock = NULL;
		i->links = 0;
		i->reserved = 0;
		if (!i->folder) {
			file_crash(i);
			continue;
		}
		uint64_t changes = 0;
		for (struct change *c = i->changes; c; c = c->next)
			changes++;
		int how = (int)sim_below(3);
		folder_keep(i, how == 0 ? 0 : how == 1 ? changes : sim_below(changes + 1));
		i->changes = NULL;
		i->changes_end = &i->changes;
		i->entries = NULL;
		for (struct entry *e = i->kept_entries; e; e = e->next)
			if (e->inode->sock == NULL)
				entry_set(&i->entries, e->name, e->inode);
	}
	for (struct inode *i = all; i; i = i->next)
		for (struct entry *e = i->machine == machine && i->folder ? i->entries : NULL; e; e = e->next)
			e->inode->links++;
	for (struct inode *i = all; i; i = i->next)
		if (i->machine == machine)
			count_space(i);
}

/* ---- the simulator's own use ---- */

void
disk_init(int machine)
{
	if (machine == 0) {
		all = NULL;
		numbers = 0;
	}
	S.machines[machine].root = inode_new(machine, 1);
	S.machines[machine].disk_room = UINT64_C(1) << 40;
}

void
disk_make(int machine, const char *path)
{
	struct inode *root = S.machines[machine].root, *i = inode_new(machine, 1);
	folder_change(root, NULL, path + 1, i);
	i->links = 1;
	folder_keep(root, UINT64_MAX);
}

int
disk_files(int machine, const char *path)
{
	struct entry *e = *entry_find(&S.machines[machine].root->entries, path + 1);
	int n = 0;
	if (e == NULL)
		return -1;
	for (struct entry *x = e->inode->entries; x; x = x->next)
		n++;
	return n;
}

int
disk_open(int dir, const char *path, int flags, int mode, struct file **f)
{
	char last[NAME_MAX + 1];
	struct inode *folder, *i;
	int error = path_walk(dir, path, &folder, last);
	(void)mode;
	if (error)
		return error;
	struct entry *e = last[0] ? *entry_find(&folder->entries, last) : NULL;
	i = last[0] == '\0' ? folder : e ? e->inode : NULL;
	if (i == NULL) {
		if (!(flags & O_CREAT))
			return ENOENT;
		i = inode_new(S.cur->machine, 0);
		i->links = 1;
		folder_change(folder, NULL, last, i);
	} else if (flags & O_EXCL)
		return EEXIST;
	if ((flags & O_DIRECTORY) && !i->folder)
		return ENOTDIR;
	if ((flags & O_TRUNC) && !i->folder) {
		struct range *r = sim_alloc(sizeof *r);
		*r = (struct range){ 0, i->now.size, NULL };
		i->dirty = r;
		bytes_grow(&i->now, 0);
		count_space(i);
	}
	*f = file_new(FILE_DISK);
	(*f)->inode = i;
	return 0;
}

void
disk_unlock(struct file *f)
{
	if (f->inode->lock == f)
		f->inode->lock = NULL;
}

int
disk_bind(const char *path, struct sock *s)
{
	char last[NAME_MAX + 1];
	struct inode *folder, *i;
	int error = path_walk(AT_FDCWD, path, &folder, last);
	if (error)
		return error;
	if (*entry_find(&folder->entries, last))
		return EADDRINUSE;
	i = inode_new(S.cur->machine, 0);
	i->links = 1;
	i->mode = S_IFSOCK | 0700;
	i->sock = s;
	folder_change(folder, NULL, last, i);
	return 0;
}

struct sock *
disk_listener(const char *path)
{
	struct inode *i;
	int error = path_find(AT_FDCWD, path, &i);
	errno = error ? error : ECONNREFUSED;
	return error ? NULL : i->sock;
}

/* ---- files ---- */

long
disk_read(struct file *f, void *bytes, size_t n, uint64_t at)
{
	struct inode *i = f->inode;
	if (i->folder)
		return sim_fail(EISDIR);
	if (at >= i->now.size)
		return sim_back(0);
	if (n > i->now.size - at)
		n = i->now.size - at;
	if (n > 1 && sim_chance(64))
		n = 1 + sim_below(n);
	memcpy(bytes, i->now.at + at, n);
	return sim_back((long)n);
}

long
disk_write(struct file *f, const void *bytes, size_t n, uint64_t at)
{
	struct inode *i = f->inode;
	if (n > 1 && sim_chance(64))
		n = 1 + sim_below(n);
	if (f->flags & O_APPEND)
		at = i->now.size;
	uint64_t takes = i->now.size > i->reserved ? i->now.size : i->reserved;
	if (!has_space(i, at + n)) {              /* what still fits is written */
		const struct machine *m = &S.machines[i->machine];
		uint64_t fits = takes + (m->disk_room > m->disk_used ? m->disk_room - m->disk_used : 0);
		if (fits <= at)
			return sim_fail(ENOSPC);
		n = fits - at;
	}
	if (at + n > i->now.size)
		bytes_grow(&i->now, at + n);
	memcpy(i->now.at + at, bytes, n);
	struct range *r = sim_alloc(sizeof *r);
	*r = (struct range){ at, at + n, i->dirty };
	i->dirty = r;
	count_space(i);
	return sim_back((long)n);
}

ssize_t
sim_pread(int fd, void *bytes, size_t n, off_t at)
{
	sim_enter("pread");
	struct file *f = file_of(fd);
	return f ? disk_read(f, bytes, n, (uint64_t)at) : sim_fail(EBADF);
}

ssize_t
sim_pwrite(int fd, const void *bytes, size_t n, off_t at)
{
	sim_enter("pwrite");
	struct file *f = file_of(fd);
	return f ? disk_write(f, bytes, n, (uint64_t)at) : sim_fail(EBADF);
}

static int
sync_file(int fd, const char *call)
{
	sim_enter(call);
	struct file *f = file_of(fd);
	if (f == NULL)
		return (int)sim_fail(EBADF);
	sim_sleep(f, S.now + 50 + (int64_t)sim_below(sim_chance(16) ? 20 * MS : 500));
	if (f->inode->folder)
		folder_keep(f->inode, UINT64_MAX);
	else
		file_keep(f->inode);
	return (int)sim_back(0);
}

int sim_fdatasync(int fd) { return sync_file(fd, "fdatasync"); }
int sim_fsync(int fd) { return sync_file(fd, "fsync"); }

int
sim_ftruncate(int fd, off_t size)
{
	sim_enter("ftruncate");
	struct file *f = file_of(fd);
	if (f == NULL)
		return (int)sim_fail(EBADF);
	bytes_grow(&f->inode->now, (uint64_t)size);
	f->inode->reserved = 0;
	count_space(f->inode);
	return (int)sim_back(0);
}

/* The kernel may write any page at any time anyway. */
int
sim_sync_file_range(int fd, off_t at, off_t n, unsigned flags)
{
	sim_enter("sync_file_range");
	(void)at, (void)n, (void)flags;
	return file_of(fd) ? (int)sim_back(0) : (int)sim_fail(EBADF);
}

int
sim_fallocate(int fd, int mode, off_t at, off_t n)
{
	sim_enter("fallocate");
	struct file *f = file_of(fd);
	(void)mode;
	if (f == NULL)
		return (int)sim_fail(EBADF);
	if (!has_space(f->inode, (uint64_t)(at + n)))
		return (int)sim_fail(ENOSPC);
	f->inode->reserved = (uint64_t)(at + n);
	count_space(f->inode);
	return (int)sim_back(0);
}

static int
stat_put(const struct inode *i, struct stat *st)
{
	memset(st, 0, sizeof *st);
	st->st_mode = i->mode;
	st->st_uid = 1000;
	st->st_size = (off_t)i->now.size;
	st->st_ino = i->number;
	st->st_nlink = (nlink_t)i->links;
	return (int)sim_back(0);
}

int
sim_fstat(int fd, struct stat *st)
{
	sim_enter("fstat");
	struct file *f = file_of(fd);
	if (f && f->kind == FILE_SOCKET) {             /* a number of its own */
		memset(st, 0, sizeof *st);
		st->st_mode = S_IFSOCK | 0600;
		st->st_ino = (ino_t)f->number;
		return (int)sim_back(0);
	}
	return f && f->kind == FILE_DISK ? stat_put(f->inode, st) : (int)sim_fail(EBADF);
}

int
sim_fstatat(int dir, const char *path, struct stat *st, int flags)
{
	sim_enter("fstatat");
	struct inode *i;
	(void)flags;
	int error = path_find(dir, path, &i);
	return error ? (int)sim_fail(error) : stat_put(i, st);
}

int
sim_stat(const char *path, struct stat *st)
{
	sim_enter("stat");
	struct inode *i;
	memset(st, 0, sizeof *st);
	if (strcmp(path, "/proc/self/ns/ipc") == 0 || strcmp(path, "/proc/thread-self/ns/ipc") == 0) {
		st->st_ino = (ino_t)S.cur->machine + 1;
		return 0;
	}
	int error = path_find(AT_FDCWD, path, &i);
	return error ? (int)sim_fail(error) : stat_put(i, st);
}

int
sim_fstatvfs(int fd, struct statvfs *st)
{
	sim_enter("fstatvfs");
	(void)fd;
	const struct machine *m = &S.machines[S.cur->machine];
	memset(st, 0, sizeof *st);
	st->f_frsize = 1;
	st->f_bavail = m->disk_room > m->disk_used ? m->disk_room - m->disk_used : 0;
	return (int)sim_back(0);
}

int
sim_flock(int fd, int how)
{
	sim_enter("flock");
	struct file *f = file_of(fd);
	if (f == NULL)
		return (int)sim_fail(EBADF);
	if (f->inode->lock && f->inode->lock != f)
		return (int)sim_fail(how & LOCK_NB ? EWOULDBLOCK : ENOSYS);
	f->inode->lock = f;
	return (int)sim_back(0);
}

/* ---- names ---- */

int
sim_mkdirat(int dir, const char *path, mode_t mode)
{
	sim_enter("mkdir");
	char last[NAME_MAX + 1];
	struct inode *folder, *i;
	(void)mode;
	int error = path_walk(dir, path, &folder, last);
	if (error)
		return (int)sim_fail(error);
	if (*entry_find(&folder->entries, last))
		return (int)sim_fail(EEXIST);
	i = inode_new(S.cur->machine, 1);
	i->links = 1;
	folder_change(folder, NULL, last, i);
	return (int)sim_back(0);
}

int sim_mkdir(const char *path, mode_t mode) { return sim_mkdirat(AT_FDCWD, path, mode); }

static void
inode_unlink(struct inode *i)
{
	i->links--;
	count_space(i);
}

int
sim_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	sim_enter("rename");
	char a[NAME_MAX + 1], b[NAME_MAX + 1];
	struct inode *from_folder, *to_folder;
	int error = path_walk(from_dir, from, &from_folder, a);
	if (error == 0)
		error = path_walk(to_dir, to, &to_folder, b);
	struct entry *e = error ? NULL : *entry_find(&from_folder->entries, a),
	    *old = error ? NULL : *entry_find(&to_folder->entries, b);
	if (error || e == NULL)
		return (int)sim_fail(error ? error : ENOENT);
	struct inode *i = e->inode;
	if (old)
		inode_unlink(old->inode);
	if (from_folder == to_folder)
		folder_change(from_folder, a, b, i);
	else {                                    /* a power cut may leave both */
		folder_change(to_folder, NULL, b, i);
		folder_change(from_folder, a, NULL, NULL);
	}
	return (int)sim_back(0);
}

int
sim_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	sim_enter("link");
	char last[NAME_MAX + 1];
	struct inode *i, *folder;
	(void)flags;
	int error = path_find(from_dir, from, &i);
	if (error == 0)
		error = path_walk(to_dir, to, &folder, last);
	if (error == 0 && *entry_find(&folder->entries, last))
		error = EEXIST;
	if (error)
		return (int)sim_fail(error);
	i->links++;
	folder_change(folder, NULL, last, i);
	return (int)sim_back(0);
}

int
sim_unlinkat(int dir, const char *path, int flags)
{
	sim_enter("unlink");
	char last[NAME_MAX + 1];
	struct inode *folder;
	int error = path_walk(dir, path, &folder, last);
	struct entry *e = error ? NULL : *entry_find(&folder->entries, last);
	if (error || e == NULL)
		return (int)sim_fail(error ? error : ENOENT);
	if (e->inode->folder != ((flags & AT_REMOVEDIR) != 0))
		return (int)sim_fail(e->inode->folder ? EISDIR : ENOTDIR);
	if (e->inode->folder && e->inode->entries)
		return (int)sim_fail(ENOTEMPTY);
	inode_unlink(e->inode);
	folder_change(folder, last, NULL, NULL);
	return (int)sim_back(0);
}

int sim_rmdir(const char *path) { return sim_unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int
sim_faccessat(int dir, const char *path, int mode, int flags)
{
	sim_enter("access");
	struct inode *i;
	(void)mode, (void)flags;
	int error = path_find(dir, path, &i);
	return error ? (int)sim_fail(error) : (int)sim_back(0);
}

mode_t sim_umask(mode_t mode) { (void)mode; return 022; }
int sim_fchmod(int fd, mode_t mode) { (void)fd, (void)mode; return 0; }
int sim_fchmodat(int dir, const char *path, mode_t mode, int flags) { (void)dir, (void)path, (void)mode,
    (void)flags; return 0; }
int sim_fchown(int fd, uid_t uid, gid_t gid) { (void)fd, (void)uid, (void)gid; return 0; }
int sim_fchownat(int dir, const char *path, uid_t uid, gid_t gid, int flags) { (void)dir, (void)path, (void)uid,
    (void)gid, (void)flags; return 0; }

ssize_t
sim_readlink(const char *path, char *text, size_t n)
{
	sim_enter("readlink");
	(void)path;
	return snprintf(text, n, "/bin/%s", S.cur->role);
}

/* Links are for the tools, which do not run here. */
int sim_symlink(const char *to, const char *path) { sim_enter("symlink"); (void)to, (void)path; return 0; }
int sim_unlink(const char *path) { sim_enter("unlink"); (void)path; return 0; }

/* ---- reading a folder ---- */

struct simdir { int fd; struct entry *at; struct dirent out; };

DIR *
sim_fdopendir(int fd)
{
	struct file *f = file_of(fd);
	if (f == NULL || !f->inode->folder) {
		errno = ENOTDIR;
		return NULL;
	}
	struct simdir *d = sim_alloc(sizeof *d);
	d->fd = fd;
	d->at = f->inode->entries;
	return (DIR *)d;
}

struct dirent *
sim_readdir(DIR *dir)
{
	struct simdir *d = (struct simdir *)dir;
	sim_enter("readdir");
	if (d->at == NULL)
		return NULL;
	snprintf(d->out.d_name, sizeof d->out.d_name, "%s", d->at->name);
	d->out.d_type = d->at->inode->folder ? DT_DIR : DT_REG;
	d->at = d->at->next;
	return &d->out;
}

int sim_closedir(DIR *dir) { return sim_close(((struct simdir *)dir)->fd); }
