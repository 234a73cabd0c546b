/* term - see term.h.
 * SIGNALS  While a line is typed all are blocked but for the time of the waiting, so that none is lost between a look
 *          at its flag and the sleep. Those that would end or stop the process first give the terminal back. Those that
 *          the program handles by itself, or ignores, are left to it. After each the row is drawn anew: the window may
 *          have another size, and whoever had the terminal meanwhile may have changed it. */
#include "term/term.h"
#include "base/fdio.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { READ_BYTES = 4096, COLUMNS_UNKNOWN = 80 };

/* First those of a fault, which are never blocked. */
static const int signals[] = { SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGALRM,
    SIGTERM, SIGUSR1, SIGUSR2, SIGTSTP, SIGWINCH, SIGCONT };
enum { SIGNALS = sizeof signals / sizeof *signals, FAULTS = 5 };

static struct {
	struct termios before;
	volatile sig_atomic_t raw;
	char keys[READ_BYTES];               /* read, and not yet taken */
	size_t at, n;
	int ahead;                           /* so many bytes were typed before the terminal was raw */
	sigset_t mask;                       /* outside */
} terminal;

int
term_can_edit(void)
{
	const char *term = getenv("TERM");
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

static const char paste_on[] = "\x1b[?2004h", paste_off[] = "\x1b[?2004l";

/* In a signal's handler too. */
static void
give_back(void)
{
	if (!terminal.raw)
		return;
	terminal.raw = 0;
	fdio_write_full(STDOUT_FILENO, paste_off, sizeof paste_off - 1);
	tcsetattr(STDIN_FILENO, TCSANOW, &terminal.before);
}

/* What the signal does by default is in force again. */
static void
on_signal(int number)
{
	if (number == SIGWINCH || number == SIGCONT)
		return;
	give_back();
	fdio_write_full(STDOUT_FILENO, "\r\n", 2);
	raise(number);                       /* comes back where it was a stop */
}

static void
swap_handlers(void (*from)(int), void (*to)(int))
{
	struct sigaction was, act = { .sa_handler = to, .sa_flags = SA_NODEFER | SA_RESETHAND };
	for (int i = 0; i < SIGNALS; i++)
		if (sigaction(signals[i], NULL, &was) == 0 && was.sa_handler == from)
			sigaction(signals[i], &act, NULL);
}

static void
block_signals(void)
{
	sigset_t blocked;
	sigemptyset(&blocked);
	for (int i = FAULTS; i < SIGNALS; i++)
		sigaddset(&blocked, signals[i]);
	sigprocmask(SIG_BLOCK, &blocked, &terminal.mask);
}

/* At the begin and after each signal. c_oflag stays: what others print meanwhile has to look right. -1: no terminal. */
static int
take(struct lineedit *e)
{
	struct termios raw = terminal.before;
	struct winsize size = { .ws_col = 0 };
	raw.c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IGNCR | IXON | ISTRIP | BRKINT | PARMRK | INPCK);
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ECHONL | ISIG | IEXTEN);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	swap_handlers(SIG_DFL, on_signal);
	terminal.raw = 1;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
		return -1;
	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	lineedit_resize(e, size.ws_col > 0 ? size.ws_col : COLUMNS_UNKNOWN);
	return fdio_write_full(STDOUT_FILENO, paste_on, sizeof paste_on - 1);
}

/* A Ctrl-D that was typed while a command ran is a NUL by now: the kernel's mark of an end, which only its own lines
 * know. */
static int
read_keys(void)
{
	ssize_t n = fdio_read(STDIN_FILENO, terminal.keys, sizeof terminal.keys);
	terminal.at = 0;
	terminal.n = n > 0 ? (size_t)n : 0;
	for (size_t i = 0; i < terminal.n && terminal.ahead > 0; i++, terminal.ahead--)
		if (terminal.keys[i] == '\0')
			terminal.keys[i] = 'D' - '@';
	return n > 0 || (n < 0 && errno == EAGAIN) ? 0 : -1;
}

/* Waits for keys or a signal. A stop is that of the whole job, as the terminal itself does it. -1: the line ends. */
static int
wait_for_keys(struct lineedit *e, const volatile sig_atomic_t *over, int stop)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	if (*over || (stop && kill(0, SIGTSTP) < 0))
		return -1;
	if (ppoll(&in, !stop, stop ? &(struct timespec){ 0 } : NULL, &terminal.mask) > 0)
		return read_keys();
	return take(e);
}

static const char *
edit(struct lineedit *e, const volatile sig_atomic_t *over)
{
	for (;;) {
		size_t used, n, left = terminal.n - terminal.at;
		enum lineedit_event event = lineedit_feed(e, terminal.keys + terminal.at, left, &used);
		const char *screen = lineedit_output(e, &n);
		terminal.at += used;
		fdio_write_full(STDOUT_FILENO, screen, n);
		if (event == LINEEDIT_LINE || event == LINEEDIT_END)
			return event == LINEEDIT_LINE ? lineedit_line(e) : NULL;
		if ((event == LINEEDIT_STOP || terminal.at == terminal.n) &&
		    wait_for_keys(e, over, event == LINEEDIT_STOP) < 0)
			return NULL;
	}
}

const char *
term_read(struct lineedit *e, const volatile sig_atomic_t *over)
{
	const char *line = NULL;
	if (tcgetattr(STDIN_FILENO, &terminal.before) < 0)
		return NULL;
	block_signals();
	lineedit_begin(e, COLUMNS_UNKNOWN);
	if (take(e) == 0) {
		if (ioctl(STDIN_FILENO, FIONREAD, &terminal.ahead) < 0)
			terminal.ahead = 0;
		line = edit(e, over);
	}
	give_back();
	swap_handlers(on_signal, SIG_DFL);
	sigprocmask(SIG_SETMASK, &terminal.mask, NULL);
	return line;
}
