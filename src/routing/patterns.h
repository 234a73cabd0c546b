/* A set of patterns, and which of them match a topic.
 *
 * The levels of a pattern are parted by `/` where it has a `/` or a `+`, else by `.`; those of a topic likewise, as the
 * pattern that it is held against wants them. `+` and `*` stand for one level, `#` for any number of levels or none,
 * `>` at the end for one or more. A wildcard that is the first level matches no topic that begins with `$`.
 *
 * The patterns stand in a tree of levels. A topic is walked through it once, with the set of all nodes that its levels
 * so far have reached: so no pattern makes a walk longer than the nodes that it has. */
#ifndef PATTERNS_H
#define PATTERNS_H
#include <stddef.h>
#include <stdint.h>

struct pattern_node;

/* All 0 is an empty set. */
struct patterns {
	size_t count;
	struct pattern_node *root[2];         /* of those that are parted by `/`, and by `.` */
	void **found;                         /* what patterns_match returned last */
	size_t found_room;
	void **reached, **next;               /* the nodes that a level and the one before it reach */
	size_t set_room;
	uint64_t walk;                        /* grows with each level of each walk */
	size_t nodes;
};

/* It must be a valid pattern (pattern_fault) that is not there yet. -1: no memory */
int    patterns_add(struct patterns *p, const char *pattern, size_t len, void *value);
/* It must be there. */
void   patterns_remove(struct patterns *p, const char *pattern, size_t len);
/* Forgets all of it. */
void   patterns_free(struct patterns *p);
/* The values of all patterns that match; valid until the next call. */
size_t patterns_match(struct patterns *p, const char *topic, size_t len, void ***values);
/* 1: one of them matches. -1: that is not known: more than so many nodes would have to be visited. */
int    patterns_any(struct patterns *p, const char *topic, size_t len, size_t visits);
#endif
