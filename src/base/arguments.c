/* arguments - see arguments.h. Plain state, no calls: see tests/unit/arguments.c */
#include "base/arguments.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NO_VALUE = no_argument, OWN_VALUE = required_argument, MAY_HAVE_VALUE = optional_argument, NEAR = 3 };

void
arguments_begin(struct arguments *a, int argc, char **argv, const char *shorts, const struct option *longs)
{
	memset(a, 0, sizeof *a);
	a->shorts = shorts;
	a->longs = longs;
	a->word = a->next = argv + (argc > 0);
}

/* at most one row of the table is kept */
unsigned
word_distance(const char *a, size_t an, const char *b)
{
	unsigned row[64];
	size_t bn = strlen(b);
	if (an >= 64 || bn >= 64)
		return 64;
	for (unsigned j = 0; j <= bn; j++)
		row[j] = j;
	for (size_t i = 1; i <= an; i++) {
		unsigned corner = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= bn; j++) {
			unsigned above = row[j], least = corner + (a[i - 1] != b[j - 1]);
			if (above + 1 < least)
				least = above + 1;
			if (row[j - 1] + 1 < least)
				least = row[j - 1] + 1;
			corner = above;
			row[j] = least;
		}
	}
	return row[bn];
}

/* ---- what is wrong ---- */

static int fault(struct arguments *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int
fault(struct arguments *a, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	vsnprintf(a->fault, sizeof a->fault, format, ap);
	va_end(ap);
	for (char *p = a->fault; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	return '?';
}

/* The option that was meant, perhaps: one that begins so, or the most similar. */
static const struct option *
similar(const struct arguments *a, const char *name, size_t n)
{
	const struct option *nearest = NULL;
	unsigned best = NEAR;
	for (const struct option *o = a->longs; n && o->name; o++) {
		unsigned d = strncmp(o->name, name, n) == 0 ? 0 : word_distance(name, n, o->name);
		if (d < best) {
			best = d;
			nearest = o;
		}
	}
	return nearest;
}

static int
unknown(struct arguments *a, const char *word, size_t n)
{
	const struct option *meant = strncmp(word, "--", 2) == 0 ? similar(a, word + 2, n - 2) : NULL;
	return fault(a, "unknown option %.*s%s%s%s; a word that begins with - goes behind `--`",
	    (int)(n < 100 ? n : 100), word, meant ? " (is it --" : "", meant ? meant->name : "", meant ? "?)" : "");
}

/* ---- options ---- */

static int
next_long(struct arguments *a, char *word)
{
	size_t n = strcspn(word + 2, "=");
	const struct option *o = a->longs;
	while (o->name && (strncmp(o->name, word + 2, n) != 0 || o->name[n]))
		o++;
	if (o->name == NULL)
		return unknown(a, word, n + 2);
	if (word[n + 2] == '=')
		a->value = word + n + 3;
	if (a->value && o->has_arg == NO_VALUE)
		return fault(a, "--%s takes no value: %.100s", o->name, word);
	if (a->value == NULL && o->has_arg == OWN_VALUE && (a->value = *a->next) == NULL)
		return fault(a, "--%s needs a value", o->name);
	a->next += a->value == *a->next && a->value;
	return o->val;
}

static int
next_short(struct arguments *a)
{
	char letter = *a->cluster++, shown[3] = { '-', letter, '\0' };
	const char *known = letter == ':' ? NULL : strchr(a->shorts, letter);
	if (known == NULL)
		return unknown(a, shown, 2);
	if (known[1] != ':')
		return letter;
	a->value = *a->cluster ? a->cluster : *a->next;
	a->cluster = NULL;
	if (a->value == NULL)
		return fault(a, "-%c needs a value", letter);
	a->next += a->value == *a->next;
	return letter;
}

static int
is_argument(const char *word)
{
	const char *p = word + 1;
	return word[0] != '-' || *p == '\0' || (*p >= '0' && *p <= '9') || (*p == '.' && p[1] >= '0' && p[1] <= '9');
}

/* Arguments move to the front: their places there were those of options, or their own. */
int
arguments_next(struct arguments *a)
{
	a->value = NULL;
	if (a->cluster && *a->cluster)
		return next_short(a);
	while (*a->next) {
		char *word = *a->next++;
		if (a->only_words || is_argument(word))
			a->word[a->count++] = word;
		else if (strcmp(word, "--") == 0)
			a->only_words = 1;
		else if (word[1] == '-')
			return next_long(a, word);
		else {
			a->cluster = word + 1;
			return next_short(a);
		}
	}
	a->word[a->count] = NULL;
	return -1;
}

char *
arguments_take(struct arguments *a)
{
	if (a->count == 0)
		return NULL;
	a->count--;
	return *a->word++;
}
