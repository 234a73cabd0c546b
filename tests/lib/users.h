/* users - programs of other users than the daemon's, as on a machine where it is a service (root only) */
#ifndef USERS_H
#define USERS_H

#include <lib/server.h>
#include <sys/types.h>

enum { MOM_UID = 4001, ALICE = 4002 };

/* /etc/passwd of this case alone, with the user mom: other users' programs trust that user's daemon. 0 with errno: it
 * cannot be */
int  users_know_mom(void);
/* this process is that user's from now on, in the group mom; it ends where that cannot be */
void become(uid_t uid);
/* A daemon of the user mom whose socket everybody may use; from the second time on with the same folders. pid is 0
 * where other users cannot reach its program. */
void daemon_start_as_mom(struct server *daemon, const struct server *broker);
#endif
