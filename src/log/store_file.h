/* The small files of a store: db/store says what the store is, db/machines which machines it knows. They are text,
 * closed by a CRC; those of older versions have none.
 *     mom store 1 id HEX shards N message BYTES
 *     mom machines 4 next N key HEX
 * then a line a machine, SERIAL MACHINE-ID TOKEN BEFORE HOST, and the CRC of all that. HOST is the host's name, or -
 * where none is known; version 3 has none.
 * Behind that CRC each change is appended: such a line again, or `next N`, each closed by a CRC of its own. The last
 * line may be cut off. */
#ifndef STORE_FILE_H
#define STORE_FILE_H
#include "format/wire.h"
#include <stddef.h>

struct store_file { unsigned version; uint8_t id[WIRE_ID_BYTES]; uint32_t shards, message; };
/* -1: errno. EBADMSG: it is damaged. EPROTONOSUPPORT: it is of a newer format; version says which. */
int store_file_parse(struct store_file *s, const char *text, size_t n);
int store_file_read(struct store_file *s, int dir);
int store_file_write(const struct store_file *s, int dir);

enum { MACHINES_KEY = 16, MACHINE_LINE = 164 /* bytes at most */, MACHINES_MOST = 64 * 1024 * 1024 / MACHINE_LINE };
/* line: its line of the file, while that is read: the last line of a serial counts */
struct known_machine { uint32_t serial, line; uint8_t id[WIRE_ID_BYTES]; uint64_t token, before;
    char host[HOST_BYTES + 1]; };
struct machines_file {
	unsigned version;
	uint32_t next;                               /* serials below this may have been given */
	uint8_t key[MACHINES_KEY];                   /* key of tickets, see broker/machines.h; zeros before version 3 */
	struct known_machine *list;                  /* malloc'd, by serial */
	uint32_t count;
	/* Its last line is complete, but its CRC or what it says is wrong: a power cut, or damage. */
	int is_torn;
};
/* -1: errno, as above; then list is NULL. ENOENT: no machine has come yet. */
int machines_file_parse(struct machines_file *f, const char *text, size_t n);
int machines_file_read(struct machines_file *f, int dir);
/* Sorts the list and writes the file. *bytes: how long the file is now. */
int machines_file_write(struct machines_file *f, int dir, size_t *bytes);
/* The lines that are appended: a machine's line, or next. Both return the line's length. */
size_t machines_file_line(char line[MACHINE_LINE + 1], const struct known_machine *k);
size_t machines_file_next(char line[MACHINE_LINE + 1], uint32_t next);
#endif
