/* forwarder_start - the boxes, and what the spool says of them; a part of mom_forwarder */
#include "daemon/forwarder.h"
#include "base/log.h"

static int
recover_entry(void *with, const void *entry, uint64_t at)
{
	(void)with;
	uint64_t n;
	const char *record = entry_record(entry, &n);
	for (uint64_t k = 0; record && k < n; k++) {
		uint64_t id = get_u64((const char *)entry + RECORD_HEADER + 8 * k);
		struct slot *v = map_get(&forwarder.by_id, &id, sizeof id);
		if (v == NULL || v->own == NULL)
			continue;
		struct box *b = v->own;
		uint32_t shard = get_u16(record + 14);
		uint64_t offset = get_u64(record + 16);
		int is_new = offset > b->routed[shard];
		if (is_new)
			b->routed[shard] = offset;
		if (offset <= atomic_load(&v->segment->acked[shard]))
			continue;
		if (offset <= b->boxed[shard] && !b->behind)
			held_push(b, at, record);
		else {
			b->next = b->behind ? b->next : at;
			b->behind = 1;
			box_backlog_add(b, record);
			if (is_new)
				box_spooled(v, record);
		}
	}
	return 0;
}

void
spool_recover(void)
{
	slots_look(&forwarder.slots, box_on_slot);                 /* the boxes first: the entries find their clients */
	struct seglog_place place = { forwarder.dir, "corrupt", "spool", RECORD_MOST(forwarder.unit->message_max), 0 };
	uint64_t segment = SEGMENT_LEAST(forwarder.unit->message_max) > SPOOL_SEGMENT
	    ? SEGMENT_LEAST(forwarder.unit->message_max)
	    : SPOOL_SEGMENT;
	if (seglog_open(&forwarder.spool, &place, segment, 0, recover_entry, NULL) < 0)
		spool_failed("cannot be taken up");
	for (uint32_t i = 0; i < forwarder.slots.used; i++) {
		struct slot *v = &forwarder.slots.slot[i];
		struct box *b = v->own;
		if (b == NULL)
			continue;
		if (!b->behind)
			b->next = forwarder.spool.end;
		atomic_store(&v->segment->behind, (uint32_t)b->behind);
		log_debug("client %016llx: mail up to %llx, routed up to %llx%s", (unsigned long long)v->id,
		    (unsigned long long)b->boxed[0],
		    (unsigned long long)b->routed[0], b->behind ? ", behind" : "");
		if (v->state == SLOT_AWAY)
			box_away(v, i);
		box_tell(v);
	}
}
