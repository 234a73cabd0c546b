/* seglog - the log in segments: what a crash leaves, what a start makes of it (db/README.md, S2 to S6) */
#include <lib/t.h>
#include "base/crc32c.h"
#include "base/fdio.h"
#include "log/seglog.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
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
	REQUIRE(get_u64((const char *)bytes + 40) == s->last + 1, "number %llu after %llu",
	    (unsigned long long)get_u64((const char *)bytes + 40),
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
	REQUIRE(seglog_open(l, &(struct seglog_place){ dir, "corrupt", "test", RECORD_MAX, 0 }, SEGMENT, 0, see,
	    &s) == 0, "open");
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
			REQUIRE(offset > highest, "offset %llx after %llx", (unsigned long long)offset,
			    (unsigned long long)highest);
			highest = offset;
		}
		REQUIRE((start & 1 ? seglog_sync(&l) : seglog_flush(&l)) == 0, "flush");
		seglog_close(&l);
	}
}

/* The version of the log's last file; from here on it is `version`, unless that is 0. */
static uint32_t
version_of_last(int dir, uint32_t version)
{
	struct seglog_file *files;
	size_t count;
	char name[40];
	unsigned char head[SEGLOG_HEADER];
	REQUIRE(seglog_list(dir, &files, &count) == 0 && count > 0, "no files");
	snprintf(name, sizeof name, "log-%016llx", (unsigned long long)files[count - 1].base);
	int fd = openat(dir, name, O_RDWR);
	REQUIRE(fd >= 0 && read(fd, head, sizeof head) == sizeof head, "%s", name);
	uint32_t before = get_u32(head + 8);
	put_u32(head + 8, version ? version : before);
	put_u32(head + 60, crc32c(0, head, 60));
	REQUIRE(lseek(fd, 0, SEEK_SET) == 0 && write(fd, head, sizeof head) == sizeof head, "%s", name);
	close(fd);
	free(files);
	return before;
}

TEST(versions, "a log of version 1 is read and goes on in files of this version; one of a newer version is refused")
{
	struct seglog l;
	struct seen s = { 0 };
	int dir = folder();
	reopen(&l, dir);
	append(&l, 1, 10);
	REQUIRE(seglog_sync(&l) == 0, "sync");
	seglog_close(&l);
	REQUIRE(version_of_last(dir, 1) == SEGLOG_VERSION, "a new file has another version");
	REQUIRE(reopen(&l, dir).count == 1, "what version 1 wrote is not there");
	append(&l, 2, 10);
	REQUIRE(seglog_sync(&l) == 0, "sync");
	seglog_close(&l);
	REQUIRE(version_of_last(dir, SEGLOG_VERSION + 1) == SEGLOG_VERSION, "it goes on in an old file");
	REQUIRE(seglog_open(&l, &(struct seglog_place){ dir, "corrupt", "test", RECORD_MAX, 0 }, SEGMENT, 0, see,
	    &s) < 0, "a newer format is read");
	version_of_last(dir, SEGLOG_VERSION);
	REQUIRE(reopen(&l, dir).count == 2, "it was spoilt");
	seglog_close(&l);
}

/* the library's calls come here: how often, with how many bytes, and which is to fail */
static struct { int syncs, fail_sync; uint64_t written; } calls;

int
fdatasync(int fd)
{
	if (++calls.syncs == calls.fail_sync) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

ssize_t
pwrite(int fd, const void *bytes, size_t n, off_t at)
{
	calls.written += n;
	return syscall(SYS_pwrite64, fd, bytes, n, at);
}

TEST(sync_fails, "an fdatasync that failed is not tried again within the call: the second one would succeed with the "
    "data gone")
{
	struct seglog l;
	int dir = folder();
	reopen(&l, dir);
	append(&l, 1, 100);
	calls.syncs = 0;
	calls.fail_sync = 1;
	REQUIRE(seglog_sync(&l) < 0, "it succeeded");
	REQUIRE(calls.syncs == 1, "%d calls", calls.syncs);
	seglog_close(&l);
}

TEST(cut_and_reopened, "offsets that a power cut took with their records are not given out again")
{
	struct seglog l;
	int dir = folder();
	reopen(&l, dir);
	append(&l, 1, 100);
	REQUIRE(seglog_sync(&l) == 0, "sync");
	off_t size = (off_t)(l.written - l.base + 64);
	uint64_t highest = append(&l, 2, 100);
	REQUIRE(seglog_flush(&l) == 0 && ftruncate(l.fd, size) == 0, "flush, cut");
	seglog_close(&l);
	REQUIRE(reopen(&l, dir).count == 1, "the cut one is there");
	uint64_t offset = append(&l, 2, 100);
	REQUIRE(offset > highest, "offset %llx after %llx", (unsigned long long)offset, (unsigned long long)highest);
	seglog_close(&l);
}

TEST(written_once_more, "what a killed writer had in the page cache only is written once more at the start: its "
    "fdatasync may have failed")
{
	struct seglog l;
	int dir = folder();
	reopen(&l, dir);
	append(&l, 1, 100000);
	REQUIRE(seglog_flush(&l) == 0, "flush");
	seglog_close(&l);
	calls.written = 0;
	REQUIRE(reopen(&l, dir).count == 1, "it is gone");
	REQUIRE(calls.written >= 100000, "%llu bytes were written", (unsigned long long)calls.written);
	seglog_close(&l);
}

TEST(rolls, "segments follow each other; a reader gets all of it while it is written; those that nobody needs go")
{
	struct seglog l;
	struct seglog_cursor c;
	int dir = folder();
	uint64_t number = 0, want = 0;
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
		for (ssize_t n; (n = seglog_read(&c, bytes, BATCH + RECORD_MAX, l.end)) > 0;)
			for (ssize_t q = 0; q < n; q += record_stride(get_u32(bytes + q)))
				if (bytes[q + 9] == REC_MESSAGE)
					REQUIRE(get_u64(bytes + q + 40) == ++want, "number %llu",
					    (unsigned long long)want);
	}
	REQUIRE(want == number, "%llu of %llu", (unsigned long long)want, (unsigned long long)number);
	seglog_prune(&l, l.end);
	REQUIRE(l.count == 1, "%zu segments", l.count);
	REQUIRE(seglog_seek(&c, dir, from) == 1 && c.file.at == l.base,
	    "a pruned place does not lead to the oldest segment");
	seglog_leave(&c);
	seglog_close(&l);
	free(bytes);
}

static void
copy_cut(const char *from, const char *to, off_t n)
{
	char *bytes = malloc((size_t)n + 1);
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	REQUIRE(in >= 0 && out >= 0 && fdio_pread_full(in, bytes, (size_t)n, 0) == n &&
	    fdio_write_full(out, bytes, (size_t)n) == 0, "copy");
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

struct told { uint64_t numbers[64]; size_t count; uint64_t gap_from, gap_to; int gaps; };

static int
tell(void *with, const void *bytes, uint64_t offset)
{
	struct told *t = with;
	const char *p = bytes;
	if (p[9] == REC_MESSAGE && t->count < 64)
		t->numbers[t->count++] = get_u64(p + 40);
	if (p[9] == REC_GAP) {
		t->gaps++;
		t->gap_from = offset;
		t->gap_to = get_u64(p + 48);
	}
	return 0;
}

/* all that a reader gets from an offset on */
static struct told
read_all(struct seglog *l, int dir, uint64_t from)
{
	struct told t = { .count = 0 };
	struct seglog_cursor c;
	char *bytes = malloc(BATCH + RECORD_MAX);
	REQUIRE(seglog_seek(&c, dir, from) >= 0, "seek");
	ssize_t n;
	while ((n = seglog_read(&c, bytes, BATCH + RECORD_MAX, l->end)) > 0)
		for (ssize_t q = 0; q < n; q += record_stride(get_u32(bytes + q)))
			tell(&t, bytes + q, get_u64(bytes + q + 16));
	REQUIRE(n == 0, "read: %s", strerror(errno));
	seglog_leave(&c);
	free(bytes);
	return t;
}

static void
spoil(const char *path, uint64_t at)
{
	int fd = open(path, O_RDWR);
	char c;
	REQUIRE(fd >= 0 && fdio_pread_full(fd, &c, 1, at) == 1, "open");
	c ^= 1;
	REQUIRE(fdio_pwrite_full(fd, &c, 1, at) == 0, "spoil");
	close(fd);
}

static void
six_of_which(struct seglog *l, int dir, uint64_t offsets[7])
{
	reopen(l, dir);
	for (uint64_t i = 1; i <= 6; i++) {
		offsets[i] = append(l, i, 20);
		if (i == 4)
			REQUIRE(seglog_sync(l) == 0, "sync");
	}
	REQUIRE(seglog_sync(l) == 0, "sync");
}

TEST(damage_is_told, "a byte that changed below what was on disk: what is sound is there, a gap says what is not, the "
    "damaged file is kept")
{
	for (int bad = 1; bad <= 4; bad++) {
		struct seglog l;
		struct told t = { .count = 0 }, again;
		uint64_t offsets[7];
		char *sub = t_path("bad-%d", bad);
		mkdir(sub, 0700);
		int dir = open(sub, O_RDONLY | O_DIRECTORY);
		six_of_which(&l, dir, offsets);
		uint64_t base = l.base;
		char *path = t_text("%s/log-%016llx", sub, (unsigned long long)base);
		seglog_close(&l);
		spoil(path, offsets[bad] - base + SEGLOG_HEADER + 60);
		REQUIRE(seglog_open(&l, &(struct seglog_place){ dir, "corrupt", "test", RECORD_MAX, 0 }, SEGMENT, 0,
		    tell, &t) == 0, "not taken up");
		REQUIRE(t.count == 5 && t.gaps == 1, "record %d spoilt: %zu records, %d gaps", bad, t.count, t.gaps);
		REQUIRE(t.gap_from == offsets[bad] && t.gap_to == offsets[bad + 1] - (bad == 4 ? RECORD_HEADER : 0),
		    "the gap is from %llx to %llx",
		    (unsigned long long)t.gap_from, (unsigned long long)t.gap_to);
		again = read_all(&l, dir, base);
		REQUIRE(memcmp(&t, &again, sizeof t) == 0, "a reader gets %zu records, %d gaps", again.count,
		    again.gaps);
		REQUIRE(access(t_text("%s/corrupt/test-log-%016llx", sub, (unsigned long long)base), F_OK) == 0,
		    "the damaged file is not kept");
		seglog_close(&l);
		again = (struct told){ .count = 0 };
		REQUIRE(seglog_open(&l, &(struct seglog_place){ dir, "corrupt", "test", RECORD_MAX, 0 }, SEGMENT, 0,
		    tell, &again) == 0, "not taken up again");
		REQUIRE(memcmp(&t, &again, sizeof t) == 0, "the next start finds %zu records, %d gaps", again.count,
		    again.gaps);
		seglog_close(&l);
		close(dir);
	}
}

TEST(damage_while_it_runs, "damage in a segment that is read is found by the reader, taken out by the writer, and the "
    "reader goes on")
{
	struct seglog l;
	struct seglog_cursor c;
	uint64_t offsets[7];
	int dir = folder();
	char *bytes = malloc(BATCH + RECORD_MAX);
	six_of_which(&l, dir, offsets);
	uint64_t base = l.base;
	spoil(only_segment(base), offsets[3] - base + SEGLOG_HEADER + 60);
	REQUIRE(seglog_seek(&c, dir, base) == 0, "seek");
	ssize_t n = seglog_read(&c, bytes, BATCH + RECORD_MAX, l.end);
	REQUIRE(n > 0 && c.file.at == offsets[3], "read up to %llx", (unsigned long long)c.file.at);
	REQUIRE(seglog_read(&c, bytes, BATCH + RECORD_MAX, l.end) < 0 && errno == EBADMSG, "damage was read");
	seglog_leave(&c);
	REQUIRE(seglog_repair(&l, offsets[3]) == 0, "repair");
	struct told t = read_all(&l, dir, offsets[3]);
	REQUIRE(t.gaps == 1 && t.gap_from == offsets[3] && t.gap_to == offsets[4] && t.count == 3 && t.numbers[0] == 4,
	    "%d gaps, %zu records", t.gaps, t.count);
	append(&l, 7, 20);
	REQUIRE(seglog_sync(&l) == 0, "sync");
	t = read_all(&l, dir, base);
	REQUIRE(t.count == 6, "%zu records", t.count);
	seglog_close(&l);
	free(bytes);
}

TEST(lost_files, "a segment without its header, or gone as a whole: a gap says so, the rest is there")
{
	for (int way = 0; way < 2; way++) {
		struct seglog l;
		struct told t = { .count = 0 };
		char *sub = t_path("way-%d", way);
		mkdir(sub, 0700);
		int dir = open(sub, O_RDONLY | O_DIRECTORY);
		uint64_t base[3];
		reopen(&l, dir);
		for (uint64_t i = 0; i < 3; i++) {
			base[i] = l.base;
			append(&l, i + 1, 20);
			REQUIRE(seglog_roll(&l) == 0, "roll");
		}
		seglog_close(&l);
		char *path = t_text("%s/log-%016llx", sub, (unsigned long long)base[1]);
		if (way)
			unlink(path);
		else
			spoil(path, 20);
		REQUIRE(seglog_open(&l, &(struct seglog_place){ dir, "corrupt", "test", RECORD_MAX, 0 }, SEGMENT, 0,
		    tell, &t) == 0, "not taken up");
		REQUIRE(t.count == 2 && t.numbers[1] == 3, "%zu records", t.count);
		t = read_all(&l, dir, base[0]);
		REQUIRE(t.count == 2 && t.gaps == 1 && t.gap_from == base[1] && t.gap_to == base[2],
		    "%zu records, %d gaps", t.count, t.gaps);
		seglog_close(&l);
		close(dir);
	}
}

/* A copy of a segment's file under the name of one that begins 8 bytes later; as_its_own: with a header that says
 * so. */
static void
stray_copy(const char *sub, uint64_t base, int as_its_own)
{
	size_t n;
	int dir = open(sub, O_RDONLY | O_DIRECTORY);
	char *bytes = fdio_load(dir, t_text("log-%016llx", (unsigned long long)base), &n, SEGMENT);
	REQUIRE(bytes, "load");
	if (as_its_own) {
		put_u64(bytes + 16, base + 8);
		put_u32(bytes + 60, crc32c(0, bytes, 60));
	}
	REQUIRE(fdio_replace(dir, t_text("log-%016llx", (unsigned long long)base + 8), bytes, n, 0) == 0, "write");
	free(bytes);
	close(dir);
}

TEST(overlapping_files, "a file that lies across the log's own segments is set aside by name: nothing of the log is "
    "lost, recovery and readers agree")
{
	/* between two segments, or behind the last one's END; with its own header or another's */
	for (int way = 0; way < 4; way++) {
		struct seglog l;
		struct told t = { .count = 0 };
		char *sub = t_path("way-%d", way);
		mkdir(sub, 0700);
		int dir = open(sub, O_RDONLY | O_DIRECTORY);
		reopen(&l, dir);
		for (uint64_t i = 0; i < 2; i++) {
			append(&l, 2 * i + 1, 20);
			append(&l, 2 * i + 2, 20);
			REQUIRE(seglog_roll(&l) == 0, "roll");
		}
		uint64_t first = l.files[0].base, last = l.files[1].base, empty = l.base;
		seglog_close(&l);
		if (way & 1)
			REQUIRE(unlink(t_text("%s/log-%016llx", sub, (unsigned long long)empty)) == 0, "unlink");
		stray_copy(sub, way & 1 ? last : first, way & 2);
		REQUIRE(seglog_open(&l, &(struct seglog_place){ dir, "corrupt", "test", RECORD_MAX, 0 }, SEGMENT, 0,
		    tell, &t) == 0, "not taken up");
		REQUIRE(t.count == 4 && t.gaps == 0, "way %d: %zu records, %d gaps", way, t.count, t.gaps);
		t = read_all(&l, dir, first);
		REQUIRE(t.count == 4 && t.gaps == 0, "way %d: a reader gets %zu records, %d gaps", way, t.count,
		    t.gaps);
		REQUIRE(access(t_text("%s/corrupt/test-log-%016llx", sub,
		    (unsigned long long)(way & 1 ? last : first) + 8), F_OK) == 0, "way %d: it is not kept", way);
		seglog_close(&l);
		close(dir);
	}
}

static int
keep_some(void *with, const void *bytes)
{
	return get_u64((const char *)bytes + 40) % *(uint64_t *)with == 0;
}

TEST(packed, "a segment written anew keeps what is needed at the same offsets, for readers at any place and over "
    "starts")
{
	struct seglog l;
	struct told t = { .count = 0 };
	uint64_t offsets[65], every = 8;
	int dir = folder();
	reopen(&l, dir);
	uint64_t base = l.base;
	for (uint64_t i = 1; i <= 64; i++)
		offsets[i] = append(&l, i, 2000);
	REQUIRE(seglog_roll(&l) == 0, "roll");
	append(&l, 72, 20);
	REQUIRE(seglog_sync(&l) == 0, "sync");
	uint64_t before = l.total;
	REQUIRE(seglog_pack(&l, 0, UINT64_MAX, keep_some, &every) == 0, "pack: %s", strerror(errno));
	REQUIRE(l.total < before / 2, "%llu bytes of %llu", (unsigned long long)l.total, (unsigned long long)before);
	for (uint64_t i = 1; i <= 64; i++) {
		t = read_all(&l, dir, offsets[i]);
		REQUIRE(t.count == 9 - (i - 1) / 8 && t.numbers[0] == (i + 7) / 8 * 8,
		    "from record %llu: %zu, the first is %llu", (unsigned long long)i, t.count,
		    (unsigned long long)t.numbers[0]);
	}
	every = 32;
	REQUIRE(seglog_pack(&l, 0, UINT64_MAX, keep_some, &every) == 0, "pack again: %s", strerror(errno));
	seglog_close(&l);
	t = (struct told){ .count = 0 };
	REQUIRE(seglog_open(&l, &(struct seglog_place){ dir, "corrupt", "test", RECORD_MAX, 0 }, SEGMENT, 0, tell,
	    &t) == 0, "not taken up");
	REQUIRE(t.count == 3 && t.numbers[0] == 32 && t.numbers[2] == 72, "%zu records", t.count);
	t = read_all(&l, dir, base);
	REQUIRE(t.count == 3 && t.gaps == 0, "%zu records", t.count);
	seglog_close(&l);
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

TEST(swept, "a file that was being made when its maker died does not stay for ever, whatever its offset was")
{
	struct seglog l;
	int dir = folder(), fd;
	reopen(&l, dir);
	seglog_close(&l);
	REQUIRE((fd = openat(dir, "log-0000000000000abc.new", O_CREAT | O_WRONLY, 0600)) >= 0, "create");
	close(fd);
	reopen(&l, dir);
	REQUIRE(faccessat(dir, "log-0000000000000abc.new", F_OK, 0) < 0, "it is still there");
	seglog_close(&l);
}

static int
spares(int dir)
{
	int n = 0;
	char name[32];
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof name, "spare-%d.new", i);
		n += faccessat(dir, name, F_OK, 0) == 0;
	}
	return n;
}

/* messages of 64 KiB until the log has rolled so many times */
static uint64_t
fill(struct seglog *l, uint64_t number, int segments)
{
	for (uint64_t base = l->base; segments > 0;) {
		append(l, ++number, 64 * 1024);
		REQUIRE(seglog_flush(l) == 0, "flush");
		segments -= l->base != base;
		base = l->base;
	}
	return number;
}

static ino_t
inode(int dir, uint64_t base)
{
	char name[32];
	struct stat st = { 0 };
	snprintf(name, sizeof name, "log-%016llx", (unsigned long long)base);
	REQUIRE(fstatat(dir, name, &st, 0) == 0, "stat(%s)", name);
	return st.st_ino;
}

TEST(spares, "a segment's file is used again: after a kill all of its new records are there and nothing of what it "
    "held before; no spare stays")
{
	struct seglog l;
	int dir = folder();
	reopen(&l, dir);
	ino_t first = inode(dir, l.base);
	uint64_t number = fill(&l, 0, 5);
	seglog_prune(&l, l.base);
	REQUIRE(spares(dir) == 3 && l.count == 1, "%d spares, %zu segments", spares(dir), l.count);
	number = fill(&l, number, 3);
	REQUIRE(spares(dir) == 0 && inode(dir, l.base) == first, "the files were not used again");
	uint64_t from = l.base;
	seglog_prune(&l, from);
	int had = spares(dir);
	uint64_t last = append(&l, ++number, 10);
	REQUIRE(had > 0 && seglog_flush(&l) == 0, "flush");
	close(l.fd);                                   /* killed */
	struct seen s = { .last = number - 2 };        /* the message that began the last segment, and the small one */
	REQUIRE(seglog_open(&l, &(struct seglog_place){ dir, "corrupt", "test", RECORD_MAX, 0 }, SEGMENT, from, see,
	    &s) == 0, "open");
	REQUIRE(s.last == number && s.offset == last && s.count == 2, "%llu records, the last %llu at %llx",
	    (unsigned long long)s.count,
	    (unsigned long long)s.last, (unsigned long long)s.offset);
	REQUIRE(spares(dir) == 0 && faccessat(dir, "corrupt", F_OK, 0) < 0,
	    "a spare stays, or something was taken for damage");
	number = fill(&l, number, 3);
	seglog_prune(&l, l.base);
	REQUIRE(spares(dir) == 3, "%d spares", spares(dir));
	seglog_drop_spares(&l);
	REQUIRE(spares(dir) == 0, "%d spares", spares(dir));
	seglog_close(&l);
}

TEST(spare_under_reader, "a reader in a segment whose file is used again is told that it is gone: no damage, and "
    "nothing of what is there now")
{
	struct seglog l;
	struct seglog_cursor c;
	static char bytes[1 << 20];
	int dir = folder();
	reopen(&l, dir);
	uint64_t begin = l.base, number = fill(&l, 0, 2);
	REQUIRE(seglog_seek(&c, dir, begin) >= 0 && seglog_read(&c, bytes, sizeof bytes, l.end) > 0, "read");
	uint64_t at = c.file.at;
	seglog_prune(&l, l.base);
	fill(&l, number, 3);                           /* until what it stands at is overwritten */
	REQUIRE(seglog_read(&c, bytes, sizeof bytes, l.end) < 0 && errno == ESTALE, "it read on: %s", strerror(errno));
	REQUIRE(c.file.at == at, "it moved on");
	seglog_leave(&c);
	seglog_close(&l);
}

TEST(behind_end, "killed before the file was cut behind its END: a reader whose place a power cut took with the "
    "records finds the next segment")
{
	struct seglog l;
	struct seglog_cursor c;
	char name[32];
	static char bytes[1 << 20];
	int dir = folder();
	reopen(&l, dir);
	append(&l, 1, 100);
	REQUIRE(seglog_sync(&l) == 0, "sync");
	uint64_t base = l.base;
	off_t size = (off_t)(l.written - base + 64);
	append(&l, 2, 100);
	uint64_t place = append(&l, 3, 100);
	REQUIRE(seglog_flush(&l) == 0 && ftruncate(l.fd, size) == 0, "flush, cut");
	seglog_close(&l);
	snprintf(name, sizeof name, "log-%016llx", (unsigned long long)base);
	reopen(&l, dir);
	seglog_close(&l);
	struct seglog_file *files;
	size_t count;
	REQUIRE(seglog_list(dir, &files, &count) == 0, "list");
	for (size_t i = 0; i < count; i++) {           /* as if that start was killed when END was on the disk */
		char later[32];
		snprintf(later, sizeof later, "log-%016llx", (unsigned long long)files[i].base);
		REQUIRE(files[i].base <= base || unlinkat(dir, later, 0) == 0, "unlink");
	}
	free(files);
	int fd = openat(dir, name, O_RDWR);
	REQUIRE(fd >= 0 && ftruncate(fd, 600 * 1024) == 0, "the zeros that were prepared");
	close(fd);
	reopen(&l, dir);
	uint64_t number = append(&l, 2, 10);
	REQUIRE(seglog_flush(&l) == 0 && seglog_seek(&c, dir, place) >= 0, "seek");
	ssize_t n = seglog_read(&c, bytes, sizeof bytes, l.end);
	REQUIRE(n > 0 && c.file.head.base > base && c.file.at > number, "at %llx: %s", (unsigned long long)c.file.at,
	    n < 0 ? strerror(errno) : "nothing");
	seglog_leave(&c);
	seglog_close(&l);
}

/* a disk without room: for a file that has its blocks, too, beyond them */
static int full;

int
fstatvfs(int fd, struct statvfs *st)
{
	long r = syscall(SYS_fstatfs, fd, &(char[512]){ 0 });
	*st = (struct statvfs){ .f_frsize = 4096, .f_bavail = full ? 0 : 1 << 20, .f_blocks = 1 << 20 };
	return (int)r;
}

int
fallocate(int fd, int mode, off_t at, off_t n)
{
	struct stat st;
	if (full && fstat(fd, &st) == 0 && (off_t)st.st_blocks * 512 < at + n) {
		errno = ENOSPC;
		return -1;
	}
	return (int)syscall(SYS_fallocate, fd, mode, at, n);
}

TEST(short_spare, "a full disk and a spare file that holds less than a segment: the old segment stays open for what "
    "has its room there")
{
	struct seglog l;
	int dir = folder();
	reopen(&l, dir);
	uint64_t number = 0;
	while (l.end - l.base < SEGMENT * 5 / 8)
		append(&l, ++number, 64 * 1024);
	REQUIRE(seglog_roll(&l) == 0, "roll");
	seglog_prune(&l, l.base);
	REQUIRE(spares(dir) == 1, "%d spares", spares(dir));
	append(&l, ++number, 10);
	full = 1;
	REQUIRE(seglog_roll(&l) < 0 && errno == ENOSPC, "it rolled");
	REQUIRE(!l.missing && l.fd >= 0, "the old segment is ended");
	append(&l, ++number, 10);
	full = 0;
	REQUIRE(seglog_roll(&l) == 0, "roll: %s", strerror(errno));
	seglog_close(&l);
}

TEST(linked, "the file of a segment that somebody else has a link to is not used again")
{
	struct seglog l;
	int dir = folder();
	char name[32];
	reopen(&l, dir);
	snprintf(name, sizeof name, "log-%016llx", (unsigned long long)l.base);
	REQUIRE(linkat(dir, name, dir, "kept", 0) == 0, "link");
	fill(&l, 0, 1);
	seglog_prune(&l, l.base);
	REQUIRE(spares(dir) == 0, "it became a spare");
	seglog_close(&l);
}

TEST(gone, "a segment whose file is gone, or another's, is named, whichever it is, and none while all are there")
{
	enum { SEGMENTS = 100 };
	struct seglog l;
	int dir = folder();
	char name[32], other[32];
	reopen(&l, dir);
	for (int i = 1; i < SEGMENTS; i++) {
		append(&l, (uint64_t)i, 10);
		REQUIRE(seglog_roll(&l) == 0, "roll: %s", strerror(errno));
	}
	for (size_t i = 0; i < l.count; i++) {
		uint64_t gone = 0;
		sprintf(name, "log-%016llx", (unsigned long long)l.files[i].base);
		sprintf(other, "other-%zu", i);
		for (int k = 0; k < 2; k++)
			REQUIRE(seglog_gone(&l) == 0, "one is gone before it is taken");
		REQUIRE(renameat(dir, name, dir, other) == 0, "rename: %s", strerror(errno));
		if (l.files[i].base == l.base)                /* another file under its name */
			close(openat(dir, name, O_CREAT | O_WRONLY, 0600));
		for (int k = 0; k < 2 && gone == 0; k++)
			gone = seglog_gone(&l);
		REQUIRE(gone == l.files[i].base, "%s is gone, %llx is named", name, (unsigned long long)gone);
		REQUIRE(renameat(dir, other, dir, name) == 0, "rename: %s", strerror(errno));
	}
	seglog_close(&l);
}

/* A log of one segment without a record, of that incarnation */
static void
log_of(int dir, uint32_t incarnation)
{
	struct seglog l;
	struct seglog_place place = { dir, "corrupt", "test", RECORD_MAX, 0 };
	unsigned char head[SEGLOG_HEADER];
	char old[40], new[40];
	REQUIRE(seglog_open(&l, &place, SEGMENT, 0, see, &(struct seen){ 0 }) == 0, "open");
	snprintf(old, sizeof old, "log-%016llx", (unsigned long long)l.base);
	seglog_close(&l);
	snprintf(new, sizeof new, "log-%016llx", (unsigned long long)incarnation << 40);
	REQUIRE(renameat(dir, old, dir, new) == 0, "%s: %s", old, strerror(errno));
	int fd = openat(dir, new, O_RDWR);
	REQUIRE(fd >= 0 && pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head && ftruncate(fd, sizeof head) == 0,
	    "%s", new);
	put_u64(head + 16, (uint64_t)incarnation << 40);
	put_u32(head + 60, crc32c(0, head, 60));
	REQUIRE(pwrite(fd, head, sizeof head, 0) == (ssize_t)sizeof head, "%s", new);
	close(fd);
}

TEST(ends, "offsets end at 2^64: positions that are used up begin a new incarnation, after the last one nothing is "
    "written and no start succeeds; none goes round")
{
	struct seglog l;
	int dir = folder();
	struct seglog_place place = { dir, "corrupt", "test", RECORD_MAX, 0 };
	log_of(dir, 0xfffffd);
	REQUIRE(seglog_open(&l, &place, SEGMENT, 0, see, &(struct seen){ 0 }) == 0 &&
	    offset_incarnation(l.base) == 0xfffffe, "%016llx", (unsigned long long)l.base);
	uint64_t far = (UINT64_C(1) << 39) - 8;        /* as if so much had been written */
	l.base += far, l.end += far, l.written += far, l.synced += far, l.kicked += far, l.prepared += far;
	REQUIRE(seglog_roll(&l) == 0 && l.base == UINT64_C(0xffffff) << 40, "positions go on: %016llx",
	    (unsigned long long)l.base);
	l.base += far, l.end += far, l.written += far, l.synced += far, l.kicked += far, l.prepared += far;
	REQUIRE(seglog_roll(&l) == -1 && errno == EOVERFLOW, "offsets go round: %016llx", (unsigned long long)l.base);
	seglog_close(&l);
	REQUIRE(seglog_open(&l, &place, SEGMENT, 0, see, &(struct seen){ 0 }) == -1 && errno == EOVERFLOW,
	    "a start succeeds: %016llx", (unsigned long long)l.base);
}
