/* make-agencies - writes the files of a lottery: make-agencies N BETS SEED [FOLDER]
 *
 * agency-1.csv to agency-N.csv with BETS bets in all, by chance (the same ones for the same SEED), and lottery.conf. */
#include "bet.h"
#include "config.h"
#include "generate.h"
#include "tell.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

int
main(int argc, char **argv)
{
	int help = argc == 2 && strcmp(argv[1], "--help") == 0;
	long n = argc > 3 ? config_number(argv[1], 1, AGENCIES_MAX) : -1,
	    bets = argc > 3 ? config_number(argv[2], 0, 100000000) : -1;
	long seed = argc > 3 ? config_number(argv[3], 0, INT_MAX) : -1;
	const char *folder = argc > 4 ? argv[4] : ".";
	tell_program = "make-agencies";
	if (argc < 4 || argc > 5 || n < 0 || bets < 0 || seed < 0)
		return fprintf(help ? stdout : stderr, "usage: make-agencies N BETS SEED [FOLDER]\n"
		    "  N agencies (1 to %d), BETS bets in all (to 100000000), SEED a number; FOLDER exists, else this "
		    "one\n", AGENCIES_MAX), help ? 0 : 100;
	if (generate(folder, (int)n, bets, (unsigned long long)seed, 7574) < 0)
		tell_fatal(111, "%s: %s", folder, strerror(errno));
	return 0;
}
