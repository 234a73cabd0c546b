/* segment - the memory that a client shares with its daemon, attached once more: what the client, or its daemon, may
 * write there
 *
 *     int shm;
 *     struct client_segment *c = segment_of(&daemon, id, &shm);
 *     atomic_store(&c->goodbye, 1);  daemon_looks(&daemon, 1);  shmdt(c);
 */
#ifndef SEGMENT_H
#define SEGMENT_H

#include <lib/server.h>
#include "ipc/layout.h"

/* Of that global id, by the daemon's registry; its System V id into *shm (NULL: not wanted). NULL: the daemon has
 * none. */
struct client_segment *segment_attach(struct server *daemon, uint64_t id, int *shm);
/* Of that client of this process; the case ends where the daemon has none. */
struct client_segment *segment_of(struct server *daemon, int client, int *shm);
/* Waits until the daemon has looked at all its clients so many times more, as it does once a second. */
void daemon_looks(struct server *daemon, uint32_t more);
#endif
