/* mom top - a live screen: who does how much, where something waits
 * At a terminal it takes the other screen and gives it back at its end, however that comes; without one, and with -n,
 * it prints plain screens. */
#include "tools/mom/cmd_top.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: mom top [-n TIMES] [-d SECONDS] [FOLDER ...]\n"
    "  What each process, topic, machine and client does a second, the busiest first; q or Ctrl-C ends it, any other "
    "key looks at once.\n"
    "  -n TIMES     so many screens as plain text, then it ends; needed where standard output is no terminal, or a "
    "dumb one\n"
    "  -d SECONDS   between screens (1; 0.1 or more)\n"
    "  FOLDER       a run folder or store; without any, the servers in the usual places, MOM_RUN first\n"
    "  Processes: messages in and out (forwarder: copies into mail boxes), bytes, syncs of the log a second, how long "
    "99 of 100 took at most, tickets in\n"
    "  its queue. Machines: bytes of deliveries taken a second, bytes of the log that are not safe there yet. Clients: "
    "requests a second, bytes of the log\n"
    "  that they went past a second (of other topics, too), messages that wait for them, how long the oldest waits, "
    "bytes of requests without\n  an answer.\n"
    "Exit status: 0   1 nothing is there to look at   2 wrong use\n"
    "Example: mom top -n 1 -d 5\n";

enum { PLAIN_ROWS = 20, SCREEN_BYTES = 256 * 1024 };

/* In 80 columns stands what tells who is busy and who is behind. */
static const char *const titles[TOP_SECTIONS] = {
	"PROCESS                        IN/s    OUT/s  BYTES/s  QUEUE  SYNC/s    p99 ms     PID DEATHS",
	"TOPIC                                         MSGS/s  BYTES/s      MESSAGES",
	"MACHINE                ADDRESS                    TAKEN/s       BEHIND",
	"CLIENT                        WAITING OLDEST  REQ/s    LOG/s   UNACKED PROCESS",
};

static struct {
	int is_terminal, is_set, has_keys;
	struct termios before;
	size_t lines, columns;
	sigset_t usual;                        /* signals as they were: open while we wait only */
} screen;
static volatile sig_atomic_t got_end, got_resize, got_stop;

/* ---- the terminal ---- */

static void
on_signal(int number)
{
	if (number == SIGWINCH || number == SIGCONT)
		got_resize = 1;
	else if (number == SIGTSTP)
		got_stop = 1;
	else
		got_end = number;
}

static void
terminal_size(void)
{
	struct winsize w;
	int known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row > 0 && w.ws_col > 0;
	screen.lines = known ? w.ws_row : 24;
	screen.columns = known ? w.ws_col : 80;
}

static void
terminal_take(void)
{
	struct termios raw;
	if (!screen.is_terminal || screen.is_set)
		return;
	screen.has_keys = tcgetattr(STDIN_FILENO, &screen.before) == 0;
	if (screen.has_keys) {
		raw = screen.before;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		raw.c_cc[VMIN] = 0;
		raw.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	fputs("\033[?1049h\033[?25l\033[?7l\033[H\033[2J", stdout);      /* the other screen, no cursor, no wrapping */
	fflush(stdout);
	screen.is_set = 1;
}

static void
terminal_give_back(void)
{
	if (!screen.is_set)
		return;
	fputs("\033[?7h\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	if (screen.has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &screen.before);
	screen.is_set = 0;
}

static void
signals_begin(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGWINCH, SIGCONT, SIGTSTP };
	struct sigaction a = { .sa_handler = on_signal };
	sigset_t closed;
	sigemptyset(&closed);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		sigaction(numbers[i], &a, NULL);
		sigaddset(&closed, numbers[i]);
	}
	sigprocmask(SIG_BLOCK, &closed, &screen.usual);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		sigdelset(&screen.usual, numbers[i]);       /* whoever started us may have blocked them */
}

/* Until it is time, a key, or a signal; 1: it is to end. */
static int
wait_for(double seconds)
{
	struct timespec left = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };
	struct pollfd p = { screen.has_keys ? STDIN_FILENO : -1, POLLIN, 0 };
	char keys[64];
	fflush(stdout);
	int n = ppoll(&p, 1, &left, &screen.usual);
	if (got_stop) {
		got_stop = 0;
		terminal_give_back();
		raise(SIGSTOP);
		terminal_take();
	}
	if (got_resize) {
		got_resize = 0;
		terminal_size();
	}
	ssize_t r = n > 0 ? read(STDIN_FILENO, keys, sizeof keys) : 0;
	if (n > 0 && r == 0)                           /* the terminal is gone, or its input ended */
		screen.has_keys = 0;
	return got_end || (r > 0 && memchr(keys, 'q', (size_t)r) != NULL) || (n > 0 && (p.revents & POLLHUP));
}

/* ---- the screen ---- */

static void
line_end(void)
{
	fputs(screen.is_terminal ? "\033[K\n" : "\n", stdout);
}

static void
name_column(const char *text, size_t width)
{
	size_t columns = text_put(text, strlen(text), width);
	printf("%*s", columns < width ? (int)(width - columns) : 0, "");
}

static void
show_process(const struct top_row *r)
{
	char in[24], out[24], bytes[24], syncs[24], ms[24] = "-";
	if (r->sync_ms >= 0)
		snprintf(ms, sizeof ms, "%.2f", r->sync_ms);
	name_column(r->name, 26);
	printf(" %8s %8s %8s %6llu %7s %9s %7s %6llu", text_amount(in, r->rate[0]), text_amount(out, r->rate[1]),
	    text_amount(bytes, r->rate[2]), (unsigned long long)r->gauge[0], text_amount(syncs, r->rate[3]), ms,
	    r->who, (unsigned long long)r->gauge[1]);
}

static void
show_row(const struct top_row *r)
{
	char a[24], b[24], c[24];
	switch (r->section) {
	case TOP_PROCESSES:
		show_process(r);
		break;
	case TOP_TOPICS:
		name_column(r->name, 42);
		printf(" %9s %8s %13llu", text_amount(a, r->rate[0]), text_amount(b, r->rate[1]),
		    (unsigned long long)r->count[0]);
		break;
	case TOP_MACHINES:
		name_column(r->name, 22);
		putchar(' ');
		name_column(r->who, 24);
		printf(" %9s %12s", text_amount(a, r->rate[0]), text_amount(b, (double)r->gauge[0]));
		break;
	default:
		name_column(r->name, 28);
		printf(" %8llu %5llus %6s %8s %9s ", (unsigned long long)r->gauge[0], (unsigned long long)r->gauge[2],
		    text_amount(a, r->rate[0]), text_amount(b, r->rate[1]), text_amount(c, (double)r->gauge[1]));
		name_column(r->who, 15);
	}
	line_end();
}

static void
show_head(const struct top_sample *s)
{
	char clock[16], in[24], out[24];
	double rate_in = 0, rate_out = 0;
	time_t now = time(NULL);
	struct tm broken;
	localtime_r(&now, &broken);
	strftime(clock, sizeof clock, "%H:%M:%S", &broken);
	for (size_t i = 0; i < s->count; i++)
		if (s->row[i].section == TOP_PROCESSES && strncmp(s->row[i].name, "worker", 6) == 0)
			rate_in += s->row[i].rate[0];
		else if (s->row[i].section == TOP_PROCESSES && strncmp(s->row[i].name, "mom_forwarder", 13) == 0)
			rate_out += s->row[i].rate[1];
	printf("mom top  %s  %zu server%s  stored %s/s  delivered here %s/s%s", clock, s->servers,
	    s->servers == 1 ? "" : "s", text_amount(in, rate_in),
	    text_amount(out, rate_out), s->bad ? "  (not all can be looked at: mom doctor)" : screen.is_terminal
	    ? "  q ends"
	    : "");
	line_end();
}

/* How many rows of each section fit: in turns, so that a long one does not push out the others. */
static void
share_lines(const size_t have[TOP_SECTIONS], size_t fit[TOP_SECTIONS])
{
	size_t left = screen.is_terminal ? (screen.lines > 2 ? screen.lines - 2 : 0) : SIZE_MAX / 2;
	for (int k = 0; k < TOP_SECTIONS; k++) {
		fit[k] = 0;
		left -= have[k] && left >= 2 ? 2 : 0;  /* its title and an empty line */
	}
	for (int more = 1; more && left;) {
		more = 0;
		for (int k = 0; k < TOP_SECTIONS && left; k++)
			if (fit[k] < have[k] && (screen.is_terminal || fit[k] < PLAIN_ROWS)) {
				fit[k]++;
				left--;
				more = 1;
			}
	}
}

static void
show(const struct top_sample *s)
{
	size_t have[TOP_SECTIONS] = { 0 }, fit[TOP_SECTIONS], shown = 0;
	for (size_t i = 0; i < s->count; i++)
		have[s->row[i].section]++;
	share_lines(have, fit);
	if (screen.is_terminal)
		fputs("\033[H", stdout);
	show_head(s);
	for (size_t i = 0; i < s->count; i++) {
		enum top_section k = s->row[i].section;
		if (i == 0 || s->row[i - 1].section != k) {
			shown = 0;
			if (fit[k]) {
				line_end();
				printf(screen.is_terminal ? "\033[7m%s\033[0m" : "%s", titles[k]);
				line_end();
			}
		}
		if (shown++ < fit[k])
			show_row(&s->row[i]);
	}
	if (s->count == 0) {
		fputs("no broker or daemon is found on this machine: start one, or name its run folder", stdout);
		line_end();
	}
	fputs(screen.is_terminal ? "\033[J" : "\n", stdout);
}

static int
watch(unsigned long long times, double seconds, char **folders, int n)
{
	struct top_sample before, now;
	int seen = 0;
	top_take(&cmd_top, &before, folders, n);
	terminal_take();
	if (screen.is_terminal && before.count)
		show(&before);
	for (unsigned long long i = 0; times == 0 || i < times; i++) {
		if (wait_for(seconds))
			break;
		top_take(&cmd_top, &now, folders, n);
		top_compare(&now, &before);
		show(&now);
		seen |= now.count > 0;
		top_free(&before);
		before = now;
	}
	seen |= before.count > 0;
	top_free(&before);
	terminal_give_back();
	return seen ? CMD_OK : cmd_fail(&cmd_top, "no broker or daemon can be looked at: mom doctor says why");
}

static int
run(int argc, char **argv)
{
	static const struct option longs[] = { { "help", 0, 0, 'h' }, { 0 } };
	static char buffer[SCREEN_BYTES];
	unsigned long long times = 0;
	double seconds = 1;
	for (int o; (o = cmd_option(&cmd_top, argc, argv, "hn:d:", longs)) != -1;) {
		times = o == 'n' ? cmd_number(&cmd_top, "-n", cmd_line.value, 1, 1000000000) : times;
		seconds = o == 'd' ? cmd_seconds(&cmd_top, "-d", cmd_line.value) : seconds;
	}
	if (seconds < 0.1)
		cmd_wrong_use(&cmd_top, "-d takes 0.1 seconds or more");
	const char *term = getenv("TERM");
	screen.is_terminal = times == 0 && isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
	if (!screen.is_terminal && times == 0)
		cmd_wrong_use(&cmd_top, "-n TIMES is needed where standard output is no terminal, or TERM says dumb or "
		    "nothing");
	setvbuf(stdout, buffer, _IOFBF, sizeof buffer);        /* a screen at a time: it does not flicker */
	terminal_size();
	signals_begin();
	return watch(times, seconds, cmd_line.word, cmd_line.count);
}

const struct cmd cmd_top = { "top", "a live screen of rates, queues and who is behind", usage, run };
