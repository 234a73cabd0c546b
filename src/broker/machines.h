/* Which machines this store knows: db/machines, see store_file.h. A serial is never given twice.
 *
 * A machine is known from its first client on: before the CREATE is stored the machine is in the file. Until then
 * nothing of it is kept: its token is a ticket, its serial and a keyed digest of machine id and serial. Whoever shows
 * that gets the same serial again. So machine ids that come and go leave nothing behind, whatever is killed when.
 *
 * Each accepted HELLO of a known machine gets a fresh token; the next HELLO has to show it, or, until the machine has
 * confirmed it, the one before (the answer may not have arrived; it is given again): else it comes from a copied or an
 * older spool, or this store is an older copy of itself. BEFORE is TOKEN once that is confirmed. So the HELLO of a
 * connection that was given up, and is looked at late, changes nothing. */
#ifndef MACHINES_H
#define MACHINES_H
#include "base/map.h"
#include "log/store_file.h"
struct machines {
	int dir, fd;                     /* fd: where changes are appended; -1: the file is to be written anew first */
	uint8_t key[MACHINES_KEY];
	uint32_t next, reserved;         /* serials below next are given; below reserved they may be, the file says */
	struct map by_id, by_serial;     /* of struct known_machine, malloc'd, for good */
	size_t bytes, room;              /* of the file; there is disk space for so many */
};
int machines_load(struct machines *m, int dir);
void machines_close(struct machines *m);     /* a clean stop: no serial is left out */
/* NULL: not known */
struct known_machine *machines_find(const struct machines *m, const uint8_t id[WIRE_ID_BYTES]);
int machine_shows(const struct known_machine *k, uint64_t token);       /* 1: that token is one of its own */
/* What becomes of a HELLO: in *k serial and next token, where it is known on disk. -1: errno, ESTALE where the token is
 * none of its own, ENOENT where it shows one and is unknown, EOVERFLOW where there is no place for one more */
int machines_admit(struct machines *m, const uint8_t id[WIRE_ID_BYTES], uint64_t shown, struct known_machine *k);
/* Known from here on: on disk. -1: errno */
int machines_keep(struct machines *m, const struct known_machine *k);
/* This token is on its disk. Where it is the last one, only that counts from here on. */
void machines_confirm(struct machines *m, uint32_t serial, uint64_t token);
int machines_look(struct machines *m);       /* once a second. 1: the file was gone, and is made anew; -1: cannot be */
#endif
