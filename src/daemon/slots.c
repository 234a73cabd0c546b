/* slots - see slots.h */
#include "daemon/slots.h"
#include "ipc/ipcq_own.h"
#include "base/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void
slots_init(struct slots *s, struct machine_table *table, struct daemon_unit *unit, enum unit_role role)
{
	*s = (struct slots){ .table = table, .unit = unit, .role = role };
	s->slot = calloc(table->capacity, sizeof *s->slot);
	if (s->slot == NULL)
		log_fatal(EXIT_SYSTEM, "no memory for %u clients: see `free`", table->capacity);
	for (uint32_t i = 0; i < table->capacity; i++)
		s->slot[i].segment_id = -1;
}

/* The flag is set only while it is true, so that mom_daemon never counts too many attachments of ours. */
static void
slot_attach(struct slots *s, uint32_t i, int id)
{
	struct slot *v = &s->slot[i];
	if (v->segment) {
		atomic_store(&s->unit->slot[i].attached[s->role], 0);
		ipcq_detach(v->segment);
	}
	v->segment = NULL;
	v->segment_id = id;
	if (id < 0)
		return;
	size_t bytes = 0;
	/* what stands in it is the client's to write: nothing there is asked */
	v->segment = ipcq_attach_own(id, &bytes);
	if (v->segment == NULL && errno != EINVAL && errno != EIDRM)       /* else it is gone: the table will say so */
		log_fatal(EXIT_SYSTEM, "shmat(client %u): %s: %s", i, strerror(errno), ipcq_attach_hint(errno));
	v->ring = client_ring(bytes);
	if (v->segment && v->ring == 0) {
		ipcq_detach(v->segment);
		v->segment = NULL;
		errno = EIDRM;
	}
	if (v->segment)
		atomic_store(&s->unit->slot[i].attached[s->role], 1);
}

int
slots_look(struct slots *s, void (*changed)(uint32_t i, const struct slot *old))
{
	uint32_t epoch = atomic_load(&s->table->epoch);
	if (epoch == s->epoch)
		return 0;
	s->epoch = epoch;
	uint32_t used = atomic_load(&s->table->slots);
	s->used = used > s->used ? used : s->used;
	for (uint32_t i = 0; i < s->used; i++) {
		struct slot_word *w = &s->table->slot[i];
		struct slot *v = &s->slot[i], old = *v;
		uint32_t state = atomic_load(&w->state), owner = atomic_load(&w->owner);
		int id = state == SLOT_FREE ? -1 : atomic_load(&w->segment);
		if (state == v->state && owner == v->owner && id == v->segment_id)
			continue;
		v->state = state;
		v->owner = owner;
		v->id = atomic_load(&w->id);
		v->generation = atomic_load(&w->generation);
		v->durable = atomic_load(&w->durable);
		v->fresh = atomic_load(&w->fresh);
		if (id != v->segment_id)
			slot_attach(s, i, id);
		if (changed)
			changed(i, &old);
	}
	return 1;
}

void
slots_look_again(struct slots *s, void (*changed)(uint32_t i, const struct slot *old))
{
	s->epoch = atomic_load(&s->table->epoch) - 1;
	slots_look(s, changed);
}

void
slots_wake(const struct slots *s, const struct slot *v, uint32_t what)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&v->segment->asleep) & what)
		/* the segment's own word may name anybody's */
		ipcq_post(atomic_load(&s->table->slot[v - s->slot].sem));
}
