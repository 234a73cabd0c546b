/* members_objects - a client's segment and semaphore, and its line in the table that the three see; a part of
 * mom_daemon */
#include "daemon/members_inner.h"
#include "ipc/ipcq_own.h"
#include "daemon/members_file.h"
#include "base/fdio.h"
#include "base/log_peer.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

void
daemon_touch(struct daemon *d)
{
	atomic_store(&d->table->slots, d->used);
	atomic_fetch_add(&d->table->epoch, 1);
	unit_bells(d);
}

int
members_save_or_say(struct daemon *d)
{
	int r = members_save(d);
	if (r < 0)
		log_peer(LOG_FROM_WARN, 0, "spool/clients: %s: %s", strerror(errno), fdio_hint(errno));
	return r;
}

void
member_show(struct daemon *d, uint32_t i)
{
	struct member *m = &d->members[i];
	struct slot_word *w = &d->table->slot[i];
	struct slot_topics *topics = machine_topics(d->table);
	if (topics && atomic_load(&w->id) != m->id) {  /* those of whoever was here before */
		atomic_store(&topics[i].subscriptions, SUBSCRIPTIONS_UNKNOWN);
		topics[i].names[0] = '\0';
	}
	atomic_store(&w->id, m->id);
	atomic_store(&w->generation, m->generation);
	atomic_store(&w->durable, (uint32_t)m->durable);
	atomic_store(&w->fresh, (uint32_t)m->fresh);
	atomic_store(&w->pid, m->state == SLOT_LIVE ? (uint32_t)m->pid : 0);
	atomic_store(&w->uid, m->uid);
	memcpy(w->name, m->name, sizeof w->name);
	if (m->state == SLOT_FREE)
		atomic_store(&w->cuts_saved, atomic_load(&w->cuts));     /* nobody has to know any more */
	atomic_store(&w->sem, m->state == SLOT_FREE ? -1 : m->sem);
	atomic_store(&w->segment, m->state == SLOT_FREE ? -1 : m->shm);
	atomic_store(&w->owner, m->owner);
	atomic_store(&w->state, m->state);
}

int
member_semaphore(struct daemon *d, uint32_t i)
{
	struct member *m = &d->members[i];
	char role[40];
	snprintf(role, sizeof role, "client-%u-sem", i);
	m->sem = registry_make(&d->registry, REGISTRY_SEM, 0, m->uid, 0, role);
	atomic_store(&d->table->slot[i].sem, m->sem);
	if (m->sem >= 0)
		atomic_store(&m->segment->sem, m->sem);
	return m->sem < 0 ? -1 : 0;
}

void
member_words(struct daemon *d, struct member *m)
{
	struct client_segment *c = m->segment;
	atomic_store(&c->request_queue, atomic_load(&d->table->request_queue));
	atomic_store(&c->deliver_queue, atomic_load(&d->table->deliver_queue));
	atomic_store(&c->message_max, atomic_load(&d->table->message_max));
	atomic_store(&c->generation, m->generation);
	atomic_store(&c->shards, d->shards);
}

int
member_segment(struct daemon *d, uint32_t i)
{
	struct member *m = &d->members[i];
	char role[40];
	snprintf(role, sizeof role, "client-%u", i);
	size_t bytes;
	m->shm = registry_make(&d->registry, REGISTRY_SHM, client_bytes(d->message_max), m->uid, 0, role);
	m->segment = m->shm < 0 ? NULL : ipcq_attach_own(m->shm, &bytes);
	if (m->segment == NULL || member_semaphore(d, i) < 0)
		return -1;
	m->ring = WINDOW_OF(d->message_max);
	struct client_segment *c = m->segment;
	c->layout = IPC_LAYOUT;
	c->slot = i;
	c->id = m->id;
	c->durable = (uint32_t)m->durable;
	for (uint32_t k = 0; k < SHARDS_MAX; k++) {
		atomic_store(&c->next[k], number_make(m->generation, 1));
		atomic_store(&c->first[k], number_make(m->generation, 1));
	}
	member_words(d, m);
	if (d->unit)
		atomic_store(&c->clock_ahead, atomic_load(&d->unit->clock_ahead));
	c->magic = MAGIC_CLIENT;
	return 0;
}

/* Whoever has it attached must not take what follows for its own, and is told where it sleeps. One that waits in poll
 * hears its socket close. */
void
member_disown(struct member *m)
{
	if (m->segment == NULL)
		return;
	atomic_store(&m->segment->owner, 0);
	ipcq_post(m->sem);
}

void
member_drop_objects(struct daemon *d, struct member *m)
{
	member_disown(m);
	if (m->segment)
		ipcq_detach(m->segment);
	m->segment = NULL;
	if (m->shm >= 0)
		registry_remove(&d->registry, REGISTRY_SHM, m->shm);
	if (m->sem >= 0)
		registry_remove(&d->registry, REGISTRY_SEM, m->sem);
	m->shm = m->sem = -1;
}

void
member_free(struct daemon *d, uint32_t i)
{
	struct member *m = &d->members[i];
	member_drop_objects(d, m);
	members_forget_files(d, i);
	fdio_close(&m->socket);
	fdio_close(&m->pidfd);
	m->state = SLOT_FREE;
	m->id = 0;
	m->name[0] = '\0';
	member_show(d, i);
}

void
members_limits(struct daemon *d)
{
	for (uint32_t i = 0; i < d->used; i++)
		if (d->members[i].segment)
			member_words(d, &d->members[i]);
}

/* 0 is nobody, and what a word of a new unit says. */
uint32_t
next_owner(const struct member *m)
{
	return m->owner == UINT32_MAX ? 1 : m->owner + 1;
}
