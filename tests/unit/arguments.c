/* arguments - the parser of command lines: each form of an option, arguments between them, what is refused and how */
#include "base/arguments.h"
#include <lib/t.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option longs[] = { { "store-max", 1, 0, 1 }, { "store", 1, 0, 2 }, { "lines", 0, 0, 'l' },
	{ "log-time", 2, 0, 3 }, { "topic-max", 1, 0, 4 }, { 0 } };

/* What a line means, as text: "l store-max=5 | one two"; a fault ends it. */
static char *
meaning(const char *line)
{
	static char text[2000];
	char *argv[40] = { strdup("program") }, *rest = NULL;
	int argc = 1;
	struct arguments a;
	size_t n = 0;
	for (char *word = strtok_r(strdup(line), " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		argv[argc++] = strcmp(word, "''") == 0 ? word + 2 : word;
	arguments_begin(&a, argc, argv, "lvn:F:", longs);
	for (int o; (o = arguments_next(&a)) != -1;) {
		if (o == '?')
			return t_text("%s", a.fault);
		n += (size_t)snprintf(text + n, sizeof text - n, o < ' ' ? "%d" : "%c", o);
		n += (size_t)snprintf(text + n, sizeof text - n, a.value ? "=%s " : " ", a.value);
	}
	n += (size_t)snprintf(text + n, sizeof text - n, "|");
	REQUIRE(a.word[a.count] == NULL, "the arguments have no end: %s", line);
	for (char *word; (word = arguments_take(&a)) != NULL;)
		n += (size_t)snprintf(text + n, sizeof text - n, " %s", word);
	return text;
}

static void
means(const char *line, const char *wanted)
{
	const char *got = meaning(line);
	CHECK(strcmp(got, wanted) == 0, "%s: got %s, wanted %s", line, got, wanted);
}

static void
all_forms(void)
{
	means("", "|");
	means("one two", "| one two");
	means("one -l two -v", "l v | one two");
	means("-lv -n5 one", "l v n=5 | one");
	means("-lvn5", "l v n=5 |");
	means("-lvn 5 one", "l v n=5 | one");
	means("one -n -5 -n --lines", "n=-5 n=--lines | one");
	means("-nl", "n=l |");
	means("--lines --store-max 5 --store-max=6 --store=", "l 1=5 1=6 2= |");
	means("--store-max -v x", "1=-v | x");
	means("--log-time --log-time=no yes", "3 3=no | yes");
	means("t -- -l --lines -- x", "| t -l --lines -- x");
	means("-l -- t", "l | t");
	means("--", "|");
	means("t -", "| t -");
	means("t ''", "| t ");
	means("t -87.5 -1 -.5 -0x1 -7up", "| t -87.5 -1 -.5 -0x1 -7up");
	means("-n -- x", "n=-- | x");
}

TEST(forms, "each form of an option, options between and behind arguments, numbers below zero as arguments, `--`")
{
	all_forms();
}

TEST(posixly_correct, "POSIXLY_CORRECT changes none of it")
{
	setenv("POSIXLY_CORRECT", "1", 1);
	all_forms();
}

TEST(faults, "what is refused is named with its cure: abbreviations are none, a word with - in front goes behind `--`")
{
	means("t -x", "unknown option -x; a word that begins with - goes behind `--`");
	means("t -lx", "unknown option -x; a word that begins with - goes behind `--`");
	means("t -:", "unknown option -:; a word that begins with - goes behind `--`");
	means("t -v.5", "unknown option -.; a word that begins with - goes behind `--`");
	means(
	    "--store-m 5", "unknown option --store-m (is it --store-max?); a word that begins with - goes behind `--`");
	means("--l", "unknown option --l (is it --lines?); a word that begins with - goes behind `--`");
	means("--tpoic-max=5",
	    "unknown option --tpoic-max (is it --topic-max?); a word that begins with - goes behind `--`");
	means("--what", "unknown option --what; a word that begins with - goes behind `--`");
	means("---", "unknown option ---; a word that begins with - goes behind `--`");
	means("--=5", "unknown option --; a word that begins with - goes behind `--`");
	means("t --store-max", "--store-max needs a value");
	means("t -ln", "-n needs a value");
	means("--lines=5", "--lines takes no value: --lines=5");
	means("-\033[2J", "unknown option -?; a word that begins with - goes behind `--`");
	means("--\033[2J", "unknown option --?[2J; a word that begins with - goes behind `--`");
}
