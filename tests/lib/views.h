/* views - what the store's readable files say: topics/<topic>/subscribers, sub/<global id>, and the check-point through
 * db_dump */
#ifndef VIEWS_OF_STORE_H
#define VIEWS_OF_STORE_H

#include <lib/server.h>
#include <stdint.h>

/* the views of all shards say that they are */
int views_complete(struct server *broker);
/* places in both views (of all shards) that name the id */
int view_mentions_now(struct server *broker, uint64_t id);
int view_mentions(struct server *broker, uint64_t id);                     /* the same, once the views are complete */
/* Both views say so, or do so within a moment; a plain topic: one without odd bytes */
int view_has(struct server *broker, uint64_t id, const char *topic);
int view_checkpoint_mentions(struct server *broker, uint64_t id);          /* lines of the dumped check-points */
#endif
