/* What a line editor shows: a row, and words in columns. Whatever bytes are in them, they cannot do anything else to
 * the terminal. */
#ifndef ROW_H
#define ROW_H
#include <stddef.h>
#include <stdio.h>

/* Prompt, text, and the cursor before that byte. A text that is too long is cut; < and > say where more of it is. */
void row_draw(FILE *out, size_t columns, const char *prompt, const char *text, size_t cursor);
/* Words below one another, in as many columns as there is room for, as ls does it. */
void row_list(FILE *out, size_t columns, char *const *words, size_t n);
#endif
