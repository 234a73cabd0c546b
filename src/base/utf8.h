/* UTF-8: the one decoder of the project, and what a character looks like in JSON.
 *
 *     uint32_t code;
 *     size_t len = utf8_decode("\u00e9t\u00e9", 5, &code);      2, and code is 0xe9 */
#ifndef UTF8_H
#define UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Returns the bytes of the character at text (1 to 4), and in *code its code. 0: it is malformed, overlong, a
 * surrogate, above 0x10ffff, or does not end within n bytes. n is 1 or more. */
size_t utf8_decode(const void *text, size_t n, uint32_t *code);

/* Writes the character at text as it stands within a JSON string, with a NUL: as it is, or escaped; U+FFFD for a byte
 * that is no UTF-8. Returns how many bytes were taken, 1 to 4. */
enum { UTF8_JSON = 8 };
size_t utf8_json(const void *text, size_t n, char json[UTF8_JSON]);

#endif
