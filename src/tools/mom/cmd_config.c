/* mom config - what holds and where it comes from; is a file right? */
#include "config/config_keys.h"
#include "tools/mom/cmd_json.h"
#include "tools/mom/cmd.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct { const char *name; const struct config_program *program; } programs[] = {
	{ "broker", &config_broker }, { "daemon", &config_daemon }, { "client", &config_client } };
enum { PROGRAMS = sizeof programs / sizeof *programs };

static int json;

static int
program_of(const char *name)
{
	for (int i = 0; i < PROGRAMS; i++)
		if (strcmp(programs[i].name, name) == 0 || strcmp(programs[i].program->name, name) == 0)
			return i;
	cmd_wrong_use(&cmd_config, "broker, daemon or client, not %s", name);
}

/* ---- show ---- */

static void
show_places(const struct config_program *p)
{
	char places[CONFIG_FILES_MAX][PATH_MAX];
	unsigned count = config_places(p, NULL, places);
	printf("# %s: environment %s*", p->name, p->prefix);
	for (unsigned i = 0; i < count; i++)
		printf(", %s", places[i]);
	putchar('\n');
}

static void
show_json(const char *program, const struct config *c)
{
	char origin[PATH_MAX + 40];
	json_open(NULL, '{');
	json_text("program", program);
	for (unsigned i = 0; i < c->program->count; i++) {
		const struct config_key *k = &c->program->keys[i];
		if (k->how & CONFIG_FLAG_ONLY)
			continue;
		json_open(k->name, '{');
		json_text("value", config_text(c, i));
		json_text("from", config_origin(c, i, origin, sizeof origin));
		json_bool("reload", (k->how & CONFIG_RELOAD) != 0);
		json_close('}');
	}
	json_close('}');
}

static int
show(int which)
{
	struct config *c = malloc(sizeof *c);
	char origin[PATH_MAX + 40];
	if (c == NULL)
		return cmd_fail(&cmd_config, "no memory: see `free`");
	config_begin(c, programs[which].program);
	int bad = config_load(c) < 0;
	if (bad)
		cmd_fail(&cmd_config, "%s", c->error);
	else if (json)
		show_json(programs[which].name, c);
	else {
		show_places(c->program);
		for (unsigned i = 0; i < c->program->count; i++)
			if (!(c->program->keys[i].how & CONFIG_FLAG_ONLY))
				printf("%-20s %-28s %s\n", c->program->keys[i].name,
				    config_text(c, i) ? config_text(c, i) : "-",
				    config_origin(c, i, origin, sizeof origin));
	}
	config_end(c);
	free(c);
	return bad ? CMD_FAILED : CMD_OK;
}

/* ---- test ---- */

static int
test(int which, const char *file)
{
	struct config *c = malloc(sizeof *c);
	if (c == NULL)
		return cmd_fail(&cmd_config, "no memory: see `free`");
	config_begin(c, programs[which].program);
	int bad = (file ? config_read(c, file, 1) : config_load(c)) < 0;
	for (unsigned i = 0; i < c->file_count && !bad; i++)
		printf("%s is right\n", c->files[i]);
	if (bad)
		cmd_fail(&cmd_config, "%s", c->error);
	else if (c->file_count == 0)
		printf("%s: there is no file to read\n", programs[which].name);
	config_end(c);
	free(c);
	return bad ? CMD_FAILED : CMD_OK;
}

/* ---- the command ---- */

/* Whose file this is, by its name; else -1 */
static int
program_of_file(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	for (int i = 0; i < PROGRAMS; i++)
		if (strcmp(programs[i].program->file, name) == 0)
			return i;
	return -1;
}

static int
run_test(int argc, char **argv)
{
	int which = -1, r = CMD_OK;
	const char *file = NULL;
	if (argc > 2)
		cmd_wrong_use(&cmd_config, "test takes a program and a file");
	for (int i = 0; i < argc; i++) {
		if (strpbrk(argv[i], "./"))
			file = argv[i];
		else
			which = program_of(argv[i]);
	}
	if (file && which < 0 && (which = program_of_file(file)) < 0)
		cmd_wrong_use(&cmd_config, "whose file is %s? Say broker, daemon or client before it", file);
	for (int i = 0; i < PROGRAMS; i++)
		if ((which < 0 || which == i) && test(i, file) != CMD_OK)
			r = CMD_FAILED;
	return r;
}

static int
run_show(int argc, char **argv)
{
	int which = argc > 0 ? program_of(argv[0]) : -1, r = CMD_OK;
	if (argc > 1)
		cmd_wrong_use(&cmd_config, "show takes one program");
	if (json)
		json_open(NULL, '[');
	for (int i = 0; i < PROGRAMS; i++)
		if ((which < 0 || which == i) && show(i) != CMD_OK)
			r = CMD_FAILED;
	if (json)
		json_close(']');
	return r;
}

static int
config_run(int argc, char **argv)
{
	static const struct option options[] = { { "json", 0, 0, 'j' }, { "help", 0, 0, 'h' }, { 0 } };
	for (int o; (o = cmd_option(&cmd_config, argc, argv, "jh", options)) != -1;)
		json = 1;
	const char *what = arguments_take(&cmd_line);
	if (what && strcmp(what, "show") == 0)
		return run_show(cmd_line.count, cmd_line.word);
	if (what && strcmp(what, "test") == 0)
		return run_test(cmd_line.count, cmd_line.word);
	cmd_wrong_use(&cmd_config, "show or test is needed");
}

const struct cmd cmd_config = { "config", "what the configuration says, and whether a file is right",
	"usage: mom config show [--json] [broker|daemon|client]\n"
	"       mom config test [broker|daemon|client] [FILE]\n"
	"show: each key, its value, where that comes from: environment NAME, file:line, default. The environment is "
	"that of this shell:\n"
	"      a server that was started elsewhere has its own, and its flags.\n"
	"test: reads FILE (or all files that would be read) and says what is wrong in which line; exit 1 then.\n"
	"Files: /etc/mom/{broker,daemon,client}.conf, then ~/.config/mom/; MOM_CONFIG names a file or folder instead.\n"
	"Example: mom config show broker\n"
	"         mom config test /etc/mom/broker.conf\n", config_run };
