/* hands - see groups.h: what a group has taken, who is next, what waits for its turn */
#include "worker/groups.h"
#include "base/clock.h"
#include "base/log.h"
#include "format/properties.h"
#include "format/topic.h"
#include "worker/groups_inner.h"
#include "worker/shard.h"
#include <mom.h>
#include <stdlib.h>

void
groups_put(struct map *m, const void *key, size_t len, void *value)
{
	if (map_put(m, key, len, value) < 0)
		log_fatal(EXIT_SYSTEM, "no memory for groups: see `free`");
}

static void
push(struct heap *h, struct hand *hand, uint64_t key)
{
	if (heap_push(h, &hand->in, key) < 0)
		log_fatal(EXIT_SYSTEM, "no memory for groups: see `free`");
}

struct hand *
groups_hand(const struct groups *gs, uint64_t offset)
{
	return map_get(&gs->hands, &offset, sizeof offset);
}

/* ---- who is next ---- */

void
groups_wake(struct groups *gs, struct group *g)
{
	if (g->is_hungry)
		return;
	if (gs->hungry == NULL)
		gs->hungry_last = &gs->hungry;
	g->is_hungry = 1;
	g->next_hungry = NULL;
	*gs->hungry_last = g;
	gs->hungry_last = &g->next_hungry;
}

struct group *
groups_next_hungry(struct groups *gs)
{
	struct group *g = gs->hungry;
	if (g) {
		gs->hungry = g->next_hungry;
		g->is_hungry = 0;
	}
	return g;
}

static int
has_room(const struct member *m)
{
	return m->out < m->prefetch && m->client->machine->live && !m->has_ended;
}

void
member_is_roomy(struct groups *gs, struct member *m)
{
	struct group *g = m->group;
	if (!has_room(m))
		return;
	groups_wake(gs, g);
	if (m->link_roomy)
		return;
	m->next_roomy = NULL;
	m->link_roomy = g->roomy_last;
	*g->roomy_last = m;
	g->roomy_last = &m->next_roomy;
}

void
member_not_roomy(struct member *m)
{
	if (m->link_roomy == NULL)
		return;
	*m->link_roomy = m->next_roomy;
	*(m->next_roomy ? &m->next_roomy->link_roomy : &m->group->roomy_last) = m->link_roomy;
	m->link_roomy = NULL;
}

/* One at a time: who has some in hand, or else the first whose machine is here. */
static struct member *
exclusive_member(const struct group *g)
{
	struct member *m = g->first;
	while (m && (g->out ? m->out == 0 : !m->client->machine->live || m->has_ended))
		m = m->next;
	return m && has_room(m) ? m : NULL;
}

struct member *
group_next_member(struct group *g)
{
	if (g->kind & MOM_GROUP_EXCLUSIVE)
		return exclusive_member(g);
	while (g->roomy && !has_room(g->roomy))
		member_not_roomy(g->roomy);
	return g->roomy;
}

/* ---- what was taken ---- */

void
hand_link(struct group *g, struct hand *h)
{
	h->before = g->newest_hand;
	h->next = NULL;
	*(h->before ? &h->before->next : &g->hands) = h;
	g->newest_hand = h;
}

void
hand_unlink(struct hand *h)
{
	struct group *g = h->group;
	*(h->before ? &h->before->next : &g->hands) = h->next;
	*(h->next ? &h->next->before : &g->newest_hand) = h->before;
}

/* It is not what it was any more: out, back or dead. */
void
hand_leave_state(struct groups *gs, struct hand *h)
{
	struct group *g = h->group;
	struct member *m = h->member;
	if (h->in.at)
		heap_remove(h->in.at <= g->ready.count && g->ready.items[h->in.at - 1] == &h->in ? &g->ready
		    : &g->resting, &h->in);
	if (m) {
		*h->link_of_member = h->next_of_member;
		if (h->next_of_member)
			h->next_of_member->link_of_member = h->link_of_member;
		h->member = NULL;
		m->out--;
		member_is_roomy(gs, m);
	}
	g->out -= h->state == TAKEN_OUT;
	g->back -= h->state == TAKEN_BACK;
	g->dead -= h->state == TAKEN_DEAD;
	gs->changed = 1;
}

static void
key_free(struct groups *gs, struct hand *h)
{
	struct group *g = h->group;
	if (h->key == 0 || map_get(&g->keys, &h->key, sizeof h->key) != h)
		return;
	map_del(&g->keys, &h->key, sizeof h->key);
	groups_wake(gs, g);
}

void
hand_free(struct groups *gs, struct hand *h)
{
	hand_leave_state(gs, h);
	hand_unlink(h);
	key_free(gs, h);
	map_del(&gs->hands, &h->offset, sizeof h->offset);
	free(h);
}

void
hand_to_member(struct groups *gs, struct hand *h, struct member *m)
{
	struct group *g = h->group;
	h->state = TAKEN_OUT;
	h->member = m;
	h->next_of_member = m->hands;
	h->link_of_member = &m->hands;
	if (m->hands)
		m->hands->link_of_member = &h->next_of_member;
	m->hands = h;
	h->since_ms = clock_ms();
	g->out++;
	m->out++;
	/* those with room take turns */
	if (g->roomy == m && !(g->kind & MOM_GROUP_EXCLUSIVE)) {
		member_not_roomy(m);
		member_is_roomy(gs, m);
	}
}

/* In an exclusive group what waits for its time holds up what stands behind it, so all of it stands in one order. The
 * broker's clock may jump: what rests, rests no longer than it should, and at a start what is left of that. */
void
hand_to_back(struct groups *gs, struct hand *h, int64_t came_ms, uint32_t rest_ms)
{
	struct group *g = h->group;
	int64_t left = came_ms + rest_ms - clock_wall_us() / 1000;
	left = left < 0 ? 0 : left > rest_ms ? rest_ms : left;
	h->state = TAKEN_BACK;
	h->not_before = came_ms + rest_ms;
	h->rest_ms = rest_ms;
	h->due_ms = clock_ms() + left;
	g->back++;
	if (g->kind & MOM_GROUP_EXCLUSIVE || left == 0)
		push(&g->ready, h, h->origin);
	else
		push(&g->resting, h, (uint64_t)h->due_ms);
	groups_wake(gs, g);
}

static uint32_t
rest_of(uint32_t tries)
{
	if (tries < 2)
		return 0;
	return tries > 10 || BACK_REST_MS << (tries - 2) > BACK_REST_MOST_MS ? BACK_REST_MOST_MS
	    : BACK_REST_MS << (tries - 2);
}

void
hand_dies(struct groups *gs, struct hand *h, enum dead_why why)
{
	h->state = TAKEN_DEAD;
	h->why = (uint8_t)why;
	h->group->dead++;
	gs->totals.dead++;
	key_free(gs, h);
}

void
hand_return(struct groups *gs, struct hand *h, int64_t now_ms, int64_t delay_ms)
{
	hand_leave_state(gs, h);
	gs->totals.given_back++;
	if (h->group->max_tries && h->tries >= h->group->max_tries)
		hand_dies(gs, h, DEAD_TRIES);
	else
		hand_to_back(gs, h, now_ms, delay_ms < 0 ? rest_of(h->tries) : (uint32_t)delay_ms);
}

void
hand_revive(struct groups *gs, struct hand *h, int64_t now_ms)
{
	struct group *g = h->group;
	hand_leave_state(gs, h);
	h->tries = 0;
	h->why = 0;
	if (h->key && map_get(&g->keys, &h->key, sizeof h->key))
		h->key = 0;                    /* another one of its key is in work: its order was lost as it died */
	else if (h->key)
		groups_put(&g->keys, &h->key, sizeof h->key, h);
	hand_to_back(gs, h, now_ms, 0);
}

int
group_look_resting(struct group *g)
{
	struct hand *h;
	int64_t now = g->resting.count ? clock_ms() : 0;
	while ((h = (struct hand *)heap_top(&g->resting)) != NULL && h->due_ms <= now) {
		heap_remove(&g->resting, &h->in);
		push(&g->ready, h, h->origin);
	}
	return g->ready.count > 0;
}

struct hand *
group_next_back(struct group *g, int *holds)
{
	group_look_resting(g);
	struct hand *h = (struct hand *)heap_top(&g->ready);
	*holds = h && h->due_ms > clock_ms();
	return *holds ? NULL : h;
}

/* ---- what was not taken yet ---- */

uint64_t
group_key(const struct group *g, const void *bytes, const struct record *r)
{
	struct property p;
	if (g->order == NULL || !(r->flags & REC_F_PROPERTIES) || !record_property(bytes, r, MOM_P_KEY, &p))
		return 0;
	uint64_t hash = topic_hash64(p.value, p.len);
	return hash ? hash : 1;
}

enum turn
group_turn(const struct group *g, uint64_t key)
{
	const struct order *o = g->order;
	if (o == NULL)
		return TURN_TAKE;
	int is_busy = key && map_get(&g->keys, &key, sizeof key) != NULL;
	for (size_t i = 0; key && !is_busy && i < o->skipped_count; i++)
		is_busy = o->skipped[i].key == key;
	if (is_busy)
		return o->skipped_count < AHEAD_MOST ? TURN_SKIP : TURN_WAIT;
	return o->skipped_count && o->ahead_count == AHEAD_MOST ? TURN_WAIT : TURN_TAKE;
}

void
group_skip(struct group *g, uint64_t offset, uint64_t key)
{
	struct order *o = g->order;
	o->skipped[o->skipped_count].offset = offset;
	o->skipped[o->skipped_count++].key = key;
}

uint64_t
group_next_skipped(const struct group *g)
{
	const struct order *o = g->order;
	for (size_t i = 0; o && i < o->skipped_count; i++) {
		int full = i > 0 && o->ahead_count == AHEAD_MOST;
		if (!full && map_get(&g->keys, &o->skipped[i].key, sizeof o->skipped[i].key) == NULL)
			return o->skipped[i].offset;
	}
	return 0;
}

void
group_unskip(struct group *g, uint64_t offset)
{
	struct order *o = g->order;
	size_t i = 0;
	while (o && i < o->skipped_count && o->skipped[i].offset != offset)
		i++;
	if (o && i < o->skipped_count)
		memmove(&o->skipped[i], &o->skipped[i + 1], (--o->skipped_count - i) * sizeof o->skipped[0]);
}

void
group_skip_again(struct group *g, uint64_t offset, uint64_t key)
{
	struct order *o = g->order;
	size_t i = o->skipped_count++;
	for (; i > 0 && o->skipped[i - 1].offset > offset; i--)
		o->skipped[i] = o->skipped[i - 1];
	o->skipped[i].offset = offset;
	o->skipped[i].key = key;
}

uint64_t
group_cursor(const struct group *g)
{
	return g->order && g->order->skipped_count ? g->order->skipped[0].offset : g->read_at;
}

void
group_has_none(struct groups *gs, struct group *g)
{
	if (group_cursor(g) < g->newest || g->waiting + g->waiting_bytes == 0)
		return;
	g->waiting = g->waiting_bytes = 0;
	gs->changed = 1;
}

int
group_is_ahead(const struct group *g, uint64_t offset)
{
	const struct order *o = g->order;
	size_t low = 0, high = o ? o->ahead_count : 0;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (o->ahead[middle] == offset)
			return 1;
		*(o->ahead[middle] < offset ? &low : &high) = o->ahead[middle] < offset ? middle + 1 : middle;
	}
	return 0;
}

/* ---- from a check-point ---- */

int
groups_take(struct groups *gs, struct group *g, struct member *m, const struct taken *t)
{
	if (groups_hand(gs, t->hand) || t->state > TAKEN_DEAD || (t->state == TAKEN_OUT) != (m != NULL) ||
	    (g->newest_hand && g->newest_hand->offset > t->hand))
		return -1;
	struct hand *h = subscriptions_memory(sizeof *h);
	*h = (struct hand){ .group = g, .offset = t->hand, .origin = t->origin, .key = t->key, .tries = t->tries,
	    .bytes = t->bytes, .durable = t->durable, .why = t->why, .state = t->state };
	hand_link(g, h);
	groups_put(&gs->hands, &h->offset, sizeof h->offset, h);
	if (h->key && h->state != TAKEN_DEAD)
		groups_put(&g->keys, &h->key, sizeof h->key, h);
	if (m)
		hand_to_member(gs, h, m);
	else if (h->state == TAKEN_BACK)
		hand_to_back(gs, h, t->not_before - t->rest_ms, t->rest_ms);
	else
		g->dead++;
	return 0;
}
