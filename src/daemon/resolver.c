/* resolver - the addresses of the broker's host, asked for by a process of its own: that may take a minute, and clients
 * are served meanwhile; a part of mom_daemon */
#include "daemon/daemon.h"
#include "base/fdio.h"
#include "base/log.h"
#include "ipc/ipcq.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A pipe takes it as a whole. */
struct resolved { int count; char why[100]; struct net_address address[NET_ADDRESSES]; };

/* A fork has the clients' segments attached, too: while it asks they would all seem to be used by somebody. */
static void
let_go(const struct daemon *d, unsigned out)
{
	for (uint32_t i = 0; i < d->used; i++)
		ipcq_detach(d->members[i].segment);
	ipcq_detach(d->unit);
	ipcq_detach(d->table);
#ifdef SYS_close_range                          /* what stays open ends with it */
	syscall(SYS_close_range, STDERR_FILENO + 1u, out - 1, 0u);
	syscall(SYS_close_range, out + 1, ~0u, 0u);
#endif
	(void)out;
}

static void
resolver_run(const struct daemon *d, pid_t parent, int out)
{
	struct resolved r = { 0 };
	const char *why;
	child_forked(parent);
	let_go(d, (unsigned)out);
	r.count = net_resolve(r.address, d->host, d->port, &why);
	snprintf(r.why, sizeof r.why, "%s", why);
	_exit(fdio_write_full(out, &r, sizeof r) < 0 ? EXIT_SYSTEM : 0);
}

int
resolver_start(struct daemon *d)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	pid_t parent = getpid();
	d->resolver = fork();
	if (d->resolver == 0)
		resolver_run(d, parent, ends[1]);
	int error = errno;
	close(ends[1]);
	if (d->resolver > 0)
		return ends[0];
	d->resolver = 0;
	close(ends[0]);
	errno = error;
	return -1;
}

int
resolver_read(struct daemon *d, const char **why)
{
	static struct resolved r;
	ssize_t n = fdio_read(d->socket, &r, sizeof r);
	*why = n == (ssize_t)sizeof r ? r.why : "the process that asked for its address ended";
	if (n != (ssize_t)sizeof r || r.count < 1 || r.count > NET_ADDRESSES)
		return -1;
	memcpy(d->address, r.address, sizeof d->address);
	d->addresses = r.count;
	return 0;
}

int
resolver_reaped(struct daemon *d, pid_t pid)
{
	if (pid != d->resolver)
		return 0;
	d->resolver = 0;
	return 1;
}

void
resolver_end(struct daemon *d)
{
	child_end(d->resolver);
	d->resolver = 0;
}
