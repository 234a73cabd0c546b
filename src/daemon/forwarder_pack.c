/* forwarder_pack - one sleeping client pins its own mail and no more: segments of the spool that are mostly dead are
 * written anew with what is still needed; a part of mom_forwarder */
#include "base/fdio.h"
#include "daemon/forwarder.h"
#include "base/log.h"
#include <errno.h>

/* A segment rests for so many seconds before it is packed: clients that are a little behind are past it by then. */
enum { PACK_REST = 3, PACK_LEAST = 256 * 1024 };

/* Who may need a segment, as a number that changes when they change; 0: nobody. What was found to be mostly needed is
 * looked at again then. */
static uint64_t
segment_wanted_by(uint64_t base, uint64_t end)
{
	uint64_t key = 0;
	for (uint32_t i = 0; i < forwarder.slots.used; i++) {
		const struct slot *v = &forwarder.slots.slot[i];
		const struct box *b = v->own;
		if (b == NULL || v->state == SLOT_DYING || b->needs >= end)
			continue;
		key = (key ^ v->id ^ (uint64_t)(b->behind && b->next > base) << 63) * UINT64_C(0x9E3779B97F4A7C15) + 1;
	}
	return key;
}

void
spool_pack_look(void)
{
	struct seglog *l = &forwarder.spool;
	forwarder.to_pack = 0;
	for (size_t i = 0; i + 1 < l->count; i++) {
		struct seglog_file *s = &l->files[i];
		uint64_t key = segment_wanted_by(s->base, l->files[i + 1].base);
		s->due = s->bytes < PACK_LEAST || key == 0 || key == s->note ? 0 : s->due + 1;
		forwarder.to_pack |= s->due >= PACK_REST;
	}
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

/* One segment, between two rounds. */
void
spool_pack_one(void)
{
	struct seglog *l = &forwarder.spool;
	size_t i = 0;
	while (i + 1 < l->count && l->files[i].due < PACK_REST)
		i++;
	forwarder.to_pack = i + 1 < l->count;
	if (!forwarder.to_pack)
		return;
	struct seglog_file *s = &l->files[i];
	uint64_t base = s->base, before = s->bytes, key = segment_wanted_by(base, l->files[i + 1].base);
	s->due = 0;
	if (seglog_pack(l, i, before / 2, is_needed, NULL) == 0 || errno == E2BIG) {
		s->note = key;
		log_debug("spool: segment %llx packed from %llu to %llu bytes", (unsigned long long)base,
		    (unsigned long long)before, (unsigned long long)s->bytes);
	} else if (errno != EBADMSG)
		log_debug("spool: packing segment %llx: %s", (unsigned long long)base, strerror(errno));
	else if (seglog_repair(l, base) < 0)
		log_warn("spool: segment %llx: %s: %s", (unsigned long long)base, strerror(errno), fdio_hint(errno));
}
