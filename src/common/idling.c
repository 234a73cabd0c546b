/* idling - see idling.h */
#include "common/idling.h"
#include "common/fdio.h"
#include <errno.h>
#include <mom/limits.h>
#include <sched.h>
#include <sys/socket.h>

static unsigned
most_looks(void)
{
	static unsigned most;                  /* + 1; 0: not known yet */
	cpu_set_t cores;
	if (most == 0)
		most = sched_getaffinity(0, sizeof cores, &cores) == 0 && CPU_COUNT(&cores) == 1 ? 1 : IDLING_LOOKS + 1;
	return most - 1;
}

int
idling_on(struct idling *l)
{
	if (l->looks++ >= most_looks()) {
		l->looks = 0;
		return 0;
	}
	sched_yield();
	return 1;
}

ssize_t
idling_read(int socket, void *bytes, size_t n)
{
	struct idling l = { 0 };
	do {
		ssize_t r = recv(socket, bytes, n, MSG_DONTWAIT);
		if (r >= 0 || (errno != EAGAIN && errno != EINTR))
			return r;
	} while (idling_on(&l));
	return fdio_read(socket, bytes, n);
}
