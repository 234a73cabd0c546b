/* states - what a crash can leave in store, spool and run folder, built by hand: each start takes it up, loses nothing
 * and tells nobody a lie (db/README.md and its table; what concerns one log alone is in tests/unit/seglog.c) */
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <lib/views.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAILS = 10, ACKED = 4 };
static struct server broker, one;

static void
sh(const char *command)
{
	struct ran r = run_command("%s", command);
	REQUIRE(r.status == 0, "%s: %s%s", command, r.out, r.err);
}

static void
start_both(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

static void
works(void)
{
	int id = talk_create();
	talk_subscribe(id, "works");
	say(id, "works", "yes");
	hear(id, "works", "yes");
	bye(id);
}

static void
reader_dies(void *nothing)
{
	struct mom_message m;
	int id = talk_open("reader");
	(void)nothing;
	for (int i = 0; i < ACKED; i++)
		hear(id, "mail", t_text("%d", i));
	REQUIRE(mom_receive(id, &m, 20000) == 0, "receive");       /* acknowledges what came before; this one is not */
}

/* ten messages for a durable client, of which it has acknowledged four, and had a fifth, when its process ended */
static void
mail_waits(void)
{
	int id = talk_open("reader"), mouth = talk_create();
	talk_subscribe(id, "mail");
	REQUIRE(mom_close(id) == 0, "close");
	for (int i = 0; i < MAILS; i++)
		say(mouth, "mail", t_text("%d", i));
	REQUIRE(t_join(t_spawn(reader_dies, NULL)) == 0, "the reader failed");
	bye(mouth);
}

/* from number `first` on; flagged: those up to the fifth had been handed out */
static void
mail_comes(int first)
{
	int id = talk_open("reader");
	for (int i = first; i < MAILS; i++) {
		if (i <= ACKED)
			hear_again(id, "mail", t_text("%d", i));
		else
			hear(id, "mail", t_text("%d", i));
	}
	hear_nothing(id);
	bye(id);
}

/* ---- files that were being replaced ---- */

TEST(half_made, "died while replacing files: NAME.new of any size beside any file counts for nothing, and is removed")
{
	static const char *const of_store[] = {"store", "machines", "registry", "shard-0/checkpoint",
	    "shard-0/topics/mail/subscribers", NULL};
	static const char *const of_spool[] = {"identity", "clients", "starts", "forgotten", "words-0", "ring-0", NULL};
	start_both();
	mail_waits();
	server_kill_all(&broker);
	server_kill_all(&one);
	for (int i = 0; of_store[i]; i++)
		sh(t_text("printf '%.*s' > %s/%s.new", 7 * i, "mom store 1 id 00000000000000000000", broker.store,
		    of_store[i]));
	for (int i = 0; of_spool[i]; i++)
		sh(t_text("printf '%.*s' > %s/%s.new", 5 * i, "mom clients 1 boot ? next 1 aaaaaaaaaaa", one.store,
		    of_spool[i]));
	sh(t_text("for f in %s/shard-0/log-* %s/log-*; do head -c 3000 $f > $f.new; done", broker.store, one.store));
	sh(t_text("head -c 100 /dev/zero > %s/shard-0/log-00000f0000000000.new; touch %s/socket.new", broker.store,
	    one.run));
	server_start(&broker);
	server_start(&one);
	mail_comes(ACKED);
	works();
	server_stop(&one);                             /* while it runs it may be replacing one just now */
	server_stop(&broker);
	struct ran r = run_command("find %s %s -name '*.new'", broker.store, one.store);
	REQUIRE(r.out[0] == 0, "left for ever: %s", r.out);
}

/* ---- the store ---- */

TEST(no_shard_yet, "died between the store's identity and its shards' folders: they are made")
{
	broker_start(&broker, "broker", 0, "--workers 2");
	server_stop(&broker);
	sh(t_text("rm -r %s/shard-0 %s/shard-1", broker.store, broker.store));
	server_start(&broker);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	works();
}

TEST(no_checkpoint_yet, "died before the first check-point: the log alone tells it all, clients, subscriptions and "
    "messages")
{
	start_both();
	mail_waits();
	server_stop(&one);                             /* its spool would have the mail */
	server_kill_all(&broker);
	sh(t_text("rm %s/shard-0/checkpoint", broker.store));
	server_start(&broker);
	server_start(&one);
	mail_comes(ACKED);
	works();
}

/* ---- what broker and daemon have of each other ---- */

TEST(serial_not_learnt, "died between the broker's list of machines and the daemon's identity, at the first HELLO: the "
    "machine gets the same serial")
{
	broker_start(&broker, "broker", 0, NULL);
	int port = broker.port;
	server_stop(&broker);
	daemon_start(&one, "one", port);               /* nobody there: an identity without serial and token */
	server_kill_all(&one);
	char *before = t_path("identity");
	sh(t_text("cp %s/identity %s", one.store, before));
	server_start(&broker);
	server_start(&one);
	use_daemon(&one);
	bye(talk_create());
	server_kill_all(&one);
	sh(t_text("cp %s %s/identity && rm %s/clients", before, one.store, one.store));
	server_start(&one);
	works();
	char *machines = t_read_file(t_text("%s/machines", broker.store));
	REQUIRE(strstr(machines, "\n1 ") && strstr(machines, "\n2 ") == NULL, "it was given a second serial: %s",
	    machines);
}

TEST(token_not_learnt, "died between the broker's list of machines and the daemon's identity, later: the token before "
    "is good too, mail is there")
{
	start_both();
	mail_waits();
	server_stop(&one);
	char *before = t_path("identity");
	sh(t_text("cp %s/identity %s", one.store, before));
	server_start(&one);
	works();
	server_kill_all(&one);
	sh(t_text("cp %s %s/identity", before, one.store));
	server_start(&one);
	mail_comes(ACKED);
	works();
}

/* ---- the daemon's list of clients ---- */

TEST(destroyed_and_listed, "died between the last shard's yes to a DESTROY and the list: destroyed once more, off the "
    "list, nothing pinned")
{
	start_both();
	int id = talk_create();
	talk_subscribe(id, "works");
	uint64_t global = mom_global_id(id);
	REQUIRE(view_has(&broker, global, "works"), "not in the views");
	char *before = t_path("clients");
	sh(t_text("cp %s/clients %s", one.store, before));
	bye(id);
	server_kill_all(&one);
	sh(t_text("cp %s %s/clients", before, one.store));
	server_start(&one);
	works();
	WAIT_FOR(strstr(t_read_file(t_text("%s/clients", one.store)),
	    t_text("%016llx", (unsigned long long)global)) == NULL, "it stays on the list");
	REQUIRE(view_mentions(&broker, global) == 0, "the views name it");
}

TEST(known_and_not_listed, "a client that the broker knows and the list does not (its machine lost power before the "
    "list was on disk): destroyed")
{
	start_both();
	works();
	char *before = t_path("clients");
	sh(t_text("cp %s/clients %s", one.store, before));
	int id = talk_open("reader");
	talk_subscribe(id, "mail");
	uint64_t global = mom_global_id(id);
	REQUIRE(view_has(&broker, global, "mail"), "it is not subscribed");
	mom_close(id);
	server_stop(&one);
	sh(t_text("cp %s %s/clients", before, one.store));
	server_start(&one);
	works();
	WAIT_FOR(view_mentions(&broker, global) == 0, "it pins the log for ever");
}

/* ---- what a durable client has acknowledged: written without a sync ---- */

static void
words_are(const char *command)
{
	start_both();
	mail_waits();
	server_stop(&one);
	sh(t_text("cd %s && %s", one.store, command));
	server_start(&one);
}

static void
flagged_again(void)
{
	int id = talk_open("reader"), next = -1;
	struct mom_message m;
	for (int i = 0; next < MAILS - 1; i++) {
		REQUIRE(mom_receive(id, &m, 20000) == 0, "after %d: %s", next, mom_error_text(id));
		int n = atoi(t_text("%.*s", (int)m.len, (const char *)m.data));
		REQUIRE(i == 0 ? n <= ACKED : n == next + 1, "%d after %d", n, next);
		REQUIRE(n > ACKED || m.flags & MOM_REDELIVERED, "number %d came again without a flag", n);
		next = n;
	}
	hear_nothing(id);
	bye(id);
}

TEST(words_empty, "power failed while what a durable client acknowledged was written, the file is empty: what comes "
    "again is flagged, nothing is lost")
{
	words_are(": > words-0");
	flagged_again();
}

TEST(words_torn, "the same, the file is cut off")
{
	words_are("truncate -s 60 words-0");
	flagged_again();
}

TEST(words_old, "the file is an older one, of no clean stop: nothing is lost, and all that may have been handed out "
    "comes again flagged")
{
	start_both();
	mail_waits();
	WAIT_FOR(strstr(t_read_file(t_text("%s/words-0", one.store)), "acked 0 ") == NULL, "its place is not written");
	sh(t_text("cp %s/words-0 %s", one.store, t_path("words")));
	int id = talk_open("reader");
	hear_again(id, "mail", t_text("%d", ACKED));
	hear(id, "mail", t_text("%d", ACKED + 1));
	REQUIRE(mom_close(id) == 0, "close");
	server_stop(&one);
	sh(t_text("cp %s %s/words-0", t_path("words"), one.store));
	server_start(&one);
	id = talk_open("reader");
	for (int i = ACKED; i < MAILS; i++)
		hear_again(id, "mail", t_text("%d", i));
	hear_nothing(id);
	bye(id);
}
