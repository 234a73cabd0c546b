/* store_file - see store_file.h */
#include "common/store_file.h"
#include "common/fdio.h"
#include "common/hex.h"
#include "common/sealed.h"
#include <errno.h>
#include <mom/limits.h>
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

static const char machines_head[] = "mom machines 2\n";

static int
machine_parse(struct known_machine *k, uint32_t serial, const char *line)
{
	unsigned number;
	unsigned long long token, before;
	char hex[2 * WIRE_ID_BYTES + 1];
	if (sscanf(line, "%u %32s %llx %llx", &number, hex, &token, &before) != 4 || number != serial)
		return damaged();
	if (hex_bytes(k->id, hex, sizeof k->id) < 0 || token == 0)     /* none is ever 0: that shows none */
		return damaged();
	k->token = token;
	k->before = before;
	return 0;
}

static int
machines_lines(struct known_machine **list, uint32_t *count, const char *text, const char *end)
{
	uint32_t room = 0;
	char line[MACHINE_LINE];
	for (const char *next; text < end; text = next + 1) {
		next = memchr(text, '\n', (size_t)(end - text));
		if (next == NULL || next - text >= MACHINE_LINE)
			return damaged();
		memcpy(line, text, (size_t)(next - text));
		line[next - text] = '\0';
		if (*count == room) {
			struct known_machine *grown = realloc(*list, (room = room * 2 + 16) * sizeof *grown);
			if (grown == NULL)
				return -1;
			*list = grown;
		}
		if (machine_parse(&(*list)[*count], *count + 1, line) < 0)
			return -1;
		++*count;
	}
	return 0;
}

int
machines_file_parse(struct known_machine **list, uint32_t *count, const char *text, size_t n)
{
	size_t head = sizeof machines_head - 1, whole = n;
	unsigned version = 1;
	*list = NULL;
	*count = 0;
	if (n == 0 || strlen(text) != n)               /* it is written with the first machine */
		return damaged();
	int is_old = sscanf(text, "mom machines %u", &version) != 1, sealed = sealed_look(text, &n);
	if (!is_old && version > 2) {
		errno = EPROTONOSUPPORT;
		return -1;
	}
	if (is_old ? n != whole : sealed != 1 || n < head || memcmp(text, machines_head, head) != 0)
		return damaged();
	if (machines_lines(list, count, is_old ? text : text + head, text + n) == 0)
		return 0;
	free(*list);
	*list = NULL;
	*count = 0;
	return -1;
}

int
machines_file_read(struct known_machine **list, uint32_t *count, int dir)
{
	size_t n;
	char *text = fdio_load(dir, "machines", &n, MACHINES_MOST);
	*list = NULL;
	*count = 0;
	int r = text ? machines_file_parse(list, count, text, n) : -1, keep = errno;
	free(text);
	errno = keep;
	return r;
}

int
machines_file_write(const struct known_machine *list, uint32_t count, int dir)
{
	char *text = malloc(sizeof machines_head + (size_t)count * MACHINE_LINE + SEAL_BYTES + 1);
	char hex[2 * WIRE_ID_BYTES + 1];
	size_t n = text ? (size_t)sprintf(text, "%s", machines_head) : 0;
	for (uint32_t i = 0; text && i < count; i++) {
		hex_text(hex, list[i].id, WIRE_ID_BYTES);
		n += (size_t)sprintf(text + n, "%u %s %016llx %016llx\n", i + 1, hex, (unsigned long long)list[i].token,
		    (unsigned long long)list[i].before);
	}
	int r = text ? sealed_save(dir, "machines", text, n, 1) : -1, keep = errno;
	free(text);
	errno = keep;
	return r;
}
