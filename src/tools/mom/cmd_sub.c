/* cmd_sub - mom sub: print what comes. Nothing is acknowledged before it was printed and flushed: one by one with
 * --ack, else what came together. So whoever kills it, or the program that it prints to, loses nothing of a durable
 * client. */
#include "base/fdio.h"
#include "base/program.h"
#include "tools/mom/cmd_message.h"
#include <errno.h>
#include <math.h>
#include <mom.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { OPT_NAME = 256, OPT_ACK, OPT_FORGET, OPT_READY, TOGETHER = 64, TOGETHER_BYTES = 256 * 1024, END_MS = 2000 };

static struct {
	struct message_style style;
	char **topics;
	int topic_count;
	const char *name;
	int ack, forget, ready_fd;
	unsigned long long count, got;     /* count 0: no end */
	double seconds;                    /* below 0: no end */
	int64_t deadline;
	int failed;
	volatile sig_atomic_t ended;
	volatile int id;
} s = { .ready_fd = -1, .seconds = -1, .id = -1 };

static void
on_signal(int number)
{
	(void)number;
	s.ended = 1;
	if (s.id >= 0)
		mom_wake(s.id);
}

static int64_t
now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* -1: there is no going on without it */
static int
subscribe(void)
{
	for (int i = 0; i < s.topic_count && !s.ended; i++) {
		int r;
		do
			r = mom_subscribe(s.id, s.topics[i], 0);
		while (r == MOM_EAGAIN && !s.ended);   /* the one before is on its way still */
		if (r == 0 || r == MOM_EEXIST)
			continue;
		cmd_fail(&cmd_sub, "%s: %s", s.topics[i], mom_error_text(s.id));
		if (r != MOM_ETIMEDOUT)                /* it is on its way */
			return -1;
	}
	return 0;
}

static int
begin(void)
{
	s.id = s.name ? mom_open(s.name) : mom_create();
	if (s.id < 0)
		return cmd_fail(&cmd_sub, "%s", mom_error_text(-1));
	mom_set_option(s.id, MOM_OPT_MANUAL_ACK, 1);
	return subscribe() < 0 ? CMD_FAILED : CMD_OK;
}

/* A durable client keeps its place. What is on its way needs no waiting for. */
static void
end(void)
{
	int id = s.id;
	s.id = -1;
	if (id < 0)
		return;
	mom_set_option(id, MOM_OPT_TIMEOUT_MS, END_MS);
	int r = s.name ? mom_close(id) : mom_destroy(id);
	if (r < 0 && r != MOM_ETIMEDOUT && r != MOM_EBADID)
		s.failed = cmd_fail(&cmd_sub, "%s", mom_error_text(-1));
}

/* What was printed is out, so that it may be acknowledged. */
static void
out(void)
{
	if (program_flush() == 0) {
		mom_ack(s.id);
		return;
	}
	if (!s.ended)
		fprintf(stderr, "mom sub: %s; what was not printed is not acknowledged\n", program_output_fault());
	int stopped = s.ended;                         /* while it waited for room in a pipe */
	end();
	_exit(stopped ? CMD_OK : CMD_FAILED);
}

static void
take(const struct mom_message *m)
{
	static size_t waiting, bytes;
	if (m->flags & MOM_GAP) {
		fflush(stdout);
		fprintf(stderr, "mom sub: %.*s\n", (int)m->len, (const char *)m->data);
		if (subscribe() < 0)                   /* where the broker had forgotten it */
			s.failed = 1;
		return;
	}
	message_print(&s.style, m);
	s.got++;
	waiting++;
	bytes += m->len;
	if (s.ack || waiting == TOGETHER || bytes > TOGETHER_BYTES || ferror(stdout)) {
		out();
		waiting = bytes = 0;
	}
}

/* 0: it goes on */
static int
trouble(int r)
{
	if (r == MOM_EINTR || r == MOM_ETIMEDOUT)
		return 0;
	cmd_fail(&cmd_sub, "%s", mom_error_text(s.id));
	if (r == MOM_EFULL)
		return subscribe();
	if (r != MOM_EBADID)
		return -1;
	/* the broker forgot this client: a new one, or the same name anew */
	mom_close(s.id);
	s.id = -1;
	return begin() == CMD_OK ? 0 : -1;
}

static int
wait_ms(void)
{
	if (s.seconds < 0)
		return -1;
	int64_t left = s.deadline - now_ms();
	return left <= 0 ? 0 : left > 1000000000 ? 1000000000 : (int)left;
}

static void
receive(void)
{
	struct mom_message m;
	while (!s.ended && !s.failed && (s.count == 0 || s.got < s.count)) {
		int r = mom_receive(s.id, &m, 0);
		if (r == MOM_ETIMEDOUT) {              /* nothing more at once: who reads sees all so far */
			out();
			int ms = wait_ms();
			if (ms == 0)
				return;
			r = mom_receive(s.id, &m, ms);
		}
		if (r == 0)
			take(&m);
		else if (trouble(r) < 0)
			s.failed = 1;
	}
}

/* ---- the command ---- */

static int
forget(void)
{
	int id = mom_open(s.name);
	if (id < 0 || mom_destroy(id) < 0)
		return cmd_fail(&cmd_sub, "%s: %s", s.name, mom_error_text(-1));
	return CMD_OK;
}

static void
take_option(int o)
{
	if (message_option(&cmd_sub, &s.style, o, cmd_line.value))
		return;
	switch (o) {
	case 'C': s.count = cmd_number(&cmd_sub, "-C", cmd_line.value, 1, 1000000000000); break;
	case 'W': s.seconds = cmd_seconds(&cmd_sub, "-W", cmd_line.value); break;
	case OPT_NAME: s.name = cmd_line.value; break;
	case OPT_ACK: s.ack = 1; break;
	case OPT_FORGET: s.forget = 1; break;
	case OPT_READY: s.ready_fd = (int)cmd_number(&cmd_sub, "--ready-fd", cmd_line.value, 0, 1048576); break;
	}
}

static void
parse(int argc, char **argv)
{
	static const struct option options[] = { MESSAGE_LONGS, { "count", 1, 0, 'C' }, { "wait", 1, 0, 'W' },
	    { "name", 1, 0, OPT_NAME }, { "ack", 0, 0, OPT_ACK },
		{ "forget", 0, 0, OPT_FORGET }, { "ready-fd", 1, 0, OPT_READY }, { "help", 0, 0, 'h' }, { 0 } };
	for (int o; (o = cmd_option(&cmd_sub, argc, argv, MESSAGE_SHORTS "C:W:h", options)) != -1;)
		take_option(o);
	s.topics = cmd_line.word;
	s.topic_count = cmd_line.count;
	if (s.forget && (s.name == NULL || s.topic_count))
		cmd_wrong_use(&cmd_sub, "--forget goes with --name NAME, and without topics");
	if (s.topic_count == 0 && s.name == NULL)
		cmd_wrong_use(&cmd_sub, "which topics?");
	if (s.ack && s.name == NULL)
		cmd_wrong_use(&cmd_sub, "--ack goes with --name NAME: an anonymous client ends with this program");
}

static int
sub_run(int argc, char **argv)
{
	parse(argc, argv);
	if (s.forget)
		return forget();
	const char *fault = program_stream_fault(STDOUT_FILENO);
	if (fault)
		return cmd_fail(&cmd_sub, "%s: nothing of what comes could be printed, so nothing is asked for", fault);
	program_catch_end(on_signal);
	if (begin() != CMD_OK) {
		end();
		return CMD_FAILED;
	}
	if (s.ready_fd >= 0 && (fdio_write_full(s.ready_fd, "\n", 1) < 0))
		cmd_fail(&cmd_sub, "--ready-fd %d: %s", s.ready_fd, strerror(errno));
	s.deadline = now_ms() + (int64_t)(s.seconds * 1000);
	receive();
	if (s.id >= 0)
		out();
	end();
	if (s.failed)
		return CMD_FAILED;
	return s.ended || s.got >= (s.count ? s.count : 1) ? CMD_OK : CMD_NOTHING;
}

const struct cmd cmd_sub = { "sub", "subscribe and print what comes",
	"usage: mom sub TOPIC ... [options]\n"
	"Prints each payload and a newline, until Ctrl-C or TERM. What is missing (a gap, a cut for too large a "
	    "backlog) is told on stderr, and it goes on.\n"
	MESSAGE_USAGE
	"  -C, --count N      end after so many messages\n"
	"  -W, --wait SECONDS end after that time, such as 5 or 0.5\n"
	"  --name NAME        the durable client of that name: next time it goes on where it ended; its topics may be "
	"left out then\n"
	"  --ack              with --name: acknowledge each message on its own, once it was printed (else: those that "
	"came together)\n"
	"  --forget           with --name: destroy that client, with what waits for it\n"
	"  --ready-fd N       a byte is written there once all is subscribed\n"
	"Exit status: 0 done   1 error   2 wrong use   27 nothing, or fewer than -C, came within -W\n"
	"Example: mom sub -v plant/boiler news\n"
	"         mom sub -C 1 -W 5 -F '%I %t %p' news\n"
	"         mom sub --name billing --ack --json orders | ./bill\n", sub_run };
