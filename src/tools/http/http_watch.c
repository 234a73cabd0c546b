/* http_watch - a sample each second of all that the servers count, what that is a second, and the last five minutes of
 * it; a part of mom_http
 *
 * Each sample looks anew at what runs here: a server that was restarted has other System V objects, and nothing has to
 * notice that. */
#include "base/clock.h"
#include "base/fdio.h"
#include "base/proc.h"
#include "tools/http/http.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { DISK_MS = 10000, DISK_DEPTH = 4 };

int
watch_alive(uint32_t pid, const char *program)
{
	char text[200], name[16];
	const char *state = proc_stat((pid_t)pid, text, sizeof text, name);
	return state && *state != 'Z' && *state != 'X' && strncmp(name, program, sizeof name - 1) == 0;
}

/* ---- how large what it keeps is ---- */

/* used: on the disk; data: of these, what is written. Files are made as large as they will be, and some wait empty. */
struct disk_bytes { uint64_t used, data; };

static void
folder_bytes(struct disk_bytes *b, int at, const char *name, int depth)
{
	int fd = fdio_open_at(at, name, O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (d == NULL) {
		fdio_close(&fd);
		return;
	}
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		struct stat st;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		    fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		uint64_t used = (uint64_t)st.st_blocks * 512, size = (uint64_t)st.st_size;
		if (S_ISREG(st.st_mode)) {
			b->used += used;
			b->data += strncmp(e->d_name, "spare-", 6) == 0 ? 0 : size < used ? size : used;
		} else if (S_ISDIR(st.st_mode) && depth > 0 && strcmp(e->d_name, "topics") != 0 &&
		    strncmp(e->d_name, "old-", 4) != 0)        /* many small views */
			folder_bytes(b, fd, e->d_name, depth - 1);
	}
	closedir(d);
}

static void
disk_look(struct watch_server *v, const struct look_server *s, int64_t now)
{
	struct statvfs fs;
	if (now < v->disk_ms || s->files[0] == '\0')
		return;
	v->disk_ms = now + DISK_MS;
	struct disk_bytes b = { 0, 0 };
	folder_bytes(&b, AT_FDCWD, s->files, DISK_DEPTH);
	v->disk_used = b.used;
	v->disk_data = b.data;
	v->disk_free = statvfs(s->files, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : 0;
}

/* ---- rates ---- */

static void
pages_look(struct watch_server *v, const struct look_server *s, double seconds)
{
	uint32_t used = look_pages(s);
	if (used > v->pages) {
		struct watch_page *p = realloc(v->page, used * sizeof *p);
		if (p == NULL)
			used = v->pages;
		else {
			v->page = p;
			memset(p + v->pages, 0, (used - v->pages) * sizeof *p);
		}
	}
	v->pages = used;
	for (uint32_t i = 0; i < used; i++) {
		struct watch_page *p = &v->page[i];
		const struct counters *c = counters_page(s->counters, i);
		uint32_t owner = atomic_load(&c->owner);
		if (owner != p->owner)
			memset(p->total, 0, sizeof p->total);
		p->owner = owner;
		p->pid = atomic_load(&c->pid);
		for (int f = 0; f < FLOWS; f++) {
			uint64_t total = flow_of(c, (enum flow)f);
			p->rate[f] = flow_rate(total, p->total[f], seconds);
			p->total[f] = total;
		}
	}
}

static void
topic_look(struct watch_topic *t, const struct busy_topics *b, uint32_t row, uint32_t shard, double seconds)
{
	struct busy_topic now;
	if (!counters_topic(b, row, &now)) {
		t->name[0] = '\0';
		return;
	}
	int same = strcmp(t->name, now.name) == 0;
	t->rate = flow_rate(now.messages, same ? t->messages : 0, seconds);
	t->byte_rate = flow_rate(now.bytes, same ? t->bytes : 0, seconds);
	t->messages = now.messages;
	t->bytes = now.bytes;
	t->shard = shard;
	memcpy(t->name, now.name, sizeof t->name);
}

static void
topics_look(struct watch_server *v, const struct look_server *s, double seconds)
{
	uint32_t shards = s->counters && s->broker ? s->counters->shards : 0;
	if (shards > SHARDS_MAX)
		shards = 0;
	if (v->topics != shards * BUSY_ROWS) {
		free(v->topic);
		v->topic = shards ? calloc((size_t)shards * BUSY_ROWS, sizeof *v->topic) : NULL;
		v->topics = v->topic ? shards * BUSY_ROWS : 0;
	}
	for (uint32_t i = 0; i < v->topics; i++)
		topic_look(&v->topic[i], counters_busy(s->counters, i / BUSY_ROWS), i % BUSY_ROWS, i / BUSY_ROWS,
		    seconds);
}

/* What a broker's machines gave and got, or a daemon's programs, each message once: what a worker takes and a sender
 * sends, or what a requester sends and a forwarder puts into mail boxes. */
static void
totals_add(struct watch_server *v, enum counter_role role, const struct watch_page *p)
{
	for (int f = 0; f < FLOWS; f++) {
		int is_in = f == FLOW_IN || f == FLOW_BYTES_IN, from = f;
		if (role == ROLE_REQUESTER && is_in)
			from = f == FLOW_IN ? FLOW_OUT : FLOW_BYTES_OUT;
		else if (is_in ? role != ROLE_WORKER : role != ROLE_SENDER && role != ROLE_FORWARDER)
			continue;
		v->total[f] += p->total[from];
		v->rate[f] += p->rate[from];
	}
}

static void
totals_look(struct watch_server *v, const struct look_server *s)
{
	memset(v->total, 0, sizeof v->total);
	memset(v->rate, 0, sizeof v->rate);
	for (uint32_t i = 0; i < v->pages; i++)
		totals_add(v, (enum counter_role)atomic_load(&counters_page(s->counters, i)->role), &v->page[i]);
}

/* known: there was a sample before, so the rates are more than a beginning */
static void
moment_keep(struct watch_server *v, int known)
{
	if (v->moment == NULL && (v->moment = calloc(HTTP_HISTORY, sizeof *v->moment)) == NULL)
		return;
	struct watch_moment *m = &v->moment[v->next];
	m->wall_ms = clock_wall_us() / 1000;
	for (int f = 0; f < FLOWS; f++)
		m->flow[f] = known ? (float)v->rate[f] : -1;
	for (uint32_t i = 0; i < HTTP_LINES; i++)
		m->line[i] = known && i < v->pages && v->page[i].pid
		    ? (float)(v->page[i].rate[FLOW_IN] + v->page[i].rate[FLOW_OUT]) : -1;
	v->next = (v->next + 1) % HTTP_HISTORY;
	v->moments += v->moments < HTTP_HISTORY;
}

/* ---- which servers there are ---- */

static void
server_free(struct watch_server *v)
{
	free(v->page);
	free(v->topic);
	free(v->moment);
}

/* What is known of them from before, in the order of the look; those that are gone are forgotten. */
static int
servers_match(struct watch *w)
{
	struct watch_server *now = calloc(w->look->count + 1, sizeof *now);
	if (now == NULL)
		return -1;
	for (size_t i = 0; i < w->look->count; i++) {
		const struct look_server *s = &w->look->server[i];
		for (size_t k = 0; k < w->count && !now[i].seen; k++)
			if (!w->server[k].seen && w->server[k].is_broker == s->is_broker &&
			    strcmp(w->server[k].run, s->run) == 0) {
				now[i] = w->server[k];
				w->server[k].seen = now[i].seen = 1;
			}
		snprintf(now[i].run, sizeof now[i].run, "%s", s->run);
		now[i].is_broker = s->is_broker;
	}
	for (size_t k = 0; k < w->count; k++)
		if (!w->server[k].seen)
			server_free(&w->server[k]);
	free(w->server);
	w->server = now;
	w->count = w->look->count;
	return 0;
}

static void
server_look(struct watch_server *v, const struct look_server *s, double seconds, int64_t now)
{
	if (v->pid != s->pid || s->counters == NULL)
		v->pages = 0;                            /* another process: all its pages are new */
	double since = v->pages ? seconds : 0;
	v->seen = 0;
	v->pid = s->pid;
	pages_look(v, s, since);
	topics_look(v, s, since);
	totals_look(v, s);
	disk_look(v, s, now);
	moment_keep(v, since > 0);
}

void
watch_take(struct watch *w, int64_t now)
{
	double seconds = (double)(now - w->taken_ms) / 1000;
	struct look *fresh = look_all(w->folder, w->run);
	if (w->look)
		look_free(w->look);
	w->look = fresh;
	w->sample++;
	w->taken_ms = now;
	w->wall_us = clock_wall_us();
	if (fresh == NULL || servers_match(w) < 0) {
		look_free(fresh);
		w->look = NULL;
		for (size_t i = 0; i < w->count; i++)
			w->server[i].seen = 0;
		return;
	}
	for (size_t i = 0; i < w->count; i++)
		server_look(&w->server[i], &w->look->server[i], seconds, now);
}

int64_t
watch_due(const struct watch *w)
{
	return w->taken_ms + (w->look && w->look->count ? HTTP_SAMPLE_MS : HTTP_EMPTY_MS);
}

/* ---- questions ---- */

/* The first shard that is not served; -1: all are. */
static int
broker_lacks(const struct look_server *s, const char **what)
{
	uint32_t shards = s->broker->shards < SHARDS_MAX ? s->broker->shards : SHARDS_MAX;
	for (uint32_t i = 0; i < shards; i++) {
		const struct counters *c = s->counters ? counters_page(s->counters, COUNTERS_WORKER(i)) : NULL;
		int lives = c == NULL || watch_alive(atomic_load(&c->pid), "worker"),
		    ready = (int)atomic_load(&s->broker->shard[i].ready);
		*what = !lives ? "does not run" : !ready ? "is not ready" : "refuses publishes: --store-max is used up";
		if (!lives || !ready || atomic_load(&s->broker->shard[i].full))
			return (int)i;
	}
	return -1;
}

/* 1: a process of the server is stopped; why says which */
static int
health_stopped(const struct look_server *s, const char *kind, char *why, size_t n)
{
	struct look_process p;
	char name[80];
	uint32_t page = 0;
	if (!look_stopped(s, &page, &p))
		return 0;
	look_process_name(&p, name, sizeof name);
	snprintf(why, n, "%s %s: %s (process %d) is stopped", kind, s->run, name, (int)p.pid);
	return 1;
}

int
watch_health(const struct look_server *s, char *why, size_t n)
{
	const char *kind = s->is_broker ? "broker" : "daemon", *what;
	if (s->pid == 0)
		snprintf(why, n, "%s %s does not run", kind, s->run);
	else if (s->broker == NULL && s->machine == NULL)
		snprintf(why, n, "%s %s: %s", kind, s->run, s->why);
	else if (s->is_broker) {
		int shard = broker_lacks(s, &what);
		if (shard < 0)
			return !health_stopped(s, kind, why, n);
		snprintf(why, n, "broker %s: the worker of shard %d %s", s->run, shard, what);
	} else {
		/* requester and responser live as long as the connection */
		const struct counters *c = s->counters ? counters_page(s->counters, COUNTERS_UNIT(UNIT_REQUESTER))
		    : NULL;
		if (c == NULL || watch_alive(atomic_load(&c->pid), "mom_requester"))
			return !health_stopped(s, kind, why, n);
		snprintf(why, n, "daemon %s is not connected to its broker %s%s%s", s->run, s->address,
		    s->trouble[0] ? ": " : "", s->trouble);
	}
	return 0;
}
