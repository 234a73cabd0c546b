/* cmd_doctor_disk - folders and disks of a server: who may touch them, what they are, whether they keep what is synced;
 * a part of mom doctor */
#include "tools/mom/doctor/cmd_doctor.h"
#include "base/clock.h"
#include "base/fdio.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { SYNCS = 15, SYNC_BYTES = 4096, SLOW_US = 20000 };

static const char *
kind_of(const struct look_server *s)
{
	return s->is_broker ? "store" : "spool";
}

static void
folder(const char *what, const char *path, pid_t pid, mode_t bad, const char *cure)
{
	struct stat st, process;
	char proc[40];
	if (stat(path, &st) < 0) {
		doctor_say(DOCTOR_FAIL, what, errno == EACCES ? "run this as the server's user, or as root"
		    : "was it removed or moved? Bring it back under that name, and all goes on; the server's log "
		    "says more", "%s: %s", path,
		    strerror(errno));
		return;
	}
	snprintf(proc, sizeof proc, "/proc/%d", (int)pid);
	if (pid && stat(proc, &process) == 0 && process.st_uid != st.st_uid)
		doctor_say(DOCTOR_FAIL, what, "give it to the server's user (chown), and start the server again",
		    "%s belongs to %s, not to the server's user", path,
		    user_name(st.st_uid));
	else if (st.st_mode & bad)
		doctor_say(st.st_mode & 022 ? DOCTOR_FAIL : DOCTOR_WARN, what, cure, "%s: mode %03o: others may %s it",
		    path, st.st_mode & 0777,
		    st.st_mode & 022 ? "write to" : "read");
	else
		doctor_say(DOCTOR_OK, what, NULL, "%s belongs to %s, mode %03o", path, user_name(st.st_uid),
		    st.st_mode & 0777);
}

void
doctor_folders(const struct look_server *s)
{
	folder("run folder", s->run, s->pid, 022, "chmod go-w on it");
	folder(kind_of(s), s->files, s->pid, 077, "chmod 700 on it: messages lie there");
}

static const struct { unsigned long magic; const char *name, *text, *cure; } kinds[] = {
	{ TMPFS_MAGIC, "tmpfs", "lies in memory and is gone after a reboot", "put it on a disk, with --db or --spool" },
	{ RAMFS_MAGIC, "ramfs", "lies in memory and is gone after a reboot", "put it on a disk, with --db or --spool" },
	{ NFS_SUPER_MAGIC, "NFS", "locks and syncs depend on another machine",
	    "put it on a local disk, with --db or --spool" },
	{ 0xff534d42, "CIFS", "locks and syncs depend on another machine",
	    "put it on a local disk, with --db or --spool" },
	{ 0xfe534d42, "SMB", "locks and syncs depend on another machine",
	    "put it on a local disk, with --db or --spool" },
	{ V9FS_MAGIC, "9p", "locks and syncs depend on another machine",
	    "put it on a local disk, with --db or --spool" },
	{ 0x65735546, "FUSE", "whether a sync holds depends on the program behind it",
	    "put it on a local disk, with --db or --spool" },
	{ OVERLAYFS_SUPER_MAGIC, "overlay", "is gone with its container", "give the container a volume for it" },
};

static void
disk_kind(const struct look_server *s, const struct statfs *f)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if ((unsigned long)f->f_type == kinds[i].magic) {
			doctor_say(DOCTOR_WARN, "disk", kinds[i].cure, "%s %s is on %s: it %s", kind_of(s), s->files,
			    kinds[i].name, kinds[i].text);
			return;
		}
	doctor_say(DOCTOR_OK, "disk", NULL, "%s %s is on a local file system", kind_of(s), s->files);
}

static void
disk_room(const struct look_server *s, const struct statfs *f)
{
	uint64_t left = f->f_bavail * (uint64_t)f->f_bsize, whole = f->f_blocks * (uint64_t)f->f_bsize;
	char a[24], b[24];
	const char *cure = s->is_broker ? "make room, or publishes are refused with MOM_EFULL"
	    : "make room, or the clients with the most mail waiting are cut";
	text_amount(a, (double)left);
	text_amount(b, (double)whole);
	uint64_t segment = s->broker ? s->broker->segment_bytes : SEGMENT_BYTES;
	if (left < segment)
		doctor_say(DOCTOR_FAIL, "disk", cure, "%s %s: %s of %s bytes are left", kind_of(s), s->files, a, b);
	else if (left < whole / 20 || left < 16 * segment)
		doctor_say(DOCTOR_WARN, "disk", cure, "%s %s: %s of %s bytes are left", kind_of(s), s->files, a, b);
	else
		doctor_say(DOCTOR_OK, "disk", NULL, "%s %s: %s of %s bytes are left", kind_of(s), s->files, a, b);
	if (f->f_files && f->f_ffree < 1000)
		doctor_say(DOCTOR_FAIL, "disk", "remove files there: each topic with subscribers takes one",
		    "%s %s: %" PRIu64 " inodes are left", kind_of(s), s->files,
		    (uint64_t)f->f_ffree);
}

/* A file without a name, or, where the file system knows none, one that is removed before anything is written. */
static int
open_trial(const char *path)
{
	char name[40];
	int fd = open(path, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(name, sizeof name, "doctor-%d.new", (int)getpid());       /* .new: the next start would remove it */
	fd = dir < 0 ? -1 : fdio_open_at(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	int keep = errno;
	if (fd >= 0)
		fdio_unlink_at(dir, name);
	fdio_close(&dir);
	errno = keep;
	return fd;
}

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

static void
disk_sync(const struct look_server *s)
{
	char bytes[SYNC_BYTES] = { 1 };
	int64_t took[SYNCS];
	int fd = open_trial(s->files), bad = fd < 0;
	for (int i = 0; i < SYNCS && !bad; i++) {
		int64_t began = clock_us();
		bad = fdio_pwrite_full(fd, bytes, sizeof bytes, (uint64_t)i * sizeof bytes) < 0 ||
		    fdio_datasync(fd) < 0;
		took[i] = clock_us() - began;
	}
	int error = errno;
	fdio_close(&fd);
	if (bad) {
		doctor_say(DOCTOR_FAIL, "fdatasync", error == EACCES ||
		    error == EPERM ? "run this as the server's user, or as root" :
		    fdio_is_full(error) ? "make room on that disk" : "see dmesg: mend the disk before anything else",
		    "%s: %s", s->files, strerror(error));
		return;
	}
	qsort(took, SYNCS, sizeof *took, by_value);
	if (took[SYNCS / 2] > SLOW_US)
		doctor_say(DOCTOR_WARN, "fdatasync", "durable publishes wait for it: a quicker disk, one without other "
		    "load, or MOM_FAST",
		    "%s: works, but takes %" PRId64 " us (half of %d; the longest %" PRId64 ")", s->files,
		    took[SYNCS / 2], SYNCS, took[SYNCS - 1]);
	else
		doctor_say(DOCTOR_OK, "fdatasync", NULL, "%s: works, takes %" PRId64 " us (half of %d; the longest "
		    "%" PRId64 ")", s->files, took[SYNCS / 2], SYNCS,
		    took[SYNCS - 1]);
}

void
doctor_disk(const struct look_server *s)
{
	struct statfs f;
	if (statfs(s->files, &f) < 0 && errno == ENOENT)       /* doctor_folders has said it */
		return;
	if (statfs(s->files, &f) < 0) {
		doctor_say(DOCTOR_FAIL, "disk", "run this as the server's user, or as root", "%s: %s", s->files,
		    strerror(errno));
		return;
	}
	disk_kind(s, &f);
	disk_room(s, &f);
	disk_sync(s);
}
