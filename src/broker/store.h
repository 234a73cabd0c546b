/* The db folder as broker_server sees it: its lock, its identity, its shards. Messages are the workers' business. */
#ifndef STORE_H
#define STORE_H
#include "format/wire.h"
struct store {
	int dir, lock, fresh, is_changed, shard_dirs[SHARDS_MAX], shard_locks[SHARDS_MAX];
	uint32_t shards, message_max;
	uint8_t id[WIRE_ID_BYTES];
};
/* Opens the store for that many shards (0: as it was made, or 1), and payloads up to message_max (0: as it was made, or
 * 1 MiB). store_begin makes it, or writes what is new of that: once all that may refuse the start was looked at. If
 * they cannot, they end the program with one clear line. */
void store_open(struct store *s, const char *path, uint32_t shards, uint32_t message_max);
void store_begin(struct store *s, const char *path);
/* Once a second: do the store's name and its shards' names still lead to what is open? */
int  store_is_there(const struct store *s, const char *path);
/* Then, if they do: makes anew the small files that are gone, and tells. */
void store_look(struct store *s, const char *path);
#endif
