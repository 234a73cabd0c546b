/* One shard's log as one machine gets it: the machine's list of subscriptions, then what it subscribed to, in order. */
#ifndef STREAM_H
#define STREAM_H
#include "base/map.h"
#include "log/seglog.h"

enum { STREAM_SHARE = 4096 };

struct stream {
	uint32_t shard, serial;
	int dir;                      /* db/shard-N */
	int started;
	uint64_t as_of;               /* the list is as of this offset: older changes are in it */
	uint64_t from;                /* messages below are on the machine already */
	uint64_t at;                  /* the next offset to look at */
	uint64_t expired_below;       /* of the machine's clients */
	uint64_t told;                /* the machine knows that nothing below is to come */
	struct seglog_cursor cursor;
	int reading;                  /* the cursor is open, at `at` */
	struct map topics, clients, subs;     /* subs: of both */
	uint64_t numbers;             /* of topics */
	uint64_t looked;              /* records of the check-point */
	void (*alive)(void);          /* called after each STREAM_SHARE of those: a long list takes long; or NULL */
	char  *out;                   /* frames to send: out[sent .. have] */
	size_t sent, have, room;
	uint32_t record_most;
};

/* Of a stream that is 0 but for shard, serial, dir, alive, from (what the machine says that it has; 0: nothing).
 * The list is in out. message: the largest payload; head: where the log ends now. -1: errno or damaged (logged) */
int  stream_start(struct stream *s, uint32_t message, uint64_t head);
/* More frames into an empty out: what lies below head; skips to head without reading where nothing is wanted from here
 * on. -1: errno */
int  stream_read(struct stream *s, uint64_t head, uint64_t wanted);
/* an UPTO into an empty out, where one is due */
void stream_tell_place(struct stream *s);
#endif
