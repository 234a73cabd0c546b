/* child - see child.h */
#include "server/child.h"
#include "base/fault.h"
#include "base/fdio.h"
#include "ipc/ipcq.h"
#include "base/log.h"
#include <errno.h>
#include <limits.h>
#include "format/limits.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void
child_forked(pid_t parent)
{
	struct sigaction usual = { .sa_handler = SIG_DFL }, ignore = { .sa_handler = SIG_IGN };
	sigset_t waiting;
	for (int i = 1; i < 32; i++)
		sigaction(i, &usual, NULL);
	sigaction(SIGINT, &ignore, NULL);      /* Ctrl-C goes to the whole group: the parent answers it */
	sigaction(SIGHUP, &ignore, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigemptyset(&waiting);
	/* until child_begin can answer it: it waits meanwhile, through exec, too */
	sigaddset(&waiting, SIGUSR1);
	sigprocmask(SIG_SETMASK, &waiting, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_SYSTEM);
}

static void
child_exec(const struct child_plan *plan, const char *path, pid_t parent)
{
	char text[256];
	int n = snprintf(text, sizeof text, "%d %d %d %d", (int)parent, plan->table, plan->index, plan->verbose);
	child_forked(parent);
	for (int i = 0; i < CHILD_FDS && plan->fds[i] >= 0; i++) {
		fdio_cloexec(plan->fds[i], 0);
		n += snprintf(text + n, sizeof text - (size_t)n, " %d", plan->fds[i]);
	}
	setenv("MOM_CHILD", text, 1);
	execl(path, plan->program, plan->title, plan->more, (char *)NULL);
	log_error("execl(%s): %s: is it beside its parent's program?", path, strerror(errno));
	_exit(EXIT_SYSTEM);
}

pid_t
child_start(const struct child_plan *plan)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 64);
	if (n < 0)
		return -1;
	path[n] = '\0';
	char *slash = strrchr(path, '/');
	strcpy(slash ? slash + 1 : path, plan->program);
	sigset_t reopen, before;
	sigemptyset(&reopen);
	sigaddset(&reopen, SIGUSR1);
	sigprocmask(SIG_BLOCK, &reopen, &before);      /* the child must not answer it as its parent would */
	pid_t parent = getpid(), pid = fault_hits("fork") ? -1 : fork();
	if (pid == 0)
		child_exec(plan, path, parent);
	int keep = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = keep;
	return pid;
}

void
child_begin(struct child_place *place, const char *role, const char *parent)
{
	const char *text = getenv("MOM_CHILD");
	int pid = -1, n = 0;
	memset(place->fds, -1, sizeof place->fds);
	log_init(role, 0);
	if (text == NULL || sscanf(text, "%d %d %d %d%n", &pid, &place->table, &place->index, &place->verbose,
	    &n) != 4 || pid != getppid()) {
		fprintf(stderr, "%s: this program is started by %s only; run %s\n", role, parent, parent);
		exit(EXIT_USAGE);
	}
	for (int i = 0; i < CHILD_FDS && text[n]; i++) {
		char *end;
		place->fds[i] = (int)strtol(text + n, &end, 10);
		n = (int)(end - text);
	}
	unsetenv("MOM_CHILD");
	log_init(role, (uint32_t)place->verbose);
	log_reopen_by_signal();
}

void *
child_attach(int segment)
{
	void *p = ipcq_attach(segment, 0);
	if (p == NULL)
		log_fatal(EXIT_SYSTEM, "shmat(%d): %s: %s", segment, strerror(errno), ipcq_attach_hint(errno));
	return p;
}

void
child_end(pid_t pid)
{
	int status;
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}

int
backoff_after(struct backoff *b, int by_kill, int64_t alive_ms)
{
	if (alive_ms >= BACKOFF_RESET_MS)
		b->delay_ms = 0;
	if (by_kill)
		return 0;
	b->delay_ms = b->delay_ms == 0 ? BACKOFF_MIN_MS : b->delay_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS
	    : b->delay_ms * 2;
	return b->delay_ms;
}

int
child_ended_well(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int
child_was_killed(int status)
{
	return WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM);
}

const char *
child_hint(int error)
{
	switch (error) {
	case EAGAIN: return "no more processes: raise `ulimit -u`, or TasksMax of its service";
	case EMFILE: return "raise `ulimit -n`";
	case ENFILE: return "raise fs.file-max";
	case ENOMEM: return "no memory; see `free`";
	default:     return "see dmesg";
	}
}

const char *
child_status_text(int status)
{
	static char text[64];
	if (WIFSIGNALED(status))
		snprintf(text, sizeof text, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(text, sizeof text, "exit %d", WEXITSTATUS(status));
	return text;
}
