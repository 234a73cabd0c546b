/* The readable files: topics/<path>/subscribers, one a line (ID MACHINE SINCE FLAGS), and sub/<global id>, its topics.
 * They are made from the state and never read by us. So nobody waits for them, but for a client that is destroyed: its
 * answer says that no view shows it. At a start those of before are set aside, as old-topics-K and old-sub-K, and all
 * are made anew in turns. The file `views` says when that is done. */
#ifndef VIEWS_H
#define VIEWS_H
#include "worker/shard.h"
void views_begin(struct shard *s, int keep);            /* sets those of before aside; keep: all are made anew */
int  views_are_behind(const struct shard *s);           /* there is something to do for views_update */
void views_update(struct shard *s, int64_t within_us);  /* what can be done within the time */
void views_tick(struct shard *s);                       /* a second has passed */
void views_end(struct shard *s);                        /* the worker stops */
#endif
