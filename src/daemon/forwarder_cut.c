/* forwarder_cut - a client for whom too much waits: it gets that, and nothing more of its subscriptions; a part of
 * mom_forwarder */
#include "daemon/forwarder.h"
#include "ipc/counters.h"
#include "base/log_peer.h"

/* A mail box full of what it may be about to acknowledge is no backlog. What it has acknowledged is known once that is
 * looked at. */
int
box_is_over(struct slot *v, uint64_t more)
{
	struct box *b = v->own;
	uint64_t most = atomic_load_explicit(&forwarder.table->backlog_max, memory_order_relaxed);
	more -= b->hands < b->backlog ? b->hands : b->backlog;         /* a sum below 0 does not come out of it */
	if (most == 0 || box_pinned(b) == 0 || (b->backlog + more <= most && box_pinned(b) + more <= most + v->ring))
		return 0;
	box_needs(v);
	return b->backlog + more > most || box_pinned(b) + more > most + v->ring;
}

static struct slot *
box_of_largest_backlog(void)
{
	struct slot *largest = NULL;
	for (uint32_t i = 0; i < forwarder.slots.used; i++) {
		struct slot *v = &forwarder.slots.slot[i];
		const struct box *b = v->own;
		if (b && v->state != SLOT_DYING && box_pinned(b) &&
		    (largest == NULL || box_pinned(b) > box_pinned(largest->own)) &&
		    atomic_load(&v->segment->cuts) == atomic_load(&v->segment->cuts_told))
			largest = v;
	}
	return largest;
}

void
boxes_cut_if_short(void)
{
	struct slot *largest = spool_is_short() ? box_of_largest_backlog() : NULL;
	if (largest)
		box_cut(largest, "the spool's disk is nearly full, and most is kept for it");
}

uint64_t
box_cut_below(uint64_t client, uint32_t shard)
{
	const struct slot *v = map_get(&forwarder.by_id, &client, sizeof client);
	const struct box *b = v ? v->own : NULL;
	return b ? b->cut[shard] : 0;
}

void
box_cut(struct slot *v, const char *why)
{
	struct box *b = v->own;
	struct client_segment *c = v->segment;
	ring_publish(&b->out);                         /* before it hears that nothing more comes */
	routes_forget(&forwarder.routes);
	for (uint32_t k = 0; k < SHARDS_MAX; k++) {
		uint64_t routed = atomic_load(&forwarder.table->routed[k]),
		    to = forwarder.seen[k] > routed ? forwarder.seen[k] : routed;
		if (to > b->cut[k])
			atomic_store(&c->cut[k], b->cut[k] = to);
	}
	if (atomic_load(&c->cuts) == atomic_load(&c->cuts_told)) {
		struct slot_word *w = &forwarder.table->slot[v - forwarder.slots.slot];
		log_peer(LOG_FROM_WARN, (uint64_t)(v - forwarder.slots.slot),
		    "client %016llx is cut: %s: nothing more comes to it; it gets what waits for it, then MOM_EFULL, "
		    "and until then the broker counts its subscriptions; the spool keeps %llu bytes for it: let it "
		    "receive and acknowledge, or allow more",
		    (unsigned long long)v->id, why,
		    (unsigned long long)box_pinned(b));
		counters_add(COUNT_CUTS, 1);
		if (v->durable)
			atomic_store(&w->cuts, atomic_load(&w->cuts) + 1);
		atomic_store(&c->cuts, atomic_load(&c->cuts) + 1);
	}
	box_wake(v, ASLEEP_FOR_ANY);
}
