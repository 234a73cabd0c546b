/* systemd's logind removes all System V objects of a regular user when the last session of that user ends
 * (RemoveIPC=yes, its default). */
#ifndef LOGIND_H
#define LOGIND_H
#include <sys/types.h>
/* 1: the objects of a server of this user may be removed while it runs. 0: they may not. That is so without systemd,
 * for a system user (below 1000), with RemoveIPC=no in logind.conf or its drop-ins, or if the user lingers (loginctl
 * enable-linger). root: "" or, for tests, a folder that stands for /. */
int logind_removes_ipc(const char *root, uid_t uid);
#endif
