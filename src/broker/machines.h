/* Which machines this store knows: db/machines, see store_file.h. A serial is never given twice. Each accepted
 * HELLO gets a fresh token; the next HELLO has to show it, or, until the machine has confirmed it, the one before (the answer may not have
 * arrived; it is given again): else it comes from a copied or an older spool, or this store is an older copy of itself. BEFORE is TOKEN once
 * that is confirmed. So the HELLO of a connection that was given up, and is looked at late, changes nothing. */
#ifndef MACHINES_H
#define MACHINES_H
#include "common/store_file.h"
struct machines { int dir; struct known_machine *list; uint32_t count; };       /* serial = index + 1 */
int machines_load(struct machines *m, int dir);
/* The serial of a machine that shows this token (0: none), known or new, and its next token: on disk. 0: errno, ESTALE where the
 * token is none of its own, ENOENT where it shows one and is unknown */
uint32_t machines_admit(struct machines *m, const uint8_t id[WIRE_ID_BYTES], uint64_t shown, uint64_t *token);
/* This token is on its disk. Where it is the last one, only that counts from here on. */
void machines_confirm(struct machines *m, uint32_t serial, uint64_t token);
int machines_look(struct machines *m);       /* once a second. 1: the file was gone, and is made anew; -1: cannot be */
#endif
