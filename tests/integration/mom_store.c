/* mom_store - mom peek, check and backup: a store looked at and copied while its broker runs or not */
#include <lib/load.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct server broker, one, far;

static void
up(const char *extra)
{
	broker_start(&broker, "broker", 0, extra);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

/* A durable subscriber on a machine that is down: the broker keeps what is for it. */
static void
keep(const char *name, const char *topics)
{
	daemon_start(&far, "far", broker.port);
	use_daemon(&far);
	int id = talk_open(name);
	for (char *rest = NULL, *topic = strtok_r(strdup(topics), ",", &rest); topic;
	    topic = strtok_r(NULL, ",", &rest))
		talk_subscribe(id, topic);
	mom_close(id);
	server_stop(&far);
	use_daemon(&one);
}

static void
printed(struct ran r, int status, const char *out)
{
	REQUIRE(strcmp(r.out, out) == 0, "wanted:\n%s\ngot:\n%s\nstderr:\n%s", out, r.out, r.err);
	REQUIRE(r.status == status, "exit status %d, wanted %d: %s", r.status, status, r.err);
}

static void
has_words(struct ran r, int status, const char *words)
{
	REQUIRE(r.status == status && (strstr(r.out, words) || strstr(r.err, words)),
	    "exit status %d, wanted %d and \"%s\":\n%s%s", r.status, status, words, r.out, r.err);
}

/* The i-th segment of shard 0 as a path. */
static char *
segment(int i)
{
	glob_t g;
	REQUIRE(glob(t_text("%s/shard-0/log-*", broker.store), 0, NULL, &g) == 0 && (size_t)i < g.gl_pathc,
	    "no segment %d", i);
	char *path = strdup(g.gl_pathv[i]);
	globfree(&g);
	return path;
}

/* Where these bytes are in a file. */
static off_t
place_of(const char *path, const char *text)
{
	struct stat st;
	int fd = open(path, O_RDONLY);
	REQUIRE(fd >= 0 && fstat(fd, &st) == 0, "%s", path);
	char *bytes = malloc((size_t)st.st_size);
	REQUIRE(pread(fd, bytes, (size_t)st.st_size, 0) == st.st_size, "read");
	char *at = memmem(bytes, (size_t)st.st_size, text, strlen(text));
	REQUIRE(at, "%s is not in %s", text, path);
	off_t place = at - bytes;
	free(bytes);
	close(fd);
	return place;
}

static void
overwrite(const char *path, off_t at, const char *text)
{
	int fd = open(path, O_WRONLY);
	REQUIRE(fd >= 0 && pwrite(fd, text, strlen(text), at) == (ssize_t)strlen(text), "%s", path);
	close(fd);
}

/* ---- peek ---- */

TEST(peek, "mom peek shows what a topic still has, in every style of mom sub and the last ones alone, and whoever "
    "waits for it still gets it")
{
	up("--workers 3");
	int id = talk_create();
	talk_subscribe(id, "news");
	for (int i = 0; i < 5; i++) {
		say(id, "news", t_text("number %d", i));
		say(id, "log", "another topic");
	}
	REQUIRE(mom_publish(id, "news", "\xff\0\n", 3, MOM_FAST) == 0, "%s", mom_error_text(id));
	printed(run_command("'%s' peek --db '%s' -v news | head -c 27", t_bin("mom"), broker.store), 0,
	    "news number 0\nnews number 1");
	printed(run_command("'%s' peek --db '%s' -N -n 2 news | od -An -tx1", t_bin("mom"), broker.store), 0,
	    " 6e 75 6d 62 65 72 20 34 ff 00 0a\n");
	printed(run_command("'%s' peek --db '%s' -n 100 -F '%%t %%l %%r %%P' log | tail -n 1", t_bin("mom"),
	    broker.store), 0,
	    t_text("log 13 0 %016llx\n", (unsigned long long)mom_global_id(id)));
	has_words(run_command("'%s' peek --db '%s' --json -n 1 news", t_bin("mom"), broker.store), 0,
	    "{\"topic\":\"news\",\"data_base64\":\"/wAK\",\"publisher\":\"");
	printed(run_command("'%s' peek --db '%s' nobody 2>/dev/null", t_bin("mom"), broker.store), 27, "");
	struct ran r = run_command("'%s' peek nobody '%s'", t_bin("mom"), broker.run);
	REQUIRE(r.status == 27 && strstr(r.err, "nothing of nobody is in the store: what nobody subscribes to is not "
	    "kept"), "%d %s", r.status, r.err);
	printed(run_command("'%s' peek news '%s' -n 1 -F %%l", t_bin("mom"), broker.run), 0, "3\n");
	/* news and log lie in different shards */
	printed(run_command("'%s' peek --db '%s' -F '%%t' '#' | uniq -c | tr -s ' '", t_bin("mom"), broker.store), 0,
	    " 5 log\n 6 news\n");
	printed(run_command("'%s' peek --db '%s' -n 1 -F '%%t %%l' '+'", t_bin("mom"), broker.store), 0,
	    "log 13\nnews 3\n");
	for (int i = 0; i < 5; i++)
		hear(id, "news", t_text("number %d", i));
	bye(id);
}

TEST(finds_the_store, "without --db mom peek, check and backup find the store of the broker that runs; else it is db; "
    "where there is none they say so")
{
	up(NULL);
	int id = talk_create();
	say(id, "news", "here");
	bye(id);
	printed(run_command("MOM_RUN='%s' '%s' peek news", broker.run, t_bin("mom")), 0, "here\n");
	has_words(run_command("MOM_RUN='%s' '%s' check", broker.run, t_bin("mom")), 0,
	    t_text("%s: sound\n", broker.store));
	has_words(run_command("MOM_RUN='%s' '%s' backup '%s'", broker.run, t_bin("mom"), t_path("copy")), 0,
	    "read back and sound\n");
	server_stop(&one);
	server_stop(&broker);
	char *mom = realpath(t_bin("mom"), NULL);
	printed(run_command("cd '%s/..' && MOM_RUN='%s' '%s' peek news", broker.store, broker.run, mom), 0, "here\n");
	has_words(run_command("'%s' peek --db '%s' news", t_bin("mom"), t_path("none")), 1, "No such file");
	has_words(run_command("'%s' peek --db '%s' news", t_bin("mom"), t_dir()), 1, "no store is there");
	has_words(run_command("'%s' check '%s'", t_bin("mom"), t_dir()), 1, "neither a store nor a spool");
	has_words(run_command("'%s' backup --db '%s' '%s'", t_bin("mom"), t_dir(), t_path("copy-2")), 1,
	    "no store is there");
	REQUIRE(access(t_path("copy-2"), F_OK) < 0, "it left something");
}

/* ---- check ---- */

TEST(check_sound, "mom check counts what is in a store or a spool, and never takes a log that grows or segments that "
    "are used again for damage")
{
	up("--workers 2");
	struct load *ear = subscriber_start(&one, "a,b,c", PAYLOAD_MIX),
	    *pub = publisher_start(&one, 1, "a,b,c", 0, PAYLOAD_MIX, MOM_ASYNC | MOM_FAST);
	load_moves(pub, 15000);                        /* several segments, and some of them used again */
	for (int i = 0; i < 6; i++) {
		has_words(run_command("'%s' check '%s'", t_bin("mom"), broker.store), 0, ": sound\n");
		load_moves(pub, 1000);
	}
	load_stop(pub);
	load_finish(pub);
	load_expect(ear, pub->sent);
	load_finish(ear);
	keep("reader", "a");
	int id = talk_create();
	say(id, "a", "kept");
	bye(id);
	server_stop(&broker);
	struct ran r = run_command("'%s' check '%s'", t_bin("mom"), broker.store);
	has_words(r, 0, "shard-0: ");
	has_words(r, 0, "shard-1: ");
	has_words(r, 0, " of them messages, ");
	has_words(run_command("'%s' check '%s'", t_bin("mom"), one.store), 0, "spool: ");
}

TEST(check_damage, "mom check names the offset of damage, a missing segment, a check-point that is none, and its exit "
    "status is 1; a torn tail is no damage")
{
	up("--store-max 64000000");
	keep("reader", "news");
	int id = talk_create();
	char *big = calloc(1, 1000000);
	say(id, "news", "the first one");
	say(id, "news", "the second one");
	for (int i = 0; i < 25; i++)
		REQUIRE(mom_publish(id, "news", big, 1000000, MOM_ASYNC) == 0, "%s", mom_error_text(id));
	say(id, "news", "the last one");
	bye(id);
	server_stop(&broker);
	has_words(run_command("'%s' check '%s'", t_bin("mom"), broker.store), 0, ": sound\n");
	char *first = NULL;
	for (int i = 0; first == NULL; i++)
		first = run_command("grep -q 'the second one' '%s'", segment(i)).status == 0 ? segment(i) : NULL;
	off_t at = place_of(first, "the second one");
	overwrite(first, at, "THE");
	struct ran r = run_command("'%s' check '%s'", t_bin("mom"), broker.store);
	unsigned long long base, offset;
	has_words(r, 1, "damaged");
	REQUIRE(sscanf(strstr(r.out, "log-"), "log-%16llx: damaged at offset %16llx", &base, &offset) == 2 &&
	    offset - base + 64 == (unsigned long long)at - 56 - 5, "%s at %lld", r.out,
	    (long long)at);
	has_words(run_command("'%s' backup --db '%s' '%s'", t_bin("mom"), broker.store, t_path("copy")), 1,
	    "damaged at offset");
	REQUIRE(run_command("ls '%s' | grep copy", t_dir()).status != 0, "it left something");
	has_words(run_command("'%s' peek --db '%s' -n 1 news", t_bin("mom"), broker.store), 1, "the last one\n");
	overwrite(first, at, "the");
	char *gone = segment(2);
	REQUIRE(rename(gone, t_path("gone")) == 0, "rename");
	has_words(run_command("'%s' check '%s'", t_bin("mom"), broker.store), 1,
	    t_text("segment %s is missing", strrchr(gone, '/') + 1));
	has_words(run_command("'%s' backup --db '%s' '%s'", t_bin("mom"), broker.store, t_path("copy")), 1,
	    "is missing");
	REQUIRE(rename(t_path("gone"), gone) == 0, "rename");
	has_words(run_command("'%s' check '%s'", t_bin("mom"), broker.store), 0, ": sound\n");
	overwrite(t_text("%s/shard-0/checkpoint", broker.store), 70, "XX");
	r = run_command("'%s' check '%s'", t_bin("mom"), broker.store);
	has_words(r, 1, "its check-point is damaged");
	REQUIRE(strstr(r.out, "machines") == NULL, "%s", r.out);
	overwrite(t_text("%s/machines", broker.store), 4, "?");
	has_words(run_command("'%s' check '%s'", t_bin("mom"), broker.store), 1,
	    "store: machines is damaged: restore it");
}

TEST(check_torn, "a record that was cut off at the log's end is told and no damage; mom backup leaves it out")
{
	up(NULL);
	int id = talk_create();
	say(id, "news", "whole");
	say(id, "news", "this one will be torn");
	bye(id);
	server_kill_all(&broker);
	char *last = segment(0);
	REQUIRE(truncate(last, place_of(last, "will be torn")) == 0, "truncate");
	has_words(run_command("'%s' check '%s'", t_bin("mom"), broker.store), 0, "torn tail at offset ");
	has_words(run_command("'%s' backup --db '%s' '%s'", t_bin("mom"), broker.store, t_path("copy")), 0,
	    "read back and sound");
	REQUIRE(strstr(run_command("'%s' check '%s'", t_bin("mom"), t_path("copy")).out, "torn") == NULL,
	    "the tail was copied");
	printed(run_command("'%s' peek --db '%s' news", t_bin("mom"), t_path("copy")), 0, "whole\n");
	server_start(&broker);
	has_words(run_command("'%s' check '%s'", t_bin("mom"), broker.store), 0, ": sound\n");
}

/* ---- backup ---- */

/* The broker of that name again, on the copy. */
static void
start_on(const char *copy)
{
	if (broker.pid)
		server_stop(&broker);
	REQUIRE(run_command("rm -rf '%s' && mv '%s' '%s'", broker.store, copy, broker.store).status == 0, "mv");
}

TEST(backup_under_load, "a backup that is made under load has all that was acknowledged before it began: a broker that "
    "starts from it delivers that")
{
	enum { BEFORE = 2000 };
	struct mom_message m;
	up(NULL);
	keep("reader", "kept");
	struct load *noise = publisher_start(&one, 1, "kept/not", 0, PAYLOAD_MIX, MOM_ASYNC | MOM_FAST),
	    *more = publisher_start(&one, 2, "kept", 0, PAYLOAD_SMALL, MOM_ASYNC);
	int id = talk_create(), seen = 0;
	for (int i = 0; i < BEFORE; i++)
		REQUIRE(mom_publish(id, "kept", t_text("number %d", i), strlen(t_text("number %d", i)), MOM_ASYNC) == 0,
		    "%s", mom_error_text(id));
	REQUIRE(mom_flush(id, 20000) == 0, "%s", mom_error_text(id));
	load_moves(noise, 20000);
	has_words(run_command("'%s' backup --db '%s' '%s'", t_bin("mom"), broker.store, t_path("copy")), 0,
	    "read back and sound");
	load_kill(noise);
	load_kill(more);
	server_stop(&one);
	start_on(t_path("copy"));
	server_start(&broker);
	has_words(run_command("'%s' check '%s'", t_bin("mom"), broker.store), 0, ": sound\n");
	server_start(&far);
	use_daemon(&far);
	id = talk_open("reader");
	while (seen < BEFORE) {
		REQUIRE(mom_receive(id, &m, 20000) == 0, "after %d: %s", seen, mom_error_text(id));
		char *want = t_text("number %d", seen);
		seen += m.len == strlen(want) && memcmp(m.data, want, m.len) == 0;
		REQUIRE(!(m.flags & MOM_GAP), "%.*s", (int)m.len, (const char *)m.data);
		free(want);
	}
	bye(id);
}

/* As much as goes in; what the full store refuses is no matter. */
static void
flood(void *argument)
{
	static char bytes[4000];
	int id = talk_create();
	(void)argument;
	for (int i = 0;; i++)
		if (mom_publish(id, t_text("noise/%d", i % 4), bytes, sizeof bytes, MOM_ASYNC | MOM_FAST) != 0 ||
		    i % 1000 == 0)
			mom_flush(id, 20000);
}

static void
swallow(void *ready)
{
	struct mom_message m;
	int id = talk_create();
	for (int i = 0; i < 4; i++)
		talk_subscribe(id, t_text("noise/%d", i));
	*(volatile int *)ready = 1;
	while (mom_receive(id, &m, -1) == 0)
		;
}

/* The broker gives back a segment that it has now. */
static void
a_segment_goes(void)
{
	glob_t g;
	size_t gone = 0;
	REQUIRE(glob(t_text("%s/shard-*/log-*", broker.store), 0, NULL, &g) == 0, "no log");
	for (int64_t end = t_now_ms() + T_PATIENCE_MS; !gone; t_tick()) {
		REQUIRE(t_now_ms() < end, "no segment is given back");
		for (size_t i = 0; i < g.gl_pathc; i++)
			gone += access(g.gl_pathv[i], F_OK) < 0;
	}
	globfree(&g);
}

TEST(backup_of_a_busy_store, "backups while segments are packed, given back and used again: each is whole and sound, "
    "and has what was acknowledged before it")
{
	up("--workers 2 --store-max 128000000");
	keep("reader", "kept");
	int *ready = t_shared_memory(sizeof *ready), id = talk_create(), r;
	pid_t ear = t_spawn(swallow, ready);
	WAIT_FOR(*(volatile int *)ready, "nobody reads");
	pid_t mouth = t_spawn(flood, NULL);
	for (int i = 0; i < (t_is_long() ? 200 : 6); i++) {
		char *copy = t_path("copy-%d", i);
		while ((r = mom_publish(id, "kept", t_text("%d", i), strlen(t_text("%d", i)), 0)) == MOM_EFULL)
			t_tick();
		REQUIRE(r == 0, "%s", mom_error_text(id));
		struct running backup = run_start("exec '%s' backup --db '%s' '%s'", t_bin("mom"), broker.store, copy);
		/* held up, so that it meets what is not there any more */
		if (i % 2) {
			t_sleep_ms(2 * i);
			kill(backup.pid, SIGSTOP);
			a_segment_goes();
			kill(backup.pid, SIGCONT);
		}
		has_words(run_finish(&backup), 0, "read back and sound");
		has_words(run_command("'%s' check '%s'", t_bin("mom"), copy), 0, "sound\n");
		printed(run_command("'%s' peek --db '%s' -n 1 kept", t_bin("mom"), copy), 0, t_text("%d\n", i));
		REQUIRE(run_command("ls '%s'/shard-0 '%s' | grep -E 'new$|lock|registry|about'", copy,
		    copy).status != 0, "it has what belongs to processes");
		REQUIRE(run_command("rm -rf '%s'", copy).status == 0, "rm");
	}
	kill(mouth, SIGKILL);
	kill(ear, SIGKILL);
	t_join(mouth);
	t_join(ear);
	bye(id);
}

/* A backup that has its check-point and its list of segments, and stands before the first of them. */
static struct running
held_backup(const char *copy, const char *hold)
{
	char path[PATH_MAX] = "";
	REQUIRE(readlink("/proc/self/exe", path, sizeof path - 1) > 0, "readlink");
	*strrchr(path, '/') = 0;
	*strrchr(path, '/') = 0;
	struct running r = run_start("HOLD_LOG='%s' ASAN_OPTIONS=verify_asan_link_order=0 "
	    "LD_PRELOAD='%s/shim/hold_log.so' exec '%s' backup --db '%s' '%s'", hold, path, t_bin("mom"),
	    broker.store, copy);
	WAIT_FOR(access(t_text("%s.waits", hold), F_OK) == 0, "it does not come to a segment: %s", t_read_file(r.err));
	return r;
}

/* The first segment of shard 0 says that it is packed. */
static int
is_packed(void)
{
	unsigned char head[16] = { 0 };
	int fd = open(segment(0), O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, head, sizeof head);
	close(fd);
	return n == sizeof head && head[12] == 1;
}

TEST(backup_over_a_packing, "a segment that is packed while a backup has only an older check-point: the subscriptions "
    "that stood in it are in the copy all the same")
{
	static char noise[500000];
	up("--store-max 64000000");
	keep("reader", "kept");
	struct running backup = held_backup(t_path("copy"), t_path("hold"));
	int late = talk_open("late"), mouth = talk_create();
	talk_subscribe(late, "late");
	say(mouth, "kept", "needed by the machine that is down: the segment stays");
	for (int i = 0; i < 40; i++)
		REQUIRE(mom_publish(mouth, "noise", noise, sizeof noise, MOM_ASYNC) == 0, "%s", mom_error_text(mouth));
	REQUIRE(mom_flush(mouth, 20000) == 0, "%s", mom_error_text(mouth));
	WAIT_FOR(is_packed(), "the first segment is not packed");
	close(open(t_path("hold.go"), O_WRONLY | O_CREAT, 0600));
	has_words(run_finish(&backup), 0, "read back and sound");
	start_on(t_path("copy"));
	server_start(&broker);
	say(mouth, "late", "to the copy");
	hear(late, "late", "to the copy");
	bye(mouth);
	bye(late);
	server_start(&far);
	use_daemon(&far);
	int id = talk_open("reader");
	hear(id, "kept", "needed by the machine that is down: the segment stays");
	bye(id);
}

TEST(backup_of_a_newcomer, "a machine that joins while a backup goes: where what it did is in the copy, the copy knows "
    "that machine, too")
{
	up(NULL);
	int mouth = talk_create();
	struct running backup = held_backup(t_path("copy"), t_path("hold"));
	daemon_start(&far, "far", broker.port);
	use_daemon(&far);
	int late = talk_open("late");
	talk_subscribe(late, "late");
	/* what it shows next is no ticket any more: only the list knows it */
	for (int i = 0; i < 2; i++) {
		server_stop(&far);
		server_start(&far);
		say(late, "late", "it is back");
		hear(late, "late", "it is back");
	}
	close(open(t_path("hold.go"), O_WRONLY | O_CREAT, 0600));
	has_words(run_finish(&backup), 0, "read back and sound");
	start_on(t_path("copy"));
	server_start(&broker);
	say(mouth, "late", "to the copy");
	hear(late, "late", "to the copy");
	bye(mouth);
	bye(late);
}

TEST(backup_stopped, "a store whose broker does not run is copied the same way; a machine goes on with a broker on the "
    "copy as if it was the store")
{
	up(NULL);
	keep("reader", "news");
	int id = talk_create();
	say(id, "news", "kept");
	bye(id);
	server_stop(&one);
	server_stop(&broker);
	has_words(run_command("'%s' backup --db '%s' '%s/'", t_bin("mom"), broker.store, t_path("copy")), 0,
	    "1 messages, ");
	start_on(t_path("copy"));
	server_start(&broker);
	server_start(&far);
	use_daemon(&far);
	id = talk_open("reader");
	hear(id, "news", "kept");
	say(id, "news", "new");
	hear(id, "news", "new");
	bye(id);
}

TEST(backup_refuses, "mom backup never writes over what is there, leaves nothing behind when it fails, and says what "
    "was wrong")
{
	up(NULL);
	REQUIRE(mkdir(t_path("there"), 0700) == 0, "mkdir");
	has_words(run_command("'%s' backup --db '%s' '%s'", t_bin("mom"), broker.store, t_path("there")), 1,
	    "is there already");
	REQUIRE(rmdir(t_path("there")) == 0, "it wrote to it");
	has_words(run_command("'%s' backup --db '%s' '%s/no/copy'", t_bin("mom"), broker.store, t_dir()), 1,
	    "parent folder");
	for (int i = 0; i < 3; i++)
		has_words(run_command("cd '%s' && '%s' backup --db '%s' '%s'", i == 2 ? broker.store : t_dir(),
		    t_bin("mom"), broker.store, i == 0 ? t_text("%s/copy", broker.store) : i == 1
		    ? t_text("%s/shard-0/copy/", broker.store) : "copy"), 1, "lies in the store itself");
	REQUIRE(run_command("find '%s' -name 'copy*' | grep .", broker.store).status != 0, "it wrote to the store");
	has_words(run_command("'%s' backup --db '%s'", t_bin("mom"), broker.store), 2, "see mom backup --help");
	int id = talk_create();
	char *big = calloc(1, 100000);
	REQUIRE(mom_publish(id, "news", big, 100000, 0) == 0, "%s", mom_error_text(id));
	bye(id);
	has_words(run_command("trap '' XFSZ; ulimit -f 8; '%s' backup --db '%s' '%s'; s=$?; ls '%s' | grep copy && "
	    "s=9; exit $s", t_bin("mom"), broker.store, t_path("copy"), t_dir()), 1,
	    "File too large");
}

TEST(beside, "mom bench and mom shell run the programs that lie beside mom, with their arguments")
{
	up(NULL);
	printed(run_command("'%s' shell 'P news one two' E", t_bin("mom")), 0, "ok publish news\nok exit\n");
	has_words(run_command("'%s' bench --help", t_bin("mom")), 0, "usage: mom_bench");
	has_words(run_command("mkdir '%s/alone' && cp '%s' '%s/alone/mom'; '%s/alone/mom' bench", t_dir(), t_bin("mom"),
	    t_dir(), t_dir()), 1,
	    "it is installed beside mom");
}
