/* command_lines - the same command line means the same to each program, whatever POSIXLY_CORRECT says */
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <stdlib.h>
#include <string.h>

static struct server broker, one;

static struct ran
run(const char *command)
{
	return run_command("PATH=$(realpath \"$(dirname '%s')\"):$PATH; %s", t_bin("mom"), command);
}

/* The servers of the harness have all flags behind IP PORT. */
static void
documented_forms(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	int ear = talk_create();
	talk_subscribe(ear, "log");
	struct ran r = run("printf 'line 1\\nline 2\\n' | mom pub log -l");
	CHECK(r.status == 0, "pub log -l: %d: %s", r.status, r.err);
	hear(ear, "log", "line 1");
	hear(ear, "log", "line 2");
	r = run("mom sub t -W 0.1");
	CHECK(r.status == 27, "sub t -W: %d: %s", r.status, r.err);
	r = run("mom pub log -87.5 && mom pub log -- -x && mom pub -- log -l && mom pub log - && user_main 'P log -l' "
		"--run \"$MOM_RUN\"");
	CHECK(r.status == 0, "%d: %s", r.status, r.err);
	static const char *const texts[] = { "-87.5", "-x", "-l", "-", "-l" };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		hear(ear, "log", texts[i]);
	hear_nothing(ear);
	r = run(t_text("db_dump -- '%s'", one.store));
	CHECK(r.status == 0 && strstr(r.out, ": log segment, from "), "%d: %s%s", r.status, r.out, r.err);
	bye(ear);
}

TEST(of_other_tools, "what hands know from mosquitto_pub and mosquitto_sub works, or one line says what to type; so "
    "for commands of other systems")
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	int ear = talk_create();
	talk_subscribe(ear, "log");
	struct ran r = run("mom pub -t log -m one && mom pub -q 1 -t log -m two && mom pub -m three -t log -q 0 && "
		"mom pub -t log four && echo five | mom pub -t log -l");
	CHECK(r.status == 0, "%d: %s", r.status, r.err);
	static const char *const texts[] = { "one", "two", "three", "four", "five" };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		hear(ear, "log", texts[i]);
	bye(ear);
	r = run("mom sub -t a -t b -q 1 c --name three -W 0.1; mom pub a 1; mom pub b 2; mom pub c 3; "
		"mom sub --name three -C 3 && mom sub --name three --forget");
	CHECK(r.status == 0 && strcmp(r.out, "1\n2\n3\n") == 0, "%d: %s%s", r.status, r.out, r.err);
	static const struct { const char *line, *says; } told[] = {
		{ "mom pub -i me -t log -m x", "-i: there are no client ids to choose; a durable client has a name" },
		{ "mom pub -h localhost -t log -m x", "-h: programs go through the daemon of their machine" },
		{ "mom sub -t log -h localhost", "-h: programs go through the daemon of their machine" },
		{ "mom pub -r -t log -m x", "-r: nothing is retained" },
		{ "mom sub -p 1883 -t log", "-p: programs go through the daemon of their machine" },
		{ "mom status", "is it `mom doctor` (is all well?) or `mom top`?" },
		{ "mom ps", "is it `mom clients`?" },
		{ "mom list", "is it `mom topics`?" }, { "mom purge", "is it `mom sub --name NAME --forget`?" },
		{ "mom topcs", "is it `mom topics`?" },
		{ "mom zzzzzz", "there is no command zzzzzz; mom help lists them\n" } };
	for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
		r = run(told[i].line);
		CHECK(r.status == 2 && strstr(r.err, told[i].says), "%s: %d: %s", told[i].line, r.status, r.err);
	}
}

TEST(forms, "options stand behind arguments, a number below zero is a payload, and what begins with - goes behind `--`")
{
	documented_forms();
}

TEST(posixly_correct, "the same with POSIXLY_CORRECT in the environment, of servers and tools")
{
	setenv("POSIXLY_CORRECT", "1", 1);
	documented_forms();
}

TEST(unknown, "an unknown option names itself, the one that was meant, and `--`; none is abbreviated, in no program")
{
	static const struct {
		const char *line, *option;
		int status;
	} wrong[] = {
		{ "mom pub t -x", "mom pub: unknown option -x;", 2 },
		{ "mom pub t -lx", "mom pub: unknown option -x;", 2 },
		{ "mom pub t --line", "mom pub: unknown option --line (is it --lines?);", 2 },
		{ "mom sub --cuont 5 t", "mom sub: unknown option --cuont (is it --count?);", 2 },
		{ "broker_server 127.0.0.1 0 --store 10g",
		    "broker_server: unknown option --store (is it --store-max?);", 100 },
		{ "mom_daemon 127.0.0.1 1 --client 1g",
		    "mom_daemon: unknown option --client (is it --client-backlog-max?);", 100 },
		{ "mom_http 127.0.0.1:0 --insec", "mom_http: unknown option --insec (is it --insecure?);", 100 },
		{ "mom_coordinator --nam x", ": unknown option --nam (is it --name?);", 100 },
		{ "mom_bench --dur W1", "mom_bench: unknown option --dur (is it --durable?);", 100 },
		{ "user_main --ru x", "user_main: unknown option --ru (is it --run?);", 100 },
		{ "db_dump --hepl x", "db_dump: unknown option --hepl (is it --help?);", 100 },
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct ran r = run(wrong[i].line);
		CHECK(r.status == wrong[i].status && strstr(r.err, wrong[i].option) &&
			  strstr(r.err, "; a word that begins with - goes behind `--`; see ") &&
			  strstr(r.err, "--help\n"),
		    "%s: %d: %s", wrong[i].line, r.status, r.err);
	}
	struct ran r = run("mom_daemon 127.0.0.1 1 --client-backlog-max");
	CHECK(r.status == 100 && strstr(r.err, "mom_daemon: --client-backlog-max needs a value; see "), "%d: %s",
	    r.status, r.err);
	r = run("mom pub t --lines=5");
	CHECK(r.status == 2 && strstr(r.err, "mom pub: --lines takes no value: --lines=5; see "), "%d: %s", r.status,
	    r.err);
}
