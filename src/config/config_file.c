/* config_file - see config.h: which files and variables there are, and reading them */
#include "config/config.h"
#include "base/arguments.h"
#include "base/fdio.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a file's lines ---- */

static int
unknown_key(struct config *c, const char *name, size_t n, const char *path, unsigned line)
{
	const char *near = NULL;
	unsigned best = 3;
	char shown[60];
	for (unsigned i = 0; i < c->program->count; i++) {
		unsigned d = word_distance(name, n, c->program->keys[i].name);
		if (d < best && !(c->program->keys[i].how & CONFIG_FLAG_ONLY)) {
			best = d;
			near = c->program->keys[i].name;
		}
	}
	snprintf(shown, sizeof shown, "%.*s", (int)(n < 50 ? n : 50), name);
	for (char *p = shown; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	snprintf(c->error, sizeof c->error, near ? "%.300s:%u: there is no key %s; is it %s?"
	    : "%.300s:%u: there is no key %s; `mom config show` lists all",
	    path, line, shown, near);
	return -1;
}

static int
take_line(struct config *c, char *line, unsigned number, const char *path, unsigned *seen)
{
	line += strspn(line, " \t");
	size_t end = strlen(line), n = strcspn(line, " \t");
	while (end > 0 && strchr(" \t\r", line[end - 1]))
		line[--end] = '\0';
	if (line[0] == '\0' || line[0] == '#')
		return 0;
	n = n < end ? n : end;
	int key = config_find(c->program, line, n);
	if (key < 0)
		return unknown_key(c, line, n, path, number);
	const struct config_key *k = &c->program->keys[key];
	char *value = line + n + strspn(line + n, " \t");
	if (k->how & CONFIG_FLAG_ONLY) {
		snprintf(c->error, sizeof c->error, "%.300s:%u: %s belongs to one start: give it as the flag --%s",
		    path, number, k->name, k->name);
		return -1;
	}
	if (seen[key]) {
		snprintf(c->error, sizeof c->error, "%.300s:%u: %s stands in line %u already: keep one of them", path,
		    number, k->name, seen[key]);
		return -1;
	}
	seen[key] = number;
	return config_set(c, (unsigned)key, *value == '\0' && k->kind == CONFIG_SWITCH ? "yes" : value, CONFIG_BY_FILE,
	    path, number);
}

int
config_parse(struct config *c, const char *text, size_t n, const char *path)
{
	unsigned seen[CONFIG_KEYS_MAX] = { 0 }, number = 1;
	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		snprintf(c->error, sizeof c->error,
		    "%.300s:1: it begins with a byte order mark (bytes EF BB BF), which is none of its "
		    "text: save it as UTF-8 without one",
		    path);
		return -1;
	}
	char *copy = malloc(n + 1);
	int r = 0, bad = 0;
	if (copy == NULL) {
		snprintf(c->error, sizeof c->error, "%.300s: no memory for its %zu bytes: see `free`", path, n);
		return -1;
	}
	memcpy(copy, text, n);
	copy[n] = '\0';
	for (char *line = copy, *end = copy + n; line < end && r == 0; number++) {
		char *stop = memchr(line, '\n', (size_t)(end - line));
		if (stop == NULL)
			stop = end;
		*stop = '\0';
		if (strlen(line) != (size_t)(stop - line)) {
			snprintf(c->error, sizeof c->error, "%.300s:%u: a zero byte: is this a text file, in UTF-8?",
			    path, number);
			r = -1;
		} else
			r = take_line(c, line, number, path, seen);
		if (r < 0 && c->on_fault) {            /* each is told, and it goes on */
			c->on_fault(c);
			bad = r;
			r = 0;
		}
		line = stop + 1;
	}
	free(copy);
	return bad ? bad : r;
}

/* ---- a file ---- */

/* NULL: it may be believed, as it belongs to us or root and nobody else writes to it */
static const char *
distrust(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "it is no file; name one that is";
	if (st->st_uid != geteuid() && st->st_uid != 0)
		return "it belongs to another user and is not trusted; make it your own, or name another with "
		    "MOM_CONFIG";
	if (st->st_mode & 022)
		return "others may write to it; run chmod go-w on it";
	if (st->st_size > CONFIG_FILE_BYTES_MAX)
		return "it is larger than 1 MiB: is it a configuration?";
	return NULL;
}

static int
cannot_read(struct config *c, const char *path, const char *why, const char *cure)
{
	snprintf(c->error, sizeof c->error, "%.500s: %s%s", path, why, cure);
	return -1;
}

int
config_read(struct config *c, const char *path, int must)
{
	struct stat st;
	int fd;
	/* a fifo must not hold us up */
	while ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) < 0 && errno == EINTR)
		;
	if (fd < 0 && !must && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	c->limited = fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM);
	c->trouble = c->limited || (fd < 0 && errno == EIO);
	if (fd < 0)
		return cannot_read(c, path, strerror(errno), errno == EACCES ? stat(path, &st) < 0
		    ? ": this user may not look into a folder above it: is HOME right? Set HOME, or name another file"
		    : ": let this user read it" : c->limited
		    ? ": raise `ulimit -n`, or close files" :
		    c->trouble ? ": see dmesg, or name another" : ": name a file that is there");
	c->trouble = fstat(fd, &st) < 0;
	const char *why = c->trouble ? strerror(errno) : distrust(&st);
	char *text = why ? NULL : malloc((size_t)st.st_size + 1);
	ssize_t n = text ? fdio_pread_full(fd, text, (size_t)st.st_size, 0) : -1;
	int r = why ? cannot_read(c, path, why, "") : n < 0 ? cannot_read(c, path, strerror(errno),
	    ": see dmesg, or name another") : 0;
	c->trouble |= why == NULL && n < 0;
	close(fd);
	if (r == 0 && c->file_count < CONFIG_FILES_MAX) {
		char *kept = c->files[c->file_count++];
		snprintf(kept, PATH_MAX, "%s", path);
		r = config_parse(c, text, (size_t)n, kept);
	}
	free(text);
	return r;
}

/* ---- which files ---- */

static int
is_folder(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* MOM_CONFIG and the user's folder count for nothing where a program has more rights than who started it. */
static const char *
named_place(const char *named)
{
	const char *variable = secure_getenv("MOM_CONFIG");
	return named ? named : variable && *variable ? variable : NULL;
}

unsigned
config_places(const struct config_program *program, const char *named, char places[CONFIG_FILES_MAX][PATH_MAX])
{
	const char *xdg = secure_getenv("XDG_CONFIG_HOME"), *home = secure_getenv("HOME");
	named = named_place(named);
	if (named) {
		snprintf(places[0], PATH_MAX, is_folder(named) ? "%s/%s" : "%s", named, program->file);
		return 1;
	}
	snprintf(places[0], PATH_MAX, "/etc/mom/%s", program->file);
	if (xdg && xdg[0] == '/')
		snprintf(places[1], PATH_MAX, "%s/mom/%s", xdg, program->file);
	else if (home && home[0] == '/')
		snprintf(places[1], PATH_MAX, "%s/.config/mom/%s", home, program->file);
	else
		return 1;
	return 2;
}

/* ---- environment ---- */

static int
take_variable(struct config *c, unsigned key, const char *name)
{
	const char *value = secure_getenv(name);
	return value && *value ? config_set(c, key, value, CONFIG_BY_ENVIRONMENT, name, 0) : 0;
}

/* by rule: the prefix, the key in capitals */
static int
take_own_variable(struct config *c, unsigned key)
{
	char name[48];
	snprintf(name, sizeof name, "%s%s", c->program->prefix, c->program->keys[key].name);
	for (char *p = name; *p; p++)
		*p = *p == '-' ? '_' : (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
	return take_variable(c, key, name);
}

/* MOM_LOG=level[,json|text][,time|notime] */
static int
take_log_variable(struct config *c)
{
	const char *value = secure_getenv("MOM_LOG");
	int level = config_find(c->program, "log-level", 9), format = config_find(c->program, "log-format", 10),
	    when = config_find(c->program, "log-time", 8), r = 0;
	if (value == NULL || level < 0)
		return 0;
	for (const char *p = value; *p && r == 0; p += strcspn(p, ","), p += *p == ',') {
		char word[16];
		snprintf(word, sizeof word, "%.*s", (int)(strcspn(p, ",") < 15 ? strcspn(p, ",") : 15), p);
		if (strcmp(word, "json") == 0 || strcmp(word, "text") == 0)
			r = config_set(c, (unsigned)format, word, CONFIG_BY_ENVIRONMENT, "MOM_LOG", 0);
		else if (strcmp(word, "time") == 0 || strcmp(word, "notime") == 0)
			r = config_set(c, (unsigned)when, word[0] == 't' ? "yes" : "no", CONFIG_BY_ENVIRONMENT,
			    "MOM_LOG", 0);
		else
			r = config_set(c, (unsigned)level, word, CONFIG_BY_ENVIRONMENT, "MOM_LOG", 0);
	}
	if (r < 0)
		snprintf(c->error, sizeof c->error, "MOM_LOG in the environment is LEVEL[,json][,time|notime], LEVEL "
		    "one of debug, info, warn, error, not: %.200s", value);
	return r;
}

int
config_files(struct config *c)
{
	char places[CONFIG_FILES_MAX][PATH_MAX];
	const char *named = named_place(c->named);
	unsigned count = config_places(c->program, c->named, places);
	int bad = 0;
	c->file_count = 0;
	for (unsigned i = 0; i < count && (!bad || c->on_fault); i++) {
		bad |= config_read(c, places[i], named && !is_folder(named)) < 0;
		if (bad && c->on_fault && c->error[0])
			c->on_fault(c);
	}
	return bad ? -1 : 0;
}

int
config_environment(struct config *c)
{
	if (take_log_variable(c) < 0)
		return -1;
	for (unsigned i = 0; i < c->program->count; i++) {
		const struct config_key *k = &c->program->keys[i];
		if (k->how & CONFIG_FLAG_ONLY)
			continue;
		if ((k->variable && take_variable(c, i, k->variable) < 0) || take_own_variable(c, i) < 0)
			return -1;
	}
	return 0;
}

int
config_load(struct config *c)
{
	return config_files(c) < 0 ? -1 : config_environment(c);
}
