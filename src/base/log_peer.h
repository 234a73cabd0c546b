/* Lines that a peer can cause again and again; a peer is a client, a machine, a stranger. All lines of one format are a
 * kind. Of each kind the first LOG_FIRST lines that a peer causes within ten seconds are written at once, for up to
 * LOG_PEERS peers. The others are counted, and their count is told when the ten seconds are over:
 *     worker[7]: warn: and 116000 more like this in 10 s, one of them: mom_requester[9]: client 0000000100000001 in ...
 * So a log grows by a bounded number of lines a second whatever peers do, and no peer hides the first line of another.
 * The limits stand in a supervisor's table, and its children share them: children come and go with their peers, and
 * else each child would have its own first lines. Nothing is a lock. */
#ifndef LOG_PEER_H
#define LOG_PEER_H
#include "base/log.h"
#include <stdatomic.h>

enum { LOG_KINDS = 64, LOG_PEERS = 8, LOG_FIRST = 4, LOG_PEER_MS = 10000, LOG_SAMPLE = 300 };

struct log_kind {
	_Atomic uint32_t kind, from;            /* kind 0: free; from: LOG_FROM_* of the line that was held back last */
	_Atomic int64_t began;                  /* when its ten seconds began; 0: never */
	_Atomic uint64_t more;                  /* lines held back since then */
	_Atomic uint64_t peer[LOG_PEERS];       /* who had lines written since then; the lowest byte: how many */
	char sample[LOG_SAMPLE];                /* one of those held back; two may be mixed */
};
struct log_limits { struct log_kind kind[LOG_KINDS]; };

/* from: LOG_FROM_INFO, _WARN or _ERROR. peer: a number that the peer cannot choose freely, such as that of its user,
 * machine, slot or address; 0: there is none. */
void log_peer(uint32_t from, uint64_t peer, const char *format, ...) LOG_PRINTF(3, 4);
void log_peer_fatal(int status, uint64_t peer, const char *format, ...)     /* logs an error, then exits */
    LOG_PRINTF(3, 4) __attribute__((noreturn));
uint64_t log_peer_of(const char *address);      /* the number of the peer at IP:PORT; its port does not count */
void log_peers_share(struct log_limits *limits);       /* uses these from now on; NULL: the process's own */
/* to be called each tick: tells the counts whose ten seconds are over */
void log_peers_tell(int64_t now_ms);
void log_peers_end(void);                       /* tells the rest; uses the process's own from now on */

/* For their test. 1: the line is to be written. *more: so many were held back in the *seconds before; tell that
 * first. */
int  log_limit(struct log_kind *k, uint64_t peer, int64_t now_ms, uint64_t *more, uint32_t *seconds);
/* If the ten seconds are over, or at_once: returns how many lines were held back in *seconds, and the next ten seconds
 * begin. */
uint64_t log_limit_turn(struct log_kind *k, int64_t now_ms, int at_once, uint32_t *seconds);
struct log_kind *log_limit_of(struct log_limits *limits, const char *format);
#endif
