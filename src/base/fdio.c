/* fdio - see fdio.h */
#include "base/fdio.h"
#include "base/fault.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int
fdio_open_at(int dir, const char *name, int flags, int mode)
{
	int fd;
	if (fault_hits("open"))
		return -1;
	while ((fd = openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW, mode)) < 0 && errno == EINTR)
		;
	return fd;
}

ssize_t
fdio_read(int fd, void *bytes, size_t n)
{
	ssize_t r;
	if (fault_hits("read"))
		return -1;
	while ((r = read(fd, bytes, n)) < 0 && errno == EINTR)
		;
	return r;
}

int
fdio_write_full(int fd, const void *bytes, size_t n)
{
	const char *p = bytes;
	if (fault_hits("write"))
		return -1;
	while (n > 0) {
		ssize_t r = write(fd, p, n);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

ssize_t
fdio_pread_full(int fd, void *bytes, size_t n, uint64_t at)
{
	size_t got = 0;
	if (fault_hits("pread"))
		return -1;
	while (got < n) {
		ssize_t r = pread(fd, (char *)bytes + got, n - got, (off_t)(at + got));
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		if (r == 0)
			break;
		got += (size_t)r;
	}
	return (ssize_t)got;
}

int
fdio_pwrite_full(int fd, const void *bytes, size_t n, uint64_t at)
{
	size_t put = 0;
	if (fault_hits("pwrite"))
		return -1;
	while (put < n) {
		ssize_t r = pwrite(fd, (const char *)bytes + put, n - put, (off_t)(at + put));
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		put += (size_t)r;
	}
	return 0;
}

void
fdio_write_back(int fd, uint64_t at, uint64_t n)
{
	(void)sync_file_range(fd, (off_t)at, (off_t)n, SYNC_FILE_RANGE_WRITE);
}

/* An interrupted sync has not failed: what failed is never tried again. */
int
fdio_datasync(int fd)
{
	int r;
	while ((r = fault_hits("fdatasync") ? -1 : fdatasync(fd)) < 0 && errno == EINTR)
		;
	return r;
}

int
fdio_sync(int fd)
{
	int r;
	while ((r = fault_hits("fsync") ? -1 : fsync(fd)) < 0 && errno == EINTR)
		;
	return r;
}

int
fdio_allocate(int fd, uint64_t n)
{
	int r;
	while ((r = fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)n)) < 0 && errno == EINTR)
		;
	return r < 0 && errno == EOPNOTSUPP ? 0 : r;
}

int
fdio_truncate(int fd, uint64_t n)
{
	int r;
	while ((r = ftruncate(fd, (off_t)n)) < 0 && errno == EINTR)
		;
	return r;
}

int
fdio_statvfs(int fd, struct statvfs *st)
{
	int r;
	while ((r = fault_hits("statvfs") ? -1 : fstatvfs(fd, st)) < 0 && errno == EINTR)
		;
	return r;
}

int
fdio_rename_at(int dir, const char *from, const char *to)
{
	return fault_hits("rename") ? -1 : renameat(dir, from, dir, to);
}

int
fdio_unlink_at(int dir, const char *name)
{
	return fault_hits("unlink") ? -1 : unlinkat(dir, name, 0);
}

void
fdio_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int
fdio_nonblock(int fd, int on)
{
	int flags = fcntl(fd, F_GETFL);
	return flags < 0 ? -1 : fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

int
fdio_cloexec(int fd, int on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0);
}

int
fdio_leads_to(int dir, const char *name, int fd)
{
	struct stat named, ours;
	if (fstatat(dir, name, &named, 0) < 0)
		return errno != ENOENT && errno != ENOTDIR;
	return fd < 0 || fstat(fd, &ours) < 0 || (named.st_ino == ours.st_ino && named.st_dev == ours.st_dev);
}

int
fdio_mkdir_path(const char *path, int mode)
{
	char part[PATH_MAX];
	size_t n = strlen(path);
	if (n == 0 || n >= sizeof part) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(part, path, n + 1);
	for (char *p = part + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -1;
		*p = '/';
	}
	struct stat st;
	if (mkdir(part, (mode_t)mode) == 0)
		return 0;
	if (errno != EEXIST || stat(part, &st) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return -1;
	}
	return 0;
}

int
fdio_replace(int dir, const char *name, const void *bytes, size_t n, int durable)
{
	char temp[NAME_MAX + 8];
	snprintf(temp, sizeof temp, "%s.new", name);
	int fd = fdio_open_at(dir, temp, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		return -1;
	int bad = fdio_write_full(fd, bytes, n) < 0 || (durable && fdio_sync(fd) < 0), keep = errno;
	close(fd);
	if (!bad && fdio_rename_at(dir, temp, name) == 0)
		return durable ? fdio_sync(dir) : 0;
	if (!bad)
		keep = errno;
	unlinkat(dir, temp, 0);
	errno = keep;
	return -1;
}

void *
fdio_load(int dir, const char *name, size_t *n, size_t most)
{
	struct stat st;
	char *bytes = NULL;
	int fd = fdio_open_at(dir, name, O_RDONLY, 0);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0) {
		if ((uint64_t)st.st_size > most)
			errno = EBADMSG;
		else if ((bytes = malloc((size_t)st.st_size + 1)) != NULL) {
			ssize_t r = fdio_pread_full(fd, bytes, (size_t)st.st_size, 0);
			if (r < 0) {
				free(bytes);
				bytes = NULL;
			} else {
				bytes[r] = '\0';
				*n = (size_t)r;
			}
		}
	}
	int keep = errno;
	close(fd);
	errno = keep;
	return bytes;
}

void
fdio_sweep(int dir, const char *prefix)
{
	int fd = fdio_open_at(dir, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
		size_t n = strlen(e->d_name);
		if (n > 4 && strcmp(e->d_name + n - 4, ".new") == 0 && strncmp(e->d_name, prefix, strlen(prefix)) == 0)
			unlinkat(dir, e->d_name, 0);
	}
	if (d)
		closedir(d);
}

int
fdio_is_full(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

const char *
fdio_hint(int error)
{
	switch (error) {
	case ENOSPC: return "make room on that disk";
	case EDQUOT: return "raise this user's quota, or make room";
	case EFBIG: return "raise `ulimit -f` (LimitFSIZE of its service), or take a file system that has larger files";
	case EACCES:
	case EPERM:  return "let this user read and write there";
	case EROFS:  return "mount it for writing";
	case ELOOP:  return "it is a symbolic link, and none is followed here: put the file itself there";
	case ENOTDIR: return "a folder has to be there: move away what has its name";
	case ENOENT: return "it is missing: bring it back from a backup";
	case EMFILE: return "raise `ulimit -n`";
	case ENFILE: return "raise fs.file-max";
	case ENOMEM: return "no memory; see `free`";
	case EIO:    return "the disk fails: see dmesg, mend it, then start again";
	case EBADMSG: return "damaged: see dmesg for the disk; bring it back from a backup";
	default:     return "see dmesg and `df`";
	}
}
