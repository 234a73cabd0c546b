/* cmd_backup - mom backup: a copy of a store, while its broker runs or not. A shard's check-point is copied first, then
 * its log, of which each segment only as far as it is whole and sound when it is read. So a copy holds at least all
 * that was acknowledged before it began, and claims nothing that it does not hold. Where the worker gives a segment
 * back meanwhile, a newer check-point does without it: the shard is begun anew, with the finished segments that are
 * copied already. `machines` comes last: no serial that the logs know may be missing. */
#include "base/fdio.h"
#include "tools/mom/cmd_shards.h"
#include "log/checkpoint_file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 50 };

enum outcome { DONE, AGAIN, FAILED };          /* FAILED: it was told */

static struct {
	const char *from, *to;
	int source, target;
	char temp[PATH_MAX];
	unsigned long long copied;
	time_t told;
	int terminal, talks;
	volatile sig_atomic_t stopped;
} backup = { .source = -1, .target = -1 };

static void
on_signal(int number)
{
	(void)number;
	backup.stopped = 1;
}

static int
fail(const char *what)
{
	if (backup.stopped)
		cmd_fail(&cmd_backup, "%s: stopped by a signal", what);
	else
		cmd_fail(&cmd_backup, "%s: %s: %s", what, strerror(errno), fdio_hint(errno));
	return FAILED;
}

static void
progress(size_t n)
{
	backup.copied += n;
	time_t now = time(NULL);
	if (!backup.terminal || now <= backup.told)
		return;
	fprintf(stderr, "\r%llu MiB copied ", backup.copied >> 20);
	backup.told = now;
	backup.talks = 1;
}

/* ---- one segment ---- */

struct segment { uint64_t base, end; int packed; };    /* end: 0 where it had none yet: it is copied anew */

static enum outcome
copy_records(struct seglog_reader *w, int fd, const char *name)
{
	const char *bytes;
	ssize_t n = 0;
	uint64_t at = SEGLOG_HEADER;
	while (!backup.stopped && (n = seglog_reader_next(w, &bytes)) > 0) {
		if (fdio_pwrite_full(fd, bytes, (size_t)n, at) < 0)
			return fail(name);
		at += (uint64_t)n;
		progress((size_t)n);
	}
	if (backup.stopped || n < 0)
		return fail(name);
	enum seglog_tail tail = seglog_reader_tail(w);
	if (tail == SEGLOG_DAMAGED) {
		cmd_fail(&cmd_backup, "%s/%s: damaged at offset %016" PRIx64 ": mom check tells more; a broker that "
		    "starts on the store takes the damage out", backup.from, name, w->at);
		return FAILED;
	}
	return tail == SEGLOG_UNREADABLE ? fail(name) : tail == SEGLOG_GONE ? AGAIN : DONE;
}

static enum outcome
copy_segment(int from, int to, uint64_t base, struct segment *s)
{
	struct seglog_reader w;
	unsigned char head[SEGLOG_HEADER];
	char name[32];
	snprintf(name, sizeof name, "log-%016" PRIx64, base);
	if (seglog_reader_open(&w, from, base, O_RDONLY) < 0)
		return errno == ENOENT || errno == ESTALE ? AGAIN : fail(name);
	enum outcome r = DONE;
	int fd = fdio_open_at(to, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || fdio_pread_full(w.fd, head, sizeof head, 0) < 0 || fdio_pwrite_full(fd, head, sizeof head, 0) < 0)
		r = fail(name);
	/* used again since it was opened */
	else if (get_u64(head + 16) != base || get_u64(head + 24) != w.head.salt)
		r = AGAIN;
	if (r == DONE)
		r = copy_records(&w, fd, name);
	if (r == DONE && fdio_sync(fd) < 0)
		r = fail(name);
	*s = (struct segment){ base, w.end, w.head.packed };
	fdio_close(&fd);
	seglog_reader_close(&w);
	return r;
}

/* ---- one shard ---- */

struct shard_copy { int from, to; struct segment *segments; size_t count; };

static struct segment *
copied(struct shard_copy *c, uint64_t base)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->segments[i].base == base)
			return &c->segments[i];
	return NULL;
}

/* Those of an earlier round that nobody needs any more. */
static int
drop_gone(struct shard_copy *c, const struct seglog_file *files, size_t count)
{
	char name[32];
	size_t kept = 0;
	for (size_t i = 0; i < c->count; i++) {
		size_t j = 0;
		while (j < count && files[j].base != c->segments[i].base)
			j++;
		if (j < count) {
			c->segments[kept++] = c->segments[i];
			continue;
		}
		snprintf(name, sizeof name, "log-%016" PRIx64, c->segments[i].base);
		if (fdio_unlink_at(c->to, name) < 0 && errno != ENOENT)
			return -1;
	}
	c->count = kept;
	return 0;
}

/* A segment that does not lead to the next one. A listing is not one moment: it may have missed one. */
static enum outcome
broken_chain(const struct shard_copy *c, const struct segment *s)
{
	char name[32];
	snprintf(name, sizeof name, "log-%016" PRIx64, s->end);
	if (s->end && faccessat(c->from, name, F_OK, 0) == 0)
		return AGAIN;
	if (s->end)
		cmd_fail(&cmd_backup, "%s: segment %s is missing: mom check tells more; a broker that starts on the "
		    "store goes on without it", backup.from, name);
	else
		cmd_fail(&cmd_backup, "%s: segment log-%016" PRIx64 " is damaged at its end: a broker that starts on "
		    "the store takes the damage out", backup.from, s->base);
	return FAILED;
}

static enum outcome
copy_log(struct shard_copy *c, const struct seglog_file *files, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct segment *s = copied(c, files[i].base);
		if (s == NULL)
			s = &c->segments[c->count++];
		else if (s->end)
			continue;
		*s = (struct segment){ .base = files[i].base };
		enum outcome r = copy_segment(c->from, c->to, files[i].base, s);
		if (r != DONE)
			return r;
	}
	for (size_t i = 0; i + 1 < count; i++)
		if (copied(c, files[i].base)->end != files[i + 1].base)
			return broken_chain(c, copied(c, files[i].base));
	return DONE;
}

static int
is_checkpoint_still(const struct shard_copy *c, const char *checkpoint, size_t n)
{
	size_t now_n = 0;
	char *now = fdio_load(c->from, "checkpoint", &now_n, INT_MAX);
	int same = now && checkpoint ? now_n == n && memcmp(now, checkpoint, n) == 0 : now == checkpoint;
	free(now);
	return same;
}

/* A segment is packed once a check-point lies above it, and then without what the state is made from: with an older
 * check-point it is no use. One that was mended looks the same and has all; its check-point has not changed. */
static int
is_packed_for_newer(const struct shard_copy *c, const char *checkpoint, size_t n)
{
	size_t i = 0;
	while (i < c->count && !(c->segments[i].packed && (checkpoint == NULL ||
	    c->segments[i].end > get_u64(checkpoint + 16))))
		i++;
	return i < c->count && !is_checkpoint_still(c, checkpoint, n);
}

/* The check-point, and a list of segments in which nothing is missing that it needs: none was given back between the
 * two. */
static enum outcome
begin_round(struct shard_copy *c, char **checkpoint, size_t *n, struct seglog_file **files, size_t *count)
{
	*checkpoint = fdio_load(c->from, "checkpoint", n, INT_MAX);
	if (*checkpoint == NULL && errno != ENOENT)
		return fail("checkpoint");
	if (*checkpoint && *n < CHECKPOINT_HEADER) {
		errno = EBADMSG;
		return fail("checkpoint");
	}
	if (seglog_list(c->from, files, count) < 0)
		return fail("log");
	return is_checkpoint_still(c, *checkpoint, *n) ? DONE : AGAIN;
}

static enum outcome
copy_round(struct shard_copy *c)
{
	char *checkpoint = NULL;
	size_t n = 0, count = 0;
	struct seglog_file *files = NULL;
	enum outcome r = begin_round(c, &checkpoint, &n, &files, &count);
	if (r == DONE) {
		struct segment *grown = realloc(c->segments, (c->count + count + 1) * sizeof *grown);
		c->segments = grown ? grown : c->segments;
		if (grown == NULL || drop_gone(c, files, count) < 0)
			r = fail("log");
	}
	if (r == DONE)
		r = copy_log(c, files, count);
	if (r == DONE && is_packed_for_newer(c, checkpoint, n))
		r = AGAIN;
	if (r == DONE && checkpoint && fdio_replace(c->to, "checkpoint", checkpoint, n, 1) < 0)
		r = fail("checkpoint");
	free(checkpoint);
	free(files);
	return r;
}

static enum outcome
copy_shard(int shard)
{
	char name[24];
	enum outcome r = AGAIN;
	snprintf(name, sizeof name, "shard-%d", shard);
	struct shard_copy c = { .from = store_shard_open(backup.source, shard) };
	if (c.from < 0 && errno == ENOENT)             /* its worker never started */
		return DONE;
	c.to = mkdirat(backup.target, name, 0700) < 0 ? -1 : store_shard_open(backup.target, shard);
	if (c.from < 0 || c.to < 0)
		r = fail(name);
	for (int i = 0; r == AGAIN && i < ROUNDS; i++)
		r = copy_round(&c);
	if (r == AGAIN)
		cmd_fail(&cmd_backup, "%s/%s: it gave back segments faster than they could be copied, %d times: try "
		    "again when it has less to do", backup.from, name, ROUNDS);
	if (r == DONE && fdio_sync(c.to) < 0)
		r = fail(name);
	fdio_close(&c.from);
	fdio_close(&c.to);
	free(c.segments);
	return r;
}

/* ---- the store ---- */

/* What belongs to the processes that run, or is made anew, stays behind. */
static int
is_left_out(const char *name)
{
	size_t n = strlen(name);
	return strcmp(name, "lock") == 0 || strcmp(name, "registry") == 0 || strcmp(name, "about") == 0 ||
	    (n > 4 && strcmp(name + n - 4, ".new") == 0);
}

static enum outcome
copy_small(const char *name)
{
	struct stat st;
	size_t n;
	if (fstatat(backup.source, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? DONE : fail(name);
	if (!S_ISREG(st.st_mode) || is_left_out(name))
		return DONE;
	char *bytes = fdio_load(backup.source, name, &n, INT_MAX);
	int bad = bytes == NULL || fdio_replace(backup.target, name, bytes, n, 1) < 0;
	free(bytes);
	return bad ? fail(name) : DONE;
}

static enum outcome
copy_smalls(void)
{
	int fd = fdio_open_at(backup.source, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	enum outcome r = d ? DONE : fail(backup.from);
	if (d == NULL)
		fdio_close(&fd);
	for (struct dirent *e; r == DONE && (errno = 0, e = readdir(d)) != NULL;)
		r = copy_small(e->d_name);
	if (d)
		closedir(d);
	return r;
}

static enum outcome
copy_store(void)
{
	int shards = store_shards(backup.source);
	if (shards <= 0) {
		cmd_fail(&cmd_backup, "%s/store: %s: name the store with --db DIR", backup.from,
		    shards ? strerror(errno) : "no store is there");
		return FAILED;
	}
	for (int i = 0; i < shards; i++) {
		enum outcome r = copy_shard(i);
		if (r != DONE)
			return r;
	}
	return copy_smalls();
}

/* Read back, in its place under its name, both on disk. */
static enum outcome
finish(struct store_log *total)
{
	if (backup.talks)
		fprintf(stderr, "\r%llu MiB copied, reading them back\n", backup.copied >> 20);
	if (store_check(&cmd_backup, backup.target, backup.temp, stderr, 0, total) != CMD_OK) {
		cmd_fail(&cmd_backup, "%s: the copy is not sound: nothing was kept", backup.temp);
		return FAILED;
	}
	if (backup.stopped || fdio_sync(backup.target) < 0)
		return fail(backup.temp);
	/* a file system that cannot refuse: it was looked at when we began */
	if (renameat2(AT_FDCWD, backup.temp, AT_FDCWD, backup.to, RENAME_NOREPLACE) < 0 &&
	    (errno != EINVAL || rename(backup.temp, backup.to) < 0))
		return fail(backup.to);
	int fd = fdio_open_at(backup.target, "..", O_RDONLY | O_DIRECTORY, 0);
	int bad = fd < 0 || fdio_sync(fd) < 0;
	fdio_close(&fd);
	return bad ? fail(backup.to) : DONE;
}

static void
remove_tree(int dir, const char *name)
{
	int fd = fdio_open_at(dir, name, O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	for (struct dirent *e; d && (e = readdir(d)) != NULL;)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && unlinkat(fd, e->d_name, 0) < 0)
			remove_tree(fd, e->d_name);
	if (d)
		closedir(d);
	unlinkat(dir, name, AT_REMOVEDIR);
}

static int
lies_in(const char *folder, const char *other)
{
	char a[PATH_MAX], b[PATH_MAX];
	return realpath(folder, a) && realpath(other, b) && strncmp(a, b, strlen(b)) == 0 && a[strlen(b)] == '/';
}

static void
begin(const char *given)
{
	struct stat st;
	size_t n = strlen(backup.to);
	if (lstat(backup.to, &st) == 0)
		exit(cmd_fail(&cmd_backup, "%s is there already: name a folder that is not, such as %s-2", backup.to,
		    backup.to));
	if (n == 0 || n + 8 > sizeof backup.temp)
		cmd_wrong_use(&cmd_backup, "%s is no name for a folder", backup.to);
	backup.from = store_find(&cmd_backup, given, &backup.source);
	while (n > 1 && backup.to[n - 1] == '/')
		n--;
	snprintf(backup.temp, sizeof backup.temp, "%.*s.XXXXXX", (int)n, backup.to);
	if (mkdtemp(backup.temp) == NULL)
		exit(cmd_fail(&cmd_backup, "%s: %s: its parent folder must be there and writable", backup.to,
		    strerror(errno)));
	if (store_shards(backup.source) > 0 && lies_in(backup.temp, backup.from)) {
		rmdir(backup.temp);
		exit(cmd_fail(&cmd_backup, "%s lies in the store itself: name a folder elsewhere", backup.to));
	}
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	backup.terminal = isatty(STDERR_FILENO);
	backup.told = time(NULL) + 1;               /* what takes less than a second needs no telling */
	backup.target = open(backup.temp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int
backup_run(int argc, char **argv)
{
	static const struct option options[] = { { "db", 1, 0, 'd' }, { "help", 0, 0, 'h' }, { 0 } };
	const char *given = NULL;
	struct store_log total;
	for (int o; (o = cmd_option(&cmd_backup, argc, argv, "h", options)) != -1;)
		given = cmd_line.value;
	if (cmd_line.count != 1)
		cmd_wrong_use(&cmd_backup,
		    cmd_line.count == 0 ? "where to? Name a folder that is not there yet" : "one folder at a time");
	backup.to = cmd_line.word[0];
	begin(given);
	enum outcome r = backup.target < 0 ? (enum outcome)fail(backup.temp) : copy_store();
	if (r == DONE)
		r = finish(&total);
	fdio_close(&backup.source);
	fdio_close(&backup.target);
	if (r != DONE) {
		remove_tree(AT_FDCWD, backup.temp);
		return CMD_FAILED;
	}
	printf("%s: %llu messages, %llu bytes in %llu segment%s, read back and sound\n", backup.to, total.messages,
	    total.bytes, total.files, total.files == 1 ? "" : "s");
	return CMD_OK;
}

const struct cmd cmd_backup = { "backup", "a copy of a store, while its broker runs or not",
	"usage: mom backup DIR [--db DIR]\n"
	"Copies the store to DIR, which must not be there yet; the broker may go on. All that was acknowledged before "
	"the backup began is in it. The copy\n"
	"is read back before DIR gets its name. To restore: stop the broker, start one with --db on the copy (or on a "
	"copy of it).\n"
	"  --db DIR   the store; without it that of the broker that runs on this machine, else what broker.conf names, "
	"or db\n"
	"A machine that came back to the broker after the backup is refused by a broker on it, which says so: give its "
	"daemon a new spool.\n"
	"Exit status: 0 done   1 error, nothing is left behind   2 wrong use\n"
	"Example: mom backup /backup/mom-$(date "
	    "+%F)\n", backup_run };
