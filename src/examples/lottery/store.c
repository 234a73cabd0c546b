/* store - bets.csv and bets.journal: each batch is in both or in none, once, whoever is killed and when */
#include "store.h"
#include "tell.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static int
write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static int
truncate_to(int fd, off_t size)
{
	int r;
	while ((r = ftruncate(fd, size)) < 0 && errno == EINTR) {
	}
	return r;
}

static void
entry_put(char *record, const struct store_entry *e)
{
	snprintf(record, STORE_RECORD + 1, "%c %016llx %016llx %010u %5d %3u %019lld\n", e->kind,
	    (unsigned long long)e->offset,
	    (unsigned long long)e->publisher, e->number, e->count, e->agency, e->end);
}

static int
entry_get(struct store_entry *e, const char *record)
{
	unsigned long long offset, publisher;
	char kind;
	if (sscanf(record, "%c %llx %llx %u %d %u %lld", &kind, &offset, &publisher, &e->number, &e->count, &e->agency,
	    &e->end) != 7)
		return -1;
	e->kind = (enum store_kind)kind;
	e->offset = offset;
	e->publisher = publisher;
	return 0;
}

/* The record that begins at a place of the journal. 0, -1 */
static int
read_record(int fd, off_t at, struct store_entry *e)
{
	char record[STORE_RECORD + 1] = "";
	size_t got = 0;
	if (lseek(fd, at, SEEK_SET) < 0)
		return -1;
	while (got < STORE_RECORD) {
		ssize_t n = read(fd, record + got, STORE_RECORD - got);
		if (n == 0 || (n < 0 && errno != EINTR))
			return -1;
		if (n > 0)
			got += (size_t)n;
	}
	return entry_get(e, record);
}

/* What a process that was killed may have left half done. The length of bets.csv, or -1 */
static long long
put_right(struct store *s)
{
	struct store_entry last = { .end = 0 };
	off_t size = lseek(s->journal, 0, SEEK_END), bets = lseek(s->bets, 0, SEEK_END);
	if (size < 0 || bets < 0)
		return -1;
	if (size % STORE_RECORD && truncate_to(s->journal, size -= size % STORE_RECORD) < 0)
		return -1;
	if (size > 0 && read_record(s->journal, size - STORE_RECORD, &last) < 0)
		return -1;
	if (bets < last.end) {
		errno = EILSEQ;
		return -1;
	}
	return bets > last.end && truncate_to(s->bets, last.end) < 0 ? -1 : last.end;
}

static int
lock_journal(struct store *s, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET };
	int r;
	while ((r = fcntl(s->journal, F_SETLKW, &lock)) < 0 && errno == EINTR) {
	}
	return r;
}

int
store_put(struct store *s, struct store_entry *e, const char *lines, size_t len)
{
	char record[STORE_RECORD + 1];
	if (lock_journal(s, F_WRLCK) < 0)
		return -1;
	long long end = put_right(s);
	int r = end < 0 ? -1 : write_all(s->bets, lines, len);
	if (r == 0) {
		e->end = end + (long long)len;
		entry_put(record, e);
		r = write_all(s->journal, record, STORE_RECORD);
	}
	int keep = errno;
	/* a full disk: what was begun goes; if not now, then by the next one */
	if (r < 0)
		(void)!(put_right(s) < 0);
	if (lock_journal(s, F_UNLCK) < 0)
		return -1;
	errno = keep;
	return r;
}

static int
by_offset(const void *left, const void *right)
{
	const struct store_entry *a = left, *b = right;
	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

const struct store_entry *
store_find(const struct store *s, uint64_t offset)
{
	struct store_entry key = { .offset = offset };
	return s->count ? bsearch(&key, s->entries, s->count, sizeof key, by_offset) : NULL;
}

static void
load_entries(struct store *s)
{
	off_t size = lseek(s->journal, 0, SEEK_END);
	size_t n = (size_t)size / STORE_RECORD;
	s->entries = calloc(n + 1, sizeof *s->entries);
	if (s->entries == NULL)
		tell_fatal(111, "no memory for %zu records of bets.journal: see `ulimit -v`", n);
	for (s->count = 0; s->count < n; s->count++)
		if (read_record(s->journal, (off_t)s->count * STORE_RECORD, &s->entries[s->count]) < 0)
			tell_fatal(111, "bets.journal: record %zu is damaged: start the centre without --resume, and "
			    "the agencies again", s->count);
	qsort(s->entries, n, sizeof *s->entries, by_offset);
}

static int
open_file(const struct config *c, const char *name, int flags)
{
	const char *path = config_path(c, "%s", name);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);
	if (fd < 0)
		tell_fatal(111, "%s: %s", path, strerror(errno));
	return fd;
}

void
store_open(struct store *s, const struct config *c, int resume)
{
	int anew = resume ? 0 : O_TRUNC, r;
	*s = (struct store){ .lock = open_file(c, "centre.lock", 0) };
	/* the workers inherit it: it is free when the last process of the other centre is gone */
	if (flock(s->lock, LOCK_EX | LOCK_NB) < 0) {
		tell("another centre has %s open: waiting for its end", c->folder);
		while ((r = flock(s->lock, LOCK_EX)) < 0 && errno == EINTR) {
		}
		if (r < 0)
			tell_fatal(111, "flock(%s/centre.lock): %s", c->folder, strerror(errno));
	}
	s->bets = open_file(c, "bets.csv", O_APPEND | anew);
	s->journal = open_file(c, "bets.journal", O_APPEND | anew);
	if (put_right(s) < 0)
		tell_fatal(111, "%s: bets.csv and bets.journal do not fit each other: %s; start the centre without "
		    "--resume, and the agencies again",
		    c->folder, strerror(errno));
	load_entries(s);
}
