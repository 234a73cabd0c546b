/* db_dump - any store or spool file as text, one record a line
 * USAGE    db_dump [--check] DIR|FILE   a store, a shard, a spool, or one file of them; --check: only what is damaged
 * OUTPUT   OFFSET TYPE and what the record says; payloads cut at 64 bytes, unprintable bytes as \n, \t, \\, \xHH
 * EXIT     0 all of it is sound   1 damaged (a line says where)   100 wrong use   111 it cannot be read */
#include "base/arguments.h"
#include "format/kinds.h"
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
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_DAMAGED = 1, EXIT_WRONG_USE = 100, EXIT_UNREADABLE = 111, SHOWN = 64, FILE_MOST = INT_MAX };

static int worst, only_check;
static uint64_t leads_to;                     /* what the last segment's END names, 0: none */

static void
print_escaped(const unsigned char *p, size_t n)
{
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

static void print_record(const char *bytes);

static void
print_entry(const char *bytes, const struct record *r)
{
	const char *p = record_data(bytes, r);
	uint32_t n = record_data_len(r);
	printf(" to");
	for (uint64_t i = 0; i < r->aux && n >= 8; i++, p += 8, n -= 8)
		printf(" %016llx", (unsigned long long)get_u64(p));
	printf(":");
	if (record_is_sound(p, n) && p[9] != REC_ENTRY)        /* nested ones would take the stack */
		print_record(p);
	else
		printf(" no record\n");
}

static void
print_details(const char *bytes, const struct record *r)
{
	switch (r->type) {
	case REC_MESSAGE:
		printf(" time %lld %s %u bytes \"", (long long)r->time, r->flags & REC_F_DURABLE ? "durable" : "fast",
		    record_data_len(r));
		print_escaped(record_data(bytes, r), record_data_len(r));
		putchar('"');
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
	if (r.topic_len && topic_fault(record_topic(bytes), r.topic_len) == NULL)
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
damaged(uint64_t offset, size_t left)
{
	printf("damaged at offset %016llx (%zu bytes follow)\n", (unsigned long long)offset, left);
	if (worst < EXIT_DAMAGED)
		worst = EXIT_DAMAGED;
}

/* Is there, behind what is not sound, a mark that says that it was on disk? Else it is a torn tail, which the next
 * start cuts. */
static int
is_torn_tail(const char *p, size_t n, size_t bad, uint64_t offset, uint64_t salt)
{
	for (size_t q = bad + 8; q + RECORD_HEADER <= n; q += 8)
		if (p[q + 9] == REC_MARK && get_u32(p + q) == RECORD_HEADER &&
		    get_u32(p + q + 4) == record_crc(p + q, RECORD_HEADER, salt) &&
		    get_u64(p + q + 48) > offset)
			return 0;
	return 1;
}

enum places { NO_OFFSETS, BY_PLACE, PACKED };       /* does a record's offset follow from its place? */

/* records from p on, the first at that offset; crc: they carry one, salted */
static void
dump_records(const char *p, size_t n, uint64_t offset, uint64_t salt, int crc, enum places places)
{
	size_t q = 0;
	while (q + RECORD_HEADER <= n && record_is_sound(p + q, n - q) &&
	    (!crc || get_u32(p + q + 4) == record_crc(p + q, get_u32(p + q), salt))) {
		uint64_t own = get_u64(p + q + 16);
		if (places != NO_OFFSETS && p[q + 9] == REC_END)
			leads_to = get_u64(p + q + 48);
		if (only_check && p[q + 9] == REC_GAP)
			printf("gap from %016llx to %016llx: what lay there was damaged\n", (unsigned long long)own,
			    (unsigned long long)get_u64(p + q + 48));
		if ((places == BY_PLACE && own != offset) || (places == PACKED && own < offset))
			break;
		if (places != NO_OFFSETS && !only_check)
			printf("%016llx", (unsigned long long)own);
		if (!only_check)
			print_record(p + q);
		offset = places == PACKED ? own : offset;
		offset += record_stride(get_u32(p + q));
		q += record_stride(get_u32(p + q));
	}
	if (q < n && places == BY_PLACE && !leads_to && is_torn_tail(p, n, q, offset, salt))
		printf("torn tail at offset %016llx, %zu bytes: the next start cuts it\n", (unsigned long long)offset,
		    n - q);
	else if (q < n)
		damaged(offset, n - q);
}

static int
is_text(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)p[i] < 0x20 && p[i] != '\n' && p[i] != '\t')
			return 0;
	return 1;
}

static void
dump_bytes(const char *name, const char *p, size_t n)
{
	if (n >= SEGLOG_HEADER && (memcmp(p, "MOMLOG1\n", 8) == 0 || memcmp(p, "MOMCKPT\n", 8) == 0)) {
		int is_log = p[3] == 'L', packed = is_log && get_u32(p + 12) == 1;
		uint64_t base = get_u64(p + 16), salt = is_log ? get_u64(p + 24) : base;
		printf("%s: %s, version %u, %s %016llx%s\n", name, is_log ? "log segment" : "check-point",
		    get_u32(p + 8), is_log ? "from" : "as of",
		    (unsigned long long)base, packed ? ", packed" : "");
		if (is_log && leads_to && leads_to != base) {
			printf("segment %016llx is missing\n", (unsigned long long)leads_to);
			damaged(leads_to, 0);
		}
		leads_to = 0;
		if (get_u32(p + 60) != crc32c(0, p, 60))
			damaged(base, n);
		else
			dump_records(p + SEGLOG_HEADER, n - SEGLOG_HEADER, is_log ? base : 0, salt, 1,
			    packed ? PACKED : is_log ? BY_PLACE : NO_OFFSETS);
	} else if (is_text(p, n)) {
		const char *fault = small_file_fault(name, p, n);
		printf("%s:\n", name);
		if (fault) {
			printf("%s\n", fault);
			worst = worst > EXIT_DAMAGED ? worst : EXIT_DAMAGED;
		}
		if (!only_check)
			fwrite(p, 1, n, stdout);
		if (!only_check && n && p[n - 1] != '\n')              /* it was cut off */
			putchar('\n');
	} else if (strncmp(name, "ring-", 5) == 0) {
		size_t from, to;
		const char *fault = ring_file_look(p, n, &from, &to);
		printf("%s: requests not sent yet\n", name);
		dump_records(p + from, to - from, 0, 0, 0, NO_OFFSETS);
		if (fault) {
			printf("%s\n", fault);
			damaged(to, n - to);
		}
	} else {
		printf("%s: no file of ours\n", name);
		damaged(0, n);
	}
}

static void
dump_file(int dir, const char *name)
{
	size_t n = 0;
	char *p = fdio_load(dir, name, &n, FILE_MOST);
	const char *base = strrchr(name, '/');
	if (p == NULL) {
		fprintf(stderr, "db_dump: %s: %s\n", name, strerror(errno));
		worst = EXIT_UNREADABLE;
		return;
	}
	dump_bytes(base ? base + 1 : name, p, n);
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
		fprintf(stderr, "db_dump: %s: %s\n", path, strerror(errno));
		worst = EXIT_UNREADABLE;
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
    "usage: db_dump [--check] DIR|FILE   a store, a shard, a spool, or one file of them\n"
    "  --check  says only what is damaged, and at the end `sound` or `damaged`\n"
    "exit: 0 sound   1 damaged   100 wrong use   111 it cannot be read\n";

/* What is to be printed. */
static const char *
parse(int argc, char **argv)
{
	static const struct option options[] = { { "check", 0, 0, 'c' }, { "help", 0, 0, 'h' }, { 0 } };
	struct arguments a;
	arguments_begin(&a, argc, argv, "h", options);
	for (int o; (o = arguments_next(&a)) != -1;) {
		if (o == 'h') {
			fputs(usage, stdout);
			exit(program_end("db_dump", 0, EXIT_UNREADABLE));
		}
		if (o == '?') {
			fprintf(stderr, "db_dump: %s; see db_dump --help\n", a.fault);
			exit(EXIT_WRONG_USE);
		}
		only_check = 1;
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
	if (only_check)
		printf("%s\n", worst == 0 ? "sound" : worst == EXIT_DAMAGED ? "damaged" : "not readable");
	return program_end("db_dump", worst, EXIT_UNREADABLE);
}
