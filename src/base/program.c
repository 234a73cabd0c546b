/* program - see program.h */
#include "base/program.h"
#include "base/fdio.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <mom.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int output_error;

/* The lowest free number is the one that is given: it is fd, as those below are open. */
static void
open_standard(const char *program)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) == fd)
			continue;
		fprintf(stderr,
		    "%s: descriptor %d is closed and /dev/null cannot be opened: %s: start it with 0, 1 and 2 open, or "
		    "make /dev/null there\n",
		    program, fd, strerror(errno));
		exit(EXIT_SYSTEM);
	}
}

void
program_begin(int argc, char **argv, const char *program)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	open_standard(program);
	sigaction(SIGXFSZ, &ignore, NULL);
	if (argc < 2 || argv == NULL || strcmp(argv[1], "--version") != 0)
		return;
	fprintf(stdout, "%s (MOM) %s\n", program, MOM_VERSION);
	exit(program_end(program, 0, EXIT_SYSTEM));
}

const char *
program_stream_fault(int fd)
{
	int flags = fcntl(fd, F_GETFL), wrong = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
	if (flags >= 0 && (flags & O_ACCMODE) != wrong)
		return NULL;
	return fd == STDIN_FILENO ? "stdin is closed" : "stdout is closed";
}

int
program_flush(void)
{
	errno = 0;
	int bad = fflush(stdout) != 0 || ferror(stdout);
	if (bad && output_error == 0)
		output_error = errno;
	return bad ? -1 : 0;
}

const char *
program_output_fault(void)
{
	static char text[200];
	const char *fault = program_stream_fault(STDOUT_FILENO);
	if (fault)
		return fault;
	if (output_error == EPIPE)
		return "who read its output has gone";
	if (output_error == 0)
		return "not all of its output could be written";
	snprintf(text, sizeof text, "standard output: %s: %s", strerror(output_error), fdio_hint(output_error));
	return text;
}

void
program_catch_end(void (*on_signal)(int))
{
	/* a second one ends it at once */
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

int
program_end(const char *who, int status, int failed)
{
	if (program_flush() == 0)
		return status;
	fprintf(stderr, "%s: %s\n", who, program_output_fault());
	return failed;
}

void
program_ready_begin(int fd)
{
	if (fd >= 0 && fcntl(fd, F_GETFD) < 0)
		log_fatal(EXIT_USAGE, "--ready-fd %d: no such descriptor is open: open it first, as in "
		    "`PROGRAM --ready-fd %d %d>FILE`", fd, fd, fd);
	if (fd > STDERR_FILENO)
		fdio_cloexec(fd, 1);
}

int
program_ready_say(int fd)
{
	int r = fd < 0 ? 0 : fdio_write_full(fd, "\n", 1), keep = errno;
	if (fd > STDERR_FILENO)
		close(fd);
	errno = keep;
	return r;
}
