/* What a program can be told. Each program has one table of keys (config_keys.c). Its flags, its environment and its
 * files are read by that table, and its usage is printed from it. Where each value came from is remembered. A flag wins
 * over the environment, the environment over a file, a file over the default.
 *
 * A file has lines of `key value`. `#` begins a comment line, empty lines count for nothing, and a value goes to the
 * end of its line. The files are /etc/mom/NAME.conf and the user's $XDG_CONFIG_HOME/mom/NAME.conf (~/.config/mom/); the
 * second one wins key by key. MOM_CONFIG or --config names one file instead, or a folder with files of these names. A
 * file is taken only if it belongs to root or to the program's own user, and nobody else may write to it.
 *     config_begin(&c, &config_broker);
 *     if (config_flags(&c, argc, argv) < 0 || config_load(&c) < 0) puts(c.error);
 *     printf("%s\n", config_text(&c, BROKER_DB));
 *
 * The error says what is wrong where, and the cure. */
#ifndef CONFIG_H
#define CONFIG_H

#include "base/net.h"
#include <limits.h>
#include <mom.h>
#include <stdint.h>
#include <stdio.h>

enum config_kind {
	CONFIG_TEXT,             /* a text of least to most bytes */
	CONFIG_NUMBER,
	CONFIG_BYTES,            /* a number; k, m or g behind it: times 1024, 1024^2, 1024^3 */
	CONFIG_TIME,             /* 7d, 36h, 90m, 20s, 500ms; `number` is in milliseconds */
	CONFIG_SWITCH,           /* yes or no; without a value: yes */
	CONFIG_CHOICE,           /* one of `choices`; `number`: which one */
	/* HOST PORT or mom://HOST:PORT: the program's two arguments, not a flag. least: the lowest port */
	CONFIG_ADDRESS
};

enum {
	CONFIG_RELOAD = 1,       /* SIGHUP changes it in a running server */
	CONFIG_FLAG_ONLY = 2,    /* belongs to one start: it is in no file and no variable */
	CONFIG_ZERO = 4,         /* 0 may be said, too, though it is below least */
	CONFIG_FOREVER = 8,      /* "forever" may be said, too; `number` is CONFIG_NO_END then */
	CONFIG_ALONE = 16,       /* a choice whose flag may stand without a value: yes */
	CONFIG_NO_FLAG = 32
};
#define CONFIG_NO_END UINT64_MAX
enum { CONFIG_KEYS_MAX = 24, CONFIG_FILES_MAX = 2, CONFIG_FILE_BYTES_MAX = 1 << 20 };

struct config_key {
	/* Its name in a file. The flag is --name. The variable is the program's prefix and the name in capitals, with _
	 * for -. */
	const char *name;
	enum config_kind kind;
	unsigned how;            /* CONFIG_RELOAD ... */
	const char *shape;       /* what the usage shows as its value */
	const char *preset;      /* NULL: none */
	uint64_t least, most;
	const char *choices;     /* "text|json" */
	const char *variable;    /* another variable for it, over which the usual one wins; NULL: none */
	const char *(*fault)(const char *value);      /* a check of a text's own: what is wrong with it, or NULL */
	const char *help;
};

struct config_program {
	const char *name;        /* broker_server */
	const char *file;        /* broker.conf */
	const char *prefix;      /* MOM_BROKER_ */
	const struct config_key *keys;
	unsigned count;
	const char *needed;      /* what is said if the address is missing */
	const char *example;     /* the end of the usage */
};

enum config_from { CONFIG_BY_PRESET, CONFIG_BY_FILE, CONFIG_BY_ENVIRONMENT, CONFIG_BY_FLAG };

struct config_value {
	enum config_from from;
	char *text;              /* NULL: none. Numbers stand here as they were written */
	uint64_t number;
	char *where;             /* file or variable */
	unsigned line;
};

struct config {
	const struct config_program *program;
	struct config_value value[CONFIG_KEYS_MAX];
	char files[CONFIG_FILES_MAX][PATH_MAX];      /* the files that were read */
	unsigned file_count;
	char *named;             /* --config */
	int test;                /* -t */
	int limited;             /* a file was not read for want of a descriptor, so nothing is wrong with it */
	int trouble;             /* a file was not read, for that reason or since the disk fails */
	int is_left;             /* see config_leave */
	char error[800];
	/* NULL, or told of each wrong line of a file, in c->error: then all of them are read. */
	void (*on_fault)(struct config *c);
};

void config_begin(struct config *c, const struct config_program *program);     /* sets all presets */
void config_end(struct config *c);

/* 0; -1 with c->error; CONFIG_HELP: the usage is wanted. */
enum { CONFIG_HELP = 1 };
int  config_flags(struct config *c, int argc, char **argv);
void config_usage(const struct config_program *program, FILE *to);

int  config_load(struct config *c);            /* reads the files, then the environment; 0, or -1 with c->error */
int  config_files(struct config *c);
int  config_environment(struct config *c);
/* Reads one file. 0: taken, or not there (unless it must be). -1: c->error */
int  config_read(struct config *c, const char *path, int must);
uint64_t config_time_unit(const char *name);  /* ms, s, m, h, d: in milliseconds; 0: there is no such unit */
int  config_parse(struct config *c, const char *text, size_t n, const char *path);     /* the bytes of a file */
/* Sets the value of one key; where and line are for its complaint. A value of a lesser origin is checked, but changes
 * nothing. */
int  config_set(struct config *c, unsigned key, const char *text, enum config_from from, const char *where,
    unsigned line);
/* that key's value becomes as it is in `from` */
void config_keep(struct config *c, unsigned key, const struct config *from);
int  config_find(const struct config_program *program, const char *name, size_t n);      /* -1: no such key */

/* The next variable of the environment, from *at on, that looks like one of ours and is none: 1, and text says so. */
enum { CONFIG_STRANGE = 300 };
int  config_strange_variable(char *const *environment, size_t *at, char text[CONFIG_STRANGE]);

static inline const char *config_text(const struct config *c, unsigned key) { return c->value[key].text; }
static inline uint64_t    config_number(const struct config *c, unsigned key) { return c->value[key].number; }
/* The parts of an address. 0, or -1: there is none. */
int  config_address(const struct config *c, unsigned key, char host[NET_HOST], char port[64]);
/* "flag", "environment MOM_URL", "/etc/mom/broker.conf:12", "default". */
const char *config_origin(const struct config *c, unsigned key, char *text, size_t n);
/* All files that are looked for, whether they are there or not. Returns how many. */
unsigned config_places(const struct config_program *program, const char *named,
    char places[CONFIG_FILES_MAX][PATH_MAX]);

/* A server's start: flags, environment, files. --help, -t and mistakes end the program. check: looks at what only all
 * values together can tell; returns NULL, or what is wrong. It may be NULL itself. */
void config_start(struct config *c, const struct config_program *program, int argc, char **argv,
    const char *(*check)(const struct config *c));
/* SIGHUP: reads all of it again into fresh; then *c becomes that. 0: something is wrong, the log says what, and nothing
 * has changed. The log says what is new, and what waits for a restart; that stays in *c as it was. keep: takes back
 * more of that kind (config_keep), or NULL. */
enum { CONFIG_CHANGED = 1,
    CONFIG_LOG_MOVED = 2 /* the log file, too: tell the children, as after config_reopen_log */ };
int  config_reload(struct config *c, struct config *fresh, const char *(*check)(const struct config *c),
    void (*keep)(struct config *fresh, const struct config *c, void *with),
    void *with);
/* Leaves what holds in a server's run folder, in the file `settings`, for `mom config show`. To be called at its start,
 * after a reload and now and then. 0; 1: the file was gone and is made anew; -1: errno. */
int  config_leave(struct config *c, int dir);
void config_leave_no_more(int dir);
/* Reads it into a config that was begun for that program. 0; -1: errno */
int  config_left(struct config *c, int dir);
uint32_t config_log(const struct config *c);   /* log-level, log-format, log-time as a word for log_init */
void config_find_log(const struct config *c);  /* opens log-file, if there is one, or ends the process ... */
void config_open_log(void);                    /* ... and all goes there from now on; before the first child */
/* 1: done; tell the children by SIGUSR1. */
int  config_reopen_log(const struct config *c, const char *why);
const char *config_log_text(const struct config *c, char *text, size_t n);

#endif
