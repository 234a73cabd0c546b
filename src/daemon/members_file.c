/* members_file - see members_file.h. Text, a line a client, closed by a CRC; each file is replaced as a whole. */
#include "daemon/members_file.h"
#include "base/boot.h"
#include "base/crc32c.h"
#include "base/fdio.h"
#include "base/hex.h"
#include "base/log.h"
#include "ipc/ring_file.h"
#include "base/sealed.h"
#include "format/topic.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_MOST = 256 * 1024 * 1024, LINE_MOST = 400 };

/* The text without its closing line; NULL: errno, ENOENT or EBADMSG (damaged) */
static char *
load_text(struct daemon *d, const char *name)
{
	char *text = sealed_load(d->spool_dir, name, FILE_MOST);
	if (text == NULL && errno != ENOENT && errno != EBADMSG)       /* what cannot be read is not missing */
		log_fatal(EXIT_SYSTEM, "spool/%s: %s: %s", name, strerror(errno), fdio_hint(errno));
	return text;
}

/* ---- identity ---- */

int
identity_save(struct daemon *d)
{
	char text[340], machine[33], store[33];
	hex_text(machine, d->machine, WIRE_ID_BYTES);
	hex_text(store, d->store, WIRE_ID_BYTES);
	int n = snprintf(text, sizeof text, "mom spool 1 machine %s store %s serial %u shards %u token %016llx message "
	    "%u\n", machine, store, d->serial, d->shards,
	    (unsigned long long)d->token, d->message_max);
	return sealed_save(d->spool_dir, "identity", text, (size_t)n, 1);
}

void
identity_proven(struct daemon *d)
{
	uint64_t shown = d->token;
	if (d->token_fresh == 0 || d->unit == NULL || !atomic_load(&d->unit->proven))
		return;
	d->token = d->token_fresh;
	if (identity_save(d) == 0) {
		d->token_fresh = 0;
		/* told with the next PING: only that one counts from there on */
		atomic_store(&d->table->token, d->token);
	} else {
		log_warn("spool/identity: %s: tried again; %s", strerror(errno), fdio_hint(errno));
		d->token = shown;
	}
}

void
identity_load(struct daemon *d)
{
	char machine[33], store[33];
	unsigned version = 0;
	unsigned long long token = 0;
	uint32_t message = MOM_MESSAGE_MAX, asked = d->message_max;
	char *text = load_text(d, "identity");
	if (text == NULL && errno != ENOENT)
		log_fatal(EXIT_SYSTEM, "spool/identity: %s: restore the spool from a backup, or give this daemon a new "
		    "one", errno == EBADMSG ? "damaged" : strerror(errno));
	if (text == NULL) {
		d->message_max = asked ? asked : MOM_MESSAGE_MAX;
		if (fdio_random(d->machine, sizeof d->machine) < 0 || identity_save(d) < 0)
			log_fatal(EXIT_SYSTEM, "spool/identity: %s: %s", strerror(errno), fdio_hint(errno));
		return;
	}
	int fields = sscanf(text, "mom spool %u machine %32s store %32s serial %u shards %u token %llx message %u",
	    &version, machine, store, &d->serial, &d->shards, &token,
	    &message);
	free(text);
	if (version > 1)
		log_fatal(EXIT_USAGE, "the spool has format %u, this program knows 1: use the newer program", version);
	d->token = token;
	if (fields < 6 || message < 1 || message > MESSAGE_LIMIT || d->shards > SHARDS_MAX ||
	    hex_bytes(d->machine, machine, WIRE_ID_BYTES) < 0 || hex_bytes(d->store, store, WIRE_ID_BYTES) < 0)
		log_fatal(EXIT_SYSTEM, "spool/identity is damaged: restore the spool from a backup, or give this "
		    "daemon a new one");
	d->message_max = asked ? asked : message;
	if (d->message_max < message)
		log_fatal(EXIT_USAGE, "the spool was used with --max-message %u: messages of that size may be in it: "
		    "start with that or more", message);
}

/* ---- which incarnations of the store the stream has shown: so that another store, or an older copy of it, is
 * recognised ---- */

void
starts_save(struct daemon *d)
{
	char text[SHARDS_MAX * 64 + 64];
	size_t n = (size_t)sprintf(text, "mom starts 1\n");
	for (uint32_t k = 0; k < d->shards; k++)
		n += (size_t)sprintf(text + n, "shard %u start %llx bits %llx\n", k,
		    (unsigned long long)atomic_load(&d->table->start[k]),
		    (unsigned long long)atomic_load(&d->table->start_bits[k]));
	uint64_t digest = crc32c(0, text, n) | UINT64_C(1) << 32;
	if (digest == d->saved_starts)
		return;
	if (sealed_save(d->spool_dir, "starts", text, n, 1) == 0)
		d->saved_starts = digest;
	else
		log_warn("spool/starts: %s: tried again; %s", strerror(errno), fdio_hint(errno));
}

void
starts_load(struct daemon *d)
{
	char *rest = NULL, *text = load_text(d, "starts"), *line = text ? strtok_r(text, "\n", &rest) : NULL;
	unsigned long long start, bits;
	unsigned k;
	if (text == NULL && errno == EBADMSG)
		log_error("spool/starts is damaged: an older copy of the broker's store is not noticed at this "
		    "connection; look at the disk");
	while (line && (line = strtok_r(NULL, "\n", &rest)) != NULL) {
		if (sscanf(line, "shard %u start %llx bits %llx", &k, &start, &bits) != 3 || k >= SHARDS_MAX)
			continue;
		atomic_store(&d->table->start[k], start);
		atomic_store(&d->table->start_bits[k], bits);
	}
	free(text);
}

/* ---- durable clients that were forgotten ---- */

static void
forgotten_save(struct daemon *d)
{
	char *text = malloc(64 + d->forgotten_count * LINE_MOST);
	size_t n = text ? (size_t)sprintf(text, "mom forgotten 1\n") : 0;
	for (size_t i = 0; text && i < d->forgotten_count; i++)
		n += (size_t)sprintf(text + n, "uid %u name %s\n", (unsigned)d->forgotten[i].uid, d->forgotten[i].name);
	if (text == NULL || sealed_save(d->spool_dir, "forgotten", text, n, 1) < 0)
		log_warn("spool/forgotten: %s: %s", strerror(errno), fdio_hint(errno));
	free(text);
}

static void
forgotten_drop(struct daemon *d, size_t i)
{
	d->forgotten_count--;
	memmove(d->forgotten + i, d->forgotten + i + 1, (d->forgotten_count - i) * sizeof *d->forgotten);
}

static void
forgotten_make_room(struct daemon *d, uid_t uid)
{
	size_t first = 0, of_user = 0;
	for (size_t i = d->forgotten_count; i-- > 0;)
		if (d->forgotten[i].uid == uid) {
			first = i;
			of_user++;
		}
	if (of_user >= EXPIRED_NAMES)
		forgotten_drop(d, first);
}

static void
forgotten_put(struct daemon *d, uid_t uid, const char *name)
{
	forgotten_make_room(d, uid);
	struct forgotten *grown = realloc(d->forgotten, (d->forgotten_count + 1) * sizeof *grown);
	if (grown == NULL)
		log_fatal(EXIT_SYSTEM, "no memory for a list of clients: see `free`");
	d->forgotten = grown;
	struct forgotten *g = &grown[d->forgotten_count++];
	g->uid = uid;
	snprintf(g->name, sizeof g->name, "%s", name);
}

void
forgotten_load(struct daemon *d)
{
	char name[MOM_NAME_MAX + 4], *rest = NULL, *text = load_text(d, "forgotten"),
	    *line = text ? strtok_r(text, "\n", &rest) : NULL;
	unsigned uid;
	if (text == NULL && errno == EBADMSG)
		log_error("spool/forgotten is damaged: durable clients that were forgotten are not told so when they "
		    "come back; look at the disk");
	while (line && (line = strtok_r(NULL, "\n", &rest)) != NULL)
		if (sscanf(line, "uid %u name %67s", &uid, name) == 2 && client_name_fault(name) == NULL)
			forgotten_put(d, (uid_t)uid, name);
	free(text);
}

void
forgotten_add(struct daemon *d, const struct member *m)
{
	forgotten_put(d, m->uid, m->name);
	forgotten_save(d);
}

int
forgotten_take(struct daemon *d, uid_t uid, const char *name)
{
	for (size_t i = 0; i < d->forgotten_count; i++) {
		if (d->forgotten[i].uid != uid || strcmp(d->forgotten[i].name, name) != 0)
			continue;
		forgotten_drop(d, i);
		forgotten_save(d);
		return 1;
	}
	return 0;
}

/* ---- the list ---- */

int
members_save(struct daemon *d)
{
	char nonce[33], *text = malloc(256 + (size_t)d->used * LINE_MOST);
	if (text == NULL)
		return -1;
	size_t n = (size_t)sprintf(text, "mom clients 1 boot %s next %u\n", boot_id(), d->reserved_id);
	for (uint32_t i = 0; i < d->used; i++) {
		struct member *m = &d->members[i];
		hex_text(nonce, m->nonce, sizeof m->nonce);
		n += (size_t)sprintf(text + n, "slot %u state %d generation %u owner %u id %016llx uid %u pid %d "
		    "started %llu durable %d shm %d sem %d away %u nonce %s name %s\n",
		    i, (int)m->state, m->generation, m->owner, (unsigned long long)m->id, (unsigned)m->uid, (int)m->pid,
		    m->started, m->durable, m->shm,
		    m->sem, m->away, nonce, m->name[0] ? m->name : "*");
	}
	int bad = sealed_save(d->spool_dir, "clients", text, n, 1);
	free(text);
	d->list_is_behind = bad < 0;
	return bad;
}

static void
members_line(struct daemon *d, const char *line, int same_boot)
{
	struct member in = { .shm = -1, .sem = -1, .socket = -1, .pidfd = -1 };
	unsigned slot, uid;
	int state, pid;
	unsigned long long id;
	char nonce[33], name[MOM_NAME_MAX + 4];
	if (sscanf(line, "slot %u state %d generation %u owner %u id %llx uid %u pid %d started %llu durable %d shm %d "
	    "sem %d away %u nonce %32s name %67s", &slot,
	    &state, &in.generation, &in.owner, &id, &uid, &pid, &in.started, &in.durable, &in.shm, &in.sem, &in.away,
	    nonce, name) != 14 ||
	    slot >= d->table->capacity || state < SLOT_FREE || state > SLOT_DYING ||
	    hex_bytes(in.nonce, nonce, sizeof in.nonce) < 0 ||
	    (in.durable != 0 && in.durable != 1) || (strcmp(name, "*") != 0 && client_name_fault(name)))
		log_fatal(EXIT_SYSTEM, "spool/clients is damaged: restore the spool from a backup, or give this daemon "
		    "a new one");
	in.state = (enum slot_state)state;
	in.id = id;
	in.uid = (uid_t)uid;
	in.pid = same_boot ? (pid_t)pid : 0;
	in.shm = same_boot ? in.shm : -1;
	in.sem = -1;                                   /* the registry has reaped it */
	/* an anonymous one was written as - before */
	if (strcmp(name, "*") != 0 && (in.durable || strcmp(name, "-") != 0))
		snprintf(in.name, sizeof in.name, "%s", name);
	d->members[slot] = in;
	if (slot >= d->used)
		d->used = slot + 1;
}

void
members_read(struct daemon *d)
{
	char boot[64] = "", *rest = NULL, *text = load_text(d, "clients");
	int is_first = text == NULL && errno == ENOENT;
	if (boot_id() == NULL)
		log_fatal(EXIT_SYSTEM, "/proc/sys/kernel/random/boot_id: %s: mount /proc", strerror(errno));
	for (uint32_t i = 0; i < d->table->capacity; i++)
		d->members[i].shm = d->members[i].sem = d->members[i].socket = d->members[i].pidfd = -1;
	if (is_first) {
		d->next_id = d->reserved_id = 1;
		return;
	}
	unsigned version = 0;
	char *line = text ? strtok_r(text, "\n", &rest) : NULL;
	if (line == NULL || sscanf(line, "mom clients %u boot %63s next %u", &version, boot, &d->reserved_id) != 3 ||
	    version != 1)
		log_fatal(EXIT_SYSTEM, "spool/clients is %s: restore the spool from a backup, or give this daemon a "
		    "new one",
		    version > 1 ? "of a newer format" : "damaged");
	d->next_id = d->reserved_id;
	int same_boot = strcmp(boot, boot_id()) == 0;
	while ((line = strtok_r(NULL, "\n", &rest)) != NULL)
		members_line(d, line, same_boot);
	free(text);
}

/* ---- words and rings of one client ---- */

static void
slot_file(char *name, size_t n, const char *what, uint32_t slot)
{
	snprintf(name, n, "%s-%u", what, slot);
}

/* Words that were clean, while a full disk kept newer ones from being written, have this name. */
static void
worn_file(char *name, size_t n, uint32_t slot)
{
	slot_file(name, n, "worn", slot);
}

static void
forget_worn(struct daemon *d, uint32_t slot)
{
	char name[32];
	if (!d->members[slot].worn)
		return;
	worn_file(name, sizeof name, slot);
	unlinkat(d->spool_dir, name, 0);
	d->members[slot].worn = 0;
}

void
members_save_words(struct daemon *d, uint32_t slot, enum words_how how)
{
	struct member *m = &d->members[slot];
	struct client_segment *c = m->segment;
	char name[32], text[SHARDS_MAX * 100 + 128];
	int known = 1;
	if (c == NULL)
		return;
	uint32_t cuts = atomic_load(&d->table->slot[slot].cuts);
	int is_cut = atomic_load(&c->cuts) != atomic_load(&c->cuts_told),
	    cut_waits = cuts != atomic_load(&d->table->slot[slot].cuts_saved);
	size_t n = (size_t)sprintf(text, "mom words 1 id %016llx cut %d patterns %u\n", (unsigned long long)m->id,
	    is_cut, atomic_load(&c->has_pattern));
	for (uint32_t k = 0; k < d->shards; k++) {
		uint64_t handed = atomic_load(&c->handed[k]), again = atomic_load(&c->again[k]),
		    risk = atomic_load(&c->risk[k]);
		/* the broker has said how far what was handed out may have gone */
		known &= risk != RISK_UNKNOWN;
		again = risk != RISK_UNKNOWN && risk > again ? risk - 1 : again;
		n += (size_t)sprintf(text + n, "shard %u acked %llx again %llx first %llx cut %llx\n", k,
		    (unsigned long long)atomic_load(&c->acked[k]),
		    (unsigned long long)(handed > again ? handed : again),
		    (unsigned long long)atomic_load(&c->first[k]),
		    (unsigned long long)atomic_load(&c->cut[k]));
	}
	if (how == WORDS_CLEAN && known)               /* nobody hands out mail any more: this is the last word */
		n += (size_t)sprintf(text + n, "clean\n");
	uint64_t digest = crc32c(0, text, n) | UINT64_C(1) << 32;
	slot_file(name, sizeof name, "words", slot);
	if ((digest != m->saved_ack || cut_waits) &&
	    sealed_save(d->spool_dir, name, text, n, cut_waits || how != WORDS_LIVE) == 0) {
		m->saved_ack = digest;
		atomic_store(&d->table->slot[slot].cuts_saved, cuts);
		forget_worn(d, slot);
	}
}

void
members_load_words(struct daemon *d, uint32_t slot)
{
	struct member *m = &d->members[slot];
	char name[32], worn[32], *rest = NULL;
	unsigned long long id, acked, again, first, cut;
	unsigned k, is_cut = 0, has_pattern = 0;
	int clean = 0;
	slot_file(name, sizeof name, "words", slot);
	worn_file(worn, sizeof worn, slot);
	m->worn = faccessat(d->spool_dir, worn, F_OK, 0) == 0;
	char *text = load_text(d, name);
	if (text == NULL && errno == ENOENT && m->worn)
		text = load_text(d, worn);
	else if (m->worn)
		forget_worn(d, slot);
	char *line = text ? strtok_r(text, "\n", &rest) : NULL;
	/* it is written without a sync: a power cut may leave anything */
	if (text == NULL && errno != ENOENT)
		log_warn("spool/%s: %s: what client %016llx had last comes again, flagged", name,
		    errno == EBADMSG ? "damaged" : strerror(errno),
		    (unsigned long long)m->id);
	if (line && sscanf(line, "mom words 1 id %llx cut %u patterns %u", &id, &is_cut, &has_pattern) >= 1 &&
	    id == m->id) {
		atomic_store(&m->segment->cuts, is_cut);
		while ((line = strtok_r(NULL, "\n", &rest)) != NULL) {
			clean |= strcmp(line, "clean") == 0 && !m->worn;
			cut = 0;
			if (sscanf(line, "shard %u acked %llx again %llx first %llx cut %llx", &k, &acked, &again,
			    &first, &cut) < 4 || k >= SHARDS_MAX)
				continue;
			atomic_store(&m->segment->acked[k], acked);
			atomic_store(&m->segment->handed[k], acked);
			atomic_store(&m->segment->again[k], again);
			atomic_store(&m->segment->cut[k], cut);
		}
	}
	free(text);
	m->saved_ack = 0;
	/* what was saved without a sync may be from before its first pattern */
	atomic_store(&m->segment->has_pattern, clean || has_pattern ? has_pattern : MAY_HAVE_PATTERN);
	for (k = 0; !clean && k < SHARDS_MAX; k++)
		atomic_store(&m->segment->risk[k], RISK_UNKNOWN);
	/* from now on mail is handed out: a power cut must not leave them clean */
	if (clean)
		members_save_words(d, slot, WORDS_SYNC);
	if (clean && m->saved_ack == 0 && fdio_rename_at(d->spool_dir, name, worn) == 0)
		m->worn = 1;
}

int
members_has_ring(struct daemon *d, uint32_t slot)
{
	char name[32];
	slot_file(name, sizeof name, "ring", slot);
	return faccessat(d->spool_dir, name, F_OK, 0) == 0 || errno != ENOENT;
}

void
members_save_ring(struct daemon *d, uint32_t slot)
{
	struct member *m = &d->members[slot];
	struct ring *ring = client_requests(m->segment);
	struct ring_reader r;
	char name[32], *bytes = malloc(RING_FILE_HEADER + m->ring), *copy = malloc(m->ring);
	size_t n = 0;
	int broken;
	slot_file(name, sizeof name, "ring", slot);
	ring_reader_init(&r, ring, m->ring, atomic_load(&ring->tail));
	/* somebody may still write to a dead client's ring: once round is enough */
	uint64_t began = r.at;
	for (const char *p; bytes && copy && !atomic_load(&m->segment->poisoned) && r.at - began < m->ring &&
	    (p = ring_copy(&r, copy, m->ring, &broken)) != NULL;) {
		uint32_t shard = get_u16(p + 14);
		uint32_t stride = record_stride(get_u32(p));
		if (shard >= d->shards || get_u64(p + 40) <= atomic_load(&m->segment->answer[shard].acked))
			continue;
		if (n + stride > m->ring)
			break;
		memcpy(bytes + RING_FILE_HEADER + n, p, stride);
		n += stride;
	}
	if (n)
		ring_file_seal(bytes, n, m->id);
	if (n == 0)
		unlinkat(d->spool_dir, name, 0);
	else if (fdio_replace(d->spool_dir, name, bytes, RING_FILE_HEADER + n, 1) < 0)
		log_error("spool/%s: %s: %zu bytes that a client had asked for are lost; %s", name, strerror(errno), n,
		    fdio_hint(errno));
	free(copy);
	free(bytes);
}

void
members_load_ring(struct daemon *d, uint32_t slot)
{
	struct member *m = &d->members[slot];
	struct client_segment *c = m->segment;
	struct ring_writer w;
	char name[32];
	size_t n = 0, q = 0, sound = 0;
	int fresh[SHARDS_MAX];
	memset(fresh, 1, sizeof fresh);
	slot_file(name, sizeof name, "ring", slot);
	char *bytes = fdio_load(d->spool_dir, name, &n, RING_FILE_HEADER + m->ring);
	if (bytes == NULL && errno != ENOENT)
		log_fatal(EXIT_SYSTEM, "spool/%s: %s: %s", name, strerror(errno), fdio_hint(errno));
	const char *fault = bytes ? ring_file_look(bytes, n, &q, &sound) : NULL;
	ring_writer_init(&w, client_requests(c), m->ring, 0);
	while (q < sound) {
		uint32_t stride = record_stride(get_u32(bytes + q)), shard = get_u16(bytes + q + 14);
		char *at = shard < SHARDS_MAX ? ring_reserve(&w, stride) : NULL;
		if (at == NULL)
			break;
		memcpy(at, bytes + q, stride);
		put_u32(at + 4, 0);
		ring_advance(&w, stride);
		if (fresh[shard]) {
			atomic_store(&c->first[shard], get_u64(bytes + q + 40));
			fresh[shard] = 0;
		}
		q += stride;
	}
	if (fault || q < n)
		log_error("spool/%s: damaged at byte %zu: %s: the client's requests behind it, %zu bytes or more, are "
		    "lost; look at the disk", name, q, fault ? fault : "a shard that does not exist", n - q);
	ring_publish(&w);
	free(bytes);
}

void
members_forget_files(struct daemon *d, uint32_t slot)
{
	char name[32];
	slot_file(name, sizeof name, "words", slot);
	unlinkat(d->spool_dir, name, 0);
	forget_worn(d, slot);
	slot_file(name, sizeof name, "ring", slot);
	unlinkat(d->spool_dir, name, 0);
}
