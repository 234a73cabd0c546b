/* Which finished segments of a log are mostly dead, and when they are written anew with what is still needed: one
 * sleeping reader pins what it needs and no more. */
#ifndef SEGLOG_PACKING_H
#define SEGLOG_PACKING_H
#include "log/seglog.h"

/* A segment rests for so many looks before it is packed: readers that are a little behind are past it by then. */
enum { PACKING_REST = 3 };

struct seglog_packing {
	struct seglog *log;
	const char *name;             /* of the log, in what is logged: "spool" */
	/* Who may need a segment, as a number that changes when they change; 0: nobody. end: the next segment's base.
	 * What was found to be mostly needed is looked at again when the number is another. *looks is 1; it may be set
	 * to how many looks of the rest this one counts for, or to 0: most of the segment is needed. */
	uint64_t (*wanted_by)(const struct seglog_file *f, uint64_t end, int *looks);
	seglog_keep_fn keep;
	void *with;                   /* for keep */
	int waits;                    /* segments wait to be packed */
};

/* To be called once a second. below: a segment that ends above it stays as it is. */
void seglog_packing_look(struct seglog_packing *p, uint64_t below);
/* Packs one of the segments that wait. */
void seglog_packing_one(struct seglog_packing *p);
#endif
