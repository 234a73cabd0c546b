/* man - the manual pages say all that the programs and the header do, so that they cannot fall behind */
#include "config/config_keys.h"
#include <lib/run.h>
#include <lib/t.h>
#include <mom.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define PAGES SOURCE "/src/tools/man/"
static const struct { const char *program, *page; } programs[] = {
	{ "broker_server", "broker_server.8" }, { "mom_daemon", "mom_daemon.8" }, { "mom_http", "mom_http.8" },
	    { "mom_coordinator", "mom_coordinator.8" },
	{ "mom_bench", "mom_bench.1" }, { "db_dump", "db_dump.1" }, { "user_main", "user_main.1" },
	    { "mom", "mom.1" } };

/* Its source, and where it is a link (.so) that of what it leads to. */
static char *
page(const char *name)
{
	char to[80], *text = t_read_file(t_text(PAGES "man%c/%s", name[strlen(name) - 1], name));
	if (sscanf(text, ".so %79[^\n]", to) == 1)
		text = t_read_file(t_text(PAGES "%s", to));
	REQUIRE(strncmp(text, ".\\\"", 3) == 0 && strstr(text, "\n.Sh NAME\n"), "%s is no page", name);
	return text;
}

/* In the text as a whole word. */
static int
has_word(const char *text, const char *word)
{
	size_t n = strlen(word);
	for (const char *p = text; (p = strstr(p, word)) != NULL; p += n)
		if ((p == text || !strchr("_-", p[-1])) && (p == text || !isalnum((unsigned char)p[-1])) &&
		    !isalnum((unsigned char)p[n]) && !strchr("_-", p[n] ? p[n] : ' '))
			return 1;
	return 0;
}

/* --flag is written as `.Fl -flag`. `--` in the text of a command's line does not count. */
static void
has_flags(const char *help, const char *name)
{
	const char *text = page(name);
	int found = 0;
	for (const char *p = help; (p = strstr(p, "--")) != NULL; p += 2) {
		size_t n = strspn(p + 2, "abcdefghijklmnopqrstuvwxyz-");
		if (n < 2 || (p > help && !strchr(" [,(", p[-1])))
			continue;
		found++;
		CHECK(has_word(text, t_text("Fl -%.*s", (int)n, p + 2)) ||
		    has_word(text, t_text(", -%.*s", (int)n, p + 2)) || has_word(text, t_text("--%.*s", (int)n, p + 2)),
		    "%s does not know --%.*s", name, (int)n, p + 2);
	}
	for (const char *p = help; (p = strstr(p, "\n  -")) != NULL; p += 4)
		CHECK(p[4] == '-' || has_word(text, t_text("Fl %c", p[4])), "%s does not know -%c", name, p[4]);
	CHECK(found > 0 || strcmp(name, "mom.1") == 0, "no flag in %s", help);
}

/* The call that a header's line declares, cut out of it; NULL: none. */
static char *
call_of(char *line)
{
	char *name = strstr(line, "mom_");
	while (name && name[strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789")] != '(')
		name = strstr(name + 4, "mom_");
	if (name == NULL || !isalpha((unsigned char)line[0]) || strncmp(line, "typedef ", 8) == 0 ||
	    strchr(";,", line[strlen(line) - 1]) == NULL)
		return NULL;
	name[strcspn(name, "(")] = '\0';
	return name;
}

/* Of a header: its calls have pages of their names that show them; calls and constants are in overview. */
static void
header(const char *file, const char *overview, int calls, int constants)
{
	char *text = t_read_file(t_text(SOURCE "/include/%s", file)), *whole = page(overview), word[64];
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (sscanf(line, "#define %63[A-Z_0-9]", word) == 1 || sscanf(line, "\t%63[A-Z_]  %*[=]", word) == 1) {
			constants -= strncmp(word, "MOM_", 4) == 0;
			CHECK(strncmp(word, "MOM_", 4) != 0 || strcmp(word + strlen(word) - 2, "_H") == 0 ||
			    has_word(whole, word), "%s does not know %s", overview, word);
		}
		const char *name = call_of(line);
		if (name) {
			const char *own = page(t_text("%s.3", name));
			calls--;
			CHECK(has_word(whole, t_text("Xr %s", name)) || has_word(whole, t_text("Nm %s", name)),
			    "%s does not know %s", overview, name);
			CHECK(has_word(own, t_text("Fn %s", name)) || has_word(own, t_text("Fo %s", name)),
			    "%s.3 does not show its call", name);
		}
	}
	REQUIRE(calls <= 0 && constants <= 0, "%s: %d calls and %d constants were not found", file, calls, constants);
}

TEST(calls, "each call, error, flag and option of the headers is in the pages, and each call has a page of its name "
    "that shows how it is called")
{
	header("mom.h", "libmom.3", 18, 30);
	header("mom_coding.h", "mom_coding.3", 31, 0);
	header("mom_rpc.h", "mom_rpc.3", 11, 5);
	header("mom_object.h", "mom_object.3", 14, 2);
	header("mom_resource.h", "mom_resource.3", 9, 3);
}

TEST(flags, "each flag that a program's --help names is in its page")
{
	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
		struct ran r = run_command("'%s' --help", t_bin(programs[i].program));
		REQUIRE(r.status == 0, "%s --help: %s", programs[i].program, r.err);
		has_flags(r.out, programs[i].page);
	}
}

TEST(commands, "each command of mom, with all its flags, is in mom(1)")
{
	struct ran r = run_command("'%s' --help", t_bin("mom"));
	char name[32], *rest = r.out;
	int found = 0;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		if (strncmp(line, "  ", 2) != 0 || sscanf(line, "  %31[a-z]", name) != 1)
			continue;
		found++;
		CHECK(has_word(page("mom.1"), t_text("mom %s", name)), "mom.1 does not know mom %s", name);
		/* pages of their own; no flag */
		if (strcmp(name, "bench") == 0 || strcmp(name, "shell") == 0 || strcmp(name, "help") == 0)
			continue;
		struct ran help = run_command("'%s' %s --help", t_bin("mom"), name);
		REQUIRE(help.status == 0, "mom %s --help: %s", name, help.err);
		has_flags(help.out, "mom.1");
	}
	REQUIRE(found >= 16, "%d commands were found in %s", found, r.out);
}

static void
keys(const struct config_program *program, const char *file, const char *server)
{
	const char *conf = page(file), *text = server ? page(server) : NULL;
	for (unsigned i = 0; i < program->count; i++) {
		const struct config_key *k = &program->keys[i];
		CHECK(has_word(conf, t_text("Ic %s", k->name)) || has_word(conf, t_text(", %s", k->name)) ||
		    has_word(conf, t_text("-%s", k->name)), "%s does not know %s", file, k->name);
		CHECK(text == NULL || has_word(text, t_text(k->how & CONFIG_NO_FLAG ? "Ic %s" : "Fl -%s", k->name)),
		    "%s does not know %s", server, k->name);
		CHECK(k->variable == NULL || has_word(conf, k->variable) || has_word(text, k->variable),
		    "%s does not know %s", file, k->variable);
	}
}

TEST(settings, "each key of the configuration is in mom.conf(5), and as a flag in the server's page")
{
	keys(&config_broker, "broker.conf.5", "broker_server.8");
	keys(&config_daemon, "daemon.conf.5", "mom_daemon.8");
	keys(&config_client, "client.conf.5", NULL);
}

TEST(links, "what a page refers to is there, and each page is named after itself")
{
	struct ran r = run_command("cd '%s' && for f in man[1-8]/*; do b=${f##*/}; case $(head -1 $f) in .so*) t=$(sed "
	    "'s/^.so //' $f); [ -f \"$t\" ] || echo $f: $t;; *) grep -qi \"^.Dt ${b%%.*} ${b##*.}$\" $f || grep -qi "
	    "'^.Dt MOM.CONF 5' $f || echo $f: .Dt;; esac; done; sed -n 's/^\\.\\(It \\)\\{0,1\\}Xr \\([^ ]*\\) "
	    "\\([0-9]\\).*/man\\3\\/\\2.\\3/p' man[1-8]/* | sort -u | grep -v '/\\(cp\\|poll\\|epoll\\|strace\\)\\.' | "
	    "while read f; do [ -f $f ] || echo $f is missing; done", PAGES);
	REQUIRE(r.status == 0 && r.out[0] == '\0' && r.err[0] == '\0', "%s%s", r.out, r.err);
}

TEST(lint, "mandoc and groff have nothing to say about a page, where they are installed")
{
	struct ran r = run_command("mandoc -T lint -W warning /dev/null; groff -mdoc -Tascii /dev/null");
	int mandoc = run_command("command -v mandoc").status == 0,
	    groff = run_command("command -v groff && echo .Dd | groff -mdoc").status == 0;
	if (!mandoc)
		t_remark("man/lint: mandoc is not installed");
	if (!groff)
		t_remark("man/lint: groff with its mdoc macros is not installed");
	if (mandoc) {
		r = run_command("cd '%s' && for f in man[1-8]/*; do head -1 $f | grep -q '^.so' || mandoc -T lint -W "
		    "warning $f; done", PAGES);
		REQUIRE(strstr(r.out, "WARNING") == NULL && strstr(r.out, "ERROR") == NULL &&
		    strstr(r.out, "UNSUPP") == NULL, "%s%s", r.out, r.err);
	}
	if (groff) {
		r = run_command("cd '%s' && for f in man[1-8]/*; do head -1 $f | grep -q '^.so' || groff -mdoc -ww "
		    "-Tascii $f >/dev/null; done", PAGES);
		REQUIRE(r.err[0] == '\0', "%s", r.err);
	}
}

/* What stands behind `.Sh EXAMPLES` as a literal text, as a person would type it. */
static void
example_of(const char *name, const char *file)
{
	char *text = strstr(page(name), "\n.Sh EXAMPLES\n"), *from = text ? strstr(text, ".Bd -literal\n") : NULL,
	    *to = from ? strstr(from, ".Ed\n") : NULL;
	REQUIRE(to, "%s has no example", name);
	FILE *f = fopen(file, "w");
	REQUIRE(f, "%s", file);
	for (char *p = from + strlen(".Bd -literal\n"); p < to; p++) {
		if (p[0] == '\\' && p[1] == 'e')
			p++, fputc('\\', f);
		else
			fputc(*p, f);
	}
	REQUIRE(fclose(f) == 0, "%s", file);
}

TEST(guide, "the example of mom-guide(7) does what it says, word by word")
{
	char *code = t_path("example");
	example_of("mom-guide.7", code);
	struct ran r = run_command("unset MOM_RUN; PATH=$(realpath \"$(dirname '%s')\"):$PATH TMPDIR='%s' sh '%s'",
	    t_bin("mom"), t_dir(), code);
	REQUIRE(r.status == 0 && strcmp(r.out, "hello\n") == 0, "%d: %s%s", r.status, r.out, r.err);
}
