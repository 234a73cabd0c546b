/* views - see views.h */
#include "worker/views.h"
#include "common/clock.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/topic.h"
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
	for (char *rest = NULL, *level = strtok_r(part, "/", &rest); level && fd >= 0; level = strtok_r(NULL, "/", &rest)) {
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
	while (strchr(full, '/') && unlinkat(s->dir, full, AT_REMOVEDIR) == 0)     /* up to the first folder that is still in use */
		*strrchr(full, '/') = '\0';
	return 0;
}

/* text: those of `now` that the file does not have yet */
static int
views_write(int dir, const char *name, struct view *v, size_t now, const char *text, size_t n)
{
	int fd = v->listed ? fdio_open_at(dir, name, O_WRONLY, 0) : -1;
	int bad = v->listed ? fd < 0 || fdio_pwrite_full(fd, text, n, v->bytes) < 0 : fdio_replace(dir, name, text, n, 0) < 0;
	v->bytes = v->listed ? v->bytes + n : n;
	v->listed = bad ? 0 : now;
	fdio_close(&fd);
	return bad ? -1 : 0;
}

static int
views_topic(struct shard *s, struct topic *t)
{
	char path[TOPIC_PATH_MAX], *text = NULL;
	size_t n = 0, left = t->subscribers - t->view.listed;
	topic_path(t->name, t->len, path);
	if (t->subscriptions == NULL && !t->kept)
		return views_drop_topic(s, path);
	FILE *f = open_memstream(&text, &n);
	if (f == NULL)
		return -1;
	for (struct subscription *sub = t->subscriptions; sub && left > 0; sub = sub->next_of_topic, left--)
		fprintf(f, "%016llx %u %016llx %s\n", (unsigned long long)sub->client->id, sub->client->machine->serial,
		    (unsigned long long)sub->since, sub->flags & REC_F_NO_ECHO ? "no-echo" : "-");
	fclose(f);
	int fd = views_open_folder(s, path, 1);
	int bad = fd < 0 ? -1 : views_write(fd, "subscribers", &t->view, t->subscribers, text, n);
	fdio_close(&fd);
	free(text);
	return bad;
}

static int
views_client(struct shard *s, struct client *c)
{
	char name[40], *text = NULL;
	size_t n = 0, left = c->subscribed - c->view.listed;
	snprintf(name, sizeof name, "sub/%016llx", (unsigned long long)c->id);
	if (c->gone && shard_client(s, c->id))         /* created again meanwhile: the file is the other one's */
		return 0;
	if (c->gone || c->subscriptions == NULL)
		return unlinkat(s->dir, name, 0) < 0 && errno != ENOENT ? -1 : 0;
	FILE *f = open_memstream(&text, &n);
	if (f == NULL)
		return -1;
	for (struct subscription *sub = c->subscriptions; sub && left > 0; sub = sub->next_of_client, left--)
		fprintf(f, "%s\n", sub->topic->name);
	fclose(f);
	int bad = views_write(s->dir, name, &c->view, c->subscribed, text, n);
	free(text);
	return bad;
}

/* Topics before clients: a client is clean only when all of its topics are. */
int
views_update(struct shard *s, int64_t within_us)
{
	int bad = 0, error = 0;
	for (enum dirty list = DIRTY_NOW; list < DIRTY_KINDS; list++) {
		int64_t until = list == DIRTY_NOW || s->dirty_clients[list] == NULL ? INT64_MAX : clock_us() + within_us;
		int now = 1;
		for (struct topic *t; now && (t = shard_next_topic(s, list)) != NULL; now = until == INT64_MAX || clock_us() < until) {
			bad |= views_topic(s, t) < 0 && (error = errno);
			shard_topic_is_clean(s, t);
		}
		for (struct client *c; now && (c = shard_next_client(s, list)) != NULL; now = until == INT64_MAX || clock_us() < until) {
			bad |= views_client(s, c) < 0 && (error = errno);
			shard_client_is_clean(s, c);
		}
	}
	errno = error;
	return bad ? -1 : s->dirty_clients[DIRTY_LATER] != NULL;
}

static int
views_remove_tree(int dir, const char *name)
{
	int fd = fdio_open_at(dir, name, O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (d == NULL)
		return errno == ENOENT ? 0 : -1;
	int bad = 0;
	for (struct dirent *e; !bad && (e = readdir(d)) != NULL;) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, e->d_name, 0) < 0)
			bad = errno == EISDIR || errno == EPERM ? views_remove_tree(fd, e->d_name) : -1;
	}
	closedir(d);
	return bad || (unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT) ? -1 : 0;
}

int
views_rebuild(struct shard *s)
{
	size_t at = 0;
	if (views_remove_tree(s->dir, "topics") < 0 || views_remove_tree(s->dir, "sub") < 0 || mkdirat(s->dir, "topics", 0700) < 0 ||
	    mkdirat(s->dir, "sub", 0700) < 0)
		return -1;
	for (struct topic *t; (t = map_each(&s->topics, &at)) != NULL;) {
		t->view.listed = 0;
		if ((t->kept || t->subscriptions) && views_topic(s, t) < 0)
			return -1;
	}
	at = 0;
	for (struct client *c; (c = map_each(&s->clients, &at)) != NULL;) {
		c->view.listed = 0;
		if (views_client(s, c) < 0)
			return -1;
	}
	return 0;
}
