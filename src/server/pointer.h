/* Tools look for all servers in the usual places (ipc/rundir.h). A server whose run folder lies elsewhere leaves a link
 * to it in $XDG_RUNTIME_DIR/mom, or else in the default run folder. Where no link can be made the tools have to be told
 * the folder. */
#ifndef POINTER_H
#define POINTER_H
void pointer_set(int run_dir);
void pointer_clear(int run_dir);
#endif
