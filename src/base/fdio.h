/* Whole reads and whole writes on descriptors, with the fault points of files. A signal interrupts none of them. They
 * return 0, or -1 with errno, unless said otherwise. */
#ifndef FDIO_H
#define FDIO_H
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/random.h>
#include <sys/types.h>
struct statvfs;
int     fdio_open_at(int dir, const char *name, int flags, int mode);          /* O_CLOEXEC and O_NOFOLLOW are added */
ssize_t fdio_read(int fd, void *bytes, size_t n);                               /* reads what is there; 0 at the end */
int     fdio_write_full(int fd, const void *bytes, size_t n);
/* Reads fewer than n bytes only at the end of the file. */
ssize_t fdio_pread_full(int fd, void *bytes, size_t n, uint64_t at);
int     fdio_pwrite_full(int fd, const void *bytes, size_t n, uint64_t at);
int     fdio_allocate(int fd, uint64_t n);          /* takes disk space for n bytes, if it can; the size stays */
int     fdio_truncate(int fd, uint64_t n);
int     fdio_statvfs(int fd, struct statvfs *st);
int     fdio_datasync(int fd);
/* Begins to write pages to the disk and does not wait; it is only a wish. */
void    fdio_write_back(int fd, uint64_t at, uint64_t n);
int     fdio_sync(int fd);
int     fdio_rename_at(int dir, const char *from, const char *to);
int     fdio_unlink_at(int dir, const char *name);
void    fdio_close(int *fd);                                                    /* sets it to -1 */
int     fdio_nonblock(int fd, int on);
int     fdio_cloexec(int fd, int on);
/* Does that name lead to what is open as fd (fd -1: to anything)? 0: it is gone, or something else has the name. 1 also
 * if that cannot be seen. */
int     fdio_leads_to(int dir, const char *name, int fd);
/* Unlinks PREFIX*.new: a process that died while it made a file left them. */
void    fdio_sweep(int dir, const char *prefix);
int     fdio_mkdir_path(const char *path, int mode);                            /* makes its parents, too */
/* Writes a whole file so that a crash leaves the old or the new one: a temporary file, (sync,) rename, (sync of the
 * folder). */
int     fdio_replace(int dir, const char *name, const void *bytes, size_t n, int durable);
/* Loads a whole file, malloc'd, with a NUL behind it; or NULL. A file of more than `most` bytes: EBADMSG. */
void   *fdio_load(int dir, const char *name, size_t *n, size_t most);
/* there is no room for more now: on a disk, in a quota, in the largest file */
int     fdio_is_full(int error);
/* what to do about a failed call on a file */
const char *fdio_hint(int error);

static inline int
fdio_random(void *bytes, size_t n)
{
	char *p = (char *)bytes;
	while (n > 0) {
		ssize_t r = getrandom(p, n, 0);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		p += r;
		n -= (size_t)r;
	}
	return 0;
}
#endif
