/* crew - see crew.h */
#include "crew.h"
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct { pid_t pid; const char *other; } crew[CREW_MOST];
static int crew_count;
int crew_is_told;
static uint64_t dice = 1;

/* Where our programs are: $BIN, as make sets it; the project's bin/; PATH. */
static void
become_coordinator(int i, int out)
{
	char path[PATH_MAX], name[16];
	const char *bin = getenv("BIN"), *quiet = crew_is_told ? NULL : "-q";
	snprintf(name, sizeof name, "crew-%d", i);
	if (crew[i].other && setenv("MOM_RUN", crew[i].other, 1) < 0)
		_exit(111);
	dup2(out, 1);
	close(out);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(path, sizeof path, "%s/mom_coordinator", bin ? bin : "bin");
	execl(path, "mom_coordinator", "--name", name, "--alive", "100", "--missed", "20", quiet,
	    (char *)NULL);
	execlp("mom_coordinator", "mom_coordinator", "--name", name, "--alive", "100", "--missed", "20", quiet,
	    (char *)NULL);
	fprintf(stderr, "mom_coordinator is neither in %s/ nor in PATH: %s. Set BIN to its folder\n", bin ? bin : "bin",
	    strerror(errno));
	_exit(111);
}

/* Its first line says that it has its share. */
static int
coordinator_start(int i)
{
	int out[2];
	char c = 0;
	ssize_t n = 0;
	if (pipe(out) < 0)
		return perror("pipe"), -1;
	crew[i].pid = fork();
	if (crew[i].pid == 0) {
		close(out[0]);
		become_coordinator(i, out[1]);
	}
	close(out[1]);
	while (crew[i].pid > 0 && c != '\n' && ((n = read(out[0], &c, 1)) > 0 || (n < 0 && errno == EINTR)))
		;
	close(out[0]);
	return c == '\n' ? 0 : (fprintf(stderr, "coordinator %d did not start\n", i), -1);
}

int
crew_start(int count, const char *other)
{
	for (crew_count = 0; crew_count < count && crew_count < CREW_MOST; crew_count++) {
		crew[crew_count].other = crew_count % 2 ? other : NULL;
		if (coordinator_start(crew_count) < 0)
			return -1;
	}
	return 0;
}

int
crew_restart(int i)
{
	kill(crew[i].pid, SIGKILL);
	waitpid(crew[i].pid, NULL, 0);
	crew[i].pid = 0;
	return coordinator_start(i);
}

int
crew_stop(void)
{
	int bad = 0, status;
	for (int i = 0; i < crew_count; i++) {
		if (crew[i].pid <= 0)
			continue;
		kill(crew[i].pid, SIGTERM);
		bad |= waitpid(crew[i].pid, &status, 0) != crew[i].pid || status != 0;
	}
	crew_count = 0;
	return bad ? -1 : 0;
}

pid_t
crew_fork(int (*run)(int), int i, const char *other)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (other && setenv("MOM_RUN", other, 1) < 0)
			_exit(111);
		dice = dice * 1000003 + (unsigned)i + 1;
		int status = run(i);
		fflush(stdout);
		_exit(status);
	}
	if (pid < 0)
		perror("fork");
	return pid;
}

void
crew_sleep(int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
	while (ms > 0 && nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

void
crew_seed(unsigned seed)
{
	dice = seed + 1;
}

int
crew_random(int below)
{
	dice = dice * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return below > 0 ? (int)((dice >> 33) % (unsigned)below) : 0;
}
