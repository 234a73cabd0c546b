/* views - see views.h */
#include "worker/views.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/log.h"
#include "base/sealed.h"
#include "format/topic.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* the folder of a topic below s->dir, made where it is missing */
static int
views_open_folder(struct shard *s, const char *path, int make)
{
	char part[TOPIC_PATH_MAX + 16];
	int fd = fdio_open_at(s->dir, "topics", O_RDONLY | O_DIRECTORY, 0);
	snprintf(part, sizeof part, "%s", path);
	for (char *rest = NULL, *level = strtok_r(part, "/", &rest); level &&
	    fd >= 0; level = strtok_r(NULL, "/", &rest)) {
		if (make && mkdirat(fd, level, 0700) < 0 && errno != EEXIST) {
			fdio_close(&fd);
			return -1;
		}
		int next = fdio_open_at(fd, level, O_RDONLY | O_DIRECTORY, 0);
		close(fd);
		fd = next;
	}
	return fd;
}

static int
views_drop_topic(struct shard *s, char *path)
{
	int fd = views_open_folder(s, path, 0);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	if (unlinkat(fd, "subscribers", 0) < 0 && errno != ENOENT) {
		close(fd);
		return -1;
	}
	close(fd);
	char full[TOPIC_PATH_MAX + 16];
	snprintf(full, sizeof full, "topics/%s", path);
	/* up to the first folder that is still in use */
	while (strchr(full, '/') && unlinkat(s->dir, full, AT_REMOVEDIR) == 0)
		*strrchr(full, '/') = '\0';
	return 0;
}

/* text: those of `now` that the file does not have yet */
static int
views_write(int dir, const char *name, struct view *v, size_t now, const char *text, size_t n)
{
	int fd = v->listed ? fdio_open_at(dir, name, O_WRONLY, 0) : -1;
	int bad = v->listed ? fd < 0 || fdio_pwrite_full(fd, text, n, v->bytes) < 0
	    : fdio_replace(dir, name, text, n, 0) < 0;
	v->made = 1;
	v->bytes = v->listed ? v->bytes + n : n;
	v->listed = bad ? 0 : now;
	fdio_close(&fd);
	return bad ? -1 : 0;
}

static int
views_topic(struct shard *s, struct topic *t)
{
	char path[TOPIC_PATH_MAX], *text = NULL;
	size_t n = 0, left = t->subscribed.count - t->view.listed;
	topic_path(t->subscribed.name, t->subscribed.len, path);
	if (t->subscribed.first == NULL && !t->kept) {
		int bad = t->view.made ? views_drop_topic(s, path) : 0;
		t->view.made = 0;
		return bad;
	}
	FILE *f = open_memstream(&text, &n);
	if (f == NULL)
		return -1;
	for (struct subscription *sub = t->subscribed.first; sub && left > 0; sub = sub->next_of_topic, left--)
		fprintf(f, "%016llx %u %016llx %s\n", (unsigned long long)sub->of.client->id,
		    (unsigned)(sub->of.client->id >> 32), (unsigned long long)sub->since,
		    sub->flags & REC_F_NO_ECHO ? "no-echo" : "-");
	fclose(f);
	int fd = views_open_folder(s, path, 1);
	int bad = fd < 0 ? -1 : views_write(fd, "subscribers", &t->view, t->subscribed.count, text, n);
	fdio_close(&fd);
	free(text);
	return bad;
}

static int
views_client(struct shard *s, struct client *c)
{
	char name[40], *text = NULL;
	size_t n = 0, left = c->subscriber.count - c->view.listed;
	snprintf(name, sizeof name, "sub/%016llx", (unsigned long long)c->subscriber.id);
	if (c->gone || c->subscriber.first == NULL) {
		const struct client *other = c->gone ? shard_client(s, c->subscriber.id) : NULL;
		int is_own = c->view.made && !(other && other->view.made);     /* it may be created again meanwhile */
		c->view.made = 0;
		return is_own && unlinkat(s->dir, name, 0) < 0 && errno != ENOENT ? -1 : 0;
	}
	FILE *f = open_memstream(&text, &n);
	if (f == NULL)
		return -1;
	for (struct subscription *sub = c->subscriber.first; sub && left > 0; sub = sub->next_of_client, left--)
		fprintf(f, "%s\n", sub->of.topic->name);
	fclose(f);
	int bad = views_write(s->dir, name, &c->view, c->subscriber.count, text, n);
	free(text);
	return bad;
}

/* ---- what was there before ---- */

/* 1: the time is over */
static int
views_remove_tree(int dir, const char *name, int64_t until)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	int fd = fdio_open_at(dir, name, O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (d == NULL) {
		fdio_close(&fd);
		return -1;
	}
	int r = 0;
	for (struct dirent *e; r == 0 && (e = readdir(d)) != NULL;) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		r = views_remove_tree(fd, e->d_name, until);
		r = r == 0 && clock_us() >= until ? 1 : r;
	}
	closedir(d);
	return r ? r : unlinkat(dir, name, AT_REMOVEDIR);
}

static void
views_remove_set_aside(struct shard *s, int64_t until)
{
	int fd = fdio_open_at(s->dir, ".", O_RDONLY | O_DIRECTORY, 0), r = fd < 0 ? -1 : 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	for (struct dirent *e; d && r == 0 && (e = readdir(d)) != NULL;)
		if (strncmp(e->d_name, "old-topics-", 11) == 0 || strncmp(e->d_name, "old-sub-", 8) == 0)
			r = views_remove_tree(s->dir, e->d_name, until);
	if (r < 0)
		log_warn("shard %u: removing the views of before, old-topics-* and old-sub-*: %s: tried again at the "
		    "next start; %s", s->index, strerror(errno), fdio_hint(errno));
	s->views.set_aside = r == 1;
	if (d)
		closedir(d);
}

/* Under another name in one step: whoever was destroyed is in no view any more, however many there are. */
static int
views_set_aside(struct shard *s, const char *name)
{
	char aside[40];
	int r = -1, taken = 1;
	for (int i = 0; r < 0 && taken && i < 1000; i++) {
		snprintf(aside, sizeof aside, "old-%s-%d", name, i);
		r = renameat(s->dir, name, s->dir, aside);
		taken = errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR || errno == EISDIR;
	}
	s->views.set_aside = 1;
	return r < 0 && errno != ENOENT ? -1 : 0;
}

/* ---- all of them ---- */

static void
views_say(struct shard *s, const char *word)
{
	char text[64];
	int n = snprintf(text, sizeof text - SEAL_BYTES - 1, "mom views 1 %s\n", word);
	if (sealed_save(s->dir, "views", text, (size_t)n, 0) < 0)
		log_warn("shard %u: views: %s: that they are %s is not told; %s", s->index, strerror(errno), word,
		    fdio_hint(errno));
	s->views.complete = 1;
}

static int
views_are_not_complete(struct shard *s)
{
	s->views.complete = 0;
	return unlinkat(s->dir, "views", 0) < 0 && errno != ENOENT ? -1 : 0;
}

static void
views_failed(struct shard *s)
{
	log_warn("shard %u: writing the views: %s: all of them are made anew in %d s; %s", s->index, strerror(errno),
	    VIEWS_RETRY_MS / 1000, fdio_hint(errno));
	s->views.kept = 0;
	s->views.retry_ms = clock_ms() + VIEWS_RETRY_MS;
	views_are_not_complete(s);
	views_set_aside(s, "topics");
	views_set_aside(s, "sub");
}

static void
views_of_all(struct shard *s)
{
	size_t at = 0;
	for (struct topic *t; (t = map_each(&s->table.topics, &at)) != NULL;) {
		t->view.made = 0;
		t->view.listed = 0;
		if (s->views.kept && (t->kept || t->subscribed.first))
			shard_mark(s, &t->view, DIRTY_LATER);
	}
	at = 0;
	for (struct client *c; (c = map_each(&s->table.clients, &at)) != NULL;) {
		c->view.made = c->left = 0;
		c->view.listed = 0;
		if (s->views.kept && c->subscriber.first)
			shard_mark(s, &c->view, DIRTY_LATER);
	}
}

void
views_begin(struct shard *s, int keep)
{
	s->views = (struct views_state){ .wanted = keep, .kept = keep };
	int bad = views_are_not_complete(s) < 0 || views_set_aside(s, "topics") < 0 || views_set_aside(s, "sub") < 0;
	if (bad || (keep && (mkdirat(s->dir, "topics", 0700) < 0 || mkdirat(s->dir, "sub", 0700) < 0)))
		views_failed(s);
	else if (!keep)
		views_say(s, "off");
	views_of_all(s);
}

int
views_are_behind(const struct shard *s)
{
	return s->dirty[DIRTY_LEFT].first || s->dirty[DIRTY_LATER].first || s->views.set_aside;
}

static int
views_write_one(struct shard *s, struct view *v)
{
	return v->is_client ? views_client(s, view_client(v)) : views_topic(s, view_topic(v));
}

/* one at least, however long it takes: none of the queues waits for ever */
static void
views_steps(struct shard *s, enum dirty queue, int64_t until)
{
	struct view *v = shard_next_dirty(s, queue);
	for (; v; v = clock_us() < until ? shard_next_dirty(s, queue) : NULL) {
		if (s->views.kept && views_write_one(s, v) < 0)
			views_failed(s);
		shard_is_clean(s, v);
	}
}

void
views_update(struct shard *s, int64_t within_us)
{
	int64_t began = clock_us(), until = began + within_us;
	views_steps(s, DIRTY_LEFT, began + within_us / 2);
	if (s->views.set_aside)                        /* before new ones are made: there may be no room for both */
		views_remove_set_aside(s, until);
	else
		views_steps(s, DIRTY_LATER, until);
	views_steps(s, DIRTY_LEFT, until);
	if (views_are_behind(s))
		return;
	s->views.behind = 0;
	if (s->views.kept && !s->views.complete)
		views_say(s, "complete");
}

void
views_tick(struct shard *s)
{
	if (s->views.retry_ms && clock_ms() >= s->views.retry_ms)
		views_begin(s, s->views.wanted);
	else if (s->views.behind && s->views.kept && s->views.complete)
		views_are_not_complete(s);
	s->views.behind = views_are_behind(s);
}

void
views_end(struct shard *s)
{
	if (s->views.kept && views_are_behind(s))
		views_are_not_complete(s);
}
