/* look_groups - see look_groups.h */
#include "look/look_groups.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "format/group.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MOST = 256 * 1024 * 1024 };

struct list { struct look_group *of; size_t count; int no_memory; };

static void *
grow(struct list *l, void *old, size_t count, size_t each)
{
	if (count & (count - 1))                       /* 0, 1, 2, 4 ..: there was room for so many */
		return old;
	void *grown = realloc(old, (count ? 2 * count : 1) * each);
	l->no_memory |= grown == NULL;
	return grown ? grown : old;
}

static struct look_group *
group_of(struct list *l, const char *name)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->of[i].name, name) == 0)
			return &l->of[i];
	l->of = grow(l, l->of, l->count, sizeof *l->of);
	if (l->no_memory)
		return NULL;
	l->of[l->count] = (struct look_group){ 0 };
	snprintf(l->of[l->count].name, sizeof l->of[l->count].name, "%s", name);
	return &l->of[l->count++];
}

static struct look_group *
take_group(struct list *l, const char *line)
{
	char name[MOM_NAME_MAX + 1], kind[32];
	unsigned tries, timeout, hold;
	unsigned long long members, waiting, bytes, out, back, dead, handed, settled;
	long long oldest;
	if (sscanf(line, "group %64s %31s max-tries %u hand-timeout %u max-hold %u members %llu waiting %llu bytes "
	    "%llu out %llu back %llu dead %llu handed %llu settled %llu oldest %lld", name, kind, &tries, &timeout,
	    &hold,
	    &members, &waiting, &bytes, &out, &back, &dead, &handed, &settled, &oldest) != 14)
		return NULL;
	struct look_group *g = group_of(l, name);
	if (g == NULL)
		return NULL;
	snprintf(g->kind, sizeof g->kind, "%s", kind);
	g->max_tries = tries;
	g->hand_timeout_s = timeout;
	g->max_hold_ms = hold;
	g->members = members > g->members ? members : g->members;
	g->waiting += waiting;
	g->bytes += bytes;
	g->out += out;
	g->back += back;
	g->dead += dead;
	g->handed += handed;
	g->settled += settled;
	if (oldest && (g->oldest_us == 0 || oldest < g->oldest_us))
		g->oldest_us = oldest;
	return g;
}

static void
take_member(struct list *l, struct look_group *g, const char *line)
{
	struct look_member m;
	unsigned long long id;
	if (sscanf(line, "member %llx %u %llu", &id, &m.prefetch, &m.out) != 3)
		return;
	m.id = id;
	for (size_t i = 0; i < g->member_count; i++)
		if (g->member[i].id == m.id) {
			g->member[i].out += m.out;
			return;
		}
	g->member = grow(l, g->member, g->member_count, sizeof m);
	if (!l->no_memory)
		g->member[g->member_count++] = m;
}

static void
take_detail(struct list *l, struct look_group *g, uint32_t shard, const char *line)
{
	struct look_dead d = { .shard = shard };
	unsigned long long origin, copy;
	char *binding;
	if (strncmp(line, "bind ", 5) == 0 && shard == 0) {    /* each shard has all */
		g->bindings = grow(l, g->bindings, g->binding_count, sizeof *g->bindings);
		l->no_memory |= (binding = strdup(line + 5)) == NULL;
		if (!l->no_memory)
			g->bindings[g->binding_count++] = binding;
		else
			free(binding);
	} else if (strncmp(line, "member ", 7) == 0)
		take_member(l, g, line);
	else if (sscanf(line, "dead %llx %llx %u %15s", &origin, &copy, &d.tries, d.why) == 4) {
		d.origin = origin_make(origin, shard);
		d.copy = copy;
		g->letters = grow(l, g->letters, g->letter_count, sizeof d);
		if (!l->no_memory)
			g->letters[g->letter_count++] = d;
	}
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct look_group *)a)->name, ((const struct look_group *)b)->name);
}

int
look_groups(const char *folder, uint32_t shards, struct look_group **groups, size_t *count)
{
	struct list l = { 0 };
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = dir < 0 ? errno : 0;
	for (uint32_t k = 0; error == 0 && k < shards; k++) {
		size_t n;
		char name[24];
		snprintf(name, sizeof name, "shard-%u", k);
		int shard = fdio_open_at(dir, name, O_RDONLY | O_DIRECTORY, 0);
		char *text = shard < 0 ? NULL : fdio_load(shard, "groups", &n, FILE_MOST), *rest = NULL;
		error = text || errno == ENOENT ? 0 : errno;   /* none: there never was a group */
		fdio_close(&shard);
		struct look_group *g = NULL;
		for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
			if (strncmp(line, "group ", 6) == 0)
				g = take_group(&l, line);
			else if (g)
				take_detail(&l, g, k, line);
		}
		free(text);
	}
	fdio_close(&dir);
	if (l.no_memory)
		error = ENOMEM;
	if (l.count)
		qsort(l.of, l.count, sizeof *l.of, by_name);
	if (error) {
		look_groups_free(l.of, l.count);
		l = (struct list){ 0 };
	}
	*groups = l.of;
	*count = l.count;
	errno = error;
	return error ? -1 : 0;
}

int64_t
look_group_oldest(const struct look_group *g)
{
	int64_t age = g->oldest_us ? (clock_wall_us() - g->oldest_us) / 1000000 : -1;
	return g->oldest_us && age < 0 ? 0 : age;          /* two clocks */
}

void
look_groups_free(struct look_group *groups, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < groups[i].binding_count; k++)
			free(groups[i].bindings[k]);
		free(groups[i].bindings);
		free(groups[i].member);
		free(groups[i].letters);
	}
	free(groups);
}
