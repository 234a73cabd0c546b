/* Run folders: where they are by default, and which ones a client trusts. */
#ifndef RUNDIR_H
#define RUNDIR_H
#include <limits.h>
#include <stddef.h>
/* The default run folder. root: /run/mom; others: $XDG_RUNTIME_DIR/mom, or /tmp/mom-UID where that is not set. */
void rundir_default(char *path, size_t n);
/* Where a daemon keeps what must outlive it. It is never a folder that others clean. root: /var/spool/mom; others:
 * $XDG_STATE_HOME/mom/spool, else $HOME/.local/state/mom/spool. -1: neither of the two is an absolute path. */
int  rundir_spool(char *path, size_t n);
/* Where a program looks for a daemon, in this order: $XDG_RUNTIME_DIR/mom, /run/user/UID/mom, /tmp/mom-UID, /run/mom.
 * The second one is the folder of a login session; programs of cron and su are not told it by XDG_RUNTIME_DIR. The path
 * is "" if XDG_RUNTIME_DIR is not set, or if the second is the same as the first. */
enum { RUNDIR_ROOTS = 4 };
void rundir_root(int i, char path[PATH_MAX]);
/* Makes (0700) or takes a folder of our own. Returns its descriptor, or -1 and in *why what is wrong. */
int  rundir_open(const char *path, const char **why);
/* For a folder that must not be made by a slip of the pen: rundir_open where its parent is there; else *why says so. */
int  rundir_open_given(const char *path, const char **why);
/* open(path) failed with EACCES: who may use the folder, whether a daemon serves there, and how to become one who may.
 * Returns text. */
const char *rundir_denied(const char *path, char *text, size_t n);
/* For clients: may this folder be trusted? It may if it belongs to us, root or the user mom. */
int  rundir_is_trusted(int fd);
#endif
