/* db_dump - any store or spool file as text, one record a line
 * USAGE    db_dump DIR|FILE       a store, a shard, a spool, or one file of them
 * OUTPUT   OFFSET TYPE and what the record says; payloads cut at 64 bytes, unprintable bytes as \n, \t, \\, \xHH
 * EXIT     0 all of it is sound   1 damaged (a line says where)   100 wrong use   111 it cannot be read, or is none of
 *          these */
#include "base/arguments.h"
#include "format/kinds.h"
#include "format/properties.h"
#include "base/crc32c.h"
#include "base/fdio.h"
#include "base/program.h"
#include "ipc/ring_file.h"
#include "log/seglog.h"
#include "look/small_file.h"
#include "format/topic.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_DAMAGED = 1, EXIT_WRONG_USE = 100, EXIT_UNREADABLE = 111, SHOWN = 64, FILE_MOST = INT_MAX };

static int worst;
static uint64_t leads_to;                     /* what the last segment's END names, 0: none */

static void
print_escaped(const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	for (size_t i = 0; i < n && i < SHOWN; i++) {
		if (p[i] == '\n' || p[i] == '\t' || p[i] == '\\')
			printf("\\%c", p[i] == '\n' ? 'n' : p[i] == '\t' ? 't' : '\\');
		else if (p[i] >= 0x20 && p[i] < 0x7f)
			putchar(p[i]);
		else
			printf("\\x%02X", p[i]);
	}
	if (n > SHOWN)
		printf("...");
}

/* Lines as they are. */
static void
print_text(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)p[i] >= 0x20 && p[i] != 0x7f) || p[i] == '\n' || p[i] == '\t')
			putchar(p[i]);
		else
			printf("\\x%02X", (unsigned char)p[i]);
}

static void print_record(const char *bytes);

static void
print_entry(const char *bytes, const struct record *r)
{
	const char *p = record_data(bytes, r);
	uint32_t n = record_data_len(bytes, r);
	printf(" to");
	for (uint64_t i = 0; i < r->aux && n >= 8; i++, p += 8, n -= 8)
		printf(" %016llx", (unsigned long long)get_u64(p));
	printf(":");
	if (record_is_sound(p, n) && p[9] != REC_ENTRY)        /* nested ones would take the stack */
		print_record(p);
	else
		printf(" no record\n");
}

/* Texts as they stand, a header as NAME=VALUE, other bytes escaped. */
static void
print_property(const struct property *p, int is_request)
{
	static const char *const names[] = { [MOM_P_KEY] = "key", [MOM_P_REPLY_TO] = "reply-to",
	    [MOM_P_CORRELATION] = "correlation", [MOM_P_CONTENT_TYPE] = "content-type" };
	if (p->tag == PROPERTY_EXPIRES && p->len == 8) {
		printf(is_request ? " lives %lld ms" : " expires %lld", (long long)get_u64(p->value));
		return;
	}
	const char *name = p->tag < sizeof names / sizeof *names ? names[p->tag] : NULL;
	size_t n = p->len, part = strnlen(p->value, n);
	if (name)
		printf(" %s \"", name);
	else
		printf(p->tag == MOM_P_HEADER ? " header \"" : " property %u \"", p->tag);
	if (p->tag == MOM_P_HEADER && part + 1 < n) {
		print_escaped(p->value, part);
		putchar('=');
		print_escaped(p->value + part + 1, n - part - 2);
	} else
		print_escaped(p->value, n - (n && part == n - 1));
	putchar('"');
}

static void
print_properties(const char *bytes, const struct record *r)
{
	const char *at = record_properties(bytes, r), *end = at + record_properties_size(bytes, r);
	if (at == end)
		return;
	at += 2;
	for (struct property p; properties_next(&at, end, &p) > 0;)
		print_property(&p, r->type == REC_WILL);
}

static void
print_details(const char *bytes, const struct record *r)
{
	switch (r->type) {
	case REC_MESSAGE:
		printf(" time %lld %s %u bytes \"", (long long)r->time, r->flags & REC_F_DURABLE ? "durable" : "fast",
		    record_data_len(bytes, r));
		print_escaped(record_data(bytes, r), record_data_len(bytes, r));
		putchar('"');
		print_properties(bytes, r);
		break;
	case REC_WILL:
		print_properties(bytes, r);
		break;
	case REC_SUBSCRIBE: case REC_UNSUBSCRIBE:
		printf(" time %lld result %lld", (long long)r->time, (long long)r->aux);
		break;
	case REC_CREATE: case REC_CLIENT:
		printf(" %s", r->aux == 1 ? "durable" : "anonymous");
		break;
	case REC_LISTED:
		printf(" since %016llx", (unsigned long long)r->offset);
		break;
	case REC_MACHINE:
		printf(" serial %llu place %016llx", (unsigned long long)r->publisher, (unsigned long long)r->aux);
		break;
	case REC_MARK:
		printf(" durable up to %016llx", (unsigned long long)r->aux);
		break;
	case REC_GAP:
		printf(" up to %016llx: what lay between was damaged", (unsigned long long)r->aux);
		break;
	case REC_LOST:
		printf(" from %016llx: fast messages that a power cut took", (unsigned long long)r->aux);
		break;
	case REC_END:
		printf(" next %016llx", (unsigned long long)r->aux);
		break;
	default:
		break;
	}
	if (r->flags & REC_F_NO_ECHO)
		printf(" no-echo");
}

/* type and contents, with the closing newline */
static void
print_record(const char *bytes)
{
	struct record r;
	record_get(&r, bytes);
	printf(" %s", kind_of(r.type)->name);
	if (r.type == REC_ENTRY) {
		print_entry(bytes, &r);
		return;
	}
	if (r.topic_len && pattern_fault(record_topic(bytes), r.topic_len) == NULL)
		printf(" topic %s", record_topic(bytes));
	else if (r.topic_len) {
		printf(" no topic ");
		print_escaped((const unsigned char *)record_topic(bytes), r.topic_len);
	}
	if (r.type != REC_MACHINE && r.publisher)
		printf(" client %016llx", (unsigned long long)r.publisher);
	if (r.number)
		printf(" number %u.%llu", number_generation(r.number), (unsigned long long)(r.number & NUMBER_COUNTER));
	print_details(bytes, &r);
	putchar('\n');
}

static void
unreadable(const char *name, const char *why)
{
	fprintf(stderr, "db_dump: %s: %s\n", name, why);
	worst = EXIT_UNREADABLE;
}

static void
damaged(const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	worst = worst < EXIT_DAMAGED ? EXIT_DAMAGED : worst;
}

static void
dump_tail(struct seglog_reader *r, enum seglog_tail tail)
{
	unsigned long long at = r->at, left = seglog_reader_left(r);
	if (tail == SEGLOG_DAMAGED)
		damaged("damaged at offset %016llx (%llu bytes follow)", at, left);
	else if (tail == SEGLOG_UNREADABLE)
		damaged("cannot be read at offset %016llx: %s", at, strerror(errno));
	else if (tail == SEGLOG_TORN)
		printf("torn tail at offset %016llx, %llu bytes: the next start cuts it\n", at, left);
	else if (tail == SEGLOG_GONE)
		printf("nobody needs it any more: its file is another segment now\n");
}

static void
dump_segment(const char *name, struct seglog_reader *r)
{
	const char *p;
	ssize_t n;
	enum seglog_tail tail = SEGLOG_MORE;
	printf("%s: log segment, from %016llx%s\n", name, (unsigned long long)r->head.base,
	    r->head.packed ? ", packed" : "");
	if (leads_to && leads_to != r->head.base)
		damaged("segment %016llx is missing", (unsigned long long)leads_to);
	while (tail == SEGLOG_MORE) {
		while ((n = seglog_reader_next(r, &p)) > 0)
			for (const char *end = p + n; p < end; p += record_stride(get_u32(p))) {
				printf("%016llx", (unsigned long long)get_u64(p + 16));
				print_record(p);
			}
		tail = n < 0 ? SEGLOG_UNREADABLE : seglog_reader_tail(r);
	}
	dump_tail(r, tail);
	leads_to = r->end;
}

/* salt: where the records carry a CRC */
static void
dump_records(const char *p, size_t n, const uint64_t *salt)
{
	size_t q = 0;
	while (q + RECORD_HEADER <= n && record_is_sound(p + q, n - q) &&
	    (!salt || get_u32(p + q + 4) == record_crc(p + q, get_u32(p + q), *salt))) {
		print_record(p + q);
		q += record_stride(get_u32(p + q));
	}
	if (q < n)
		damaged("damaged at byte %zu (%zu bytes follow)", q, n - q);
}

static void
dump_checkpoint(const char *name, const char *p, size_t n)
{
	uint64_t offset = get_u64(p + 16);
	printf("%s: check-point, version %u, as of %016llx\n", name, get_u32(p + 8), (unsigned long long)offset);
	if (get_u32(p + 60) != crc32c(0, p, 60))
		damaged("its header is damaged");
	else
		dump_records(p + SEGLOG_HEADER, n - SEGLOG_HEADER, &offset);
}

static void
dump_ring(const char *name, const char *p, size_t n)
{
	size_t from, to;
	const char *fault = ring_file_look(p, n, &from, &to);
	printf("%s: requests not sent yet\n", name);
	dump_records(p + from, to - from, NULL);
	if (fault)
		damaged("%s (%zu bytes follow)", fault, n - to);
}

static void
dump_text(const char *name, const char *p, size_t n)
{
	const char *fault = small_file_fault(name, p, n);
	printf("%s:\n", name);
	if (fault)
		damaged("%s", fault);
	print_text(p, n);
	if (n && p[n - 1] != '\n')                             /* it was cut off */
		putchar('\n');
}

static void
dump_bytes(const char *name, const char *p, size_t n)
{
	if (n >= SEGLOG_HEADER && memcmp(p, "MOMCKPT\n", 8) == 0)
		dump_checkpoint(name, p, n);
	else if (strncmp(name, "ring-", 5) == 0)
		dump_ring(name, p, n);
	else if (small_file_is(name))
		dump_text(name, p, n);
	else if (strncmp(name, "log-", 4) == 0 || strcmp(name, "checkpoint") == 0)
		damaged("%s: its header is damaged", name);
	else
		unreadable(name, "no file of a store or a spool");
}

static void
dump_file(int dir, const char *path)
{
	struct seglog_reader r;
	size_t n = 0;
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	int fd = fdio_open_at(dir, path, O_RDONLY, 0);
	if (fd >= 0 && seglog_reader_begin(&r, fd) == 0) {
		dump_segment(name, &r);
		seglog_reader_close(&r);
		return;
	}
	int newer = fd >= 0 && errno == ENOTSUP;
	fdio_close(&fd);
	char *p = newer ? NULL : fdio_load(dir, path, &n, FILE_MOST);
	if (p)
		dump_bytes(name, p, n);
	else
		unreadable(path, newer ? "a newer format: use the newer program" : strerror(errno));
	free(p);
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
is_ours(const struct dirent *e)
{
	static const char *const names[] = { "checkpoint", "log-", "shard-" };
	size_t n = strlen(e->d_name);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strncmp(e->d_name, names[i], strlen(names[i])) == 0 &&
		    (n < 4 || strcmp(e->d_name + n - 4, ".new") != 0))
			return 1;
	return small_file_is(e->d_name);
}

static void
dump_folder(const char *path)
{
	struct dirent **list;
	struct stat st;
	leads_to = 0;
	int n = scandir(path, &list, is_ours, by_name), dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (n < 0 || dir < 0) {
		unreadable(path, strerror(errno));
		return;
	}
	for (int i = 0; i < n; i++) {
		if (fstatat(dir, list[i]->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode)) {
			char below[PATH_MAX];
			snprintf(below, sizeof below, "%s/%s", path, list[i]->d_name);
			printf("%s:\n", list[i]->d_name);
			dump_folder(below);
		} else
			dump_file(dir, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	close(dir);
}

static const char usage[] =
    "usage: db_dump DIR|FILE   a store, a shard, a spool, or one file of them\n"
    "       db_dump --help | --version\n"
    "exit: 0 sound   1 damaged (a line says where)   100 wrong use   111 it cannot be read\n";

/* What is to be printed. */
static const char *
parse(int argc, char **argv)
{
	static const struct option options[] = { { "help", 0, 0, 'h' }, { 0 } };
	struct arguments a;
	arguments_begin(&a, argc, argv, "h", options);
	for (int o; (o = arguments_next(&a)) != -1;) {
		if (o == 'h') {
			fputs(usage, stdout);
			exit(program_end("db_dump", 0, EXIT_UNREADABLE));
		}
		fprintf(stderr, "db_dump: %s; see db_dump --help\n", a.fault);
		exit(EXIT_WRONG_USE);
	}
	if (a.count == 1)
		return a.word[0];
	fprintf(stderr, "db_dump: %s; see db_dump --help\n",
	    a.count ? "one folder or file at a time" : "a folder or file is needed");
	exit(EXIT_WRONG_USE);
}

int
main(int argc, char **argv)
{
	struct stat st;
	program_begin(argc, argv, "db_dump");
	const char *path = parse(argc, argv);
	if (stat(path, &st) < 0) {
		fprintf(stderr, "db_dump: %s: %s\n", path, strerror(errno));
		return EXIT_UNREADABLE;
	}
	if (S_ISDIR(st.st_mode))
		dump_folder(path);
	else
		dump_file(AT_FDCWD, path);
	return program_end("db_dump", worst, EXIT_UNREADABLE);
}
