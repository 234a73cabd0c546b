/* The small files of a store, a spool and a run folder: are they sound? For tools that look at a folder as a whole. */
#ifndef SMALL_FILE_H
#define SMALL_FILE_H
#include <stddef.h>
/* Is that the name of one of them? */
int small_file_is(const char *name);
/* What is wrong with a file of that name; NULL: nothing. text[n] is a NUL. */
const char *small_file_fault(const char *name, const char *text, size_t n);
#endif
