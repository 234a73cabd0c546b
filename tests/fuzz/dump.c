/* dump - proves: db_dump prints any bytes under any name that we give files: it stays inside them, it ends, and what it
 * prints of a file that is not text itself is lines of printable text.
 * INPUT  u8 which name, u8 what is repaired (1: header, 2: CRCs and offsets); then the bytes of the file */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include "base/crc32c.h"
#include "base/fdio.h"
#include "log/seglog.h"
#include <stdarg.h>
#include <sys/mman.h>
#include <time.h>
#include "take_over.h"
#define nanosleep(time, rest) (void)(time)
#include "log/seglog_reader.c"
#include "log/seglog_tail.c"

static struct { struct fuzz_input in; } fz;

int role_main(int argc, char **argv);
#define main role_main
#include "tools/dump/db_dump.c"

static void
repair(char *b, size_t n, unsigned how)
{
	if (n < SEGLOG_HEADER)
		return;
	int is_log = b[3] == 'L';
	if (how & 1)
		put_u32(b + 60, crc32c(0, b, 60));
	for (size_t at = SEGLOG_HEADER; (how & 2) && at + RECORD_HEADER <= n;) {
		uint32_t len = get_u32(b + at);
		if (len < RECORD_HEADER || len > n - at)
			return;
		if (is_log)
			put_u64(b + at + 16, get_u64(b + 16) + at - SEGLOG_HEADER);
		put_u32(b + at + 4, record_crc(b + at, len, get_u64(b + (is_log ? 24 : 16))));
		at += record_stride(len);
	}
}

static void
body(void)
{
	static const char *const names[] = { "log-0000010000000000", "checkpoint", "ring-3", "clients" };
	const char *name = names[fuzz_number(&fz.in, 1) % 4];
	unsigned how = (unsigned)fuzz_number(&fz.in, 1);
	size_t n = fz.in.n, shown = 0;
	char *bytes = malloc(n + 1), *text = NULL;     /* as fdio_load */
	FILE *keep = stdout;
	fuzz_bytes(&fz.in, bytes, n);
	bytes[n] = '\0';
	repair(bytes, n, how);
	worst = 0;
	stdout = open_memstream(&text, &shown);
	struct seglog_reader r;
	int fd = memfd_create("dump", 0);
	FUZZ_CHECK(fd >= 0 && fdio_write_full(fd, bytes, n) == 0);
	if (seglog_reader_begin(&r, fd) == 0)
		dump_segment(name, &r);
	else
		dump_bytes(name, bytes, n);
	close(fd);
	fclose(stdout);
	stdout = keep;
	FUZZ_CHECK(shown > 0 && text[shown - 1] == '\n');
	for (size_t i = 0; i < shown; i++)
		FUZZ_CHECK(text[i] == '\n' || text[i] == '\t' || ((unsigned char)text[i] >= 0x20 && text[i] != 0x7f));
	FUZZ_CHECK(worst == 0 || worst == EXIT_DAMAGED);
	(free)(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fz.in = (struct fuzz_input){ data, size };
	FUZZ_CHECK(fuzz_run(body) == -1);
	return 0;
}

/* ---- seeds ---- */

static size_t
seed_head(char *b, const char *magic, unsigned name, unsigned how)
{
	b[0] = (char)name;
	b[1] = (char)how;
	memset(b + 2, 0, SEGLOG_HEADER);
	memcpy(b + 2, magic, 8);
	put_u32(b + 2 + 8, SEGLOG_VERSION);
	return 2 + SEGLOG_HEADER;
}

void
fuzz_seeds(fuzz_seed_fn seed)
{
	static const uint8_t types[] = { REC_MESSAGE, REC_SUBSCRIBE, REC_CREATE, REC_MACHINE, REC_LISTED, REC_MARK,
	    REC_END, 63 };
	char b[2048], inner[128], entry[256];
	size_t n = seed_head(b, "MOMLOG1\n", 0, 3);
	for (size_t i = 0; i < sizeof types; i++) {
		struct record r = { .type = types[i], .topic_len = types[i] <= REC_SUBSCRIBE ||
		    types[i] == REC_LISTED ? 4 : 0, .publisher = 5, .aux = 1 };
		n += record_make(b + n, &r, "news", "a\n\t\\\377", types[i] == REC_MESSAGE ? 5 : 0);
	}
	seed("log", b, n);
	seed("log-torn", b, n - 3);
	memcpy(b, "\1\3MOMCKPT\n", 10);
	seed("checkpoint", b, n);
	b[0] = 2;
	memmove(b + 2, b + 2 + SEGLOG_HEADER, n - 2 - SEGLOG_HEADER);
	seed("ring", b, n - SEGLOG_HEADER);
	n = seed_head(b, "MOMLOG1\n", 0, 3);
	n += record_make(b + n, &(struct record){ .type = REC_MESSAGE, .topic_len = 4 }, "news", "hello", 5);
	seed("log-cut-in-padding", b, n - 3);
	n = seed_head(b, "MOMLOG1\n", 0, 3);
	put_u64(entry, 5);
	uint32_t len = record_make(inner, &(struct record){ .type = REC_MESSAGE, .topic_len = 4 }, "news", "hello", 5);
	memcpy(entry + 8, inner, len);
	n += record_make(b + n, &(struct record){ .type = REC_ENTRY, .aux = 1 }, NULL, entry, len + 8 - 7);
	seed("spool", b, n);
	memcpy(b, "\3\0mom clients 1\nslot 0\n", 23);
	seed("text", b, 23);
}
