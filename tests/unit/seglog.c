/* seglog - the log in segments: what a crash leaves, what a start makes of it (db/README.md, S2 to S6) */
#include <lib/t.h>
#include "common/fdio.h"
#include "common/seglog.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEGMENT = SEGMENT_MIN };

static int
folder(void)
{
	int dir = open(t_dir(), O_RDONLY | O_DIRECTORY);
	REQUIRE(dir >= 0, "open");
	return dir;
}

static uint64_t
append(struct seglog *l, uint64_t number, uint32_t n)
{
	struct record r = { .type = REC_MESSAGE, .number = number, .topic_len = 1 };
	char *data = calloc(1, n + 1), *at = seglog_reserve(l, record_stride(RECORD_HEADER + 2 + n), 0);
	REQUIRE(at, "reserve %llu", (unsigned long long)number);
	record_make(at, &r, "t", data, n);
	free(data);
	return seglog_take(l, at);
}

struct seen { uint64_t count, last, offset; };

static int
see(void *with, const void *bytes, uint64_t offset)
{
	struct seen *s = with;
	if (((const char *)bytes)[9] != REC_MESSAGE)
		return 0;
	REQUIRE(get_u64((const char *)bytes + 40) == s->last + 1, "number %llu after %llu", (unsigned long long)get_u64((const char *)bytes + 40),
	    (unsigned long long)s->last);
	REQUIRE(offset > s->offset, "offsets do not grow");
	s->last++;
	s->count++;
	s->offset = offset;
	return 0;
}

static struct seen
reopen(struct seglog *l, int dir)
{
	struct seen s = { 0 };
	REQUIRE(seglog_open(l, dir, SEGMENT, 0, see, &s) == 0, "open");
	return s;
}

TEST(reopened, "what was written is there after a start, in order, over many starts; offsets never come again")
{
	struct seglog l;
	int dir = folder();
	uint64_t number = 0, highest = 0;
	for (int start = 0; start < 5; start++) {
		struct seen s = reopen(&l, dir);
		REQUIRE(s.count == number, "%llu of %llu", (unsigned long long)s.count, (unsigned long long)number);
		for (int i = 0; i < 100; i++) {
			uint64_t offset = append(&l, ++number, (uint32_t)i);
			REQUIRE(offset > highest, "offset %llx after %llx", (unsigned long long)offset, (unsigned long long)highest);
			highest = offset;
		}
		REQUIRE((start & 1 ? seglog_sync(&l) : seglog_flush(&l)) == 0, "flush");
		seglog_close(&l);
	}
}

TEST(rolls, "segments follow each other; a reader gets all of it while it is written; those that nobody needs go")
{
	struct seglog l;
	struct seglog_cursor c;
	int dir = folder();
	uint64_t number = 0, first, want = 0;
	char *bytes = malloc(BATCH + RECORD_MAX);
	reopen(&l, dir);
	uint64_t from = l.end;
	REQUIRE(seglog_seek(&c, dir, from) == 0, "seek");
	while (l.count < 4) {
		for (int i = 0; i < 50; i++)
			{
				number++;
				append(&l, number, 1000 + (uint32_t)(number * 7919 % 60000));
			}
		REQUIRE(seglog_flush(&l) == 0, "flush");
		for (ssize_t n; (n = seglog_read(&c, bytes, BATCH + RECORD_MAX, l.end, &first)) > 0;)
			for (ssize_t q = 0; q < n; q += record_stride(get_u32(bytes + q)))
				if (bytes[q + 9] == REC_MESSAGE)
					REQUIRE(get_u64(bytes + q + 40) == ++want, "number %llu", (unsigned long long)want);
	}
	REQUIRE(want == number, "%llu of %llu", (unsigned long long)want, (unsigned long long)number);
	seglog_prune(&l, l.end);
	REQUIRE(l.count == 1, "%zu segments", l.count);
	REQUIRE(seglog_seek(&c, dir, from) == 1 && c.at == l.base, "a pruned place does not lead to the oldest segment");
	seglog_leave(&c);
	seglog_close(&l);
	free(bytes);
}

static void
copy_cut(const char *from, const char *to, off_t n)
{
	char *bytes = malloc((size_t)n + 1);
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	REQUIRE(in >= 0 && out >= 0 && fdio_pread_full(in, bytes, (size_t)n, 0) == n && fdio_write_full(out, bytes, (size_t)n) == 0, "copy");
	close(in);
	close(out);
	free(bytes);
}

static char *
only_segment(uint64_t base)
{
	return t_path("log-%016llx", (unsigned long long)base);
}

TEST(torn_tail, "cut off at any byte of the last record, the log is whole up to that record, and goes on")
{
	struct seglog l;
	struct stat st;
	int dir = folder();
	reopen(&l, dir);
	uint64_t base = l.base;
	for (uint64_t i = 1; i <= 5; i++)
		append(&l, i, 20);
	REQUIRE(seglog_flush(&l) == 0, "flush");
	char *path = only_segment(base);
	REQUIRE(stat(path, &st) == 0, "stat");
	seglog_close(&l);
	for (off_t cut = 1; cut < 80; cut++) {
		char *sub = t_path("cut-%d", (int)cut);
		mkdir(sub, 0700);
		copy_cut(path, t_text("%s/log-%016llx", sub, (unsigned long long)base), st.st_size - cut);
		int d = open(sub, O_RDONLY | O_DIRECTORY);
		struct seen s = reopen(&l, d);
		REQUIRE(s.count == 4, "cut by %d: %llu records", (int)cut, (unsigned long long)s.count);
		append(&l, 5, 20);
		REQUIRE(seglog_sync(&l) == 0, "sync");
		seglog_close(&l);
		s = reopen(&l, d);
		REQUIRE(s.count == 5, "after the cut: %llu", (unsigned long long)s.count);
		seglog_close(&l);
		close(d);
	}
}

TEST(damage_is_refused, "a byte that changed below what was on disk is damage: the log is not taken up and not cut")
{
	struct seglog l;
	struct stat before, after;
	struct seen s = { 0 };
	int dir = folder();
	reopen(&l, dir);
	uint64_t base = l.base;
	for (uint64_t i = 1; i <= 6; i++) {
		append(&l, i, 20);
		if (i == 3)
			REQUIRE(seglog_sync(&l) == 0, "sync");
	}
	REQUIRE(seglog_sync(&l) == 0, "sync");
	seglog_close(&l);
	char *path = only_segment(base);
	int fd = open(path, O_RDWR);
	REQUIRE(fd >= 0 && fdio_pwrite_full(fd, "X", 1, SEGLOG_HEADER + 60) == 0 && fstat(fd, &before) == 0, "spoil");
	REQUIRE(seglog_open(&l, dir, SEGMENT, 0, see, &s) < 0, "it was taken up with %llu records", (unsigned long long)s.count);
	REQUIRE(stat(path, &after) == 0 && after.st_size == before.st_size, "it was cut");
	seglog_close(&l);
	close(fd);
}

TEST(promised_segment, "died between finishing a segment and making the next, with a half-made file: nothing is lost")
{
	struct seglog l;
	int dir = folder();
	reopen(&l, dir);
	append(&l, 1, 20);
	REQUIRE(seglog_roll(&l) == 0, "roll");
	uint64_t next = l.base;
	seglog_close(&l);
	char *path = only_segment(next);
	REQUIRE(rename(path, t_text("%s.new", path)) == 0 && truncate(t_text("%s.new", path), 17) == 0, "rename");
	struct seen s = reopen(&l, dir);
	REQUIRE(s.count == 1, "%llu records", (unsigned long long)s.count);
	append(&l, 2, 20);
	REQUIRE(seglog_sync(&l) == 0, "sync");
	seglog_close(&l);
	s = reopen(&l, dir);
	REQUIRE(s.count == 2, "%llu records", (unsigned long long)s.count);
	seglog_close(&l);
}
