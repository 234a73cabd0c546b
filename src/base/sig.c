/* sig - see sig.h */
#include "base/sig.h"
#include "base/fdio.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

volatile sig_atomic_t sig_got_stop, sig_got_child, sig_got_reload, sig_got_reopen;
static int ends[2] = { -1, -1 };

static void
sig_handle(int number)
{
	int keep = errno;
	*(number == SIGCHLD ? &sig_got_child : number == SIGHUP ? &sig_got_reload : number == SIGUSR1 ? &sig_got_reopen
	    : &sig_got_stop) = 1;
	if (write(ends[1], "", 1) < 0) {
		/* the pipe is full: the loop wakes anyway */
	}
	errno = keep;
}

int
sig_init(void)
{
	struct sigaction act = { .sa_handler = sig_handle }, ignore = { .sa_handler = SIG_IGN };
	sigset_t none;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGCHLD, &act, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGHUP, &act, NULL);
	sigaction(SIGUSR1, &act, NULL);
	return ends[0];
}

void
sig_drain(void)
{
	char bytes[64];
	while (read(ends[0], bytes, sizeof bytes) > 0)
		;
}
