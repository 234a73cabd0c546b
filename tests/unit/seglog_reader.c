/* seglog_reader - a segment looked at from outside: its end, its writer's place, damage and a file that is used again
 * are told apart */
#include <lib/t.h>
#include "base/fdio.h"
#include "log/seglog.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEGMENT = SEGMENT_MIN, LARGE = 900000 };

static int dir;
static struct seglog l;

static void
begin(void)
{
	dir = open(t_dir(), O_RDONLY | O_DIRECTORY);
	REQUIRE(dir >= 0 && seglog_open(&l, &(struct seglog_place){ dir, "corrupt", "test", RECORD_MAX, 0 }, SEGMENT, 0,
	    NULL, NULL) == 0, "open");
}

static uint64_t
append(uint64_t number, uint32_t n)
{
	struct record r = { .type = REC_MESSAGE, .number = number, .topic_len = 1 };
	char *data = calloc(1, n + 1), *at = seglog_reserve(&l, record_stride(RECORD_HEADER + 2 + n), 0);
	REQUIRE(at, "reserve %llu", (unsigned long long)number);
	memset(data, 'x', n);
	record_make(at, &r, "t", data, n);
	free(data);
	return seglog_take(&l, at);
}

/* Until so many further segments have begun; the number of the last record. */
static uint64_t
fill(uint64_t number, size_t segments)
{
	size_t from = l.count;
	while (l.count < from + segments)
		append(++number, LARGE);
	REQUIRE(seglog_flush(&l) == 0, "flush");
	return number;
}

/* Reads what there is: messages without a hole from *number + 1 on; why there is no more. */
static int
open_at(struct seglog_reader *w, uint64_t base)
{
	return seglog_reader_open(w, dir, base, O_RDONLY);
}

static enum seglog_tail
walk(struct seglog_reader *w, uint64_t *number)
{
	const char *bytes;
	ssize_t n;
	while ((n = seglog_reader_next(w, &bytes)) > 0)
		for (ssize_t q = 0; q < n; q += record_stride(get_u32(bytes + q))) {
			struct record r;
			record_get(&r, bytes + q);
			REQUIRE(r.type != REC_MESSAGE || r.number == ++*number, "number %llu came for %llu",
			    (unsigned long long)r.number, (unsigned long long)*number);
		}
	REQUIRE(n == 0, "%s", strerror(errno));
	return seglog_reader_tail(w);
}

static char *
file_of(uint64_t base)
{
	return t_path("log-%016llx", (unsigned long long)base);
}

static void
overwrite(uint64_t base, uint64_t at, const void *bytes, size_t n)
{
	int fd = open(file_of(base), O_WRONLY);
	REQUIRE(fd >= 0 && fdio_pwrite_full(fd, bytes, n, at) == 0, "write");
	close(fd);
}

TEST(ends, "a finished segment ends with where it leads; in the last one there is more whenever its writer has written "
    "more; records over a largest read, too")
{
	struct seglog_reader w;
	uint64_t number = 0, last;
	begin();
	uint64_t base = l.base;
	last = fill(0, 1);
	REQUIRE(open_at(&w, base) == 0 && walk(&w, &number) == SEGLOG_ENDED && w.end == l.base &&
	    number == last - 1, "number %llu", (unsigned long long)number);
	seglog_reader_close(&w);
	REQUIRE(open_at(&w, l.base) == 0 && walk(&w, &number) == SEGLOG_OPEN && number == last,
	    "number %llu", (unsigned long long)number);
	for (int i = 0; i < 3; i++) {
		append(++last, i * 500000);
		REQUIRE(seglog_reader_tail(&w) == SEGLOG_OPEN, "nothing is written yet");
		REQUIRE(seglog_sync(&l) == 0 && seglog_reader_tail(&w) == SEGLOG_MORE, "more is there");
		REQUIRE(walk(&w, &number) == SEGLOG_OPEN && number == last && w.at == l.end, "number %llu",
		    (unsigned long long)number);
	}
	append(++last, MOM_MESSAGE_MAX);
	REQUIRE(seglog_flush(&l) == 0 && walk(&w, &number) == SEGLOG_OPEN && number == last, "number %llu",
	    (unsigned long long)number);
	seglog_reader_close(&w);
	seglog_close(&l);
}

TEST(long_end, "an END that is longer than it can be is no end, whatever its checksum says")
{
	struct seglog_reader w;
	uint64_t number = 0, at = SEGLOG_HEADER;
	begin();
	uint64_t base = l.base;
	fill(0, 1);
	char *bytes = calloc(1, SEGMENT + RECORD_HEADER);
	int fd = open(file_of(base), O_RDONLY);
	REQUIRE(bytes && fd >= 0 && pread(fd, bytes, SEGMENT, 0) > SEGMENT / 2, "read");
	close(fd);
	while (bytes[at + 9] != REC_END)
		at += record_stride(get_u32(bytes + at));
	put_u32(bytes + at, RECORD_HEADER + 8);
	put_u32(bytes + at + 4, record_crc(bytes + at, RECORD_HEADER + 8, get_u64(bytes + 24)));
	overwrite(base, at, bytes + at, RECORD_HEADER + 8);
	REQUIRE(open_at(&w, base) == 0 && walk(&w, &number) != SEGLOG_ENDED, "it is taken for one");
	seglog_reader_close(&w);
	seglog_close(&l);
	free(bytes);
}

TEST(torn, "a head without its rest, at the end, is a torn tail; below a mark it is damage, like any byte that changed")
{
	struct seglog_reader w;
	uint64_t number = 0;
	begin();
	append(1, 100);
	REQUIRE(seglog_sync(&l) == 0, "sync");
	uint64_t place = append(2, 5000) - l.base + SEGLOG_HEADER;
	REQUIRE(seglog_flush(&l) == 0 && truncate(file_of(l.base), (off_t)place + 3000) == 0, "cut");
	REQUIRE(open_at(&w, l.base) == 0 && walk(&w, &number) == SEGLOG_TORN && number == 1 &&
	    seglog_reader_left(&w) == 3000, "%llu", (unsigned long long)number);
	seglog_reader_close(&w);
	append(3, 5000);
	REQUIRE(seglog_sync(&l) == 0, "sync");
	append(4, 10);                                 /* with the mark in front of it */
	REQUIRE(seglog_flush(&l) == 0, "flush");
	number = 0;
	REQUIRE(open_at(&w, l.base) == 0 && walk(&w, &number) == SEGLOG_DAMAGED && number == 1 &&
	    w.pos == place, "at %llu", (unsigned long long)w.pos);
	seglog_reader_close(&w);
	overwrite(l.base, 20, "x", 1);
	REQUIRE(open_at(&w, l.base) < 0 && errno == EBADMSG, "its header is damaged");
	seglog_close(&l);
}

TEST(used_again, "a segment that nobody needs, and whose file is used again while it is read: it is gone, no damage, "
    "and nothing of what is there now is shown")
{
	struct seglog_reader w, late;
	const char *bytes;
	uint64_t number, before = 0;
	begin();
	uint64_t base = l.base;
	number = fill(0, 1);
	REQUIRE(open_at(&w, base) == 0 && seglog_reader_next(&w, &bytes) > 0, "read");
	seglog_prune(&l, l.base);
	REQUIRE(open_at(&late, base) < 0 && errno == ENOENT, "it is still there");
	number = fill(number, 1);
	append(number + 1, LARGE);
	append(number + 2, LARGE);                     /* over what is to be read next */
	REQUIRE(seglog_flush(&l) == 0, "flush");
	REQUIRE(rename(file_of(l.base), file_of(base)) == 0 && open_at(&late, base) < 0 &&
	    errno == ESTALE, "an old name, the new file");
	REQUIRE(rename(file_of(base), file_of(l.base)) == 0, "rename");
	before = w.at;
	REQUIRE(seglog_reader_next(&w, &bytes) == 0 && w.at == before && seglog_reader_tail(&w) == SEGLOG_GONE,
	    "something of it is shown");
	seglog_reader_close(&w);
	seglog_close(&l);
}
