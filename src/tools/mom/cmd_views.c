/* cmd_views - who subscribes to what, from the files of a store; see cmd_store.h */
#include "tools/mom/cmd_store.h"
#include "base/fdio.h"
#include "base/map.h"
#include "base/sealed.h"
#include "format/record.h"
#include "format/topic.h"
#include "log/checkpoint_file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VIEW_MOST = 256 * 1024 * 1024, SAID_MOST = 4096 };

static int
shard_open(const char *folder, uint32_t shard)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof path, "%s/shard-%u", folder, shard) < (int)sizeof path)
		return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	errno = ENAMETOOLONG;
	return -1;
}

static int
views_are_complete(int dir)
{
	char *said = sealed_load(dir, "views", SAID_MOST);
	int complete = said && strcmp(said, "mom views 1 complete\n") == 0;
	free(said);
	return complete;
}

struct walk { uint32_t shard; store_topic_fn fn; void *with; int bad; };

/* A pattern is in each shard. */
static int
is_told(uint32_t shard, const char *topic, size_t len)
{
	return shard == 0 || !topic_is_pattern(topic, len);
}

static void
tell(const struct walk *w, const char *topic, char *subscribers)
{
	if (is_told(w->shard, topic, strlen(topic)))
		w->fn(w->with, w->shard, topic, subscribers);
}

/* Leaves the lines of a client's topics that are told of that shard. */
static void
drop_untold(uint32_t shard, char *text)
{
	char *to = text;
	for (char *line = text, *end; *line; line = end) {
		end = line + strcspn(line, "\n");
		int told = is_told(shard, line, (size_t)(end - line));
		end += *end == '\n';
		if (!told)
			continue;
		memmove(to, line, (size_t)(end - line));
		to += end - line;
	}
	*to = '\0';
}

/* ---- as the views say ---- */


/* fd is closed. path: of this folder below topics/, n bytes of it so far */
static void
walk_folder(struct walk *w, int fd, char path[TOPIC_PATH_MAX + 16], size_t n)
{
	char topic[MOM_TOPIC_MAX + 1], *text;
	size_t bytes;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (d == NULL) {
		w->bad = errno;
		fdio_close(&fd);
		return;
	}
	if (n && (text = fdio_load(fd, "subscribers", &bytes, VIEW_MOST)) != NULL) {
		if (topic_from_path(path, topic) == 0 && pattern_fault(topic, strlen(topic)) == NULL)
			tell(w, topic, text);
		free(text);
	}
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		size_t len = strlen(e->d_name);
		if (e->d_name[0] == '.' || n + len + 2 > TOPIC_PATH_MAX || strcmp(e->d_name, "subscribers") == 0)
			continue;
		int below = fdio_open_at(fd, e->d_name, O_RDONLY | O_DIRECTORY, 0);
		if (below < 0)                         /* a file, or it was removed meanwhile */
			continue;
		sprintf(path + n, "%s%s", n ? "/" : "", e->d_name);
		walk_folder(w, below, path, n + (n > 0) + len);
		path[n] = '\0';
	}
	closedir(d);
}

/* ---- as a check-point says ---- */

struct lines { char *key, *text; size_t key_len, n, room; };         /* key: a topic or the bytes of a client's id */
struct listed { struct map topics, clients; int bad; };

static void
lines_add(struct listed *l, struct map *m, const void *key, size_t len, const char *line)
{
	struct lines *s = map_get(m, key, len);
	size_t n = strlen(line);
	if (s == NULL) {
		s = calloc(1, sizeof *s);
		char *copy = s ? malloc(len + 1) : NULL;
		l->bad |= copy == NULL || map_put(m, memcpy(copy, key, len), len, s) < 0;
		if (l->bad)
			return;
		copy[len] = '\0';
		*s = (struct lines){ .key = copy, .key_len = len };
	}
	if (s->room - s->n <= n) {
		char *grown = realloc(s->text, s->room = s->room * 2 + n + 64);
		l->bad |= grown == NULL;
		if (grown == NULL)
			return;
		s->text = grown;
	}
	memcpy(s->text + s->n, line, n + 1);
	s->n += n;
}

static int
listed_take(void *with, const void *bytes)
{
	struct listed *l = with;
	struct record r;
	char line[MOM_TOPIC_MAX + 100];
	record_get(&r, bytes);
	if ((r.type != REC_TOPIC && r.type != REC_LISTED) || pattern_fault(record_topic(bytes), r.topic_len))
		return 0;
	snprintf(line, sizeof line, "%016llx %u %016llx %s\n", (unsigned long long)r.publisher,
	    (uint32_t)(r.publisher >> 32), (unsigned long long)r.offset, r.flags & REC_F_NO_ECHO ? "no-echo" : "-");
	lines_add(l, &l->topics, record_topic(bytes), r.topic_len, r.type == REC_LISTED ? line : "");
	snprintf(line, sizeof line, "%s\n", record_topic(bytes));
	if (r.type == REC_LISTED)
		lines_add(l, &l->clients, &r.publisher, sizeof r.publisher, line);
	return -l->bad;
}

static void
lines_free(struct map *m)
{
	size_t at = 0;
	for (struct lines *s; (s = map_each(m, &at)) != NULL;) {
		free(s->key);
		free(s->text);
		free(s);
	}
	map_free(m);
}

static void
listed_free(struct listed *l)
{
	lines_free(&l->topics);
	lines_free(&l->clients);
}

/* -1: errno. A shard without a check-point has no topics yet. */
static int
listed_read(struct listed *l, int dir)
{
	uint64_t as_of;
	*l = (struct listed){ .bad = 0 };
	if (checkpoint_read(dir, &as_of, listed_take, l) >= 0)
		return 0;
	errno = l->bad ? ENOMEM : errno;
	listed_free(l);
	return -1;
}

static int
topics_listed(struct walk *w, int dir)
{
	struct listed l;
	size_t at = 0;
	if (listed_read(&l, dir) < 0)
		return -1;
	for (struct lines *s; (s = map_each(&l.topics, &at)) != NULL;)
		tell(w, s->key, s->text);
	listed_free(&l);
	return 0;
}

int
store_topics(const char *folder, uint32_t shards, store_topic_fn fn, void *with)
{
	char path[TOPIC_PATH_MAX + 16];
	struct walk w = { .fn = fn, .with = with };
	for (w.shard = 0; w.shard < shards; w.shard++) {
		int dir = shard_open(folder, w.shard);
		if (dir < 0 && errno == ENOENT)        /* not made yet */
			continue;
		if (dir < 0)
			return -1;
		path[0] = '\0';
		if (views_are_complete(dir))
			walk_folder(&w, fdio_open_at(dir, "topics", O_RDONLY | O_DIRECTORY, 0), path, 0);
		else if (topics_listed(&w, dir) < 0)
			w.bad = errno;
		fdio_close(&dir);
	}
	errno = w.bad;
	return w.bad ? -1 : 0;
}

/* What was read last is kept: it is asked for one client after the other. */
static struct listed *
listed_of(const char *folder, uint32_t shard, int dir)
{
	static struct listed kept[SHARDS_MAX];
	static char *whose[SHARDS_MAX];
	if (whose[shard] && strcmp(whose[shard], folder) == 0)
		return &kept[shard];
	if (whose[shard])
		listed_free(&kept[shard]);
	free(whose[shard]);
	whose[shard] = NULL;
	if (listed_read(&kept[shard], dir) < 0)
		return NULL;
	whose[shard] = strdup(folder);
	return &kept[shard];
}

/* a line a topic of this shard, malloc'd; NULL: errno, 0: none */
static char *
topics_of_client(const char *folder, uint32_t shard, uint64_t client)
{
	char name[40], *text = NULL;
	size_t n;
	int dir = shard_open(folder, shard);
	if (dir < 0) {
		errno = errno == ENOENT ? 0 : errno;
		return NULL;
	}
	snprintf(name, sizeof name, "sub/%016llx", (unsigned long long)client);
	if (views_are_complete(dir)) {
		text = fdio_load(dir, name, &n, VIEW_MOST);
		errno = text || errno == ENOENT ? 0 : errno;
	} else {
		struct listed *l = listed_of(folder, shard, dir);
		struct lines *s = l ? map_get(&l->clients, &client, sizeof client) : NULL;
		text = s ? strdup(s->text) : NULL;
		errno = l ? 0 : errno;
	}
	int keep = errno;
	if (text)
		drop_untold(shard, text);
	fdio_close(&dir);
	errno = keep;
	return text;
}

char *
store_topics_of(const char *folder, uint32_t shards, uint64_t client)
{
	char *all = NULL;
	size_t n = 0;
	for (uint32_t k = 0; k < shards; k++) {
		char *text = topics_of_client(folder, k, client);
		char *grown = text ? realloc(all, n + strlen(text) + 1) : NULL;
		if (grown) {
			all = grown;
			strcpy(all + n, text);
			n += strlen(text);
		} else if (errno) {
			int keep = errno;
			free(text);
			free(all);
			errno = keep;
			return NULL;
		}
		free(text);
	}
	errno = 0;
	return all;
}
