/* The readable files: topics/<path>/subscribers, one a line (ID MACHINE SINCE FLAGS), and sub/<global id>, its topics. They are made from
 * the state and never read by us. */
#ifndef VIEWS_H
#define VIEWS_H
#include "worker/shard.h"
int views_rebuild(struct shard *s);     /* all of them anew */
int views_update(struct shard *s);      /* of dirty topics and clients; -1: errno */
#endif
