/* worker_pack - one sleeping machine pins its own messages and no more: segments that are mostly dead are written anew
 * with what is still needed; a part of worker */
#include "base/fdio.h"
#include "worker/worker.h"
#include "base/log.h"
#include <errno.h>
#include <string.h>

/* A segment rests for so many looks before it is packed: machines that follow closely are past it by then. One of which
 * it is known what they need of it rests for one: with more to rest, a sleeping machine made a busy broker keep three
 * seconds of dead traffic. */
enum { PACK_REST = 3, PACK_LEAST = 256 * 1024 };

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

/* Who may need the segment, as a number that changes when they change; 0: nobody. bytes: at most so much is for
 * them. */
static uint64_t
segment_wanted_by(uint64_t base, uint64_t end, uint64_t *bytes)
{
	uint64_t key = 0;
	*bytes = 0;
	for (const struct machine *m = worker.shard.machines; m; m = m->next) {
		if (!machine_pins(m, end))
			continue;
		key = (key ^ m->serial ^ (uint64_t)m->subscriptions << 32 ^ (uint64_t)(m->place > base) << 63) *
		    UINT64_C(0x9E3779B97F4A7C15) + 1;
		*bytes += machine_needs(m, base);
	}
	return key;
}

/* Once a second: which segments are mostly dead? */
void
worker_pack_look(void)
{
	struct seglog *l = &worker.shard.log;
	worker.to_pack = 0;
	for (struct machine *m = worker.shard.machines; m; m = m->next)
		machine_forget_needs(m);
	for (size_t i = 0; i + 1 < l->count && l->files[i + 1].base <= worker.shard.checkpoint; i++) {
		struct seglog_file *f = &l->files[i];
		uint64_t bytes, key = segment_wanted_by(f->base, l->files[i + 1].base, &bytes);
		/* what an earlier worker wrote has to be looked at */
		int known = f->base >= worker.life_base;
		if (f->bytes < PACK_LEAST || key == 0 || key == f->note || (known && bytes > f->bytes / 2)) {
			f->due = 0;
			continue;
		}
		f->due += known ? PACK_REST : 1;
		worker.to_pack |= f->due >= PACK_REST;
	}
}

static int
is_needed(void *with, const void *bytes)
{
	return shard_record_is_needed(with, bytes);
}

/* One segment, between two batches. */
void
worker_pack_one(void)
{
	struct seglog *l = &worker.shard.log;
	size_t i = 0;
	while (i + 1 < l->count && l->files[i].due < PACK_REST)
		i++;
	worker.to_pack = i + 1 < l->count;
	if (!worker.to_pack)
		return;
	struct seglog_file *f = &l->files[i];
	uint64_t before = f->bytes, key = segment_wanted_by(f->base, l->files[i + 1].base, &(uint64_t){ 0 });
	f->due = 0;
	if (seglog_pack(l, i, before / 2, is_needed, &worker.shard) == 0 || errno == E2BIG) {
		f->note = key;
		log_debug("shard %u: segment %llx packed from %llu to %llu bytes", worker.shard.index,
		    (unsigned long long)f->base, (unsigned long long)before,
		    (unsigned long long)f->bytes);
	} else if (errno == EBADMSG && seglog_repair(l, f->base) < 0) {
		log_warn("shard %u: segment %llx: %s: %s", worker.shard.index, (unsigned long long)f->base,
		    strerror(errno),
		    fdio_hint(errno));
	} else if (errno != EBADMSG) {
		log_debug("shard %u: packing segment %llx: %s", worker.shard.index, (unsigned long long)f->base,
		    strerror(errno));
	}
}
