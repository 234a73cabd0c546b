/* mom top: what is counted at one moment, as rows that the next moment is compared with. */
#ifndef CMD_TOP_H
#define CMD_TOP_H

#include "tools/mom/cmd_look.h"

enum top_section { TOP_PROCESSES, TOP_TOPICS, TOP_MACHINES, TOP_CLIENTS, TOP_SECTIONS };
enum { TOP_COUNTS = 4, TOP_GAUGES = 3, TOP_NAME = 300 };

/* What stands in counts and gauges, by section:
 *   processes: messages in, messages out, bytes in and out, syncs;   depth of its queue, deaths of its children
 *   topics:    messages, bytes
 *   machines:  bytes of deliveries taken;                            bytes behind
 *   clients:   requests, bytes of the log that it went past;         messages waiting, requests' bytes without an
 *              answer, seconds that the oldest message waits */
struct top_row {
	enum top_section section;
	uint64_t key;
	char name[TOP_NAME], who[64];
	uint64_t count[TOP_COUNTS], gauge[TOP_GAUGES];
	uint64_t sync[HISTOGRAM_BUCKETS];      /* processes: how long syncs took */
	double rate[TOP_COUNTS];               /* a second, since the sample before; 0 where it was not there */
	double sync_ms;                        /* 99 of 100 took less, since then; below 0: none */
};

struct top_sample {
	const struct cmd *of; struct top_row *row; size_t count, room, servers; int64_t at_us; int bad; };

/* c: whose complaints they are, where it cannot be taken */
void top_take(const struct cmd *c, struct top_sample *s, char **folders, int n);
/* fills in the rates, sorts: the busiest first in each section */
void top_compare(struct top_sample *now, const struct top_sample *before);
void top_free(struct top_sample *s);

#endif
