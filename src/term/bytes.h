/* Bytes that grow. */
#ifndef BYTES_H
#define BYTES_H
#include <stddef.h>

struct bytes { char *p; size_t n, room; };               /* a NUL is behind them, once something was put in */

/* Replaces the bytes from `from` to `to`. -1: no memory, and nothing has changed. */
int bytes_replace(struct bytes *b, size_t from, size_t to, const char *p, size_t n);
#endif
