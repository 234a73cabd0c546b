/* look - see look.h */
#include "look/look.h"
#include "ipc/about.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/lock.h"
#include "ipc/registry.h"
#include "ipc/rundir.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- one server ---- */

static const void *
look_attach(struct look_server *s, const struct registry_object *o)
{
	const void *p = ipcq_attach_to_read(o->id);
	if (p == NULL && s->why[0] == '\0')
		snprintf(s->why, sizeof s->why, "%s: shmat: %s%s", o->role, strerror(errno),
		    errno == EACCES ? ": run this as the server's user, or as root" : "");
	return p;
}

static void
look_denied(struct look_server *s, const char *what)
{
	if (errno == EACCES && s->why[0] == '\0')
		snprintf(s->why, sizeof s->why, "%s: %s: run this as the server's user, or as root", what,
		    strerror(errno));
}

/* What cannot be right is not shown: a table of another build. */
static void
look_attach_all(struct look_server *s, int dir)
{
	struct registry_object *objects = NULL;
	struct stat st;
	int n = fstat(dir, &st) < 0 ? -1 : registry_read(dir, &objects);
	if (n < 0)
		look_denied(s, "registry");
	for (int i = 0; i < n; i++) {
		const struct registry_object *o = &objects[i];
		if (o->kind != REGISTRY_SHM)
			continue;
		/* an object of somebody else's making is not believed to be the server's */
		if (!registry_exists_of(o, st.st_uid)) {
			look_denied(s, o->role);
			continue;
		}
		if (strcmp(o->role, "counters") == 0)
			s->counters = look_attach(s, o);
		else if (strcmp(o->role, "broker-table") == 0 && s->is_broker)
			s->broker = look_attach(s, o);
		else if (strcmp(o->role, "machine-table") == 0 && !s->is_broker)
			s->machine = look_attach(s, o);
	}
	free(objects);
	if (s->counters && (s->counters->magic != MAGIC_COUNTERS || s->counters->layout != COUNTERS_LAYOUT)) {
		snprintf(s->why, sizeof s->why, "the server is of another version than this tool: restart it, or use "
		    "its own tools");
		ipcq_detach(s->broker);
		ipcq_detach(s->machine);
		ipcq_detach(s->counters);
		s->broker = NULL;
		s->machine = NULL;
		s->counters = NULL;
	}
	if (s->counters == NULL && (s->broker || s->machine) && s->why[0] == '\0') {
		/* they say which version the tables are of */
		snprintf(s->why, sizeof s->why, "it has no counters: it is of an older version than this tool, or the "
		    "kernel had no segment left for them (kernel.shmmni)");
		ipcq_detach(s->broker);
		ipcq_detach(s->machine);
		s->broker = NULL;
		s->machine = NULL;
	}
	if ((s->is_broker ? (const void *)s->broker : (const void *)s->machine) == NULL && s->why[0] == '\0')
		snprintf(s->why, sizeof s->why, "it left nothing behind to look at");
}

static int
look_has(const struct look *l, const struct about *a)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->server[i].is_broker == a->is_broker && strcmp(l->server[i].run, a->run) == 0)
			return 1;
	return 0;
}

/* 1: the folder has a server, or had one. 0: why not */
static int
look_about(const char *path, int dir, struct about *a, const char **why)
{
	static char denied[700];
	if (dir < 0)
		*why = errno == EACCES ? rundir_denied(path, denied, sizeof denied) : strerror(errno);
	else
		*why = !rundir_is_trusted(dir) ? "it belongs to another user and is not trusted"
		    : about_read(dir, a) == 0 ? NULL : lock_is_taken(dir, "lock") == 1
		    ? "a server is starting there: its log says what it waits for" : "no server runs there";
	return *why == NULL;
}

static void
look_tried(struct look *l, const char *path, const char *why)
{
	size_t used = strlen(l->tried);
	snprintf(l->tried + used, sizeof l->tried - used, "%s%s: %s", used ? "; " : "", path, why);
}

static void
look_trouble(struct look_server *s, int dir)
{
	size_t n;
	char *text = s->is_broker ? NULL : fdio_load(dir, "trouble", &n, sizeof s->trouble - 1);
	snprintf(s->trouble, sizeof s->trouble, "%s", text ? text : "");
	free(text);
}

/* The folder's server, where it has one; else *why. -1: no memory */
static int
look_folder(struct look *l, const char *path, const char **why)
{
	struct about a;
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), files, r = 0;
	if (!look_about(path, dir, &a, why) || look_has(l, &a)) {
		fdio_close(&dir);
		return 0;
	}
	struct look_server *grown = realloc(l->server, (l->count + 1) * sizeof *grown);
	if (grown == NULL)
		r = -1;
	else {
		struct look_server *s = &grown[l->count];
		l->server = grown;
		*s = (struct look_server){ .is_broker = a.is_broker };
		memcpy(s->run, a.run, sizeof s->run);
		memcpy(s->files, a.files, sizeof s->files);
		memcpy(s->address, a.address, sizeof s->address);
		files = open(a.is_broker ? a.files : a.run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (files < 0)
			snprintf(s->why, sizeof s->why, "%.150s: %s", a.files, strerror(errno));
		else
			look_attach_all(s, files);
		look_trouble(s, dir);
		int taken = lock_is_taken(files < 0 ? dir : files, "lock");
		s->pid = taken || (errno == EACCES && (kill(a.pid, 0) == 0 || errno == EPERM)) ? a.pid : 0;
		fdio_close(&files);
		if (s->pid || s->counters)
			l->count++;
		else
			*why = "no server runs there";
	}
	fdio_close(&dir);
	return r;
}

/* ---- all of them ---- */

static int
look_root(struct look *l, const char *root)
{
	char path[PATH_MAX];
	const char *why, *below;
	size_t before = l->count;
	int r = look_folder(l, root, &why);
	DIR *d = opendir(root);
	for (struct dirent *e; d && r == 0 && (e = readdir(d)) != NULL;)
		if (strncmp(e->d_name, "run-", 4) == 0 && snprintf(path, sizeof path, "%s/%s", root,
		    e->d_name) < (int)sizeof path) {
			r = look_folder(l, path, &below);
			if (below && access(path, R_OK | X_OK) < 0 && errno == EACCES) {
				look_tried(l, path, below);    /* one is there, for others */
				why = NULL;
			}
		}
	if (d)
		closedir(d);
	if (why && l->count == before)
		look_tried(l, root, why);
	return r;
}

struct look *
look_all(const char *folder, const char *run)
{
	struct look *l = calloc(1, sizeof *l);
	char root[PATH_MAX];
	const char *why = NULL;
	if (l == NULL)
		return NULL;
	int r = folder ? look_folder(l, folder, &why) : run ? look_folder(l, run, &why) : 0;
	if (why)
		look_tried(l, folder ? folder : run, why);
	for (int i = 0; folder == NULL && i < RUNDIR_ROOTS && r == 0; i++) {
		rundir_root(i, root);
		r = root[0] ? look_root(l, root) : 0;
	}
	if (r == 0)
		return l;
	look_free(l);
	return NULL;
}

void
look_free(struct look *l)
{
	for (size_t i = 0; l && i < l->count; i++) {
		ipcq_detach(l->server[i].broker);
		ipcq_detach(l->server[i].machine);
		ipcq_detach(l->server[i].counters);
	}
	if (l)
		free(l->server);
	free(l);
}

/* ---- clients ---- */

/* Its ring's tail is moved late; its answers say sooner that nothing is on its way. */
static int
look_all_answered(const struct client_segment *seg)
{
	uint32_t shards = atomic_load(&seg->shards);
	for (uint32_t k = 0; k < shards && k < SHARDS_MAX; k++)
		if (atomic_load(&seg->answer[k].acked) + 1 < atomic_load(&seg->next[k]))
			return 0;
	return shards > 0;
}

/* Messages in a mail box that are not acknowledged. */
static void
look_mail(const struct client_segment *seg, const struct ring *mail, uint64_t ring, struct look_client *c)
{
	struct ring_reader r;
	int broken;
	char *buffer = malloc(ring);
	uint64_t tail = atomic_load(&mail->tail);
	ring_reader_init(&r, mail, ring, tail);
	for (const char *p; buffer && r.at - tail < ring && (p = ring_copy(&r, buffer, ring, &broken)) != NULL;) {
		uint16_t shard = get_u16(p + 14);
		if (shard >= SHARDS_MAX || get_u64(p + 16) <= atomic_load(&seg->acked[shard]))
			continue;
		c->waiting++;
		c->waiting_bytes += record_stride(get_u32(p));
		if (c->oldest_us == 0)
			c->oldest_us = (int64_t)get_u64(p + 24);
	}
	free(buffer);
}

static void
look_segment(int id, struct look_client *c)
{
	const struct client_segment *seg = ipcq_attach_to_read(id);
	uint64_t ring = seg ? client_ring(ipcq_bytes(id)) : 0;
	if (ring) {
		const struct ring *requests = client_requests((struct client_segment *)(uintptr_t)seg),
		    *mail = client_mail((struct client_segment *)(uintptr_t)seg, ring);
		c->request_bytes = atomic_load(&requests->head) - atomic_load(&requests->tail);
		c->mail_bytes = atomic_load(&mail->head) - atomic_load(&mail->tail);
		c->request_bytes = c->request_bytes > ring || look_all_answered(seg) ? 0 : c->request_bytes;
		c->mail_bytes = c->mail_bytes > ring ? 0 : c->mail_bytes;
		c->cut = atomic_load(&seg->cuts) != atomic_load(&seg->cuts_told);
		if (c->state == SLOT_LIVE)             /* else all of it is in the spool */
			look_mail(seg, mail, ring, c);
	}
	ipcq_detach(seg);
}

uint64_t
look_oldest(const struct look_client *c)
{
	int64_t now = clock_wall_us();
	return c->waiting && now > c->oldest_us ? (uint64_t)(now - c->oldest_us) / 1000000 : 0;
}

int
look_client(const struct look_server *s, uint32_t i, struct look_client *c)
{
	const struct machine_table *t = s->machine;
	if (t == NULL || i >= t->capacity || i >= atomic_load(&t->slots))
		return -1;
	const struct slot_word *w = &t->slot[i];
	*c = (struct look_client){ .slot = i, .state = atomic_load(&w->state), .id = atomic_load(&w->id),
	    .durable = atomic_load(&w->durable) != 0,
		.pid = (pid_t)atomic_load(&w->pid), .uid = atomic_load(&w->uid) };
	memcpy(c->name, w->name, sizeof c->name);
	c->name[sizeof c->name - 1] = '\0';
	const struct slot_topics *topics = machine_topics(t);
	if (topics) {
		c->subscriptions = atomic_load(&topics[i].subscriptions);
		memcpy(c->topics, topics[i].names, sizeof c->topics);
		c->topics[sizeof c->topics - 1] = '\0';
	}
	if (c->state == SLOT_FREE)
		return 0;
	look_segment(atomic_load(&w->segment), c);
	int64_t since = (int64_t)atomic_load(&w->spooled_since);
	c->waiting += atomic_load(&w->spooled);
	c->behind = atomic_load(&w->spooled) > 0;      /* the client's own word also says where there is nothing */
	c->waiting_bytes += atomic_load(&w->spooled_bytes);
	if (since && (c->oldest_us == 0 || since < c->oldest_us))
		c->oldest_us = since;
	return 1;
}
