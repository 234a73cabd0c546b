/* A heap: whoever has the lowest key is on top. Each item stands in its owner's struct.
 *     struct heap h = { 0 };
 *     heap_push(&h, &job->in, job->due);
 *     struct heap_item *first = heap_top(&h); */
#ifndef HEAP_H
#define HEAP_H
#include <stddef.h>
#include <stdint.h>
struct heap_item { uint64_t key; size_t at; };         /* at: 1 + its place; 0: it is in no heap */
struct heap { struct heap_item **items; size_t count, room; };       /* all 0 is an empty one */
int  heap_push(struct heap *h, struct heap_item *item, uint64_t key);        /* -1: no memory */
void heap_remove(struct heap *h, struct heap_item *item);                    /* it has to be in that heap */
static inline struct heap_item *heap_top(const struct heap *h) { return h->count ? h->items[0] : NULL; }
void heap_free(struct heap *h);                                              /* the items stay their owners' */
#endif
