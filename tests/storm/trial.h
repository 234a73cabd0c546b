/* trial - reads what witness.so wrote down of a run (shim/witness.h) and ends the case at the first promise that came
 * too early
 *
 *     trial_begin();                       servers that are started from here on are witnessed
 *     ... trial_hear() every now and then, and at the end ...
 *     t_remark("%s", trial_closing());
 *
 * No power has to fail for it. A file's bytes count as stored once an fdatasync or fsync of it has returned 0 that
 * began after their write had returned. A name counts as stored once an fsync of its folder has returned 0 that began
 * after the rename had returned. What a killed process had begun counts as not done. It is proved of each worker that
 *   T1  no `acked` word and no ANSWERS frame covers a request whose record is not stored, bytes and name (MOM_FAST: not
 *       written)
 *   T2  `head` passes no record that must be stored and is not: no subscriber is shown what a power cut could take back
 *   T3  a file gets its last name (log-X, checkpoint) only when all its bytes are stored
 *   T4  a check-point gets its name only when the log below it is stored
 *   T5  a segment loses its name only when a stored check-point covers it
 *   T6  a file that was a segment is written to only when the disk cannot call it by its old name any more
 * and of each mom_forwarder and mom_requester
 *   T7  no `place` word and no PLACE frame passes a message of a sleeper (trial_sleeper) that is not in the spool,
 *       stored
 */
#ifndef TRIAL_H
#define TRIAL_H
#include <stdint.h>

struct trial_counts {
	long words, answers, heads, places, records, stored, syncs, renames, segments, reused, packed, checkpoints;
	long sleepers_mail;
};
extern struct trial_counts trial_counts;

void trial_begin(void);
/* From here on this client takes nothing from its mail box. Call it before what it subscribed to is heard. */
void trial_sleeper(uint64_t id);
void trial_wake(void);               /* all sleepers are going to take their mail: they are forgotten */
void trial_hear(void);               /* judges all that was written down since */
/* The disk below this folder lost its power, and all who write there are dead: what was not stored is there or not.
 * Call it before anybody starts anew. */
void trial_cut(const char *path);
const char *trial_closing(void);
#endif
