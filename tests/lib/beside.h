/* beside - an honest pair beside somebody who does harm
 *
 *     static void act(void *with) { while (beside_acts()) ...one harmful thing...; }
 *     beside(act, with);          the daemon in use is the pair's
 *
 * The one who does harm and a busy loop in its place take turns, so that what the cores cost counts for neither.
 * The pair is two clients of the case's process: one publishes a message, the other receives it, again and again.
 * With harm their rate has to stay above half of what it is without in one of three rounds (LONG=1, on a quiet
 * machine). Beside the other cases of make test, which come and go, it is a quarter in one of 24. No single exchange
 * may take longer than a tenth of the patience. The pair publishes MOM_FAST. What is behind a durable request in a
 * shard waits for the disk, too: where the harm is durable requests, the pair's are (beside_durably). */
#ifndef BESIDE_H
#define BESIDE_H

void beside(void (*act)(void *with), void *with);
void beside_durably(void (*act)(void *with), void *with);
int  beside_acts(void);                /* in act: 0 once it has to return */
#endif
