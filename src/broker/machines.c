/* machines - see machines.h */
#include "broker/machines.h"
#include "common/fdio.h"
#include "common/log_peer.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	*m = (struct machines){ .dir = dir };
	return machines_file_read(&m->list, &m->count, dir) < 0 && errno != ENOENT ? -1 : 0;
}

static int
machines_save(struct machines *m)
{
	return machines_file_write(m->list, m->count, m->dir);
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
	if (i == MACHINES_MOST / MACHINE_LINE) {               /* a file that is larger would not be read again */
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
		log_peer(LOG_FROM_WARN, 0, "machines: %s: the token before counts, too, until it can be written; %s",
		    strerror(errno), fdio_hint(errno));
}

int
machines_look(struct machines *m)
{
	return m->count == 0 || fdio_leads_to(m->dir, "machines", -1) ? 0 : machines_save(m) < 0 ? -1 : 1;
}
