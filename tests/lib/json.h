/* json - is a text JSON? A small strict reader, for what our tools print; and what stands under a path in it
 *
 *     REQUIRE(json_fault(text) == NULL, "%s", json_fault(text));
 *     json_at(text, "2.counters.starts_total", value, sizeof value);        third element, its member, its member */
#ifndef JSON_H
#define JSON_H

#include <stddef.h>

/* NULL: sound; else what is wrong, with the place (static) */
const char *json_fault(const char *text);
/* The value under that path into out: a string without its quotes (escapes as they stand), anything else as it is
 * written. 1, or 0: there is none. */
int json_at(const char *text, const char *path, char *out, size_t size);
int json_length(const char *text);                             /* elements of the array, -1: it is none */
/* Index of the element of an array of objects whose member is this value, from `from` on; -1: none. */
int json_find(const char *text, const char *member, const char *value, int from);

#endif
