/* machines - see machines.h */
#include "broker/machines.h"
#include "common/fdio.h"
#include "common/hex.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { MACHINES_MOST = 64 * 1024 * 1024, LINE = 64 };

static int
machines_add(struct machines *m, const uint8_t *id)
{
	uint8_t (*grown)[WIRE_ID_BYTES] = realloc(m->ids, (m->count + 1) * sizeof *grown);
	if (grown == NULL)
		return -1;
	m->ids = grown;
	memcpy(m->ids[m->count++], id, WIRE_ID_BYTES);
	return 0;
}

int
machines_load(struct machines *m, int dir)
{
	size_t n;
	char *rest = NULL, *text = fdio_load(dir, "machines", &n, MACHINES_MOST);
	*m = (struct machines){ .dir = dir };
	if (text == NULL)
		return errno == ENOENT ? 0 : -1;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		uint8_t id[WIRE_ID_BYTES];
		unsigned serial;
		char hex[2 * WIRE_ID_BYTES + 1];
		if (sscanf(line, "%u %32s", &serial, hex) != 2 || serial != m->count + 1 || hex_bytes(id, hex, sizeof id) < 0 || machines_add(m, id) < 0) {
			free(text);
			errno = EBADMSG;
			return -1;
		}
	}
	free(text);
	return 0;
}

uint32_t
machines_serial(struct machines *m, const uint8_t id[WIRE_ID_BYTES])
{
	for (uint32_t i = 0; i < m->count; i++)
		if (memcmp(m->ids[i], id, WIRE_ID_BYTES) == 0)
			return i + 1;
	if (machines_add(m, id) < 0)
		return 0;
	char *text = malloc((size_t)m->count * LINE), hex[2 * WIRE_ID_BYTES + 1];
	size_t n = 0;
	for (uint32_t i = 0; text && i < m->count; i++) {
		hex_text(hex, m->ids[i], WIRE_ID_BYTES);
		n += (size_t)sprintf(text + n, "%u %s\n", i + 1, hex);
	}
	int bad = text == NULL || fdio_replace(m->dir, "machines", text, n, 1) < 0;
	free(text);
	if (bad)
		m->count--;
	return bad ? 0 : m->count;
}
