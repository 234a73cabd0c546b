/* What was found out about a topic, kept until something changes by which it may be another. It is bounded: a full one
 * is emptied. */
#ifndef MEMO_H
#define MEMO_H
#include "base/map.h"
enum { MEMO_BYTES = 1024 * 1024 };
/* All 0 is an empty one. stale: set it when what was found out may be wrong now; what was given out stays valid until
 * the next call. */
struct memo { struct map entries; size_t bytes; int stale; };
/* 1: it is known, and *value is what was put. */
int  memo_get(struct memo *m, const char *topic, size_t len, void **value);
/* The topic must not be known. bytes: of a value that is freed with the memo; 0: it belongs to somebody else. -1: no
 * memory */
int  memo_put(struct memo *m, const char *topic, size_t len, void *value, size_t bytes);
/* What is known of one topic may be wrong now, and is freed at once. */
void memo_drop(struct memo *m, const char *topic, size_t len);
void memo_clear(struct memo *m);
#endif
