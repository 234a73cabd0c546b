/* user_main - the interactive tester: its one line a command, its exit status */
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <string.h>

static struct server broker, one;

static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

static void
says(struct ran r, int status, const char *out)
{
	REQUIRE(strcmp(r.out, out) == 0, "wanted:\n%s\ngot:\n%s\nstderr:\n%s", out, r.out, r.err);
	REQUIRE(status == 0 ? r.status == 0 : r.status > 0, "exit status %d", r.status);
}

TEST(arguments, "each argument is one command line, by letter or word, in either case; one line each")
{
	up();
	says(run_command("'%s' --run '%s' 'S news' 'subscribe log' 'p news hello  world' 'PUBLISH log x' 'r 20' "
	    "'Receive 20' 'u news' 'UNSUBSCRIBE log' E",
	    t_bin("user_main"), one.run), 0,
	    "ok subscribe news\nok subscribe log\nok publish news\nok publish log\nmessage news hello  world\nmessage "
	    "log x\nok unsubscribe news\nok unsubscribe log\nok exit\n");
}

TEST(standard_input, "without arguments commands come from standard input, MOM_RUN says where; the end of input is an "
    "exit")
{
	up();
	says(run_command("printf 'S news\\nP news one two\\nR 20\\n' | '%s'", t_bin("user_main")), 0,
	    "ok subscribe news\nok publish news\nmessage news one two\n");
}

TEST(timeouts, "a receive that finds nothing says timeout and is no success; help goes to stderr")
{
	up();
	says(run_command("'%s' --run '%s' 'S news' 'R 0'", t_bin("user_main"), one.run), 1,
	    "ok subscribe news\ntimeout\n");
	struct ran r = run_command("'%s' --run '%s' H E", t_bin("user_main"), one.run);
	REQUIRE(strstr(r.err, "ubscribe") && strstr(r.out, "ok exit\n"), "out: %s err: %s", r.out, r.err);
}

TEST(errors, "a command that fails says error, the topic and the reason, and the exit status is not 0")
{
	up();
	struct ran r = run_command("'%s' --run '%s' 'P #bad text' 'U never' 'P news fine'", t_bin("user_main"),
	    one.run);
	REQUIRE(strncmp(r.out, "error publish #bad: ", 20) == 0 && strstr(r.out, "\nerror unsubscribe never: ") &&
	    strstr(r.out, "\nok publish news\n"),
	    "%s", r.out);
	REQUIRE(r.status > 0, "exit status %d", r.status);
	r = run_command("'%s' --run '%s' 'nonsense'", t_bin("user_main"), one.run);
	REQUIRE(r.status > 0 && strstr(r.out, "error"), "status %d: %s", r.status, r.out);
	r = run_command("'%s' --run '%s/nowhere' 'P news x'", t_bin("user_main"), t_dir());
	REQUIRE(r.status > 0 && (strstr(r.err, "mom_daemon") || strstr(r.out, "mom_daemon")), "status %d: %s%s",
	    r.status, r.out, r.err);
}

TEST(bytes, "unprintable bytes are shown as \\n, \\t, \\\\ and \\xHH")
{
	up();
	int id = talk_create();
	struct ran r;
	talk_subscribe(id, "bytes");
	r = run_command("printf 'P bytes a\\tb\\\\c\\001d\\n' | '%s'", t_bin("user_main"));
	says(r, 0, "ok publish bytes\n");
	hear(id, "bytes", "a\tb\\c\001d");
	bye(id);
	says(run_command("printf 'S bytes\\nP bytes a\\tb\\\\c\\001d\\nR 20\\n' | '%s'", t_bin("user_main")), 0,
	    "ok subscribe bytes\nok publish bytes\nmessage bytes a\\tb\\\\c\\x01d\n");
}

TEST(zero_byte, "a line with a zero byte is an error that says so, never a shorter message; the lines around it count")
{
	up();
	says(run_command("printf 'S news\\nP news one\\0two\\n\\0\\nP news three\\nR 20\\nR 0\\n' | '%s'",
	    t_bin("user_main")), 1, "ok subscribe news\n"
	    "error: a zero byte in the line: a message published here is text\nerror: a zero byte in the line: a "
	    "message published here is text\nok publish news\nmessage news three\ntimeout\n");
}

TEST(two_users, "two user_main talk over two topics")
{
	up();
	struct ran r = run_command("cd '%s'; '%s' 'S news' 'S log' 'R 20' 'R 20' E >ear.out & "
	    "i=0; while ! grep -q 'subscribe log' ear.out 2>/dev/null && [ $i -lt 2000 ]; do i=$((i+1)); '%s' H E "
	    ">/dev/null 2>&1; done; '%s' 'P news one' 'P log two' E; wait; cat ear.out", t_dir(), t_bin("user_main"),
	    t_bin("user_main"), t_bin("user_main"));
	says(r, 0, "ok publish news\nok publish log\nok exit\nok subscribe news\nok subscribe log\nmessage news "
	    "one\nmessage log two\nok exit\n");
}
