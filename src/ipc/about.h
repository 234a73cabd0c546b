/* The file `about` in a server's run folder tells people and tools what runs here. A broker's store has the same file.
 *   kind broker|daemon
 *   pid N
 *   run FOLDER
 *   files FOLDER              a broker's store, a daemon's spool
 *   address HOST PORT         where a broker listens; for a daemon: where its broker listens */
#ifndef ABOUT_H
#define ABOUT_H
#include <limits.h>
#include <sys/types.h>

enum { ABOUT_ADDRESS = 320 };
struct about { int is_broker; pid_t pid; char run[PATH_MAX], files[PATH_MAX], address[ABOUT_ADDRESS]; };

void about_folder(int dir, char path[PATH_MAX]);            /* the absolute path of an open folder */
int  about_write(int dir, const struct about *a);           /* 0, or -1 with errno; nothing depends on it */
int  about_read(int dir, struct about *a);                  /* 0, or -1: there is no such file, or it is not sound */
void about_remove(int dir);
#endif
