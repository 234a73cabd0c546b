/* The subcommands of mom: each is cmd_NAME.c with one entry. mom.c lists them. Output of a command is on stdout,
 * everything else on stderr; exit status 0 ok, 1 error, 2 wrong use, 27 nothing came in time. */
#ifndef CMD_H
#define CMD_H

#include "base/arguments.h"
#include <stddef.h>

struct config;

enum { CMD_OK = 0, CMD_FAILED = 1, CMD_USAGE = 2, CMD_NOTHING = 27 };

struct cmd {
	const char *name;
	const char *does;                  /* one line for the list */
	const char *usage;                 /* what `mom NAME --help` prints: synopsis, options, an example */
	int (*run)(int argc, char **argv); /* argv[0]: the command's name */
};

extern const struct cmd
	cmd_backup, cmd_bench, cmd_check, cmd_peek, cmd_pub, cmd_shell, cmd_sub,
	cmd_work, cmd_groups, cmd_group, cmd_dead,
	cmd_topics, cmd_clients, cmd_machines, cmd_stats, cmd_top, cmd_ipc, cmd_limits, cmd_doctor,
	cmd_config,
	cmd_help;

/* The next option of a command as arguments_next gives it, its value and then the arguments in cmd_line; -h and --help
 * print the usage and exit 0, an unknown one says so and exits 2. */
extern struct arguments cmd_line;
int  cmd_option(const struct cmd *c, int argc, char **argv, const char *shorts, const struct option *longs);
void cmd_wrong_use(const struct cmd *c, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
/* The exit status, unless what was printed could not be written. */
int  cmd_end(const struct cmd *c, int status);
/* An option of other systems' tools that has no meaning here: says what to type, and ends. */
void cmd_not_here(const struct cmd *c, int option) __attribute__((noreturn));
/* says so; CMD_FAILED */
int  cmd_fail(const struct cmd *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* mom_create, or mom_open where there is a name. Whoever waits for more than a second is told on stderr for what. */
int  cmd_client(const struct cmd *c, const char *name);
/* What client.conf and the environment say to programs, by config_keys.h's client_key. It is read once: after whatever
 * sets a variable. NULL: *why says what is wrong there. */
const struct config *cmd_client_config(const char **why);
/* The one folder in which programs look for a daemon: MOM_RUN or `run` of client.conf. NULL: they look in the usual
 * places; so does whoever cannot read what is said there. */
const char *cmd_client_run(void);
/* A number of that option in its range, else exit 2. seconds: with a fraction. */
unsigned long long cmd_number(const struct cmd *c, const char *option, const char *text, unsigned long long least,
    unsigned long long most);
/* A time in seconds, or with its unit: 5, 0.25, 10s, 500ms, 7d. most: seconds */
double cmd_time(const struct cmd *c, const char *option, const char *text, double most);
double cmd_seconds(const struct cmd *c, const char *option, const char *text);      /* at most 23 days */
/* On stdout, quoted and escaped; bytes that are no UTF-8 become U+FFFD. */
void cmd_json_string(const void *text, size_t n);
int  cmd_is_utf8(const void *text, size_t n);

#endif
