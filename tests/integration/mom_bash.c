/* mom_bash - completion for bash: what Tab offers after mom */
#include <lib/run.h>
#include <lib/t.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
has_bash(void)
{
	int there = run_command("bash --version").status == 0;
	if (!there)
		t_remark("left out: bash is not installed");
	return there;
}

/* What Tab offers behind these words, a line each, sorted. mom is a stand-in with a command topics where
 * with_topics. */
static void
offers(const char *words, int with_topics, const char *wanted)
{
	char *mom = realpath(t_bin("mom"), NULL), *code = t_path("code"), *stand_in = t_path("mom");
	FILE *f = fopen(stand_in, "w");
	REQUIRE(f && fprintf(f, "#!/bin/sh\n%s\nexec '%s' \"$@\"\n",
	    with_topics ? "[ \"$1\" = topics ] && printf 'TOPIC   SUBSCRIBERS\\nnews   1 subscriber\\nplant/boiler   "
	    "2\\nplant/it\"s\\nx$(id>pwned)\\n' && exit" :
	    "[ \"$1\" = topics ] && exit 2", mom) > 0 && fclose(f) == 0, "%s", stand_in);
	f = fopen(code, "w");
	REQUIRE(f && fprintf(f, "source src/tools/mom/mom.bash\nCOMP_WORDS=(mom %s)\nCOMP_CWORD=$((${#COMP_WORDS[@]} - "
	    "1))\nword=${COMP_WORDS[$COMP_CWORD]}\nbefore=${COMP_WORDS[$COMP_CWORD - 1]}\n_mom '%s' \"$word\" "
	    "\"$before\"\nprintf '%%s\\n' \"${COMPREPLY[@]}\" | sort\n", words, stand_in) > 0 && fclose(f) == 0, "%s",
	    code);
	struct ran r = run_command("chmod +x '%s'; bash '%s'", stand_in, code);
	REQUIRE(r.status == 0 && r.err[0] == '\0' && strcmp(r.out, wanted) == 0, "mom %s: wanted\n%sgot\n%s%s", words,
	    wanted, r.out, r.err);
}

TEST(commands, "Tab offers the commands that begin so, and after help, too")
{
	if (!has_bash())
		return;
	offers("ba", 0, "backup\n");
	offers("help su", 0, "sub\n");
	offers("pu", 0, "pub\n");
	offers("nonsense", 0, "\n");
}

TEST(options, "Tab offers the options of that command, long and short, as its help page names them")
{
	if (!has_bash())
		return;
	offers("sub --fo", 0, "--forget\n--format\n");
	offers("pub --f", 0, "--fast\n--file\n");
	offers("backup --", 0, "--db\n--help\n");
	offers("pub -", 0, "--async\n--content-type\n--correlation\n--count\n--empty\n--fast\n--file\n--header\n"
	    "--help\n--interval\n--key\n--lines\n--need-subscriber\n--reply-to\n--stdin\n--timeout\n--ttl\n--verbose\n"
	    "-H\n-f\n-l\n-m\n-n\n-q\n-s\n-t\n-v\n");
}

TEST(topics, "Tab offers topics where mom topics tells them, nothing where it does not; behind an option with a value "
    "none; folders behind --db")
{
	if (!has_bash())
		return;
	offers("pub p", 1, "plant/boiler\nplant/it\\\"s\n");
	offers("pub x", 1, "x\\$\\(id\\>pwned\\)\n");
	REQUIRE(run_command("test -e pwned").status != 0, "a topic's name was run");
	offers("sub -v n", 1, "news\n");
	offers("pub -n n", 1, "news\n");
	offers("sub -C ''", 1, "\n");
	offers("sub n", 0, "\n");
	offers("peek --db src/to", 1, "src/tools\n");
}

TEST(coordinator, "Tab offers the options of mom_coordinator, and nothing where a name or a number is to be written")
{
	if (!has_bash())
		return;
	struct ran r = run_command("bash -c 'source src/tools/mom/mom.bash; _mom_coordinator \"$1\" --m "
	    "mom_coordinator; echo \"${COMPREPLY[@]}\"; _mom_coordinator \"$1\" - --list; printf \"%%s\\n\" "
	    "\"${COMPREPLY[@]}\" | sort | tr \"\\n\" \" \"; _mom_coordinator \"$1\" \"\" --name; echo "
	    "\"${#COMPREPLY[@]}\"' bash '%s'", t_bin("mom_coordinator"));
	REQUIRE(r.status == 0 && strcmp(r.out, "--missed\n--alive --help --list --missed --name -q -v 0\n") == 0,
	    "%s%s",
	    r.out, r.err);
}
