/* user_terminal - user_main at a terminal, through a pty: line editing, history, completion, and the terminal
 * afterwards. Between the two stands a little shell with job control: it starts user_main in a process group of its
 * own, and writes down how the terminal is where that was stopped or has ended. */
#include <lib/screen.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static struct server broker, one;

static struct seen {
	volatile pid_t pid;                      /* user_main */
	volatile int stopped, go_on, ended, status;
	struct termios before, at_stop, at_end;
} *seen;
static struct screen s;
static int master = -1;
static pid_t shell;
static const char *terminal = "xterm";

/* ---- the shell ---- */

static void
run_user_main(void)
{
	setpgid(0, 0);
	tcsetpgrp(0, getpid());
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setenv("MOM_RUN", one.run, 1);
	*terminal ? setenv("TERM", terminal, 1) : unsetenv("TERM");
	execl(t_bin("user_main"), "user_main", (char *)NULL);
	_exit(127);
}

static void
run_shell(void *slave)
{
	setsid();
	int fd = open(slave, O_RDWR), status;
	REQUIRE(fd >= 0 && ioctl(fd, TIOCSCTTY, 0) == 0 && tcgetattr(fd, &seen->before) == 0, "%s: %s", (char *)slave,
	    strerror(errno));
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	close(fd);
	signal(SIGTTOU, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	pid_t pid = fork();
	if (pid == 0)
		run_user_main();
	seen->pid = pid;
	while (waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status)) {
		tcgetattr(0, &seen->at_stop);
		tcsetpgrp(0, getpid());
		seen->go_on = 0;
		seen->stopped++;
		WAIT_FOR(seen->go_on, "to go on");
		tcsetpgrp(0, pid);
		kill(-pid, SIGCONT);
	}
	seen->status = status;
	tcgetattr(0, &seen->at_end);
	seen->ended = 1;
}

/* ---- this end ---- */

/* takes what came; 1, so that it stands in a condition */
static int
pump(void)
{
	char bytes[4096];
	for (struct pollfd in = { .fd = master, .events = POLLIN }; poll(&in, 1, 0) > 0;) {
		ssize_t n = read(master, bytes, sizeof bytes);
		if (n <= 0)
			break;
		const char *wrong = screen_put(&s, bytes, (size_t)n);
		REQUIRE(wrong == NULL, "%s: %.*s", wrong, (int)n, bytes);
	}
	return 1;
}

#define AWAIT_ROW(i, text) \
	WAIT_FOR(pump() && strcmp(screen_row(&s, i), text) == 0, "row %d: %s", i, screen_row(&s, i))

static void
resize(unsigned short columns)
{
	REQUIRE(ioctl(master, TIOCSWINSZ, &(struct winsize){ .ws_row = SCREEN_ROWS, .ws_col = columns }) == 0, "%s",
	    strerror(errno));
	s.columns = columns;
}

static void
sit_down(void)
{
	if (seen == NULL)
		seen = t_shared_memory(sizeof *seen);
	memset(seen, 0, sizeof *seen);
	if (master >= 0)
		close(master);
	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	REQUIRE(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0, "pty: %s", strerror(errno));
	screen_start(&s, 60);
	resize(60);
	shell = t_spawn(run_shell, t_text("%s", ptsname(master)));
	AWAIT_ROW(0, "mom>");
}

static void
up(void)
{
	setenv("MOM_HISTORY", t_path("state/history"), 1);
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	sit_down();
}

static void
type(const char *keys)
{
	REQUIRE(write(master, keys, strlen(keys)) == (ssize_t)strlen(keys), "%s", strerror(errno));
}

/* Until user_main has shown its prompt, the terminal echoes what is typed by itself, a tab as a tab. */
static void
type_at_prompt(const char *keys)
{
	AWAIT_ROW(0, "mom>");
	type(keys);
}

static int
same(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_lflag == b->c_lflag &&
	    a->c_cflag == b->c_cflag && memcmp(a->c_cc, b->c_cc, sizeof a->c_cc) == 0;
}

enum { ANY_STATUS = -1 };

static void
leave(int status)
{
	WAIT_FOR(pump() && seen->ended, "user_main to end");
	pump();
	REQUIRE(same(&seen->before, &seen->at_end) && s.pastes == 0, "the terminal is not as it was (pastes %d)",
	    s.pastes);
	REQUIRE(status == ANY_STATUS || seen->status == status, "wait status %x", seen->status);
	t_join(shell);
}

TEST(edits, "what is typed can be edited, what was typed comes back, in the next session too, and topics and commands "
    "are completed")
{
	up();
	int id = talk_create();
	talk_subscribe(id, "plant/boiler");
	type("P plant/boiler helo\x1b[Dl");
	AWAIT_ROW(0, "mom> P plant/boiler hello");
	type("\r");
	AWAIT_ROW(-1, "Published to plant/boiler.");
	hear(id, "plant/boiler", "hello");
	type_at_prompt("pub\tpl\tworld\r");
	AWAIT_ROW(-2, "mom> publish plant/boiler world");
	hear(id, "plant/boiler", "world");
	type_at_prompt("\x04");
	leave(0);
	sit_down();
	type("p pl\t\x12hell\r");
	AWAIT_ROW(-1, "Published to plant/boiler.");
	AWAIT_ROW(-2, "mom> P plant/boiler hello");
	hear(id, "plant/boiler", "hello");
	type_at_prompt("\x1b[A\x1b[A\r");
	hear(id, "plant/boiler", "world");
	AWAIT_ROW(-2, "mom> publish plant/boiler world");      /* "Published" stood there from the line before */
	AWAIT_ROW(-1, "Published to plant/boiler.");
	type_at_prompt("U \t\tx\x15" "S n1\r");
	AWAIT_ROW(-1, "Subscribed to n1.");
	type_at_prompt("S n2\r");
	AWAIT_ROW(-1, "Subscribed to n2.");
	type_at_prompt("U n1\r");
	AWAIT_ROW(-1, "Unsubscribed from n1.");
	type_at_prompt("U \t");
	AWAIT_ROW(0, "mom> U n2");
	type("\x15" "exit\r");
	leave(0);
	REQUIRE(strstr(t_read_file(t_path("state/history")), "publish plant/boiler world\nP plant/boiler "
	    "hello\npublish plant/boiler world\nS n1\n"), "%s",
	    t_read_file(t_path("state/history")));
	bye(id);
}

TEST(candidates, "a second Tab shows the commands, or the topics, that are possible")
{
	up();
	type("\t\t");
	AWAIT_ROW(-2, "exit         publish      subscribe");
	AWAIT_ROW(-1, "help         receive      unsubscribe");
	AWAIT_ROW(0, "mom>");
	type("S news/one\r");
	AWAIT_ROW(-1, "Subscribed to news/one.");
	type_at_prompt("S news/two\r");
	AWAIT_ROW(-1, "Subscribed to news/two.");
	type_at_prompt("P ne\t\t");
	AWAIT_ROW(-1, "news/one  news/two");
	AWAIT_ROW(0, "mom> P news/");
	type("\x03\x04");
	leave(0);
}

TEST(restored, "however it ends, by Ctrl-D, exit, SIGTERM, SIGINT, SIGHUP or SIGQUIT in the middle of a line, the "
    "terminal is as it was before")
{
	const int ends[] = { 0, SIGTERM, SIGINT, SIGHUP, SIGQUIT };
	up();
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		if (i > 0)
			sit_down();
		type(ends[i] ? "half a li" : "\x04");
		if (ends[i]) {
			AWAIT_ROW(0, "mom> half a li");
			kill(seen->pid, ends[i]);
		}
		leave(ends[i] == SIGHUP || ends[i] == SIGQUIT ? ANY_STATUS : 0);
		REQUIRE(WIFEXITED(seen->status) || WTERMSIG(seen->status) == ends[i], "wait status %x", seen->status);
	}
}

TEST(stops, "Ctrl-Z stops the job with the terminal as it was before; when it goes on the line is there again; SIGTSTP "
    "and SIGSTOP from elsewhere likewise")
{
	const int ways[] = { 0, SIGTSTP, SIGSTOP };
	up();
	type("half");
	for (int i = 0; i < 3; i++) {
		AWAIT_ROW(0, "mom> half");
		ways[i] ? kill(seen->pid, ways[i]) : type("\x1a");
		WAIT_FOR(pump() && seen->stopped == i + 1, "to be stopped");
		if (ways[i] != SIGSTOP)
			REQUIRE(same(&seen->before, &seen->at_stop), "the terminal is not as it was");
		REQUIRE(tcsetattr(master, TCSANOW, &seen->before) == 0, "%s", strerror(errno));      /* as shells do */
		memset(s.cell, 0, sizeof s.cell);
		seen->go_on = 1;
	}
	AWAIT_ROW(0, "mom> half");
	type("\x15H\r");
	AWAIT_ROW(0, "mom>");
	type("\x04");
	leave(0);
}

TEST(resizes, "when the window changes its width the line is drawn anew")
{
	up();
	type("P news abcdefghijklmnopqrstuvwxyz0123456789\x01");
	AWAIT_ROW(0, "mom> P news abcdefghijklmnopqrstuvwxyz0123456789");
	resize(30);
	AWAIT_ROW(0, "mom> P news abcdefghijklmnop>");
	resize(70);
	AWAIT_ROW(0, "mom> P news abcdefghijklmnopqrstuvwxyz0123456789");
	type("\x03\x04");
	leave(0);
}

TEST(pastes, "pasted lines run only when Enter is hit, one after the other")
{
	up();
	type("\x1b[200~S news\nP news pasted\nR 20\n\x1b[201~");
	AWAIT_ROW(0, "mom> S news^JP news pasted^JR 20^J");
	type("\r");
	AWAIT_ROW(-1, "Message from news: pasted");
	AWAIT_ROW(0, "mom>");
	type("\x04");
	leave(0);
}

TEST(waiting, "Ctrl-C in a waiting R brings the prompt back; what is typed ahead waits")
{
	up();
	type("S news\rR\r");
	WAIT_FOR(pump() && strcmp(screen_row(&s, -1), "mom> R") == 0 && s.pastes == 0, "R to wait: %s",
	    screen_row(&s, -1));
	struct termios now;
	WAIT_FOR(tcgetattr(master, &now) == 0 && (now.c_lflag & ISIG), "signals by keys again");
	int64_t last = t_now_ms() + T_PATIENCE_MS;
	do {                                                     /* it may come before the waiting */
		REQUIRE(t_now_ms() < last, "R goes on: %s", screen_row(&s, 0));
		type("\x03");
		t_tick();
	} while (pump() && !s.pastes && !seen->ended);
	REQUIRE(!seen->ended, "Ctrl-C ended it");
	type("\x15P news x\rE\r");
	leave(1 << 8);                                   /* R was told to stop: the exit status says that it failed */
}

TEST(between, "Ctrl-C while a command runs that waits for no message, or is just over, ends no session")
{
	up();
	server_freeze(&broker);                          /* so that P waits */
	type("P news x\r");
	AWAIT_ROW(-1, "mom> P news x");
	struct termios now;
	WAIT_FOR(tcgetattr(master, &now) == 0 && (now.c_lflag & ISIG), "signals by keys again");
	type("\x03");
	AWAIT_ROW(0, "^C");
	server_thaw(&broker);
	AWAIT_ROW(0, "mom>");
	type("E\r");
	leave(0);
}

TEST(typed_ahead, "what is typed while a command runs waits for the next prompt, the end too")
{
	const char *keys[] = { "\x04", "P news two\r\x04" };
	up();
	int id = talk_create();
	talk_subscribe(id, "news");
	for (int i = 0; i < 2; i++) {
		if (i > 0)
			sit_down();
		struct termios now;
		type("S news\rR\r");
		WAIT_FOR(pump() && strcmp(screen_row(&s, -1), "mom> R") == 0 && tcgetattr(master, &now) == 0 &&
		    (now.c_lflag & ISIG), "R to wait: %s", screen_row(&s, -1));
		type(keys[i]);
		say(id, "news", "one");
		leave(0);
		hear(id, "news", "one");
	}
	hear(id, "news", "two");
	bye(id);
}

TEST(dumb, "a dumb terminal, or one without a name, is as it always was: lines by the terminal itself, no escape "
    "sequence, no history")
{
	const char *names[] = { "dumb", "" };
	for (int i = 0; i < 2; i++) {
		terminal = names[i];
		i == 0 ? up() : sit_down();
		struct termios now;
		REQUIRE(tcgetattr(master, &now) == 0 && same(&now, &seen->before) && s.pastes == 0,
		    "the terminal was changed");
		type("S news\n");
		AWAIT_ROW(-1, "Subscribed to news.");
		type("\x04");
		leave(0);
		REQUIRE(access(t_path("state/history"), F_OK) < 0, "there is a history");
	}
}

TEST(no_history, "a history that cannot be kept is told once, with the cure, and all goes on without")
{
	setenv("MOM_HISTORY", "/proc/none/history", 1);
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	sit_down();
	type("S one\rS two\r");
	AWAIT_ROW(-1, "Subscribed to two.");
	AWAIT_ROW(-3, "Subscribed to one.");
	type_at_prompt("\x1b[A\x1b[A");
	AWAIT_ROW(0, "mom> S one");
	type("\x03\x04");
	leave(0);
}
