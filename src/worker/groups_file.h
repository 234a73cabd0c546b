/* The file `groups` of a shard: what people that look are shown of its groups. */
#ifndef GROUPS_FILE_H
#define GROUPS_FILE_H
#include "worker/groups.h"
void groups_file_look(struct groups *gs, int dir, int at_once);      /* writes it, if something has changed */
#endif
