/* map - open addressing with linear probing; see map.h */
#include "common/map.h"
#include <stdlib.h>
#include <string.h>

static char gone;                               /* marks a deleted entry's value */
#define MAP_GONE ((void *)&gone)

uint64_t
map_hash(const void *key, size_t len)
{
	const unsigned char *p = key;
	uint64_t h = 0x9e3779b97f4a7c15u ^ len, w;
	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&w, p, 8);
		h = (h ^ w) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	for (; len; p++, len--)
		h = (h ^ *p) * 0x100000001b3u;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
	return h ^ h >> 33;
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
	size_t room = 16;
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

int
map_put(struct map *m, const void *key, size_t len, void *value)
{
	uint32_t hash = (uint32_t)map_hash(key, len);
	struct map_entry *e = map_find(m, key, len, hash);
	if (e) {
		e->key = key;
		e->value = value;
		return 0;
	}
	if ((m->filled + 1) * 4 > m->room * 3 && map_grow(m) < 0)
		return -1;
	map_insert(m, (struct map_entry){ key, (uint32_t)len, hash, value });
	return 0;
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
	m->used--;
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
