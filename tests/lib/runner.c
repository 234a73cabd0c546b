/* runner - main of every test program: runs the cases one after the other, each in a child, and looks at what they
 * leave behind
 *
 * The runner is the reaper of everything that a case starts (PR_SET_CHILD_SUBREAPER), so no process can get away. As
 * root each case has an IPC namespace of its own, where not one SysV object may be left; the registries are compared in
 * any case. */
#include <lib/pace.h>
#include <lib/proc.h>
#include <lib/sysv.h>
#include <lib/t.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef T_BIN
#define T_BIN "bin"
#endif
enum { LEFT_MS = 3000 };            /* a dying process gets this long to be gone */

static struct {
	char folder[PATH_MAX], bin[PATH_MAX];
	const char *program;
	int limit_s, own_namespace, interrupted;
	sigset_t normal, ours;
} run;

static int
delete_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st, (void)type, (void)where;
	remove(path);
	return 0;
}

static void
reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* waits for the case's process (and reaps its orphans) until the limit; its wait status, or -1 */
static int
wait_for(pid_t pid)
{
	int64_t began = t_now_ms();
	for (;;) {
		pace_measure(t_state);
		int status;
		pid_t got;
		while ((got = waitpid(-1, &status, WNOHANG)) > 0)
			if (got == pid)
				return status;
		if (t_now_ms() > began + run.limit_s * 10LL * t_state->slowness)
			return -1;
		struct timespec step = {0, 200000000};
		int signal = sigtimedwait(&run.ours, NULL, &step);
		if (signal == SIGINT || signal == SIGTERM) {
			run.interrupted = 1;
			return -1;
		}
	}
}

/* 0 when no process of the case is left; else their number, the first ones' names in text */
static int
processes_left(char *text, size_t size, int patience_ms)
{
	int64_t end = t_now_ms() + patience_ms;
	pid_t pids[PROC_MAX];
	int n;
	while ((n = proc_descendants(getpid(), pids, PROC_MAX)) > 0 && t_now_ms() < end) {
		reap();
		t_sleep_ms(5);
	}
	reap();
	if (n == 0)
		n = proc_naming(run.folder, pids, PROC_MAX);
	size_t used = 0;
	for (int i = 0; i < n && used < size; i++) {
		char comm[16];
		proc_comm(pids[i], comm, sizeof comm);
		used += (size_t)snprintf(text + used, size - used, "%s%s[%d]", i ? ", " : "", comm, (int)pids[i]);
	}
	return n;
}

static void
kill_left(void)
{
	pid_t pids[PROC_MAX];
	for (int round = 0; round < 200; round++) {
		int n = proc_descendants(getpid(), pids, PROC_MAX);
		if (n == 0)
			break;
		for (int i = 0; i < n; i++)
			kill(pids[i], SIGKILL);
		t_sleep_ms(10);
		reap();
	}
	reap();
}

static struct { char *text; size_t size, used; const char *bad; char line[300]; } logs;

static int
line_is_bad(const char *line)
{
	static const char *const words[] = {"Sanitizer", "runtime error:", "segfault", NULL};
	for (int i = 0; i < t_state->allowed_count; i++)
		if (strstr(line, t_state->allowed[i]))
			return 0;
	for (int i = 0; words[i]; i++)
		if (strstr(line, words[i]))
			return 1;
	return 0;
}

static int
look_at_log(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st, (void)where;
	size_t len = strlen(path);
	if (type != FTW_F || len < 4 || strcmp(path + len - 4, ".log") != 0)
		return 0;
	char *text = t_read_file(path), *copy = strdup(text), *next;
	for (char *line = copy; *line && !logs.line[0]; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = 0;
		if (line_is_bad(line))
			snprintf(logs.line, sizeof logs.line, "%.250s", line);
	}
	if (logs.text && logs.used < logs.size && *text) {
		char *tail = text + strlen(text);
		for (int lines = 0; tail > text; tail--)
			if (tail[-1] == '\n' && tail[0] && ++lines == 12)
				break;
		logs.used += (size_t)snprintf(logs.text + logs.used, logs.size - logs.used, "    --- %s\n%s%s", path,
		    tail,
		    text[strlen(text) - 1] == '\n' ? "" : "\n");
	}
	free(text);
	free(copy);
	return 0;
}

/* searches the logs for what no log may hold; with text: also collects their tails */
static const char *
look_at_logs(char *text, size_t size)
{
	logs.text = text;
	logs.size = size;
	logs.used = 0;
	logs.line[0] = 0;
	if (text)
		*text = 0;
	nftw(run.folder, look_at_log, 16, FTW_PHYS);
	return logs.line[0] ? logs.line : NULL;
}

static void
set_reason(const char *what, const char *detail)
{
	if (t_state->failed)
		return;
	t_state->failed = 1;
	snprintf(t_state->reason, sizeof t_state->reason, "%s: %s", what, detail);
}

static void
case_process(struct t_case *c)
{
	setsid();
	sigprocmask(SIG_SETMASK, &run.normal, NULL);
	t_begin(run.folder, run.bin);
	c->body();
	if (!t_state->failed)
		t_end();
	_exit(t_state->failed);
}

static void
judge(int status)
{
	char text[1000] = "";
	const char *line;
	if (run.interrupted)
		set_reason("interrupted", "by a signal");
	else if (status == -1)
		set_reason("over its time limit", "killed");
	else if (WIFSIGNALED(status))
		set_reason("the case's process died", strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		set_reason("the case's process failed", "without a reason");
	if (!t_state->failed && processes_left(text, sizeof text, LEFT_MS))
		set_reason("processes left behind", text);
	kill_left();
	if (!t_state->failed && sysv_left(run.folder, text, sizeof text))
		set_reason("SysV object left behind", text);
	if (!t_state->failed && run.own_namespace && sysv_all(text, sizeof text))
		set_reason("SysV object left behind that no registry tells of", text);
	if ((line = look_at_logs(NULL, 0)))
		set_reason("a log says", line);
	sysv_remove_left(run.folder);
}

/* one write, so that two programs on one terminal do not mix their lines */
static void
say(struct t_case *c, int64_t ms)
{
	static char text[60000];
	const char *results = getenv("RESULTS"), *verbose = getenv("V");
	int n;
	if (t_state->failed) {
		static char tails[50000];
		look_at_logs(tails, sizeof tails);
		n = snprintf(text, sizeof text, "FAIL %s/%s: %s\n    it proves: %s\n%s", run.program, c->name,
		    t_state->reason, c->proves, tails);
	} else if (verbose && *verbose) {
		n = snprintf(text, sizeof text, "ok %s/%s: %s (%lld.%02lld s)\n", run.program, c->name, c->proves,
		    (long long)ms / 1000,
		    (long long)ms % 1000 / 10);
	} else {
		n = snprintf(text, sizeof text, "ok %s/%s\n", run.program, c->name);
	}
	if (write(1, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1) < 0)
		run.interrupted = 1;
	int fd = results ? open(results, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
	if (fd >= 0) {
		n = snprintf(text, sizeof text, "%s %s/%s %lld\n", t_state->failed ? "FAIL" : "ok", run.program,
		    c->name, (long long)ms);
		if (write(fd, text, (size_t)n) != n)
			run.interrupted = 1;
		close(fd);
	}
}

/* Servers of whoever runs the tests may be in the places where programs look: no case sees them. (Without root there is
 * no way to hide them; then the cases that tell of all servers fail beside such ones.) */
static void
hide_servers(void)
{
	char own[40];
	snprintf(own, sizeof own, "/tmp/mom-%u", (unsigned)geteuid());
	const char *const places[] = { "/run/mom", own };
	for (int i = 0; i < 2 && geteuid() == 0; i++)
		if (access(places[i], F_OK) == 0 && unshare(CLONE_NEWNS) == 0 &&
		    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
			mount("none", places[i], "tmpfs", 0, "mode=755");
}

static int
run_case(struct t_case *c)
{
	const char *root = getenv("TMPDIR");
	int64_t start = t_now_ms();
	int failed;

	memset(t_state, 0, sizeof *t_state);
	snprintf(run.folder, sizeof run.folder, "%s/mom-t.XXXXXX", root && *root ? root : "/tmp");
	if (!mkdtemp(run.folder)) {
		perror(run.folder);
		exit(1);
	}
	run.own_namespace = unshare(CLONE_NEWIPC) == 0;
	hide_servers();
	setenv("MOM_TEST_DIR", run.folder, 1);
	setenv("XDG_RUNTIME_DIR", run.folder, 1);
	unsetenv("MOM_RUN");
	unsetenv("MOM_FAULT");
	alarm((unsigned)run.limit_s * 20 + 20); /* should the runner itself hang */
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		case_process(c);
	judge(pid < 0 ? -1 : wait_for(pid));
	alarm(0);
	say(c, t_now_ms() - start);
	failed = t_state->failed;
	if (!(failed && getenv("KEEP")))
		nftw(run.folder, delete_one, 16, FTW_DEPTH | FTW_PHYS);
	return failed;
}

static int
wanted(struct t_case *c, int argc, char **argv)
{
	if (c->is_long && !t_is_long())
		return 0;
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], c->name) == 0)
			return 1;
	return argc == 1;
}

static void
prepare(const char *program)
{
	const char *name = strrchr(program, '/'), *bin = getenv("BIN"), *limit = getenv("LIMIT");
	run.program = name ? name + 1 : program;
	if (!realpath(bin && *bin ? bin : T_BIN, run.bin))
		snprintf(run.bin, sizeof run.bin, "%s", bin && *bin ? bin : T_BIN);
	run.limit_s = limit ? atoi(limit) : t_is_long() ? 3600 : 60;
	t_state = mmap(NULL, sizeof *t_state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&run.ours);
	sigaddset(&run.ours, SIGCHLD);
	sigaddset(&run.ours, SIGINT);
	sigaddset(&run.ours, SIGTERM);
	sigprocmask(SIG_BLOCK, &run.ours, &run.normal);
}

int
main(int argc, char **argv)
{
	int failed = 0;
	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (struct t_case *c = t_cases; c; c = c->next)
			if (!c->is_long || t_is_long())
				puts(c->name);
		return 0;
	}
	prepare(argv[0]);
	for (struct t_case *c = t_cases; c && !run.interrupted; c = c->next)
		if (wanted(c, argc, argv))
			failed += run_case(c);
	return failed || run.interrupted;
}
