/* What the parts of the groups share: hands.c (hands), groups.c (groups, bindings, members), groups_apply.c (records).
 * Nobody else includes it. */
#ifndef GROUPS_INNER_H
#define GROUPS_INNER_H
#include "worker/groups.h"
void groups_put(struct map *m, const void *key, size_t len, void *value);    /* no memory ends the program */
/* A JOIN, LEAVE or GROUP that was granted. */
void groups_order(struct shard *s, struct client *c, const struct record *r, const void *bytes);
void member_is_roomy(struct groups *gs, struct member *m);     /* if it has room it waits for its turn */
void member_not_roomy(struct member *m);                       /* it waits no more */
void hand_link(struct group *g, struct hand *h);               /* its copy is the group's newest */
void hand_unlink(struct hand *h);
void hand_leave_state(struct groups *gs, struct hand *h);      /* it is out, back or dead no more */
void hand_to_member(struct groups *gs, struct hand *h, struct member *m);
void hand_to_back(struct groups *gs, struct hand *h, int64_t came_ms, uint32_t rest_ms);
void hand_dies(struct groups *gs, struct hand *h, enum dead_why why);
void hand_free(struct groups *gs, struct hand *h);
/* Its member has it no more. delay_ms: -1: as its tries say. */
void hand_return(struct groups *gs, struct hand *h, int64_t now_ms, int64_t delay_ms);
void hand_revive(struct groups *gs, struct hand *h, int64_t now_ms);         /* it was dead */
#endif
