/* Bytes as lower case hexadecimal and back. */
#ifndef HEX_H
#define HEX_H
#include <stddef.h>
#include <stdint.h>
void hex_text(char *text, const uint8_t *bytes, size_t n);     /* 2n + 1 bytes */
int  hex_bytes(uint8_t *bytes, const char *text, size_t n);    /* -1: not hexadecimal */
#endif
