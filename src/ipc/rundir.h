/* Run folders: where they are by default, whom a client trusts. */
#ifndef RUNDIR_H
#define RUNDIR_H
#include <limits.h>
#include <stddef.h>
/* root: /run/mom; else $XDG_RUNTIME_DIR/mom, else /tmp/mom-UID */
void rundir_default(char *path, size_t n);
/* Where a daemon keeps what must outlive it, never a folder that others clean. root: /var/spool/mom; else
 * $XDG_STATE_HOME/mom/spool, else $HOME/.local/state/mom/spool. -1: neither of the two is an absolute path */
int  rundir_spool(char *path, size_t n);
/* Where a program looks for a daemon, in this order: $XDG_RUNTIME_DIR/mom; /run/user/UID/mom, where a login session has
 * that, and cron and su do not tell; /tmp/mom-UID; /run/mom. "" where it is not set, or the second is the first */
enum { RUNDIR_ROOTS = 4 };
void rundir_root(int i, char path[PATH_MAX]);
/* Make (0700) or take a folder of our own; its descriptor, or -1 with a text of what is wrong in *why. */
int  rundir_open(const char *path, const char **why);
/* For clients: may this folder be trusted? It belongs to us, root or the user mom. */
int  rundir_is_trusted(int fd);
#endif
