/* The small files of a store: db/store, what it is, and db/machines, which machines it knows. Text, closed by a CRC;
 * old ones have none.
 *     mom store 1 id HEX shards N message BYTES
 *     mom machines 2, then a line a machine: SERIAL MACHINE-ID TOKEN BEFORE */
#ifndef STORE_FILE_H
#define STORE_FILE_H
#include <mom/wire.h>
#include <stddef.h>

struct store_file { unsigned version; uint8_t id[WIRE_ID_BYTES]; uint32_t shards, message; };
/* -1: errno, EBADMSG where it is damaged, EPROTONOSUPPORT where it is of a newer format: version says which */
int store_file_parse(struct store_file *s, const char *text, size_t n);
int store_file_read(struct store_file *s, int dir);
int store_file_write(const struct store_file *s, int dir);

struct known_machine { uint8_t id[WIRE_ID_BYTES]; uint64_t token, before; };      /* serial = index + 1 */
enum { MACHINES_MOST = 64 * 1024 * 1024, MACHINE_LINE = 96 /* bytes at most */ };
/* malloc'd list, *count; -1: errno, as above. ENOENT where no machine has come yet */
int machines_file_parse(struct known_machine **list, uint32_t *count, const char *text, size_t n);
int machines_file_read(struct known_machine **list, uint32_t *count, int dir);
int machines_file_write(const struct known_machine *list, uint32_t count, int dir);
#endif
