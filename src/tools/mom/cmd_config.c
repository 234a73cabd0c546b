/* mom config - what holds and where it comes from; is a file right? */
#include "config/config_keys.h"
#include "base/fdio.h"
#include "tools/mom/cmd_json.h"
#include "tools/mom/cmd_look.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	printf("# %s as it would start from this shell: environment %s*", p->name, p->prefix);
	for (unsigned i = 0; i < count; i++)
		printf(", %s", places[i]);
	putchar('\n');
}

/* What the files say by now, where that is not what holds: a server that runs took this key from a file, or from none.
 * NULL: nothing to tell */
static const char *
pending(const struct config *holds, const struct config *files, unsigned key)
{
	const char *is = config_text(holds, key), *said = files ? config_text(files, key) : is;
	if (holds->value[key].from > CONFIG_BY_FILE || (is && said && strcmp(is, said) == 0) || is == said)
		return NULL;
	return said ? said : "-";
}

static void
show_keys(const struct config *c, const struct config *files)
{
	char origin[PATH_MAX + 40];
	for (unsigned i = 0; i < c->program->count; i++) {
		const struct config_key *k = &c->program->keys[i];
		if (k->how & CONFIG_FLAG_ONLY)
			continue;
		const char *text = config_text(c, i), *next = pending(c, files, i);
		printf("%-20s %-28s %s", k->name, text ? text : "-", config_origin(c, i, origin, sizeof origin));
		if (next)
			printf("; %s says %s: %s takes it", config_origin(files, i, origin, sizeof origin), next,
			    k->how & CONFIG_RELOAD ? "SIGHUP" : "a restart");
		putchar('\n');
	}
}

static void
show_json(const char *program, const struct config *c, const struct config *files, const struct look_server *server)
{
	char origin[PATH_MAX + 40];
	json_open(NULL, '{');
	json_text("program", program);
	json_text("server", server ? server->run : NULL);
	for (unsigned i = 0; i < c->program->count; i++) {
		const struct config_key *k = &c->program->keys[i];
		if (k->how & CONFIG_FLAG_ONLY)
			continue;
		json_open(k->name, '{');
		json_text("value", config_text(c, i));
		json_text("from", config_origin(c, i, origin, sizeof origin));
		json_bool("reload", (k->how & CONFIG_RELOAD) != 0);
		if (server)
			json_text("pending", pending(c, files, i));
		json_close('}');
	}
	json_close('}');
}

/* The settings of a server that runs. 0: it left none that can be read */
static int
show_server(int which, const struct look_server *s)
{
	struct config holds, files;
	int dir = open(s->run, O_RDONLY | O_DIRECTORY | O_CLOEXEC), readable = 1;
	config_begin(&holds, programs[which].program);
	config_begin(&files, programs[which].program);
	int there = dir >= 0 && config_left(&holds, dir) == 0;
	for (unsigned i = 0; there && i < holds.file_count; i++)
		readable &= config_read(&files, holds.files[i], 0) == 0;
	if (there && json)
		show_json(programs[which].name, &holds, readable ? &files : NULL, s);
	else if (there) {
		printf("# %s, pid %d, run folder %s: what holds in it\n", programs[which].program->name, (int)s->pid,
		    s->run);
		show_keys(&holds, readable ? &files : NULL);
	}
	config_end(&holds);
	config_end(&files);
	fdio_close(&dir);
	return there;
}

/* 1: one of that kind runs, and was shown */
static int
show_servers(int which)
{
	struct servers s;
	int shown = 0;
	if (programs[which].program == &config_client)
		return 0;
	servers_look(&s, &cmd_config, NULL, 0, 1);
	for (size_t i = 0; i < s.count; i++)
		if (s.server[i].pid && s.server[i].is_broker == (programs[which].program == &config_broker))
			shown |= show_server(which, &s.server[i]);
	servers_free(&s);
	return shown;
}

static int
show(int which)
{
	if (show_servers(which) && getenv("MOM_CONFIG") == NULL)
		return CMD_OK;
	struct config *c = malloc(sizeof *c);
	if (c == NULL)
		return cmd_fail(&cmd_config, "no memory: see `free`");
	config_begin(c, programs[which].program);
	int bad = config_load(c) < 0;
	if (bad)
		cmd_fail(&cmd_config, "%s", c->error);
	else if (json)
		show_json(programs[which].name, c, NULL, NULL);
	else {
		show_places(c->program);
		show_keys(c, NULL);
	}
	config_end(c);
	free(c);
	return bad ? CMD_FAILED : CMD_OK;
}

/* ---- test ---- */

static void
tell_line(struct config *c)
{
	cmd_fail(&cmd_config, "%s", c->error);
	c->error[0] = '\0';
}

static int
test(int which, const char *file)
{
	struct config *c = malloc(sizeof *c);
	if (c == NULL)
		return cmd_fail(&cmd_config, "no memory: see `free`");
	config_begin(c, programs[which].program);
	c->on_fault = tell_line;
	int bad = (file ? config_read(c, file, 1) : config_load(c)) < 0;
	for (unsigned i = 0; i < c->file_count && !bad; i++)
		printf("%s is right\n", c->files[i]);
	if (bad && c->error[0])
		tell_line(c);
	else if (!bad && c->file_count == 0)
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
	char text[CONFIG_STRANGE];
	for (size_t at = 0; config_strange_variable(environ, &at, text);)
		cmd_fail(&cmd_config, "%s", text);
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
	"show: each key, its value, where that comes from: flag, environment NAME, file:line, default. Of servers that "
	"run: what holds in\n"
	"      them, and what a file says by now instead. Where none runs, or MOM_CONFIG is set:\n"
	"      what one would get from this shell.\n"
	"test: reads FILE (or all files that would be read) and says of each line what is wrong in it; exit 1 then.\n"
	"Files: /etc/mom/{broker,daemon,client}.conf, then ~/.config/mom/; MOM_CONFIG names a file or folder instead.\n"
	"Example: mom config show broker\n"
	"         mom config test /etc/mom/broker.conf\n", config_run };
