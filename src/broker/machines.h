/* Which machines this store knows: db/machines, see store_file.h. A serial is never given twice.
 *
 * A machine is known from its first client on: it is in the file before the CREATE is stored. Until then nothing is
 * kept of the machine. Its token is a ticket: its serial and a keyed digest of machine id and serial. Whoever shows the
 * ticket gets the same serial again. So machine ids that come and go leave nothing behind, whatever is killed when.
 *
 * Each accepted HELLO of a known machine gets a fresh token. The machine must show it at its next HELLO. Until it has
 * confirmed the token, the previous one (BEFORE) is accepted as well, since the answer may not have arrived; the same
 * fresh token is given again then. Any other token comes from a copied or an older spool, or this store is an older
 * copy of itself. BEFORE becomes TOKEN once that is confirmed. So the HELLO of a connection that was given up, and is
 * looked at late, changes nothing. */
#ifndef MACHINES_H
#define MACHINES_H
#include "base/map.h"
#include "log/store_file.h"
struct machines {
	int dir, fd;                     /* fd: where changes are appended; -1: the file has to be written anew first */
	uint8_t key[MACHINES_KEY];
	/* serials below next are given; the file says that those below reserved may be */
	uint32_t next, reserved;
	struct map by_id, by_serial;     /* both hold struct known_machine, malloc'd, for good */
	size_t bytes, room;              /* bytes: of the file; room: so many have disk space */
};
int machines_load(struct machines *m, int dir);
void machines_close(struct machines *m);     /* for a clean stop: no serial is left out */
/* NULL: not known */
struct known_machine *machines_find(const struct machines *m, const uint8_t id[WIRE_ID_BYTES]);
int machine_shows(const struct known_machine *k, uint64_t token);       /* 1: the token is one of the machine's own */
/* Decides on a HELLO. *k gets the serial and the next token; for a known machine they are on disk. -1: errno. ESTALE:
 * the token is none of its own. ENOENT: it shows a token and is unknown. EOVERFLOW: there is no place for one more. */
int machines_admit(struct machines *m, const uint8_t id[WIRE_ID_BYTES], uint64_t shown, struct known_machine *k);
/* The machine is known from here on, and on disk. -1: errno */
int machines_keep(struct machines *m, const struct known_machine *k);
/* Its host's name, for those who look. The file has it from its next line on. */
void machines_host(struct machines *m, struct known_machine *k, const char *host);
/* This token is on the machine's disk. If it is the last one that was given, only this one counts from here on. */
void machines_confirm(struct machines *m, uint32_t serial, uint64_t token);
/* once a second. 1: the file was gone, and is made anew; -1: it cannot be */
int machines_look(struct machines *m);
#endif
