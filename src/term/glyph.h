/* UTF-8 as a terminal shows it: characters, what belongs to one, and how many columns it takes. It needs no locale. */
#ifndef GLYPH_H
#define GLYPH_H
#include <stddef.h>
#include <stdint.h>
enum { GLYPH_BAD = 0xfffd };                                     /* stands for a byte that is no UTF-8 */
/* n > 0. Returns the bytes of the code point at p; 1, and GLYPH_BAD in *code, if there is none. */
size_t glyph_decode(const char *p, size_t n, uint32_t *code);
/* Columns: 0: it joins the one before; 1; 2; -1: it is a control, or would turn the line round. */
int    glyph_width(uint32_t code);
/* The character's shape on the screen: itself, ^X for a control, U+FFFD for what must not be shown. shown: 4 bytes;
 * *shown_len: how many of them are used. Returns the bytes of p that it takes. */
size_t glyph_show(const char *p, size_t n, char *shown, size_t *shown_len, size_t *columns);
/* One character is a code point and what joins it. at < n, at > 0. */
size_t glyph_next(const char *text, size_t n, size_t at);       /* where the one behind it begins */
size_t glyph_prev(const char *text, size_t at);                 /* where the one before it begins */
size_t glyph_settle(const char *text, size_t n, size_t at);     /* at, or the end of the code point that it lies in */
#endif
