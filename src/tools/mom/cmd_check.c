/* cmd_check - mom check: reads all of a store, or of a daemon's spool, and says what is in it and what is damaged. The
 * broker may go on meanwhile: a log that grows, and segments that it gives back, are no damage. */
#include "base/fdio.h"
#include "look/small_file.h"
#include "tools/mom/cmd_shards.h"
#include "log/checkpoint_file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LISTINGS = 5 };                        /* a listing is not one moment: one that makes no sense is made anew */

struct check {
	FILE *out;
	const char *label;                     /* "shard-0", "log" */
	int dir, talk;
	uint64_t checkpoint;
	struct store_log log;
};

static void bad(struct check *k, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
bad(struct check *k, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	fprintf(k->out, "%s: ", k->label);
	vfprintf(k->out, format, ap);
	fputc('\n', k->out);
	va_end(ap);
	k->log.bad = 1;
}

static void
check_records(struct check *k, const char *bytes, size_t n)
{
	for (size_t q = 0; q < n; q += record_stride(get_u32(bytes + q))) {
		struct record r;
		record_get(&r, bytes + q);
		k->log.records++;
		k->log.messages += r.type == REC_MESSAGE;
		k->log.last = r.offset;
		if (r.type == REC_GAP)
			fprintf(k->out, "%s: gap from %016" PRIx64 " to %016" PRIx64 ": what lay there was damaged, "
			    "and the subscribers are told\n", k->label, r.offset, r.aux);
	}
	k->log.bytes += n;
}

/* One segment. 1: it was given back while it was read */
static int
check_segment(struct check *k, uint64_t base, int is_last, uint64_t *end)
{
	struct seglog_reader w;
	const char *bytes;
	ssize_t n;
	*end = 0;
	if (seglog_reader_open(&w, k->dir, base, O_RDONLY) < 0) {
		if (errno == ENOENT || errno == ESTALE)
			return 1;
		bad(k, "log-%016" PRIx64 ": %s", base, errno == EBADMSG ? "its header is damaged" : errno == ENOTSUP
		    ? "a newer format: use the newer program" : strerror(errno));
		return 0;
	}
	enum seglog_tail tail = SEGLOG_MORE;
	while (tail == SEGLOG_MORE) {
		while ((n = seglog_reader_next(&w, &bytes)) > 0)
			check_records(k, bytes, (size_t)n);
		tail = n < 0 ? SEGLOG_UNREADABLE : seglog_reader_tail(&w);
	}
	k->log.files++;
	*end = w.end;
	if (tail == SEGLOG_UNREADABLE)
		bad(k, "log-%016" PRIx64 ": read at %" PRIu64 ": %s", base, w.pos, strerror(errno));
	else if (tail == SEGLOG_DAMAGED || (tail != SEGLOG_ENDED && tail != SEGLOG_GONE && !is_last))
		bad(k, "log-%016" PRIx64 ": damaged at offset %016" PRIx64 " (%" PRIu64 " bytes follow)", base, w.at,
		    seglog_reader_left(&w));
	else if (tail == SEGLOG_TORN)
		fprintf(k->out, "%s: log-%016" PRIx64 ": torn tail at offset %016" PRIx64 ", %" PRIu64 " bytes: never "
		    "acknowledged, the next start cuts it\n", k->label,
		    base, w.at, seglog_reader_left(&w));
	else if (is_last && tail != SEGLOG_GONE && k->checkpoint > (w.end ? w.end : w.at))
		bad(k, "its log ends at %016" PRIx64 ", below its check-point of %016" PRIx64, w.end ? w.end : w.at,
		    k->checkpoint);
	seglog_reader_close(&w);
	return tail == SEGLOG_GONE;
}

static int
has_file(int dir, uint64_t base)
{
	char name[32];
	snprintf(name, sizeof name, "log-%016" PRIx64, base);
	return faccessat(dir, name, F_OK, 0) == 0;
}

/* 1: the listing made no sense, but a new one may */
static int
check_listing(struct check *k, const struct seglog_file *files, size_t count)
{
	uint64_t end = 0;
	if (count == 0 && k->checkpoint)
		bad(k, "it has no log, though its check-point is of %016" PRIx64, k->checkpoint);
	if (count && k->checkpoint && files[0].base > k->checkpoint)
		bad(k, "its log begins at %016" PRIx64 ", behind its check-point of %016" PRIx64, files[0].base,
		    k->checkpoint);
	for (size_t i = 0; i < count; i++) {
		if (end && end != files[i].base) {
			if (end > files[i].base)
				bad(k, "log-%016" PRIx64 " begins below %016" PRIx64 ", where the one before it ends",
				    files[i].base, end);
			else if (has_file(k->dir, end))
				return 1;
			else
				bad(k, "segment log-%016" PRIx64 " is missing", end);
		}
		if (check_segment(k, files[i].base, i + 1 == count, &end))
			end = 0;
	}
	return 0;
}

static void
check_log(struct check *k)
{
	for (int tries = 0, again = 1; again && tries < LISTINGS; tries++) {
		struct seglog_file *files;
		size_t count;
		k->log = (struct store_log){ .bad = k->log.bad };
		if (seglog_list(k->dir, &files, &count) < 0) {
			bad(k, "%s", strerror(errno));
			return;
		}
		again = check_listing(k, files, count);
		free(files);
	}
	if (k->talk)
		fprintf(k->out, "%s: %llu records, %llu of them messages, %llu bytes in %llu segment%s, last offset "
		    "%016" PRIx64 "\n", k->label, k->log.records,
		    k->log.messages, k->log.bytes, k->log.files, k->log.files == 1 ? "" : "s", k->log.last);
}

static int
count_record(void *with, const void *bytes)
{
	(void)bytes;
	++*(size_t *)with;
	return 0;
}

/* The small files of a folder. Whoever writes them may replace one meanwhile. */
static void
check_smalls(struct check *k, int dir)
{
	int fd = fdio_open_at(dir, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (d == NULL) {
		bad(k, "%s", strerror(errno));
		fdio_close(&fd);
		return;
	}
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		size_t n;
		if (!small_file_is(e->d_name))
			continue;
		char *text = fdio_load(dir, e->d_name, &n, INT_MAX);
		const char *fault = text ? small_file_fault(e->d_name, text, n) : strerror(errno);
		if (text == NULL && errno == ENOENT)
			continue;
		if (fault)
			bad(k, "%s is %s: restore it from a backup", e->d_name, fault);
		free(text);
	}
	closedir(d);
}

static void
check_shard(struct check *k, int dir, int shard)
{
	char label[24];
	size_t records = 0;
	snprintf(label, sizeof label, "shard-%d", shard);
	k->label = label;
	k->dir = store_shard_open(dir, shard);
	if (k->dir < 0 && errno == ENOENT)
		fprintf(k->out, "%s: not there yet: its worker never started\n", label);
	else if (k->dir < 0)
		bad(k, "%s", strerror(errno));
	else {
		if (checkpoint_read(k->dir, &k->checkpoint, count_record, &records) < 0)
			bad(k, "its check-point is damaged, or cannot be read: restore the store from a backup");
		check_smalls(k, k->dir);
		check_log(k);
		fdio_close(&k->dir);
	}
}

static int
check_spool(struct check *k, int dir)
{
	struct seglog_file *files = NULL;
	size_t count = 0;
	int is_one = faccessat(dir, "identity", F_OK, 0) == 0 || (seglog_list(dir, &files, &count) == 0 && count > 0);
	free(files);
	if (!is_one)
		return 0;
	k->dir = dir;
	check_smalls(k, dir);
	check_log(k);
	return 1;
}

static void
check_add(struct store_log *to, const struct store_log *l)
{
	to->records += l->records;
	to->messages += l->messages;
	to->bytes += l->bytes;
	to->files += l->files;
	to->bad |= l->bad;
}

int
store_check(const struct cmd *c, int dir, const char *path, FILE *out, int talk, struct store_log *total)
{
	int shards = store_shards(dir);
	*total = (struct store_log){ .bad = 0 };
	if (shards < 0)
		return cmd_fail(c, "%s/store: %s", path, errno == EBADMSG ? "damaged, or of a newer format"
		    : strerror(errno));
	for (int i = 0; i < shards; i++) {
		struct check k = { .out = out, .talk = talk };
		check_shard(&k, dir, i);
		check_add(total, &k.log);
	}
	if (shards > 0) {
		struct check k = { .out = out, .label = "store" };
		check_smalls(&k, dir);
		total->bad |= k.log.bad;
	} else {
		struct check k = { .out = out, .talk = talk, .label = "spool" };
		if (!check_spool(&k, dir))
			return cmd_fail(c, "%s is neither a store nor a spool: name the folder that broker_server has "
			    "as --db, or mom_daemon as --spool", path);
		*total = k.log;
	}
	return total->bad ? CMD_FAILED : CMD_OK;
}

static int
check_run(int argc, char **argv)
{
	static const struct option options[] = { { "db", 1, 0, 'd' }, { "help", 0, 0, 'h' }, { 0 } };
	const char *given = NULL;
	int dir;
	for (int o; (o = cmd_option(&cmd_check, argc, argv, "h", options)) != -1;)
		given = cmd_line.value;
	if (given == NULL)
		given = arguments_take(&cmd_line);
	if (cmd_line.count)
		cmd_wrong_use(&cmd_check, "%s is one argument too many", cmd_line.word[0]);
	const char *path = store_find(&cmd_check, given, &dir);
	struct store_log total;
	int r = store_check(&cmd_check, dir, path, stdout, 1, &total);
	if (r == CMD_OK || total.bad)
		printf("%s: %s\n", path, total.bad ? "damaged: a broker that starts keeps what is sound and tells "
		    "subscribers of the rest" : "sound");
	close(dir);
	return r;
}

const struct cmd cmd_check = { "check", "read a whole store and tell sound from damaged",
	"usage: mom check [DIR | --db DIR]\n"
	"Reads every record of a store (or of a daemon's spool) and says what is in it; changes nothing, and the "
	"broker may go on.\n"
	"Without DIR: the store of the broker that runs on this machine, else what broker.conf names, or db.\n"
	"Exit status: 0 sound   1 damaged (a line says where), or it cannot be read   2 wrong use\n"
	"Example: mom check /var/lib/mom\n", check_run };
