/* pace - how much slower this machine is now than the one where the limits were chosen: dear system calls, busy
 * neighbours. Limits follow it, so that a slow machine does not look like a hang. The runner measures every few
 * seconds; a case keeps the worst that was seen. */
#ifndef PACE_H
#define PACE_H
struct t_state;
void pace_measure(struct t_state *s);          /* into s->slowness, in percent: 100 or more */
#endif
