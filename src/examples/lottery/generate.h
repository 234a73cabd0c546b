/* generate - the files of a lottery: bets by chance, the same ones for the same seed */
#ifndef GENERATE_H
#define GENERATE_H

/* agency-1.csv to agency-N.csv with `bets` bets in all, and lottery.conf, into a folder that exists. 0, or -1 with
 * errno. */
int generate(const char *folder, int agencies, long bets, unsigned long long seed, long winner);
#endif
