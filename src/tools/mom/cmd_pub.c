/* cmd_pub - mom pub: publish a text, a file, standard input as one message or a line at a time. What is more than one
 * message is sent without waiting for each answer; mom_flush tells what became of them before anybody waits for more
 * input, and at the end. */
#include "config/config_keys.h"
#include "base/fdio.h"
#include "base/program.h"
#include "tools/mom/cmd.h"
#include <errno.h>
#include <fcntl.h>
#include <mom.h>
#include "format/limits.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { OPT_FAST = 256, OPT_ASYNC, OPT_COUNT, OPT_INTERVAL, OPT_TIMEOUT, OPT_NEED, OPT_TTL, OPT_KEY, OPT_REPLY,
    OPT_CORRELATION, OPT_TYPE, READ_BYTES = 64 * 1024 };

static struct {
	const char *topic, *text, *file;
	int lines, whole, empty, verbose, many;
	unsigned flags;
	unsigned long long count;
	double interval;
	int timeout_ms;                    /* as client.conf or --timeout says; -1: for ever */
	int id, failures;
	unsigned long long sent;
	int stopped;                       /* nothing more can be sent */
	int left;                          /* on their way, and waited for in vain */
	struct mom_properties properties;
	struct mom_header *headers;
} pub = { .count = 1, .id = -1, .properties = MOM_PROPERTIES_INIT };

/* What the broker said of those on their way; waits for all of them. */
static void
settle(void)
{
	int r;
	while ((r = mom_flush(pub.id, pub.timeout_ms)) == MOM_EINTR)
		;
	if (r == 0)
		return;
	pub.failures++;
	pub.left = r == MOM_ETIMEDOUT;
	pub.stopped |= r != MOM_EFULL && r != MOM_ELOST;
	cmd_fail(&cmd_pub, r == MOM_ETIMEDOUT ? "%s: the broker is away; they are stored when it is back: do not "
	    "publish them again" : "%s", mom_error_text(pub.id));
}

static void
pause_between(void)
{
	time_t whole = (time_t)pub.interval;
	struct timespec left = { whole, (long)((pub.interval - (double)whole) * 1e9) };
	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static void
publish(const void *data, size_t n)
{
	if (pub.sent && pub.interval > 0)
		pause_between();
	int r = mom_publish_with(pub.id, pub.topic, data, n, pub.flags | (pub.many && pub.interval == 0 ? MOM_ASYNC
	    : 0), &pub.properties);
	if (r == 0) {
		pub.sent++;
		if (pub.verbose)
			fprintf(stderr, "mom pub: %zu bytes to %s\n", n, pub.topic);
		return;
	}
	pub.failures++;
	pub.stopped |= r != MOM_EFULL && r != MOM_ELOST && r != MOM_ETOOBIG && r != MOM_ENOSUBSCRIBER;
	cmd_fail(&cmd_pub, "message %llu (%zu bytes): %s", pub.sent + 1, n, mom_error_text(pub.id));
}

/* ---- where payloads come from ---- */

/* A file to its end; one byte more than fits is enough to be told so. */
static char *
read_whole(int fd, const char *name, size_t *n)
{
	char *bytes = NULL;
	size_t room = 0;
	*n = 0;
	for (;;) {
		if (*n == room && (bytes = realloc(bytes, room = room ? room * 2 : READ_BYTES)) == NULL)
			exit(cmd_fail(&cmd_pub, "%s: no memory for %zu bytes", name, room));
		ssize_t r = fdio_read(fd, bytes + *n, room - *n);
		if (r < 0)
			exit(cmd_fail(&cmd_pub, "%s: %s", name, strerror(errno)));
		*n += (size_t)r;
		if (r == 0)
			return bytes;
		if (*n > MESSAGE_LIMIT)
			exit(cmd_fail(&cmd_pub, "%s: more than %d bytes, which no broker takes: send it in pieces, or "
			    "its name", name, MESSAGE_LIMIT));
	}
}

/* Before waiting for input: whoever types sees at once what failed. */
static ssize_t
read_some(char *bytes, size_t n)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	if (poll(&in, 1, 0) == 0)
		settle();
	return pub.stopped ? 0 : fdio_read(STDIN_FILENO, bytes, n);
}

static void
publish_lines(void)
{
	char *bytes = NULL, *end;
	size_t n = 0, room = 0;
	while (!pub.stopped) {
		if (room - n < READ_BYTES && (bytes = realloc(bytes, room = room * 2 + READ_BYTES)) == NULL)
			exit(cmd_fail(&cmd_pub, "no memory for a line of %zu bytes", n));
		ssize_t r = read_some(bytes + n, room - n);
		if (r < 0)
			exit(cmd_fail(&cmd_pub, "standard input: %s", strerror(errno)));
		if (r == 0)
			break;
		char *line = bytes, *fresh = bytes + n;
		n += (size_t)r;
		for (; !pub.stopped && (end = memchr(fresh, '\n', (size_t)(bytes + n - fresh))) != NULL;
		    line = fresh = end + 1)
			publish(line, (size_t)(end - line));
		n -= (size_t)(line - bytes);
		memmove(bytes, line, n);
		if (n > MESSAGE_LIMIT)
			exit(cmd_fail(&cmd_pub, "a line of more than %d bytes, which no broker takes; messages before "
			    "it are sent", MESSAGE_LIMIT));
	}
	if (n && !pub.stopped)                           /* the last one without its newline */
		publish(bytes, n);
	free(bytes);
}

static void
publish_one(void)
{
	size_t n = pub.text ? strlen(pub.text) : 0;
	char *bytes = NULL;
	if (pub.file || pub.whole) {
		int fd = pub.whole || strcmp(pub.file, "-") == 0 ? STDIN_FILENO : open(pub.file, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			exit(cmd_fail(&cmd_pub, "%s: %s", pub.file, strerror(errno)));
		bytes = read_whole(fd, pub.file ? pub.file : "standard input", &n);
	}
	for (unsigned long long i = 0; i < pub.count && !pub.stopped; i++)
		publish(bytes ? bytes : pub.text, n);
	free(bytes);
}

/* ---- the command ---- */

/* As the environment says it to libmom, for whom it counts from the first call on. */
static void
set_timeout(double seconds)
{
	char text[40] = "forever";
	if (seconds > 0)
		snprintf(text, sizeof text, "%ldms", seconds < 0.001 ? 1 : (long)(seconds * 1000));
	if (setenv("MOM_TIMEOUT", text, 1) < 0)
		exit(cmd_fail(&cmd_pub, "--timeout: %s", strerror(errno)));
}

static int
timeout_ms(void)
{
	const char *why;
	const struct config *c = cmd_client_config(&why);
	if (c == NULL)
		exit(cmd_fail(&cmd_pub, "%s", why));
	uint64_t ms = config_number(c, CLIENT_TIMEOUT);
	return ms == CONFIG_NO_END ? -1 : (int)ms;
}

/* NAME=VALUE */
static void
take_header(const char *text)
{
	const char *value = strchr(text, '=');
	size_t n = pub.properties.header_count;
	if (value == NULL || value == text)
		cmd_wrong_use(&cmd_pub, "-H takes NAME=VALUE, not %s", text);
	pub.headers = realloc(pub.headers, (n + 1) * sizeof *pub.headers);
	char *name = strndup(text, (size_t)(value - text));
	if (pub.headers == NULL || name == NULL)
		exit(cmd_fail(&cmd_pub, "no memory"));
	pub.headers[n] = (struct mom_header){ name, value + 1 };
	pub.properties.headers = pub.headers;
	pub.properties.header_count = n + 1;
}

static void
take_ttl(const char *text)
{
	double seconds = cmd_time(&cmd_pub, "--ttl", text, (double)MOM_TTL_MAX / 1000);
	pub.properties.ttl_ms = (int64_t)(seconds * 1000);
	if (pub.properties.ttl_ms == 0)
		cmd_wrong_use(&cmd_pub, "--ttl is at least 1ms; without it the message lives for ever");
}

/* Properties of the message. 0: it is none of them. */
static int
take_property(int o)
{
	switch (o) {
	case 'H': take_header(cmd_line.value); return 1;
	case OPT_TTL: take_ttl(cmd_line.value); return 1;
	case OPT_KEY: pub.properties.key = cmd_line.value; return 1;
	case OPT_REPLY: pub.properties.reply_to = cmd_line.value; return 1;
	case OPT_TYPE: pub.properties.content_type = cmd_line.value; return 1;
	case OPT_CORRELATION:
		pub.properties.correlation = cmd_line.value;
		pub.properties.correlation_len = strlen(cmd_line.value);
		return 1;
	default: return 0;
	}
}

static void
take_option(int o)
{
	if (take_property(o))
		return;
	switch (o) {
	case 'f': pub.file = cmd_line.value; break;
	case 'l': pub.lines = 1; break;
	case 's': pub.whole = 1; break;
	case 'n': pub.empty = 1; break;
	case 'v': pub.verbose = 1; break;
	case 't': pub.topic = cmd_line.value; break;
	case 'm': pub.text = cmd_line.value; break;
	case 'q': pub.flags |= cmd_number(&cmd_pub, "-q", cmd_line.value, 0, 2) == 0 ? MOM_FAST : 0; break;
	case 'i': case 'p': case 'r': cmd_not_here(&cmd_pub, o);
	case OPT_FAST: pub.flags |= MOM_FAST; break;
	case OPT_ASYNC: pub.many = 1; break;
	case OPT_COUNT: pub.count = cmd_number(&cmd_pub, "--count", cmd_line.value, 1, 1000000000000); break;
	case OPT_INTERVAL: pub.interval = cmd_seconds(&cmd_pub, "--interval", cmd_line.value); break;
	case OPT_TIMEOUT: set_timeout(cmd_seconds(&cmd_pub, "--timeout", cmd_line.value)); break;
	case OPT_NEED: pub.flags |= MOM_NEED_SUBSCRIBER; break;
	}
}

static void
parse(int argc, char **argv)
{
	static const struct option options[] = { { "file", 1, 0, 'f' }, { "lines", 0, 0, 'l' }, { "stdin", 0, 0, 's' },
	    { "empty", 0, 0, 'n' }, { "fast", 0, 0, OPT_FAST },
		{ "async", 0, 0, OPT_ASYNC }, { "count", 1, 0, OPT_COUNT }, { "interval", 1, 0, OPT_INTERVAL },
		    { "timeout", 1, 0, OPT_TIMEOUT }, { "need-subscriber", 0, 0, OPT_NEED },
		{ "ttl", 1, 0, OPT_TTL }, { "key", 1, 0, OPT_KEY }, { "reply-to", 1, 0, OPT_REPLY },
		{ "correlation", 1, 0, OPT_CORRELATION }, { "content-type", 1, 0, OPT_TYPE }, { "header", 1, 0, 'H' },
		{ "verbose", 0, 0, 'v' }, { "help", 0, 0, 'h' }, { 0 } };
	for (int o; (o = cmd_option(&cmd_pub, argc, argv, "f:lsnvt:m:q:i:p:rH:h", options)) != -1;)
		take_option(o);
	if (pub.topic == NULL && (pub.topic = arguments_take(&cmd_line)) == NULL)
		cmd_wrong_use(&cmd_pub, "which topic?");
	if (pub.text == NULL)
		pub.text = arguments_take(&cmd_line);
	if (cmd_line.count)
		cmd_wrong_use(&cmd_pub, "%s is one argument too many: quote a text with spaces", cmd_line.word[0]);
	int sources = (pub.text != NULL) + (pub.file != NULL) + pub.lines + pub.whole + pub.empty;
	if (sources != 1)
		cmd_wrong_use(&cmd_pub, sources ? "only one of TEXT, -f, -l, -s and -n"
		    : "what? A TEXT, or one of -f FILE, -l, -s and -n");
	if (pub.lines && pub.count > 1)
		cmd_wrong_use(&cmd_pub, "--count goes with one message, not with -l");
	pub.many |= pub.lines || pub.count > 1;
	if (pub.flags & MOM_NEED_SUBSCRIBER)             /* a refusal would cover what is published behind it */
		pub.many = 0;
}

static int
pub_run(int argc, char **argv)
{
	parse(argc, argv);
	const char *fault =
	    pub.lines || pub.whole || (pub.file && strcmp(pub.file, "-") == 0) ? program_stream_fault(STDIN_FILENO)
	    : NULL;
	if (fault)
		return cmd_fail(&cmd_pub, "%s: there is nothing to publish", fault);
	pub.timeout_ms = timeout_ms();
	pub.id = cmd_client(&cmd_pub, NULL);
	if (pub.id < 0)
		return cmd_fail(&cmd_pub, "%s", mom_error_text(-1));
	if (pub.lines)
		publish_lines();
	else
		publish_one();
	if (!pub.left && (!pub.stopped || pub.many))
		settle();
	mom_set_option(pub.id, MOM_OPT_TIMEOUT_MS, 1000);        /* all was told of what was published */
	int r = mom_destroy(pub.id);
	if (r < 0 && r != MOM_ETIMEDOUT && pub.failures == 0)
		return cmd_fail(&cmd_pub, "%s", mom_error_text(-1));
	return pub.failures ? CMD_FAILED : CMD_OK;
}

const struct cmd cmd_pub = { "pub", "publish: a text, a file, standard input, a line at a time",
	"usage: mom pub TOPIC TEXT | -f FILE | -l | -s | -n  [options]\n"
	"Publishes and returns once it is on the broker's disk. A TEXT that begins with - and is no number goes behind "
	"--.\n"
	"  -f, --file FILE    the file is the message (-: standard input)\n"
	"  -l, --lines        each line of standard input is a message, without its newline\n"
	"  -s, --stdin        all of standard input is one message\n"
	"  -n, --empty        a message without payload\n"
	"  --count N          the message so many times\n"
	"  --interval SECONDS between messages, such as 0.5\n"
	"  --fast             return once the broker has written it: survives the death of any process, not a power "
	"cut\n"
	"  --async            do not wait for each answer (-l and --count do so too, without --interval): at the end "
	"all are waited for\n"
	"  --ttl TIME         nobody gets the message once it is so old: 10s, 500ms, 7d\n"
	"  -H, --header NAME=VALUE  a header that the message carries; as many as wanted\n"
	"  --reply-to TOPIC   where an answer is awaited; the message carries this, as it carries\n"
	"  --correlation TEXT what the answer repeats,\n"
	"  --content-type TEXT  of what kind its payload is,\n"
	"  --key KEY          and what it is about\n"
	"  --need-subscriber  refuse a message to a topic that nobody subscribes to by its name; each is waited for\n"
	"  --timeout SECONDS  wait so long for a broker that is away (as client.conf says, else 30; 0: for ever)\n"
	"  -v, --verbose      a line on stderr for each\n"
	"  -t TOPIC           the same as TOPIC\n"
	"  -m TEXT            the same as TEXT\n"
	"  -q 0|1|2           0: as --fast; 1 and 2: as without it\n"
	"Exit status: 0 all are stored   1 one is not, stderr says why   2 wrong use\n"
	"Example: mom pub plant/boiler -87.5\n"
	"         mom pub plant/boiler -- '-- off --'\n"
	"         mom pub --ttl 1m -H unit=C plant/boiler 87.5\n"
	"         tail -f /var/log/messages | mom pub -l log\n",
	pub_run };
