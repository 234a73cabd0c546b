/* CRC32C (Castagnoli) of n bytes, continued from crc (0 at the start). */
#ifndef CRC32C_H
#define CRC32C_H
#include <stddef.h>
#include <stdint.h>
uint32_t crc32c(uint32_t crc, const void *bytes, size_t n);
uint32_t crc32c_salted(uint64_t salt, const void *bytes, size_t n);       /* of the salt, then of the bytes */
#endif
