/* forwarder_pack - which segments of the spool are packed: one sleeping client pins its own mail and no more; a part of
 * mom_forwarder */
#include "daemon/forwarder.h"

static uint64_t
segment_wanted_by(const struct seglog_file *f, uint64_t end, int *looks)
{
	uint64_t key = 0;
	(void)looks;
	for (uint32_t i = 0; i < forwarder.slots.used; i++) {
		const struct slot *v = &forwarder.slots.slot[i];
		const struct box *b = v->own;
		if (b == NULL || v->state == SLOT_DYING || b->needs >= end)
			continue;
		key = (key ^ v->id ^ (uint64_t)(b->behind && b->next > f->base) << 63) *
		    UINT64_C(0x9E3779B97F4A7C15) + 1;
	}
	return key;
}

static int
is_needed(void *with, const void *entry)
{
	uint64_t n;
	const char *record = entry_record(entry, &n);
	(void)with;
	for (uint64_t k = 0; record && k < n; k++) {
		uint64_t id = get_u64((const char *)entry + RECORD_HEADER + 8 * k);
		const struct slot *v = map_get(&forwarder.by_id, &id, sizeof id);
		if (v && v->own && v->state != SLOT_DYING && get_u64(record + 16) >
		    atomic_load(&v->segment->acked[get_u16(record + 14)]))
			return 1;
	}
	return 0;
}

void
spool_pack_begin(void)
{
	forwarder.packing = (struct seglog_packing){ .log = &forwarder.spool, .name = "spool",
	    .wanted_by = segment_wanted_by, .keep = is_needed };
}
