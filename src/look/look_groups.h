/* The groups of a store, as its files for people say: up to a second late. Only read, never locked. */
#ifndef LOOK_GROUPS_H
#define LOOK_GROUPS_H
#include <mom.h>
#include <stddef.h>
#include <stdint.h>

struct look_dead { uint64_t origin, copy; unsigned tries; char why[16]; uint32_t shard; };
struct look_member { uint64_t id; unsigned prefetch; unsigned long long out; };

struct look_group {
	char name[MOM_NAME_MAX + 1], kind[32];
	unsigned max_tries, hand_timeout_s, max_hold_ms;
	uint64_t members, waiting, bytes, out, back, dead, handed, settled;
	int64_t  oldest_us;                    /* 0: nothing waits */
	char   **bindings;
	size_t   binding_count;
	struct look_member *member;           /* of the first shard; out: of all */
	size_t   member_count;
	/* copy: its offset in the log of that shard; as many as the store shows */
	struct look_dead *letters;
	size_t   letter_count;
};

/* All groups of a store with so many shards, by name; malloc'd. -1: errno */
int  look_groups(const char *folder, uint32_t shards, struct look_group **groups, size_t *count);
/* seconds that the oldest message has waited for its first member; -1: none waits */
int64_t look_group_oldest(const struct look_group *g);
void look_groups_free(struct look_group *groups, size_t count);
#endif
