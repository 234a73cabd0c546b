/* What the parts of the list of clients share: members.c (registered, resumed, dead), members_objects.c (what each has
 * in memory), members_start.c (starts and stops). Nobody else includes it. */
#ifndef MEMBERS_INNER_H
#define MEMBERS_INNER_H

#include "daemon/daemon.h"

void daemon_touch(struct daemon *d);                   /* the client table changed */
int  members_save_or_say(struct daemon *d);            /* the list into the spool, or a warning */

void member_show(struct daemon *d, uint32_t i);        /* to requester, responser and forwarder */
int  member_segment(struct daemon *d, uint32_t i);     /* made anew, with its semaphore; -1: errno */
int  member_semaphore(struct daemon *d, uint32_t i);   /* made anew; -1: errno */
void member_words(struct daemon *d, struct member *m); /* what mom_daemon writes into a segment */
void member_disown(struct member *m);
void member_drop_objects(struct daemon *d, struct member *m);
void member_free(struct daemon *d, uint32_t i);        /* nothing of it is left */
uint32_t next_owner(const struct member *m);

#endif
