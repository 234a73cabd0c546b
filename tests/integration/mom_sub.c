/* mom_sub - mom sub: what it prints in each style, when it ends and how, and that a durable one loses nothing, however
 * it ends */
#include <lib/proc.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <lib/views.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct server broker, one;
static int mouth;

static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	mouth = talk_create();
}

/* A mom sub in the background; returns when it is subscribed. then: what its output goes through, or "" */
static struct running
listen_to(const char *arguments, const char *then)
{
	static int number;
	char *ready = t_path("ready-%d", ++number);
	struct stat st;
	struct running r = run_start("%s '%s' sub --ready-fd 3 %s 3>'%s' %s", then[0] ? "" : "exec", t_bin("mom"),
	    arguments, ready, then);
	WAIT_FOR(stat(ready, &st) == 0 && st.st_size == 1, "mom sub %s is not subscribed: %s", arguments,
	    t_read_file(r.err));
	return r;
}

static void
printed(struct ran r, int status, const char *out)
{
	REQUIRE(strcmp(r.out, out) == 0, "wanted:\n%s\ngot:\n%s\nstderr:\n%s", out, r.out, r.err);
	REQUIRE(r.status == status, "exit status %d, wanted %d: %s", r.status, status, r.err);
}

/* What it wrote so far. */
static int
wrote(const struct running *r, const char *text)
{
	return strcmp(t_read_file(r->out), text) == 0;
}

static void
say_bytes(const char *topic, const void *bytes, size_t n)
{
	REQUIRE(mom_publish(mouth, topic, bytes, n, 0) == 0, "%s", mom_error_text(mouth));
}

TEST(payloads, "each payload and a newline; with -v the topic and a space before it; with --raw nothing is added; "
    "every byte as it was published")
{
	up();
	struct running plain = listen_to("-C 3 news log", ""), verbose = listen_to("-v -C 2 news log", ""),
	    raw = listen_to("--raw -C 3 news log", "| od -An -tx1");
	say(mouth, "news", "one two");
	say(mouth, "log", "");
	say_bytes("log", "a\0\xff\n", 4);
	struct ran r = run_finish(&plain);
	REQUIRE(r.status == 0, "%d: %s", r.status, r.err);
	printed(run_command("od -An -tx1 '%s'", plain.out), 0, " 6f 6e 65 20 74 77 6f 0a 0a 61 00 ff 0a 0a\n");
	printed(run_finish(&verbose), 0, "news one two\nlog \n");
	printed(run_finish(&raw), 0, " 6f 6e 65 20 74 77 6f 61 00 ff 0a\n");
	bye(mouth);
}

TEST(json, "--json is an object a line: text as data, other bytes as data_base64, with publisher, offset, time and "
    "redelivered")
{
	up();
	struct running r = listen_to("--json -C 4 news", "| sed 's/\"time\":\"2[0-9-]*T[0-9:]*\\.[0-9]*Z\"/TIME/; "
	    "s/\"offset\":\"[0-9a-f]\\{16\\}\"/OFFSET/'");
	say(mouth, "news", "say \"hi\"\t\\ \xc3\xa4");
	say_bytes("news", "\xff\x01", 2);
	say_bytes("news", "\xff\x01\x02", 3);
	say(mouth, "news", "");
	char *rest = t_text("\"publisher\":\"%016llx\",OFFSET,TIME,\"redelivered\":false}\n",
	    (unsigned long long)mom_global_id(mouth));
	printed(run_finish(&r), 0, t_text("{\"topic\":\"news\",\"data\":\"say \\\"hi\\\"\\u0009\\\\ "
	    "\xc3\xa4\",%s{\"topic\":\"news\",\"data_base64\":\"/wE=\",%s"
	    "{\"topic\":\"news\",\"data_base64\":\"/wEC\",%s"
	    "{\"topic\":\"news\",\"data\":\"\",%s", rest, rest, rest, rest));
	bye(mouth);
}

TEST(format, "-F: every letter and escape; one that is unknown is exit status 2")
{
	up();
	struct running r = listen_to("-C 1 -F '%t|%p|%x|%l|%P|%r|%%|\\\\|\\t|' news", ""),
	    times = listen_to("-C 1 -N -F '%o %U %I' news", "");
	int64_t now = (int64_t)time(NULL);
	say(mouth, "news", "a\xff");
	printed(run_finish(&r), 0, t_text("news|a\xff|61ff|2|%016llx|0|%%|\\|\t|\n",
	    (unsigned long long)mom_global_id(mouth)));
	struct ran t = run_finish(&times);
	unsigned long long offset;
	double seconds;
	int year, day, second, end = 0;
	REQUIRE(sscanf(t.out, "%16llx %lf %4d-%*2d-%2dT%*2d:%*2d:%2d.%*6dZ%n", &offset, &seconds, &year, &day, &second,
	    &end) == 5 && t.out[end] == '\0', "%s", t.out);
	REQUIRE(seconds >= (double)now - 1 && seconds < (double)now + 30 && second == (int)((int64_t)seconds % 60),
	    "%f at %lld: %s", seconds, (long long)now, t.out);
	REQUIRE(run_command("'%s' sub -F %%q news", t_bin("mom")).status == 2 &&
	    run_command("'%s' sub -F 'x%%' news", t_bin("mom")).status == 2, "an unknown letter");
	bye(mouth);
}

TEST(time_is_up, "-W: 27 where nothing came, or fewer than -C; 0 where something did; -C alone ends with the message, "
    "and leaves the next one")
{
	up();
	printed(run_command("'%s' sub -W 0.1 news", t_bin("mom")), 27, "");
	struct running few = listen_to("-W 4 -C 4 news", ""), enough = listen_to("-W 60 -C 3 news", ""),
	    some = listen_to("-W 4 news", "");
	struct running last = listen_to("-C 2 --name last news", "");
	say(mouth, "news", "a");
	say(mouth, "news", "b");
	say(mouth, "news", "c");
	say(mouth, "log", "no");
	printed(run_finish(&last), 0, "a\nb\n");
	printed(run_command("'%s' sub --name last -C 1 -F '%%p %%r'", t_bin("mom")), 0, "c 0\n");
	printed(run_finish(&enough), 0, "a\nb\nc\n");
	printed(run_finish(&few), 27, "a\nb\nc\n");
	printed(run_finish(&some), 0, "a\nb\nc\n");
	printed(run_command("'%s' sub --name last --forget", t_bin("mom")), 0, "");
	struct ran unknown = run_command("'%s' sub --name last --forget", t_bin("mom"));
	REQUIRE(unknown.status == 1 && strstr(unknown.err, "last: no durable client of this user has that name"),
	    "%d %s", unknown.status, unknown.err);
	bye(mouth);
}

static void
destroys(void *with)
{
	atomic_int *step = with;
	int id = talk_open("gone");
	*step = 1;
	while (*step == 1)
		t_tick();
	REQUIRE(mom_destroy(id) == 0, "%s", mom_error_text(-1));
}

TEST(forgotten, "--forget of a client that was destroyed says so, also before its daemon has seen that its process is "
    "gone")
{
	up();
	atomic_int *step = t_shared_memory(sizeof *step);
	pid_t pid = t_spawn(destroys, step);
	WAIT_FOR(*step == 1, "it is not open");
	kill(one.pid, SIGSTOP);
	*step = 2;
	REQUIRE(t_join(pid) == 0, "it is not destroyed");
	struct running r = run_start("exec '%s' sub --name gone --forget", t_bin("mom"));
	WAIT_FOR(proc_state(r.pid) == 'S', "it does not wait");
	kill(one.pid, SIGCONT);
	struct ran unknown = run_finish(&r);
	REQUIRE(unknown.status == 1 && strstr(unknown.err, "no durable client of this user has that name"), "%d %s",
	    unknown.status, unknown.err);
	bye(mouth);
}

TEST(unsubscribe, "-U ends a subscription of a durable client, whose others stay, and may be said again; without "
    "--name it is wrong use")
{
	up();
	printed(run_command("'%s' sub --name reader -W 0 news 'plant/#'", t_bin("mom")), 27, "");
	printed(run_command("'%s' sub --name reader -W 0 -U 'plant/#'", t_bin("mom")), 27, "");
	int id = talk_create();
	say(id, "plant/1", "no");
	say(id, "news", "yes");
	printed(run_command("'%s' sub --name reader -W 1 -v", t_bin("mom")), 0, "news yes\n");
	struct ran r = run_command("'%s' sub --name reader -U 'plant/#'", t_bin("mom"));
	REQUIRE(r.status == 0 && strstr(r.err, "reader was not subscribed to plant/#"), "%d %s", r.status, r.err);
	REQUIRE(run_command("'%s' sub -U news x", t_bin("mom")).status == 2, "without a name");
	printed(run_command("'%s' sub --name reader --forget", t_bin("mom")), 0, "");
	bye(id);
}

TEST(no_broker, "while the broker gives no answer TERM ends it at once, and so does the time of -W")
{
	up();
	server_stop(&broker);
	struct running r = run_start("exec '%s' sub news", t_bin("mom"));
	WAIT_FOR(strstr(t_read_file(r.err), "waits for mom_daemon"), "%s", t_read_file(r.err));
	kill(r.pid, SIGTERM);
	REQUIRE(run_finish(&r).status == 0, "no clean end");
	int64_t began = t_now_ms();
	REQUIRE(run_command("'%s' sub news -W 1", t_bin("mom")).status == 1, "without a broker");
	REQUIRE(t_now_ms() - began < T_PATIENCE_MS, "that took %lld ms", (long long)(t_now_ms() - began));
	mom_set_option(mouth, MOM_OPT_TIMEOUT_MS, 0);
	mom_destroy(mouth);
	server_start(&broker);
}

TEST(at_once, "a message is printed when it comes, not when a buffer is full")
{
	up();
	struct running r = listen_to("news", "");
	for (int i = 0; i < 3; i++) {
		say(mouth, "news", "x");
		WAIT_FOR(wrote(&r, t_text("x\nx\nx\n") + 4 - 2 * i), "message %d", i);
	}
	kill(r.pid, SIGTERM);
	printed(run_finish(&r), 0, "x\nx\nx\n");
	bye(mouth);
}

TEST(signals, "Ctrl-C and TERM are a clean end with exit status 0: an anonymous client is gone with its subscriptions, "
    "a durable one goes on where it was")
{
	up();
	for (int i = 0; i < 2; i++) {
		struct running r = listen_to("news log", ""), durable = listen_to("--name billing news", "");
		say(mouth, "news", "x");
		WAIT_FOR(wrote(&r, "x\n") && wrote(&durable, "x\n"), "%s", t_read_file(r.out));
		kill(r.pid, i ? SIGTERM : SIGINT);
		kill(durable.pid, i ? SIGTERM : SIGINT);
		printed(run_finish(&r), 0, "x\n");
		printed(run_finish(&durable), 0, "x\n");
		WAIT_FOR(run_command("! grep -r . '%s'/shard-0/topics/log", broker.store).status == 0,
		    "it is still subscribed");
		say(mouth, "news", "later");
		printed(run_command("'%s' sub --name billing -C 1 -F '%%p %%r'", t_bin("mom")), 0, "later 0\n");
	}
	printed(run_command("'%s' sub --name billing --forget", t_bin("mom")), 0, "");
	REQUIRE(run_command("! grep -r . '%s'/shard-0/topics/news", broker.store).status == 0,
	    "it is still subscribed");
	printed(run_command("'%s' sub --name billing -W 0.1 news", t_bin("mom")), 27, "");
	printed(run_command("'%s' sub --name billing --forget", t_bin("mom")), 0, "");
	bye(mouth);
}

enum { MANY = 3000 };

static void
say_many(void)
{
	for (int i = 0; i < MANY; i++)
		/* more than a pipe holds */
		REQUIRE(mom_publish(mouth, "news", t_text("%0100d", i), 100, MOM_ASYNC) == 0, "%s",
		    mom_error_text(mouth));
	REQUIRE(mom_flush(mouth, 20000) == 0, "%s", mom_error_text(mouth));
}

/* lines "number redelivered", cut off anywhere: the numbers from *next on without a hole, but for what comes again and
 * says so */
static void
judge(const char *out, int *next, int whole)
{
	int number, again, n;
	for (; sscanf(out, "%d %d\n%n", &number, &again, &n) == 2 && strchr(out, '\n'); out += n) {
		REQUIRE(number == *next || (again && number < *next), "%d (%d) came for %d", number, again, *next);
		*next = number + 1;
	}
	REQUIRE(!whole || *out == '\0', "a line is cut off: %s", out);
}

/* The next one prints up to the last. from: its first number, -1: whichever it is */
static int
takes_over(const char *ack, int from)
{
	char *last = t_text("%0100d ", MANY - 1);
	struct running r = listen_to(t_text("--name reader %s -F '%%p %%r'", ack), "");
	WAIT_FOR(strstr(t_read_file(r.out), last), "the last one does not come: %s", t_read_file(r.err));
	kill(r.pid, SIGTERM);
	struct ran ran = run_finish(&r);
	REQUIRE(ran.status == 0, "%d: %s", ran.status, ran.err);
	int first = atoi(ran.out), next = from < 0 ? first : from;
	judge(ran.out, &next, 1);
	REQUIRE(next == MANY, "only up to %d of %d", next, MANY);
	printed(run_command("'%s' sub --name reader --forget", t_bin("mom")), 0, "");
	return first;
}

/* Its output goes into a pipe that nobody reads, until that is full; then the signal. */
static void
ends_while_blocked(const char *ack, int signal, int status)
{
	static int number;
	char *path = t_path("pipe-%d", ++number), *bytes = calloc(1, 1048577);
	REQUIRE(mkfifo(path, 0600) == 0, "mkfifo");
	int pipe = open(path, O_RDWR | O_NONBLOCK), next = 0;
	struct pollfd room = { pipe, POLLOUT, 0 };
	struct running r = listen_to(t_text("--name reader %s -F '%%p %%r' news >'%s'", ack, path), "");
	say_many();
	/* it is full where all its pages are taken, however many bytes each write left in the last one */
	WAIT_FOR(poll(&room, 1, 0) == 0, "the pipe does not get full");
	kill(r.pid, signal);
	struct ran ran = run_finish(&r);
	REQUIRE(ran.status == status, "exit status %d: %s", ran.status, ran.err);
	REQUIRE(read(pipe, bytes, 1048576) > 0, "pipe: %s", strerror(errno));
	judge(bytes, &next, 0);
	REQUIRE(next > 100 && next < MANY, "it printed %d", next);
	takes_over(ack, next);
	close(pipe);
}

TEST(killed, "kill -9 of mom sub --name, with --ack or not, while it prints: its successor prints all that it had not, "
    "and what comes twice says so")
{
	up();
	ends_while_blocked("--ack", SIGKILL, -1);
	ends_while_blocked("", SIGKILL, -1);
	bye(mouth);
}

TEST(stopped_while_blocked, "TERM ends mom sub also while nobody reads what it prints: exit status 0, and its "
    "successor prints what it had not")
{
	up();
	ends_while_blocked("", SIGTERM, 0);
	bye(mouth);
}

TEST(reader_gone_idle, "a reader that goes away is noticed though nothing comes, and the durable name is free again")
{
	up();
	struct running r = listen_to("--name reader news", "| head -n 0");
	printed(run_finish(&r), 0, "");                /* the status is that of head */
	WAIT_FOR(strstr(t_read_file(r.err), "who read its output has gone"), "%s", t_read_file(r.err));
	WAIT_FOR(run_command("'%s' sub --name reader --forget", t_bin("mom")).status == 0, "the name is in use");
	bye(mouth);
}

TEST(name_unknown, "a name that no durable client has is told, where no topic is given that would make one")
{
	up();
	struct ran r = run_command("'%s' sub --name biling -W 5", t_bin("mom"));
	REQUIRE(r.status == 1 && strstr(r.err, "biling: no durable client of this user has that name: name topics"),
	    "%d %s", r.status, r.err);
	bye(mouth);
}

TEST(reader_gone, "a program that mom sub --name prints to goes away: mom sub ends, and what was not printed comes the "
    "next time")
{
	up();
	struct running r = listen_to("--name reader --ack -F '%p %r' news", "| head -n 5");
	say_many();
	struct ran first = run_finish(&r);
	int next = 0;
	judge(first.out, &next, 1);
	REQUIRE(next == 5, "%s", first.out);
	/* what lay in the pipe, and was printed, was lost with the reader; nothing else is */
	int from = takes_over("", -1);
	REQUIRE(from > 0 && from < 1000, "from %d", from);
	bye(mouth);
}

TEST(full_disk, "standard output that cannot be written: exit status 1, and nothing of it is acknowledged")
{
	up();
	struct running r = listen_to("--name reader news", ">/dev/full");
	say(mouth, "news", "precious");
	struct ran ran = run_finish(&r);
	REQUIRE(ran.status == 1 && strstr(ran.err, "not acknowledged"), "%d: %s", ran.status, ran.err);
	printed(run_command("'%s' sub --name reader -C 1 -F '%%p %%r'", t_bin("mom")), 0, "precious 1\n");
	printed(run_command("'%s' sub --name reader --forget", t_bin("mom")), 0, "");
	bye(mouth);
}

static void
up_with_backlog(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_plan(&one, "one", broker.port);
	one.extra[0] = "--client-backlog-max";
	one.extra[1] = "500000";
	server_start(&one);
	use_daemon(&one);
	mouth = talk_create();
}

/* It has subscribed anew, and hears what comes from then on, until it is ended. */
static void
goes_on(struct running *r)
{
	WAIT_FOR(run_command("grep -rq . '%s'/shard-0/topics/news", broker.store).status == 0,
	    "it does not subscribe again");
	say(mouth, "news", "x");
	WAIT_FOR(strstr(t_read_file(r->out), "\n1\n"), "nothing comes any more");
	kill(r->pid, SIGTERM);
	REQUIRE(run_finish(r).status == 0, "%s", t_read_file(r->err));
}

TEST(cut, "one that was cut for too large a backlog says so on stderr and goes on with what comes then")
{
	static char big[100000];
	up_with_backlog();
	struct running r = listen_to("-F '%l' news", "");
	kill(r.pid, SIGSTOP);
	for (int i = 0; i < 50; i++)
		say_bytes("news", big, sizeof big);
	WAIT_FOR(server_log_has(&one, "more waits for it than --client-backlog-max"), "it is not cut");
	kill(r.pid, SIGCONT);
	WAIT_FOR(strstr(t_read_file(r.err), "it is subscribed anew"), "nothing is told: %s", t_read_file(r.err));
	goes_on(&r);
	bye(mouth);
}

TEST(cut_while_away, "a durable client that was cut while nobody read: its next mom sub prints what waits, says what "
    "is lost, and is subscribed anew; without topics it ends")
{
	static char big[100000];
	up_with_backlog();
	for (int with = 1; with >= 0; with--) {
		printed(run_command("'%s' sub --name away -W 0.1 news", t_bin("mom")), 27, "");
		for (int i = 0; i < 12; i++)
			say_bytes("news", big, sizeof big);
		WAIT_FOR(server_log_lines(&one, "more waits for it than --client-backlog-max") == 2 - with, "not cut");
		struct ran look = run_command("'%s' clients '%s'; '%s' doctor '%s'", t_bin("mom"), one.run,
		    t_bin("mom"), one.run);
		REQUIRE(strstr(look.out, " cut ") && strstr(look.out, "away was cut: too much waited"), "%s", look.out);
		struct running r = listen_to(with ? "--name away -F '%l' news" : "--name away -F '%l'", "");
		WAIT_FOR(strstr(t_read_file(r.out), "100000\n"), "nothing of what waits: %s", t_read_file(r.err));
		WAIT_FOR(strstr(t_read_file(r.err), "messages are lost here"), "nothing is told: %s",
		    t_read_file(r.err));
		if (!with) {
			struct ran end = run_finish(&r);
			REQUIRE(end.status == 1 && strstr(end.err, "name its topics"), "%d %s", end.status, end.err);
			break;
		}
		goes_on(&r);
	}
	printed(run_command("'%s' sub --name away --forget", t_bin("mom")), 0, "");
	bye(mouth);
}

TEST(broker_restart, "a broker that is killed and comes back is no end of mom sub, and nothing is missing")
{
	up();
	struct running r = listen_to("-C 2 -v news", "");
	say(mouth, "news", "before");
	server_kill_all(&broker);
	server_start(&broker);
	say(mouth, "news", "after");
	printed(run_finish(&r), 0, "news before\nnews after\n");
	bye(mouth);
}

TEST(wrong_use, "wrong use is exit status 2 and a line that says what; no daemon or a bad topic is 1")
{
	static const char *const wrong[] = { "", "--ack news", "--forget news", "--name x --forget news", "-C 0 news",
	    "-W soon news", "--what news" };
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct ran r = run_command("'%s' sub %s", t_bin("mom"), wrong[i]);
		REQUIRE(r.status == 2 && strstr(r.err, "see mom sub --help"), "%s: %d: %s", wrong[i], r.status, r.err);
	}
	struct ran r = run_command("MOM_RUN='%s' '%s' sub news", t_path("none"), t_bin("mom"));
	REQUIRE(r.status == 1 && strstr(r.err, "mom_daemon"), "%d: %s", r.status, r.err);
	up();
	r = run_command("'%s' sub news '#bad'", t_bin("mom"));
	REQUIRE(r.status == 1 && strstr(r.err, "#bad: "), "%d: %s", r.status, r.err);
	r = run_command("'%s' sub --help", t_bin("mom"));
	REQUIRE(r.status == 0 && strstr(r.out, "Example: "), "%d: %s", r.status, r.out);
	bye(mouth);
}
