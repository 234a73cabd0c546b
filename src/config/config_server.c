/* config_server - see config.h: the start of a server, its SIGHUP, its SIGUSR1, its log */
#include "config/config.h"
#include "base/log.h"
#include "base/program.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint32_t
config_log(const struct config *c)
{
	const struct config_program *p = c->program;
	int level = config_find(p, "log-level", 9), format = config_find(p, "log-format", 10),
	    when = config_find(p, "log-time", 8);
	enum { AUTO, YES, NO } with_time = (int)config_number(c, (unsigned)when);
	int journal = log_is_journal();
	return (uint32_t)config_number(c, (unsigned)level) | (config_number(c, (unsigned)format) ? LOG_JSON
	    : 0) | (journal ? LOG_JOURNAL : 0) |
	    (with_time == YES || (with_time == AUTO && !journal) ? LOG_TIME : 0);
}

static const char *
log_path(const struct config *c)
{
	return config_text(c, (unsigned)config_find(c->program, "log-file", 8));
}

static int opened_log = -1;

void
config_find_log(const struct config *c)
{
	const char *path = log_path(c);
	if (path && (opened_log = log_file(path)) < 0)
		log_fatal(EXIT_SYSTEM, "open(%s): %s: name another --log-file, in a folder that is there and that this "
		    "user may write to", path, strerror(errno));
}

void
config_open_log(void)
{
	if (opened_log >= 0 && log_take(opened_log) < 0)
		log_warn("the log file: %s: all goes to stderr", strerror(errno));
	opened_log = -1;
}

int
config_reopen_log(const struct config *c, const char *why)
{
	const char *path = log_path(c);
	if (path == NULL)
		log_info("%s: there is no --log-file to open anew", why);
	else if (log_to_file(path) < 0)
		log_error("%s: open(%s): %s: all goes to the file of before; mend it and send SIGUSR1", why, path,
		    strerror(errno));
	else {
		log_info("%s: logs to %s", why, path);
		return 1;
	}
	return 0;
}

const char *
config_log_text(const struct config *c, char *text, size_t n)
{
	const char *path = log_path(c);
	snprintf(text, n, "log %s, %s, %s", config_text(c, (unsigned)config_find(c->program, "log-level", 9)),
	    config_text(c, (unsigned)config_find(c->program, "log-format", 10)), path ? path : "on stderr");
	return text;
}

static void __attribute__((noreturn))
wrong_use(const struct config *c, const char *what)
{
	fprintf(stderr, "%s: %s; see %s --help\n", c->program->name, what, c->program->name);
	exit(EXIT_USAGE);
}

/* What only all together can be judged by; NULL: fine. */
static const char *
fault_of(const struct config *c, const char *(*check)(const struct config *c))
{
	for (unsigned i = 0; i < c->program->count; i++)
		if (c->program->keys[i].kind == CONFIG_ADDRESS && c->value[i].text == NULL && !c->test)
			return c->program->needed;
	return check ? check(c) : NULL;
}

void
config_start(struct config *c, const struct config_program *program, int argc, char **argv,
    const char *(*check)(const struct config *c))
{
	config_begin(c, program);
	int r = config_flags(c, argc, argv);
	if (r == CONFIG_HELP) {
		config_usage(program, stdout);
		exit(program_end(program->name, 0, EXIT_SYSTEM));
	}
	if (r < 0 || config_load(c) < 0) {
		if (c->trouble)                        /* started again it may be read */
			log_fatal(EXIT_SYSTEM, "%s", c->error);
		wrong_use(c, c->error);
	}
	if (c->test) {
		for (unsigned i = 0; i < c->file_count; i++)
			fprintf(stdout, "%s: %s is right\n", program->name, c->files[i]);
		if (c->file_count == 0)
			fprintf(stdout, "%s: there is no file to read\n", program->name);
	}
	const char *fault = fault_of(c, check);
	if (fault)
		wrong_use(c, fault);
	char strange[CONFIG_STRANGE];
	for (size_t at = 0; config_strange_variable(environ, &at, strange);)
		log_warn("%s", strange);
	if (c->test)
		exit(program_end(program->name, 0, EXIT_SYSTEM));
}

/* Files and environment once more, with the flags of before. */
static int
read_again(struct config *to, const struct config *from, const char *(*check)(const struct config *c))
{
	config_begin(to, from->program);
	to->named = from->named ? strdup(from->named) : NULL;
	for (unsigned i = 0; i < from->program->count; i++)
		if (from->value[i].from == CONFIG_BY_FLAG)
			config_set(to, i, from->value[i].text, CONFIG_BY_FLAG, NULL, 0);
	const char *fault = config_load(to) < 0 ? to->error : fault_of(to, check);
	if (fault == NULL)
		return 1;
	log_error("SIGHUP: %s: all stays as it was; mend it and send SIGHUP again", fault);
	config_end(to);
	return 0;
}

/* What differs, and what of it waits for a restart: that is taken back. */
static void
tell(const struct config *before, struct config *after)
{
	int changes = 0;
	for (unsigned i = 0; i < after->program->count; i++) {
		const struct config_key *k = &after->program->keys[i];
		const char *was = config_text(before, i), *is = config_text(after, i);
		char origin[PATH_MAX + 40];
		/* what nobody says the server may have found out by itself */
		if (before->value[i].from == CONFIG_BY_PRESET && after->value[i].from == CONFIG_BY_PRESET)
			config_keep(after, i, before);
		is = config_text(after, i);
		if (strcmp(was ? was : "", is ? is : "") == 0)
			continue;
		changes++;
		config_origin(after, i, origin, sizeof origin);
		if (k->how & CONFIG_RELOAD) {
			log_info("SIGHUP: %s is %s now (%s), it was %s", k->name, is ? is : "not set", origin,
			    was ? was : "not set");
			continue;
		}
		log_warn("SIGHUP: %s is to be %s (%s), it stays %s: that needs a restart", k->name, is ? is : "not set",
		    origin, was ? was : "not set");
		config_keep(after, i, before);
	}
	if (changes == 0)
		log_info("SIGHUP: nothing has changed");
}

int
config_reload(struct config *c, struct config *fresh, const char *(*check)(const struct config *c),
    void (*keep)(struct config *fresh, const struct config *c, void *with),
    void *with)
{
	if (!read_again(fresh, c, check))
		return 0;
	const char *was = log_path(c), *is = log_path(fresh);
	int moved = is && (was == NULL || strcmp(is, was) != 0);
	if (was && is == NULL) {
		log_warn("SIGHUP: log-file %s stays: back to stderr needs a restart", was);
		config_keep(fresh, (unsigned)config_find(c->program, "log-file", 8), c);
	}
	if (keep)
		keep(fresh, c, with);
	tell(c, fresh);
	config_end(c);
	*c = *fresh;
	memset(fresh, 0, sizeof *fresh);
	return moved && config_reopen_log(c, "SIGHUP") ? CONFIG_LOG_MOVED : CONFIG_CHANGED;
}
