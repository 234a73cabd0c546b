/* members_start - clients at a start and at a stop of mom_daemon: who goes on, who is away, whose end is finished */
#include "daemon/members_inner.h"
#include "ipc/ipcq_own.h"
#include "daemon/members_file.h"
#include "base/fdio.h"
#include "base/log_peer.h"
#include <errno.h>
#include <string.h>

int
members_keep(const struct registry_object *o, void *with)
{
	struct daemon *d = with;
	for (uint32_t i = 0; o->kind == REGISTRY_SHM && i < d->used; i++)
		if (d->members[i].state != SLOT_FREE && d->members[i].shm == o->id)
			return 1;
	return 0;
}

/* Until this start saves the list, it names only what was taken up, and what was made since is in the spool too. So of
 * a start that fails nothing stays that was not there before. */
int
members_use(const struct registry_object *o, void *with)
{
	struct daemon *d = with;
	for (uint32_t i = 0; i < d->used; i++) {
		struct member *m = &d->members[i];
		if (m->state == SLOT_FREE)
			continue;
		if (o->kind == REGISTRY_SHM && m->shm == o->id)
			return o->kept || d->listed;
		if (o->kind == REGISTRY_SEM && m->sem == o->id)
			return m->state == SLOT_LIVE || d->listed;
	}
	return 0;
}

static int
member_adopt(struct daemon *d, uint32_t i)
{
	struct member *m = &d->members[i];
	size_t bytes = 0;
	m->segment = m->shm < 0 ? NULL : ipcq_attach_own(m->shm, &bytes);
	if (m->shm >= 0 && m->segment == NULL && (errno == ENOMEM || errno == ENFILE))
		log_fatal(EXIT_SYSTEM, "shmat(segment of client %u): %s: started again it may be had", i,
		    strerror(errno));
	m->ring = m->segment ? client_ring(bytes) : 0;
	if (m->ring && m->segment->magic == MAGIC_CLIENT && m->segment->layout == IPC_LAYOUT &&
	    m->segment->id == m->id) {
		if (member_semaphore(d, i) < 0)
			log_peer(LOG_FROM_WARN, i, "semget(client %u): %s: %s: tried again", i, strerror(errno),
			    ipcq_hint(errno));
		return 0;
	}
	if (m->segment)
		ipcq_detach(m->segment);
	m->segment = NULL;
	m->shm = -1;
	return -1;
}

static void
member_take_up(struct daemon *d, uint32_t i)
{
	struct member *m = &d->members[i];
	int same = member_adopt(d, i) == 0;
	uint32_t goodbye = same ? atomic_load(&m->segment->goodbye) : 0;
	int lives = same && m->state == SLOT_LIVE && life_goes_on(m);
	if (same && m->ring < WINDOW_OF(d->message_max)) {
		if (m->state == SLOT_LIVE && !goodbye && lives)
			log_fatal(EXIT_USAGE, "process %d has rings that are too small for --max-message %u: end it, "
			    "then start this daemon again", (int)m->pid,
			    d->message_max);
		members_save_ring(d, i);               /* nobody uses it: it gets larger ones */
		members_save_words(d, i, WORDS_CLEAN);
		member_drop_objects(d, m);
		same = 0;
	}
	if (lives && same) {
		member_words(d, m);
		/* a predecessor may have been killed before it gave it */
		atomic_store(&m->segment->owner, m->owner);
		return;
	}
	fdio_close(&m->pidfd);
	if (same)
		member_disown(m);
	int away = m->durable && goodbye != GOODBYE_DESTROY && m->state != SLOT_DYING;
	m->owner = next_owner(m);
	m->generation++;
	m->state = away ? SLOT_AWAY : SLOT_DYING;
	if (same) {
		member_words(d, m);
		return;
	}
	if (!away && !members_has_ring(d, i)) {        /* nothing of it is left: HELLO without it destroys it */
		member_free(d, i);
		return;
	}
	m->fresh = 1;
	if (member_segment(d, i) < 0)
		log_fatal(EXIT_SYSTEM, "shmget for client %u: %s: %s", i, strerror(errno), registry_hint(&d->registry));
	members_load_words(d, i);
	members_load_ring(d, i);
}

void
members_load(struct daemon *d)
{
	for (uint32_t i = 0; i < d->used; i++) {
		if (d->members[i].state != SLOT_FREE)
			member_take_up(d, i);
		member_show(d, i);
	}
	d->listed = 1;                                 /* also where it fails: who knows what is on the disk by then */
	if (members_save(d) < 0)
		log_fatal(EXIT_SYSTEM, "spool/clients: %s: %s", strerror(errno), fdio_hint(errno));
	daemon_touch(d);
}

void
members_stop(struct daemon *d)
{
	for (uint32_t i = 0; i < d->used; i++) {
		struct member *m = &d->members[i];
		if (m->state == SLOT_FREE || m->segment == NULL)
			continue;
		if (m->state != SLOT_LIVE)
			members_save_ring(d, i);
		if (m->durable)
			/* a living client goes on without us */
			members_save_words(d, i, m->state == SLOT_LIVE ? WORDS_SYNC : WORDS_CLEAN);
		ipcq_detach(m->segment);
	}
	members_save_or_say(d);
}
