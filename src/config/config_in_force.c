/* config_in_force - what holds in a server that runs, left in its run folder: see config.h */
#include "config/config.h"
#include "base/fdio.h"
#include "base/sealed.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAME "settings"
enum { TEXT_MOST = 64 * 1024 };

/* A key, where its value comes from, the line, the file or variable, the value: with a tab between. */
static void
put_line(FILE *f, const char *key, int from, unsigned line, const char *where, const char *value)
{
	fprintf(f, "%s\t%d\t%u\t", key, from, line);
	for (const char *p = where ? where : ""; *p; p++)
		fprintf(f, "%c", *p == '\t' || *p == '\n' ? ' ' : *p);
	fprintf(f, "\t");
	for (const char *p = value; *p; p++)
		fprintf(f, "%c", *p == '\n' ? ' ' : *p);
	fprintf(f, "\n");
}

int
config_leave(struct config *c, int dir)
{
	int was_gone = c->is_left && !fdio_leads_to(dir, NAME, -1);
	char *text = NULL, *sealed = NULL;
	size_t n = 0;
	if (c->is_left && !was_gone)
		return 0;
	c->is_left = 1;                                    /* also if not: else a full disk is met at each turn */
	FILE *f = open_memstream(&text, &n);
	if (f == NULL)
		return -1;
	for (unsigned i = 0; i < c->file_count; i++)
		put_line(f, "", 0, 0, NULL, c->files[i]);
	for (unsigned i = 0; i < c->program->count; i++) {
		const struct config_value *v = &c->value[i];
		const char *preset = c->program->keys[i].preset;
		/* or what the server found out by itself */
		if (v->text && (v->from != CONFIG_BY_PRESET || strcmp(v->text, preset ? preset : "") != 0))
			put_line(f, c->program->keys[i].name, (int)v->from, v->line, v->where, v->text);
	}
	int bad = fclose(f) != 0 || (sealed = malloc(n + SEAL_BYTES + 1)) == NULL;
	if (!bad) {
		memcpy(sealed, text, n);
		bad = sealed_save(dir, NAME, sealed, n, 0) < 0;
	}
	int keep = errno;
	free(text);
	free(sealed);
	errno = keep;
	return bad ? -1 : was_gone;
}

void
config_leave_no_more(int dir)
{
	fdio_unlink_at(dir, NAME);
}

static void
take_line(struct config *c, char *line)
{
	char *part[5], *rest = line;
	for (int i = 0; i < 5; i++)
		part[i] = i < 4 ? strsep(&rest, "\t") : rest;
	if (part[4] == NULL)
		return;
	int key = config_find(c->program, part[0], strlen(part[0]));
	if (*part[0] == '\0' && c->file_count < CONFIG_FILES_MAX)
		snprintf(c->files[c->file_count++], PATH_MAX, "%s", part[4]);
	else if (key >= 0)
		config_set(c, (unsigned)key, part[4], (enum config_from)(part[1][0] - '0'), part[3],
		    (unsigned)strtoul(part[2], NULL, 10));
}

int
config_left(struct config *c, int dir)
{
	char *text = sealed_load(dir, NAME, TEXT_MOST), *rest = text;
	if (text == NULL)
		return -1;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;)
		take_line(c, line);
	free(text);
	return 0;
}
