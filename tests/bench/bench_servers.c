/* bench_servers - a part of mom_bench: a broker and daemons of its own, in a temporary folder, started and ended */
#include "bench/bench.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	char dir[PATH_MAX / 2], run[PATH_MAX];
	pid_t broker, daemon[MACHINES_MAX];
	int machines;
} s;

static void
path_of_program(char *path, size_t size, const char *program)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 32);
	path[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(path, '/');
	strcpy(slash ? slash + 1 : path, program);
}

/* Starts it with its log in the folder and waits for its first line. */
static pid_t
start(const char *const argv[], char *line, size_t size)
{
	char path[PATH_MAX + 64], log[PATH_MAX];
	int out[2];
	path_of_program(path, sizeof path, argv[0]);
	snprintf(log, sizeof log, "%s/log", s.dir);
	line[0] = '\0';
	if (pipe2(out, O_CLOEXEC) < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		int err = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		/* what is measured is what was built, not this machine's configuration */
		setenv("MOM_CONFIG", s.dir, 1);
		unsetenv("MOM_URL");
		dup2(out[1], STDOUT_FILENO);
		if (err >= 0)
			dup2(err, STDERR_FILENO);
		execv(path, (char *const *)(uintptr_t)argv);
		dprintf(STDERR_FILENO, "%s: %s\n", path, strerror(errno));
		_exit(BENCH_START);
	}
	close(out[1]);
	FILE *f = fdopen(out[0], "r");
	if (f == NULL || fgets(line, (int)size, f) == NULL)
		line[0] = '\0';
	if (f)
		fclose(f);
	return pid;
}

static void
stop(pid_t *pid)
{
	pid_t p = *pid;
	*pid = 0;
	if (p <= 0)
		return;
	kill(p, SIGTERM);
	while (waitpid(p, NULL, 0) < 0 && errno == EINTR)
		;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st, (void)type, (void)where;
	return remove(path);
}

void
servers_stop(void)
{
	for (int i = s.machines; i > 0; i--)
		if (s.daemon[i - 1] > 0)
			kill(s.daemon[i - 1], SIGTERM);  /* all at once: they wait for their children */
	for (int i = s.machines; i > 0; i--)
		stop(&s.daemon[i - 1]);
	s.machines = 0;
	stop(&s.broker);
	if (s.dir[0] && nftw(s.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
		fprintf(stderr, "mom_bench: %s is left behind: %s\n", s.dir, strerror(errno));
	s.dir[0] = '\0';
}

static void __attribute__((noreturn))
did_not_start(const char *program)
{
	char path[PATH_MAX], why[400] = "it left no word";
	bench_look();
	snprintf(path, sizeof path, "%s/log", s.dir);
	FILE *f = fopen(path, "r");
	for (char line[400]; f && fgets(line, sizeof line, f);)
		snprintf(why, sizeof why, "%.*s", (int)strcspn(line, "\n"), line);
	if (f)
		fclose(f);
	bench_die(BENCH_START, "%s did not start: %s", program, why);
}

static void
start_broker(int workers, char *port)
{
	char db[PATH_MAX], run[PATH_MAX], count[16], line[PATH_MAX + 16];
	snprintf(db, sizeof db, "%s/db", s.dir);
	snprintf(run, sizeof run, "%s/b", s.dir);
	snprintf(count, sizeof count, "%d", workers);
	const char *argv[] = { "broker_server", "127.0.0.1", "0", "--db", db, "--run", run, "--workers", count, NULL };
	s.broker = start(argv, line, sizeof line);
	if (sscanf(line, "ready %*s %15s", port) != 1)
		did_not_start("broker_server");
}

static void
start_daemon(int machine, const char *port)
{
	char spool[PATH_MAX], line[PATH_MAX + 16];
	snprintf(spool, sizeof spool, "%s/s%d", s.dir, machine);
	const char *argv[] = { "mom_daemon", "127.0.0.1", port, "--run", servers_run(machine), "--spool", spool, NULL };
	s.machines = machine + 1;
	s.daemon[machine] = start(argv, line, sizeof line);
	if (strncmp(line, "ready ", 6) != 0)
		did_not_start("mom_daemon");
}

void
servers_start(int machines, int workers)
{
	const char *tmp = getenv("TMPDIR");
	char port[16];
	if (!bench.selfserve)
		return;
	servers_stop();
	snprintf(s.dir, sizeof s.dir, "%s/mom-bench.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (mkdtemp(s.dir) == NULL) {
		s.dir[0] = '\0';
		bench_die(BENCH_START, "mkdtemp(%s/mom-bench.XXXXXX): %s: set TMPDIR to a folder that one may write to",
		    tmp ? tmp : "/tmp", strerror(errno));
	}
	start_broker(workers, port);
	for (int i = 0; i < machines; i++)
		start_daemon(i, port);
}

const char *
servers_run(int machine)
{
	if (!bench.selfserve)
		return getenv("MOM_RUN");
	snprintf(s.run, sizeof s.run, "%s/d%d", s.dir, machine);
	return s.run;
}

const char *
servers_dir(void)
{
	return s.dir;
}

int
servers_pids(pid_t *pids, int max)
{
	int n = 0;
	if (s.broker > 0 && n < max)
		pids[n++] = s.broker;
	for (int i = 0; i < s.machines && n < max; i++)
		if (s.daemon[i] > 0)
			pids[n++] = s.daemon[i];
	return n;
}

const char *
servers_ended(pid_t pid)
{
	if (pid == s.broker)
		return s.broker = 0, "broker_server";
	for (int i = 0; i < s.machines; i++)
		if (s.daemon[i] == pid)
			return s.daemon[i] = 0, "mom_daemon";
	return NULL;
}
