/* etc - see etc.h */
#include "base/etc.h"
#include "base/fdio.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MOST = 1 << 24 };

char *
etc_load(const char *root, const char *path)
{
	char *text = NULL;
	size_t n = 0, room = 0;
	ssize_t r = 1;
	int dir = *root ? open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : AT_FDCWD;
	int fd = openat(dir, *root ? path + 1 : path, O_RDONLY | O_CLOEXEC);
	if (*root)
		fdio_close(&dir);
	while (fd >= 0 && r > 0 && n < TEXT_MOST) {
		if (n + 1 >= room) {
			char *grown = realloc(text, room = room * 2 + 8192);
			if (grown == NULL)
				break;
			text = grown;
		}
		r = fdio_read(fd, text + n, room - 1 - n);
		n += r > 0 ? (size_t)r : 0;
	}
	fdio_close(&fd);
	if (text)
		text[n] = '\0';
	return text;
}

static int
take_number(const char *p, const char *end, uint32_t *number)
{
	uint64_t v = 0;
	if (p == end)
		return 0;
	for (; p < end && v <= UINT32_MAX; p++) {
		if (*p < '0' || *p > '9')
			return 0;
		v = v * 10 + (uint64_t)(*p - '0');
	}
	*number = (uint32_t)v;
	return v <= UINT32_MAX;
}

/* 1: that line is an entry */
static int
take_line(const char *line, const char *end, struct etc_entry *e)
{
	const char *name = memchr(line, ':', (size_t)(end - line)), *second = name ? name + 1 : NULL;
	const char *word = second ? memchr(second, ':', (size_t)(end - second)) : NULL, *third = word ? word + 1 : NULL;
	const char *behind = third ? memchr(third, ':', (size_t)(end - third)) : NULL;
	size_t n = name ? (size_t)(name - line) : 0;
	if (third == NULL || n == 0 || n >= sizeof e->name || !take_number(third, behind ? behind : end, &e->id))
		return 0;
	memcpy(e->name, line, n);
	e->name[n] = '\0';
	return 1;
}

const char *
etc_next(const char *text, struct etc_entry *e)
{
	while (*text) {
		const char *end = strchr(text, '\n'), *line = text;
		if (end == NULL)
			end = text + strlen(text);
		text = end + (*end == '\n');
		if (take_line(line, end, e))
			return text;
	}
	return NULL;
}

static int64_t
id_of(const char *path, const char *name)
{
	struct etc_entry e;
	int64_t id = -1;
	char *text = etc_load("", path);
	for (const char *p = text; id < 0 && p && (p = etc_next(p, &e)) != NULL;)
		if (strcmp(e.name, name) == 0)
			id = e.id;
	free(text);
	return id;
}

int64_t
etc_user_id(const char *name)
{
	return id_of("/etc/passwd", name);
}

int64_t
etc_group_id(const char *name)
{
	return id_of("/etc/group", name);
}

static const char *
name_of(const char *path, uint32_t id, char name[ETC_NAME])
{
	struct etc_entry e;
	char *text = etc_load("", path);
	snprintf(name, ETC_NAME, "%u", id);
	for (const char *p = text; p && (p = etc_next(p, &e)) != NULL;)
		if (e.id == id) {
			memcpy(name, e.name, ETC_NAME);
			break;
		}
	free(text);
	return name;
}

const char *
etc_user_name(uint32_t id, char name[ETC_NAME])
{
	return name_of("/etc/passwd", id, name);
}

const char *
etc_group_name(uint32_t id, char name[ETC_NAME])
{
	return name_of("/etc/group", id, name);
}
