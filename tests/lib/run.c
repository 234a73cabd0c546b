/* run - a program run to its end, its output taken */
#include <lib/run.h>
#include <lib/t.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct ran
run_command(const char *format, ...)
{
	static int number;
	char command[8192];
	va_list list;
	va_start(list, format);
	vsnprintf(command, sizeof command, format, list);
	va_end(list);
	char *out = t_path("run-%d.out", ++number), *err = t_path("run-%d.err", number);
	pid_t pid = fork();
	if (pid == 0) {
		sigset_t none;
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGPIPE, SIG_DFL);
		int in = open("/dev/null", O_RDONLY), to = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600), log = open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		dup2(in, 0);
		dup2(to, 1);
		dup2(log, 2);
		for (int fd = 3; fd < 256; fd++)
			close(fd);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	REQUIRE(pid > 0, "fork");
	int status = t_join(pid);
	return (struct ran){WIFEXITED(status) ? WEXITSTATUS(status) : -1, t_read_file(out), t_read_file(err)};
}
