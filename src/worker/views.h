/* The readable files: topics/<path>/subscribers, one a line (ID MACHINE SINCE FLAGS), and sub/<global id>, its topics. They are made from
 * the state and never read by us. */
#ifndef VIEWS_H
#define VIEWS_H
#include "worker/shard.h"
int views_rebuild(struct shard *s);     /* all of them anew */
/* Of topics and clients that are dirty: all that must be now, of the rest what can be within the time. 0; 1: some are left; -1: errno, of the last that failed */
int views_update(struct shard *s, int64_t within_us);
#endif
