/* views - what the store's readable files say: topics/<topic>/subscribers, sub/<global id>, and the check-point through db_dump */
#ifndef VIEWS_OF_STORE_H
#define VIEWS_OF_STORE_H

#include <lib/server.h>
#include <stdint.h>

int view_mentions(struct server *broker, uint64_t id);                     /* places in both views (of all shards) that name the id */
int view_has(struct server *broker, uint64_t id, const char *topic);       /* both views say so; a plain topic: one without odd bytes */
int view_checkpoint_mentions(struct server *broker, uint64_t id);          /* lines of the dumped check-points */
#endif
