/* mom - one command line tool: publish, subscribe, look inside
 * USAGE    mom COMMAND [ARGUMENT ...]; mom help lists the commands, mom COMMAND --help tells of one
 * OUTPUT   what was asked for on stdout; complaints and progress on stderr
 * EXIT     0 ok   1 error   2 wrong use   27 nothing came in time */
#include "base/arguments.h"
#include "base/program.h"
#include "tools/mom/cmd.h"
#include <stdio.h>
#include <string.h>

static const struct cmd *const cmds[] = {
	&cmd_pub, &cmd_sub, &cmd_work, &cmd_peek, &cmd_backup, &cmd_check, &cmd_bench, &cmd_shell,
	&cmd_groups, &cmd_group, &cmd_dead,
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

/* What other systems call it; else the command whose name is nearest. NULL: none is near */
static const char *
meant(const char *name)
{
	static const struct { const char *theirs, *ours; } words[] = {
		{ "status", "doctor` (is all well?) or `mom top" }, { "list", "topics" }, { "ls", "topics" },
		{ "queues", "groups" }, { "tubes", "groups" }, { "kick", "dead GROUP --retry" }, { "reserve", "work" },
		    { "consume", "work" }, { "ps", "clients" }, { "who", "clients" }, { "connections", "clients" },
		{ "purge", "sub --name NAME --forget" }, { "unsubscribe", "sub --name NAME --forget" },
		{ "publish", "pub" }, { "send", "pub" }, { "put", "pub" }, { "subscribe", "sub" }, { "recv", "sub" },
		{ "receive", "sub" }, { "get", "sub -C 1" }, { "nodes", "machines" },
		{ "metrics", "stats --prometheus" },
		{ "save", "backup" }, { "verify", "check" }, { "fsck", "check" }, { "settings", "config show" },
	};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i].theirs, name) == 0)
			return words[i].ours;
	const char *near = NULL;
	unsigned best = 3;
	for (size_t i = 0; cmds[i]; i++) {
		unsigned d = word_distance(name, strlen(name), cmds[i]->name);
		if (d < best && d < strlen(name)) {
			best = d;
			near = cmds[i]->name;
		}
	}
	return near;
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
		const char *near = meant(name);
		fprintf(stderr, near ? "mom: there is no command %s; is it `mom %s`? mom help lists them all\n"
		    : "mom: there is no command %s; mom help lists them\n", name, near);
		return CMD_USAGE;
	}
	return cmd_end(c, c->run(argc - 1, argv + 1));
}
