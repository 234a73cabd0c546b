/* server - the broker and the daemons of a case: start, stop, kill, bring back */
#include <lib/proc.h>
#include <lib/server.h>
#include <lib/sysv.h>
#include <lib/t.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SERVERS_MAX = 64, STACK_BYTES = 1024 * 1024 };
static struct server *servers[SERVERS_MAX];
static int server_count, ready_fd[SERVERS_MAX];

static int
number_of(struct server *s)
{
	for (int i = 0; i < server_count; i++)
		if (servers[i] == s)
			return i;
	REQUIRE(server_count < SERVERS_MAX, "too many servers");
	uintptr_t frame = (uintptr_t)__builtin_frame_address(0), at = (uintptr_t)s;
	REQUIRE(at < frame || at - frame > STACK_BYTES, "a server on the stack: make it static, it is stopped when the "
	    "case's body has returned");
	servers[server_count] = s;
	ready_fd[server_count] = -1;
	t_at_end(servers_stop);
	return server_count++;
}

static void
plan(struct server *s, const char *name, int port, const char *extra, int is_broker)
{
	memset(s, 0, sizeof *s);
	snprintf(s->name, sizeof s->name, "%s", name);
	snprintf(s->ip, sizeof s->ip, "%s", t_ip());
	s->is_broker = is_broker;
	s->port = port;
	mkdir(t_path("%s", name), 0700);
	s->run = t_path("%s/run", name);
	s->store = t_path("%s/%s", name, is_broker ? "db" : "spool");
	s->log = t_path("%s/server.log", name);
	s->out = t_path("%s/server.out", name);
	int n = 0;
	for (char *word = extra ? strtok(strdup(extra), " ") : NULL; word && n < 15; word = strtok(NULL, " "))
		s->extra[n++] = word;
	number_of(s);
}

void
broker_plan(struct server *s, const char *name, int port, const char *extra)
{
	plan(s, name, port, extra, 1);
}

void
daemon_plan(struct server *s, const char *name, int port)
{
	plan(s, name, port, NULL, 0);
}

static void
server_exec(struct server *s, int ready)
{
	const char *argv[32];
	char port[12], fd[12];
	int n = 0;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	snprintf(port, sizeof port, "%d", s->port);
	snprintf(fd, sizeof fd, "%d", ready);
	if (s->fault)
		setenv("MOM_FAULT", s->fault, 1);
	argv[n++] = t_bin(s->is_broker ? "broker_server" : "mom_daemon");
	const char *usual[] = {s->ip, port, s->is_broker ? "--db" : "--spool", s->store, "--run", s->run, "-v"};
	for (int i = 0; !s->bare && i < 7; i++)
		argv[n++] = usual[i];
	argv[n++] = "--ready-fd";
	argv[n++] = fd;
	for (int i = 0; s->extra[i]; i++)
		argv[n++] = (char *)(uintptr_t)s->extra[i];
	argv[n] = NULL;
	int in = open("/dev/null", O_RDONLY), out = open(s->out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int log = open(s->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (in < 0 || out < 0 || log < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(log, 2) < 0)
		_exit(126);
	for (int i = 3; i < 256; i++)
		if (i != ready)
			close(i);
	for (int i = 0; i < 3; i++)
		if (s->closed >> i & 1)
			close(i);
	execv(argv[0], (char **)(uintptr_t)argv);
	dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

void
server_start_unready(struct server *s)
{
	int i = number_of(s), fds[2];
	REQUIRE(s->pid == 0, "%s runs already", s->name);
	REQUIRE(pipe2(fds, 0) == 0, "pipe: %s", strerror(errno));
	if (ready_fd[i] >= 0)
		close(ready_fd[i]);
	ready_fd[i] = fds[0];
	s->pid = fork();
	if (s->pid == 0) {
		setpgid(0, 0);
		close(fds[0]);
		server_exec(s, fds[1]);
	}
	close(fds[1]);
	REQUIRE(s->pid > 0, "fork: %s", strerror(errno));
	fcntl(fds[0], F_SETFD, FD_CLOEXEC);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	s->fault = NULL;
}

void
server_await_ready(struct server *s)
{
	int i = number_of(s);
	char byte, ip[64] = "";
	ssize_t n;
	WAIT_FOR((n = read(ready_fd[i], &byte, 1)) >= 0 || (errno != EAGAIN && errno != EINTR), "%s is not ready",
	    s->name);
	REQUIRE(n == 1, "%s ended before it was ready: %s", s->name, t_read_file(s->log));
	close(ready_fd[i]);
	ready_fd[i] = -1;
	int silent = s->closed >> 1 & 1;
	char *path = silent && s->is_broker ? t_text("%s/ready", s->run) : s->out, *line;
	WAIT_FOR(strchr(line = t_read_file(path), '\n') || (silent && !s->is_broker), "%s: no first line on stdout",
	    s->name);
	if (silent && !s->is_broker)
		return;
	if (s->is_broker) {
		int port = 0;
		REQUIRE(sscanf(line, "ready %63s %d", ip, &port) == 2 && port > 0, "%s said: %s", s->name, line);
		REQUIRE(s->port == 0 || s->port == port, "wanted port %d, got %d", s->port, port);
		s->port = port;
	} else {
		REQUIRE(strncmp(line, "ready ", 6) == 0 && strstr(line, s->run), "%s said: %s", s->name, line);
	}
}

void
server_await_again(struct server *s)
{
	if (ready_fd[number_of(s)] >= 0)
		server_await_ready(s);
}

void
server_start(struct server *s)
{
	server_start_unready(s);
	server_await_ready(s);
}

void
broker_start(struct server *s, const char *name, int port, const char *extra)
{
	broker_plan(s, name, port, extra);
	server_start(s);
}

void
daemon_start(struct server *s, const char *name, int port)
{
	daemon_plan(s, name, port);
	server_start(s);
}

/* waits for the parent's end; its wait status */
static int
server_wait(struct server *s)
{
	int status = 0;
	pid_t got;
	WAIT_FOR((got = waitpid(s->pid, &status, WNOHANG)) != 0, "%s does not end", s->name);
	REQUIRE(got == s->pid, "waitpid(%s): %s", s->name, strerror(errno));
	s->pid = 0;
	return status;
}

int
server_end_or_ready(struct server *s)
{
	int i = number_of(s);
	char byte;
	ssize_t n;
	WAIT_FOR((n = read(ready_fd[i], &byte, 1)) >= 0 || (errno != EAGAIN && errno != EINTR),
	    "%s neither ends nor is ready", s->name);
	close(ready_fd[i]);
	ready_fd[i] = -1;
	int status = n == 1 ? 0 : server_wait(s);
	return n == 1 || !WIFEXITED(status) ? -1 : WEXITSTATUS(status);
}

int
server_run_to_end(struct server *s)
{
	server_start_unready(s);
	int status = server_wait(s);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

char *
server_registry(struct server *s)
{
	return t_text("%s/registry", s->is_broker ? s->store : s->run);
}

void
server_stop_by(struct server *s, int signal)
{
	enum { OBJECTS = 4096 };
	pid_t family[PROC_MAX];
	struct sysv_object *objects = malloc(OBJECTS * sizeof *objects);
	/* a sanitizer's own child, below them, ends a moment later */
	int left = proc_children(s->pid, family, PROC_MAX);
	/* before the stop: the file may go with the objects */
	int n = sysv_registry(server_registry(s), objects, OBJECTS);
	kill(s->pid, signal);
	int status = server_wait(s);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s stopped with wait status 0x%x", s->name, status);
	for (int i = 0; i < left; i++) {
		char comm[16];
		proc_comm(family[i], comm, sizeof comm);
		CHECK(!proc_lives(family[i]), "%s ended, its child %s[%d] lives", s->name, comm, (int)family[i]);
	}
	for (int i = 0; i < n; i++)
		CHECK(!sysv_exists(&objects[i]), "%s ended and left %s 0x%x role %s", s->name, objects[i].kind,
		    objects[i].key, objects[i].role);
	free(objects);
}

void
server_stop(struct server *s)
{
	server_stop_by(s, SIGTERM);
}

static void
wait_gone(pid_t *family, int n)
{
	for (int i = 0; i < n; i++)
		WAIT_FOR(!proc_lives(family[i]), "process %d outlives its parent", (int)family[i]);
}

void
server_kill(struct server *s)
{
	pid_t family[PROC_MAX];
	int n = proc_descendants(s->pid, family, PROC_MAX);
	kill(s->pid, SIGKILL);
	server_wait(s);
	wait_gone(family, n);
}

void
server_kill_all(struct server *s)
{
	pid_t family[PROC_MAX];
	REQUIRE(s->pid > 0, "%s does not run", s->name);
	int n = proc_descendants(s->pid, family, PROC_MAX);
	kill(s->pid, SIGKILL);
	for (int i = 0; i < n; i++)
		kill(family[i], SIGKILL);
	server_wait(s);
	wait_gone(family, n);
}

void
server_freeze(struct server *s)
{
	pid_t family[PROC_MAX];
	kill(s->pid, SIGSTOP);
	WAIT_FOR(proc_state(s->pid) == 'T', "%s is not stopped", s->name);
	int n = proc_descendants(s->pid, family, PROC_MAX);
	for (int i = 0; i < n; i++)
		kill(family[i], SIGSTOP);
	for (int i = 0; i < n; i++)
		WAIT_FOR(proc_state(family[i]) == 'T' || !proc_lives(family[i]), "process %d is not stopped",
		    (int)family[i]);
}

void
server_thaw(struct server *s)
{
	pid_t family[PROC_MAX];
	int n = proc_descendants(s->pid, family, PROC_MAX);
	for (int i = 0; i < n; i++)
		kill(family[i], SIGCONT);
	kill(s->pid, SIGCONT);
}

pid_t
server_child(struct server *s, const char *program)
{
	pid_t pid = 0;
	WAIT_FOR((pid = proc_find(s->pid, program, 0)) != 0, "%s has no %s", s->name, program);
	return pid;
}

void
server_replaced(struct server *s, const char *program, pid_t old)
{
	pid_t now = 0;
	WAIT_FOR((now = proc_find(s->pid, program, 0)) != 0 && now != old && !proc_lives(old),
	    "%s: nobody took the place of %s[%d]",
	    s->name, program, (int)old);
}

int
server_log_has(struct server *s, const char *words)
{
	char *text = t_read_file(s->log);
	int has = strstr(text, words) != NULL;
	free(text);
	return has;
}

static long
log_sum(struct server *s, const char *words, int with_counts)
{
	long sum = 0;
	char *rest = NULL, *text = t_read_file(s->log);
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		unsigned long more = 1;
		char *count = strstr(line, "and ");
		if (strstr(line, words) == NULL)
			continue;
		if (with_counts && (count == NULL || sscanf(count, "and %lu more like this", &more) != 1))
			more = 1;
		sum += (long)more;
	}
	free(text);
	return sum;
}

long
server_log_lines(struct server *s, const char *words)
{
	return log_sum(s, words, 0);
}

long
server_log_told(struct server *s, const char *words)
{
	return log_sum(s, words, 1);
}

/* daemons first: a clean stop of theirs still reaches the broker */
void
servers_stop(void)
{
	for (int brokers = 0; brokers < 2; brokers++)
		for (int i = server_count; i-- > 0;)
			if (servers[i]->pid && servers[i]->is_broker == brokers)
				server_stop(servers[i]);
}

void
use_daemon(struct server *s)
{
	setenv("MOM_RUN", s->run, 1);
}
