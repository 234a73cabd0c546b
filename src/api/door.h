/* Finding the daemon and registering with it. */
#ifndef API_DOOR_H
#define API_DOOR_H
#include <mom/ipc.h>
/* 0 and the answer, the connected socket in *socket; or MOM_E*, the text in this thread's. */
int door_register(const char *name, int64_t deadline, struct registered *answer, int *socket);
#endif
