/* Distributed semaphores and shared variables over MOM: counted and kept by mom_coordinator processes, seen alike from
 * every machine.
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
 * Names: 1 to MOM_RESOURCE_MAX bytes, any but NUL; semaphores and variables have names of their own kind. A value is an
 * int of 32 bits. Each resource is kept by two coordinators where there are two: the death of one loses and doubles
 * nothing. With one alone, or where both die at once, it is lost, and calls say MOM_ENORESOURCE. Resources live until
 * they are destroyed, not with the client that made them.
 *
 * id is any handle: its own subscriptions and messages are left alone. The first call makes a second client, through
 * MOM_RUN as it is then, that lives as long as the handle: it is the one who waits and holds. So a fork's child, and a
 * thread that waits beside others, need handles of their own.
 *
 * Every call waits for its coordinator as long as the handle's MOM_OPT_TIMEOUT_MS says (30 s), through its death and
 * the broker's. All may return
 *   MOM_EINVAL, MOM_EBADID, MOM_EFORK, and what mom_create returns;
 *   MOM_ENOSUBSCRIBER: no mom_coordinator ran in that time: not executed;
 *   MOM_ETIMEDOUT: no answer in that time. Whether it was executed is not known; a wait was not, or is undone.
 * mom_error_text(id) has the details. */
#ifndef MOM_RESOURCE_H
#define MOM_RESOURCE_H

#include <mom.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MOM_RESOURCE_MAX 200     /* bytes of a name */
#define MOM_NOT_FREE     1       /* mom_dsem_trywait: it would have waited */

/* Flags of mom_dsem_init. */
/* what a dead client had taken stays taken: for semaphores that count things, such as items in a buffer */
#define MOM_DSEM_KEEP    1u

/* ---- semaphores ---- */

/* A new semaphore with that value, 0 or more. flags: 0 or MOM_DSEM_KEEP. Without it a unit that a client has taken is
 * free again when that client ends in whatever way, and goes to who waits longest; a signal gives back a unit of the
 * client that signals, or where that has none, of the one that has had its own for longest. Returns 0, MOM_EEXIST
 * (there is one; it is as it was).
 *     mom_dsem_init(id, "chopstick/7", 1, 0); */
int mom_dsem_init(int id, const char *name, int value, unsigned flags);

/* Take a unit, waiting for it: first come, first served. timeout_ms: -1 for ever, 0 as trywait but with MOM_ETIMEDOUT.
 * Returns 0; MOM_ETIMEDOUT: not taken; MOM_ENORESOURCE: there is none of this name, or it was destroyed meanwhile;
 * MOM_EINTR: a signal came while it waited, not taken.
 *     if (mom_dsem_wait(id, "chopstick/7", 5000) == MOM_ETIMEDOUT) puts("still hungry"); */
int mom_dsem_wait(int id, const char *name, int timeout_ms);

/* Take a unit if one is free. Returns 0: taken; MOM_NOT_FREE (above 0); MOM_ENORESOURCE.
 *     if (mom_dsem_trywait(id, "chopstick/7") == 0) eat(); */
int mom_dsem_trywait(int id, const char *name);

/* Give a unit: to who has waited longest, else the value grows by 1. Anybody may. Returns 0, MOM_ENORESOURCE,
 * MOM_ELIMIT (the value is 2147483647).
 *     mom_dsem_signal(id, "chopstick/7"); */
int mom_dsem_signal(int id, const char *name);

/* End it: all who wait get MOM_ENORESOURCE. Returns 0, MOM_ENORESOURCE.
 *     mom_dsem_destroy(id, "chopstick/7"); */
int mom_dsem_destroy(int id, const char *name);

/* ---- shared variables ---- */

/* A new variable with that value. Returns 0, MOM_EEXIST (there is one; it is as it was).
 *     mom_dshm_init(id, "buffer/3", 0); */
int mom_dshm_init(int id, const char *name, int value);

/* Its value into *value. What a read has seen, no later read of anybody's undoes. Returns 0, MOM_ENORESOURCE.
 *     int items;  mom_dshm_read(id, "buffer/3", &items); */
int mom_dshm_read(int id, const char *name, int *value);

/* Set it: when this returns 0 all reads that begin see it. To read and write as one step, hold a semaphore. Returns 0,
 * MOM_ENORESOURCE.
 *     mom_dshm_write(id, "buffer/3", items + 1); */
int mom_dshm_write(int id, const char *name, int value);

/* End it. Returns 0, MOM_ENORESOURCE.
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
