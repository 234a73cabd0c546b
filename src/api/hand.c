/* hand - see hand.h */
#include "api/hand.h"
#include "base/clock.h"
#include <stdlib.h>

/* Hands of that group below that offset came back as the client left it. */
struct left { uint64_t group_hash, offset; uint32_t shard; };

uint64_t
hand_group_hash(const char *name)
{
	return topic_hash64(name, strlen(name));
}

int
hands_reserve(struct handle *h)
{
	if (h->given_count < h->given_room)
		return 0;
	struct given *grown = realloc(h->given, (h->given_room * 2 + 16) * sizeof *grown);
	if (grown == NULL)
		return -1;
	h->given = grown;
	h->given_room = h->given_room * 2 + 16;
	return 0;
}

int
hand_is_ours(struct handle *h, const void *bytes, const struct record *r, struct hand_note *note)
{
	if (r->offset < h->hands_from[r->shard] || !hand_note_get(note, bytes, r))
		return 0;
	uint64_t hash = h->left_count ? hand_group_hash(note->name) : 0;
	for (size_t i = 0; i < h->left_count; i++)
		if (h->left[i].group_hash == hash && h->left[i].shard == r->shard && r->offset < h->left[i].offset)
			return 0;
	int64_t now = (int64_t)((uint64_t)clock_wall_us() + atomic_load(&h->segment->clock_ahead));
	return note->good_until == 0 || now / 1000 < note->good_until;
}

void
hand_given(struct handle *h, const struct record *r)
{
	h->given[h->given_count++] = (struct given){ .hand = r->offset, .shard = r->shard };
	h->given_open++;
}

static void
settle(struct handle *h, size_t i, uint64_t verdict)
{
	h->given[i].verdict = verdict;
	h->given[i].state = UNSENT;
	h->given_open--;
	if (h->unsent++ == 0 || i < h->unsent_from)
		h->unsent_from = i;
}

int
hand_settled(struct handle *h, uint32_t shard, uint64_t hand, uint64_t verdict)
{
	size_t i = 0;
	while (i < h->given_count && (h->given[i].hand != hand || h->given[i].shard != shard ||
	    h->given[i].state != GIVEN))
		i++;
	if (i == h->given_count)
		return 0;
	settle(h, i, verdict);
	return 1;
}

void
hands_settled(struct handle *h)
{
	for (size_t i = h->given_count; h->given_open && i > 0; i--)       /* the newest stand last */
		if (h->given[i - 1].state == GIVEN)
			settle(h, i - 1, SETTLE_DONE);
}

void
hands_look(struct handle *h)
{
	size_t n = 0;
	for (size_t i = 0; i < h->given_count; i++) {
		const struct given *g = &h->given[i];
		if (g->state != SENT || g->number > atomic_load(&h->segment->answer[g->shard].acked))
			h->given[n++] = *g;
	}
	h->given_count = n;
	h->unsent_from = 0;
	h->look_at = 2 * n + LOOK_LEAST;
}

uint64_t
hands_refused(struct handle *h, uint32_t shard, uint64_t number, int code)
{
	uint64_t again = 0;
	hands_look(h);
	for (size_t i = 0; i < h->given_count; i++) {
		struct given *g = &h->given[i];
		if (g->state != SENT || g->shard != shard || g->number < number)
			continue;
		/* it was refused for what it is: to say it once more does not help */
		if (code == MOM_EBADID || (g->number == number && code != MOM_EFULL)) {
			g->number = 0;
			continue;
		}
		g->state = UNSENT;
		h->unsent++;
		h->unsent_from = 0;
		again++;
	}
	return again;
}

void
hands_left(struct handle *h, uint64_t group_hash, uint32_t shard, uint64_t offset)
{
	size_t i = 0;
	while (i < h->left_count && (h->left[i].group_hash != group_hash || h->left[i].shard != shard))
		i++;
	if (i == h->left_count) {
		struct left *grown = realloc(h->left, (h->left_count + 1) * sizeof *grown);
		if (grown == NULL)
			return;                        /* such a hand is handled twice, and settled too late */
		h->left = grown;
		h->left_count++;
	}
	h->left[i] = (struct left){ group_hash, offset, shard };
}

void
hands_free(struct handle *h)
{
	free(h->given);
	free(h->left);
}
