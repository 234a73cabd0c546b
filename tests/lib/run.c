/* run - a program run to its end, its output taken */
#include <lib/run.h>
#include <lib/t.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* The shell with that command, its output into these files. */
static void
become_shell(const char *command, const char *out, const char *err)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	int in = open("/dev/null", O_RDONLY), to = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600),
	    log = open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	dup2(in, 0);
	dup2(to, 1);
	dup2(log, 2);
	for (int fd = 3; fd < 256; fd++)
		close(fd);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

static struct running
start(const char *format, va_list list)
{
	static int number;
	char command[8192];
	vsnprintf(command, sizeof command, format, list);
	struct running r = { 0, t_path("run-%d.out", ++number), t_path("run-%d.err", number) };
	r.pid = fork();
	if (r.pid == 0)
		become_shell(command, r.out, r.err);
	REQUIRE(r.pid > 0, "fork");
	return r;
}

struct ran
run_command(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	struct running r = start(format, list);
	va_end(list);
	return run_finish(&r);
}

struct running
run_start(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	struct running r = start(format, list);
	va_end(list);
	return r;
}

struct ran
run_finish(struct running *r)
{
	int status = t_join(r->pid);
	return (struct ran){WIFEXITED(status) ? WEXITSTATUS(status) : -1, t_read_file(r->out), t_read_file(r->err)};
}
