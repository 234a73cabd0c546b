/* machines - see machines.h */
#include "broker/machines.h"
#include "common/fdio.h"
#include "common/hex.h"
#include "common/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MACHINES_MOST = 64 * 1024 * 1024, LINE = 96 };

static int
machines_add(struct machines *m, const struct known_machine *k)
{
	struct known_machine *grown = realloc(m->list, (m->count + 1) * sizeof *grown);
	if (grown == NULL)
		return -1;
	m->list = grown;
	m->list[m->count++] = *k;
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
		struct known_machine k;
		unsigned serial;
		unsigned long long token, before;
		char hex[2 * WIRE_ID_BYTES + 1];
		if (sscanf(line, "%u %32s %llx %llx", &serial, hex, &token, &before) != 4 || serial != m->count + 1 || hex_bytes(k.id, hex, sizeof k.id) < 0) {
			free(text);
			errno = EBADMSG;
			return -1;
		}
		k.token = token;
		k.before = before;
		if (machines_add(m, &k) < 0) {
			free(text);
			return -1;
		}
	}
	free(text);
	return 0;
}

static int
machines_save(struct machines *m)
{
	char *text = malloc((size_t)m->count * LINE), hex[2 * WIRE_ID_BYTES + 1];
	size_t n = 0;
	for (uint32_t i = 0; text && i < m->count; i++) {
		hex_text(hex, m->list[i].id, WIRE_ID_BYTES);
		n += (size_t)sprintf(text + n, "%u %s %016llx %016llx\n", i + 1, hex, (unsigned long long)m->list[i].token, (unsigned long long)m->list[i].before);
	}
	int bad = text == NULL || fdio_replace(m->dir, "machines", text, n, 1) < 0;
	free(text);
	return bad ? -1 : 0;
}

uint32_t
machines_admit(struct machines *m, const uint8_t id[WIRE_ID_BYTES], uint64_t shown, uint64_t *token)
{
	uint32_t i = 0, count = m->count;
	struct known_machine fresh = { .token = 0 }, old;
	while (i < m->count && memcmp(m->list[i].id, id, WIRE_ID_BYTES) != 0)
		i++;
	if (i < m->count ? shown != m->list[i].token && shown != m->list[i].before : shown != 0) {
		errno = i < m->count ? ESTALE : ENOENT;
		return 0;
	}
	if (i < m->count && shown != m->list[i].token) {       /* unconfirmed: perhaps it is on the daemon's disk */
		*token = m->list[i].token;
		return i + 1;
	}
	if (i == MACHINES_MOST / LINE) {               /* a file that is larger would not be read again */
		errno = EOVERFLOW;
		return 0;
	}
	memcpy(fresh.id, id, WIRE_ID_BYTES);
	if (fdio_random(token, sizeof *token) < 0 || (i == m->count && machines_add(m, &fresh) < 0))
		return 0;
	*token |= 1;                                   /* never 0: that shows none */
	old = m->list[i];
	m->list[i].before = shown;
	m->list[i].token = *token;
	if (machines_save(m) == 0)
		return i + 1;
	m->list[i] = old;
	m->count = count;
	return 0;
}

void
machines_confirm(struct machines *m, uint32_t serial, uint64_t token)
{
	struct known_machine *k = &m->list[serial - 1];
	if (token != k->token || k->before == token)
		return;
	k->before = k->token;
	if (machines_save(m) < 0)
		log_warn("machines: %s: the token before counts, too, until it can be written; %s", strerror(errno), fdio_hint(errno));
}

int
machines_look(struct machines *m)
{
	return m->count == 0 || fdio_leads_to(m->dir, "machines", -1) ? 0 : machines_save(m) < 0 ? -1 : 1;
}
