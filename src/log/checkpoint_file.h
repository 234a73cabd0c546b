/* The check-point of a shard, as a file: the shard's state as of an offset C. It is one file, `checkpoint`, replaced as
 * a whole.
 *   0 "MOMCKPT\n"  8 u32 version 5  12 u32 0  16 u64 C  24 u64 records  32 zeros  60 u32 CRC32C of bytes 0..60
 * Then come MACHINE, START, TOPIC, CLIENT, LOST, WILL and LISTED records (record.h), and for each group STATE, BINDING,
 * MEMBER and TAKEN, each with a CRC salted with C. */
#ifndef CHECKPOINT_FILE_H
#define CHECKPOINT_FILE_H
#include <stdint.h>
enum { CHECKPOINT_HEADER = 64, CHECKPOINT_VERSION = 5 /* 2: wills, 3: losses, 4: wills with properties, 5: groups */ };
typedef int (*checkpoint_fn)(void *with, const void *bytes);
/* Shows every record to fn; *as_of = C. 1: there is no check-point. -1: it is damaged or unreadable (logged). */
int  checkpoint_read(int dir, uint64_t *as_of, checkpoint_fn fn, void *with);
void checkpoint_head_put(void *bytes, uint64_t as_of, uint64_t records);
#endif
