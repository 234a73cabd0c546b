/* Folders have one user: an flock on a file in them, inherited by the children, so that a successor waits until the
 * last old writer is gone. The folder is locked as well, where it can be: cleaners of old files then leave it alone. */
#ifndef LOCK_H
#define LOCK_H
#include <sys/types.h>
/* The locked descriptor; -1: errno; -2: in use by *holder, which lives (or by its orphans, for longer than
 * patience_ms). */
int lock_take(int dir, const char *name, pid_t *holder, int patience_ms);
/* Once a second: makes the file anew where it is gone, under the same descriptor, and locks the folder where that did
 * not go before. 1: it was gone; -1: it is, and cannot be made: errno, EBUSY where somebody else has it */
int lock_look(int dir, const char *name, int fd);
int lock_renew(int dir, const char *name, int fd);     /* that folder's is taken under that descriptor: 1, or -1 */
/* by somebody, now; looks only. 0 with EACCES: that cannot be seen */
int lock_is_taken(int dir, const char *name);
#endif
