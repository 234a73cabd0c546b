/* Small files of text that are replaced as a whole and closed by a line `crc XXXXXXXX`: the CRC32C of all before it. */
#ifndef SEALED_H
#define SEALED_H
#include <stddef.h>
enum { SEAL_BYTES = 13 };
/* text: n bytes, and SEAL_BYTES + 1 more of room behind them. 0, or -1 with errno */
int   sealed_save(int dir, const char *name, char *text, size_t n, int durable);
/* 1: the line is there and right; *n is what stands before it. 0: there is no such line. -1: it is wrong */
int   sealed_look(const char *text, size_t *n);
/* The text without that line, malloc'd, with a NUL. NULL: errno; EBADMSG: damaged, or without the line */
char *sealed_load(int dir, const char *name, size_t most);
#endif
