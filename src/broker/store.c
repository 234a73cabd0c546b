/* store - see store.h */
#include "broker/store.h"
#include "base/fdio.h"
#include "base/lock.h"
#include "base/log.h"
#include "server/names.h"
#include "ipc/rundir.h"
#include "log/store_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

static int
store_identity_write(struct store *s)
{
	struct store_file f = { .shards = s->shards, .message = s->message_max };
	memcpy(f.id, s->id, sizeof f.id);
	return store_file_write(&f, s->dir);
}

static void
store_identity(struct store *s, const char *path, uint32_t message_max)
{
	struct store_file old;
	int is_there = store_file_read(&old, s->dir) == 0;
	if (!is_there && errno == EPROTONOSUPPORT)
		log_fatal(EXIT_USAGE, "%s: the store has format %u, this program knows 1: use the newer program", path,
		    old.version);
	if (!is_there && errno == EBADMSG)
		log_fatal(EXIT_SYSTEM, "%s/store is damaged: restore it from a backup", path);
	if (!is_there && errno != ENOENT)
		log_fatal(EXIT_SYSTEM, "%s/store: %s: %s", path, strerror(errno), fdio_hint(errno));
	if (is_there) {
		if (s->shards && old.shards != s->shards)
			log_fatal(EXIT_USAGE, "%s: the store was made with --workers %u: start it with that or without "
			    "--workers, or make a new store", path, old.shards);
		s->shards = old.shards;
		memcpy(s->id, old.id, sizeof s->id);
		s->message_max = message_max ? message_max : old.message;
		if (s->message_max < old.message)
			log_fatal(EXIT_USAGE, "%s: the store was made with --max-message %u: messages of that size may "
			    "be in it: start it with that or more", path, old.message);
		s->is_changed = s->message_max > old.message;
		return;
	}
	s->shards = s->shards ? s->shards : 1;
	s->message_max = message_max ? message_max : MOM_MESSAGE_MAX;
	if (fdio_random(s->id, sizeof s->id) < 0)
		log_fatal(EXIT_SYSTEM, "getrandom: %s: see dmesg", strerror(errno));
	s->fresh = s->is_changed = 1;
}

static void
store_shard(struct store *s, const char *path, uint32_t i)
{
	char name[24];
	snprintf(name, sizeof name, "shard-%u", i);
	if (mkdirat(s->dir, name, 0700) < 0 && errno != EEXIST)
		log_fatal(EXIT_SYSTEM, "%s/%s: %s: %s", path, name, strerror(errno), fdio_hint(errno));
	int fd = fdio_open_at(s->dir, name, O_RDONLY | O_DIRECTORY, 0);
	struct stat st;
	if (fd < 0 && fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
		log_fatal(EXIT_SYSTEM,
		    "%s/%s is a symbolic link, and none is followed in a store: move what it leads to there, or "
		    "mount it there",
		    path, name);
	if (fd < 0 || fdio_sync(s->dir) < 0)
		log_fatal(EXIT_SYSTEM, "%s/%s: %s: %s", path, name, strerror(errno), fdio_hint(errno));
	pid_t holder = 0;
	int lock = lock_take(fd, "lock", &holder, STOP_MS);
	if (lock < 0)
		log_fatal(EXIT_SYSTEM, "%s/%s: its lock: %s", path, name,
		    lock == -2 ? "held by an old worker: it ends within moments, start again" : strerror(errno));
	s->shard_dirs[i] = fd;
	s->shard_locks[i] = lock;
	fdio_cloexec(lock, 0);                         /* the workers keep it: a successor waits for them */
}

void
store_open(struct store *s, const char *path, uint32_t shards, uint32_t message_max)
{
	const char *why;
	char who[LOCK_HOLDER];
	pid_t holder = 0;
	*s = (struct store){ .shards = shards };
	s->dir = rundir_open_given(path, &why);
	if (s->dir < 0)
		log_fatal(EXIT_SYSTEM, "%s: %s", path, why);
	s->lock = lock_take(s->dir, "lock", &holder, STOP_MS);
	if (s->lock == -2)
		log_fatal(EXIT_SYSTEM, "%s: the folder is in use by %s: stop that first, or name another folder with "
		    "--db", path, lock_holder_text(holder, who));
	if (s->lock < 0)
		log_fatal(EXIT_SYSTEM, "%s/lock: %s: %s", path, strerror(errno), fdio_hint(errno));
	fdio_sweep(s->dir, "");
	store_identity(s, path, message_max);
}

void
store_begin(struct store *s, const char *path)
{
	if (s->is_changed && store_identity_write(s) < 0)
		log_fatal(EXIT_SYSTEM, "%s/store: %s: %s", path, strerror(errno), fdio_hint(errno));
	if (s->fresh)
		log_info("new store made in %s", path);
	for (uint32_t i = 0; i < s->shards; i++)
		store_shard(s, path, i);
}

int
store_is_there(const struct store *s, const char *path)
{
	char name[24];
	int there = fdio_leads_to(AT_FDCWD, path, s->dir);
	for (uint32_t i = 0; i < s->shards && there; i++) {
		snprintf(name, sizeof name, "shard-%u", i);
		there = fdio_leads_to(s->dir, name, s->shard_dirs[i]);
	}
	return there;
}

void
store_look(struct store *s, const char *path)
{
	char name[40];
	names_tell(path, "lock", lock_look(s->dir, "lock", s->lock));
	names_tell(path, "store", fdio_leads_to(s->dir, "store", -1) ? 0 : store_identity_write(s) < 0 ? -1 : 1);
	for (uint32_t i = 0; i < s->shards; i++) {
		snprintf(name, sizeof name, "shard-%u/lock", i);
		names_tell(path, name, lock_look(s->shard_dirs[i], "lock", s->shard_locks[i]));
	}
}
