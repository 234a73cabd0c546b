/* coordinator_sound - what holds in the state of a group whatever its log and its snapshots say */
#ifndef COORDINATOR_SOUND_H
#define COORDINATOR_SOUND_H
#include "tools/coordinator/coordinator_state.h"
#include "fuzz.h"

/* Who waits stands in one queue, once; who has taken units has some; each holds the group once. is_ours: it came by
 * events alone, and no snapshot was
 * forged: then nobody waits where a unit is free, and who has units is known. */
static inline void
check_sound(const struct state *s, int is_ours)
{
	size_t at = 0, waiting = 0, queued = 0;
	for (struct resource_client *c; (c = map_each(&s->clients, &at)) != NULL; )
		waiting += (size_t)c->waits;
	at = 0;
	for (struct resource *r; (r = map_each(&s->resources, &at)) != NULL; ) {
		FUZZ_CHECK(!is_ours || r->first == NULL || r->value == 0);
		for (const struct resource_client *c = r->first; c; c = c->next)
			FUZZ_CHECK(c->waits && c->resource == r && (c->next || r->last == c) && ++queued <= waiting);
		for (size_t i = 0; i < r->holding_count; i++)
			FUZZ_CHECK(r->holdings[i].count > 0 && (!is_ours || map_get(&s->clients, &r->holdings[i].id,
			    sizeof r->holdings[i].id)));
	}
	FUZZ_CHECK(queued == waiting);
	for (size_t i = 0; i < s->holder_count; i++)
		FUZZ_CHECK(state_holder(s, s->holders[i].id) == &s->holders[i]);
}
#endif
