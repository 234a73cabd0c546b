/* The options of a command line: one parser for all programs. It does not heed POSIXLY_CORRECT and takes no
 * abbreviations.
 *     struct arguments a;
 *     arguments_begin(&a, argc, argv, "vn:", longs);
 *     for (int o; (o = arguments_next(&a)) != -1;)
 *         if (o == '?') puts(a.fault);
 *     for (char *word; (word = arguments_take(&a)) != NULL;) ...
 * Options may stand anywhere: -v, -n 5, -n5, -vn5, --name VALUE, --name=VALUE. An argument is what is no option: words,
 * a single -, numbers below zero (-87.5: no option is a digit), and all that comes behind `--`. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H
#include <getopt.h>
#include <stddef.h>

struct arguments {
	char **word;                     /* arguments that were not taken yet: as many as count */
	int  count;
	char *value;                     /* value of the latest option; NULL: it has none */
	char fault[500];                 /* what is wrong, and the cure */
	/* for the parser only */
	char **next, *cluster;           /* cluster: the rest of -vn5 */
	const char *shorts;              /* option letters; a letter with a : behind it has a value */
	const struct option *longs;      /* struct option of getopt.h (nothing else of it is used); ends with { 0 } */
	int  only_words;                 /* `--` came */
};

void arguments_begin(struct arguments *a, int argc, char **argv, const char *shorts, const struct option *longs);
int arguments_next(struct arguments *a); /* a letter, or val of a long option; '?': see fault; -1: no more */
char *arguments_take(struct arguments *a);     /* the next argument, once all options are known, or NULL */

/* How many letters of a (an bytes) have to be changed, added or left out to get b. 64: one of them is longer than
 * 63. */
unsigned word_distance(const char *a, size_t an, const char *b);
#endif
