/* The file spool/ring-SLOT: requests of one client that were not sent yet.
 *   0 "MOMRING\n"  8 u32 version 1  12 u32 0  16 u64 client id  24 u64 bytes of records  32 zeros
 *   60 u32 CRC32C of bytes 0..60
 * Then come the records, each with a CRC salted with the client id. A file of an older version has no CRCs: it is the
 * records alone. */
#ifndef RING_FILE_H
#define RING_FILE_H
#include "format/record.h"
#include <stddef.h>
enum { RING_FILE_HEADER = 64 };
/* bytes: RING_FILE_HEADER bytes of room, then n bytes of whole records. Puts in the header and the CRCs. */
void ring_file_seal(char *bytes, size_t n, uint64_t id);
/* What is wrong with the file; NULL: nothing. *from: where the records begin. *to: behind the last sound one. */
const char *ring_file_look(const char *bytes, size_t n, size_t *from, size_t *to);
#endif
