/* cmd - what all commands of mom need: options, complaints, numbers, texts; see cmd.h */
#include "tools/mom/cmd.h"
#include "base/program.h"
#include "base/utf8.h"
#include "config/config_keys.h"
#include <errno.h>
#include <math.h>
#include <mom.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct arguments cmd_line;

static char waits[160];

static void
say_that_it_waits(int number)
{
	ssize_t told = write(STDERR_FILENO, waits, strlen(waits));
	(void)number, (void)told;
}

int
cmd_client(const struct cmd *c, const char *name)
{
	struct sigaction say = { .sa_handler = say_that_it_waits, .sa_flags = SA_RESTART }, before;
	snprintf(waits, sizeof waits, "mom %s: waits for mom_daemon, or for the broker behind it; see mom doctor\n",
	    c->name);
	sigaction(SIGALRM, &say, &before);
	alarm(1);
	int id = name ? mom_open(name) : mom_create();
	alarm(0);
	sigaction(SIGALRM, &before, NULL);
	return id;
}

const struct config *
cmd_client_config(const char **why)
{
	static struct config c;
	static int loaded;                             /* 1: as it should be, -1: not */
	if (loaded == 0) {
		config_begin(&c, &config_client);
		loaded = config_load(&c) == 0 ? 1 : -1;
	}
	*why = loaded > 0 ? NULL : c.error;
	return loaded > 0 ? &c : NULL;
}

const char *
cmd_client_run(void)
{
	const char *why, *run = getenv("MOM_RUN");
	const struct config *c = cmd_client_config(&why);
	if (c)
		run = config_text(c, CLIENT_RUN);
	return run && run[0] ? run : NULL;
}

int
cmd_end(const struct cmd *c, int status)
{
	char who[40];
	snprintf(who, sizeof who, "mom %s", c->name);
	return program_end(who, status, CMD_FAILED);
}

/* mosquitto's -h is its broker's host; help for somebody who wants to publish would look like success. */
static int
is_host(const struct cmd *c, int argc, char **argv)
{
	int others = argc > 2 && (strcmp(c->name, "pub") == 0 || strcmp(c->name, "sub") == 0);
	for (int i = 1; others && i < argc; i++)
		others = strcmp(argv[i], "--help") != 0;
	return others;
}

int
cmd_option(const struct cmd *c, int argc, char **argv, const char *shorts, const struct option *longs)
{
	if (cmd_line.word == NULL)
		arguments_begin(&cmd_line, argc, argv, shorts, longs);
	int o = arguments_next(&cmd_line);
	if (o == 'h' && is_host(c, argc, argv))
		cmd_not_here(c, 'h');
	if (o == 'h') {
		fputs(c->usage, stdout);
		exit(cmd_end(c, CMD_OK));
	}
	if (o == '?')
		cmd_wrong_use(c, "%s", cmd_line.fault);
	return o;
}

void
cmd_wrong_use(const struct cmd *c, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	fprintf(stderr, "mom %s: ", c->name);
	vfprintf(stderr, format, ap);
	fprintf(stderr, "; see mom %s --help\n", c->name);
	va_end(ap);
	exit(CMD_USAGE);
}

void
cmd_not_here(const struct cmd *c, int option)
{
	if (option == 'r')
		cmd_wrong_use(c, "-r: nothing is retained for whoever comes later; a durable client (mom sub --name "
		    "NAME) gets what came while it was away");
	if (option == 'i')
		cmd_wrong_use(c, "-i: there are no client ids to choose; a durable client has a name: mom sub --name "
		    "NAME");
	cmd_wrong_use(c, "-%c: programs go through the daemon of their machine, which knows its broker; MOM_RUN names "
	    "another daemon's run folder", option);
}

int
cmd_fail(const struct cmd *c, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	fflush(stdout);
	fprintf(stderr, "mom %s: ", c->name);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	return CMD_FAILED;
}

unsigned long long
cmd_number(const struct cmd *c, const char *option, const char *text, unsigned long long least, unsigned long long most)
{
	char *end;
	errno = 0;
	unsigned long long v = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno || v < least || v > most)
		cmd_wrong_use(c, "%s takes a number from %llu to %llu, not %s", option, least, most, text);
	return v;
}

double
cmd_time(const struct cmd *c, const char *option, const char *text, double most)
{
	char *end;
	double v = strtod(text, &end), unit = *end ? (double)config_time_unit(end) / 1000 : 1;
	if (end == text || unit == 0 || !isfinite(v) || v < 0 || v * unit > most)
		cmd_wrong_use(c, "%s takes seconds, such as 5 or 0.25, or a time with its unit, such as 500ms, 10m or "
		    "7d, not %s", option, text);
	return v * unit;
}

double
cmd_seconds(const struct cmd *c, const char *option, const char *text)
{
	return cmd_time(c, option, text, 2000000);
}

int
cmd_is_utf8(const void *text, size_t n)
{
	size_t len = 1;
	uint32_t code;
	for (size_t i = 0; i < n && len; i += len)
		len = utf8_decode((const char *)text + i, n - i, &code);
	return len != 0;
}

void
cmd_json_string(const void *text, size_t n)
{
	char json[UTF8_JSON];
	putchar('"');
	for (size_t i = 0; i < n;) {
		i += utf8_json((const char *)text + i, n - i, json);
		fputs(json, stdout);
	}
	putchar('"');
}
