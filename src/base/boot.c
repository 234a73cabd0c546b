/* boot - see boot.h */
#include "base/boot.h"
#include "base/fdio.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

const char *
boot_id(void)
{
	static char text[64];
	char bytes[sizeof text];
	if (text[0])
		return text;
	int fd = fdio_open_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", O_RDONLY, 0);
	ssize_t n = fd < 0 ? -1 : fdio_read(fd, bytes, sizeof bytes - 1);
	int error = n == 0 ? EIO : errno;
	fdio_close(&fd);
	if (n <= 0) {
		errno = error;
		return NULL;
	}
	bytes[n] = '\0';
	bytes[strcspn(bytes, "\n")] = '\0';
	memcpy(text, bytes, sizeof text);
	return text;
}
