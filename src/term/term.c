/* term - see term.h.
 * SIGNALS  While a line is typed they are blocked but for the time of the waiting, so that none is lost between a look
 *          at its flag and the sleep.
 *          WINCH, TSTP and CONT are ours then (the size, Ctrl-Z from elsewhere, back in the foreground). Those that
 *          would end the process first give the terminal back; a handler of the program's runs as ever, and then
 *          term_read returns. */
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

/* First those of a fault, which are never blocked; then those that come from elsewhere; ours are the last. */
static const int signals[] = { SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGALRM,
    SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT };
enum { SIGNALS = sizeof signals / sizeof *signals, FAULTS = 5, OURS = SIGNALS - 3, OUR_STOP = OURS + 1 };

static struct {
	struct termios before;
	volatile sig_atomic_t raw, stop;
	char keys[READ_BYTES];               /* read, and not yet taken */
	size_t at, n;
	int ahead;                           /* so many bytes were typed before the terminal was raw */
	sigset_t mask;                       /* outside */
	struct sigaction was[SIGNALS];
} terminal;

int
term_can_edit(void)
{
	const char *term = getenv("TERM");
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

static size_t
term_columns(void)
{
	struct winsize size;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : COLUMNS_UNKNOWN;
}

/* ---- raw and back ---- */

static const char paste_on[] = "\x1b[?2004h", paste_off[] = "\x1b[?2004l";

static int
set(int when, const struct termios *to)
{
	int r;
	while ((r = tcsetattr(STDIN_FILENO, when, to)) < 0 && errno == EINTR)
		;
	return r;
}

/* In a signal's handler too. */
static void
give_back(int when)
{
	if (!terminal.raw)
		return;
	terminal.raw = 0;
	fdio_write_full(STDOUT_FILENO, paste_off, sizeof paste_off - 1);
	set(when, &terminal.before);
}

static int
make_raw(void)
{
	struct termios raw;
	if (terminal.raw)
		return 0;
	if (tcgetattr(STDIN_FILENO, &terminal.before) < 0)
		return -1;
	raw = terminal.before;
	raw.c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IGNCR | IXON | ISTRIP | BRKINT | PARMRK | INPCK);
	/* c_oflag stays: what others print meanwhile has to look right */
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ECHONL | ISIG | IEXTEN);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	/* before it is: a signal between the two gives back what was not yet taken, which does no harm */
	terminal.raw = 1;
	if (set(TCSADRAIN, &raw) < 0) {
		terminal.raw = 0;
		return -1;
	}
	if (ioctl(STDIN_FILENO, FIONREAD, &terminal.ahead) < 0)
		terminal.ahead = 0;
	return fdio_write_full(STDOUT_FILENO, paste_on, sizeof paste_on - 1);
}

/* A Ctrl-D that was typed while a command ran is a NUL by now: the kernel's mark of an end, which only its own lines
 * know. */
static void
mend_ahead(void)
{
	for (size_t i = 0; i < terminal.n && terminal.ahead > 0; i++, terminal.ahead--)
		if (terminal.keys[i] == '\0')
			terminal.keys[i] = 'D' - '@';
}

/* ---- signals ---- */

static void
on_ours(int number)
{
	if (number == SIGTSTP)
		terminal.stop = 1;
}

static void
on_deadly(int number)
{
	give_back(TCSANOW);
	signal(number, SIG_DFL);
	raise(number);
}

/* Signals that the program handles by itself, or ignores, are left to it. */
static void
take_signals(void)
{
	sigset_t blocked;
	sigemptyset(&blocked);
	for (int i = FAULTS; i < SIGNALS; i++)
		sigaddset(&blocked, signals[i]);
	sigprocmask(SIG_BLOCK, &blocked, &terminal.mask);
	for (int i = 0; i < SIGNALS; i++)
		if (sigaction(signals[i], NULL, &terminal.was[i]) == 0 &&
		    (i >= OURS || terminal.was[i].sa_handler == SIG_DFL))
			sigaction(signals[i], &(struct sigaction){ .sa_handler = i >= OURS ? on_ours : on_deadly,
			    .sa_flags = i >= OURS ? 0 : SA_NODEFER }, NULL);
}

static void
leave_signals(void)
{
	for (int i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &terminal.was[i], NULL);
	sigprocmask(SIG_SETMASK, &terminal.mask, NULL);
}

/* ---- a line ---- */

static void
write_screen(struct lineedit *e)
{
	size_t n;
	const char *bytes = lineedit_output(e, &n);
	for (struct pollfd room = { .fd = STDOUT_FILENO, .events = POLLOUT };
	    fdio_write_full(STDOUT_FILENO, bytes, n) < 0 && errno == EAGAIN;)
		/* somebody made it non-blocking; what was written comes again, and draws the same */
		if (poll(&room, 1, -1) < 0 && errno != EINTR)
			return;
}

/* The whole job is stopped, as the terminal itself does it; this returns when it goes on. */
static void
stop(void)
{
	sigset_t tstp;
	terminal.stop = 0;
	if (terminal.was[OUR_STOP].sa_handler == SIG_IGN)                /* started by a shell without job control */
		return;
	sigemptyset(&tstp);
	sigaddset(&tstp, SIGTSTP);
	give_back(TCSADRAIN);
	fdio_write_full(STDOUT_FILENO, "\r\n", 2);
	signal(SIGTSTP, SIG_DFL);
	kill(0, SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &tstp, NULL);
	sigprocmask(SIG_BLOCK, &tstp, NULL);
	sigaction(SIGTSTP, &(struct sigaction){ .sa_handler = on_ours }, NULL);
	terminal.stop = 0;
}

/* After a signal, or a stop: the window may have another size. Also, where the process was stopped in a way that nobody
 * is asked about, whoever had the terminal meanwhile may have changed it. -1: no terminal any more. */
static int
go_on(struct lineedit *e)
{
	struct termios before = terminal.before;
	int was_raw = terminal.raw;
	terminal.raw = 0;
	if (make_raw() < 0)
		return -1;
	if (was_raw)
		terminal.before = before;
	lineedit_resize(e, term_columns());
	return 0;
}

/* waits for keys: 1, or how the line ended. The signals are blocked, so that between the look at over and the sleep
 * none is lost. */
static int
more_keys(struct lineedit *e, const volatile sig_atomic_t *over, enum term_end *end)
{
	*end = TERM_SIGNAL;
	if (*over)
		return 0;
	*end = TERM_END;
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	int r = ppoll(&in, 1, NULL, &terminal.mask);
	if (r < 0 && errno == EINTR) {
		if (terminal.stop)
			stop();
		return go_on(e) == 0;
	}
	ssize_t n = r < 0 ? -1 : fdio_read(STDIN_FILENO, terminal.keys, sizeof terminal.keys);
	terminal.at = 0;
	terminal.n = n > 0 ? (size_t)n : 0;
	mend_ahead();
	return n > 0 || (n < 0 && errno == EAGAIN);
}

static enum term_end
edit(struct lineedit *e, const volatile sig_atomic_t *over)
{
	enum term_end end;
	for (;;) {
		write_screen(e);
		size_t used;
		enum lineedit_event event = lineedit_feed(e, terminal.keys + terminal.at, terminal.n - terminal.at,
		    &used);
		terminal.at += used;
		if (event == LINEEDIT_STOP) {
			stop();
			if (go_on(e) < 0)
				return TERM_END;
		}
		if (event == LINEEDIT_LINE || event == LINEEDIT_END)
			return event == LINEEDIT_LINE ? TERM_LINE : TERM_END;
		write_screen(e);
		if (terminal.at == terminal.n && !more_keys(e, over, &end))
			return end;
	}
}

enum term_end
term_read(struct lineedit *e, const volatile sig_atomic_t *over)
{
	enum term_end end = TERM_NONE;
	take_signals();
	if (make_raw() == 0) {
		lineedit_begin(e, term_columns());
		end = edit(e, over);
		write_screen(e);
	}
	int keep = errno;
	give_back(TCSADRAIN);
	leave_signals();
	errno = keep;
	return end;
}
