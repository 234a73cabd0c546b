/* One shard's log as one machine gets it: first the machine's list of subscriptions, then what it subscribed to, in
 * order. */
#ifndef STREAM_H
#define STREAM_H
#include "log/seglog.h"
#include "routing/subscriptions.h"

enum { STREAM_SHARE = 4096 };

struct stream {
	uint32_t shard, serial;
	int dir;                      /* db/shard-N */
	int started;
	uint64_t as_of;               /* the list is as of this offset: older changes are in it */
	uint64_t from;                /* messages below this are on the machine already */
	uint64_t at;                  /* the next offset to look at */
	uint64_t expired_below;       /* the machine's clients with a lower counter were forgotten */
	uint64_t told;                /* the machine knows that nothing below this is to come */
	struct seglog_cursor cursor;
	int reading;                  /* the cursor is open, at `at` */
	struct subscriptions table;   /* the machine's */
	/* Hands that the machine's clients have as of then, ascending. Of what was handed out before then they are the
	 * only ones that count. */
	uint64_t *hands;
	size_t hands_count, hands_room;
	uint64_t looked;              /* records of the check-point that were looked at */
	/* called after each STREAM_SHARE of those, since a long list takes long; or NULL */
	void (*alive)(void);
	char  *out;                   /* frames to send: out[sent .. have] */
	size_t sent, have, room;
	uint32_t record_most;
};

/* Begins a stream. Before, all of it is 0 but shard, serial, dir, alive, and from (what the machine says that it has;
 * 0: nothing). The list is in out. message: the largest payload. head: where the log ends now. -1: errno, or damaged
 * (logged) */
int  stream_start(struct stream *s, uint32_t message, uint64_t head);
/* Puts more frames into an empty out: what lies below head. If nothing is wanted from here on, it skips to head without
 * reading. -1: errno */
int  stream_read(struct stream *s, uint64_t head, uint64_t wanted);
/* Puts an UPTO into an empty out, if one is due. */
void stream_tell_place(struct stream *s);
#endif
