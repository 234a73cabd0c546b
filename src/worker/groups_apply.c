/* groups_apply - see groups.h: what records of the log do to the groups, and which records they need */
#include "worker/groups.h"
#include "format/topic.h"
#include "worker/groups_inner.h"
#include "worker/shard.h"
#include <mom.h>
#include <stdlib.h>

/* It was taken; below the cursor nobody asks any more. */
static void
order_note(struct order *o, uint64_t origin, uint64_t cursor)
{
	size_t n = 0, i;
	while (n < o->ahead_count && o->ahead[n] < cursor)
		n++;
	memmove(o->ahead, o->ahead + n, (o->ahead_count -= n) * sizeof *o->ahead);
	if (origin < cursor || o->ahead_count == AHEAD_MOST)
		return;
	for (i = o->ahead_count++; i > 0 && o->ahead[i - 1] > origin; i--)
		o->ahead[i] = o->ahead[i - 1];
	o->ahead[i] = origin;
}

int
groups_message(struct shard *s, const struct record *r, const char *topic, uint64_t end)
{
	const struct group_reach *reach = groups_reach(&s->groups, topic, r->topic_len);
	int wanted = 0;
	for (size_t i = 0; reach && i < reach->count; i++) {
		struct group *g = reach->of[i].group;
		if (reach->of[i].since >= r->offset)
			continue;
		if (g->read_at >= g->newest) {         /* nothing else is unread */
			g->read_at = r->offset;
			g->oldest_us = r->time;
		}
		g->newest = end;
		g->waiting++;
		g->waiting_bytes += r->len;
		wanted = 1;
	}
	s->groups.changed |= wanted;
	return wanted;
}

static void
no_longer_waits(struct group *g, uint32_t bytes)
{
	g->waiting -= g->waiting > 0;
	g->waiting_bytes -= bytes < g->waiting_bytes ? bytes : g->waiting_bytes;
	if (group_cursor(g) >= g->newest)
		g->waiting = g->waiting_bytes = 0;
}

/* Of a message that was taken the first time. */
static struct hand *
hand_make(struct group *g, const struct record *r, const void *bytes, uint64_t cursor)
{
	struct hand *h = subscriptions_memory(sizeof *h);
	uint32_t others = hand_properties(bytes, r);
	h->group = g;
	h->origin = r->aux;
	h->key = group_key(g, bytes, r);
	h->bytes = RECORD_HEADER + record_topic_size(r->topic_len) + others + record_data_len(bytes, r);
	if (h->key && map_get(&g->keys, &h->key, sizeof h->key) == NULL)
		groups_put(&g->keys, &h->key, sizeof h->key, h);
	if (g->read_at < cursor)
		g->read_at = cursor;
	if (g->order)
		order_note(g->order, h->origin, cursor);
	no_longer_waits(g, h->bytes);
	return h;
}

static void
apply_hand(struct shard *s, const struct record *r, const void *bytes, uint64_t end)
{
	struct groups *gs = &s->groups;
	struct hand_note note;
	struct group *g = hand_note_get(&note, bytes, r) ? groups_find(gs, note.name) : NULL;
	struct client *c = shard_client(s, r->number);
	struct hand *h = g && note.from ? groups_hand(gs, note.from) : NULL;
	if (g == NULL || (h && (h->group != g || h->state == TAKEN_OUT)) || groups_hand(gs, r->offset))
		return;
	if (h) {
		hand_leave_state(gs, h);
		hand_unlink(h);
		map_del(&gs->hands, &h->offset, sizeof h->offset);
	} else                                         /* also where damage took the hand before it */
		h = hand_make(g, r, bytes, note.cursor);
	h->offset = r->offset;
	h->tries = note.tries;
	h->durable = r->flags & REC_F_DURABLE;
	hand_link(g, h);
	groups_put(&gs->hands, &h->offset, sizeof h->offset, h);
	g->handed++;
	gs->totals.handed++;
	gs->changed = 1;
	struct member *m = c ? groups_member(c, g) : NULL;
	if (m == NULL) {
		hand_to_back(gs, h, 0, 0);
		return;
	}
	hand_to_member(gs, h, m);
	c->machine->wanted = end;                      /* its bytes are not: they go with the hand */
}

static void
apply_settle(struct groups *gs, const struct client *c, const struct record *r, uint64_t verdict)
{
	struct hand *h = groups_hand(gs, r->aux);
	if (h == NULL || h->state != TAKEN_OUT || h->member->client != c) {
		gs->totals.late++;
		return;
	}
	if (verdict == SETTLE_DONE) {
		gs->totals.settled++;
		h->group->settled++;
		hand_free(gs, h);
	} else if (verdict == SETTLE_DEAD) {
		hand_leave_state(gs, h);
		hand_dies(gs, h, DEAD_REJECTED);
	} else
		hand_return(gs, h, r->time / 1000, verdict - 1 > INT32_MAX ? INT32_MAX : (int64_t)(verdict - 1));
}

static void
apply_take_back(struct groups *gs, const struct record *r)
{
	struct hand *h = groups_hand(gs, r->aux);
	if (h == NULL)
		return;
	if (r->number == TAKE_BACK_EXPIRED || r->number == TAKE_BACK_DAMAGED) {
		gs->totals.expired += r->number == TAKE_BACK_EXPIRED;
		hand_free(gs, h);
	} else if (h->state == TAKEN_OUT)
		hand_return(gs, h, r->time / 1000, -1);
}

/* What was settled in the gap nobody knows. */
static void
apply_gap(struct groups *gs, int64_t time)
{
	size_t at = 0;
	for (struct group *g; (g = map_each(&gs->names, &at)) != NULL;)
		for (struct hand *h = g->hands; h; h = h->next)
			if (h->state == TAKEN_OUT)
				hand_return(gs, h, time / 1000, 0);
}

void
groups_apply(struct shard *s, struct client *c, const struct record *r, const void *bytes, uint64_t end)
{
	struct groups *gs = &s->groups;
	if (r->type == REC_HAND)
		apply_hand(s, r, bytes, end);
	else if (r->type == REC_TAKE_BACK)
		apply_take_back(gs, r);
	else if (r->type == REC_GAP)
		apply_gap(gs, r->time);
	else if (r->type == REC_SETTLE)
		apply_settle(gs, c, r, record_data_len(bytes, r) == 8 ? get_u64(record_data(bytes, r)) : 0);
	else if (r->aux == 0)
		groups_order(s, c, r, bytes);
	s->changed = 1;
}

/* ---- what is needed ---- */

uint64_t
groups_needed_from(const struct groups *gs, uint64_t least)
{
	size_t at = 0;
	for (const struct group *g; (g = map_each(&gs->names, &at)) != NULL;) {
		if (group_cursor(g) < g->newest && group_cursor(g) < least)
			least = group_cursor(g);
		if (g->hands && g->hands->offset < least)
			least = g->hands->offset;
	}
	return least;
}

static int
is_skipped(const struct group *g, uint64_t offset)
{
	const struct order *o = g->order;
	for (size_t i = 0; o && i < o->skipped_count; i++)
		if (o->skipped[i].offset == offset)
			return 1;
	return 0;
}

int
groups_need(struct groups *gs, const void *bytes, const struct record *r)
{
	if (r->type == REC_HAND)
		return groups_hand(gs, r->offset) != NULL;
	const struct group_reach *reach = groups_reach(gs, record_topic(bytes), r->topic_len);
	for (size_t i = 0; reach && i < reach->count; i++) {
		const struct group *g = reach->of[i].group;
		if (reach->of[i].since < r->offset && (r->offset >= g->read_at || is_skipped(g, r->offset)))
			return 1;
	}
	return 0;
}
