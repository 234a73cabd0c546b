/* Names: which topics, patterns and client names are valid, which shard a topic belongs to, and where its files lie. */
#ifndef TOPIC_H
#define TOPIC_H
#include <mom.h>
#include <stddef.h>
#include <stdint.h>
enum { TOPIC_PATH_MAX = 2048 };
/* NULL where it is valid, else what is wrong with it. */
const char *topic_fault(const char *topic, size_t len);
/* A pattern is a name with one of * # + > in it. It stands for all topics that it matches (routing/patterns.h). */
int topic_is_pattern(const char *name, size_t len);
/* NULL where it is a valid topic or a valid pattern, else what is wrong with it. */
const char *pattern_fault(const char *name, size_t len);
size_t pattern_levels(const char *pattern, size_t len);
/* What parts the levels of a pattern, and of a topic that is held against it: `/` or `.`. */
char pattern_separator(const char *pattern, size_t len);
uint32_t topic_shard(const char *topic, size_t len, uint32_t shards);
/* Checks a topic and finds its shard in one step, for processes that see many messages. The memo remembers the last
 * good topic, since most topics come again. Returns NULL and sets *shard, or returns the fault. */
struct topic_memo { uint32_t shards, shard; uint16_t len; char name[MOM_TOPIC_MAX]; };
const char *topic_resolve(struct topic_memo *m, const char *topic, size_t len, uint32_t shards, uint32_t *shard);
/* The topic's folder as a relative path below topics/. `/` makes folders. Other bytes outside [A-Za-z0-9_.-], a leading
 * dot and the first letter of a level `subscribers` are written %XX. An empty level is `%-`. A level that is too long
 * goes on in a folder below one that ends in `%`. */
void topic_path(const char *topic, size_t len, char path[TOPIC_PATH_MAX]);
/* The way back. 0, or -1: a %XX is broken, or the topic would be too long. topic: MOM_TOPIC_MAX + 1 bytes. */
int topic_from_path(const char *path, char *topic);
/* The hash by which a client's list of tombstones names a topic. */
uint64_t topic_hash64(const char *topic, size_t len);
const char *client_name_fault(const char *name);
#endif
