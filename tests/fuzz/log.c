/* log - proves: of a folder with any segment files recovery shows whole records of those files only, each where its
 * offset says, in order, with the right CRC, and gaps where there was more; what it has accepted once it shows again,
 * and a reader gets the same; a reader of the files as they are ends too.
 * INPUT  u8 what is repaired (1: headers, 2: CRCs and offsets, 4: also lengths), then up to three files: u16 base, u16
 *        length, bytes
 * The files' CRCs are repaired because no fuzzer guesses one; without repair a record that was changed must not
 * pass. */
#include <errno.h>
#include "format/kinds.h"
#include <fcntl.h>
#include "base/crc32c.h"
#include "base/fdio.h"
#include "base/log.h"
#include "log/seglog.h"
#include "take_over.h"
#include "log/seglog.c"
#include "log/seglog_recover.c"
#include "log/seglog_cursor.c"
#include "log/seglog_reader.c"
#include "log/seglog_rewrite.c"

enum { FILES = 3, FILE_MOST = 4096, SEGMENT = 16 * 1024, SHOWN = 1024 };

struct shown { uint64_t offset, end; uint32_t len, crc, type; };

static struct {
	struct fuzz_input in;
	int dir;
	size_t files;
	struct { uint64_t base, salt; size_t n; uint8_t bytes[FILE_MOST]; } file[FILES];
	struct shown shown[SHOWN];
	size_t count;
	uint64_t last;                             /* where the record lies that the new incarnation wrote */
} fz;

/* ---- the files ---- */

static void
repair(uint8_t *b, size_t n, uint64_t base, unsigned how)
{
	if (n < SEGLOG_HEADER)
		return;
	if (how & 1) {
		memcpy(b, "MOMLOG1\n", 8);
		put_u32(b + 8, SEGLOG_VERSION);
		put_u64(b + 16, base);
		put_u32(b + 60, crc32c(0, b, 60));
	}
	for (size_t at = SEGLOG_HEADER; (how & 2) && at + RECORD_HEADER <= n;) {
		uint8_t *p = b + at;
		if (how & 4) {
			p[8] = RECORD_HEADER;
			put_u16(p + 12, get_u16(p + 12) & 3);
			put_u32(p, RECORD_HEADER + (get_u32(p) & 127));
		}
		uint32_t len = get_u32(p);
		if (len < RECORD_HEADER || len > n - at)
			return;
		put_u64(p + 16, base + at - SEGLOG_HEADER);
		put_u32(p + 4, record_crc(p, len, get_u64(b + 24)));
		at += record_stride(len);
	}
}

/* bases lie close together, so that files lead to each other and overlap; the highest bits are the incarnation, 15 is
 * the last of all */
static uint64_t
base_of(uint64_t v)
{
	return (v >> 12 == 15 ? UINT64_C(0xffffff) : v >> 12) << 40 | (v & 0xfff) * 8;
}

static void
make_files(void)
{
	unsigned how = (unsigned)fuzz_number(&fz.in, 1);
	char name[64];
	fuzz_folder_clear(fz.dir);
	while (fz.files < FILES && fz.in.n > 4) {
		uint64_t base = base_of(fuzz_number(&fz.in, 2));
		size_t n = fuzz_number(&fz.in, 2) % (FILE_MOST + 1);
		uint8_t *b = fz.file[fz.files].bytes;
		fz.file[fz.files].base = base;
		fz.file[fz.files].n = n = fuzz_bytes(&fz.in, b, n);
		repair(b, n, base, how);
		fz.file[fz.files].salt = n >= SEGLOG_HEADER ? get_u64(b + 24) : 0;
		seglog_name(name, base);
		fuzz_file(fz.dir, name, b, n);
		log_debug("%s, %zu bytes", name, n);
		fz.files++;
	}
}

/* ---- what is shown ---- */

/* marks and ENDs are for the log itself, and written anew */
static int
is_notice(unsigned type)
{
	return type == REC_MARK || type == REC_END;
}

static int
show(void *with, const void *bytes, uint64_t offset)
{
	size_t *n = with;
	struct record r;
	record_get(&r, bytes);
	log_debug("%016llx %s aux %llx", (unsigned long long)offset, kind_of(r.type)->name,
	    (unsigned long long)r.aux);
	if (is_notice(r.type))
		return 0;
	FUZZ_CHECK(r.offset == offset && record_is_sound(bytes, 2 * RECORD_MAX));
	if (*n > 0 && *n <= SHOWN)
		FUZZ_CHECK(offset >= fz.shown[*n - 1].end);
	if (*n < SHOWN)
		fz.shown[*n] = (struct shown){ offset, r.type == REC_GAP ? r.aux : offset + record_stride(r.len), r.len,
		    r.crc, r.type };
	++*n;
	return 0;
}

/* it lies there, whole and with a right CRC */
static int
is_at(size_t i, uint64_t at, const struct shown *s)
{
	if (fz.file[i].n < SEGLOG_HEADER || at > fz.file[i].n || s->len > fz.file[i].n - at)
		return 0;
	const uint8_t *p = fz.file[i].bytes + at;
	return get_u32(p) == s->len && get_u32(p + 4) == s->crc && get_u64(p + 16) == s->offset &&
	    s->crc == record_crc(p, s->len, fz.file[i].salt);
}

/* In one of the input's files: where its offset says; in a packed one, anywhere. */
static int
is_in_a_file(const struct shown *s)
{
	for (size_t i = fz.files; i-- > 0;) {
		if (s->offset < fz.file[i].base)
			continue;
		if (is_at(i, s->offset - fz.file[i].base + SEGLOG_HEADER, s))
			return 1;
		int packed = fz.file[i].n >= SEGLOG_HEADER && get_u32(fz.file[i].bytes + 12) == 1;
		for (uint64_t at = SEGLOG_HEADER; packed && at < fz.file[i].n; at += 8)
			if (is_at(i, at, s))
				return 1;
	}
	return 0;
}

/* after the first start: the same, then what was written */
static int
show_again(void *with, const void *bytes, uint64_t offset)
{
	size_t *n = with;
	if (is_notice(((const uint8_t *)bytes)[9]))
		return 0;
	if (*n < fz.count)
		FUZZ_CHECK(offset == fz.shown[*n].offset && get_u32(bytes) == fz.shown[*n].len &&
		    get_u32((const char *)bytes + 4) == fz.shown[*n].crc);
	else
		FUZZ_CHECK(*n == fz.count && offset == fz.last);
	++*n;
	return 0;
}

/* A reader from `at` up to limit; accepted: it must get what recovery showed, all of it. */
static void
read_all(uint64_t limit, int accepted)
{
	struct seglog_cursor c;
	size_t room = 64 * 1024, n = 0;
	char *bytes = malloc(room);
	uint64_t before = 0;
	ssize_t got;
	if (seglog_seek(&c, fz.dir, 0) < 0) {
		FUZZ_CHECK(!accepted);
		return;
	}
	for (int i = 0; (got = seglog_read(&c, bytes, room, limit)) > 0; i++) {
		FUZZ_CHECK((size_t)got <= room);
		for (size_t q = 0; q < (size_t)got; q += record_stride(get_u32(bytes + q))) {
			uint64_t offset = get_u64(bytes + q + 16);
			FUZZ_CHECK((i == 0 && q == 0) || offset > before);
			before = offset;
			if (!accepted || is_notice((uint8_t)bytes[q + 9]))
				continue;
			FUZZ_CHECK(offset == (n < fz.count ? fz.shown[n].offset : fz.last));
			n++;
		}
	}
	log_debug("reader: %zu of %zu records, %zd errno %d at %llx of %llx", n, fz.count + 1, got, errno,
	    (unsigned long long)c.file.at, (unsigned long long)c.file.head.base);
	FUZZ_CHECK(!accepted || (got == 0 && n == fz.count + 1));
	seglog_leave(&c);
}

static void
body(void)
{
	struct seglog l;
	struct seglog_place place = { fz.dir, ".", "kept", RECORD_MAX, 0 };
	size_t again = 0;
	make_files();
	read_all(UINT64_MAX, 0);
	if (seglog_open(&l, &place, SEGMENT, 0, show, &fz.count) < 0) {
		seglog_close(&l);
		return;
	}
	FUZZ_CHECK(fz.count <= SHOWN);
	for (size_t i = 0; i < fz.count; i++)
		FUZZ_CHECK((fz.shown[i].type == REC_GAP || is_in_a_file(&fz.shown[i])) && fz.shown[i].offset < l.base);
	FUZZ_CHECK(l.count > 0 && l.files[l.count - 1].base == l.base && (l.base & NUMBER_COUNTER) == 0);
	for (size_t i = 1; i < l.count; i++)
		FUZZ_CHECK(l.files[i - 1].base < l.files[i].base);
	struct record r = { .type = REC_MESSAGE };
	void *at = seglog_reserve(&l, RECORD_HEADER, 0);
	FUZZ_CHECK(at != NULL);
	record_make(at, &r, NULL, NULL, 0);
	fz.last = seglog_take(&l, at);
	FUZZ_CHECK(seglog_sync(&l) == 0);
	read_all(l.end, 1);
	seglog_close(&l);
	int is_open = seglog_open(&l, &place, SEGMENT, 0, show_again, &again) == 0;
	/* its offsets are used up */
	FUZZ_CHECK(is_open || (errno == EOVERFLOW && next_incarnation(next_incarnation(fz.last)) < fz.last));
	seglog_close(&l);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&fz, 0, sizeof fz);
	fz.in = (struct fuzz_input){ data, size };
	fz.dir = fuzz_folder();
	FUZZ_CHECK(fuzz_run(body) == -1);
	return 0;
}

/* ---- seeds ---- */

/* a file's head in the input, then the file itself; the records follow */
static size_t
seed_file(char *b, unsigned base, size_t n)
{
	unsigned char head[SEGLOG_HEADER] = "MOMLOG1\n";
	put_u16(b, (uint16_t)base);
	put_u16(b + 2, (uint16_t)(SEGLOG_HEADER + n));
	put_u32(head + 8, SEGLOG_VERSION);
	put_u64(head + 16, base_of(base));
	put_u64(head + 24, 4711);
	put_u32(head + 60, crc32c(0, head, 60));
	memcpy(b + 4, head, sizeof head);
	return 4 + sizeof head;
}

static size_t
seed_record(char *p, int type, uint64_t offset, uint64_t aux)
{
	struct record r = { .type = (uint8_t)type, .aux = aux, .offset = offset, .number = offset,
	    .topic_len = type == REC_MESSAGE ? 4 : 0 };
	uint32_t stride = record_make(p, &r, "news", "hello", type == REC_MESSAGE ? 5 : 0);
	put_u32(p + 4, record_crc(p, r.len, 4711));
	return stride;
}

void
fuzz_seeds(fuzz_seed_fn seed)
{
	enum { M = 72, E = RECORD_HEADER, FIRST = 0x1000, SECOND = FIRST + (2 * M + E) / 8 };
	static char b[4096];
	uint64_t base = base_of(FIRST);
	size_t n = 1, from;
	n += seed_file(b + n, FIRST, 2 * M + E);
	n += seed_record(b + n, REC_MESSAGE, base, 0);
	n += seed_record(b + n, REC_MARK, base + M, base + M);
	n += seed_record(b + n, REC_MESSAGE, base + M + E, 0);
	seed("one-file", b, n);
	seed("torn", b, n - 20);
	b[n - 1 - M - E] ^= 1;
	seed("damaged", b, n);
	n = 1;
	n += seed_file(b + n, FIRST, 2 * M + E);
	n += seed_record(b + n, REC_MESSAGE, base, 0);
	n += seed_record(b + n, REC_MESSAGE, base + M, 0);
	n += seed_record(b + n, REC_END, base + 2 * M, base_of(SECOND));
	seed("end-promises", b, n);
	from = n;
	n += seed_file(b + n, SECOND, M);
	n += seed_record(b + n, REC_MESSAGE, base_of(SECOND), 0);
	seed("two-files", b, n);
	b[0] = 3;
	put_u64(b + from - E + 48, base);                      /* END that leads back */
	seed("end-back-repaired", b, from);
	seed("end-wrong-repaired", b, n);
	b[0] = 7;
	seed("lengths-repaired", b, n);
	b[0] = 3;
	put_u64(b + from - E + 48, 0);
	seed("end-names-nothing", b, from);
	put_u64(b + from - E + 48, UINT64_C(0xff0036ffffffffff));
	seed("end-leads-too-far", b, from);
	n = 1 + seed_file(b + 1, 0, 48);
	memset(b + n, 7, 48);
	seed("base-0-shorter-than-a-record", b, n + 48);
	/* the second file begins inside the first one, whose END leads past it */
	b[0] = 3;
	n = 1 + seed_file(b + 1, FIRST, 2 * M + E);
	n += seed_record(b + n, REC_MESSAGE, base, 0);
	n += seed_record(b + n, REC_MESSAGE, base + M, 0);
	n += seed_record(b + n, REC_END, base + 2 * M, base_of(SECOND));
	n += seed_file(b + n, FIRST + 1, M);
	n += seed_record(b + n, REC_MESSAGE, base_of(FIRST + 1), 0);
	seed("overlap", b, n);
	n += seed_file(b + n, SECOND, M);
	n += seed_record(b + n, REC_MESSAGE, base_of(SECOND), 0);
	seed("overlap-between-two", b, n);
}
