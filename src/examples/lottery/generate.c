/* generate - the files of a lottery: bets by chance, the same ones for the same seed */
#include "generate.h"
#include "bet.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static uint64_t state;

static unsigned
chance(unsigned below)
{
	uint64_t z = state += UINT64_C(0x9E3779B97F4A7C15);         /* splitmix64 */
	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return (unsigned)((z ^ z >> 31) % below);
}

/* two to four syllables; now and then something that a file of fields has to put in quotes */
static void
make_name(char *name, int is_surname)
{
	static const char *const syllables[] = { "ba", "ce", "di", "fo", "ga", "hel", "jo", "ka", "lin", "mi", "no",
	    "pe", "ra", "ser", "to", "vi",
		"ña", "zé" };
	char *to = name;
	for (unsigned n = 2 + chance(3); n > 0; n--)
		to = stpcpy(to, syllables[chance(sizeof syllables / sizeof *syllables)]);
	if (name[0] >= 'a' && name[0] <= 'z')
		name[0] = (char)(name[0] - 'a' + 'A');
	if (is_surname && chance(50) == 0)
		stpcpy(to, ", jr");
	else if (chance(100) == 0)
		sprintf(to, " \"%s\"", syllables[chance(16)]);
}

static void
make_bet(struct bet *b, long winner)
{
	make_name(b->name, 0);
	make_name(b->surname, 1);
	b->document = 1 + chance(99999999);
	snprintf(b->birth, sizeof b->birth, "%04u-%02u-%02u", 1930 + chance(75), 1 + chance(12), 1 + chance(28));
	b->number = chance(500) == 0 ? (unsigned)winner : chance(10000);       /* winners in small lotteries, too */
}

static FILE *
begin(const char *folder, const char *name)
{
	char path[1200];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return fopen(path, "we");
}

static int
finish(FILE *f)
{
	int bad = ferror(f), keep = errno;
	if (fclose(f) != 0)
		return -1;
	errno = keep;
	return bad ? -1 : 0;
}

static int
make_agency(const char *folder, int agency, long bets, long winner)
{
	char name[32], line[BET_LINE_MAX + 1];
	struct bet b = { .agency = (unsigned)agency };
	snprintf(name, sizeof name, "agency-%d.csv", agency);
	FILE *f = begin(folder, name);
	if (f == NULL)
		return -1;
	for (; bets > 0; bets--) {
		make_bet(&b, winner);
		bet_line(line, &b);
		fputs(strchr(line, ',') + 1, f);       /* without its agency */
	}
	return finish(f);
}

static int
make_config(const char *folder, int agencies, long winner)
{
	FILE *f = begin(folder, "lottery.conf");
	if (f == NULL)
		return -1;
	fprintf(f, "# read at each start by centre and agencies; the programs' options --KEY VALUE win over it\n"
	    "agencies %d       # how many; the bets of agency 2 are in agency-2.csv beside this file\n"
	    "winner %ld      # the number that wins\n"
	    "workers 4        # processes of the centre that store bets\n"
	    "batch 134        # bets of a message, 134 at most\n"
	    "quiet 15s        # the centre draws when there was no message for so long\n"
	    "patience 60s     # an agency gives up when there was no answer for so long\n"
	    "port 0           # the centre's text port on 127.0.0.1; 0 takes a free one\n"
	    "topic lottery    # the first part of all topics: several lotteries may share a broker\n", agencies,
	    winner);
	return finish(f);
}

int
generate(const char *folder, int agencies, long bets, unsigned long long seed, long winner)
{
	state = seed;
	for (int i = 1; i <= agencies; i++)
		if (make_agency(folder, i, bets / agencies + (i <= bets % agencies), winner) < 0)
			return -1;
	return make_config(folder, agencies, winner);
}
