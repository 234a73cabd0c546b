/* checker - reads the histories of all clients of a storm (history.h) and says whether what is promised to a user was
 * kept
 *
 *     struct verdict v;
 *     checker_judge(&v, folder, CHECKER_KILLS);          I1 to I5, from the histories
 *     checker_say(&v, I6, left == 0, "...");             what the storm itself saw: I6 to I9
 *     checker_require(&v, "SEED=7");                     ends the case at the first broken sentence
 *
 * How it judges: a message that was tried has a publisher (each process its own number), a topic and a number; its
 * bytes follow from those (payload.h). It is owed to a subscriber if it is certain to be stored and was tried after the
 * subscribe had returned, or lies between two of the same publisher and topic that the subscriber got. A history that
 * was not drained (its process was killed) is owed nothing behind its last message. MOM_NO_ECHO is not known here.
 * What mom_publish or mom_flush answered with 0 was told to be stored: it is owed whatever became of its publisher,
 * also where somebody ended that client. MOM_EBADID is no such answer: stored or not, both are right.
 * A durable subscriber's history is that of all its processes; what comes again must be flagged, and not have been
 * acknowledged. */
#ifndef CHECKER_H
#define CHECKER_H

#include <stdint.h>

/* What befell the machines. KILLS: what a publish accepted (returned 0, or MOM_ETIMEDOUT) is owed, even where its
 * process was killed at once afterwards; an answer that a flush gave covers all before it. POWER: only what was
 * acknowledged is owed; acknowledgements of receivers may be forgotten (flagged again), and fast messages may be gone,
 * as many as were told lost, or their publisher is gone too, or come again. */
enum checker_rules { CHECKER_KILLS, CHECKER_POWER };

enum sentence { I1, I2, I3, I4, I5, I6, I7, I8, I9, SENTENCES };
extern const char *const sentence_text[SENTENCES];

struct verdict {
	int  judged[SENTENCES];
	long broken[SENTENCES];              /* how often */
	char first[SENTENCES][400];          /* the first time, with names and numbers */
	long clients, sessions, ended, tried, acknowledged, sent, refused, unknown;
	long delivered, accepted, redelivered, lost_told, gaps, drained;
};

void checker_judge(struct verdict *v, const char *folder, enum checker_rules rules);
/* the counts and what is broken of another turn of the same storm */
void checker_add(struct verdict *all, const struct verdict *v);
/* ok or not, printf text of what was seen */
void checker_say(struct verdict *v, enum sentence i, int ok, const char *format,
    ...) __attribute__((format(printf, 4, 5)));
/* 1: no judged sentence is broken */
int  checker_holds(const struct verdict *v);
void checker_require(const struct verdict *v, const char *repeat);
#endif
