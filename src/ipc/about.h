/* The file `about` in a server's run folder (a broker's store has the same one): what runs here, for people and tools
 * that look.
 *   kind broker|daemon
 *   pid N
 *   run FOLDER
 *   files FOLDER              a broker's store, a daemon's spool
 *   address IP PORT           where a broker listens; of a daemon: its broker's */
#ifndef ABOUT_H
#define ABOUT_H
#include <limits.h>
#include <sys/types.h>

struct about { int is_broker; pid_t pid; char run[PATH_MAX], files[PATH_MAX], address[128]; };

void about_folder(int dir, char path[PATH_MAX]);            /* the absolute path of an open folder */
int  about_write(int dir, const struct about *a);           /* 0, or -1 with errno: nothing depends on it */
int  about_read(int dir, struct about *a);                  /* 0, or -1: there is none, or it is none */
void about_remove(int dir);
#endif
