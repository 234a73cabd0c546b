/* map - open addressing with linear probing; see map.h */
#include "base/map.h"
#include "base/fdio.h"
#include "base/siphash.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

static char gone;                               /* marks a deleted entry's value */
#define MAP_GONE ((void *)&gone)

enum { MAP_LEAST = 16 };                        /* entries of a map that is not empty */

/* The key of this process, taken at its first hash. Two threads may take it at once: what was stored first counts. */
static _Atomic uint64_t map_key[2];

static void
map_take_key(void)
{
	uint64_t fresh[2], none;
	/* where that call is forbidden: what the kernel gave this process at its start */
	if (fdio_random(fresh, sizeof fresh) < 0)
		memcpy(fresh, (const void *)getauxval(AT_RANDOM), sizeof fresh);
	for (int i = 0; i < 2; i++) {
		none = 0;
		atomic_compare_exchange_strong(&map_key[i], &none, fresh[i] ? fresh[i] : 1);
	}
}

uint64_t
map_hash(const void *key, size_t len)
{
	uint64_t k0 = atomic_load_explicit(&map_key[0], memory_order_relaxed);
	uint64_t k1 = atomic_load_explicit(&map_key[1], memory_order_relaxed);
	if (k0 == 0 || k1 == 0) {
		map_take_key();
		k0 = atomic_load(&map_key[0]);
		k1 = atomic_load(&map_key[1]);
	}
	return len == 8 ? siphash(k0, k1, key, 8, 1, 3) : siphash(k0, k1, key, len, 1, 3);
}

/* ids are 8 bytes, and asked for most */
static inline int
keys_match(const void *a, const void *b, size_t len)
{
	uint64_t x, y;
	if (len != sizeof x)
		return memcmp(a, b, len) == 0;
	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x == y;
}

static struct map_entry *
map_find(const struct map *m, const void *key, size_t len, uint32_t hash)
{
	if (m->room == 0)
		return NULL;
	for (size_t i = hash & (m->room - 1);; i = (i + 1) & (m->room - 1)) {
		struct map_entry *e = &m->entries[i];
		if (e->value == NULL)
			return NULL;
		if (e->value != MAP_GONE && e->hash == hash && e->len == len && keys_match(e->key, key, len))
			return e;
	}
}

void *
map_get(const struct map *m, const void *key, size_t len)
{
	if (m->used == 0)
		return NULL;
	struct map_entry *e = &m->entries[m->last];
	if (e->len == len && e->value != NULL && e->value != MAP_GONE && keys_match(e->key, key, len))
		return e->value;
	e = map_find(m, key, len, (uint32_t)map_hash(key, len));
	if (e == NULL)
		return NULL;
	((struct map *)(uintptr_t)m)->last = (size_t)(e - m->entries);        /* what it holds stays as it is */
	return e->value;
}

static void
map_insert(struct map *m, struct map_entry in)
{
	size_t i = in.hash & (m->room - 1);
	while (m->entries[i].value != NULL)
		i = (i + 1) & (m->room - 1);
	m->entries[i] = in;
	m->used++;
	m->filled++;
}

static int
map_grow(struct map *m)
{
	struct map old = *m;
	size_t room = MAP_LEAST;
	while (room < (old.used + 1) * 2)
		room *= 2;
	struct map_entry *entries = calloc(room, sizeof *entries);
	if (entries == NULL)
		return -1;
	*m = (struct map){ entries, room, 0, 0, 0 };
	for (size_t i = 0; i < old.room; i++)
		if (old.entries[i].value != NULL && old.entries[i].value != MAP_GONE)
			map_insert(m, old.entries[i]);
	free(old.entries);
	return 0;
}

static int
map_fill(struct map *m, struct map_entry in)
{
	if ((m->filled + 1) * 4 > m->room * 3 && map_grow(m) < 0)
		return -1;
	map_insert(m, in);
	return 0;
}

int
map_put(struct map *m, const void *key, size_t len, void *value)
{
	uint32_t hash = (uint32_t)map_hash(key, len);
	struct map_entry *e = map_find(m, key, len, hash);
	if (e == NULL)
		return map_fill(m, (struct map_entry){ key, (uint32_t)len, hash, value });
	e->key = key;
	e->value = value;
	return 0;
}

int
map_add(struct map *m, const void *key, size_t len, void *value)
{
	return map_fill(m, (struct map_entry){ key, (uint32_t)len, (uint32_t)map_hash(key, len), value });
}

void *
map_del(struct map *m, const void *key, size_t len)
{
	struct map_entry *e = map_find(m, key, len, (uint32_t)map_hash(key, len));
	if (e == NULL)
		return NULL;
	void *value = e->value;
	e->value = MAP_GONE;
	e->key = NULL;
	e->len = 0;
	if (--m->used == 0 && m->room > MAP_LEAST)
		map_free(m);           /* else each walk would look at all that was; one that goes on just ends */
	return value;
}

void
map_free(struct map *m)
{
	free(m->entries);
	*m = (struct map){ 0 };
}

void *
map_each(const struct map *m, size_t *at)
{
	while (*at < m->room) {
		void *value = m->entries[(*at)++].value;
		if (value != NULL && value != MAP_GONE)
			return value;
	}
	return NULL;
}
