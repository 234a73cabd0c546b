/* The readable files: topics/<path>/subscribers, one a line (ID MACHINE SINCE FLAGS), and sub/<global id>, its topics.
 * They are made from the state, and we never read them. So nobody waits for them but a client that is destroyed: the
 * answer to it says that no view shows it. At a start the old views are set aside, as old-topics-K and old-sub-K, and
 * all are made anew in turns. The file `views` says when that is done. */
#ifndef VIEWS_H
#define VIEWS_H
#include "worker/shard.h"
void views_begin(struct shard *s, int keep);            /* sets old views aside; keep: all are made anew */
int  views_are_behind(const struct shard *s);           /* there is something for views_update to do */
void views_update(struct shard *s, int64_t within_us);  /* does what can be done within the time */
void views_tick(struct shard *s);                       /* a second has passed */
void views_end(struct shard *s);                        /* the worker stops */
#endif
