/* forwarder_cut - a client for whom too much waits: it gets that, and nothing more of its subscriptions; a part of mom_forwarder */
#include "daemon/forwarder.h"
#include "common/counters.h"
#include "common/log_peer.h"

struct slot *
box_of_largest_backlog(void)
{
	struct slot *largest = NULL;
	for (uint32_t i = 0; i < f.slots.used; i++) {
		struct slot *v = &f.slots.slot[i];
		const struct box *b = v->own;
		if (b && v->state != SLOT_DYING && b->backlog && (largest == NULL || b->backlog > ((struct box *)largest->own)->backlog) &&
		    atomic_load(&v->segment->cuts) == atomic_load(&v->segment->cuts_told))
			largest = v;
	}
	return largest;
}

void
box_cut(struct slot *v, const char *why)
{
	struct box *b = v->own;
	struct client_segment *c = v->segment;
	ring_publish(&b->out);                         /* before it hears that nothing more comes */
	for (uint32_t k = 0; k < SHARDS_MAX; k++) {
		uint64_t routed = atomic_load(&f.table->routed[k]), to = f.seen[k] > routed ? f.seen[k] : routed;
		if (to > b->cut[k])
			atomic_store(&c->cut[k], b->cut[k] = to);
	}
	if (atomic_load(&c->cuts) == atomic_load(&c->cuts_told)) {
		struct slot_word *w = &f.table->slot[v - f.slots.slot];
		log_peer(LOG_FROM_WARN, (uint64_t)(v - f.slots.slot), "client %016llx is cut: %s: its subscriptions "
		    "end; it gets the %llu bytes that wait for it, then MOM_EFULL; let it receive, or allow more",
		    (unsigned long long)v->id, why, (unsigned long long)b->backlog);
		counters_add(COUNT_CUTS, 1);
		if (v->durable)
			atomic_store(&w->cuts, atomic_load(&w->cuts) + 1);
		atomic_store(&c->cuts, atomic_load(&c->cuts) + 1);
	}
	box_wake(v, ASLEEP_FOR_ANY);
}
