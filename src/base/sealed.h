/* Small text files that are replaced as a whole. A line `crc XXXXXXXX` closes them: the CRC32C of all before it. */
#ifndef SEALED_H
#define SEALED_H
#include <stddef.h>
enum { SEAL_BYTES = 13 };
/* text: n bytes, with room for SEAL_BYTES + 1 more behind them. 0, or -1 with errno */
int   sealed_save(int dir, const char *name, char *text, size_t n, int durable);
/* 1: the line is there and right; *n becomes the length of what stands before it. 0: there is no such line. -1: it is
 * wrong. */
int   sealed_look(const char *text, size_t *n);
/* Loads the text without that line, malloc'd, with a NUL. NULL: errno; EBADMSG: it is damaged, or has no such line. */
char *sealed_load(int dir, const char *name, size_t most);
#endif
