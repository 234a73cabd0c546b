/* verify - what came out of a lottery, against its agencies' files read one after the other by one process */
#ifndef VERIFY_H
#define VERIFY_H

#include "config.h"

struct verdict {
	long sent, stored;                     /* bets of the agencies' files; of bets.csv */
	int  same_bets;                        /* the same ones, each as often */
	long winners, told;                    /* by the computation; in all winners-N.csv */
	int  own_winners;                      /* each agency was told the documents of its own winners, and no other */
	char text[600];                        /* what is wrong first */
};

/* 1: all holds. */
int verify(struct verdict *v, const struct config *c);
#endif
