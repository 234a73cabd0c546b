/* tombstone - topics that were unsubscribed while mail of them may still come */
#include "api/handle.h"

/* how many there are: a stray pointer may have written there */
static uint32_t
tombstones(const struct client_segment *c)
{
	uint32_t n = atomic_load(&c->tombs);
	return n < TOMBSTONES ? n : TOMBSTONES;
}

/* A tombstone is needed until the forwarder's stream has passed it and the mail box holds nothing from before. */
void
tombstones_sweep(struct handle *h)
{
	struct client_segment *c = h->segment;
	uint32_t n = tombstones(c);
	if (n == 0 || atomic_load(&c->behind) || h->mail.at != atomic_load(&h->mail.ring->head))
		return;
	for (uint32_t i = 0; i < n;) {
		if (c->tomb[i].shard >= SHARDS_MAX || atomic_load(&c->seen[c->tomb[i].shard]) > c->tomb[i].offset)
			c->tomb[i] = c->tomb[--n];
		else
			i++;
	}
	if (!atomic_load(&c->behind) && h->mail.at == atomic_load(&h->mail.ring->head))
		atomic_store(&c->tombs, n);
}

/* While mail waits there will be none, however long we sleep: nobody reads it but us. */
static int
has_tombstone_room_or_mail(struct handle *h, const void *with)
{
	(void)with;
	tombstones_sweep(h);
	return atomic_load(&h->segment->tombs) < TOMBSTONES || has_mail(h);
}

void
tombstone_add(struct handle *h, uint64_t hash, uint32_t shard, uint64_t offset)
{
	struct client_segment *c = h->segment;
	uint32_t n = tombstones(c);
	if (atomic_load(&c->has_pattern))
		return;                                /* a pattern may want what this topic wants no more */
	for (uint32_t i = 0; i < n; i++) {
		if (c->tomb[i].topic_hash == hash) {
			c->tomb[i].offset = offset;
			return;
		}
	}
	if (n == TOMBSTONES && (handle_wait(h, has_tombstone_room_or_mail, NULL, DEADLINE_DEFAULT, ASLEEP_FOR_ANY) ||
	    (n = tombstones(c)) == TOMBSTONES))
		/* thousands unsubscribed with mail waiting: the newest matters most */
		n--;
	c->tomb[n] = (struct tombstone){ hash, offset, shard, 0 };
	atomic_store(&c->tombs, n + 1);
}
