/* The db folder as broker_server sees it: its lock, its identity, its shards. Messages are the workers' business. */
#ifndef STORE_H
#define STORE_H
#include <mom/wire.h>
struct store { int dir, lock; uint32_t shards; uint8_t id[WIRE_ID_BYTES]; int shard_dirs[SHARDS_MAX]; int fresh; uint32_t message_max; };
/* Open or make it for that many shards, and payloads up to message_max (0: as it was made, or 1 MiB). Ends the program with one clear line where it cannot. */
void store_open(struct store *s, const char *path, uint32_t shards, uint32_t message_max);
#endif
