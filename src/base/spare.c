/* spare - see spare.h */
#include "base/spare.h"
#include "base/clock.h"
#include "base/fdio.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

enum { SPARE_AGAIN_MS = 200 };

void
spare_open(struct spare *s)
{
	s->fd = fdio_open_at(AT_FDCWD, "/dev/null", O_RDONLY, 0);
	s->is_full = 0;
}

int
spare_accept(struct spare *s, int listener, int flags)
{
	if (s->fd < 0)
		spare_open(s);
	int fd = accept4(listener, NULL, NULL, flags);
	if (fd >= 0 || (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS))
		return fd;
	int error = errno;
	fdio_close(&s->fd);
	s->is_full = 1;
	fd = accept4(listener, NULL, NULL, flags);
	if (fd >= 0)
		return fd;
	spare_open(s);
	s->until_ms = clock_ms() + SPARE_AGAIN_MS;
	errno = error;
	return -1;
}

int
spare_is_ready(const struct spare *s, int64_t now)
{
	return now >= s->until_ms;
}
