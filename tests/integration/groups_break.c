/* groups_break - faults of groups that a reviewer found, each as the sentence that it broke */
#include <lib/proc.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <dirent.h>
#include <fcntl.h>
#include <mom.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

static struct mom_message
take_within(int id, const char *text, unsigned tries, int ms)
{
	struct mom_message m;
	REQUIRE(mom_receive(id, &m, ms) == 0, "%s (waited for %s)", mom_error_text(id), text);
	REQUIRE(m.len == strlen(text) && memcmp(m.data, text, m.len) == 0,
	    "%.*s (%zu bytes of topic '%s') instead of %s",
	    (int)(m.len > 60 ? 60 : m.len), (const char *)m.data, m.len, m.topic, text);
	REQUIRE(tries == 0 || (m.flags & MOM_GROUPED && mom_tries(&m) == tries), "%s: flags %x, %u tries", text,
	    m.flags & 0xff, mom_tries(&m));
	return m;
}

static struct mom_message
take(int id, const char *text, unsigned tries)
{
	return take_within(id, text, tries, T_PATIENCE_MS);
}

TEST(expired_on_its_way, "a HAND whose message expires before the sender reads it does not stay with its member "
    "for ever")
{
	up(NULL);
	int publisher = talk_create(), a = talk_member("g", "jobs", 0);
	struct mom_properties p = MOM_PROPERTIES_INIT;
	p.ttl_ms = 500;
	pid_t sender = server_child(&broker, "broker_sender");
	kill(sender, SIGSTOP);
	REQUIRE(mom_publish_with(publisher, "jobs", "old", 3, MOM_ASYNC, &p) == 0, "%s", mom_error_text(publisher));
	t_sleep_ms(1500);
	kill(sender, SIGCONT);
	say(publisher, "jobs", "new");
	take_within(a, "new", 1, 10000);
	bye(a);
	bye(publisher);
}

static pid_t
worker_of(int shard)
{
	pid_t pid = 0;
	WAIT_FOR((pid = proc_find(broker.pid, "worker", shard)) != 0, "no worker");
	return pid;
}

/* the first that was started */
static pid_t
worker_zero(void)
{
	pid_t a = worker_of(0), b = worker_of(1);
	return a < b ? a : b;
}

TEST(leave_again, "a leave that was in time for shard 0 alone can be repeated")
{
	up("--workers 2");
	int publisher = talk_create(), a = talk_member("g", "jobs/#", 0), e;
	pid_t w = worker_zero();
	mom_set_option(a, MOM_OPT_TIMEOUT_MS, 500);
	kill(w, SIGSTOP);
	e = mom_leave(a, "g");
	kill(w, SIGCONT);
	REQUIRE(e == MOM_ETIMEDOUT, "%d", e);
	mom_set_option(a, MOM_OPT_TIMEOUT_MS, 20000);
	e = mom_flush(a, 20000);
	int e2 = mom_leave(a, "g");
	for (int i = 0; i < 16; i++)
		say(publisher, t_text("jobs/%d", i), "x");
	struct mom_message m;
	int r = mom_receive(a, &m, 2000);
	REQUIRE(r == MOM_ETIMEDOUT, "flush said %d, the second leave said %d (%s), and yet it gets %s", e, e2,
	    mom_strerror(e2), m.topic);
	bye(a);
	bye(publisher);
}

TEST(bind_again, "a bind that was in time for shard 0 alone can be repeated")
{
	up("--workers 2");
	int publisher = talk_create(), a = talk_create(), e;
	REQUIRE(mom_group_set(a, "g", NULL) == 0, "set");
	pid_t w = worker_zero();
	mom_set_option(a, MOM_OPT_TIMEOUT_MS, 500);
	kill(w, SIGSTOP);
	e = mom_group_bind(a, "g", "jobs/#");
	kill(w, SIGCONT);
	REQUIRE(e == MOM_ETIMEDOUT, "%d", e);
	mom_set_option(a, MOM_OPT_TIMEOUT_MS, 20000);
	e = mom_flush(a, 20000);
	int e2 = mom_group_bind(a, "g", "jobs/#"), n = 0;
	talk_join(a, "g", NULL, 0);
	for (int i = 0; i < 16; i++)
		say(publisher, t_text("jobs/%d", i), "x");
	struct mom_message m;
	while (n < 16 && mom_receive(a, &m, 2000) == 0)
		n++;
	REQUIRE(n == 16, "flush said %d, the second bind said %d (%s), and %d of 16 messages came", e, e2,
	    mom_strerror(e2), n);
	bye(a);
	bye(publisher);
}

TEST(delete_again, "a delete that was in time for shard 0 alone can be repeated")
{
	up("--workers 2");
	int publisher = talk_create(), a = talk_create(), e;
	REQUIRE(mom_group_set(a, "g", NULL) == 0 && mom_group_bind(a, "g", "jobs/#") == 0, "set");
	pid_t w = worker_zero();
	mom_set_option(a, MOM_OPT_TIMEOUT_MS, 500);
	kill(w, SIGSTOP);
	e = mom_group_delete(a, "g");
	kill(w, SIGCONT);
	REQUIRE(e == MOM_ETIMEDOUT, "%d", e);
	mom_set_option(a, MOM_OPT_TIMEOUT_MS, 20000);
	talk_flush(a);
	int e2 = mom_group_delete(a, "g"), refused = 0;
	for (int i = 0; i < 16; i++)
		refused += mom_publish(publisher, t_text("jobs/%d", i), "x", 1,
		    MOM_NEED_SUBSCRIBER) == MOM_ENOSUBSCRIBER;
	REQUIRE(refused == 16,
	    "the second delete said %d (%s), and in some shards the group still collects: %d of 16 refused",
	    e2, mom_strerror(e2), refused);
	bye(a);
	bye(publisher);
}

TEST(exclusive_first_away, "an exclusive group goes on where the machine of its first member stays away")
{
	up(NULL);
	daemon_start(&two, "two", broker.port);
	struct mom_group g = MOM_GROUP_INIT;
	int publisher, a = talk_create(), b;
	g.hand_timeout_ms = 1000;
	g.kind = MOM_GROUP_EXCLUSIVE;
	REQUIRE(mom_group_set(a, "g", &g) == 0, "%s", mom_error_text(a));
	talk_join(a, "g", "jobs", 0);
	use_daemon(&two);
	b = talk_member("g", NULL, 0);
	publisher = talk_create();
	say(publisher, "jobs", "x");
	take(a, "x", 1);
	server_freeze(&one);
	struct mom_message m;
	int e = mom_receive(b, &m, 40000);
	server_thaw(&one);
	REQUIRE(e == 0, "%s", mom_error_text(b));
	bye(b);
	bye(publisher);
	bye(a);
}

TEST(purge_of_another_shard, "to purge one dead message purges no other one")
{
	up("--workers 2");
	int publisher = talk_create(), a = talk_create();
	mom_set_option(a, MOM_OPT_MANUAL_ACK, 1);
	mom_set_option(a, MOM_OPT_PREFETCH, 100);
	talk_join(a, "g", "jobs/#", 0);
	enum { N = 16 };
	uint64_t origin[N];
	char topic[N][32];
	int same = 0, x = 0, y = 0;
	for (int i = 0; i < N; i++)
		say(publisher, t_text("jobs/%c", 'a' + i), "x");
	for (int i = 0; i < N; i++) {
		struct mom_message m = take(a, "x", 1);
		origin[i] = mom_origin(&m);
		snprintf(topic[i], sizeof topic[i], "%s", m.topic);
		REQUIRE(mom_reject(a, &m, MOM_NEVER) == 0, "reject");
		for (int j = 0; j < i; j++)
			if (origin[j] == origin[i])
				same = 1, x = j, y = i;
	}
	talk_flush(a);
	if (!same) {
		t_remark("no two origins were the same");
		bye(a);
		bye(publisher);
		return;
	}
	REQUIRE(mom_group_purge(a, "g", origin[x]) == 0, "purge");
	REQUIRE(mom_group_retry(a, "g", 0) == 0, "retry");
	int n = 0;
	struct mom_message m;
	while (mom_receive(a, &m, 2000) == 0)
		n++;
	REQUIRE(n == N - 1, "one of %d was purged, %s; %d came back: %s is gone, too", N, topic[x], n, topic[y]);
	bye(a);
	bye(publisher);
}

/* Its clients' limit is 64 KiB. Returns a publisher, which is of another machine. */
static int
up_with_small_backlog(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_plan(&one, "one", broker.port);
	size_t k = 0;
	while (one.extra[k])
		k++;
	one.extra[k] = "--client-backlog-max";
	one.extra[k + 1] = "64k";
	server_start(&one);
	daemon_start(&two, "two", broker.port);
	t_allow_log("is cut");
	use_daemon(&two);
	int publisher = talk_create();
	use_daemon(&one);
	return publisher;
}

static void
publish_many(int publisher, const char *topic, int count)
{
	static char big[8000];
	for (int i = 0; i < count; i++)
		REQUIRE(mom_publish(publisher, topic, big, sizeof big, MOM_ASYNC) == 0, "%s",
		    mom_error_text(publisher));
	talk_flush(publisher);
}

TEST(hands_and_the_limit, "what a group hands out counts for no backlog limit: the plain mail of its member is "
    "not cut for it")
{
	int publisher = up_with_small_backlog();
	int a = talk_create();
	mom_set_option(a, MOM_OPT_MANUAL_ACK, 1);
	mom_set_option(a, MOM_OPT_PREFETCH, 1000);
	talk_join(a, "g", "jobs", 0);
	talk_subscribe(a, "news");
	publish_many(publisher, "jobs", 600);
	t_sleep_ms(1500);
	say(publisher, "news", "hear");
	t_sleep_ms(500);
	struct mom_message m;
	int n = 0, heard = 0, e;
	while ((e = mom_receive(a, &m, 3000)) == 0 && !heard) {
		n += (m.flags & MOM_GROUPED) != 0;
		heard |= m.len == 4;
	}
	REQUIRE(heard && n == 600, "%d hands, news %d, then %d: %s", n, heard, e, mom_error_text(a));
	bye(a);
	bye(publisher);
}

TEST(rolled_in_a_round, "a group that reads up to the end of a segment while what is behind it is not written "
    "yet misses nothing")
{
	enum { HANDS = 200, OLD = 20, NEW = 150 };
	static char text[1000];
	up("--store-max 16m");
	int publisher = talk_create(), a = talk_create(), watcher = talk_create();
	struct mom_message m;
	mom_set_option(a, MOM_OPT_MANUAL_ACK, 1);
	mom_set_option(a, MOM_OPT_PREFETCH, HANDS);
	talk_join(a, "g", "jobs", 0);
	talk_subscribe(watcher, "filler");
	for (int i = 0; i < HANDS; i++)
		REQUIRE(mom_publish(publisher, "jobs", "x", 1, MOM_ASYNC) == 0, "%s", mom_error_text(publisher));
	for (int i = 0; i < HANDS; i++)
		take(a, "x", 1);
	talk_flush(publisher);
	/* to 60 KiB before the place where a new segment begins */
	uint64_t most = 4 * 1024 * 1024 - 64 - 64 * 1024, at = 0;
	do {
		REQUIRE(mom_publish(publisher, "filler", text, sizeof text, 0) == 0, "%s", mom_error_text(publisher));
		REQUIRE(mom_receive(watcher, &m, T_PATIENCE_MS) == 0, "%s", mom_error_text(watcher));
		at = m.offset & ((UINT64_C(1) << 40) - 1);
	} while (at + 60 * 1024 < most);
	for (int i = 0; i < OLD; i++) {
		snprintf(text, sizeof text, "%d", i);
		REQUIRE(mom_publish(publisher, "jobs", text, sizeof text, 0) == 0, "%s", mom_error_text(publisher));
	}
	pid_t w = worker_of(0);
	kill(w, SIGSTOP);
	t_sleep_ms(100);
	REQUIRE(mom_ack(a) == 0, "%s", mom_error_text(a));
	for (int i = OLD; i < OLD + NEW; i++) {
		snprintf(text, sizeof text, "%d", i);
		REQUIRE(mom_publish(publisher, "jobs", text, sizeof text, MOM_ASYNC) == 0, "%s",
		    mom_error_text(publisher));
	}
	t_sleep_ms(500);
	kill(w, SIGCONT);
	talk_flush(publisher);
	int seen[OLD + NEW] = { 0 }, n = 0;
	while (mom_receive(a, &m, 5000) == 0) {
		int i = atoi(m.data);
		n += seen[i]++ == 0;
		mom_settle(a, &m);
	}
	int first = 0;
	while (first < OLD + NEW && seen[first])
		first++;
	REQUIRE(n == OLD + NEW, "%d of %d acknowledged messages came; the first that did not is %d", n, OLD + NEW,
	    first);
	bye(a);
	bye(publisher);
	bye(watcher);
}

/* flips a byte of the record at that offset */
static void
damage(uint64_t offset)
{
	DIR *d = opendir(t_path("broker/db/shard-0"));
	REQUIRE(d, "opendir");
	uint64_t best = 0;
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		unsigned long long base;
		if (sscanf(e->d_name, "log-%16llx", &base) == 1 && base <= offset && base >= best)
			best = base;
	}
	closedir(d);
	int fd = open(t_path("broker/db/shard-0/log-%016llx", (unsigned long long)best), O_RDWR);
	char c;
	off_t at = (off_t)(offset - best + 64 + 62);
	REQUIRE(fd >= 0 && pread(fd, &c, 1, at) == 1, "open");
	c ^= 0x55;
	REQUIRE(pwrite(fd, &c, 1, at) == 1, "write");
	close(fd);
}

TEST(damaged_hand, "a hand whose copy is damaged is told as that, and not handed out as an empty message")
{
	up(NULL);
	t_allow_log("damage");
	t_allow_log("corrupt");
	t_allow_log("sound");
	int publisher = talk_create(), a = talk_create();
	mom_set_option(a, MOM_OPT_MANUAL_ACK, 1);
	talk_join(a, "g", "jobs", 0);
	say(publisher, "jobs", "damaged");
	struct mom_message m = take(a, "damaged", 1);
	uint64_t offset = m.offset;
	REQUIRE(mom_reject(a, &m, 1500) == 0, "reject");
	talk_flush(a);
	say(publisher, "other", "behind it");
	damage(offset);
	say(publisher, "jobs", "sound");
	m = take_within(a, "sound", 1, 10000);
	REQUIRE(mom_settle(a, &m) == 0, "settle");
	talk_flush(a);
	int e = mom_receive(a, &m, 8000);
	REQUIRE(e == MOM_ETIMEDOUT,
	    "it was given a message of topic '%s', %zu bytes, flags %x, tries %u, origin %llx", m.topic,
	    m.len, m.flags & 0xff, mom_tries(&m), (unsigned long long)mom_origin(&m));
	bye(a);
	bye(publisher);
}

TEST(damaged_hand_later, "the same, where the damage is found after a start")
{
	up(NULL);
	t_allow_log("damage");
	t_allow_log("corrupt");
	t_allow_log("sound");
	t_allow_log("reading the log for a group");
	int publisher = talk_create(), a = talk_create();
	mom_set_option(a, MOM_OPT_MANUAL_ACK, 1);
	talk_join(a, "g", "jobs", 0);
	say(publisher, "jobs", "damaged");
	struct mom_message m = take(a, "damaged", 1);
	uint64_t offset = m.offset;
	REQUIRE(mom_reject(a, &m, 6000) == 0, "reject");
	talk_flush(a);
	say(publisher, "other", "behind it");
	server_stop(&broker);
	damage(offset);
	server_start(&broker);
	int64_t until = t_now_ms() + 10000;
	while (t_now_ms() < until && !server_log_has(&broker, "bytes are lost"))
		t_sleep_ms(100);
	REQUIRE(server_log_has(&broker, "bytes are lost"), "the damage was not found");
	t_sleep_ms(500);
	if (server_log_has(&broker, "is off")) {       /* see damaged_hand */
		server_kill_all(&broker);
		server_start(&broker);
	}
	int e = mom_receive(a, &m, 8000);
	REQUIRE(e == MOM_ETIMEDOUT,
	    "it was given a message of topic '%s', %zu bytes, flags %x, tries %u, origin %llx", m.topic,
	    m.len, m.flags & 0xff, mom_tries(&m), (unsigned long long)mom_origin(&m));
	bye(a);
	bye(publisher);
}

TEST(cut_and_handed, "a client that was cut, and reads nothing, fills the spool of its machine no further")
{
	int publisher = up_with_small_backlog();
	int a = talk_create();
	mom_set_option(a, MOM_OPT_PREFETCH, 10000);
	talk_join(a, "g", "jobs", 0);
	talk_subscribe(a, "news");
	publish_many(publisher, "news", 600);
	WAIT_FOR(server_log_has(&one, "is cut"), "it is not cut");
	long before = atoi(run_command("du -s --apparent-size -B 1M %s | cut -f1", one.store).out);
	publish_many(publisher, "jobs", 9000);
	t_sleep_ms(3000);
	long after = atoi(run_command("du -s --apparent-size -B 1M %s | cut -f1", one.store).out);
	REQUIRE(after - before < 20, "its spool had %ld MiB as it was cut, and has %ld MiB now", before, after);
	bye(a);
	bye(publisher);
}
