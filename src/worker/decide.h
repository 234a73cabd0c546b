/* May this request be taken? Plain numbers, no state.
 *
 *     struct decision d = decide_request(client->last, refused, r.number, first);
 *     if (d.verdict == VERDICT_TAKE) ... */
#ifndef DECIDE_H
#define DECIDE_H

#include <stdint.h>

/* TAKE: it is the next one. AGAIN: it was taken before, answer once more. IGNORE: it came behind a refusal that its
 * client has not heard of yet. BROKEN: one before it is missing, which an honest machine never lets happen. */
enum verdict { VERDICT_TAKE, VERDICT_AGAIN, VERDICT_IGNORE, VERDICT_BROKEN };
/* lost_from > 0: fast messages that a power cut took */
struct decision { enum verdict verdict; uint64_t lost_from, lost_to; };
/* last: the highest number that was taken. refused: the number that was refused last. first: below it libmom waits for
 * nothing any more. */
struct decision decide_request(uint64_t last, uint64_t refused, uint64_t number, uint64_t first);

#endif
