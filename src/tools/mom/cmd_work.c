/* mom work - run a command for each message of a group: whoever has a queue of jobs and a script
 * A message is settled once its command has ended well. If this process ends before, the message goes to another. */
#include "base/clock.h"
#include "base/program.h"
#include "tools/mom/cmd.h"
#include <errno.h>
#include <mom.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPT_GROUP = 256, OPT_PREFETCH, OPT_DELAY, DEAD_STATUS = 100, DELAY_MOST_S = 300, END_MS = 5000, LOOK_MS = 1000 };

static struct {
	const char *group;
	char **patterns, **command;
	int pattern_count, failed;
	unsigned long long count, done;        /* count 0: no end */
	double seconds, delay;                 /* below 0: no end; as its tries say */
	int64_t deadline;
	volatile sig_atomic_t ended;
	volatile int id;
} work = { .seconds = -1, .delay = -1, .id = -1 };

static void
on_signal(int number)
{
	(void)number;
	work.ended = 1;
	if (work.id >= 0)
		mom_wake(work.id);
}

/* ---- one message ---- */

/* The payload in a file of no name: a command that does not read it stops nobody. -1: errno */
static int
payload_file(const struct mom_message *m)
{
	int fd = memfd_create("message", MFD_CLOEXEC);
	size_t n = 0;
	for (ssize_t w; fd >= 0 && n < m->len; n += (size_t)w)
		if ((w = write(fd, (const char *)m->data + n, m->len - n)) < 0 && errno != EINTR) {
			close(fd);
			return -1;
		} else if (w < 0)
			w = 0;
	if (fd >= 0)
		lseek(fd, 0, SEEK_SET);
	return fd;
}

/* Before the fork: a child has the mail box no more. */
static void
tell_command(const struct mom_message *m)
{
	char text[40];
	const char *key = mom_property(m, MOM_P_KEY, NULL);
	setenv("MOM_JOB_TOPIC", m->topic, 1);
	setenv("MOM_JOB_GROUP", work.group, 1);
	snprintf(text, sizeof text, "%u", mom_tries(m));
	setenv("MOM_JOB_TRIES", text, 1);
	snprintf(text, sizeof text, "%016llx", (unsigned long long)mom_origin(m));
	setenv("MOM_JOB_ID", text, 1);
	if (key)
		setenv("MOM_JOB_KEY", key, 1);
	else
		unsetenv("MOM_JOB_KEY");
}

static void
run_command(int fd)
{
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	if (dup2(fd, STDIN_FILENO) >= 0)
		execvp(work.command[0], work.command);
	fprintf(stderr, "mom work: %s: %s\n", work.command[0], strerror(errno));
	_exit(127);
}

/* Its exit status; 128 and the signal that ended it; -1: it could not be run. */
static int
status_of(const struct mom_message *m)
{
	int fd = payload_file(m), status;
	fflush(stdout);
	tell_command(m);
	pid_t pid = fd < 0 ? -1 : fork();
	if (pid == 0)
		run_command(fd);
	int error = errno;
	if (fd >= 0)
		close(fd);
	if (pid < 0) {
		fprintf(stderr, "mom work: %s: %s: the message is given back\n", work.command[0], strerror(error));
		return -1;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static long
delay_ms(unsigned tries)
{
	long s = tries < 10 ? 1L << (tries - 1) : DELAY_MOST_S;
	return work.delay >= 0 ? (long)(work.delay * 1000) : s < DELAY_MOST_S ? s * 1000 : DELAY_MOST_S * 1000L;
}

static void
work_on(const struct mom_message *m)
{
	if (m->flags & MOM_GAP) {
		fprintf(stderr, "mom work: %.*s\n", (int)m->len, (const char *)m->data);
		return;
	}
	if (!(m->flags & MOM_GROUPED))                 /* of a subscription that this client never made */
		return;
	int status = status_of(m), r;
	if (status != 0 && status != -1)
		fprintf(stderr, "mom work: %016llx (%s), try %u: exit %d: %s\n", (unsigned long long)mom_origin(m),
		    m->topic, mom_tries(m), status, status == DEAD_STATUS ? "dead" : "given back");
	r = status == 0 ? mom_settle(work.id, m) : mom_reject(work.id, m, status == DEAD_STATUS ? MOM_NEVER
	    : delay_ms(mom_tries(m)));
	if (r < 0)
		work.failed = cmd_fail(&cmd_work, "%s", mom_error_text(work.id));
	work.done += status == 0;
}

/* ---- the command ---- */

static int
join(void)
{
	int r = 0;
	for (int i = 0; i < work.pattern_count || i == 0; i++) {
		do
			r = mom_join(work.id, work.group, work.pattern_count ? work.patterns[i] : NULL, 0);
		while (r == MOM_EAGAIN && !work.ended);
		if (r < 0)
			return cmd_fail(&cmd_work, "%s", mom_error_text(work.id));
	}
	return CMD_OK;
}

static int
wait_ms(void)
{
	int64_t left = work.seconds < 0 ? LOOK_MS : work.deadline - clock_ms();
	return left <= 0 ? 0 : left > LOOK_MS ? LOOK_MS : (int)left;
}

static void
receive(void)
{
	struct mom_message m;
	work.deadline = clock_ms() + (int64_t)(work.seconds * 1000);
	while (!work.ended && !work.failed && (work.count == 0 || work.done < work.count)) {
		int ms = wait_ms(), r = mom_receive(work.id, &m, ms);
		if (r == 0)
			work_on(&m);
		else if (r == MOM_ETIMEDOUT && ms == 0)
			return;
		else if (r != MOM_ETIMEDOUT && r != MOM_EINTR && (r != MOM_EFULL || join() != CMD_OK))
			work.failed = cmd_fail(&cmd_work, "%s", mom_error_text(work.id));
	}
}

static int
work_run(int argc, char **argv)
{
	static const struct option longs[] = { { "group", 1, 0, OPT_GROUP }, { "prefetch", 1, 0, OPT_PREFETCH },
	    { "delay", 1, 0, OPT_DELAY }, { "count", 1, 0, 'C' }, { "wait", 1, 0, 'W' }, { "help", 0, 0, 'h' }, { 0 } };
	unsigned long long prefetch = 1;
	int own = 1;
	while (own < argc && strcmp(argv[own], "--") != 0)
		own++;
	work.command = own < argc ? argv + own + 1 : argv + argc;
	argv[own] = NULL;                              /* what stands behind -- is not ours to read */
	for (int o; (o = cmd_option(&cmd_work, own, argv, "C:W:h", longs)) != -1;)
		switch (o) {
		case OPT_GROUP: work.group = cmd_line.value; break;
		case OPT_PREFETCH: prefetch = cmd_number(&cmd_work, "--prefetch", cmd_line.value, 1, 10000); break;
		case OPT_DELAY: work.delay = cmd_time(&cmd_work, "--delay", cmd_line.value, INT32_MAX / 1000); break;
		case 'C': work.count = cmd_number(&cmd_work, "-C", cmd_line.value, 1, 1000000000000); break;
		case 'W': work.seconds = cmd_seconds(&cmd_work, "-W", cmd_line.value); break;
		}
	if (work.group == NULL)
		cmd_wrong_use(&cmd_work, "of which group? --group NAME");
	if (work.command[0] == NULL)
		cmd_wrong_use(&cmd_work, "which command? it stands behind --");
	work.patterns = cmd_line.word;
	work.pattern_count = cmd_line.count;
	program_catch_end(on_signal);
	work.id = cmd_client(&cmd_work, NULL);
	if (work.id < 0)
		return cmd_fail(&cmd_work, "%s", mom_error_text(-1));
	mom_set_option(work.id, MOM_OPT_MANUAL_ACK, 1);
	mom_set_option(work.id, MOM_OPT_PREFETCH, (long)prefetch);
	if (join() == CMD_OK)
		receive();
	else
		work.failed = 1;
	int id = work.id;
	work.id = -1;
	mom_set_option(id, MOM_OPT_TIMEOUT_MS, END_MS);
	int r = mom_destroy(id);
	if (r < 0 && r != MOM_ETIMEDOUT && r != MOM_EBADID)
		work.failed = cmd_fail(&cmd_work, "%s", mom_error_text(-1));
	if (work.failed)
		return CMD_FAILED;
	return work.ended || work.done >= (work.count ? work.count : 1) ? CMD_OK : CMD_NOTHING;
}

const struct cmd cmd_work = { "work", "run a command for each message of a group",
	"usage: mom work --group NAME [TOPIC ...] [options] -- COMMAND [ARGUMENT ...]\n"
	"Runs COMMAND for one message after the other, the payload on its standard input. Its exit status says what "
	"becomes of the message:\n"
	"0 it is settled; 100 it is dead (see mom dead); any other, or a signal: it is given back. Several of these "
	"share the group's\nmessages. If one of them ends, what it had goes to another.\n"
	"  --group NAME       the group; it is made if a TOPIC is named\n"
	"  TOPIC              bind the group to this topic, or to a pattern in quotes\n"
	"  --prefetch N       so many messages are with this worker at a time (1)\n"
	"  --delay T          what is given back waits so long (1s, 2s, 4s .. 300s by its tries)\n"
	"  -C, --count N      end after so many settled messages\n"
	"  -W, --wait SECONDS end after that time\n"
	"COMMAND's environment: MOM_JOB_TOPIC, MOM_JOB_GROUP, MOM_JOB_TRIES, MOM_JOB_ID, and MOM_JOB_KEY where it has "
	"a key.\n"
	"Exit status: 0 done   1 error   2 wrong use   27 nothing, or fewer than -C, came within -W\n"
	"Example: mom work --group thumbnails 'photos/#' -- ./thumbnail.sh\n", work_run };
