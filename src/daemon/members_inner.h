/* What the parts of the list of clients share: members.c (registered, resumed, dead), members_objects.c (what each
 * client has in memory), members_start.c (starts and stops). Nobody else includes it. */
#ifndef MEMBERS_INNER_H
#define MEMBERS_INNER_H

#include "daemon/daemon.h"

void daemon_touch(struct daemon *d);                   /* the client table changed: the three look at it */
int  members_save_or_say(struct daemon *d);            /* saves the list in the spool, or warns */

void member_show(struct daemon *d, uint32_t i);        /* shows it to requester, responser and forwarder */
int  member_segment(struct daemon *d, uint32_t i);     /* makes it anew, with its semaphore; -1: errno */
int  member_semaphore(struct daemon *d, uint32_t i);   /* makes it anew; -1: errno */
void member_words(struct daemon *d, struct member *m); /* writes mom_daemon's words into its segment */
void member_disown(struct member *m);
void member_drop_objects(struct daemon *d, struct member *m);
void member_free(struct daemon *d, uint32_t i);        /* removes all that is left of it */
uint32_t next_owner(const struct member *m);

#endif
