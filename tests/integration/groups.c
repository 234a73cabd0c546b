/* groups - one queue, several workers: each message is handed to one of them, and comes back where it is not settled */
#include <lib/proc.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <mom.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server broker, one, two;

static void
up(const char *broker_flags)
{
	broker_start(&broker, "broker", 0, broker_flags);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

/* The next message is of a group, and says that. */
static struct mom_message
take(int id, const char *text, unsigned tries)
{
	struct mom_message m;
	REQUIRE(mom_receive(id, &m, T_PATIENCE_MS) == 0, "%s (waited for %s)", mom_error_text(id), text);
	REQUIRE(m.len == strlen(text) && memcmp(m.data, text, m.len) == 0, "%.*s instead of %s", (int)m.len,
	    (const char *)m.data, text);
	REQUIRE(m.flags & MOM_GROUPED && mom_tries(&m) == tries, "%s: flags %x, %u tries", text, m.flags & 0xff,
	    mom_tries(&m));
	REQUIRE(!(m.flags & MOM_REDELIVERED) == (tries == 1), "%s: flags %x", text, m.flags);
	return m;
}

TEST(shares, "each message of a group goes to one of its members, once, and in turns; a plain subscriber gets all of "
    "them")
{
	up(NULL);
	int watcher = talk_create(), publisher = talk_create(), a = talk_member("g", "jobs/#", 0),
	    b = talk_member("g", NULL, 0);
	talk_subscribe(watcher, "jobs/#");
	for (int i = 0; i < 4; i++)
		say(publisher, "jobs/x", t_text("%d", i));
	take(a, "0", 1);
	take(b, "1", 1);
	take(a, "2", 1);
	take(b, "3", 1);
	hear_nothing(a);
	hear_nothing(b);
	for (int i = 0; i < 4; i++)
		hear(watcher, "jobs/x", t_text("%d", i));
	bye(a);
	bye(b);
	bye(watcher);
	bye(publisher);
}

TEST(waits, "what was published while a group had no member waits for one; what was published before the group was "
    "made is not its")
{
	up("--workers 3");
	int publisher = talk_create(), id = talk_create();
	say(publisher, "jobs/x", "before");
	REQUIRE(mom_group_set(id, "g", NULL) == 0 && mom_group_bind(id, "g", "jobs/x") == 0, "%s", mom_error_text(id));
	REQUIRE(mom_group_bind(id, "g", "jobs/x") == MOM_EEXIST, "%s", mom_error_text(id));
	for (int i = 0; i < 100; i++)
		say(publisher, "jobs/x", t_text("%d", i));
	talk_join(id, "g", NULL, 0);
	for (int i = 0; i < 100; i++)
		take(id, t_text("%d", i), 1);
	hear_nothing(id);
	bye(id);
	bye(publisher);
}

TEST(one_at_a_time, "with a prefetch of one a member has one message, and the next when it asks for it; with more it "
    "has so many")
{
	up(NULL);
	int publisher = talk_create(), a = talk_create(), b = talk_create();
	struct mom_message m;
	mom_set_option(a, MOM_OPT_MANUAL_ACK, 1);
	mom_set_option(b, MOM_OPT_MANUAL_ACK, 1);
	mom_set_option(b, MOM_OPT_PREFETCH, 3);
	talk_join(a, "g", "jobs", 0);
	say(publisher, "jobs", "0");
	m = take(a, "0", 1);
	for (int i = 1; i < 5; i++)
		say(publisher, "jobs", t_text("%d", i));
	hear_nothing(a);
	talk_join(b, "g", NULL, 0);
	for (int i = 1; i < 4; i++)
		take(b, t_text("%d", i), 1);
	hear_nothing(b);
	REQUIRE(mom_settle(a, &m) == 0, "%s", mom_error_text(a));
	REQUIRE(mom_settle(a, &m) == MOM_EINVAL, "settled twice: %s", mom_error_text(a));
	take(a, "4", 1);
	REQUIRE(mom_ack(b) == 0, "%s", mom_error_text(b));
	talk_flush(b);
	say(publisher, "jobs", "5");
	take(b, "5", 1);
	bye(a);
	bye(b);
	bye(publisher);
}

TEST(comes_back, "what a member has not settled goes to another one when it leaves, closes or dies, flagged; what it "
    "has settled does not")
{
	up(NULL);
	int publisher = talk_create(), a = talk_member("g", "jobs", 0), b, fds[2];
	say(publisher, "jobs", "left");
	take(a, "left", 1);
	mom_set_option(a, MOM_OPT_MANUAL_ACK, 1);
	b = talk_member("g", NULL, 0);
	REQUIRE(mom_leave(a, "g") == 0 && mom_leave(a, "g") == MOM_ENOTSUB, "%s", mom_error_text(a));
	take(b, "left", 2);
	say(publisher, "jobs", "done");
	take(b, "done", 1);
	talk_flush(b);
	REQUIRE(mom_destroy(b) == 0, "%s", mom_error_text(-1));
	REQUIRE(pipe(fds) == 0, "pipe");
	say(publisher, "jobs", "died");
	pid_t pid = fork();
	REQUIRE(pid >= 0, "fork");
	if (pid == 0) {
		take(talk_member("g", NULL, 0), "died", 1);
		REQUIRE(write(fds[1], "", 1) == 1, "write");
		for (;;)
			pause();
	}
	char c;
	REQUIRE(read(fds[0], &c, 1) == 1, "read");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	b = talk_member("g", NULL, 0);
	take(b, "died", 2);
	hear_nothing(b);
	hear_nothing(a);
	bye(b);
	bye(a);
	bye(publisher);
}

TEST(rejected, "a rejected message comes back, not before its time; one that is rejected for good, or too often, is "
    "dead until it is retried or purged")
{
	up(NULL);
	struct mom_group g = MOM_GROUP_INIT;
	int publisher = talk_create(), id = talk_create();
	g.max_tries = 2;
	REQUIRE(mom_group_set(id, "g", &g) == 0, "%s", mom_error_text(id));
	talk_join(id, "g", "jobs", 0);
	mom_set_option(id, MOM_OPT_MANUAL_ACK, 1);
	say(publisher, "jobs", "later");
	struct mom_message m = take(id, "later", 1);
	int64_t began = t_now_ms();
	uint64_t origin = mom_origin(&m);
	REQUIRE(mom_reject(id, &m, -7) == MOM_EINVAL && mom_reject(id, &m, 1500) == 0, "%s", mom_error_text(id));
	m = take(id, "later", 2);
	REQUIRE(t_now_ms() - began >= 1499 && mom_origin(&m) == origin && m.offset != origin, "after %lld ms",
	    (long long)(t_now_ms() - began));
	REQUIRE(mom_reject(id, &m, 0) == 0, "%s", mom_error_text(id));
	say(publisher, "jobs", "bad");
	m = take(id, "bad", 1);
	REQUIRE(mom_reject(id, &m, MOM_NEVER) == 0, "%s", mom_error_text(id));
	talk_flush(id);
	hear_nothing(id);
	REQUIRE(mom_group_retry(id, "g", 12345) == MOM_ENOTSUB, "%s", mom_error_text(id));
	REQUIRE(mom_group_retry(id, "g", origin) == 0, "%s", mom_error_text(id));
	m = take(id, "later", 1);
	REQUIRE(mom_settle(id, &m) == 0, "%s", mom_error_text(id));
	talk_flush(id);
	REQUIRE(mom_group_purge(id, "g", 0) == 0 && mom_group_retry(id, "g", 0) == 0, "%s", mom_error_text(id));
	talk_flush(id);
	hear_nothing(id);
	bye(id);
	bye(publisher);
}

TEST(ordered, "of the messages with one key of an ordered group one is out at a time, in order, also when one comes "
    "back")
{
	up(NULL);
	struct mom_properties p = MOM_PROPERTIES_INIT;
	int publisher = talk_create(), a = talk_member("g", "jobs", MOM_GROUP_ORDERED), b = talk_member("g", NULL, 0);
	mom_set_option(a, MOM_OPT_MANUAL_ACK, 1);
	mom_set_option(b, MOM_OPT_MANUAL_ACK, 1);
	static const char *const sent[] = { "k0", "k1", "l0", "k2", "l1", "m0" };
	for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) {
		char key[2] = { sent[i][0], 0 };
		p.key = key;
		REQUIRE(mom_publish_with(publisher, "jobs", sent[i], 2, 0, &p) == 0, "%s", mom_error_text(publisher));
	}
	struct mom_message k = take(a, "k0", 1), l = take(b, "l0", 1);
	REQUIRE(mom_settle(b, &l) == 0, "%s", mom_error_text(b));
	l = take(b, "l1", 1);
	REQUIRE(mom_reject(a, &k, 0) == 0, "%s", mom_error_text(a));
	k = take(a, "k0", 2);
	REQUIRE(mom_settle(b, &l) == 0, "%s", mom_error_text(b));
	take(b, "m0", 1);
	REQUIRE(mom_settle(a, &k) == 0, "%s", mom_error_text(a));
	k = take(a, "k1", 1);
	REQUIRE(mom_settle(a, &k) == 0, "%s", mom_error_text(a));
	k = take(a, "k2", 1);
	bye(a);
	bye(b);
	bye(publisher);
}

TEST(exclusive, "the member that joined first gets all of an exclusive group, in order; then the next goes on where "
    "that one ended")
{
	up(NULL);
	int publisher = talk_create(), a = talk_create(), b;
	mom_set_option(a, MOM_OPT_PREFETCH, 3);
	mom_set_option(a, MOM_OPT_MANUAL_ACK, 1);
	talk_join(a, "g", "jobs", MOM_GROUP_EXCLUSIVE);
	b = talk_member("g", NULL, 0);
	for (int i = 0; i < 5; i++)
		say(publisher, "jobs", t_text("%d", i));
	struct mom_message m = take(a, "0", 1);
	take(a, "1", 1);
	take(a, "2", 1);
	REQUIRE(mom_settle(a, &m) == 0, "%s", mom_error_text(a));
	take(a, "3", 1);
	hear_nothing(b);
	bye(a);
	for (int i = 1; i < 4; i++)
		take(b, t_text("%d", i), 2);
	take(b, "4", 1);
	bye(b);
	bye(publisher);
}

TEST(temporary, "a temporary group ends with its last member; another one is there until it is deleted, which its "
    "members prevent")
{
	up("--workers 2");
	int id = talk_member("t", "jobs", MOM_GROUP_TEMPORARY), other = talk_member("g", "jobs", 0);
	REQUIRE(mom_join(other, "t", NULL, MOM_GROUP_EXCLUSIVE) == MOM_EEXIST, "%s", mom_error_text(other));
	REQUIRE(mom_leave(id, "t") == 0, "%s", mom_error_text(id));
	REQUIRE(mom_join(id, "t", NULL, 0) == MOM_ENOGROUP, "%s", mom_error_text(id));
	REQUIRE(mom_group_delete(id, "g") == MOM_EBUSY, "%s", mom_error_text(id));
	REQUIRE(mom_leave(other, "g") == 0 && mom_group_delete(id, "g") == 0 &&
	    mom_group_delete(id, "g") == MOM_ENOGROUP, "%s", mom_error_text(id));
	bye(id);
	bye(other);
}

TEST(restarted, "after a kill of the broker, of one of its workers or of a daemon each message of a group is still "
    "handed out once, to who had it or to who comes next")
{
	up(NULL);
	daemon_start(&two, "two", broker.port);
	int publisher = talk_create(), a = talk_create(), b;
	mom_set_option(a, MOM_OPT_PREFETCH, 2);
	mom_set_option(a, MOM_OPT_MANUAL_ACK, 1);
	talk_join(a, "g", "jobs", 0);
	for (int i = 0; i < 6; i++)
		say(publisher, "jobs", t_text("%d", i));
	struct mom_message m = take(a, "0", 1);
	pid_t worker = server_child(&broker, "worker");
	kill(worker, SIGKILL);
	server_replaced(&broker, "worker", worker);
	REQUIRE(mom_settle(a, &m) == 0, "%s", mom_error_text(a));
	m = take(a, "1", 1);
	server_kill_all(&broker);
	server_start(&broker);
	REQUIRE(mom_settle(a, &m) == 0, "%s", mom_error_text(a));
	m = take(a, "2", 1);
	take(a, "3", 1);
	server_kill(&one);
	server_start(&one);
	REQUIRE(mom_settle(a, &m) == 0, "%s", mom_error_text(a));
	take(a, "4", 1);
	use_daemon(&two);
	b = talk_member("g", NULL, 0);
	take(b, "5", 1);
	bye(a);
	take(b, "3", 2);
	take(b, "4", 2);
	hear_nothing(b);
	bye(b);
	bye(publisher);
}

TEST(taken_back, "what a machine has goes to another one when the machine is away for the group's time; the late "
    "answer changes nothing")
{
	up(NULL);
	daemon_start(&two, "two", broker.port);
	struct mom_group g = MOM_GROUP_INIT;
	int publisher = talk_create(), a = talk_create(), b;
	g.hand_timeout_ms = 1000;
	REQUIRE(mom_group_set(a, "g", &g) == 0, "%s", mom_error_text(a));
	mom_set_option(a, MOM_OPT_MANUAL_ACK, 1);
	talk_join(a, "g", "jobs", 0);
	say(publisher, "jobs", "x");
	struct mom_message m = take(a, "x", 1);
	use_daemon(&two);
	b = talk_member("g", NULL, 0);
	server_freeze(&one);
	take(b, "x", 2);
	server_thaw(&one);
	REQUIRE(mom_settle(a, &m) == 0, "%s", mom_error_text(a));
	talk_flush(a);
	say(publisher, "jobs", "y");
	take(a, "y", 1);
	bye(a);
	bye(b);
	bye(publisher);
}

TEST(held, "where a group has a longest time to hold a message, it is taken from a member that has it longer")
{
	up(NULL);
	struct mom_group g = MOM_GROUP_INIT;
	int publisher = talk_create(), a = talk_create(), b;
	g.max_hold_ms = 500;
	REQUIRE(mom_group_set(a, "g", &g) == 0, "%s", mom_error_text(a));
	mom_set_option(a, MOM_OPT_MANUAL_ACK, 1);
	talk_join(a, "g", "jobs", 0);
	b = talk_member("g", NULL, 0);
	say(publisher, "jobs", "x");
	take(a, "x", 1);
	take(b, "x", 2);
	bye(b);
	bye(a);
	bye(publisher);
}

TEST(durable, "a membership ends with its process, also of a durable client: what it had goes to the group, and its "
    "next process gets it only if it joins anew, flagged")
{
	up(NULL);
	int publisher = talk_create(), fds[2];
	char c;
	REQUIRE(mom_group_set(publisher, "g", NULL) == 0 && mom_group_bind(publisher, "g", "jobs") == 0, "%s",
	    mom_error_text(publisher));
	for (int i = 0; i < 3; i++)
		say(publisher, "jobs", t_text("%d", i));
	REQUIRE(pipe(fds) == 0, "pipe");
	pid_t pid = fork();
	REQUIRE(pid >= 0, "fork");
	if (pid == 0) {
		int id = talk_open("worker");
		mom_set_option(id, MOM_OPT_PREFETCH, 3);
		talk_join(id, "g", NULL, 0);
		take(id, "0", 1);              /* the others are in its mail box */
		REQUIRE(write(fds[1], "", 1) == 1, "write");
		for (;;)
			pause();
	}
	REQUIRE(read(fds[0], &c, 1) == 1, "read");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	int id = talk_open("worker");
	hear_nothing(id);
	talk_join(id, "g", NULL, 0);
	for (int i = 0; i < 3; i++)
		take(id, t_text("%d", i), 2);
	hear_nothing(id);
	bye(id);
	bye(publisher);
}

TEST(left, "what waits in the mail box of a member that leaves is not given out to it any more")
{
	up("--workers 2");
	int publisher = talk_create(), a = talk_create(), b;
	mom_set_option(a, MOM_OPT_PREFETCH, 5);
	talk_join(a, "g", "jobs", 0);
	talk_subscribe(a, "plain");
	for (int i = 0; i < 5; i++)
		say(publisher, "jobs", t_text("%d", i));
	take(a, "0", 1);
	say(publisher, "plain", "is here");
	REQUIRE(mom_leave(a, "g") == 0, "%s", mom_error_text(a));
	hear(a, "plain", "is here");
	hear_nothing(a);
	b = talk_member("g", NULL, 0);
	for (int i = 0; i < 5; i++)
		take(b, t_text("%d", i), 2);
	bye(b);
	talk_join(a, "g", NULL, 0);
	say(publisher, "jobs", "5");
	take(a, "5", 1);
	bye(a);
	bye(publisher);
}

TEST(expired, "a message of a group whose life has ended is handed to nobody, neither the first time nor when it comes "
    "back")
{
	up(NULL);
	struct mom_properties p = MOM_PROPERTIES_INIT;
	int publisher = talk_create(), id = talk_create();
	REQUIRE(mom_group_set(id, "g", NULL) == 0 && mom_group_bind(id, "g", "jobs") == 0, "%s", mom_error_text(id));
	p.ttl_ms = 1;
	REQUIRE(mom_publish_with(publisher, "jobs", "old", 3, 0, &p) == 0, "%s", mom_error_text(publisher));
	p.ttl_ms = 1000;
	REQUIRE(mom_publish_with(publisher, "jobs", "back", 4, 0, &p) == 0, "%s", mom_error_text(publisher));
	say(publisher, "jobs", "young");
	t_sleep_ms(10);
	mom_set_option(id, MOM_OPT_MANUAL_ACK, 1);
	mom_set_option(id, MOM_OPT_PREFETCH, 2);
	talk_join(id, "g", NULL, 0);
	struct mom_message m = take(id, "back", 1), young = take(id, "young", 1);
	REQUIRE(mom_expires(&m) > 0 && mom_reject(id, &m, 1500) == 0, "%s", mom_error_text(id));
	t_sleep_ms(3000);
	hear_nothing(id);
	REQUIRE(mom_settle(id, &young) == 0, "%s", mom_error_text(id));
	talk_flush(id);
	say(publisher, "jobs", "last");
	take(id, "last", 1);
	bye(id);
	bye(publisher);
}

TEST(needed, "MOM_NEED_SUBSCRIBER is content with a group that is bound to the topic, though it has no member")
{
	up(NULL);
	int id = talk_create();
	REQUIRE(mom_publish(id, "jobs", "x", 1, MOM_NEED_SUBSCRIBER) == MOM_ENOSUBSCRIBER, "%s", mom_error_text(id));
	REQUIRE(mom_group_set(id, "g", NULL) == 0 && mom_group_bind(id, "g", "job+") == MOM_ETOPIC &&
	    mom_group_bind(id, "g", "jobs/#") == 0, "%s", mom_error_text(id));
	REQUIRE(mom_publish(id, "jobs", "x", 1, MOM_NEED_SUBSCRIBER) == 0, "%s", mom_error_text(id));
	bye(id);
}

enum { LARGE = 100 * 1000, MANY = 400 };

/* So many large messages to that topic; how many were stored. */
static int
fill(int id, const char *topic, int count)
{
	static char bytes[LARGE];
	int n = 0;
	for (int e; n < count; n++) {
		snprintf(bytes, sizeof bytes, "%d", n);
		if ((e = mom_publish(id, topic, bytes, sizeof bytes, MOM_FAST)) == MOM_EFULL)
			break;
		REQUIRE(e == 0, "%s", mom_error_text(id));
	}
	return n;
}

TEST(full, "where a group without workers has filled the store publishes are refused; a worker that comes gets all of "
    "it and makes room")
{
	up("--store-max 24m");
	int publisher = talk_create(), id = talk_create();
	struct mom_message m;
	REQUIRE(mom_group_set(id, "g", NULL) == 0 && mom_group_bind(id, "g", "jobs") == 0, "%s", mom_error_text(id));
	int stored = fill(publisher, "jobs", MANY);
	REQUIRE(stored > 50 && stored < MANY, "%d were stored", stored);
	talk_join(id, "g", NULL, 0);
	for (int i = 0; i < stored; i++)
		REQUIRE(mom_receive(id, &m, T_PATIENCE_MS) == 0 && atoi(m.data) == i, "job %d: %s", i,
		    mom_error_text(id));
	hear_nothing(id);
	WAIT_FOR(mom_publish(publisher, "jobs", "x", 1, 0) == 0, "%s", mom_error_text(publisher));
	take(id, "x", 1);
	bye(id);
	bye(publisher);
}

TEST(packed, "what waits, is out or is dead outlives all that is written behind it: its segments are packed around it")
{
	up("--store-max 64m");
	struct mom_group g = MOM_GROUP_INIT;
	int publisher = talk_create(), id = talk_create(), other = talk_create();
	struct mom_message m;
	g.max_tries = 1;
	REQUIRE(mom_group_set(id, "g", &g) == 0 && mom_group_set(id, "w", NULL) == 0 &&
	    mom_group_bind(id, "w", "jobs") == 0, "%s", mom_error_text(id));
	mom_set_option(id, MOM_OPT_MANUAL_ACK, 1);
	mom_set_option(id, MOM_OPT_PREFETCH, 2);
	talk_join(id, "g", "jobs", 0);
	say(publisher, "jobs", "dead");
	say(publisher, "jobs", "out");
	m = take(id, "dead", 1);
	REQUIRE(mom_reject(id, &m, 0) == 0, "%s", mom_error_text(id));
	m = take(id, "out", 1);
	talk_subscribe(other, "much");
	for (int i = 0; i < 3 * MANY; i++) {
		struct mom_message much;
		WAIT_FOR(fill(publisher, "much", 1) == 1, "message %d is refused: %s", i, mom_error_text(publisher));
		REQUIRE(mom_receive(other, &much, T_PATIENCE_MS) == 0, "%s", mom_error_text(other));
	}
	server_kill_all(&broker);
	server_start(&broker);
	REQUIRE(mom_settle(id, &m) == 0, "%s", mom_error_text(id));
	talk_flush(id);
	REQUIRE(mom_group_retry(id, "g", 0) == 0, "%s", mom_error_text(id));
	m = take(id, "dead", 1);
	REQUIRE(mom_settle(id, &m) == 0, "%s", mom_error_text(id));
	talk_join(id, "w", NULL, 0);
	take(id, "dead", 1);
	take(id, "out", 1);
	bye(other);
	bye(id);
	bye(publisher);
}

TEST(refused, "a SETTLE that is refused with the publish that stood before it is said once more: the next job comes")
{
	static char large[200 * 1024];
	up("--topic-max 128k");
	int publisher = talk_create(), id = talk_create();
	struct mom_message m;
	talk_subscribe(publisher, "results");
	mom_set_option(id, MOM_OPT_MANUAL_ACK, 1);
	talk_join(id, "g", "jobs", 0);
	say(publisher, "jobs", "0");
	m = take(id, "0", 1);
	REQUIRE(mom_publish(id, "results", large, sizeof large, MOM_ASYNC) == 0 && mom_settle(id, &m) == 0, "%s",
	    mom_error_text(id));
	say(publisher, "jobs", "1");
	m = take(id, "1", 1);
	REQUIRE(mom_flush(id, T_PATIENCE_MS) == MOM_ETOOBIG, "%s", mom_error_text(id));
	REQUIRE(mom_publish(id, "results", large, sizeof large, MOM_ASYNC) == 0 && mom_settle(id, &m) == 0, "%s",
	    mom_error_text(id));
	say(publisher, "jobs", "2");
	struct pollfd p = { mom_fd(id), POLLIN, 0 };
	int64_t until = t_now_ms() + T_PATIENCE_MS;
	int e = MOM_ETIMEDOUT;
	while (e == MOM_ETIMEDOUT && t_now_ms() < until && poll(&p, 1, T_PATIENCE_MS) >= 0)
		e = mom_receive(id, &m, 0);
	REQUIRE(e == 0 && m.len == 1 && *(const char *)m.data == '2', "%s", mom_error_text(id));
	bye(publisher);
	mom_destroy(id);
}

TEST(limits, "a group takes 1,024 bindings, a prefetch is 1 to 10,000, a name is as a client's: more is refused by "
    "name")
{
	up(NULL);
	int id = talk_create(), e = 0, n = 0;
	REQUIRE(mom_group_set(id, "g", NULL) == 0, "%s", mom_error_text(id));
	while (n < 2000 && (e = mom_group_bind(id, "g", t_text("t/%d", n))) == 0)
		n++;
	REQUIRE(n == 1024 && e == MOM_ELIMIT && strstr(mom_error_text(id), "1024 bindings"), "%d: %s", n,
	    mom_error_text(id));
	REQUIRE(mom_group_unbind(id, "g", "t/7") == 0 && mom_group_unbind(id, "g", "t/7") == MOM_ENOTSUB &&
	    mom_group_bind(id, "g", "t/7") == 0, "%s", mom_error_text(id));
	REQUIRE(mom_set_option(id, MOM_OPT_PREFETCH, 0) == MOM_EINVAL &&
	    mom_set_option(id, MOM_OPT_PREFETCH, 10001) == MOM_EINVAL &&
	    mom_set_option(id, MOM_OPT_PREFETCH, 10000) == 0, "prefetch");
	REQUIRE(mom_join(id, "a b", "t", 0) == MOM_EINVAL && mom_join(id, "", "t", 0) == MOM_EINVAL &&
	    mom_join(id, "g", "a+", 0) == MOM_ETOPIC && mom_join(id, "g", "t", 8) == MOM_EINVAL, "%s",
	    mom_error_text(id));
	struct mom_message m;
	talk_subscribe(id, "plain");
	say(id, "plain", "x");
	REQUIRE(mom_receive(id, &m, T_PATIENCE_MS) == 0 && mom_settle(id, &m) == MOM_EINVAL &&
	    mom_reject(id, &m, 0) == MOM_EINVAL && mom_group_name(&m) == NULL && mom_tries(&m) == 0, "%s",
	    mom_error_text(id));
	bye(id);
}
