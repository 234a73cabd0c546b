/* config - lottery.conf, read at each start: lines of `key value`, # begins a comment */
#include "config.h"
#include "tell.h"
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT, TIME = -1 };                      /* kinds beside a number with its highest value */

static const struct key { const char *name; size_t at; long min, max; const char *wanted; } keys[] = {
	{ "agencies", offsetof(struct config, agencies),    1, 255,    "a number from 1 to 255" },
	{ "winner",   offsetof(struct config, winner),      0, 65535,  "a number from 0 to 65535" },
	{ "workers",  offsetof(struct config, workers),     1, 64,     "a number from 1 to 64" },
	{ "batch",    offsetof(struct config, batch),       1, 134,    "a number from 1 to 134" },
	{ "quiet",    offsetof(struct config, quiet_ms),    0, TIME,   "a time as 1500ms, 15s, 2m" },
	{ "patience", offsetof(struct config, patience_ms), 0, TIME,   "a time as 1500ms, 15s, 2m" },
	{ "port",     offsetof(struct config, port),        0, 65535,  "a number from 0 to 65535" },
	{ "topic",    offsetof(struct config, topic),       0, TEXT,   "1 to 31 of A-Z a-z 0-9 . _ -" },
};

const char config_help[] =
    "  --agencies N --winner N --workers N --batch N --quiet TIME --patience TIME --port N --topic TEXT\n"
    "      win over the keys of these names in lottery.conf; TIME as 1500ms, 15s, 2m\n";

long
config_number(const char *text, long min, long max)
{
	long value = 0;
	if (*text == 0)
		return -1;
	for (; *text; text++)
		if (!isdigit((unsigned char)*text) || (value = value * 10 + *text - '0') > max)
			return -1;
	return value < min ? -1 : value;
}

long
config_time(const char *text)
{
	static const struct { const char *suffix; long ms; } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 },
	    { "", 1000 } };
	char digits[16];
	size_t n = strspn(text, "0123456789");
	if (n == 0 || n > 6)
		return -1;
	snprintf(digits, sizeof digits, "%.*s", (int)n, text);
	for (int i = 0; i < 4; i++)
		if (strcmp(text + n, units[i].suffix) == 0)
			return atol(digits) * units[i].ms;
	return -1;
}

static int
is_topic(const char *text)
{
	size_t len = strlen(text);
	return len >= 1 && len < 32 && strspn(text,
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

/* NULL, or what is wanted; an unknown key is "" */
static const char *
set(struct config *c, const char *name, const char *value)
{
	for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) {
		const struct key *k = &keys[i];
		if (strcmp(name, k->name) != 0)
			continue;
		if (k->max == TEXT) {
			if (!is_topic(value))
				return k->wanted;
			snprintf((char *)c + k->at, sizeof c->topic, "%s", value);
			return NULL;
		}
		long n = k->max == TIME ? config_time(value) : config_number(value, k->min, k->max);
		if (n < 0)
			return k->wanted;
		memcpy((char *)c + k->at, &n, sizeof n);
		return NULL;
	}
	return "";
}

static void
load_line(struct config *c, const char *path, int number, char *line)
{
	char *name, *value, *end;
	line[strcspn(line, "#\n")] = 0;
	name = line + strspn(line, " \t\r");
	if (*name == 0)
		return;
	end = name + strcspn(name, " \t");
	value = end + strspn(end, " \t");
	*end = 0;
	for (end = value + strlen(value); end > value && strchr(" \t\r", end[-1]); end--)
		end[-1] = 0;
	const char *wanted = set(c, name, value);
	if (wanted && *wanted == 0)
		tell_fatal(100, "%s:%d: \"%.40s\" is no key: agencies, winner, workers, batch, quiet, patience, port, "
		    "topic are", path, number, name);
	if (wanted)
		tell_fatal(100, "%s:%d: %s \"%.40s\": %s is wanted", path, number, name, value, wanted);
}

static void
load_file(struct config *c, const char *path)
{
	char line[512];
	const char *slash = strrchr(path, '/');
	FILE *f = fopen(path, "re");
	if (f == NULL)
		tell_fatal(100, "%s: %s: make-agencies writes one", path, strerror(errno));
	for (int number = 1; fgets(line, sizeof line, f); number++) {
		if (strchr(line, '\n') == NULL && !feof(f))
			tell_fatal(100, "%s:%d: the line is too long", path, number);
		load_line(c, path, number, line);
	}
	if (ferror(f))
		tell_fatal(111, "%s: %s", path, strerror(errno));
	fclose(f);
	if ((size_t)snprintf(c->folder, sizeof c->folder, "%.*s", slash ? (int)(slash - path) : 1,
	    slash ? path : ".") >= sizeof c->folder)
		tell_fatal(100, "%s: the path is too long", path);
	if (slash == path)
		strcpy(c->folder, "/");
}

void
config_load(struct config *c, const char *path, int argc, char **argv, int first,
    int (*own)(const char *option, const char *value))
{
	*c = (struct config){ .agencies = 5, .winner = 7574, .workers = 4, .batch = 134, .quiet_ms = 15000,
	    .patience_ms = 60000, .topic = "lottery" };
	load_file(c, path);
	for (int i = first; i < argc;) {
		int taken = own ? own(argv[i], argv[i + 1]) : 0;
		if (taken == 0) {
			const char *wanted = strncmp(argv[i], "--", 2) == 0
			    ? set(c, argv[i] + 2, argv[i + 1] ? argv[i + 1] : "") : "";
			if (wanted)
				tell_fatal(100, *wanted ? "%s %s: %s is wanted" : "%s is no option: see --help",
				    argv[i], argv[i + 1] ? argv[i + 1] : "", wanted);
			taken = 2;
		}
		i += taken;
	}
}

const char *
config_path(const struct config *c, const char *format, ...)
{
	static char paths[4][CONFIG_PATH_MAX + 64];
	static unsigned next;
	char *path = paths[next++ % 4];
	va_list list;
	int n = snprintf(path, sizeof *paths, "%s/", c->folder);
	va_start(list, format);
	vsnprintf(path + n, sizeof *paths - (size_t)n, format, list);
	va_end(list);
	return path;
}
