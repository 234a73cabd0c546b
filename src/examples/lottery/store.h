/* store - bets.csv and bets.journal: each batch is in both or in none, once, whoever is killed and when
 *
 * A record of the journal is a line of STORE_RECORD bytes: what was done with one message (kind, its offset in the
 * topic, its publisher, its number there, count, agency) and how long bets.csv is since then. The bets are written
 * first, then the record. Whoever has the lock puts right what one that was killed has left: half a record goes, and so
 * does what bets.csv has beyond the last whole one. (A power cut may lose the last batches: nothing here waits for the
 * disk.) */
#ifndef STORE_H
#define STORE_H

#include "config.h"
#include <stddef.h>
#include <stdint.h>

enum { STORE_RECORD = 77 };

enum store_kind {
	STORE_BATCH   = 'b',                   /* its bets are stored: count of them */
	STORE_REFUSED = 'r',                   /* nothing of it is stored: count is -1 */
	STORE_END     = 'e',                   /* the agency has no more */
	STORE_NOTHING = 'n'                    /* an end of no agency: only known to have been seen */
};

struct store_entry {
	enum store_kind kind;
	uint64_t offset, publisher;
	uint32_t number;
	int      count;
	unsigned agency;
	long long end;
};

struct store {
	int bets, journal, lock;
	struct store_entry *entries;           /* what the journal held at the start, by offset */
	size_t count;
};

/* Opens both in the config's folder. resume 0: made anew. 1: gone on with. Waits until no process of another centre has
 * them open. Ends the program with 111 where that does not work. */
void store_open(struct store *s, const struct config *c, int resume);
const struct store_entry *store_find(const struct store *s, uint64_t offset);
/* Appends the lines to bets.csv and the entry to the journal, under a lock. 0, or -1 with errno: neither is there. */
int  store_put(struct store *s, struct store_entry *e, const char *lines, size_t len);
#endif
