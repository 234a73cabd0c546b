/* lottery - a whole lottery: makes the files, starts the centre and the agencies, and says what held
 *
 * STARTS      centre, agency (from its own folder); a centre that is killed is started again with --resume
 * STDOUT      what they say, then the summary
 * SIGNALS     TERM, INT: all of them are ended
 * EXIT        0 all held   1 not so, or stopped   100 wrong use   111 system trouble */
#include "config.h"
#include "bet.h"
#include "generate.h"
#include "tell.h"
#include "verify.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RESTARTS_MAX = 20, GRACE_MS = 5000 };

static struct lottery {
	struct config config;
	const char *folder, *other_run;
	char made[64], programs[PATH_MAX], conf[CONFIG_PATH_MAX];
	long agencies, bets, seed, winner;
	char *options[32];                     /* --workers, --quiet ...: handed on to the programs */
	int option_count;
	pid_t centre, agency[AGENCIES_MAX];
	int running, ready, restarts, failed, stopped;
	int signals, said;                     /* said: the centre's stdout */
	char line[256];
	size_t line_len;
} l = { .agencies = 5, .bets = 100000, .seed = 1, .winner = 7574 };

static const char usage[] =
    "usage: lottery [--agencies N] [--bets N] [--seed N] [--winner N] [--dir FOLDER] [--other RUN] [--KEY VALUE ...]\n"
    "  --bets N          of all agencies (100000)     --seed N   the same ones for the same seed (1)\n"
    "  --dir FOLDER      its files, kept; else in a temporary folder that is removed where all held\n"
    "  --other RUN   run folder of a second mom_daemon: agencies with even numbers use that one\n";

/* ---- its processes ---- */

/* In the child: the program of that name beside this one, with CONFIG, up to two words, and the options. */
static void __attribute__((noreturn))
run(const char *program, const char *first, const char *second)
{
	char path[PATH_MAX + 32], *argv[40];
	int n = 0;
	sigset_t none;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	snprintf(path, sizeof path, "%s/%s", l.programs, program);
	argv[n++] = path;
	argv[n++] = l.conf;
	if (first)
		argv[n++] = (char *)(uintptr_t)first;
	if (second)
		argv[n++] = (char *)(uintptr_t)second;
	for (int i = 0; i < l.option_count; i++)
		argv[n++] = l.options[i];
	argv[n] = NULL;
	execv(path, argv);
	tell_fatal(111, "%s: %s: `make examples` builds it", path, strerror(errno));
}

static pid_t
fork_child(void)
{
	pid_t parent = getpid();
	fflush(NULL);
	pid_t pid = fork();
	if (pid < 0)
		tell_fatal(111, "fork: %s: see `ulimit -u`", strerror(errno));
	if (pid == 0 && getppid() != parent)
		_exit(111);
	l.running += pid > 0;
	return pid;
}

static void
start_centre(int resume)
{
	int said[2];
	if (pipe2(said, O_CLOEXEC) < 0)
		tell_fatal(111, "pipe: %s", strerror(errno));
	if ((l.centre = fork_child()) == 0) {
		if (dup2(said[1], 1) < 0)
			_exit(111);
		run("centre", resume ? "--resume" : NULL, NULL);
	}
	close(said[1]);
	if (l.said >= 0)
		close(l.said);
	l.said = said[0];
	l.line_len = 0;
}

static void
start_agencies(void)
{
	char number[24];
	for (long i = 0; i < l.config.agencies; i++) {
		snprintf(number, sizeof number, "%ld", i + 1);
		if ((l.agency[i] = fork_child()) == 0) {
			if (l.other_run && i % 2)
				setenv("MOM_RUN", l.other_run, 1);
			run("agency", number, NULL);
		}
	}
}

static void
end_all(int signal)
{
	if (l.centre > 0)
		kill(l.centre, signal);
	for (long i = 0; i < l.config.agencies; i++)
		if (l.agency[i] > 0)
			kill(l.agency[i], signal);
}

/* ---- what happens to them ---- */

static void
centre_line(const char *line)
{
	printf("centre: %s\n", line);
	fflush(stdout);
	if (strncmp(line, "ready ", 6) == 0 && !l.ready) {
		l.ready = 1;
		start_agencies();
	}
}

static void
centre_says(void)
{
	char bytes[512];
	ssize_t n = read(l.said, bytes, sizeof bytes);
	if (n <= 0 && !(n < 0 && errno == EINTR)) {
		close(l.said);
		l.said = -1;
	}
	for (ssize_t i = 0; i < n; i++) {
		if (bytes[i] != '\n' && l.line_len < sizeof l.line - 1) {
			l.line[l.line_len++] = bytes[i];
			continue;
		}
		l.line[l.line_len] = 0;
		l.line_len = 0;
		centre_line(l.line);
	}
}

/* NULL where it ended well, else how it ended */
static const char *
ending(int status)
{
	static char text[64];
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return NULL;
	snprintf(text, sizeof text, WIFEXITED(status) ? "exit %d" : "signal %d",
	    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	return text;
}

static void
centre_ended(int status)
{
	const char *how = ending(status);
	l.centre = 0;
	if (how == NULL || l.stopped || l.failed)
		return;
	/* one that was never ready found something wrong at its start, and would again */
	int again = WIFSIGNALED(status) || (l.ready && WEXITSTATUS(status) == 111);
	if (!again || ++l.restarts > RESTARTS_MAX) {
		tell("the centre ended: %s", how);
		l.failed = 1;
		return;
	}
	tell("the centre ended: %s; it is started again", how);
	start_centre(l.ready);
}

static void
child_ended(pid_t pid, int status)
{
	const char *how = ending(status);
	l.running--;
	if (pid == l.centre) {
		centre_ended(status);
		return;
	}
	for (long i = 0; i < l.config.agencies; i++) {
		if (l.agency[i] != pid)
			continue;
		l.agency[i] = 0;
		if (how && !l.stopped) {
			tell("agency %ld ended: %s", i + 1, how);
			l.failed = 1;
		}
	}
}

static void
take_signals(void)
{
	struct signalfd_siginfo s;
	int status;
	while (read(l.signals, &s, sizeof s) == (ssize_t)sizeof s)
		if (s.ssi_signo != SIGCHLD)
			l.stopped = 1;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
		child_ended(pid, status);
}

/* Until all have ended; where one fails, or a signal comes, the others are told to end. */
static void
watch(void)
{
	int told = 0;
	while (l.running > 0 || l.said >= 0) {
		struct pollfd p[] = { { l.signals, POLLIN, 0 }, { l.said, POLLIN, 0 } };
		if ((l.stopped || l.failed) && told < 2)
			end_all(told++ ? SIGKILL : SIGTERM);
		int n = poll(p, 2, told == 1 ? GRACE_MS : -1);
		if (n < 0 && errno != EINTR)
			tell_fatal(111, "poll: %s", strerror(errno));
		if (n == 0)
			continue;
		if (p[1].revents)
			centre_says();
		if (p[0].revents)
			take_signals();
	}
}

/* ---- start and end ---- */

static int
own_option(const char *option, const char *value)
{
	static const struct { const char *name; long *to, min, max; } numbers[] = {
		{ "--agencies", &l.agencies, 1, AGENCIES_MAX }, { "--bets", &l.bets, 0, 100000000 },
		    { "--seed", &l.seed, 0, INT_MAX },
		{ "--winner", &l.winner, 0, 65535 },
	};
	for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		if (strcmp(option, numbers[i].name) != 0)
			continue;
		if (value == NULL || (*numbers[i].to = config_number(value, numbers[i].min, numbers[i].max)) < 0)
			tell_fatal(100, "%s: a number from %ld to %ld is wanted", option, numbers[i].min,
			    numbers[i].max);
		return 2;
	}
	if (value && strcmp(option, "--dir") == 0)
		l.folder = value;
	else if (value && strcmp(option, "--other") == 0)
		l.other_run = value;
	else
		return 0;
	return 2;
}

/* Own options are taken; what may be one of the programs is kept for them, and looked at by config_load when there is a
 * file. */
static void
parse(int argc, char **argv)
{
	for (int i = 1; i < argc; i += 2) {
		if (strcmp(argv[i], "--help") == 0) {
			fputs(usage, stdout);
			fputs(config_help, stdout);
			exit(0);
		}
		if (own_option(argv[i], argv[i + 1]))
			continue;
		if (argv[i + 1] == NULL || l.option_count == 30)
			tell_fatal(100, "%s: no such option, or without a value: see --help", argv[i]);
		l.options[l.option_count++] = argv[i];
		l.options[l.option_count++] = argv[i + 1];
	}
}

static void
make_files(void)
{
	const char *tmp = getenv("TMPDIR");
	if (l.folder == NULL) {
		snprintf(l.made, sizeof l.made, "%.40s/lottery.XXXXXX", tmp && *tmp ? tmp : "/tmp");
		if ((l.folder = mkdtemp(l.made)) == NULL)
			tell_fatal(111, "mkdtemp(%s): %s", l.made, strerror(errno));
	} else if (mkdir(l.folder, 0700) < 0 && errno != EEXIST) {
		tell_fatal(111, "mkdir(%s): %s", l.folder, strerror(errno));
	}
	if (generate(l.folder, (int)l.agencies, l.bets, (unsigned long long)l.seed, l.winner) < 0)
		tell_fatal(111, "%s: %s", l.folder, strerror(errno));
	if ((size_t)snprintf(l.conf, sizeof l.conf, "%s/lottery.conf", l.folder) >= sizeof l.conf)
		tell_fatal(100, "%s: the path is too long", l.folder);
	config_load(&l.config, l.conf, l.option_count, l.options, 0, NULL);
	for (long i = 1; i <= l.config.agencies; i++)          /* of a run before */
		unlink(config_path(&l.config, "winners-%ld.csv", i));
}

static void
remove_files(void)
{
	static const char *const names[] = { "lottery.conf", "bets.csv", "bets.journal", "centre.lock" };
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		unlink(config_path(&l.config, "%s", names[i]));
	for (long i = 1; i <= l.config.agencies; i++) {
		unlink(config_path(&l.config, "agency-%ld.csv", i));
		unlink(config_path(&l.config, "winners-%ld.csv", i));
	}
	rmdir(l.made);
}

static void
open_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if ((l.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
		tell_fatal(111, "signalfd: %s", strerror(errno));
}

static int
summary(void)
{
	struct verdict v;
	int held = verify(&v, &l.config) && !l.failed;
	printf("bets: %ld sent, %ld stored: %s\n", v.sent, v.stored, v.same_bets ? "held, each one once" : "NOT HELD");
	printf("winners: %ld have the number %ld, %ld were told: %s\n", v.winners, l.config.winner, v.told,
	    v.own_winners ? "held, each agency its own and no other" : "NOT HELD");
	if (!held)
		printf("NOT HELD: %s (the files are in %s)\n", *v.text ? v.text : "a program failed, see above",
		    l.folder);
	else
		printf("Each bet was stored once and each winner told once, however many workers share the work.\n"
		    "Agencies and centre know topics, not each other: each may be on any machine, end and come back.\n"
		    "all held%s\n", l.restarts ? "; the centre was started again" : "");
	return held;
}

int
main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", l.programs, sizeof l.programs - 1);
	tell_program = "lottery";
	l.said = -1;
	parse(argc, argv);
	if (n <= 0)
		tell_fatal(111, "/proc/self/exe: %s", strerror(errno));
	*strrchr(l.programs, '/') = 0;
	open_signals();
	make_files();
	start_centre(0);
	watch();
	int held = l.stopped ? 0 : summary();
	if (l.stopped)
		tell("stopped: nothing is claimed");
	if (*l.made && (held || l.stopped))
		remove_files();
	return !held;
}
