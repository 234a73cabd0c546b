/* cmd_look - see cmd_look.h */
#include "base/utf8.h"
#include "tools/mom/cmd_look.h"
#include "base/proc.h"
#include "ipc/rundir.h"
#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int
servers_add(struct servers *s, struct look *l)
{
	struct look_server *grown = realloc(s->server, (s->count + l->count + 1) * sizeof *grown);
	struct look **looks = grown ? realloc(s->look, (s->looks + 1) * sizeof *looks) : NULL;
	s->server = grown ? grown : s->server;
	if (looks == NULL)
		return -1;
	if (l->count)
		/* what they point to stays the look's */
		memcpy(grown + s->count, l->server, l->count * sizeof *grown);
	s->count += l->count;
	s->look = looks;
	s->look[s->looks++] = l;
	return 0;
}

static void
servers_one(struct servers *s, const struct cmd *c, const char *folder, int quiet)
{
	struct look *l = look_all(folder, cmd_client_run());
	if (l == NULL || servers_add(s, l) < 0) {
		if (l)
			look_free(l);
		s->bad = 1;
		cmd_fail(c, "no memory");
	} else if (folder && l->count == 0) {
		s->bad = 1;
		char denied[800];
		int error = access(folder, R_OK | X_OK) < 0 ? errno : 0;
		if (!quiet && error == EACCES)
			cmd_fail(c, "%s: %s", folder, rundir_denied(folder, denied, sizeof denied));
		else if (!quiet && error)
			cmd_fail(c, "%s: %s: name a run folder, or a broker's store", folder, strerror(error));
		else if (!quiet)
			cmd_fail(c, "%s: no broker or daemon runs with this folder: name its run folder, or a broker's "
			    "store", folder);
	}
}

void
servers_look(struct servers *s, const struct cmd *c, char **folders, int n, int quiet)
{
	*s = (struct servers){ .named = n > 0 };
	for (int i = 0; i < n; i++)
		servers_one(s, c, folders[i], quiet);
	if (n == 0)
		servers_one(s, c, NULL, quiet);
	for (size_t i = 0; i < s->count; i++) {
		if (s->server[i].pid == 0 && !quiet)
			cmd_fail(c, "%s: the %s does not run: this is what it left behind when it was killed",
			    s->server[i].run, s->server[i].is_broker ? "broker" : "daemon");
		if (s->server[i].why[0] == '\0')
			continue;
		s->bad = 1;
		if (!quiet)
			cmd_fail(c, "%s: %s", s->server[i].run[0] ? s->server[i].run : s->server[i].files,
			    s->server[i].why);
	}
}

void
servers_free(struct servers *s)
{
	for (size_t i = 0; i < s->looks; i++)
		look_free(s->look[i]);
	free(s->look);
	free(s->server);
	*s = (struct servers){ .count = 0 };
}

const char *
servers_tried(const struct servers *s)
{
	static char text[1100];
	const char *tried = s->looks ? s->look[0]->tried : "";
	snprintf(text, sizeof text, *tried ? " (%s)" : "%s", tried);
	return text;
}

int
servers_none(const struct servers *s, const struct cmd *c, int brokers, int daemons)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->server[i].is_broker ? brokers : daemons)
			return CMD_OK;
	if (s->bad)                                    /* it is said already why */
		return CMD_FAILED;
	const char *what = brokers && daemons ? "broker or daemon" : brokers ? "broker" : "daemon";
	if (s->named && s->count)
		return cmd_fail(c, "%s belongs to a %s: name the folder of a %s", s->server[0].run[0]
		    ? s->server[0].run : s->server[0].files, s->server[0].is_broker ? "broker" : "daemon", what);
	return cmd_fail(c, "no %s is found on this machine%s: start one, or name its run folder", what,
	    servers_tried(s));
}

int
process_runs(pid_t pid)
{
	return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

int
process_descriptors(pid_t pid, uint64_t *in_use, uint64_t *soft, uint64_t *hard)
{
	char path[40], text[4096];
	unsigned long long least = 0, most = UINT64_MAX;
	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	DIR *d = opendir(path);
	for (*in_use = 0; d && readdir(d) != NULL; ++*in_use)
		;
	*in_use -= *in_use > 2 ? 2 : *in_use;          /* . and .. */
	proc_read(pid, "limits", text, sizeof text);
	const char *line = strstr(text, "Max open files");
	int known = d && line && sscanf(line, "Max open files %llu %llu", &least, &most) >= 1;
	*soft = least;
	*hard = most;
	if (d)
		closedir(d);
	return known ? 0 : -1;
}

const char *
user_name(uid_t uid)
{
	static char text[64];
	struct passwd *p = getpwuid(uid);
	if (p)
		snprintf(text, sizeof text, "%s", p->pw_name);
	else
		snprintf(text, sizeof text, "%u", (unsigned)uid);
	return text;
}

/* bytes of the character at p; 0: it is none that may stand on a terminal */
static size_t
printable(const unsigned char *p, size_t n)
{
	uint32_t c = 0;
	size_t len = utf8_decode(p, n, &c);
	int turns = (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);      /* the direction of writing */
	return len == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0) || turns ? 0 : len;
}

size_t
text_put(const char *text, size_t n, size_t most)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t columns = 0;
	for (size_t i = 0; i < n;) {
		size_t len = printable(p + i, n - i), wide = len ? 1 : 4;
		if (most && columns + wide + (i + (len ? len : 1) < n) > most) {
			putchar('~');
			return columns + 1;
		}
		if (len)
			fwrite(p + i, 1, len, stdout);
		else
			printf("\\x%02X", p[i]);
		columns += wide;
		i += len ? len : 1;
	}
	return columns;
}

void
text_column(const char *text, size_t width)
{
	size_t columns = text_put(text, strlen(text), 0);
	printf("%*s", columns < width ? (int)(width - columns) : 0, "");
}

void
heading(const char *text)
{
	puts(text);
}

void
servers_heading(const struct servers *s, size_t i, const char *text)
{
	const struct look_server *one = &s->server[i];
	size_t kin = 0, before = 0;
	for (size_t k = 0; k < s->count; k++) {
		int is_kin = s->server[k].is_broker == one->is_broker;
		kin += (size_t)is_kin;
		before += (size_t)(is_kin && k < i);
	}
	if (kin > 1) {
		printf("%s%s ", before ? "\n" : "", one->is_broker ? "broker" : "daemon");
		text_put(one->run[0] ? one->run : one->files, strlen(one->run[0] ? one->run : one->files), 0);
		putchar('\n');
	}
	heading(text);
}

const char *
text_amount(char text[24], double v)
{
	static const char units[] = " kMGTPE";
	size_t u = 0;
	while (v >= 9999.5 && u < sizeof units - 2) {
		v /= 1000;
		u++;
	}
	while (u > 0 && v >= 999.5 && u < sizeof units - 2) {
		v /= 1000;
		u++;
	}
	if (u == 0)
		snprintf(text, 24, "%.0f", v);
	else
		snprintf(text, 24, v < 99.95 ? "%.1f%c" : "%.0f%c", v, units[u]);
	return text;
}

const char *
text_age(char text[24], int64_t seconds)
{
	static const struct { int64_t seconds; char unit; } units[] = { { 2 * 86400, 'd' }, { 2 * 3600, 'h' },
	    { 2 * 60, 'm' } };
	for (size_t i = 0; i < 3; i++)
		if (seconds >= units[i].seconds) {
			snprintf(text, 24, "%lld%c", (long long)(seconds / (units[i].seconds / 2)), units[i].unit);
			return text;
		}
	snprintf(text, 24, "%llds", (long long)(seconds > 0 ? seconds : 0));
	return text;
}
