/* bench_busy - a part of mom_bench: programs that do nothing but work, beside what is measured */
#include "bench/bench.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t loop[BUSY_MAX];

void
busy_begin(long loops)
{
	pid_t parent = getpid();
	for (long i = 0; i < loops && i < BUSY_MAX; i++) {
		if (loop[i])
			continue;
		pid_t pid = fork();
		if (pid < 0)
			bench_die(BENCH_START, "fork of a busy loop: %s", strerror(errno));
		if (pid > 0) {
			loop[i] = pid;
			continue;
		}
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGINT, SIG_DFL);
		for (volatile unsigned long work = 0; getppid() == parent;)
			while (++work % (1ul << 26))
				;
		_exit(0);
	}
}

void
busy_end(void)
{
	for (int i = 0; i < BUSY_MAX; i++) {
		if (loop[i] == 0)
			continue;
		kill(loop[i], SIGKILL);
		while (waitpid(loop[i], NULL, 0) < 0 && errno == EINTR)
			;
		loop[i] = 0;
	}
}
