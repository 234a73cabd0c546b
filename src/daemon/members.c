/* members - the daemon's list of clients: who lives, who is away, who is dying; a part of mom_daemon
 * The list (spool/clients) is the truth; how it is written is in members_file.c. */
#include "daemon/members_inner.h"
#include "ipc/ipcq_own.h"
#include "daemon/members_file.h"
#include "base/fdio.h"
#include "base/log_peer.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- coming ---- */

struct member *
members_by_name(struct daemon *d, uid_t uid, const char *name)
{
	for (uint32_t i = 0; i < d->used; i++)
		if (d->members[i].state != SLOT_FREE && d->members[i].durable && d->members[i].uid == uid &&
		    strcmp(d->members[i].name, name) == 0)
			return &d->members[i];
	return NULL;
}

/* Request numbers have 24 bits of generation, and words of a slot only grow: a slot whose generation is near the end
 * gets no new client. */
enum { GENERATION_NEW = (1 << 24) - (1 << 16) };

static uint64_t
new_id(struct daemon *d)
{
	if (d->next_id >= d->reserved_id)                      /* saved with the list, before anybody sees the id */
		d->reserved_id = d->next_id < UINT32_MAX - ID_BLOCK ? d->next_id + ID_BLOCK : UINT32_MAX;
	return (uint64_t)d->serial << 32 | d->next_id++;
}

/* The last sixteenth of the slots is for those who have few. Whoever runs the daemon may have all. */
static int
has_its_share(const struct daemon *d, uid_t uid)
{
	uint32_t used = 0, his = 0, capacity = d->table->capacity;
	for (uint32_t i = 0; i < d->used; i++) {
		used += d->members[i].state != SLOT_FREE;
		his += d->members[i].state != SLOT_FREE && d->members[i].uid == uid;
	}
	return uid != geteuid() && used >= capacity - capacity / SLOT_RESERVE && his > capacity / 2;
}

int
member_new(struct daemon *d, uid_t uid, pid_t pid, const char *name, const uint8_t nonce[16], char *why, size_t n)
{
	uint32_t i = 0;
	while (i < d->used && (d->members[i].state != SLOT_FREE || d->members[i].generation >= GENERATION_NEW))
		i++;
	if (d->next_id == UINT32_MAX) {
		snprintf(why, n, "all ids that this machine's spool can give are used up: stop the daemon, and start "
		    "it with a new --spool");
		return MOM_ELIMIT;
	}
	if (i == d->table->capacity) {
		snprintf(why, n, "all %u slots for clients are in use (kernel.shmmni): end some, or raise it and start "
		    "the daemon again", d->table->capacity);
		return MOM_ELIMIT;
	}
	if (has_its_share(d, uid)) {
		snprintf(why, n, "user %u has more than half of the %u slots for clients, the last are for others: end "
		    "some, or raise kernel.shmmni and start the daemon again", (unsigned)uid, d->table->capacity);
		return MOM_ELIMIT;
	}
	struct member *m = &d->members[i];
	m->generation++;
	m->owner = next_owner(m);
	m->uid = uid;
	m->pid = pid;
	m->started = process_started(pid);
	m->absent = 0;
	m->durable = name[0] != '\0';
	m->fresh = 0;
	snprintf(m->name, sizeof m->name, "%s", name);
	memcpy(m->nonce, nonce, sizeof m->nonce);
	m->id = new_id(d);
	m->shm = m->sem = -1;
	m->saved_ack = 0;
	m->away = 0;
	if (i == d->used)
		d->used++;
	if (member_segment(d, i) < 0) {
		int file = d->registry.file_failed;
		snprintf(why, n, "shmget or semget for a client: %s: %s", strerror(errno), registry_hint(&d->registry));
		member_free(d, i);
		return file ? MOM_EIO : MOM_ELIMIT;
	}
	m->state = SLOT_LIVE;
	atomic_store(&m->segment->owner, m->owner);
	if (members_save(d) < 0) {
		int limit = errno == EMFILE || errno == ENFILE;
		snprintf(why, n, "the daemon's spool cannot be written: %s: %s", strerror(errno),
		    limit ? "raise `ulimit -n` of the daemon" :
		    "mend the disk or make room");
		member_free(d, i);
		return limit ? MOM_ELIMIT : MOM_EIO;
	}
	if (m->durable && forgotten_take(d, uid, name))
		atomic_store(&m->segment->notice, NOTICE_NAME_EXPIRED);
	member_show(d, i);
	daemon_touch(d);
	return (int)i;
}

/* The dead owner's segment is taken over as it is, but for the mail box: what is not acknowledged comes again from the
 * spool. */
static void
member_reset_mail(struct client_segment *c, uint64_t bytes)
{
	struct ring *mail = client_mail(c, bytes);
	atomic_store(&mail->tail, atomic_load(&mail->head));
	for (uint32_t k = 0; k < SHARDS_MAX; k++) {
		uint64_t handed = atomic_load(&c->handed[k]);
		if (handed > atomic_load(&c->again[k]))
			atomic_store(&c->again[k], handed);
		atomic_store(&c->handed[k], atomic_load(&c->acked[k]));
	}
	atomic_store(&c->asleep, 0);
	atomic_store(&c->goodbye, 0);
}

/* A new segment and semaphore in the old ones' place, for a client that the broker has forgotten (gone), or whose old
 * ones are spoilt. What it had asked for and was not answered goes on, but from a ring of garbage. -1: all is as it
 * was */
static int
member_renew(struct daemon *d, uint32_t i, int gone)
{
	struct member *m = &d->members[i], old = *m;
	if (gone && d->next_id == UINT32_MAX)
		return -1;
	if (!gone)
		members_save_ring(d, i);
	m->segment = NULL;
	m->shm = m->sem = -1;
	m->generation++;
	m->fresh = gone ? 0 : 1;
	if (gone)                                              /* it begins anew, and is told */
		m->id = new_id(d);
	if (member_segment(d, i) < 0) {
		member_drop_objects(d, m);
		*m = old;
		atomic_store(&d->table->slot[i].sem, m->sem);
		return -1;
	}
	member_drop_objects(d, &old);
	if (gone) {
		members_forget_files(d, i);
		atomic_store(&m->segment->notice, NOTICE_MACHINE_EXPIRED);
	} else {
		members_load_words(d, i);
		members_load_ring(d, i);
	}
	return 0;
}

/* Whoever had it may have taken the rights from it, or given or thrown it away. */
static int
is_still_given(const struct member *m)
{
	struct shmid_ds segment;
	struct semid_ds semaphore;
	return ipcq_own_segment(m->shm, &segment) == 0 && segment.shm_perm.uid == m->uid &&
	    (segment.shm_perm.mode & 0777) == 0600 &&
	    (segment.shm_perm.mode & SHM_DEST) == 0 && ipcq_own_semaphore(m->sem, &semaphore) == 0 &&
	    semaphore.sem_perm.uid == m->uid &&
	    (semaphore.sem_perm.mode & 0777) == 0600;
}

int
member_resume(struct daemon *d, uint32_t i, pid_t pid, const uint8_t nonce[16])
{
	/* whoever is seen there for a moment only looks (mom clients) */
	enum { STRAY_TICKS = 3 };
	struct member *m = &d->members[i];
	if (d->unit == NULL || m->segment == NULL || atomic_load(&d->unit->slot[i].away_safe) != m->owner)
		return 1;
	int gone = atomic_load(&d->unit->slot[i].gone) == m->owner, stray = life_is_attached(d, i);
	if (stray && m->stray < STRAY_TICKS)
		return 1;
	/* Its ring is garbage, or its old owner, which was taken for dead, may still write there. */
	if (gone || stray || atomic_load(&m->segment->poisoned) || !is_still_given(m)) {
		if (member_renew(d, i, gone) < 0)
			return 1;
		/* its old id may be left with some shards: HELLO without it ends that */
		if (gone)
			unit_end(d);
	} else
		member_reset_mail(m->segment, m->ring);
	struct member before = *m;
	m->owner = next_owner(m);
	m->pid = pid;
	m->started = process_started(pid);
	m->away = 0;
	m->absent = 0;
	memcpy(m->nonce, nonce, sizeof m->nonce);
	m->state = SLOT_LIVE;
	/* a daemon that takes over would find its old owner there, dead */
	if (members_save_or_say(d) < 0) {
		*m = before;
		return -1;
	}
	atomic_store(&m->segment->owner, m->owner);
	member_show(d, i);
	daemon_touch(d);
	return 0;
}

/* ---- going ---- */

void
member_died(struct daemon *d, uint32_t i, const char *why)
{
	struct member *m = &d->members[i];
	uint32_t goodbye = m->segment ? atomic_load(&m->segment->goodbye) : 0;
	member_disown(m);                              /* first */
	fdio_close(&m->socket);
	fdio_close(&m->pidfd);
	if (goodbye)
		log_debug("client %016llx in slot %u, process %d: it gave its handle back", (unsigned long long)m->id,
		    i, (int)m->pid);
	else
		log_peer(LOG_FROM_INFO, m->uid, "client %016llx%s%s in slot %u, process %d, has ended: %s",
		    (unsigned long long)m->id, m->name[0] ? " " : "", m->name, i, (int)m->pid, why);
	/* That its own DESTROY was answered is a word that it could write itself: it is asked for once more. */
	if (m->durable && goodbye != GOODBYE_DESTROY) {
		m->state = SLOT_AWAY;
		m->stray = 0;
		members_save_words(d, i, WORDS_LIVE);
	} else {
		m->state = SLOT_DYING;
		m->generation++;               /* of the DESTROY that follows its last request */
	}
	members_save_or_say(d);
	member_show(d, i);
	daemon_touch(d);
}

/* A byte makes the socket readable. Where it cannot be sent, it is full of them or its owner is gone, or it comes back
 * with another one; or the kernel has no memory now, 0: then once more. */
static int
member_poke(const struct member *m)
{
	return m->socket < 0 || send(m->socket, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
	    (errno != ENOMEM && errno != ENOBUFS);
}

void
members_wake(struct daemon *d)
{
	for (uint32_t i = 0; d->unit && i < d->used; i++) {
		struct member *m = &d->members[i];
		uint32_t mail = atomic_load(&d->unit->slot[i].mail);
		if (mail == m->watch_told || m->state != SLOT_LIVE)
			continue;
		m->watch_told = mail;
		if (mail && !member_poke(m))
			m->watch_told = mail - 1;
	}
}

/* mom_requester posts the semaphore. It may be killed before, and does not reach who waits in poll. */
static void
member_poisoned(struct member *m)
{
	if (m->state != SLOT_LIVE || m->poison_told || m->segment == NULL || !atomic_load(&m->segment->poisoned))
		return;
	m->poison_told = member_poke(m);
	ipcq_post(m->sem);
}

static void
member_check(struct daemon *d, uint32_t i)
{
	struct member *m = &d->members[i];
	if (m->segment && (m->sem < 0 || !registry_check(&d->registry, REGISTRY_SEM, m->sem)) &&
	    member_semaphore(d, i) < 0)
		log_peer(LOG_FROM_WARN, i, "semget(client %u): %s: %s", i, strerror(errno),
		    registry_hint(&d->registry));
	const char *why = m->state == SLOT_LIVE ? life_ended(d, i) : NULL;
	if (why)
		member_died(d, i, why);
	else if (m->durable && m->state != SLOT_FREE)
		members_save_words(d, i, WORDS_LIVE);
}

/* Nobody has opened it for so long that its mail is not kept any more. */
static void
member_expire(struct daemon *d, uint32_t i)
{
	struct member *m = &d->members[i];
	log_peer(LOG_FROM_WARN, m->uid, "the durable client %s of user %u was away for %u s: it is forgotten, and told "
	    "so when it comes back (the broker's --machine-expiry)", m->name, (unsigned)m->uid, m->away);
	forgotten_add(d, m);
	m->name[0] = '\0';
	m->state = SLOT_DYING;
	m->generation++;
	members_save_or_say(d);
	member_show(d, i);
	daemon_touch(d);
}

void
members_check(struct daemon *d)
{
	int hour = 0;
	for (uint32_t i = 0; i < d->used; i++) {
		struct member *m = &d->members[i];
		member_poisoned(m);
		if (m->state != SLOT_FREE)
			member_check(d, i);
		if (m->state != SLOT_AWAY)
			continue;
		m->stray = life_is_attached(d, i) ? m->stray + 1 : 0;
		m->away++;
		hour |= m->away % 3600 == 0;
		if (d->expiry && m->away >= d->expiry)
			member_expire(d, i);
	}
	if (hour || d->list_is_behind)                 /* how long they are away outlives a kill */
		members_save_or_say(d);
}

void
members_finished(struct daemon *d)
{
	int n = 0;
	for (uint32_t i = 0; d->unit && i < d->used; i++) {
		struct member *m = &d->members[i];
		if (m->state != SLOT_DYING || atomic_load(&d->unit->slot[i].destroyed) != m->owner)
			continue;
		member_free(d, i);
		n++;
	}
	if (n == 0)
		return;
	/* a successor that finds them there, dying and without a segment, frees them */
	d->list_is_behind = 1;
	daemon_touch(d);
}
