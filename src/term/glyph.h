/* UTF-8 as a terminal shows it: characters, what belongs to one, and how many columns it takes. It needs no locale. */
#ifndef GLYPH_H
#define GLYPH_H
#include <stddef.h>
#include <stdint.h>

enum { GLYPH_BAD = 0xfffd };                                     /* stands for a byte that is no UTF-8 */
/* A code point on the screen: itself, ^X for a control, U+FFFD for what must not be shown. */
struct glyph { size_t bytes, columns; char shown[5]; };

/* n > 0. Returns the bytes of the code point at p; 1, and GLYPH_BAD in *code, if there is none. */
size_t glyph_decode(const char *p, size_t n, uint32_t *code);
/* Columns: 0: it joins the one before; 1; 2; -1: it is a control, or would turn the line round. */
int glyph_width(uint32_t code);
struct glyph glyph_at(const char *p, size_t n);
/* at, or the end of the code point that it lies in */
size_t glyph_settle(const char *text, size_t n, size_t at);
/* Where the character begins that is next in that direction, 1 or -1; at an end of the text: at. A character is a code
 * point and what joins it. */
size_t glyph_step(const char *text, size_t n, size_t at, int step);
#endif
