/* cmd_sub - mom sub: print what comes. Nothing is acknowledged before it was printed and flushed: one by one with
 * --ack, else what came together. So whoever kills it, or the program that it prints to, loses nothing of a durable
 * client. */
#include "base/clock.h"
#include "base/fdio.h"
#include "base/program.h"
#include "config/config_keys.h"
#include "tools/mom/cmd_look.h"
#include "tools/mom/cmd_message.h"
#include <errno.h>
#include <math.h>
#include <mom.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { OPT_NAME = 256, OPT_ACK, OPT_FORGET, OPT_READY, OPT_ALL, OPT_GROUP, OPT_PREFETCH, TOGETHER = 64,
    TOGETHER_BYTES = 256 * 1024,
    END_MS = 2000, ENDED_MS = 5000, LOOK_MS = 1000 };

static struct {
	struct message_style style;
	char **topics, **left;             /* left: unsubscribed from */
	int topic_count, left_count;
	const char *name, *group;
	unsigned long long prefetch;
	int ack, forget, ready_fd;
	unsigned long long count, got;     /* count 0: no end */
	double seconds;                    /* below 0: no end */
	int64_t deadline;
	int failed;
	volatile sig_atomic_t begun, ended;      /* begun: all is subscribed */
	volatile int id;
} sub = { .ready_fd = -1, .prefetch = 1, .seconds = -1, .id = -1 };

static void
on_signal(int number)
{
	(void)number;
	if (!sub.begun)                    /* it waits for a broker: nothing came yet */
		_exit(CMD_OK);
	sub.ended = 1;
	if (sub.id >= 0)
		mom_wake(sub.id);
}

static int64_t
now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int
unsubscribe(void)
{
	for (int i = 0; i < sub.left_count; i++) {
		int r = mom_unsubscribe(sub.id, sub.left[i]);
		if (r < 0 && r != MOM_ENOTSUB)
			return cmd_fail(&cmd_sub, "%s: %s", sub.left[i], mom_error_text(sub.id));
		if (r == MOM_ENOTSUB)                  /* as it shall be: it may be said again */
			fprintf(stderr, "mom sub: %s was not subscribed to %s\n", sub.name, sub.left[i]);
	}
	return CMD_OK;
}

/* -1: there is no going on without it */
static int
subscribe(void)
{
	for (int i = 0; (i < sub.topic_count || (sub.group && i == 0)) && !sub.ended; i++) {
		int r;
		do
			r = sub.group ? mom_join(sub.id, sub.group, sub.topic_count ? sub.topics[i] : NULL, 0)
			    : mom_subscribe(sub.id, sub.topics[i], 0);
		while (r == MOM_EAGAIN && !sub.ended);   /* the one before is on its way still */
		if (r == 0 || (r == MOM_EEXIST && !sub.group))
			continue;
		if (r == MOM_EFULL && strstr(mom_error_text(sub.id), "was cut"))
			return 0;                      /* what waits for it comes first, then it is told of the cut */
		cmd_fail(&cmd_sub, "%s: %s", sub.topic_count ? sub.topics[i] : sub.group, mom_error_text(sub.id));
		if (r != MOM_ETIMEDOUT)                /* it is on its way */
			return -1;
	}
	return 0;
}

static int
begin(void)
{
	sub.id = cmd_client(&cmd_sub, sub.name);
	if (sub.id < 0)
		return cmd_fail(&cmd_sub, "%s", mom_error_text(-1));
	mom_set_option(sub.id, MOM_OPT_MANUAL_ACK, 1);
	mom_set_option(sub.id, MOM_OPT_PREFETCH, (long)sub.prefetch);
	if (unsubscribe() != CMD_OK)
		return CMD_FAILED;
	if (subscribe() < 0)
		return CMD_FAILED;
	sub.begun = 1;
	return CMD_OK;
}

/* -W counts for what is waited for before the first message, too. */
static void
bound_timeout(void)
{
	char text[40];
	const char *why;
	const struct config *c = cmd_client_config(&why);
	double least = sub.seconds < 1 ? 1 : sub.seconds;
	if (sub.seconds < 0 || c == NULL || (config_number(c, CLIENT_TIMEOUT) != CONFIG_NO_END &&
	    (double)config_number(c, CLIENT_TIMEOUT) <= least * 1000))
		return;
	snprintf(text, sizeof text, "%ldms", (long)(least * 1000));
	setenv("MOM_TIMEOUT", text, 1);
}

/* A durable client keeps its place. What is on its way needs no waiting for. */
static void
end(void)
{
	int id = sub.id;
	sub.id = -1;
	if (id < 0)
		return;
	mom_set_option(id, MOM_OPT_TIMEOUT_MS, END_MS);
	int r = sub.name ? mom_close(id) : mom_destroy(id);
	if (r < 0 && r != MOM_ETIMEDOUT && r != MOM_EBADID)
		sub.failed = cmd_fail(&cmd_sub, "%s", mom_error_text(-1));
}

/* What was printed is out, so that it may be acknowledged. */
static void
out(void)
{
	if (program_flush() == 0) {
		mom_ack(sub.id);
		return;
	}
	if (!sub.ended)
		fprintf(stderr, "mom sub: %s; what was not printed is not acknowledged\n", program_output_fault());
	int stopped = sub.ended;                         /* while it waited for room in a pipe */
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
			sub.failed = 1;
		return;
	}
	message_print(&sub.style, m);
	sub.got++;
	waiting++;
	bytes += m->len;
	if (sub.ack || waiting == TOGETHER || bytes > TOGETHER_BYTES || ferror(stdout)) {
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
	if (r == MOM_EFULL && (sub.topic_count || sub.group)) {
		fprintf(stderr, "mom sub: messages are lost here: too many waited for this client, or were not "
		    "acknowledged (mom_daemon's --client-backlog-max, or its spool's disk is full); it is subscribed "
		    "anew\n");
		return subscribe();
	}
	cmd_fail(&cmd_sub, "%s%s", mom_error_text(sub.id), r == MOM_EFULL ? ": name its topics" : "");
	if (r != MOM_EBADID)
		return -1;
	/* the broker forgot this client: a new one, or the same name anew */
	mom_close(sub.id);
	sub.id = -1;
	return begin() == CMD_OK ? 0 : -1;
}

/* Not for ever: whoever read the output may go. */
static int
wait_ms(void)
{
	int64_t left = sub.seconds < 0 ? LOOK_MS : sub.deadline - now_ms();
	return left <= 0 ? 0 : left > LOOK_MS ? LOOK_MS : (int)left;
}

static int
reader_has_gone(void)
{
	struct pollfd p = { STDOUT_FILENO, 0, 0 };
	return poll(&p, 1, 0) == 1 && p.revents & POLLERR;
}

static void
receive(void)
{
	struct mom_message m;
	while (!sub.ended && !sub.failed && (sub.count == 0 || sub.got < sub.count)) {
		int r = mom_receive(sub.id, &m, 0);
		if (r == MOM_ETIMEDOUT) {              /* nothing more at once: who reads sees all so far */
			out();
			int ms = wait_ms();
			if (ms == 0)
				return;
			r = mom_receive(sub.id, &m, ms);
			if (r == MOM_ETIMEDOUT && reader_has_gone()) {
				sub.failed = cmd_fail(&cmd_sub, "who read its output has gone");
				return;
			}
		}
		if (r == 0)
			take(&m);
		else if (trouble(r) < 0)
			sub.failed = 1;
	}
}

/* ---- the command ---- */

/* That durable client of ours: UNSEEN: no daemon's clients can be seen. ENDED: its process is gone, and the daemon has
 * not seen yet whether it closed or destroyed the client. */
enum known { UNKNOWN, KNOWN, UNSEEN, ENDED };

static enum known
known_now(const char *name)
{
	struct look *l = look_all(cmd_client_run(), NULL);
	struct look_client c;
	enum known found = UNSEEN;
	for (size_t i = 0; l && i < l->count; i++) {
		found = found == UNSEEN && l->server[i].machine ? UNKNOWN : found;
		for (uint32_t k = 0; look_client(&l->server[i], k, &c) >= 0; k++)
			if ((c.state == SLOT_AWAY || c.state == SLOT_LIVE) && c.uid == geteuid() &&
			    strcmp(c.name, name) == 0)
				found = c.state == SLOT_AWAY || process_runs(c.pid) ? KNOWN : ENDED;
	}
	look_free(l);
	return found;
}

/* mom_open would make one */
static int
is_known(const char *name)
{
	enum known known;
	int64_t until = clock_ms() + ENDED_MS;
	while ((known = known_now(name)) == ENDED && clock_ms() < until)
		usleep(100000);
	return known != UNKNOWN;
}

static int
forget(void)
{
	if (!is_known(sub.name))
		return cmd_fail(&cmd_sub, "%s: no durable client of this user has that name: see mom clients",
		    sub.name);
	int id = mom_open(sub.name);
	if (id < 0 || mom_destroy(id) < 0)
		return cmd_fail(&cmd_sub, "%s: %s", sub.name, mom_error_text(-1));
	return CMD_OK;
}

static void
take_option(int o)
{
	if (message_option(&cmd_sub, &sub.style, o, cmd_line.value))
		return;
	switch (o) {
	case 'C': sub.count = cmd_number(&cmd_sub, "-C", cmd_line.value, 1, 1000000000000); break;
	case 'W': sub.seconds = cmd_seconds(&cmd_sub, "-W", cmd_line.value); break;
	case 't': sub.topics[sub.topic_count++] = cmd_line.value; break;
	case 'U': sub.left[sub.left_count++] = cmd_line.value; break;
	case 'q': cmd_number(&cmd_sub, "-q", cmd_line.value, 0, 2); break;         /* the publisher says how */
	case 'i': case 'p': cmd_not_here(&cmd_sub, o);
	case OPT_NAME: sub.name = cmd_line.value; break;
	case OPT_GROUP: sub.group = cmd_line.value; break;
	case OPT_PREFETCH: sub.prefetch = cmd_number(&cmd_sub, "--prefetch", cmd_line.value, 1, 10000); break;
	case OPT_ALL: sub.topics[sub.topic_count++] = (char *)(uintptr_t)"#"; break;
	case OPT_ACK: sub.ack = 1; break;
	case OPT_FORGET: sub.forget = 1; break;
	case OPT_READY: sub.ready_fd = (int)cmd_number(&cmd_sub, "--ready-fd", cmd_line.value, 0, 1048576); break;
	}
}

static void
parse(int argc, char **argv)
{
	static const struct option options[] = { MESSAGE_LONGS, { "count", 1, 0, 'C' }, { "wait", 1, 0, 'W' },
	    { "unsubscribe", 1, 0, 'U' },
	    { "group", 1, 0, OPT_GROUP }, { "prefetch", 1, 0, OPT_PREFETCH },
	    { "name", 1, 0, OPT_NAME }, { "ack", 0, 0, OPT_ACK }, { "all", 0, 0, OPT_ALL },
		{ "forget", 0, 0, OPT_FORGET }, { "ready-fd", 1, 0, OPT_READY }, { "help", 0, 0, 'h' }, { 0 } };
	sub.topics = calloc((size_t)argc + 1, sizeof *sub.topics);
	sub.left = calloc((size_t)argc + 1, sizeof *sub.left);
	if (sub.topics == NULL || sub.left == NULL)
		exit(cmd_fail(&cmd_sub, "no memory for %d topics", argc));
	for (int o; (o = cmd_option(&cmd_sub, argc, argv, MESSAGE_SHORTS "C:W:t:U:q:i:p:h", options)) != -1;)
		take_option(o);
	for (char *topic; (topic = arguments_take(&cmd_line)) != NULL;)
		sub.topics[sub.topic_count++] = topic;
	if (sub.forget && (sub.name == NULL || sub.topic_count))
		cmd_wrong_use(&cmd_sub, "--forget goes with --name NAME, and without topics");
	if (sub.topic_count == 0 && sub.name == NULL && sub.group == NULL)
		cmd_wrong_use(&cmd_sub, "which topics? (quote a pattern such as '#')");
	if (sub.left_count && sub.name == NULL)
		cmd_wrong_use(&cmd_sub, "-U goes with --name NAME: an anonymous client has no subscriptions yet");
	if (sub.ack && sub.name == NULL)
		cmd_wrong_use(&cmd_sub, "--ack goes with --name NAME: an anonymous client ends with this program");
}

static int
sub_run(int argc, char **argv)
{
	parse(argc, argv);
	if (sub.forget)
		return forget();
	const char *fault = program_stream_fault(STDOUT_FILENO);
	if (fault)
		return cmd_fail(&cmd_sub, "%s: nothing of what comes could be printed, so nothing is asked for", fault);
	if (sub.topic_count == 0 && sub.group == NULL && !is_known(sub.name))
		return cmd_fail(&cmd_sub, "%s: no durable client of this user has that name: name topics to make it, "
		    "or see mom clients", sub.name);
	bound_timeout();
	program_catch_end(on_signal);
	if (begin() != CMD_OK) {
		end();
		return CMD_FAILED;
	}
	if (sub.ready_fd >= 0 && (fdio_write_full(sub.ready_fd, "\n", 1) < 0))
		cmd_fail(&cmd_sub, "--ready-fd %d: %s", sub.ready_fd, strerror(errno));
	sub.deadline = now_ms() + (int64_t)(sub.seconds * 1000);
	if (sub.left_count && sub.topic_count == 0 && sub.seconds < 0 && sub.count == 0)
		sub.ended = 1;                         /* that was all that was asked for */
	receive();
	if (sub.id >= 0)
		out();
	end();
	if (sub.failed)
		return CMD_FAILED;
	return sub.ended || sub.got >= (sub.count ? sub.count : 1) ? CMD_OK : CMD_NOTHING;
}

const struct cmd cmd_sub = { "sub", "subscribe and print what comes",
	"usage: mom sub TOPIC ... [options]\n"
	"Prints each payload and a newline, until Ctrl-C or TERM. What is missing (a gap, a cut for too large a "
	    "backlog) is told on stderr, and it goes on.\n"
	"A TOPIC may be a pattern, in quotes: + or * stands for one level, # for any number of levels, > at the end "
	"for one or more.\n"
	MESSAGE_USAGE
	"  -C, --count N      end after so many messages\n"
	"  -W, --wait SECONDS end after that time, such as 5 or 0.5\n"
	"  -U, --unsubscribe TOPIC   with --name: end this subscription first; what waits of it is dropped, unless the "
	"client ever had\n                     a pattern. TOPICs of later calls are added\n"
	"  --all              all topics: the same as '#'\n"
	"  --name NAME        the durable client of that name: next time it goes on where it ended; its topics may be "
	"left out then\n"
	"  --ack              with --name: acknowledge each message on its own, once it was printed (else: those that "
	"came together)\n"
	"  --forget           with --name: destroy that client, with what waits for it\n"
	"  --group NAME       share the messages of this group with its other members: each goes to one of them; "
	"TOPICs are bound to it\n"
	"  --prefetch N       with --group: so many messages come at a time (1)\n"
	"  --ready-fd N       a byte is written there once all is subscribed\n"
	"  -t TOPIC           the same as TOPIC\n"
	"Exit status: 0 done   1 error   2 wrong use   27 nothing, or fewer than -C, came within -W\n"
	"Example: mom sub -v plant/boiler news\n"
	"         mom sub -v 'plant/+/temp'\n"
	"         mom sub -C 1 -W 5 -F '%I %t %p' news\n"
	"         mom sub --name billing --ack --json orders | ./bill\n", sub_run };
