/* logind - see logind.h */
#include "base/logind.h"
#include "base/etc.h"
#include "base/fdio.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { SYSTEM_UID_MAX = 999, DROP_INS = 64, PLACES = 4 };
/* a later one hides the same name in an earlier one */
static const char *const places[PLACES] = { "/usr/lib", "/usr/local/lib", "/run", "/etc" };

struct drop_in { char name[NAME_MAX + 1]; int place; };

static char *
load(const char *root, const char *folder, const char *name)
{
	char path[PATH_MAX];
	return snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path ? etc_load(root, path) : NULL;
}

/* 1 yes, 0 no, as before where the text says nothing; frees it */
static int
setting(char *text, int before)
{
	char *rest = NULL, word[16];
	for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest))
		if (sscanf(line, " RemoveIPC = %15s", word) == 1)
			before = strcasecmp(word, "no") && strcasecmp(word, "n") && strcasecmp(word, "false") &&
			    strcasecmp(word, "f") && strcasecmp(word, "off") &&
			    strcmp(word, "0");
	free(text);
	return before;
}

static int
by_name(const void *a, const void *b)
{
	const struct drop_in *x = a, *y = b;
	int order = strcmp(x->name, y->name);
	return order ? order : x->place - y->place;
}

static size_t
drop_ins(const char *root, struct drop_in *found)
{
	size_t count = 0;
	for (int place = 0; place < PLACES; place++) {
		char path[PATH_MAX];
		snprintf(path, sizeof path, "%s%s/systemd/logind.conf.d", root, places[place]);
		int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		DIR *dir = fd < 0 ? NULL : fdopendir(fd);
		for (struct dirent *e; dir && count < DROP_INS && (e = readdir(dir)) != NULL;) {
			size_t len = strlen(e->d_name);
			if (len < 6 || strcmp(e->d_name + len - 5, ".conf") != 0)
				continue;
			found[count].place = place;
			memcpy(found[count++].name, e->d_name, len + 1);
		}
		if (dir)
			closedir(dir);
		else
			fdio_close(&fd);
	}
	qsort(found, count, sizeof *found, by_name);
	return count;
}

static int
lingers(const char *root, uid_t uid)
{
	char *text = etc_load(root, "/etc/passwd"), path[PATH_MAX] = "";
	struct etc_entry e;
	struct stat st;
	for (const char *p = text; p && (p = etc_next(p, &e)) != NULL;)
		if (e.id == uid)
			snprintf(path, sizeof path, "%s/var/lib/systemd/linger/%s", root, e.name);
	free(text);
	return path[0] && stat(path, &st) == 0;
}

int
logind_removes_ipc(const char *root, uid_t uid)
{
	char path[PATH_MAX];
	struct stat st;
	if (uid <= SYSTEM_UID_MAX || snprintf(path, sizeof path, "%s/run/systemd/system", root) >= (int)sizeof path ||
	    stat(path, &st) < 0)
		return 0;
	struct drop_in *found = calloc(DROP_INS, sizeof *found);
	size_t count = found ? drop_ins(root, found) : 0;
	char *text = NULL;
	for (int place = PLACES - 1; place >= 0 && text == NULL; place--) {
		snprintf(path, sizeof path, "%s/systemd", places[place]);
		text = load(root, path, "logind.conf");
	}
	int removes = setting(text, 1);
	for (size_t i = 0; i < count; i++) {
		if (i + 1 < count && strcmp(found[i].name, found[i + 1].name) == 0)
			continue;
		snprintf(path, sizeof path, "%s/systemd/logind.conf.d", places[found[i].place]);
		removes = setting(load(root, path, found[i].name), removes);
	}
	free(found);
	return removes && !lingers(root, uid);
}
