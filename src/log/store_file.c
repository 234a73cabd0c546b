/* store_file - see store_file.h */
#include "log/store_file.h"
#include "base/crc32c.h"
#include "base/fdio.h"
#include "base/hex.h"
#include "base/sealed.h"
#include <errno.h>
#include "format/limits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STORE_MOST = 4096 };

static int
damaged(void)
{
	errno = EBADMSG;
	return -1;
}

/* ---- store ---- */

static size_t
store_line(char line[160], const struct store_file *s, const char *hex, int with_message)
{
	int n = snprintf(line, 160, "mom store 1 id %s shards %u", hex, s->shards);
	n += with_message ? snprintf(line + n, 160 - (size_t)n, " message %u", s->message) : 0;
	n += snprintf(line + n, 160 - (size_t)n, "\n");
	return (size_t)n;
}

int
store_file_parse(struct store_file *s, const char *text, size_t n)
{
	char hex[2 * WIRE_ID_BYTES + 1] = "", line[160];
	*s = (struct store_file){ .version = 0 };
	if (strlen(text) != n || sealed_look(text, &n) < 0)
		return damaged();
	int fields = sscanf(text, "mom store %u id %32s shards %u message %u", &s->version, hex, &s->shards,
	    &s->message);
	if (fields >= 1 && s->version > 1) {
		errno = EPROTONOSUPPORT;
		return -1;
	}
	if (fields < 3 || s->version != 1 || hex_bytes(s->id, hex, sizeof s->id) < 0 || s->shards < 1 ||
	    s->shards > SHARDS_MAX || s->message > MESSAGE_LIMIT)
		return damaged();
	if (store_line(line, s, hex, fields == 4) != n || memcmp(line, text, n) != 0)
		return damaged();
	s->message = s->message ? s->message : MOM_MESSAGE_MAX;        /* made before there was a choice */
	return 0;
}

int
store_file_read(struct store_file *s, int dir)
{
	size_t n;
	char *text = fdio_load(dir, "store", &n, STORE_MOST);
	int r = text ? store_file_parse(s, text, n) : -1;
	free(text);
	return r;
}

int
store_file_write(const struct store_file *s, int dir)
{
	char hex[2 * WIRE_ID_BYTES + 1], text[160 + SEAL_BYTES];
	hex_text(hex, s->id, sizeof s->id);
	return sealed_save(dir, "store", text, store_line(text, s, hex, 1), 1);
}

/* ---- machines ---- */

static const char old_head[] = "mom machines 2\n";
/* MACHINES_FILE_MOST: with lines that count no more */
enum { MACHINES_VERSION = 4, MACHINES_HEAD = 100, MACHINES_FILE_MOST = 3 * MACHINES_MOST * MACHINE_LINE };

static size_t
machine_text(char line[MACHINE_LINE + 1], const struct known_machine *k, int has_host)
{
	char hex[2 * WIRE_ID_BYTES + 1];
	hex_text(hex, k->id, WIRE_ID_BYTES);
	return (size_t)snprintf(line, MACHINE_LINE + 1, "%u %s %016llx %016llx%s%s\n", k->serial, hex,
	    (unsigned long long)k->token, (unsigned long long)k->before, has_host ? " " : "",
	    has_host && k->host[0] ? k->host : has_host ? "-" : "");
}

/* n: with the newline, which moves behind the CRC */
static size_t
line_close(char line[MACHINE_LINE + 1], size_t n)
{
	return n - 1 + (size_t)snprintf(line + n - 1, MACHINE_LINE + 2 - n, " crc %08x\n", crc32c(0, line, n - 1));
}

size_t
machines_file_line(char line[MACHINE_LINE + 1], const struct known_machine *k)
{
	return line_close(line, machine_text(line, k, 1));
}

size_t
machines_file_next(char line[MACHINE_LINE + 1], uint32_t next)
{
	return line_close(line, (size_t)snprintf(line, MACHINE_LINE + 1, "next %u\n", next));
}

static int
has_hosts(const struct machines_file *f)
{
	return f->version > 3;
}

static int
machine_parse(struct known_machine *k, const char *line, int has_host)
{
	unsigned long long token, before;
	char hex[2 * WIRE_ID_BYTES + 1], host[HOST_BYTES + 1] = "-";
	memset(k, 0, sizeof *k);
	int n = sscanf(line, has_host ? "%u %32s %llx %llx %64s" : "%u %32s %llx %llx", &k->serial, hex, &token,
	    &before, host);
	if (n != 4 + has_host || k->serial == 0)
		return damaged();
	if (hex_bytes(k->id, hex, sizeof k->id) < 0 || token == 0)     /* none is ever 0: that shows none */
		return damaged();
	k->token = token;
	k->before = before;
	wire_host(k->host, host, sizeof host);
	if (strcmp(k->host, host) != 0)
		return damaged();
	if (strcmp(host, "-") == 0)
		k->host[0] = '\0';
	return 0;
}

static int
machines_take(struct machines_file *f, uint32_t *room, const char *line)
{
	if (f->count == *room) {
		struct known_machine *grown = realloc(f->list, (*room * 2 + 16) * sizeof *grown);
		if (grown == NULL)
			return -1;
		f->list = grown;
		*room = *room * 2 + 16;
	}
	struct known_machine *k = &f->list[f->count];
	if (machine_parse(k, line, has_hosts(f)) < 0 || (f->version < 3 && k->serial != f->count + 1))
		return damaged();
	k->line = f->count++;
	if (k->serial >= f->next) {                    /* its block was written before it was given */
		if (f->version > 2 || k->serial == UINT32_MAX)
			return damaged();
		f->next = k->serial + 1;
	}
	return 0;
}

/* One that was appended: exactly what would be written. */
static int
machines_change(struct machines_file *f, uint32_t *room, const char *line, size_t n)
{
	char again[MACHINE_LINE + 1];
	uint32_t next;
	if (strncmp(line, "next ", 5) != 0) {
		if (machines_take(f, room, line) < 0)
			return -1;
		size_t len = line_close(again, machine_text(again, &f->list[f->count - 1], has_hosts(f)));
		return len == n && memcmp(again, line, n) == 0 ? 0 : damaged();
	}
	if (sscanf(line, "next %u", &next) != 1 || next < f->next || machines_file_next(again, next) != n ||
	    memcmp(again, line, n) != 0)
		return damaged();
	f->next = next;
	return 0;
}

/* The last line may be cut off, or be a part of what was to be written: nobody was told of it yet. */
static int
machines_lines(struct machines_file *f, uint32_t *room, const char *text, const char *end, int is_appended)
{
	char line[MACHINE_LINE + 1];
	for (const char *next; text < end; text = next + 1) {
		next = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((next ? next + 1 : end) - text);
		if (next == NULL)
			return is_appended && n <= MACHINE_LINE ? 0 : damaged();
		if (n > MACHINE_LINE)
			return damaged();
		memcpy(line, text, n);
		line[n] = '\0';
		uint32_t count = f->count;
		int bad = is_appended ? machines_change(f, room, line, n) : machines_take(f, room, line);
		if (bad && (errno != EBADMSG || !is_appended || next + 1 != end))
			return -1;
		f->is_torn = bad != 0;
		f->count = bad ? count : f->count;
	}
	return 0;
}

static int
by_serial(const void *a, const void *b)
{
	const struct known_machine *x = a, *y = b;
	return x->serial != y->serial ? (x->serial < y->serial ? -1 : 1) : (x->line > y->line) - (x->line < y->line);
}

static void
machines_settle(struct machines_file *f)
{
	uint32_t n = 0;
	if (f->count)
		qsort(f->list, f->count, sizeof *f->list, by_serial);
	for (uint32_t i = 0; i < f->count; i++) {
		if (i + 1 < f->count && f->list[i + 1].serial == f->list[i].serial)
			continue;
		f->list[n] = f->list[i];
		f->list[n++].line = 0;
	}
	f->count = n;
}

static size_t
machines_head(char head[MACHINES_HEAD], const struct machines_file *f)
{
	char hex[2 * MACHINES_KEY + 1];
	hex_text(hex, f->key, MACHINES_KEY);
	return (size_t)snprintf(head, MACHINES_HEAD, "mom machines %u next %u key %s\n", f->version, f->next, hex);
}

/* The length of the head line, or 0 */
static size_t
machines_head_parse(struct machines_file *f, const char *text, size_t n)
{
	char hex[2 * MACHINES_KEY + 1], head[MACHINES_HEAD];
	if (sscanf(text, "mom machines %*u next %u key %32s", &f->next, hex) != 2 ||
	    hex_bytes(f->key, hex, MACHINES_KEY) < 0 || f->next == 0)
		return 0;
	size_t len = machines_head(head, f);
	return len <= n && memcmp(text, head, len) == 0 ? len : 0;
}

static int
machines_parse(struct machines_file *f, const char *text, size_t n)
{
	static const char crc[] = "\ncrc ";
	uint32_t room = 0;
	size_t head = sizeof old_head - 1, whole = n;
	f->version = 1;
	f->next = 1;
	if (n == 0)                                    /* it is written with the first machine */
		return damaged();
	int is_oldest = sscanf(text, "mom machines %u", &f->version) != 1;
	if (!is_oldest && f->version > MACHINES_VERSION) {
		errno = EPROTONOSUPPORT;
		return -1;
	}
	const char *seal = f->version < 3 ? NULL : memmem(text, n, crc, sizeof crc - 1);
	if (seal && (size_t)(seal + 1 - text) + SEAL_BYTES <= n)
		n = (size_t)(seal + 1 - text) + SEAL_BYTES;
	size_t sealed = n;
	int closed = sealed_look(text, &n);
	if (is_oldest)
		return n != whole || strlen(text) != n ? damaged() : machines_lines(f, &room, text, text + n, 0);
	if (closed != 1)
		return damaged();
	if (f->version < 3)
		return n < head || memcmp(text, old_head, head) != 0 ? damaged()
		    : machines_lines(f, &room, text + head, text + n, 0);
	head = machines_head_parse(f, text, n);
	if (head == 0)
		return damaged();
	if (machines_lines(f, &room, text + head, text + n, 0) < 0)
		return -1;
	return machines_lines(f, &room, text + sealed, text + whole, 1);
}

int
machines_file_parse(struct machines_file *f, const char *text, size_t n)
{
	*f = (struct machines_file){ .list = NULL };
	if (machines_parse(f, text, n) == 0) {
		machines_settle(f);
		return 0;
	}
	free(f->list);
	f->list = NULL;
	f->count = 0;
	return -1;
}

int
machines_file_read(struct machines_file *f, int dir)
{
	size_t n;
	char *text = fdio_load(dir, "machines", &n, MACHINES_FILE_MOST);
	*f = (struct machines_file){ .list = NULL };
	int r = text ? machines_file_parse(f, text, n) : -1, keep = errno;
	free(text);
	errno = keep;
	return r;
}

int
machines_file_write(struct machines_file *f, int dir, size_t *bytes)
{
	char *text = malloc(MACHINES_HEAD + (size_t)f->count * MACHINE_LINE + SEAL_BYTES + 1);
	if (text == NULL)
		return -1;
	f->version = MACHINES_VERSION;
	size_t n = machines_head(text, f);
	if (f->count)
		qsort(f->list, f->count, sizeof *f->list, by_serial);
	for (uint32_t i = 0; i < f->count; i++)
		n += machine_text(text + n, &f->list[i], 1);
	int r = sealed_save(dir, "machines", text, n, 1), keep = errno;
	*bytes = n + SEAL_BYTES;
	free(text);
	errno = keep;
	return r;
}
