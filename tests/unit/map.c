/* map - a keyed hash: nobody outside this process knows which keys meet; what it costs is counted in probes */
#include <lib/t.h>
#include "base/map.h"
#include "base/siphash.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t k0 = 0x0706050403020100, k1 = 0x0f0e0d0c0b0a0908;      /* bytes 0 .. 15, as in the vectors */

/* of the message 0, 1 .. n - 1: the appendix of the paper (15) and the authors' reference */
static const struct { size_t n; uint64_t hash; } published[] = {
	{ 0, 0x726fdb47dd0e0e31 }, { 1, 0x74f839c593dc67fd }, { 2, 0x0d6c8009d9a94f5a }, { 7, 0xab0200f58b01d137 },
	{ 8, 0x93f5f5799a932462 }, { 9, 0x9e0082df0ba9e4b0 }, { 15, 0xa129ca6149be45e5 }, { 16, 0x3f2acc7f57c29bdb },
	{ 63, 0x958a324ceb064572 },
};

TEST(published, "the hash is SipHash: with 2 and 4 rounds the published vectors, with 1 and 3 those of the reference")
{
	unsigned char message[64];
	for (size_t i = 0; i < sizeof message; i++)
		message[i] = (unsigned char)i;
	for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
		uint64_t h = siphash(k0, k1, message, published[i].n, 2, 4);
		REQUIRE(h == published[i].hash, "%zu bytes: %llx", published[i].n, (unsigned long long)h);
	}
	uint64_t empty = siphash(0, 0, "", 0, 1, 3), word = siphash(0, 0, "siphash", 7, 1, 3);
	REQUIRE(empty == 0xd1fba762150c532c, "nothing: %llx", (unsigned long long)empty);
	REQUIRE(word == 0x8264ceeccb16bcbe, "siphash: %llx", (unsigned long long)word);
}

static uint64_t *other;

static void
hash_elsewhere(void *nothing)
{
	(void)nothing;
	*other = map_hash("news", 4);
}

TEST(secret, "each process has a key of its own, and keeps it")
{
	other = t_shared_memory(sizeof *other);
	t_join(t_spawn(hash_elsewhere, NULL));         /* forked before this one has a key */
	uint64_t h = map_hash("news", 4);
	REQUIRE(*other != 0 && h != *other, "two processes have one hash: %llx", (unsigned long long)h);
	REQUIRE(map_hash("news", 4) == h, "its own changes");
}

/* what had no secret: whoever knows it chooses topics that all begin their search at one place */
static uint64_t
known_hash(const char *p, size_t len)
{
	uint64_t h = 0x9e3779b97f4a7c15u ^ len, w;
	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&w, p, 8);
		h = (h ^ w) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	for (; len; p++, len--)
		h = (h ^ (unsigned char)*p) * 0x100000001b3u;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
	return h ^ h >> 33;
}

struct probes { size_t all, longest; };

static struct probes
probes_of(const struct map *m)
{
	struct probes p = { 0, 0 };
	for (size_t i = 0; i < m->room; i++) {
		if (m->entries[i].key == NULL)
			continue;
		size_t n = 1 + ((i - m->entries[i].hash) & (m->room - 1));
		p.all += n;
		p.longest = n > p.longest ? n : p.longest;
	}
	return p;
}

static void
keys_are_cheap(char (*keys)[40], size_t n, const char *what)
{
	struct map m = { 0 };
	for (size_t i = 0; i < n; i++)
		REQUIRE(map_put(&m, keys[i], strlen(keys[i]), keys[i]) == 0, "no memory");
	for (size_t i = 0; i < n; i++)
		REQUIRE(map_get(&m, keys[i], strlen(keys[i])) == keys[i], "%s is not found", keys[i]);
	struct probes p = probes_of(&m);
	t_remark("%zu %s: %.2f probes a key, %zu the longest", n, what, (double)p.all / (double)n, p.longest);
	REQUIRE(p.all < 3 * n, "%s: %zu probes for %zu keys", what, p.all, n);
	REQUIRE(p.longest < 600, "%s: a search of %zu", what, p.longest);
	map_free(&m);
}

enum { KEYS = 24000 };

TEST(chosen, "24,000 keys that met in the hash without a secret are as cheap to find as any")
{
	static char keys[KEYS][40];
	size_t n = 0;
	for (unsigned long i = 0; n < KEYS; i++) {
		snprintf(keys[n], sizeof keys[n], "c%lu", i);
		n += (known_hash(keys[n], strlen(keys[n])) & 1023) == 77;
	}
	keys_are_cheap(keys, KEYS, "chosen keys");
	for (n = 0; n < KEYS; n++)
		snprintf(keys[n], sizeof keys[n], "plant/%zu/state", n);
	keys_are_cheap(keys, KEYS, "ordinary keys");
}

TEST(ids, "ids that follow each other or lie far apart are found as cheaply")
{
	for (int shift = 0; shift <= 48; shift += 8) {
		static uint64_t ids[KEYS];
		struct map m = { 0 };
		for (size_t i = 0; i < KEYS; i++) {
			ids[i] = (uint64_t)(i + 1) << shift;
			REQUIRE(map_put(&m, &ids[i], sizeof ids[i], &ids[i]) == 0, "no memory");
		}
		struct probes p = probes_of(&m);
		REQUIRE(p.all < 3 * KEYS, "shifted by %d: %zu probes", shift, p.all);
		REQUIRE(p.longest < 600, "shifted by %d: a search of %zu", shift, p.longest);
		map_free(&m);
	}
}

TEST(deleted, "where keys are added and deleted without end, the map stays small and a search short")
{
	static uint64_t ids[200000];
	struct map m = { 0 };
	size_t live = 100, at = 0, seen = 0, filled = 0;
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		ids[i] = i;
		REQUIRE(map_put(&m, &ids[i], sizeof ids[i], &ids[i]) == 0, "no memory");
		if (i >= live)
			REQUIRE(map_del(&m, &ids[i - live], sizeof ids[i]) == &ids[i - live], "%zu is gone", i - live);
		filled = m.filled > filled ? m.filled : filled;
		REQUIRE(m.room <= 1024, "%zu places for %zu keys", m.room, m.used);
		REQUIRE(m.filled * 4 <= m.room * 3, "%zu of %zu places are not free", m.filled, m.room);
	}
	for (const uint64_t *id; (id = map_each(&m, &at)) != NULL; seen++)
		REQUIRE(*id >= sizeof ids / sizeof *ids - live, "%llu was deleted", (unsigned long long)*id);
	REQUIRE(seen == live && m.used == live, "%zu are shown, %zu used", seen, m.used);
	map_free(&m);
}

TEST(deleted_in_a_walk, "a walk that deletes what it was shown is shown all, each once")
{
	static uint64_t ids[5000];
	struct map m = { 0 };
	size_t n = sizeof ids / sizeof *ids, at = 0, seen = 0;
	for (size_t i = 0; i < n; i++) {
		ids[i] = i;
		REQUIRE(map_put(&m, &ids[i], sizeof ids[i], &ids[i]) == 0, "no memory");
	}
	for (const uint64_t *id; (id = map_each(&m, &at)) != NULL; seen++)
		REQUIRE(map_del(&m, id, sizeof *id) == id, "it is not there");
	REQUIRE(seen == n && m.used == 0, "%zu of %zu were shown", seen, n);
	REQUIRE(m.room <= 16, "%zu places of an empty map: each later walk looks at them", m.room);
	REQUIRE(map_put(&m, &ids[7], sizeof ids[7], &ids[7]) == 0, "no memory");
	REQUIRE(map_get(&m, &ids[7], sizeof ids[7]) == &ids[7], "an emptied map takes nothing");
	map_free(&m);
}
