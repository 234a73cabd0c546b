/* mom_care - the command line tool's commands that watch and care: top, ipc, doctor */
#include <lib/json.h>
#include <lib/load.h>
#include <lib/proc.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/sysv.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static struct server broker, one;

static void
up_with(const char *extra)
{
	broker_start(&broker, "broker", 0, extra);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

static void
up(void)
{
	up_with(NULL);
}

static struct ran
mom(const char *arguments)
{
	return run_command("'%s' %s '%s' '%s'", t_bin("mom"), arguments, broker.run, one.run);
}

/* ---- top ---- */

static void
publish_always(void *topic)
{
	int id = talk_create();
	for (;;)
		mom_publish(id, topic, "0123456789", 10, MOM_ASYNC | MOM_FAST);
}

TEST(top_plain, "without a terminal it prints as many screens as asked, with rates; -n is needed then")
{
	up();
	int sub = talk_create();
	talk_subscribe(sub, "rates/here");
	pid_t busy = t_spawn(publish_always, (void *)(uintptr_t)"rates/here");
	struct ran r = mom("top -n 2 -d 0.3");
	kill(busy, SIGKILL);
	waitpid(busy, NULL, 0);
	REQUIRE(r.status == 0 && strncmp(r.out, "mom top  ", 9) == 0 && strstr(r.out + 9, "\nmom top  ") != NULL,
	    "%d %s%s", r.status, r.out, r.err);
	REQUIRE(strchr(r.out, '\033') == NULL, "an escape in %s", r.out);
	const char *last = strstr(r.out + 9, "\nmom top  "), *topic = strstr(last, "rates/here"),
	    *worker = strstr(last, "worker shard 0");
	char rate[24];
	REQUIRE(topic && sscanf(topic, "%*s %23s", rate) == 1 && strcmp(rate, "0") != 0, "%s", r.out);
	REQUIRE(worker && sscanf(worker, "%*s %*s %*s %*d %23s", rate) == 1 && strcmp(rate, "0") != 0, "%s", r.out);
	REQUIRE(strstr(r.out, "machine 1") && strstr(r.out, t_text("%016llx", (unsigned long long)mom_global_id(sub))),
	    "%s", r.out);
	r = mom("top");
	REQUIRE(r.status == 2 && strstr(r.err, "-n"), "%d %s", r.status, r.err);
	r = mom("top -n 1 -d 0.01");
	REQUIRE(r.status == 2, "%d", r.status);
	bye(sub);
}

struct screen { int fd; pid_t pid; char text[65536]; size_t n; struct termios before; };

/* mom top on a terminal of its own, of that size */
static void
screen_open_with(struct screen *s, unsigned short lines, unsigned short columns, const char *term, const char *times)
{
	struct winsize w = { .ws_row = lines, .ws_col = columns };
	s->n = 0;
	s->fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	REQUIRE(s->fd >= 0 && grantpt(s->fd) == 0 && unlockpt(s->fd) == 0 && ioctl(s->fd, TIOCSWINSZ, &w) == 0 &&
	    tcgetattr(s->fd, &s->before) == 0, "pty: %s",
	    strerror(errno));
	const char *name = ptsname(s->fd);
	s->pid = fork();
	if (s->pid == 0) {
		setsid();
		int tty = open(name, O_RDWR);
		sigset_t none;
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		ioctl(tty, TIOCSCTTY, 0);
		dup2(tty, 0);
		dup2(tty, 1);
		dup2(tty, 2);
		setenv("TERM", term, 1);
		execl(t_bin("mom"), "mom", "top", "-d", "0.1", broker.run, one.run, times, (char *)NULL);
		_exit(127);
	}
	REQUIRE(s->pid > 0, "fork");
}

static void
screen_open(struct screen *s, unsigned short lines, unsigned short columns)
{
	screen_open_with(s, lines, columns, "xterm", NULL);
}

/* 1 once the words have come behind `from` */
static int
screen_has(struct screen *s, const char *words, size_t from)
{
	struct pollfd p = { s->fd, POLLIN, 0 };
	while (poll(&p, 1, 0) > 0 && s->n < sizeof s->text - 1) {
		ssize_t r = read(s->fd, s->text + s->n, sizeof s->text - 1 - s->n);
		if (r <= 0)
			break;
		s->n += (size_t)r;
	}
	s->text[s->n] = '\0';
	return strstr(s->text + from, words) != NULL;
}

/* It has ended well, the terminal is as it was before, the other screen left, the cursor shown. */
static void
screen_closed(struct screen *s)
{
	struct termios after;
	int status = t_join(s->pid);
	REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x: %s", (unsigned)status, s->text);
	REQUIRE(screen_has(s, "\033[?1049l", 0) && screen_has(s, "\033[?25h", 0) && screen_has(s, "\033[?7h", 0), "%s",
	    s->text);
	REQUIRE(tcgetattr(s->fd, &after) == 0 && after.c_lflag == s->before.c_lflag &&
	    after.c_cc[VMIN] == s->before.c_cc[VMIN], "the terminal is not restored");
	close(s->fd);
}

TEST(top_terminal, "at a terminal the screen lives until q, Ctrl-C or SIGTERM, and the terminal is restored each time")
{
	struct screen s;
	up();
	for (int way = 0; way < 3; way++) {
		screen_open(&s, 24, 100);
		WAIT_FOR(screen_has(&s, "worker shard 0", 0), "%s", s.text);
		REQUIRE(screen_has(&s, "\033[?1049h", 0), "%s", s.text);
		if (way < 2)
			REQUIRE(write(s.fd, way == 0 ? "q" : "\003", 1) == 1, "write");
		else
			kill(s.pid, SIGTERM);
		screen_closed(&s);
	}
}

TEST(top_counted, "at a terminal, too, -n prints plain screens that stay; a dumb terminal gets no others")
{
	struct screen s;
	int status;
	up();
	screen_open_with(&s, 24, 100, "xterm", "-n1");
	WAIT_FOR(screen_has(&s, "worker shard 0", 0), "%s", s.text);
	status = t_join(s.pid);
	screen_has(&s, "", 0);
	REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0 && strchr(s.text, '\033') == NULL, "%x %s",
	    (unsigned)status, s.text);
	close(s.fd);
	screen_open_with(&s, 24, 100, "dumb", NULL);
	WAIT_FOR(screen_has(&s, "-n TIMES is needed", 0), "%s", s.text);
	status = t_join(s.pid);
	REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 2 && strchr(s.text, '\033') == NULL, "%x %s",
	    (unsigned)status, s.text);
	close(s.fd);
}

TEST(top_stopped, "Ctrl-Z gives the terminal back, and fg takes it again")
{
	struct screen s;
	struct termios now;
	int status;
	up();
	screen_open(&s, 24, 100);
	WAIT_FOR(screen_has(&s, "worker shard 0", 0), "%s", s.text);
	REQUIRE(write(s.fd, "\032", 1) == 1, "write");
	WAIT_FOR(waitpid(s.pid, &status, WUNTRACED | WNOHANG) == s.pid, "it does not stop: %s", s.text);
	REQUIRE(WIFSTOPPED(status), "status %x", (unsigned)status);
	REQUIRE(screen_has(&s, "\033[?1049l", 0) && tcgetattr(s.fd, &now) == 0 && now.c_lflag == s.before.c_lflag, "%s",
	    s.text);
	size_t from = s.n;
	kill(s.pid, SIGCONT);
	WAIT_FOR(screen_has(&s, "\033[?1049h", from) && screen_has(&s, "worker shard 0", from), "%s", s.text + from);
	REQUIRE(write(s.fd, "q", 1) == 1, "write");
	screen_closed(&s);
}

TEST(top_resized, "a screen never has more lines than its terminal, also when that changes its size")
{
	struct screen s;
	struct winsize small = { .ws_row = 6, .ws_col = 40 };
	up();
	screen_open(&s, 50, 120);
	WAIT_FOR(screen_has(&s, "mom_daemon", 0) && screen_has(&s, "mom_forwarder", 0), "%s", s.text);
	REQUIRE(ioctl(s.fd, TIOCSWINSZ, &small) == 0, "resize");
	size_t from = s.n;
	/* a whole screen drawn after the change: from one cursor home to the next */
	char *begin = NULL, *end = NULL;
	for (int screens = 0; screens < 20; screens++) {
		WAIT_FOR(screen_has(&s, "\033[H", from) && (begin = strstr(s.text + from, "\033[H")) &&
		    (end = strstr(begin + 3, "\033[H")), "%s", s.text + from);
		int lines = 0;
		for (char *p = begin; p < end; p++)
			lines += *p == '\n';
		if (lines < 6)
			break;
		REQUIRE(screens < 19, "still %d lines:\n%s", lines, begin);
		from = (size_t)(end - s.text);
	}
	REQUIRE(write(s.fd, "q", 1) == 1, "write");
	screen_closed(&s);
}

TEST(top_goes_on, "top goes on over the death and the restart of what it watches")
{
	struct screen s;
	up();
	screen_open(&s, 40, 100);
	WAIT_FOR(screen_has(&s, "worker shard 0", 0), "%s", s.text);
	server_stop(&broker);
	size_t from = s.n;
	WAIT_FOR(screen_has(&s, "1 server ", from), "%s", s.text + from);
	server_start(&broker);
	from = s.n;
	WAIT_FOR(screen_has(&s, "2 servers", from) && screen_has(&s, "worker shard 0", from), "%s", s.text + from);
	REQUIRE(write(s.fd, "q", 1) == 1, "write");
	screen_closed(&s);
}

/* ---- ipc ---- */

static int
lines_of(const char *text)
{
	int n = 0;
	for (; *text; text++)
		n += *text == '\n';
	return n;
}

TEST(ipc, "the objects of a running server are listed by role, the same as in its registry, and never cleaned")
{
	struct sysv_object objects[64];
	up();
	int id = talk_create();
	struct ran r = run_command("'%s' ipc '%s'", t_bin("mom"), one.run);
	int n = sysv_registry(server_registry(&one), objects, 64);
	REQUIRE(r.status == 0 && strncmp(r.out, t_text("%s (in use)\n", one.run), strlen(one.run) + 10) == 0 &&
	    lines_of(r.out) == n + 1, "%d objects:\n%s%s", n, r.out, r.err);
	for (int i = 0; i < n; i++)
		REQUIRE(strstr(r.out, t_text("  %s %d ", objects[i].kind, objects[i].id)) &&
		    strstr(r.out, objects[i].role), "%s:\n%s", objects[i].role, r.out);
	r = mom("ipc --json");
	REQUIRE(r.status == 0 && json_fault(r.out) == NULL && json_find(r.out, "role", "worker-0-queue", 0) >= 0 &&
	    json_find(r.out, "role", "client-0", 0) >= 0, "%s%s",
	    r.out, r.err);
	r = mom("ipc clean");
	REQUIRE(r.status == 1, "%d %s", r.status, r.out);
	for (int i = 0; i < n; i++)
		REQUIRE(sysv_exists(&objects[i]), "%s was removed", objects[i].role);
	say(id, "still", "works");
	bye(id);
	r = run_command("'%s' ipc '%s'", t_bin("mom"), t_dir());
	REQUIRE(r.status == 1 && strstr(r.err, "registry"), "%d %s", r.status, r.err);
	r = run_command("'%s' ipc clean --json '%s'", t_bin("mom"), one.run);
	REQUIRE(r.status == 2, "%d", r.status);
}

TEST(ipc_clean, "what a kill left behind is listed and cleaned, all of it; the servers start again afterwards")
{
	up();
	int id = talk_open("keeper");
	talk_subscribe(id, "t");
	mom_close(id);
	server_kill_all(&one);
	server_kill_all(&broker);
	struct ran r = mom("ipc");
	REQUIRE(r.status == 0 && strstr(r.out, "(left behind)") && strstr(r.out, "broker-table") &&
	    strstr(r.out, "machine-table"), "%s%s", r.out, r.err);
	int lines = lines_of(r.out);
	r = mom("ipc clean");
	REQUIRE(r.status == 0 && strstr(r.out, "(removed)") && lines_of(r.out) == lines, "%s%s", r.out, r.err);
	char left[400];
	REQUIRE(sysv_left(t_dir(), left, sizeof left) == 0, "%s", left);
	r = run_command("'%s' ipc '%s'", t_bin("mom"), broker.store);
	REQUIRE(r.out[0] == '\0', "%s", r.out);
	server_start(&broker);
	server_start(&one);
	use_daemon(&one);
	id = talk_open("keeper");
	say(id, "t", "x");
	hear(id, "t", "x");
	bye(id);
}

TEST(ipc_of_others, "a registry that names objects which its folder's owner has not made is not believed")
{
	if (geteuid() != 0) {
		t_remark("left out: needs root");
		return;
	}
	up();
	int id = talk_create();
	char *trap = t_path("trap");
	REQUIRE(mkdir(trap, 0700) == 0, "%s", strerror(errno));
	struct ran r = run_command("cp '%s' '%s/registry' && chown -R 65534 '%s' && '%s' ipc '%s'",
	    server_registry(&one), trap, trap, t_bin("mom"), trap);
	REQUIRE(r.status == 0 && r.out[0] == '\0', "%d %s%s", r.status, r.out, r.err);
	struct sysv_object objects[64];
	int n = sysv_registry(server_registry(&one), objects, 64);
	r = run_command("'%s' ipc clean '%s'", t_bin("mom"), trap);
	REQUIRE(r.out[0] == '\0' && n > 3, "%s", r.out);
	for (int i = 0; i < n; i++)
		REQUIRE(sysv_exists(&objects[i]), "%s was removed", objects[i].role);
	say(id, "still", "works");
	bye(id);
}

/* ---- doctor ---- */

/* the finding of that check that has the words, or -1 */
static int
finding(const char *text, const char *check, const char *level, const char *words)
{
	char path[40], value[2000];
	REQUIRE(json_fault(text) == NULL, "%s in %s", json_fault(text), text);
	for (int i = -1; (i = json_find(text, "check", check, i + 1)) >= 0;) {
		snprintf(path, sizeof path, "%d.level", i);
		if (!json_at(text, path, value, sizeof value) || strcmp(value, level) != 0)
			continue;
		snprintf(path, sizeof path, "%d.text", i);
		if (json_at(text, path, value, sizeof value) && strstr(value, words))
			return i;
	}
	return -1;
}

static int
has_cure(const char *text, int i)
{
	char path[40], value[2000];
	snprintf(path, sizeof path, "%d.cure", i);
	return i >= 0 && json_at(text, path, value, sizeof value) && strcmp(value, "null") != 0 && value[0];
}

TEST(doctor, "a sound machine has no FAIL and exit status 0; each line says ok, warn or FAIL")
{
	up();
	struct ran r;
	/* the daemon connects within moments */
	WAIT_FOR((r = mom("doctor --json")).status == 0, "%s%s", r.out, r.err);
	REQUIRE(finding(r.out, "fdatasync", "ok", broker.store) >= 0 ||
	    finding(r.out, "fdatasync", "warn", broker.store) >= 0, "%s", r.out);
	REQUIRE(finding(r.out, "connection", "ok", one.run) >= 0 &&
	    finding(r.out, "System V", "ok", "can be made") >= 0 && finding(r.out, "clock", "FAIL", "") < 0, "%s",
	    r.out);
	REQUIRE(finding(r.out, "programs", "ok", one.run) >= 0, "MOM_RUN names it:\n%s", r.out);
	REQUIRE(finding(r.out, "/proc", "ok", "") >= 0 && finding(r.out, "namespaces", "warn", "") < 0, "%s", r.out);
	r = mom("doctor");
	REQUIRE(r.status == 0, "%s", r.out);
	for (char *line = strtok(r.out, "\n"); line; line = strtok(NULL, "\n"))
		REQUIRE(strncmp(line, "ok   ", 5) == 0 || strncmp(line, "warn ", 5) == 0, "%s", line);
	REQUIRE(sysv_left(broker.store, r.out, 1) >= 0, "it left something behind");
}

TEST(doctor_programs, "where programs find no daemon doctor says so: MOM_RUN names another folder, or none runs here")
{
	up();
	struct ran r = run_command("MOM_RUN='%s' '%s' doctor --json", t_path("nowhere"), t_bin("mom"));
	int i = finding(r.out, "programs", "FAIL", "programs look nowhere else");
	REQUIRE(r.status == 1 && has_cure(r.out, i), "%d %s%s", r.status, r.out, r.err);
	t_write_file(t_path("theirs.conf"), t_text("run %s\n", t_path("nowhere")));
	r = run_command("unset MOM_RUN; MOM_CONFIG='%s' '%s' doctor --json", t_path("theirs.conf"), t_bin("mom"));
	i = finding(r.out, "programs", "FAIL", "theirs.conf:1 names");
	REQUIRE(r.status == 1 && has_cure(r.out, i), "%d %s%s", r.status, r.out, r.err);
	t_write_file(t_path("theirs.conf"), t_text("run %s\n", one.run));
	r = run_command("unset MOM_RUN; MOM_CONFIG='%s' '%s' doctor --json", t_path("theirs.conf"), t_bin("mom"));
	REQUIRE(r.status == 0 && finding(r.out, "programs", "ok", one.run) >= 0, "%d %s%s", r.status, r.out, r.err);
	server_stop(&one);
	r = run_command("unset MOM_RUN; '%s' doctor --json", t_bin("mom"));
	i = finding(r.out, "programs", "warn", "no mom_daemon runs here");
	REQUIRE(r.status == 0 && has_cure(r.out, i), "%d %s%s", r.status, r.out, r.err);
	server_kill_all(&broker);
	r = run_command("unset MOM_RUN; '%s' doctor --json", t_bin("mom"));
	REQUIRE(r.status == 27 && finding(r.out, "broker", "warn", "left") >= 0, "%d %s%s", r.status, r.out, r.err);
	server_start(&broker);
}

TEST(doctor_broker_away, "a daemon that does not reach its broker is a FAIL, with what to do")
{
	up();
	server_stop(&broker);
	struct ran r;
	int i = -1;
	WAIT_FOR((i = finding((r = run_command("'%s' doctor --json '%s'", t_bin("mom"), one.run)).out, "connection",
	    "FAIL", "refused")) >= 0, "%s%s", r.out, r.err);
	REQUIRE(r.status == 1 && has_cure(r.out, i), "%d %s", r.status, r.out);
}

TEST(doctor_folders, "folders that others may write to are a FAIL, a spool that others may read a warning")
{
	up();
	chmod(one.run, 0777);
	chmod(one.store, 0755);
	struct ran r = mom("doctor --json");
	REQUIRE(r.status == 1 && has_cure(r.out, finding(r.out, "run folder", "FAIL", "0777") >= 0
	    ? finding(r.out, "run folder", "FAIL", "0777") :
	    finding(r.out, "run folder", "FAIL", "777")), "%d %s", r.status, r.out);
	REQUIRE(has_cure(r.out, finding(r.out, "spool", "warn", "755")), "%s", r.out);
	chmod(one.run, 0700);
	chmod(one.store, 0700);
}

TEST(doctor_server_stopped, "a process of broker or daemon that is stopped is a FAIL with its name, its number and "
    "kill -CONT; a machine that is away while something waits for it is a warning")
{
	up();
	struct server *of[] = { &broker, &one };
	static const char *const programs[] = { "worker", "mom_responser" };
	struct ran r;
	for (int i = 0; i < 2; i++) {
		pid_t pid = server_child(of[i], programs[i]);
		REQUIRE(kill(pid, SIGSTOP) == 0, "kill");
		WAIT_FOR(finding((r = mom("doctor --json")).out, i ? "daemon" : "broker", "FAIL",
		    t_text("(process %d) is stopped", (int)pid)) >= 0 && strstr(r.out, t_text("kill -CONT %d",
		    (int)pid)), "%s%s", r.out, r.err);
		kill(pid, SIGCONT);
	}
	WAIT_FOR((r = mom("doctor --json")).status == 0, "%s%s", r.out, r.err);
	REQUIRE(finding(r.out, "broker", "FAIL", "") < 0 && finding(r.out, "daemon", "FAIL", "") < 0, "%s", r.out);
	static struct server two;
	daemon_start(&two, "two", broker.port);
	use_daemon(&two);
	int id = talk_open("sleeper");
	talk_subscribe(id, "t");
	REQUIRE(mom_close(id) == 0, "%s", mom_error_text(-1));
	server_stop(&two);
	use_daemon(&one);
	id = talk_create();
	say(id, "t", "waits");
	bye(id);
	WAIT_FOR(finding((r = mom("doctor --json")).out, "machines", "warn", "is away for") >= 0, "%s%s", r.out, r.err);
}

TEST(doctor_full, "a broker whose --store-max is used up, so that it refuses publishes, is a FAIL, and its log "
    "says so")
{
	static char payload[MOM_MESSAGE_MAX];
	struct ran r;
	up_with("--store-max 32m");
	int id = talk_open("sleeper"), e = 0;
	talk_subscribe(id, "t");
	REQUIRE(mom_close(id) == 0, "%s", mom_error_text(-1));
	id = talk_create();
	for (int i = 0; i < 100 && e == 0; i++)
		e = mom_publish(id, "t", payload, sizeof payload, MOM_FAST);
	REQUIRE(e == MOM_EFULL, "%d %s", e, mom_error_text(id));
	r = mom("doctor --json");
	REQUIRE(r.status == 1 && has_cure(r.out, finding(r.out, "store", "FAIL", "--store-max")), "%s", r.out);
	WAIT_FOR(server_log_has(&broker, "its share of --store-max is used up"), "no line");
	bye(id);
	id = talk_open("sleeper");
	bye(id);
	WAIT_FOR((r = mom("doctor --json")).status == 0, "%s", r.out);
}

TEST(doctor_stopped, "a program that is stopped while mail waits for it is named, with what lets it go on")
{
	char words[80];
	up();
	struct load *sub = subscriber_start(&one, "a", PAYLOAD_MIX);
	REQUIRE(finding(mom("doctor --json").out, "clients", "warn", "is stopped") < 0, "nothing is stopped");
	REQUIRE(kill(sub->pid, SIGSTOP) == 0, "kill");
	struct load *pub = publisher_start(&one, 1, "a", 20, PAYLOAD_MIX, 0);
	load_finish(pub);
	struct ran r;
	snprintf(words, sizeof words, "(process %d, ", (int)sub->pid);
	WAIT_FOR(finding((r = mom("doctor --json")).out, "clients", "warn", words) >= 0 && strstr(r.out, "kill -CONT"),
	    "%s%s", r.out, r.err);
	REQUIRE(kill(sub->pid, SIGCONT) == 0, "kill");
	load_expect(sub, pub->sent);
	load_finish(sub);
}

TEST(doctor_killed, "a server that was killed, and a worker that was, are told of")
{
	up();
	pid_t worker = server_child(&broker, "worker");
	kill(worker, SIGKILL);
	server_replaced(&broker, "worker", worker);
	server_kill_all(&one);
	struct ran r;
	WAIT_FOR(finding((r = mom("doctor --json")).out, "broker", "warn", "worker of shard 0 has died") >= 0, "%s%s",
	    r.out, r.err);
	int i = finding(r.out, "daemon", "warn", "left");
	REQUIRE(has_cure(r.out, i), "%s", r.out);
	server_start(&one);
}

TEST(doctor_slow, "a store on a file system in memory is warned of")
{
	struct stat st;
	if (stat("/dev/shm", &st) < 0 || access("/dev/shm", W_OK) < 0) {
		t_remark("left out: no /dev/shm here");
		return;
	}
	char folder[] = "/dev/shm/mom-t.XXXXXX";
	REQUIRE(mkdtemp(folder), "%s", strerror(errno));
	broker_plan(&broker, "broker", 0, NULL);
	broker.store = t_text("%s/db", folder);
	server_start(&broker);
	struct ran r = run_command("'%s' doctor --json '%s'", t_bin("mom"), broker.run);
	int i = finding(r.out, "disk", "warn", "tmpfs");
	server_stop(&broker);
	run_command("rm -rf '%s'", folder);
	REQUIRE(has_cure(r.out, i), "%s", r.out);
}
