/* names - item 9: no name of a topic or client leaves its folder, and each comes through as it is */
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <stdlib.h>
#include <string.h>

static struct server broker, one;

static char *
repeated(const char *word, int times)
{
	char *text = calloc((size_t)times + 1, strlen(word));
	for (int i = 0; i < times; i++)
		strcat(text, word);
	return text;
}

static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

/* everything in the case's folder but db/ and the spool; and whether the places a bad name could reach were touched */
static char *
outside(void)
{
	return run_command("cd '%s' && find . .. ../.. -maxdepth 0 >/dev/null; find . -path ./broker/db -prune -o "
	    "-path ./one/spool -prune -o -name 'run-*' -prune -o -print | sort; find /etc/passwd -newer broker/db",
	    t_dir()).out;
}

static int
topics(char **names)
{
	int n = 0;
	names[n++] = t_text("../../etc/passwd");
	names[n++] = t_text("../../../../../../../../../../../../tmp/mom-was-here");
	names[n++] = t_text("/etc/passwd");
	names[n++] = t_text("..");
	names[n++] = t_text(".");
	names[n++] = t_text("/");
	names[n++] = t_text("a//b");
	names[n++] = t_text("a/./b/../c");
	names[n++] = t_text("a");
	names[n++] = t_text("a/b");
	names[n++] = t_text("a.b");
	names[n++] = t_text("a/subscribers");
	names[n++] = t_text("subscribers");
	names[n++] = t_text("a/subscribers/b");
	names[n++] = t_text(".hidden");
	names[n++] = t_text("%%2e%%2e/x");
	names[n++] = t_text("%%-");
	names[n++] = t_text("-rf");
	names[n++] = t_text("it's;$(reboot)`x`|&\"\\");
	names[n++] = t_text("\xc3\xa4\xc3\xb6/\xe2\x82\xac/\xf0\x9f\x90\xa7");
	names[n++] = repeated("/", 255);
	names[n++] = repeated("%", 255);
	names[n++] = repeated("\xe2\x82\xac", 85);
	names[n++] = repeated("x", 255);
	names[n++] = repeated("../", 85);
	names[n++] = repeated("a/", 127);
	return n;
}

TEST(topics_round_trip, "26 nasty topics never leave db/, each is its own, and all come back after a restart")
{
	char *names[40];
	int n = topics(names);
	up();
	int id = talk_open("names");
	int mouth = talk_create();
	char *before = outside();
	for (int i = 0; i < n; i++)
		talk_subscribe(id, names[i]);
	for (int i = 0; i < n; i++) {
		say(mouth, names[i], t_text("%d", i));
		hear(id, names[i], t_text("%d", i));
	}
	hear_nothing(id);
	REQUIRE(strcmp(before, outside()) == 0, "before:\n%s\nafter:\n%s", before, outside());
	server_kill(&broker);
	server_start(&broker);
	for (int i = 0; i < n; i++)
		say(mouth, names[i], t_text("again %d", i));
	for (int i = 0; i < n; i++)
		hear(id, names[i], t_text("again %d", i));
	for (int i = 0; i < n; i++)
		REQUIRE(mom_unsubscribe(id, names[i]) == 0, "%s: %s", names[i], mom_error_text(id));
	for (int i = 0; i < n; i++)
		say(mouth, names[i], "nobody");
	hear_nothing(id);
	REQUIRE(strcmp(before, outside()) == 0, "before:\n%s\nafter:\n%s", before, outside());
	bye(id);
	bye(mouth);
}

TEST(dash, "a durable client called - keeps its name, its place and its mail over the death of its daemon")
{
	up();
	int id = talk_open("-"), mouth = talk_create();
	uint64_t global = mom_global_id(id);
	talk_subscribe(id, "dash");
	REQUIRE(mom_close(id) == 0, "close: %s", mom_error_text(-1));
	say(mouth, "dash", "kept");
	server_kill_all(&one);
	server_start(&one);
	id = talk_open("-");
	REQUIRE(mom_global_id(id) == global, "it is another client");
	hear(id, "dash", "kept");
	bye(id);
	bye(mouth);
}

TEST(client_names, "names of durable clients such as .. and 64 bytes of dots work or are refused, and leave no trace "
    "outside of the spool")
{
	static const char *const good[] = {"a", "A-Z.a_z-0", "0"},
	    *const bad[] = {"", "a/b", "../x", "a b", "\xc3\xa4", "a\n", "%00"};
	up();
	char *before = outside();
	for (unsigned i = 0; i < sizeof good / sizeof *good; i++)
		bye(talk_open(good[i]));
	bye(talk_open(repeated("x", 64)));
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
		REQUIRE(mom_open(bad[i]) == MOM_EINVAL, "'%s' was taken", bad[i]);
	REQUIRE(mom_open(repeated("x", 65)) == MOM_EINVAL, "65 bytes were taken");
	REQUIRE(mom_open(NULL) == MOM_EINVAL, "NULL was taken");
	const char *dots[] = {".", "..", "...", repeated(".", 64)};
	for (unsigned i = 0; i < 4; i++) {
		int id = mom_open(dots[i]);
		REQUIRE(id >= 0 || id == MOM_EINVAL, "'%s': %s", dots[i], mom_strerror(id));
		if (id >= 0)
			bye(id);
	}
	REQUIRE(strcmp(before, outside()) == 0, "before:\n%s\nafter:\n%s", before, outside());
}
