/* worker_pack - which segments of its log a worker packs: one sleeping machine pins its own messages and no more */
#include "worker/worker.h"
#include <stdio.h>
#include <string.h>

/* When so many hands more or less are kept, and half or twice as many, a segment is worth another look. */
enum { GROUP_HANDS_STEP = 32 };

static void
machine_forget_needs(struct machine *m)
{
	size_t n = 0;
	while (n + 1 < m->needs_count && m->needs[n + 1].base <= m->place)
		n++;
	if (n == 0)
		return;
	memmove(m->needs, m->needs + n, (m->needs_count - n) * sizeof *m->needs);
	m->needs_count -= n;
}

static uint64_t
machine_needs(const struct machine *m, uint64_t base)
{
	for (size_t i = 0; i < m->needs_count; i++)
		if (m->needs[i].base == base)
			return m->needs[i].bytes;
	return 0;
}

static uint64_t
groups_wanted_by(uint64_t key, uint64_t base, uint64_t end)
{
	const struct groups *gs = &worker.shard.groups;
	if (groups_needed_from(gs, end) == end)
		return key;
	size_t at = 0;
	for (const struct group *g; (g = map_each(&gs->names, &at)) != NULL;)
		key = (key ^ g->bindings.id ^ (uint64_t)(group_cursor(g) > base) << 63 ^
		    (uint64_t)g->kept << 32) *
		    UINT64_C(0x9E3779B97F4A7C15) + 1;
	return key;
}

/* What an earlier worker wrote has to be looked at. Of all else it is known what machines need of it, and it rests for
 * one look: with more to rest, a sleeping machine made a busy broker keep three seconds of dead traffic. */
static uint64_t
segment_wanted_by(const struct seglog_file *f, uint64_t end, int *looks)
{
	uint64_t key = 0, bytes = 0;
	for (const struct machine *m = worker.shard.machines; m; m = m->next) {
		if (!machine_pins(m, end))
			continue;
		key = (key ^ m->serial ^ (uint64_t)m->subscriptions << 32 ^ (uint64_t)(m->place > f->base) << 63) *
		    UINT64_C(0x9E3779B97F4A7C15) + 1;
		bytes += machine_needs(m, f->base);
	}
	key = groups_wanted_by(key, f->base, end);
	if (f->base >= worker.life_base)
		*looks = bytes > f->bytes / 2 ? 0 : PACKING_REST;
	return key;
}

static int
is_needed(void *with, const void *bytes)
{
	return shard_record_is_needed(with, bytes);
}

void
worker_pack_begin(void)
{
	static char name[24];
	snprintf(name, sizeof name, "shard %u", worker.shard.index);
	worker.packing = (struct seglog_packing){ .log = &worker.shard.log, .name = name,
	    .wanted_by = segment_wanted_by, .keep = is_needed, .with = &worker.shard };
}

static void
groups_look_kept(void)
{
	size_t at = 0;
	for (struct group *g; (g = map_each(&worker.shard.groups.names, &at)) != NULL;) {
		size_t now = g->out + g->back + g->dead;
		if ((now >= g->kept + GROUP_HANDS_STEP && now >= 2 * g->kept) ||
		    (now + GROUP_HANDS_STEP <= g->kept && 2 * now <= g->kept))
			g->kept = now;
	}
}

/* Once a second. */
void
worker_pack_look(void)
{
	for (struct machine *m = worker.shard.machines; m; m = m->next)
		machine_forget_needs(m);
	groups_look_kept();
	seglog_packing_look(&worker.packing, worker.shard.checkpoint);
}
