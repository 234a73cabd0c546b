/* A hash map from bytes to a pointer. The key's bytes belong to the value and must live as long as the entry. */
#ifndef MAP_H
#define MAP_H
#include <stddef.h>
#include <stdint.h>
enum { KEYED_FROM = 4 };               /* a list of more entries gets a map; most lists are shorter and need none */
struct map_entry { const void *key; uint32_t len, hash; void *value; };
/* last: the entry that was found last; it is asked for again more often than not */
struct map { struct map_entry *entries; size_t room, used, filled, last; };
uint64_t map_hash(const void *key, size_t len);        /* SipHash-1-3 with a secret of this process alone */
void *map_get(const struct map *m, const void *key, size_t len);
int   map_put(struct map *m, const void *key, size_t len, void *value);   /* replaces an old value; -1: no memory */
/* the key must not be there yet: it is not looked for */
int   map_add(struct map *m, const void *key, size_t len, void *value);
void *map_del(struct map *m, const void *key, size_t len);                /* returns the value that it had */
void  map_free(struct map *m);                                            /* the values stay */
/* Walks over all values: *at is 0 at first, and NULL is the end. The value that was seen last may be deleted
 * meanwhile. */
void *map_each(const struct map *m, size_t *at);
#endif
