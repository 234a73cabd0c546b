/* door - proves: whatever programs say to the registration socket, in whatever order, and write into the segments that
 * they got, mom_daemon's list stays sound: each living client has a slot, an id and a segment of its own; a name has
 * one client a user; what is saved is read again.
 * INPUT  steps (see do_step); bytes behind the last are none */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include "ipc/ipcq_own.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/fdio.h"
#include "base/hex.h"
#include "base/log.h"
#include "format/topic.h"
#include "daemon/daemon.h"
#include "daemon/members_file.h"
#include "take_over.h"

enum { TABLE = 1, UNIT = 2, SLOTS = 5, SHARDS = 2, SOCKETS = 16, SOCKET = 100, USERS = 2, SEGMENTS_USED = 12,
    CLIENT = 10, SEMAPHORE = 1000, MESSAGE = 4096 };
static const char *const names[] = { "", "a", "b", "-", "..", "a b", "\xff" };

static struct {
	struct fuzz_input in;
	struct daemon d;
	char *clients;                             /* spool/clients as it was written last */
	size_t n;
	int64_t now;
	struct { int open, uid, pid, answered; size_t n; uint8_t said[sizeof(struct registration)];
	    struct registered answer; } socket[SOCKETS];
	int next_socket, used[SEGMENTS_USED], full;   /* full: the disk, or the kernel's limit */
	uid_t owner[SEGMENTS_USED];
	int taken;                                 /* the rights of what clients own */
} fz;

static struct client_segment *
segment(int id)
{
	return fuzz_segment(id, client_bytes(MESSAGE));
}

/* ---- the edge: sockets, processes, System V, files ---- */

static ssize_t
edge_recv(int fd, void *bytes, size_t n)
{
	size_t k = (size_t)(fd - SOCKET);
	FUZZ_CHECK(k < SOCKETS && fz.socket[k].open);
	n = fz.socket[k].n < n ? fz.socket[k].n : n;
	memcpy(bytes, fz.socket[k].said, n);
	return (ssize_t)n;
}

static ssize_t
edge_send(int fd, const void *bytes, size_t n)
{
	size_t k = (size_t)(fd - SOCKET);
	FUZZ_CHECK(k < SOCKETS && fz.socket[k].open);
	if (n == 1) {                              /* it wakes who waits in poll */
		errno = EAGAIN;
		return fz.now / 1000 & 1 ? 1 : -1;
	}
	FUZZ_CHECK(n == sizeof(struct registered) && !fz.socket[k].answered);
	memcpy(&fz.socket[k].answer, bytes, n);
	fz.socket[k].answered = 1;
	FUZZ_CHECK(memchr(fz.socket[k].answer.text, '\0', sizeof fz.socket[k].answer.text) != NULL);
	return (ssize_t)n;
}

static void
edge_close(int fd)
{
	size_t k = (size_t)(fd - SOCKET);
	FUZZ_CHECK(k < SOCKETS && fz.socket[k].open);
	fz.socket[k].open = 0;
}

static int
edge_make(struct registry *r, enum registry_kind kind, size_t bytes, uid_t uid, int open_to_all, const char *role)
{
	(void)r, (void)open_to_all;
	FUZZ_CHECK(role[0] && (kind != REGISTRY_SHM || bytes == client_bytes(MESSAGE)));
	if (kind == REGISTRY_SEM && !fz.full)
		return SEMAPHORE + (int)uid;
	for (int i = 0; !fz.full && i < SEGMENTS_USED; i++) {
		if (fz.used[i])
			continue;
		fz.used[i] = 1;
		fz.owner[i] = uid;
		fuzz_wipe(segment(CLIENT + i), client_bytes(MESSAGE));
		return CLIENT + i;
	}
	errno = ENOSPC;
	return -1;
}

static void
edge_remove(struct registry *r, enum registry_kind kind, int id)
{
	(void)r;
	if (kind != REGISTRY_SHM)
		return;
	FUZZ_CHECK(id >= CLIENT && id < CLIENT + SEGMENTS_USED && fz.used[id - CLIENT]);
	fz.used[id - CLIENT] = 0;
}

static int
edge_own_segment(int shm, struct shmid_ds *ds)
{
	memset(ds, 0, sizeof *ds);
	ds->shm_perm.uid = fz.owner[shm - CLIENT];
	ds->shm_perm.mode = fz.taken ? 0 : 0600;
	return 0;
}

static int
edge_own_semaphore(int sem, struct semid_ds *ds)
{
	memset(ds, 0, sizeof *ds);
	ds->sem_perm.uid = (uid_t)(sem - SEMAPHORE);
	ds->sem_perm.mode = 0600;
	return 0;
}

static int
edge_replace(int dir, const char *name, const void *bytes, size_t n, int durable)
{
	(void)dir, (void)durable;
	if (fz.full) {
		errno = ENOSPC;
		return -1;
	}
	if (strcmp(name, "clients") != 0)
		return 0;
	fz.clients = realloc(fz.clients, n + 1);
	memcpy(fz.clients, bytes, n);
	fz.clients[fz.n = n] = '\0';
	return 0;
}

static void *
edge_load(int dir, const char *name, size_t *n, size_t most)
{
	(void)dir;
	if (strcmp(name, "clients") != 0 || fz.clients == NULL || fz.n > most) {
		errno = ENOENT;
		return NULL;
	}
	char *p = malloc(fz.n + 1);
	memcpy(p, fz.clients, fz.n + 1);
	*n = fz.n;
	return p;
}

#define recv(fd, bytes, n, flags) edge_recv(fd, bytes, n)
#define send(fd, bytes, n, flags) edge_send(fd, bytes, n)
#define close(fd)               edge_close(fd)
#define fdio_close(fd)          (void)(*(fd) >= SOCKET ? (edge_close(*(fd)), 0) : 0, *(fd) = -1)
#define fdio_open_at(dir, name, flags, mode) (-1)
#define fdio_read(fd, bytes, n) (-1)
#define open(path, flags)       (-1)
#define unlinkat(dir, name, flags) ((void)(dir), (void)(flags), (void)(name))
#define faccessat(dir, name, mode, flags) ((void)(dir), -1)
#define syscall(n, pid, flags)  ((void)(pid), -1)
#define registry_make           edge_make
#define registry_remove         edge_remove
#define registry_check(r, kind, id) 1
#define fdio_replace            edge_replace
#define fdio_load               edge_load
#define clock_ms()              (fz.now)
#define process_has_segment(pid, shm) ((void)(pid), (void)(shm), 1 - (int)(fz.now / 3000 % 3))
#define process_started(pid)    ((void)(pid), 0)
#define ipcq_own_segment        edge_own_segment
#define ipcq_own_semaphore      edge_own_semaphore
#define ipcq_attached(shm)      ((void)(shm), (int)(fz.now / 1000 % 3))
#define getsockopt(fd, level, option, value, n) ((void)(fd), (void)(value), (void)(n), -1)
#define poll(p, n, timeout)     ((void)(p), 0)
#define unit_end(d)             ((d)->unit_ending = 1)
#define unit_bells(d)           (void)(d)
#include "base/sealed.c"
#include "daemon/members_file.c"
#include "daemon/life.c"
#include "daemon/members_objects.c"
#include "daemon/members_start.c"
#include "daemon/members.c"
#include "daemon/door.c"

/* ---- what must hold ---- */

static void
check_list(void)
{
	struct daemon *d = &fz.d;
	FUZZ_CHECK(d->used <= SLOTS);
	for (uint32_t i = 0; i < d->used; i++) {
		struct member *m = &d->members[i];
		struct slot_word *w = &d->table->slot[i];
		FUZZ_CHECK(w->state == (uint32_t)m->state && (m->state == SLOT_FREE ||
		    (w->segment == m->shm && w->id == m->id && w->owner == m->owner)));
		if (m->state == SLOT_FREE)
			continue;
		FUZZ_CHECK(m->id >> 32 == 7 && (uint32_t)m->id < d->next_id && m->segment && m->shm >= CLIENT);
		FUZZ_CHECK(m->name[0] == '\0' || client_name_fault(m->name) == NULL);
		for (uint32_t k = 0; k < i; k++) {
			struct member *o = &d->members[k];
			if (o->state == SLOT_FREE)
				continue;
			FUZZ_CHECK(o->id != m->id && (o->shm != m->shm || m->shm < 0) &&
			    (o->socket != m->socket || m->socket < 0));
			FUZZ_CHECK(!o->durable || !m->durable || o->uid != m->uid || m->name[0] == '\0' ||
			    strcmp(o->name, m->name) != 0);
		}
	}
	for (size_t i = 0; i < d->waiting_count; i++)
		FUZZ_CHECK(fz.socket[d->waiting[i].fd - SOCKET].open);
}

static void
check_saved(void)
{
	struct machine_table measure = { .capacity = SLOTS };
	struct daemon d = { .table = &measure, .members = calloc(SLOTS, sizeof(struct member)) };
	FUZZ_CHECK(members_save(&fz.d) == 0);
	members_read(&d);
	for (uint32_t i = 0; i < fz.d.used; i++) {
		const struct member *a = &fz.d.members[i], *b = &d.members[i];
		FUZZ_CHECK(a->state == b->state && a->id == b->id && a->uid == b->uid && a->durable == b->durable &&
		    strcmp(a->name, b->name) == 0);
	}
}

/* ---- steps ---- */

static void
do_connect(unsigned what)
{
	struct daemon *d = &fz.d;
	if (fz.next_socket == SOCKETS)
		return;
	int k = fz.next_socket++;
	fz.socket[k].open = 1;
	fz.socket[k].uid = (int)(what & 1);
	fz.socket[k].pid = 1000 + (int)(what >> 1 & 3);
	if (d->waiting_count == d->waiting_room)
		d->waiting = realloc(d->waiting, (d->waiting_room += 16) * sizeof *d->waiting);
	d->waiting[d->waiting_count++] = (struct waiting){ .fd = SOCKET + k, .until = fz.now + HANDSHAKE_MS,
	    .uid = (uid_t)fz.socket[k].uid, .pid = fz.socket[k].pid };
}

static void
do_say(unsigned what)
{
	struct daemon *d = &fz.d;
	if (d->waiting_count == 0)
		return;
	size_t i = (what & 3) % d->waiting_count, k = (size_t)(d->waiting[i].fd - SOCKET);
	struct registration ask = { .magic = MAGIC_CLIENT, .layout = IPC_LAYOUT };
	unsigned more = (unsigned)fuzz_number(&fz.in, 1);
	snprintf(ask.name, sizeof ask.name, "%s", names[(what >> 2) % 7]);
	ask.nonce[0] = more & 7;
	ask.again = more >> 3 & 1;
	memcpy(fz.socket[k].said, &ask, sizeof ask);
	fz.socket[k].n = sizeof ask;
	if (more & 0x80)
		fz.socket[k].n = fuzz_bytes(&fz.in, fz.socket[k].said, more & 0x40 ? 8 : sizeof ask);
	if (!d->waiting[i].asked)
		door_hear(d, i);
}

static void
do_write(unsigned what)
{
	struct member *m = &fz.d.members[what % SLOTS];
	char bytes[32];
	if (m->segment == NULL || m->state == SLOT_FREE)
		return;
	uint64_t at = fuzz_number(&fz.in, 3) % (client_bytes(MESSAGE) - sizeof bytes);
	fuzz_bytes(&fz.in, bytes, sizeof bytes);
	switch (what >> 3 & 3) {
	case 0: m->segment->goodbye = what >> 1; break;
	case 1: m->segment->poisoned = m->segment->gone = what >> 2 & 1; fz.taken = what >> 3 & 1; break;
	default: memcpy((char *)m->segment + at, bytes, sizeof bytes); break;
	}
}

static void
do_end(unsigned what)
{
	uint32_t i = what % SLOTS;
	struct member *m = &fz.d.members[i];
	if (m->state == SLOT_LIVE && what & 8)
		member_died(&fz.d, i, "the fuzzer says so");
	else if (m->state == SLOT_LIVE)
		members_check(&fz.d);
	else if (m->state == SLOT_DYING) {
		fz.d.unit->slot[i].destroyed = m->owner;
		members_finished(&fz.d);
	} else if (m->state == SLOT_AWAY)
		fz.d.unit->slot[i].away_safe = m->owner;
}

static void
do_step(void)
{
	unsigned what = (unsigned)fuzz_number(&fz.in, 1);
	switch (what & 7) {
	case 0: do_connect(what >> 3); break;
	case 1: case 2: do_say(what >> 3); break;
	case 3: do_write(what >> 3); break;
	case 4: do_end(what >> 3); break;
	case 5: fz.now += 1000 * (what >> 3); break;
	case 6: fz.full = what >> 7; break;
	default: fz.d.serial = what >> 3 ? 7 : 0; break;
	}
	door_serve(&fz.d);
	check_list();
}

static void
body(void)
{
	struct daemon *d = &fz.d;
	d->members = calloc(SLOTS, sizeof *d->members);
	for (uint32_t i = 0; i < SLOTS; i++)
		d->members[i].shm = d->members[i].sem = d->members[i].socket = d->members[i].pidfd = -1;
	d->table = fuzz_segment(TABLE, sizeof *d->table + SLOTS * sizeof(struct slot_word));
	d->unit = fuzz_segment(UNIT, daemon_unit_words(SLOTS));
	fuzz_wipe(d->table, sizeof *d->table + SLOTS * sizeof(struct slot_word));
	fuzz_wipe(d->unit, daemon_unit_words(SLOTS));
	d->table->capacity = SLOTS;
	d->shards = SHARDS;
	d->serial = 7;
	d->message_max = MESSAGE;
	d->next_id = d->reserved_id = 1;
	while (fz.in.n > 0)
		do_step();
	fz.full = 0;
	check_saved();
	members_stop(d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&fz, 0, sizeof fz);
	fz.in = (struct fuzz_input){ data, size };
	fz.now = 1000;
	FUZZ_CHECK(fuzz_run(body) == -1);
	return 0;
}

/* ---- seeds ---- */

void
fuzz_seeds(fuzz_seed_fn seed)
{
	/* a connection, what it says (which name), its nonce */
	static const char two[] = { 0, 1, 1, 0, 0x21, 2, 0x48 - 4, 0 };
	static const char durable[] = { 0, 0x21, 1, 0, 0x21, 2, 0x44, 4, 0x04, 0, 0x21, 3, 0x44 };
	static const char same_nonce[] = { 0, 0x21, 1, 0, 0x21, 1 };
	static const char junk[] = { 0, 1, (char)0xc0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, (char)0x80, 9, 9, 9 };
	static const char writes[] = { 0, 1, 1, 3, 0, 0, 0, 0, 0x1b, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
	    14, 15, 16, 0x44, 4 };
	static const char full[] = { (char)0x86, 0, 1, 1, 6, 0, 0x21, 2 };
	static const char waits[] = { 7, 0, 1, 1, 0, 0x7d, 0x7d, (char)0xfd, (char)0xff };
	seed("two", two, sizeof two);
	seed("durable", durable, sizeof durable);
	seed("same-nonce", same_nonce, sizeof same_nonce);
	seed("junk", junk, sizeof junk);
	seed("writes", writes, sizeof writes);
	seed("full", full, sizeof full);
	seed("waits", waits, sizeof waits);
}
