/* heap - see heap.h */
#include "base/heap.h"
#include <stdlib.h>

static void
put(struct heap *h, size_t at, struct heap_item *item)
{
	h->items[at] = item;
	item->at = at + 1;
}

static void
rise(struct heap *h, size_t at, struct heap_item *item)
{
	for (; at > 0 && h->items[(at - 1) / 2]->key > item->key; at = (at - 1) / 2)
		put(h, at, h->items[(at - 1) / 2]);
	put(h, at, item);
}

static void
sink(struct heap *h, size_t at, struct heap_item *item)
{
	for (size_t below; (below = 2 * at + 1) < h->count; at = below) {
		if (below + 1 < h->count && h->items[below + 1]->key < h->items[below]->key)
			below++;
		if (h->items[below]->key >= item->key)
			break;
		put(h, at, h->items[below]);
	}
	put(h, at, item);
}

int
heap_push(struct heap *h, struct heap_item *item, uint64_t key)
{
	if (h->count == h->room) {
		struct heap_item **grown = realloc(h->items, (h->room * 2 + 16) * sizeof *grown);
		if (grown == NULL)
			return -1;
		h->items = grown;
		h->room = h->room * 2 + 16;
	}
	item->key = key;
	rise(h, h->count++, item);
	return 0;
}

void
heap_remove(struct heap *h, struct heap_item *item)
{
	size_t at = item->at - 1;
	struct heap_item *last = h->items[--h->count];
	item->at = 0;
	if (last == item)
		return;
	if (at > 0 && h->items[(at - 1) / 2]->key > last->key)
		rise(h, at, last);
	else
		sink(h, at, last);
}

void
heap_free(struct heap *h)
{
	free(h->items);
	*h = (struct heap){ 0 };
}
