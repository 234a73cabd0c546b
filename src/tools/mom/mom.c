/* mom - one command line tool: publish, subscribe, look inside
 * USAGE    mom COMMAND [ARGUMENT ...]; mom help lists the commands, mom COMMAND --help tells of one
 * OUTPUT   what was asked for on stdout; complaints and progress on stderr
 * EXIT     0 ok   1 error   2 wrong use   27 nothing came in time */
#include "base/program.h"
#include "tools/mom/cmd.h"
#include "base/utf8.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct cmd *const cmds[] = {
	&cmd_pub, &cmd_sub, &cmd_peek, &cmd_backup, &cmd_check, &cmd_bench, &cmd_shell,
	&cmd_topics, &cmd_clients, &cmd_machines, &cmd_stats, &cmd_top, &cmd_ipc, &cmd_limits, &cmd_doctor,
	&cmd_config,
	&cmd_help,
	NULL
};

static const struct cmd *
find(const char *name)
{
	for (size_t i = 0; cmds[i]; i++)
		if (strcmp(cmds[i]->name, name) == 0)
			return cmds[i];
	return NULL;
}

struct arguments cmd_line;

/* Its exit status, unless what it printed could not be written. */
static int
cmd_end(const struct cmd *c, int status)
{
	char who[40];
	snprintf(who, sizeof who, "mom %s", c->name);
	return program_end(who, status, CMD_FAILED);
}

int
cmd_option(const struct cmd *c, int argc, char **argv, const char *shorts, const struct option *longs)
{
	if (cmd_line.word == NULL)
		arguments_begin(&cmd_line, argc, argv, shorts, longs);
	int o = arguments_next(&cmd_line);
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
cmd_seconds(const struct cmd *c, const char *option, const char *text)
{
	char *end;
	double v = strtod(text, &end);
	if (*text == '\0' || *end != '\0' || !isfinite(v) || v < 0 || v > 2000000)
		cmd_wrong_use(c, "%s takes seconds, such as 5 or 0.25, not %s", option, text);
	return v;
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

static int
help_run(int argc, char **argv)
{
	const struct cmd *c = argc > 1 ? find(argv[1]) : NULL;
	if (c) {
		fputs(c->usage, stdout);
		return CMD_OK;
	}
	if (argc > 1)
		cmd_wrong_use(&cmd_help, "there is no command %s", argv[1]);
	puts("usage: mom COMMAND [ARGUMENT ...]");
	for (size_t i = 0; cmds[i]; i++)
		printf("  %-10s %s\n", cmds[i]->name, cmds[i]->does);
	puts("mom COMMAND --help tells more of one, with an example.");
	return CMD_OK;
}

const struct cmd cmd_help = { "help", "this list, or the page of one command",
    "usage: mom help [COMMAND]\nExample: mom help sub\n", help_run };

int
main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	program_begin(argc, argv, "mom");
	if (name == NULL) {
		fprintf(stderr, "usage: mom COMMAND [ARGUMENT ...]; mom help lists the commands\n");
		return CMD_USAGE;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	const struct cmd *c = find(name);
	if (c == NULL) {
		fprintf(stderr, "mom: there is no command %s; mom help lists them\n", name);
		return CMD_USAGE;
	}
	return cmd_end(c, c->run(argc - 1, argv + 1));
}
