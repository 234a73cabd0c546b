/* mom_pub - mom pub: where the payload comes from, what it says when it is not stored, its exit status */
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct server broker, one;
static int ear;

static void
up(const char *extra)
{
	broker_start(&broker, "broker", 0, extra);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	ear = talk_create();
	talk_subscribe(ear, "news");
}

static void
stored(struct ran r)
{
	REQUIRE(r.status == 0 && r.err[0] == '\0' && r.out[0] == '\0', "exit status %d: %s%s", r.status, r.out, r.err);
}

static void
fails(struct ran r, int status, const char *words)
{
	REQUIRE(r.status == status && strstr(r.err, words) && r.out[0] == '\0',
	    "exit status %d, wanted %d and \"%s\": %s%s", r.status, status, words, r.out, r.err);
}

static void
hear_bytes(const void *bytes, size_t n)
{
	struct mom_message m;
	REQUIRE(mom_receive(ear, &m, 20000) == 0, "%s", mom_error_text(ear));
	REQUIRE(m.len == n && memcmp(m.data, bytes, n) == 0, "%zu bytes came for %zu: %.*s", m.len, n, (int)m.len,
	    (const char *)m.data);
}

TEST(text, "a text is published as it stands, an empty one and -n as a message without payload; it is stored when mom "
    "pub returns")
{
	up(NULL);
	stored(run_command("'%s' pub news 'hello  world'", t_bin("mom")));
	hear(ear, "news", "hello  world");
	stored(run_command("'%s' pub news ''", t_bin("mom")));
	hear_bytes("", 0);
	stored(run_command("'%s' pub -n news", t_bin("mom")));
	hear_bytes("", 0);
	stored(run_command("'%s' pub --fast news -- -5", t_bin("mom")));
	hear(ear, "news", "-5");
	hear_nothing(ear);
	bye(ear);
}

TEST(binary, "a file and standard input as one message keep every byte, zeros and newlines too, up to the largest "
    "payload")
{
	char *bytes = malloc(MOM_MESSAGE_MAX);
	struct t_rng rng;
	t_rng_init(&rng, 1);
	t_rng_fill(&rng, bytes, MOM_MESSAGE_MAX);
	up(NULL);
	FILE *f = fopen(t_path("bytes"), "w");
	REQUIRE(f && fwrite(bytes, 1, MOM_MESSAGE_MAX, f) == MOM_MESSAGE_MAX && fclose(f) == 0, "write");
	stored(run_command("'%s' pub news -f '%s'", t_bin("mom"), t_path("bytes")));
	hear_bytes(bytes, MOM_MESSAGE_MAX);
	stored(run_command("'%s' pub -s news <'%s'", t_bin("mom"), t_path("bytes")));
	hear_bytes(bytes, MOM_MESSAGE_MAX);
	stored(run_command("printf 'a\\0b\\n\\n' | '%s' pub news -f -", t_bin("mom")));
	hear_bytes("a\0b\n\n", 5);
	fails(run_command("(cat '%s'; echo) | '%s' pub -s news", t_path("bytes"), t_bin("mom")), 1, "1048577 bytes");
	hear_nothing(ear);
	bye(ear);
}

TEST(lines, "-l publishes each line without its newline: empty ones, ones with zero bytes, long ones, and the last "
    "without a newline")
{
	up(NULL);
	char *longest = malloc(300001);
	memset(longest, 'x', 300000);
	longest[300000] = '\0';
	stored(run_command("(printf 'one\\n\\nz\\0z\\n'; head -c 300000 /dev/zero | tr '\\0' x; printf '\\nlast') | "
	    "'%s' pub -l news", t_bin("mom")));
	hear(ear, "news", "one");
	hear_bytes("", 0);
	hear_bytes("z\0z", 3);
	hear(ear, "news", longest);
	hear(ear, "news", "last");
	stored(run_command("'%s' pub -l news </dev/null", t_bin("mom")));
	hear_nothing(ear);
	bye(ear);
}

TEST(many, "--count repeats, --interval waits between, -v says each on stderr, --async goes with one, too")
{
	up(NULL);
	stored(run_command("'%s' pub --count 1000 news x", t_bin("mom")));
	for (int i = 0; i < 1000; i++)
		hear(ear, "news", "x");
	int64_t began = t_now_ms();
	struct ran r = run_command("'%s' pub --count 3 --interval 0.2 -v --async news xyz", t_bin("mom"));
	REQUIRE(r.status == 0 && t_now_ms() - began >= 400, "exit status %d after %lld ms", r.status,
	    (long long)(t_now_ms() - began));
	REQUIRE(strcmp(r.err, "mom pub: 3 bytes to news\nmom pub: 3 bytes to news\nmom pub: 3 bytes to news\n") == 0,
	    "%s", r.err);
	for (int i = 0; i < 3; i++)
		hear(ear, "news", "xyz");
	hear_nothing(ear);
	bye(ear);
}

TEST(typed, "what is typed line by line is stored line by line, not only at the end of input")
{
	up(NULL);
	REQUIRE(mkfifo(t_path("keys"), 0600) == 0, "mkfifo");
	struct running pub = run_start("exec '%s' pub -l news <'%s'", t_bin("mom"), t_path("keys"));
	int keys = open(t_path("keys"), O_WRONLY);
	REQUIRE(keys >= 0 && write(keys, "one\ntw", 6) == 6, "fifo");
	hear(ear, "news", "one");
	REQUIRE(write(keys, "o\n", 2) == 2, "fifo");
	hear(ear, "news", "two");
	close(keys);
	stored(run_finish(&pub));
	bye(ear);
}

TEST(wrong_use, "wrong use is exit status 2 and a line that says what; mom pub --help is 0")
{
	static const char *const wrong[] = { "", "news", "news a b", "news -l x", "news x -s", "-l news --count 2",
	    "news --count 0 x", "news x --interval soon", "news x --what" };
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		fails(run_command("'%s' pub %s", t_bin("mom"), wrong[i]), 2, "see mom pub --help");
	struct ran r = run_command("'%s' pub --help", t_bin("mom"));
	REQUIRE(r.status == 0 && strstr(r.out, "Example: "), "%d: %s", r.status, r.out);
}

TEST(errors, "no daemon, a bad topic, a file that is not there, a payload that is too large: exit status 1, and stderr "
    "says why")
{
	up(NULL);
	fails(run_command("'%s' pub '#bad' x", t_bin("mom")), 1, "topic");
	fails(run_command("'%s' pub news -f '%s'", t_bin("mom"), t_path("none")), 1, "No such file");
	fails(run_command("MOM_RUN='%s' '%s' pub news x", t_path("none"), t_bin("mom")), 1, "mom_daemon");
	hear_nothing(ear);
	bye(ear);
}

TEST(full, "messages of -l that the broker refuses are told with their number, and the exit status is 1; those before "
    "are stored")
{
	up("--topic-max 1000000");
	mom_destroy(ear);
	ear = talk_open("sleeper");
	talk_subscribe(ear, "news");
	mom_close(ear);
	server_stop(&one);                      /* the broker keeps it all */
	static struct server two;
	daemon_start(&two, "two", broker.port);
	use_daemon(&two);
	fails(run_command("head -c 3000000 /dev/zero | tr '\\0' x | fold -w 9999 | '%s' pub -l news", t_bin("mom")), 1,
	    " failed, the first: ");
}

TEST(waits, "mom pub that waits for the daemon says so after a second, and goes on when there is one")
{
	up(NULL);
	server_kill_all(&one);
	struct running r = run_start("exec '%s' pub news later", t_bin("mom"));
	WAIT_FOR(strstr(t_read_file(r.err), "mom pub: waits for mom_daemon, or for the broker behind it"),
	    "it says nothing");
	server_start(&one);
	struct ran done = run_finish(&r);
	REQUIRE(done.status == 0, "%d %s", done.status, done.err);
	hear(ear, "news", "later");
}

TEST(broker_restart, "mom pub -l over a killed broker: it waits for its successor, each line is there once and in "
    "order, exit status 0")
{
	enum { LINES = 20000 };
	up(NULL);
	REQUIRE(mkfifo(t_path("keys"), 0600) == 0, "mkfifo");
	struct running pub = run_start("exec '%s' pub -l news <'%s'", t_bin("mom"), t_path("keys"));
	FILE *keys = fopen(t_path("keys"), "w");
	REQUIRE(keys != NULL, "fifo");
	for (int i = 0; i < LINES; i++) {
		fprintf(keys, "line %d\n", i);
		if (i == LINES / 2) {
			fflush(keys);
			server_kill_all(&broker);
		}
		if (i == LINES / 2 + 1000)
			server_start(&broker);
	}
	REQUIRE(fclose(keys) == 0, "fifo");
	for (int i = 0; i < LINES; i++)
		hear(ear, "news", t_text("line %d", i));
	stored(run_finish(&pub));
	hear_nothing(ear);
	bye(ear);
}

TEST(broker_away, "a broker that goes away: mom pub -l ends after --timeout, says that the message is on its way, exit "
    "status 1; it is stored once the broker is back")
{
	up(NULL);
	REQUIRE(mkfifo(t_path("keys"), 0600) == 0, "mkfifo");
	struct running pub = run_start("exec '%s' pub -l --timeout 0.3 news <'%s'", t_bin("mom"), t_path("keys"));
	int keys = open(t_path("keys"), O_WRONLY);
	REQUIRE(keys >= 0 && write(keys, "one\n", 4) == 4, "fifo");
	hear(ear, "news", "one");
	server_kill_all(&broker);
	REQUIRE(write(keys, "two\n", 4) == 4, "fifo");
	fails(run_finish(&pub), 1, "do not publish them again");
	close(keys);
	fails(run_command("'%s' pub --timeout 0.3 news three", t_bin("mom")), 1, "broker");
	server_start(&broker);
	hear(ear, "news", "two");
	hear_nothing(ear);
	bye(ear);
}

TEST(need_subscriber, "--need-subscriber: a message to a topic that nobody subscribes to is refused, exit status 1; "
    "the others go, of -l each on its own")
{
	up(NULL);
	stored(run_command("'%s' pub --need-subscriber news x", t_bin("mom")));
	hear(ear, "news", "x");
	fails(run_command("'%s' pub --need-subscriber deaf x", t_bin("mom")), 1, "message 1 (1 bytes): ");
	stored(run_command("printf 'a\nb\n' | '%s' pub -l --need-subscriber news", t_bin("mom")));
	hear(ear, "news", "a");
	hear(ear, "news", "b");
	hear_nothing(ear);
	bye(ear);
}
