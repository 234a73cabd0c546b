/* damage - the disk changed what was stored: what is sound is delivered, what is not is told, nothing is silently
 * shorter */
#include <lib/run.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <lib/server.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MESSAGES = 40 };
static struct server broker, near, far;
static const char *workers, *topic = "bells";

/* a durable subscriber on a machine that is down, with messages that wait for it in the broker's log */
static void
messages_wait(void)
{
	broker_start(&broker, "broker", 0, workers);
	daemon_start(&near, "near", broker.port);
	daemon_start(&far, "far", broker.port);
	use_daemon(&far);
	int id = talk_open("reader");
	talk_subscribe(id, topic);
	mom_close(id);
	server_stop(&far);
	use_daemon(&near);
	int mouth = talk_create();
	for (int i = 0; i < MESSAGES; i++)
		say(mouth, topic, t_text("message number %d", i));
	bye(mouth);
}

/* one bit, in the file that holds this text; its path */
static char *
spoil(const char *text)
{
	glob_t g;
	REQUIRE(glob(t_text("%s/shard-*/log-*", broker.store), 0, NULL, &g) == 0, "no log");
	for (size_t i = 0; i < g.gl_pathc; i++) {
		struct stat st;
		int fd = open(g.gl_pathv[i], O_RDWR);
		REQUIRE(fd >= 0 && fstat(fd, &st) == 0, "open");
		char *bytes = malloc((size_t)st.st_size + 1);
		REQUIRE(pread(fd, bytes, (size_t)st.st_size, 0) == st.st_size, "read");
		char *at = memmem(bytes, (size_t)st.st_size, text, strlen(text) + 1);
		if (at) {
			*at ^= 1;
			REQUIRE(pwrite(fd, at, 1, at - bytes) == 1, "spoil");
			char *path = strdup(g.gl_pathv[i]);
			globfree(&g);
			close(fd);
			return path;
		}
		free(bytes);
		close(fd);
	}
	REQUIRE(0, "no segment holds %s", text);
}

/* all but one, in order, and a gap in its place */
static void
all_but(int missing)
{
	struct mom_message m;
	int id = talk_open("reader"), gaps = 0;
	for (int i = 0; i < MESSAGES; i++) {
		int r = mom_receive(id, &m, 20000);
		REQUIRE(r == 0, "message %d: %s: %s", i, mom_strerror(r), mom_error_text(id));
		if (i == missing) {
			REQUIRE(m.flags & MOM_GAP, "no gap is told, came %.*s", (int)m.len, (const char *)m.data);
			REQUIRE(m.topic[0] == '\0' && strstr(m.data, "damaged") && strstr(m.data, " bytes"),
			    "the gap says: %.*s", (int)m.len, (const char *)m.data);
			gaps++;
			continue;
		}
		const char *want = t_text("message number %d", i);
		REQUIRE(!(m.flags & MOM_GAP) && m.len == strlen(want) && memcmp(m.data, want, m.len) == 0,
		    "number %d is %.*s", i, (int)m.len, (const char *)m.data);
	}
	hear_nothing(id);
	REQUIRE(gaps == 1, "%d gaps", gaps);
	bye(id);
}

static void
corrupt_is_kept(size_t times)
{
	glob_t g;
	REQUIRE(glob(t_text("%s/corrupt/shard-*-log-*", broker.store), 0, NULL, &g) == 0 && g.gl_pathc == times,
	    "the damaged segment is not in corrupt/");
	globfree(&g);
	REQUIRE(server_log_has(&broker, "damaged from offset") && server_log_has(&broker, "bytes are lost"),
	    "no line names what is lost");
}

TEST(found_at_start, "a bit flipped in the store while the broker was down: mom check says so, the rest is "
    "delivered, a gap is told, the damaged file is kept")
{
	messages_wait();
	server_kill_all(&broker);
	struct ran r = run_command("%s check %s", t_bin("mom"), broker.store);
	REQUIRE(r.status == 0 && strstr(r.out, "sound"), "before: exit %d: %s%s", r.status, r.out, r.err);
	spoil("message number 17");
	r = run_command("%s check %s", t_bin("mom"), broker.store);
	REQUIRE(r.status == 1 && strstr(r.out, "damaged at offset"), "exit %d: %s%s", r.status, r.out, r.err);
	server_start(&broker);
	server_start(&far);
	use_daemon(&far);
	all_but(17);
	corrupt_is_kept(1);
	r = run_command("%s check %s", t_bin("mom"), broker.store);
	REQUIRE(r.status == 0 && strstr(r.out, "gap from"), "afterwards: exit %d: %s%s", r.status, r.out, r.err);
}

TEST(taken_already, "a bit flipped in what a reader has taken already, after a stop: the reader is told of no gap, and "
    "the place where the log ended is none")
{
	struct mom_message m;
	messages_wait();
	server_start(&far);
	use_daemon(&far);
	int id = talk_open("reader");
	for (int i = 0; i < MESSAGES; i++)
		REQUIRE(mom_receive(id, &m, 20000) == 0, "message %d: %s", i, mom_error_text(id));
	mom_close(id);
	server_stop(&broker);
	spoil("message number 17");
	server_start(&broker);
	id = talk_open("reader");
	int mouth = talk_create();
	say(mouth, topic, "later");
	hear(id, topic, "later");
	bye(mouth);
	bye(id);
	struct ran r = run_command("grep -c 'bytes are lost' '%s'", broker.log);
	REQUIRE(atoi(r.out) <= 1 && !server_log_has(&broker, "unknown number"), "%s", t_read_file(broker.log));
}

TEST(no_file_of_ours, "db_dump of a file that belongs to no store says so, prints nothing of it, and fails")
{
	struct ran r = run_command("%s /etc/passwd", t_bin("db_dump"));
	REQUIRE(r.status == 111 && strstr(r.err, "passwd: no file of a store or a spool") && *r.out == '\0',
	    "exit %d: %s%s", r.status, r.out, r.err);
}

TEST(half_mended, "died between keeping a damaged segment and putting its mended copy in its place: mended again, told "
    "once, kept twice")
{
	messages_wait();
	server_kill_all(&broker);
	char *path = spoil("message number 17");
	struct ran r = run_command("mkdir %s/corrupt && ln %s %s/corrupt/shard-0-%s && head -c 1000 %s > %s.new",
	    broker.store, path, broker.store,
	    strrchr(path, '/') + 1, path, path);
	REQUIRE(r.status == 0, "%s", r.err);
	server_start(&broker);
	server_start(&far);
	use_daemon(&far);
	all_but(17);
	corrupt_is_kept(2);
}

TEST(found_while_it_runs, "a bit flips in the store of a running broker: the reader is told of the gap and gets the "
    "rest, others publish on")
{
	messages_wait();
	spoil("message number 3");
	server_start(&far);
	use_daemon(&near);
	int other = talk_create();
	talk_subscribe(other, "talk");
	for (int i = 0; i < 20; i++) {
		say(other, "talk", "on");
		hear(other, "talk", "on");
	}
	bye(other);
	use_daemon(&far);
	all_but(3);
	corrupt_is_kept(1);
}

TEST(other_shard, "a bit flipped in a shard that is not the first: the gap is told to its readers")
{
	glob_t g;
	workers = "--workers 2";
	messages_wait();
	WAIT_FOR(glob(t_text("%s/shard-1/topics/%s/subscribers", broker.store, topic), 0, NULL, &g) == 0,
	    "%s is not in shard 1: take another topic", topic);
	globfree(&g);
	server_kill_all(&broker);
	spoil("message number 17");
	server_start(&broker);
	server_start(&far);
	use_daemon(&far);
	all_but(17);
	corrupt_is_kept(1);
}
