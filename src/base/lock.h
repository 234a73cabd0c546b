/* A folder has one user: it has an flock on a file in the folder. Children that write there inherit the lock, so a
 * successor waits until the last old writer is gone. The folder itself is locked as well, if it can be: then cleaners
 * of old files leave it alone. */
#ifndef LOCK_H
#define LOCK_H
#include <sys/types.h>
/* Returns the locked descriptor. -1: errno. -2: *holder has it and lives; or the holder's orphans have had it for
 * longer than patience_ms. */
int lock_take(int dir, const char *name, pid_t *holder, int patience_ms);
/* The program that has it, for people: "mom_daemon pid 12". Returns text. */
enum { LOCK_HOLDER = 48 };
const char *lock_holder_text(pid_t holder, char text[LOCK_HOLDER]);
/* Once a second: makes the file anew if it is gone, under the same descriptor. Locks the folder if that did not work
 * before. 1: the file was gone. -1: it is gone and cannot be made: errno, EBUSY if somebody else has it. */
int lock_look(int dir, const char *name, int fd);
/* takes the lock of that folder under that descriptor: 1, or -1 */
int lock_renew(int dir, const char *name, int fd);
/* Does somebody have the lock now? It only looks. 0 with EACCES: that cannot be seen. */
int lock_is_taken(int dir, const char *name);
#endif
