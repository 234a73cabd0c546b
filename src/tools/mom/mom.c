/* mom - one command line tool: publish, subscribe, look inside
 * USAGE    mom COMMAND [ARGUMENT ...]; mom help lists the commands, mom COMMAND --help tells of one
 * OUTPUT   what was asked for on stdout; complaints and progress on stderr
 * EXIT     0 ok   1 error   2 wrong use   27 nothing came in time */
#include "base/program.h"
#include "tools/mom/cmd.h"
#include <stdio.h>
#include <string.h>

static const struct cmd *const cmds[] = {
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
