/* Distributed semaphores and shared variables over MOM. mom_coordinator processes count and keep them; every machine
 * sees the same.
 *
 *     bin/mom_coordinator &  bin/mom_coordinator &         two or more, on any machines that have a mom_daemon
 *
 *     int id = mom_create();
 *     if (mom_dsem_init(id, "museum/room", 6, 0) == 0 ...)        once, by whoever sets it up
 *     if (mom_dsem_wait(id, "museum/room", -1) == 0) {            in any program, anywhere
 *         look_at_pictures();
 *         mom_dsem_signal(id, "museum/room");
 *     }
 *
 * A name has 1 to MOM_RESOURCE_MAX bytes, any but NUL. A semaphore and a variable may have the same name. A value is an
 * int of 32 bits. Where there are two coordinators or more, two keep each resource: the death of one loses nothing, and
 * nothing is done twice. A resource is lost if the only coordinator dies, or if both that keep it die at once; calls
 * then return MOM_ENORESOURCE. A resource lives until it is destroyed; it does not end with the client that made it.
 *
 * id is any handle. Its own subscriptions and messages are left alone, since the first call makes a second client,
 * through MOM_RUN as it is then. The second client lives as long as the handle. It is the one that waits and holds. So
 * a forked child needs a handle of its own, and a thread that waits while others wait needs one, too.
 *
 * Every call waits for its coordinator for as long as the handle's MOM_OPT_TIMEOUT_MS says (30 s), even if the
 * coordinator or the broker dies meanwhile. Every call may return
 *   MOM_EINVAL, MOM_EBADID, MOM_EFORK, and what mom_create returns;
 *   MOM_ENOSUBSCRIBER: no mom_coordinator ran in that time: not executed;
 *   MOM_ETIMEDOUT: no answer in that time. Whether the call was executed is not known; a wait was not, or is undone.
 * mom_error_text(id) has the details. */
#ifndef MOM_RESOURCE_H
#define MOM_RESOURCE_H

#include <mom.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MOM_RESOURCE_MAX 200     /* bytes of a name */
#define MOM_NOT_FREE     1       /* mom_dsem_trywait: no unit is free */

/* Flags of mom_dsem_init. */
/* Units that a dead client had taken stay taken. Use it for semaphores that count things, such as items in a buffer. */
#define MOM_DSEM_KEEP    1u

/* ---- semaphores ---- */

/* Make a semaphore with that value, 0 or more. flags: 0 or MOM_DSEM_KEEP. Without MOM_DSEM_KEEP a unit that a client
 * has taken is free again when that client ends in whatever way; it goes to the client that has waited longest. A
 * signal releases one of the caller's units. If the caller holds none, it releases one of the oldest holder. Returns 0,
 * MOM_EEXIST (there is one already; it stays as it is).
 *     mom_dsem_init(id, "chopstick/7", 1, 0); */
int mom_dsem_init(int id, const char *name, int value, unsigned flags);

/* Take a unit. If none is free, wait: first come, first served. timeout_ms: -1 waits for ever; 0 is as
 * mom_dsem_trywait, but returns MOM_ETIMEDOUT if no unit is free. Returns 0; MOM_ETIMEDOUT: not taken; MOM_ENORESOURCE:
 * there is none of this name, or it was destroyed meanwhile; MOM_EINTR: a signal came while it waited, not taken.
 *     if (mom_dsem_wait(id, "chopstick/7", 5000) == MOM_ETIMEDOUT) puts("still hungry"); */
int mom_dsem_wait(int id, const char *name, int timeout_ms);

/* Take a unit if one is free. Returns 0: taken; MOM_NOT_FREE (above 0); MOM_ENORESOURCE.
 *     if (mom_dsem_trywait(id, "chopstick/7") == 0) eat(); */
int mom_dsem_trywait(int id, const char *name);

/* Give a unit. It goes to the client that has waited longest; if nobody waits, the value grows by 1. Any client may do
 * it. Returns 0, MOM_ENORESOURCE, MOM_ELIMIT (the value is 2147483647).
 *     mom_dsem_signal(id, "chopstick/7"); */
int mom_dsem_signal(int id, const char *name);

/* Destroy the semaphore. All calls that wait for it return MOM_ENORESOURCE. Returns 0, MOM_ENORESOURCE.
 *     mom_dsem_destroy(id, "chopstick/7"); */
int mom_dsem_destroy(int id, const char *name);

/* ---- shared variables ---- */

/* Make a variable with that value. Returns 0, MOM_EEXIST (there is one already; it stays as it is).
 *     mom_dshm_init(id, "buffer/3", 0); */
int mom_dshm_init(int id, const char *name, int value);

/* Read the value into *value. Reads never go back: no later read by any client returns an older value. Returns 0,
 * MOM_ENORESOURCE.
 *     int items;  mom_dshm_read(id, "buffer/3", &items); */
int mom_dshm_read(int id, const char *name, int *value);

/* Write the value. Once this has returned 0, every read that begins sees the value. To read and write as one step, hold
 * a semaphore meanwhile. Returns 0, MOM_ENORESOURCE.
 *     mom_dshm_write(id, "buffer/3", items + 1); */
int mom_dshm_write(int id, const char *name, int value);

/* Destroy the variable. Returns 0, MOM_ENORESOURCE.
 *     mom_dshm_destroy(id, "buffer/3"); */
int mom_dshm_destroy(int id, const char *name);

/* The short names; `#define MOM_RESOURCE_LONG_NAMES` before the #include leaves them out. */
#ifndef MOM_RESOURCE_LONG_NAMES
#define dsem_init    mom_dsem_init
#define dsem_wait    mom_dsem_wait
#define dsem_trywait mom_dsem_trywait
#define dsem_signal  mom_dsem_signal
#define dsem_destroy mom_dsem_destroy
#define dshm_init    mom_dshm_init
#define dshm_read    mom_dshm_read
#define dshm_write   mom_dshm_write
#define dshm_destroy mom_dshm_destroy
#endif

#ifdef __cplusplus
}
#endif
#endif
