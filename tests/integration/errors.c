/* errors - item 10: every error code is produced, with a text that names the cure */
#include <lib/proc.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct server broker, one, two;

static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

/* the call's result and that its text holds a word */
static void
is(int id, int got, int wanted, const char *word)
{
	const char *text = mom_error_text(id);
	REQUIRE(got == wanted, "got %s (%d), wanted %s; text: %s", got < 0 ? mom_strerror(got) : "success", got,
	    mom_strerror(wanted), text);
	REQUIRE(text && *text && strstr(text, word), "%s: the text has no '%s': %s", mom_strerror(wanted), word, text);
}

TEST(texts, "each code has a fixed text of its own, lower case, without a full stop; unknown codes have one too")
{
	for (int code = MOM_ENORESOURCE; code <= 0; code++) {
		const char *text = mom_strerror(code);
		REQUIRE(text && *text && text[strlen(text) - 1] != '.', "%d: %s", code, text);
		for (int other = MOM_ENORESOURCE; other < code; other++)
			REQUIRE(strcmp(text, mom_strerror(other)) != 0, "%d and %d: %s", code, other, text);
	}
	REQUIRE(mom_strerror(1) && mom_strerror(-1000) && mom_error_text(-1) && mom_error_text(12345), "NULL");
}

TEST(einval, "MOM_EINVAL: wrong flags, options, pointers and timeouts")
{
	struct mom_message m;
	up();
	int id = talk_create();
	talk_subscribe(id, "t");
	is(id, mom_publish(id, "t", NULL, 1, 0), MOM_EINVAL, "data");
	is(id, mom_publish(id, "t", "x", 1, 0x80), MOM_EINVAL, "flag");
	is(id, mom_subscribe(id, "u", 0x80), MOM_EINVAL, "flag");
	is(id, mom_receive(id, NULL, 0), MOM_EINVAL, "");
	is(id, mom_receive(id, &m, -2), MOM_EINVAL, "timeout");
	is(id, mom_flush(id, -2), MOM_EINVAL, "timeout");
	is(id, mom_set_option(id, 99, 0), MOM_EINVAL, "option");
	is(id, mom_set_option(id, MOM_OPT_TIMEOUT_MS, -2), MOM_EINVAL, "TIMEOUT");
	is(id, mom_set_option(id, MOM_OPT_WINDOW, 10), MOM_EINVAL, "4096");
	is(id, mom_set_option(id, MOM_OPT_MANUAL_ACK, 2), MOM_EINVAL, "MANUAL_ACK");
	is(-1, mom_open("a b"), MOM_EINVAL, "A-Z");
	bye(id);
}

TEST(etopic, "MOM_ETOPIC: each invalid topic, by publish, subscribe and unsubscribe; the handle goes on")
{
	static const char *const bad[] = {"", " ", "a b", "a\tb", "a\nb", "\x7f", "\x01", "a*", "a/b*", "##", "a/+b/b",
	    ">/a", "$sys", "\xff", "\xc3", "\xc0\x80",
	    "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"};
	char long_one[MOM_TOPIC_MAX + 2];
	memset(long_one, 'x', sizeof long_one);
	long_one[MOM_TOPIC_MAX + 1] = 0;
	up();
	int id = talk_create();
	for (unsigned i = 0; i <= sizeof bad / sizeof *bad; i++) {
		const char *topic = i < sizeof bad / sizeof *bad ? bad[i] : long_one;
		is(id, mom_publish(id, topic, "x", 1, 0), MOM_ETOPIC, "");
		is(id, mom_publish(id, topic, "x", 1, MOM_ASYNC), MOM_ETOPIC, "");
		is(id, mom_subscribe(id, topic, 0), MOM_ETOPIC, "");
		is(id, mom_unsubscribe(id, topic), MOM_ETOPIC, "");
	}
	static const char *const patterns[] = { "*", "a/*", "#", "a/+/b", ">" };
	for (unsigned i = 0; i < sizeof patterns / sizeof *patterns; i++) {
		is(id, mom_publish(id, patterns[i], "x", 1, 0), MOM_ETOPIC, "pattern");
		is(id, mom_publish(id, patterns[i], "x", 1, MOM_ASYNC), MOM_ETOPIC, "pattern");
	}
	int r = mom_publish(id, NULL, "x", 1, 0);
	REQUIRE(r == MOM_ETOPIC || r == MOM_EINVAL, "NULL: %d", r);
	talk_subscribe(id, "fine");
	say(id, "fine", "x");
	hear(id, "fine", "x");
	bye(id);
}

TEST(etoobig, "MOM_ETOOBIG: one byte over 1 MiB; the text names the limit")
{
	static char big[MOM_MESSAGE_MAX + 1];
	up();
	int id = talk_create();
	is(id, mom_publish(id, "t", big, sizeof big, 0), MOM_ETOOBIG, "1048576");
	is(id, mom_publish(id, "t", big, SIZE_MAX, MOM_ASYNC), MOM_ETOOBIG, "1048576");
	bye(id);
}

TEST(enodaemon_broker, "MOM_RUN that names a broker's run folder is told at once as such; so are folders of the wrong "
    "kind to mom clients and mom topics")
{
	up();
	use_daemon(&broker);
	int64_t began = t_now_ms();
	is(-1, mom_create(), MOM_ENODAEMON, "is the run folder of a broker");
	REQUIRE(t_now_ms() - began < 10000, "that took %lld ms", (long long)(t_now_ms() - began));
	struct ran r = run_command("'%s' clients '%s'", t_bin("mom"), broker.run);
	REQUIRE(r.status == 1 && strstr(r.err, "belongs to a broker: name the folder of a daemon"), "%s", r.err);
	r = run_command("'%s' topics '%s'", t_bin("mom"), one.run);
	REQUIRE(r.status == 1 && strstr(r.err, "belongs to a daemon: name the folder of a broker"), "%s", r.err);
	use_daemon(&one);
}

TEST(enodaemon, "MOM_ENODAEMON at once where none runs: an empty folder, none at all, a daemon that was stopped "
    "cleanly")
{
	char *empty = t_path("empty");
	mkdir(empty, 0700);
	setenv("MOM_RUN", empty, 1);
	is(-1, mom_create(), MOM_ENODAEMON, "mom_daemon");
	is(-1, mom_open("name"), MOM_ENODAEMON, "mom_daemon");
	setenv("MOM_RUN", t_path("nowhere"), 1);
	is(-1, mom_create(), MOM_ENODAEMON, "mom_daemon");
	up();
	bye(talk_create());
	server_stop(&one);
	is(-1, mom_create(), MOM_ENODAEMON, "mom_daemon");
}

static void
create_and_leave(void *unused)
{
	(void)unused;
	bye(talk_create());
}

TEST(waits_for_killed, "where the daemon was killed create waits for its successor instead of failing")
{
	up();
	server_kill_all(&one);
	pid_t pid = t_spawn(create_and_leave, NULL);
	WAIT_FOR(proc_state(pid) == 'S', "the client does not wait");
	server_start(&one);
	REQUIRE(t_join(pid) == 0, "create failed");
}

TEST(etimedout, "MOM_ETIMEDOUT: an empty receive; publish, subscribe and flush while the broker is frozen, then all "
    "take effect once")
{
	struct mom_message m;
	up();
	int id = talk_create();
	talk_subscribe(id, "t");
	REQUIRE(mom_receive(id, &m, 0) == MOM_ETIMEDOUT && mom_receive(id, &m, 20) == MOM_ETIMEDOUT, "something came");
	mom_set_option(id, MOM_OPT_TIMEOUT_MS, 50);
	server_freeze(&broker);
	is(id, mom_publish(id, "t", "1", 1, 0), MOM_ETIMEDOUT, "broker");
	is(id, mom_subscribe(id, "u", 0), MOM_ETIMEDOUT, "broker");
	is(id, mom_flush(id, 50), MOM_ETIMEDOUT, "");
	server_thaw(&broker);
	REQUIRE(mom_flush(id, 20000) == 0, "%s", mom_error_text(id));
	mom_set_option(id, MOM_OPT_TIMEOUT_MS, 20000);
	hear(id, "t", "1");
	say(id, "u", "2");
	hear(id, "u", "2");
	hear_nothing(id);
	bye(id);
}

TEST(eexist_enotsub, "MOM_EEXIST for a second subscribe, MOM_ENOTSUB for an unsubscribe of what one never or no longer "
    "has")
{
	up();
	int id = talk_create();
	is(id, mom_unsubscribe(id, "t"), MOM_ENOTSUB, "t");
	talk_subscribe(id, "t");
	is(id, mom_subscribe(id, "t", 0), MOM_EEXIST, "t");
	REQUIRE(mom_unsubscribe(id, "t") == 0, "%s", mom_error_text(id));
	is(id, mom_unsubscribe(id, "t"), MOM_ENOTSUB, "t");
	bye(id);
}

/* a frozen machine pins what its subscriber needs; publishes are refused, nothing acknowledged is dropped, and with
 * room again all goes on */
static void
full(const char *option, const char *word)
{
	static char block[65536];
	struct mom_message m;
	int r = 0, stored = 0;
	broker_start(&broker, "broker", 0, option);
	daemon_start(&one, "one", broker.port);
	daemon_start(&two, "two", broker.port);
	use_daemon(&two);
	int ear = talk_create();
	talk_subscribe(ear, "full");
	use_daemon(&one);
	int id = talk_create();
	server_freeze(&two);
	while (stored < 2000 && (r = mom_publish(id, "full", block, sizeof block, MOM_FAST)) == 0)
		stored++;
	is(id, r, MOM_EFULL, word);
	REQUIRE(stored > 10, "refused after %d", stored);
	is(id, mom_publish(id, "full", block, sizeof block, MOM_FAST), MOM_EFULL, word);
	REQUIRE(mom_publish(id, "full", block, sizeof block, MOM_FAST | MOM_ASYNC) == 0, "%s", mom_error_text(id));
	is(id, mom_flush(id, 20000), MOM_EFULL, "full");
	server_thaw(&two);
	for (int i = 0; i < stored; i++)
		REQUIRE(mom_receive(ear, &m, 20000) == 0 && m.len == sizeof block, "%d of %d: %s", i, stored,
		    mom_error_text(ear));
	hear_nothing(ear);
	WAIT_FOR((r = mom_publish(id, "full", "room", 4, 0)) != MOM_EFULL, "still full: %s", mom_error_text(id));
	REQUIRE(r == 0, "%s", mom_error_text(id));
	hear(ear, "full", "room");
	bye(id);
	bye(ear);
}

TEST(efull_store, "MOM_EFULL at --store-max: not stored, told at once and by flush; with room again all goes "
    "on") { full("--store-max 16777216", "--store-max"); }
TEST(etoobig_topic, "a message that is larger than --topic-max is told as too large, since no waiting helps; one that "
    "nobody subscribes to is taken")
{
	static char bytes[20000];
	broker_start(&broker, "broker", 0, "--topic-max 10k");
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	int id = talk_create();
	talk_subscribe(id, "t");
	int r = mom_publish(id, "t", bytes, sizeof bytes, 0);
	REQUIRE(r == MOM_ETOOBIG && strstr(mom_error_text(id), "--topic-max"), "%d: %s", r, mom_error_text(id));
	REQUIRE(mom_publish(id, "t", bytes, 5000, 0) == 0 && mom_publish(id, "u", bytes, sizeof bytes, 0) == 0, "%s",
	    mom_error_text(id));
	bye(id);
}

TEST(efull_topic, "MOM_EFULL at --topic-max: not stored, told at once and by flush; with room again all goes "
    "on") { full("--topic-max 4194304", "--topic-max"); }

TEST(ebadid, "MOM_EBADID: no such handle, a destroyed one, a closed one, by every call")
{
	struct mom_message m;
	up();
	int id = talk_create();
	bye(id);
	int ids[] = {id, -1, 9999, 1 << 30};
	for (int i = 0; i < 4; i++) {
		REQUIRE(mom_publish(ids[i], "t", "x", 1, 0) == MOM_EBADID &&
		    mom_subscribe(ids[i], "t", 0) == MOM_EBADID &&
		    mom_unsubscribe(ids[i], "t") == MOM_EBADID && mom_receive(ids[i], &m, 0) == MOM_EBADID &&
		    mom_ack(ids[i]) == MOM_EBADID &&
		    mom_flush(ids[i], 0) == MOM_EBADID && mom_set_option(ids[i], MOM_OPT_MANUAL_ACK, 1) == MOM_EBADID &&
		    mom_close(ids[i]) == MOM_EBADID && mom_destroy(ids[i]) == MOM_EBADID && mom_global_id(ids[i]) == 0,
		    "id %d", ids[i]);
		mom_wake(ids[i]);
	}
}

static void
use_parents(void *handle)
{
	struct mom_message m;
	int id = *(int *)handle;
	is(id, mom_publish(id, "t", "x", 1, 0), MOM_EFORK, "create");
	is(id, mom_subscribe(id, "t", 0), MOM_EFORK, "create");
	is(id, mom_unsubscribe(id, "t"), MOM_EFORK, "create");
	is(id, mom_receive(id, &m, 0), MOM_EFORK, "create");
	is(id, mom_flush(id, 0), MOM_EFORK, "create");
	is(id, mom_ack(id), MOM_EFORK, "create");
	int own = talk_create();
	talk_subscribe(own, "own");
	say(own, "own", "x");
	hear(own, "own", "x");
	bye(own);
	REQUIRE(mom_destroy(id) == MOM_EFORK, "destroy");
}

TEST(efork, "MOM_EFORK: a forked child cannot use the parent's handle, can make its own, and the parent's goes on")
{
	up();
	int id = talk_create();
	talk_subscribe(id, "t");
	REQUIRE(t_join(t_spawn(use_parents, &id)) == 0, "the child failed");
	say(id, "t", "x");
	hear(id, "t", "x");
	bye(id);
}

static void
open_busy(void *unused)
{
	(void)unused;
	is(-1, mom_open("busy"), MOM_EBUSY, "busy");
}

TEST(ebusy, "MOM_EBUSY: a durable name that a living process has open, in another process and in its own; free after "
    "close")
{
	up();
	int id = talk_open("busy");
	REQUIRE(t_join(t_spawn(open_busy, NULL)) == 0, "the other process failed");
	is(-1, mom_open("busy"), MOM_EBUSY, "busy");
	REQUIRE(mom_close(id) == 0, "%s", mom_error_text(-1));
	bye(talk_open("busy"));
}

static void
create_without_descriptors(void *unused)
{
	struct rlimit limit = {3, 3};
	(void)unused;
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", O_RDWR);
	REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit: %s", strerror(errno));
	is(-1, mom_create(), MOM_ELIMIT, "file");
}

TEST(elimit, "MOM_ELIMIT: no descriptor left; the text names the limit")
{
	up();
	REQUIRE(t_join(t_spawn(create_without_descriptors, NULL)) == 0, "it failed");
}

static volatile sig_atomic_t handle = -1;

static void
on_alarm(int signal)
{
	(void)signal;
	if (handle >= 0)
		mom_wake(handle);
}

TEST(eintr, "MOM_EINTR: mom_wake before a receive, in one by a signal handler, and a signal alone; flush too; nothing "
    "is lost by it")
{
	struct mom_message m;
	struct sigaction action = {.sa_handler = on_alarm};
	up();
	int id = talk_create();
	talk_subscribe(id, "t");
	mom_wake(id);
	is(id, mom_receive(id, &m, 20000), MOM_EINTR, "");
	sigaction(SIGALRM, &action, NULL);
	handle = id;
	ualarm(50000, 0);
	is(id, mom_receive(id, &m, -1), MOM_EINTR, "");
	handle = -1;
	ualarm(50000, 50000);                   /* again and again: one may come before the sleep */
	is(id, mom_receive(id, &m, -1), MOM_EINTR, "");
	ualarm(0, 0);
	server_freeze(&broker);
	REQUIRE(mom_publish(id, "t", "x", 1, MOM_ASYNC) == 0, "%s", mom_error_text(id));
	mom_wake(id);
	is(id, mom_flush(id, 20000), MOM_EINTR, "");
	server_thaw(&broker);
	hear(id, "t", "x");
	bye(id);
}

/* finds the word in this process's SysV segments and spoils the record header (56 bytes, then the topic and its NUL) in
 * front of it */
static int
spoil(const char *word, const char *topic)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[400];
	int found = 0;
	while (fgets(line, sizeof line, f)) {
		unsigned long from, to;
		char *p, *at;
		if (!strstr(line, "SYSV") || sscanf(line, "%lx-%lx", &from, &to) != 2)
			continue;
		for (p = (char *)from; (at = memmem(p, (char *)to - p, word, strlen(word))) != NULL; p = at + 1,
		    found++)
			memset(at - strlen(topic) - 1 - 56, 0xff, 12);
	}
	fclose(f);
	return found;
}

TEST(eproto, "MOM_EPROTO: garbage in a client's own ring is that client's error alone; it destroys the handle and "
    "makes a new one")
{
	int r = 0;
	up();
	int other = talk_create(), id = talk_create();
	talk_subscribe(other, "t");
	pid_t requester = server_child(&one, "mom_requester");
	kill(requester, SIGSTOP);
	WAIT_FOR(proc_state(requester) == 'T', "not stopped");
	REQUIRE(mom_publish(id, "t", "spoil this one please", 21, MOM_ASYNC) == 0, "%s", mom_error_text(id));
	REQUIRE(spoil("spoil this one please", "t") >= 1, "the record is in none of our segments");
	kill(requester, SIGCONT);
	WAIT_FOR((r = mom_publish(id, "t", "x", 1, MOM_ASYNC)) != 0, "nobody sees the garbage");
	is(id, r, MOM_EPROTO, "destroy");
	mom_destroy(id);
	id = talk_create();
	say(id, "t", "new");
	struct mom_message m;
	do
		REQUIRE(mom_receive(other, &m, 20000) == 0, "%s", mom_error_text(other));
	while (m.len == 1);                     /* an x that overtook */
	REQUIRE(m.len == 3 && memcmp(m.data, "new", 3) == 0, "got %.*s", (int)m.len, (const char *)m.data);
	REQUIRE(server_child(&one, "mom_requester") == requester, "the requester died of it");
	bye(id);
	bye(other);
}

/* what a power cut does to bytes that were written and not synced: from the record with that word on, the log reads as
 * zeros */
static int
lose(const char *word, const char *topic)
{
	char *list = t_path("segments"), path[1000];
	int lost = 0;
	REQUIRE(system(t_text("find '%s' -path '*/shard-*/*' -type f -size +0 >'%s'", broker.store, list)) == 0,
	    "find");
	FILE *f = fopen(list, "r");
	while (fgets(path, sizeof path, f)) {
		path[strcspn(path, "\n")] = 0;
		struct stat st;
		int fd = open(path, O_RDWR);
		if (fd < 0 || fstat(fd, &st) < 0)
			continue;
		char *bytes = malloc((size_t)st.st_size + 1), *at;
		ssize_t n = pread(fd, bytes, (size_t)st.st_size, 0);
		if (n > 0 && (at = memmem(bytes, (size_t)n, word, strlen(word))) != NULL) {
			off_t from = at - bytes - (off_t)strlen(topic) - 1 - 56;
			memset(bytes + from, 0, (size_t)(n - from));
			REQUIRE(pwrite(fd, bytes + from, (size_t)(n - from), from) == n - from, "pwrite");
			lost = 1;
		}
		free(bytes);
		close(fd);
	}
	fclose(f);
	return lost;
}

TEST(elost, "MOM_ELOST: fast messages that a power cut took are told once, and how many; all goes on")
{
	int told = 0;
	up();
	int id = talk_create();
	talk_subscribe(id, "t");
	say(id, "t", "durable");
	hear(id, "t", "durable");
	server_freeze(&one);                    /* so that no place moves: nothing but the log is at stake */
	server_thaw(&one);
	for (int i = 0; i < 3; i++)
		REQUIRE(mom_publish(id, "t", t_text("fast message %d", i), 14, MOM_FAST) == 0, "%s",
		    mom_error_text(id));
	server_kill_all(&broker);
	REQUIRE(lose("fast message 0", "t"), "the fast messages are in no file below %s", broker.store);
	server_start(&broker);
	for (int i = 0; i < 10; i++) {
		int r = i % 2 ? mom_flush(id, 20000) : mom_publish(id, "t", "after", 5, 0);
		if (r == MOM_ELOST)
			is(id, r, MOM_ELOST, "3");
		REQUIRE(r == 0 || r == MOM_ELOST, "%s: %s", mom_strerror(r), mom_error_text(id));
		told += r == MOM_ELOST;
	}
	REQUIRE(told == 1, "told %d times", told);
	bye(id);
}

/* Three fast messages of a client that has no request open are gone; the broker and its connection are there again. */
static int
lost_three(void)
{
	up();
	int id = talk_create();
	say(id, "t", "durable");
	for (int i = 0; i < 3; i++)
		REQUIRE(mom_publish(id, "t", t_text("fast message %d", i), 14, MOM_FAST) == 0, "%s",
		    mom_error_text(id));
	pid_t old = server_child(&one, "mom_responser");
	server_kill_all(&broker);
	REQUIRE(lose("fast message 0", "t"), "the fast messages are in no file below %s", broker.store);
	server_start(&broker);
	server_replaced(&one, "mom_responser", old);
	return id;
}

TEST(elost_again, "MOM_ELOST is told though the connection breaks on which the broker said it")
{
	int id = lost_three();
	pid_t deaf = server_child(&one, "mom_responser");
	REQUIRE(kill(deaf, SIGSTOP) == 0, "kill");
	REQUIRE(mom_publish(id, "t", "after", 5, MOM_ASYNC) == 0, "%s", mom_error_text(id));
	WAIT_FOR(server_log_has(&broker, "a power cut took them"), "the broker has not noticed");
	kill(server_child(&broker, "broker_sender"), SIGKILL);
	server_replaced(&one, "mom_responser", deaf);
	is(id, mom_flush(id, 20000), MOM_ELOST, " 3 fast messages");
	for (int i = 0; i < 2; i++) {                  /* and not once more on a further connection */
		pid_t old = server_child(&one, "mom_responser");
		kill(server_child(&broker, "broker_sender"), SIGKILL);
		server_replaced(&one, "mom_responser", old);
		REQUIRE(mom_publish(id, "t", "again", 5, 0) == 0 && mom_flush(id, 20000) == 0, "%s",
		    mom_error_text(id));
	}
	bye(id);
}

TEST(elost_destroyed, "MOM_ELOST: mom_destroy tells of fast messages that are gone where no call before it could know")
{
	int id = lost_three();
	is(-1, mom_destroy(id), MOM_ELOST, " 3 fast messages");
	REQUIRE(mom_destroy(id) == MOM_EBADID, "the handle is still there");
}

static void
dies_before_it_says_it(void (*dies)(struct server *))
{
	int id = lost_three();
	pid_t deaf = server_child(&one, "mom_responser");
	REQUIRE(kill(deaf, SIGSTOP) == 0, "kill");
	REQUIRE(mom_publish(id, "t", "behind_the_loss", 15, MOM_ASYNC) == 0, "%s",
	    mom_error_text(id));
	WAIT_FOR(system(t_text("grep -rqs behind_the_loss '%s'", broker.store)) == 0, "it is not in the log");
	dies(&broker);
	server_start(&broker);
	server_replaced(&one, "mom_responser", deaf);
	is(id, mom_flush(id, 20000), MOM_ELOST, " 3 fast messages");
	REQUIRE(mom_publish(id, "t", "again", 5, 0) == 0, "%s", mom_error_text(id));
	bye(id);
}

TEST(elost_replayed, "MOM_ELOST is told though the broker dies before it says it")
{
	dies_before_it_says_it(server_kill_all);
}

TEST(elost_checkpoint, "MOM_ELOST is told though the broker ends before it says it, and starts from its check-point")
{
	dies_before_it_says_it(server_stop);
}

/* what the broker says that it lost, in how many tellings */
static long
lost_by_log(int *tellings)
{
	long sum = 0;
	*tellings = 0;
	for (const char *p = t_read_file(broker.log); (p = strstr(p, "with the numbers ")) != NULL; p++) {
		unsigned long long from, to;
		REQUIRE(sscanf(p, "with the numbers %llx to %llx", &from, &to) == 2, "%.80s", p);
		sum += (long)(to - from + 1);
		++*tellings;
	}
	return sum;
}

/* The window holds one: the next goes when the one before is acknowledged and forgotten here. */
static void
fast_and_large(int id, int ear, int cut, int n)
{
	static char bytes[5000];
	struct mom_message m;
	snprintf(bytes, sizeof bytes, "cut %d message %d", cut, n);
	REQUIRE(mom_publish(id, "t", bytes, sizeof bytes, MOM_FAST | MOM_ASYNC) == 0, "%s", mom_error_text(id));
	int r;
	/* the last one before a cut is sent again where this was not yet told of its answer */
	do
		r = mom_receive(ear, &m, 20000);
	while (r == 0 && cut > 0 && strcmp(m.data, t_text("cut %d message 3", cut - 1)) == 0);
	REQUIRE(r == 0 && m.len == sizeof bytes && memcmp(m.data, bytes, m.len) == 0, "cut %d message %d: %s", cut, n,
	    mom_error_text(ear));
}

TEST(elost_sum, "MOM_ELOST tells of all fast messages that are gone since it was last told, over several power cuts")
{
	int tellings;
	up();
	int id = talk_create(), ear = talk_create();
	talk_subscribe(ear, "t");
	say(id, "t", "durable");
	hear(ear, "t", "durable");
	mom_set_option(id, MOM_OPT_WINDOW, 4096);
	for (int cut = 0; cut < 3; cut++) {
		for (int i = 0; i < 4; i++)
			fast_and_large(id, ear, cut, i);
		server_kill_all(&broker);
		REQUIRE(lose(t_text("cut %d message 0", cut), "t"), "the fast messages are in no file below %s",
		    broker.store);
		server_start(&broker);
	}
	fast_and_large(id, ear, 3, 0);
	long sum = lost_by_log(&tellings);
	REQUIRE(tellings == 3 && sum >= 9, "the broker tells of %ld lost in %d power cuts", sum, tellings);
	is(id, mom_flush(id, 20000), MOM_ELOST, t_text(" %ld fast messages", sum));
	REQUIRE(mom_flush(id, 20000) == 0, "told again: %s", mom_error_text(id));
	bye(id);
	bye(ear);
}

TEST(disk_fails, "fdatasync of the store fails: what it covered is not acknowledged, and is stored once when the disk "
    "is mended")
{
	const char *faults = getenv("FAULTS");
	int last = -1, r = 0;
	if (!faults || !*faults)
		return;                         /* a build without fault points */
	broker_plan(&broker, "broker", 0, NULL);
	broker.fault = "worker/fdatasync=EIO@20+";
	server_start(&broker);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	int id = talk_create(), reader = talk_create();
	talk_subscribe(reader, "t");
	REQUIRE(mom_set_option(id, MOM_OPT_TIMEOUT_MS, 3000) == 0, "%s", mom_error_text(id));
	while (r == 0 && last < 100) {
		char *text = t_text("durable message %d.", ++last);
		r = mom_publish(id, "t", text, strlen(text), 0);
	}
	is(id, r, MOM_ETIMEDOUT, "on its way");
	WAIT_FOR(server_log_has(&broker, "shard 0 is off"), "a worker whose disk failed was started again");
	server_kill_all(&broker);
	/* what no fdatasync covered: the last that was written */
	REQUIRE(lose(t_text("durable message %d.", last), "t") || lose(t_text("durable message %d.", last - 1), "t"),
	    "no message is in a file");
	broker.fault = NULL;
	server_start(&broker);
	REQUIRE(mom_flush(id, 20000) == 0, "%s", mom_error_text(id));
	for (int i = 0; i <= last; i++)
		hear(reader, "t", t_text("durable message %d.", i));
	hear_nothing(reader);
	bye(id);
	bye(reader);
}

/* a daemon whose n-th and later calls fail, for each n, until a create meets it */
static void
by_fault(const char *call, const char *error, int wanted, const char *word)
{
	const char *faults = getenv("FAULTS");
	if (!faults || !*faults)
		return;                         /* a build without fault points */
	setenv("MOM_TIMEOUT", "3s", 1);            /* with some of the faults the daemon never gets to its broker */
	broker_start(&broker, "broker", 0, NULL);
	for (int n = 1; n < 60; n++) {
		char ready;
		daemon_plan(&one, "one", broker.port);
		one.fault = t_text("mom_daemon/%s=%s@%d+", call, error, n);
		one.log = t_path("one/fault-%d.log", n);
		server_start_unready(&one);
		WAIT_FOR((ready = strstr(t_read_file(one.out), "ready ") != NULL) || !proc_lives(one.pid),
		    "neither ready nor ended");
		int r = 0;
		if (ready) {
			use_daemon(&one);
			r = mom_create();
			if (r == wanted)
				is(-1, r, wanted, word);
		}
		server_kill_all(&one);
		unlink(one.out);
		if (r == wanted) {
			server_start(&one);     /* reaps */
			return;
		}
	}
	REQUIRE(0, "no create met %s=%s", call, error);
}

TEST(elimit_by_fault, "MOM_ELIMIT: the kernel gives the daemon no more segments; the text names "
    "kernel.shmmni") { by_fault("shmget", "ENOSPC", MOM_ELIMIT, "shm"); }
TEST(eio_by_fault, "MOM_EIO: the spool's disk fails when a client is to be noted; the text names the "
    "folder") { by_fault("rename", "EIO", MOM_EIO, "spool"); }
