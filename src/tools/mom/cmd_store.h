/* What the files of a store, or of a spool, tell without disturbing who uses it: names, views, who is away. Only read,
 * never locked. */
#ifndef CMD_STORE_H
#define CMD_STORE_H

#include <mom.h>
#include <stddef.h>
#include <stdint.h>

/* id: of the store, as hexadecimal; newer: its format */
struct store_names { char id[40]; uint32_t shards, message; int newer; };
int store_names(const char *folder, struct store_names *s);                   /* db/store; -1: errno */
/* Which store the daemon of that spool belongs to, in hexadecimal; -1: errno, or none yet. */
int spool_store(const char *folder, char store[40]);

/* Topics and patterns with their subscribers: what the views say, or, where a shard has none or they are not complete,
 * its check-point, which may be some seconds old. Each shard has all patterns; they are told of the first alone. fn is
 * shown a text as in the views: a line a subscriber. -1: errno */
typedef void (*store_topic_fn)(void *with, uint32_t shard, const char *topic, char *subscribers);
int store_topics(const char *folder, uint32_t shards, store_topic_fn fn, void *with);
/* a line a topic, malloc'd; NULL: none, or errno */
char *store_topics_of(const char *folder, uint32_t shards, uint64_t client);

#endif
