/* machines - see machines.h */
#include "broker/machines.h"
#include "base/fdio.h"
#include "base/log_peer.h"
#include "base/siphash.h"
#include "format/record.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* SERIAL_BLOCK: reserved at a time, so that tickets cost no sync. MACHINES_SLACK: bytes that are appended before the
 * file is written anew; MACHINES_SPARE: of those, so much is kept for visitors that become known while the disk is full
 * */
enum { SERIAL_BLOCK = 64, MACHINES_SLACK = 64 * 1024, MACHINES_SPARE = 8 * 1024 };

/* ---- the file ---- */

static int
machines_rewrite(struct machines *m)
{
	struct machines_file f = { .next = m->reserved };
	size_t at = 0;
	memcpy(f.key, m->key, sizeof f.key);
	f.list = malloc((m->by_serial.used + 1) * sizeof *f.list);
	if (f.list == NULL)
		return -1;
	for (struct known_machine *k; (k = map_each(&m->by_serial, &at)) != NULL;)
		f.list[f.count++] = *k;
	size_t bytes;
	int bad = machines_file_write(&f, m->dir, &bytes), keep = errno;
	free(f.list);
	errno = keep;
	if (bad < 0)
		return -1;
	fdio_close(&m->fd);
	m->fd = fdio_open_at(m->dir, "machines", O_WRONLY | O_APPEND, 0);
	m->bytes = m->room = bytes;
	if (m->fd >= 0 && fdio_allocate(m->fd, 2 * bytes + MACHINES_SLACK) == 0)
		m->room = 2 * bytes + MACHINES_SLACK;
	return 0;
}

/* What is in memory has changed already. A line that is written in part, or whose sync failed, is in the way of the
 * next: then the file is made anew. Where there is no room for a second file the old one goes on. */
static int
machines_append(struct machines *m, const char *line, size_t n)
{
	if (m->fd < 0 || m->bytes + n > m->room) {
		if (machines_rewrite(m) == 0)
			return 0;
		int error = errno;
		if (m->fd >= 0 && !fdio_leads_to(m->dir, "machines", m->fd))
			fdio_close(&m->fd);
		errno = error;
		if (m->fd < 0)
			return -1;
	}
	if (fdio_write_full(m->fd, line, n) == 0 && fdio_datasync(m->fd) == 0) {
		m->bytes += n;
		return 0;
	}
	int keep = errno;
	fdio_close(&m->fd);
	errno = keep;
	return -1;
}

/* Whoever is welcomed as a visitor can become known: also where the disk is full meanwhile. */
static int
machines_have_room(struct machines *m)
{
	if (m->fd >= 0 && m->bytes + MACHINES_SPARE <= m->room)
		return 0;
	if (machines_rewrite(m) < 0)
		return -1;
	errno = ENOSPC;
	return m->bytes + MACHINES_SPARE <= m->room ? 0 : -1;
}

static int
machines_save(struct machines *m, const struct known_machine *k)
{
	char line[MACHINE_LINE + 1];
	return machines_append(m, line, machines_file_line(line, k));
}

static int
machines_save_next(struct machines *m)
{
	char line[MACHINE_LINE + 1];
	return machines_append(m, line, machines_file_next(line, m->reserved));
}

static struct known_machine *
machines_add(struct machines *m, const struct known_machine *k)
{
	struct known_machine *own = malloc(sizeof *own);
	if (own == NULL)
		return NULL;
	*own = *k;
	if (map_put(&m->by_serial, &own->serial, sizeof own->serial, own) < 0) {
		free(own);
		return NULL;
	}
	if (machines_find(m, k->id) == NULL && map_put(&m->by_id, own->id, sizeof own->id, own) < 0) {
		map_del(&m->by_serial, &own->serial, sizeof own->serial);
		free(own);
		return NULL;
	}
	return own;
}

static void
machines_remove(struct machines *m, struct known_machine *k)
{
	map_del(&m->by_id, k->id, sizeof k->id);
	map_del(&m->by_serial, &k->serial, sizeof k->serial);
	free(k);
}

/* What a killed predecessor wrote and did not sync can be read, and a power cut takes it back all the same: a machine
 * would then show a token that nobody knows. */
static int
machines_make_durable(int dir)
{
	int fd = fdio_open_at(dir, "machines", O_WRONLY | O_APPEND, 0);
	if (fd < 0)
		return -1;
	int bad = fdio_datasync(fd) < 0 || fdio_sync(dir) < 0, keep = errno;
	fdio_close(&fd);
	errno = keep;
	return bad ? -1 : 0;
}

int
machines_load(struct machines *m, int dir)
{
	static const uint8_t none[MACHINES_KEY];
	struct machines_file f;
	*m = (struct machines){ .dir = dir, .fd = -1, .next = 1, .reserved = 1 };
	int there = machines_file_read(&f, dir) == 0;
	if (!there && errno != ENOENT)
		return -1;
	int bad = there && machines_make_durable(dir) < 0;
	for (uint32_t i = 0; i < f.count && !bad; i++)
		bad = machines_add(m, &f.list[i]) == NULL;
	int keep = errno;
	free(f.list);
	errno = keep;
	if (bad)
		return -1;
	if (f.is_torn)
		log_error("machines: its last line is damaged, by a power cut while it was written or by the disk: it "
		    "does not count; where the disk did it, a machine is refused by name");
	m->next = m->reserved = f.next ? f.next : 1;
	memcpy(m->key, f.key, sizeof m->key);
	return memcmp(m->key, none, sizeof none) == 0 ? fdio_random(m->key, sizeof m->key) : 0;
}

void
machines_close(struct machines *m)
{
	if (m->next < m->reserved) {
		m->reserved = m->next;
		if (machines_rewrite(m) < 0)
			log_debug("machines: %s: some serials are left out", strerror(errno));
	}
	fdio_close(&m->fd);
}

int
machines_look(struct machines *m)
{
	if (m->by_serial.used == 0 && m->reserved == 1)
		return 0;                              /* there is none yet */
	return fdio_leads_to(m->dir, "machines", m->fd) ? 0 : machines_rewrite(m) < 0 ? -1 : 1;
}

/* ---- tickets ---- */

/* Of machine id, serial and which of its tickets it is: nobody without the key finds it. */
static uint64_t
digest(const uint8_t key[MACHINES_KEY], const uint8_t id[WIRE_ID_BYTES], uint32_t serial, int which)
{
	uint64_t k0, k1;
	char bytes[WIRE_ID_BYTES + 5];
	memcpy(&k0, key, 8);
	memcpy(&k1, key + 8, 8);
	memcpy(bytes, id, WIRE_ID_BYTES);
	put_u32(bytes + WIRE_ID_BYTES, serial);
	bytes[WIRE_ID_BYTES + 4] = (char)which;
	return siphash(k0, k1, bytes, sizeof bytes, 2, 4);
}

/* Never 0: that shows none. A machine has two, which take turns: so what it is given is never what it has shown, and a
 * copy of its spool shows one too old once it has a client and came again. */
static uint64_t
ticket(const struct machines *m, const uint8_t id[WIRE_ID_BYTES], uint32_t serial, int which)
{
	return digest(m->key, id, serial, which) << 32 | serial;
}

/* A serial for a machine that is not known: that of its ticket, or a fresh one; 0: errno */
static uint32_t
visitor_serial(struct machines *m, const uint8_t id[WIRE_ID_BYTES], uint64_t shown)
{
	uint32_t serial = (uint32_t)shown;
	if (shown != 0) {
		int ours = serial != 0 && (shown == ticket(m, id, serial, 0) || shown == ticket(m, id, serial, 1)) &&
		    map_get(&m->by_serial, &serial, sizeof serial) == NULL;
		errno = ENOENT;
		return ours ? serial : 0;
	}
	if (m->next == m->reserved) {
		if (m->reserved > UINT32_MAX - SERIAL_BLOCK) {
			errno = EOVERFLOW;
			return 0;
		}
		m->reserved += SERIAL_BLOCK;
		if (machines_save_next(m) < 0) {
			m->reserved = m->next;
			return 0;
		}
	}
	return m->next++;
}

/* ---- machines ---- */

struct known_machine *
machines_find(const struct machines *m, const uint8_t id[WIRE_ID_BYTES])
{
	return map_get(&m->by_id, id, WIRE_ID_BYTES);
}

int
machine_shows(const struct known_machine *k, uint64_t token)
{
	return token == k->token || token == k->before;
}

static int
visitor_admit(struct machines *m, const uint8_t id[WIRE_ID_BYTES], uint64_t shown, struct known_machine *k)
{
	if (m->by_serial.used >= MACHINES_MOST) {
		errno = EOVERFLOW;
		return -1;
	}
	if (machines_have_room(m) < 0)
		return -1;
	*k = (struct known_machine){ .serial = visitor_serial(m, id, shown), .before = shown };
	if (k->serial == 0)
		return -1;
	memcpy(k->id, id, WIRE_ID_BYTES);
	k->token = ticket(m, id, k->serial, shown == ticket(m, id, k->serial, 0));
	return 0;
}

int
machines_admit(struct machines *m, const uint8_t id[WIRE_ID_BYTES], uint64_t shown, struct known_machine *k)
{
	struct known_machine *known = machines_find(m, id), old;
	if (known == NULL)
		return visitor_admit(m, id, shown, k);
	if (!machine_shows(known, shown)) {
		errno = ESTALE;
		return -1;
	}
	old = *known;
	/* else unconfirmed: perhaps it is on the daemon's disk; it is given again */
	if (shown == known->token) {
		uint64_t token;
		if (fdio_random(&token, sizeof token) < 0)
			return -1;
		known->before = shown;
		known->token = token | 1;              /* never 0: that shows none */
		if (machines_save(m, known) < 0) {
			*known = old;
			return -1;
		}
	}
	*k = *known;
	return 0;
}

int
machines_keep(struct machines *m, const struct known_machine *k)
{
	if (m->by_serial.used >= MACHINES_MOST || machines_find(m, k->id) ||
	    map_get(&m->by_serial, &k->serial, sizeof k->serial)) {
		errno = m->by_serial.used >= MACHINES_MOST ? EOVERFLOW : EEXIST;
		return -1;
	}
	struct known_machine *own = machines_add(m, k);
	if (own == NULL)
		return -1;
	if (machines_save(m, own) == 0)
		return 0;
	int keep = errno;
	machines_remove(m, own);
	errno = keep;
	return -1;
}

void
machines_host(struct machines *m, struct known_machine *k, const char *host)
{
	struct known_machine *known = machines_find(m, k->id);
	if (host[0] == '\0')                           /* it did not say */
		return;
	int is_same = known == NULL || strcmp(known->host, host) == 0;
	snprintf(k->host, sizeof k->host, "%s", host);
	if (is_same)
		return;
	snprintf(known->host, sizeof known->host, "%s", host);
	if (machines_save(m, known) < 0)
		log_peer(LOG_FROM_WARN, 0, "machines: %s: the name of a host is not kept; %s", strerror(errno),
		    fdio_hint(errno));
}

void
machines_confirm(struct machines *m, uint32_t serial, uint64_t token)
{
	struct known_machine *k = map_get(&m->by_serial, &serial, sizeof serial);
	if (k == NULL || token != k->token || k->before == token)
		return;
	k->before = k->token;
	if (machines_save(m, k) < 0)
		log_peer(LOG_FROM_WARN, 0, "machines: %s: the token before counts, too, until it can be written; %s",
		    strerror(errno), fdio_hint(errno));
}
