/* ended - a client that its daemon has ended, rightly or not: what is not stored is never called stored, and its owner
 * is told */
#include <lib/segment.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <unistd.h>

static struct server broker, one;

static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

/* its DESTROY is answered by all shards */
static int
is_removed(int shm)
{
	struct shmid_ds ds;
	return shmctl(shm, IPC_STAT, &ds) < 0 || ds.shm_perm.mode & SHM_DEST;
}

/* This process's connections to the daemon's door are closed, as if its descriptors were lost. */
static void
hang_up(void)
{
	struct ucred who;
	for (int fd = 3; fd < 256; fd++) {
		socklen_t n = sizeof who;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && who.pid == one.pid)
			shutdown(fd, SHUT_RDWR);
	}
}

/* The daemon takes a living client for one that has ended: by a word that it cannot know to be a lie */
static void
end_living(int id)
{
	int shm;
	struct client_segment *c = segment_of(&one, id, &shm);
	int durable = c->durable != 0;
	/* not all is answered: it dies slowly */
	REQUIRE(mom_publish(id, "on_its_way", "x", 1, MOM_ASYNC) == 0, "%s", mom_error_text(id));
	atomic_store(&c->goodbye, durable ? 1 : 2);
	hang_up();
	WAIT_FOR(atomic_load(&c->owner) == 0 && (durable || is_removed(shm)), "the daemon has not ended it");
	shmdt(c);
}

static void
is_ended(int r, int id, const char *call)
{
	REQUIRE(r == MOM_EBADID, "%s of a client that was ended says %d", call, r);
	REQUIRE(strstr(mom_error_text(id), "has ended this client"), "%s: %s", call, mom_error_text(id));
}

/* What end_living had on its way: whether the answer to that came before the client's end is left open. */
static void
goes(int e)
{
	const char *text = mom_error_text(-1);
	REQUIRE(e == 0 || (e == MOM_EBADID && strstr(text, "1 of its requests had no answer")), "%d: %s", e, text);
}

static void
nothing_arrives(int reader, const char *topic)
{
	int other = talk_create();
	/* of another publisher, so only the worker's order counts: the ended one's would have come before */
	say(other, topic, "behind it");
	hear(reader, topic, "behind it");
	hear_nothing(reader);
	bye(other);
}

TEST(publish, "a living client that was ended gets MOM_EBADID from each call, never 0: what it published then is not "
    "stored, and nobody receives it")
{
	up();
	int reader = talk_create(), id = talk_create();
	struct mom_message m;
	talk_subscribe(reader, "t");
	say(id, "t", "before");
	hear(reader, "t", "before");
	end_living(id);
	for (int i = 0; i < 3; i++)
		is_ended(mom_publish(id, "t", "after", 5, i == 2 ? MOM_FAST : 0), id, "mom_publish");
	is_ended(mom_publish(id, "t", "after", 5, MOM_ASYNC), id, "mom_publish(MOM_ASYNC)");
	is_ended(mom_subscribe(id, "u", 0), id, "mom_subscribe");
	is_ended(mom_unsubscribe(id, "t"), id, "mom_unsubscribe");
	is_ended(mom_will(id, "t", "x", 1), id, "mom_will");
	is_ended(mom_receive(id, &m, 0), id, "mom_receive");
	is_ended(mom_receive(id, &m, -1), id, "mom_receive");
	is_ended(mom_ack(id), id, "mom_ack");
	goes(mom_destroy(id));
	nothing_arrives(reader, "t");
	bye(reader);
}

TEST(on_its_way, "what an ended client had on its way is not called acknowledged by its DESTROY: mom_flush and "
    "mom_close say MOM_EBADID")
{
	up();
	int id[2] = { talk_create(), talk_create() };
	for (int i = 0; i < 2; i++)
		say(id[i], "t", "before");
	server_freeze(&broker);
	for (int i = 0; i < 2; i++)
		for (int k = 0; k < 10; k++)
			REQUIRE(mom_publish(id[i], "t", "on its way", 10, MOM_ASYNC) == 0, "%s", mom_error_text(id[i]));
	int shm[2];
	struct client_segment *c[2] = { segment_of(&one, id[0], &shm[0]), segment_of(&one, id[1], &shm[1]) };
	for (int i = 0; i < 2; i++)
		atomic_store(&c[i]->goodbye, 2);
	hang_up();
	for (int i = 0; i < 2; i++)
		WAIT_FOR(atomic_load(&c[i]->owner) == 0, "the daemon has not ended it");
	is_ended(mom_flush(id[0], 0), id[0], "mom_flush");
	is_ended(mom_flush(id[0], 20000), id[0], "mom_flush");
	REQUIRE(mom_close(id[1]) == MOM_EBADID && strstr(mom_error_text(-1), "10 of its requests"), "%s",
	    mom_error_text(-1));
	server_thaw(&broker);
	WAIT_FOR(is_removed(shm[0]), "its DESTROY is not answered");
	/* whether the answer to its own requests came before that to the DESTROY is left open: it must not be the
	 * DESTROY's that counts */
	REQUIRE(atomic_load(&c[0]->answer[0].acked) < atomic_load(&c[0]->next[0]),
	    "the DESTROY's number stands in the client's word: %llx",
	    (unsigned long long)c[0]->answer[0].acked);
	REQUIRE(mom_publish(id[0], "t", "after", 5, 0) == MOM_EBADID && mom_destroy(id[0]) <= 0, "%s",
	    mom_error_text(id[0]));
}

static struct { atomic_int ready, stop; } *shared;

static void
take_the_name(void *unused)
{
	(void)unused;
	static const char *const texts[] = { "one", "two" };
	int id = talk_open("billing");
	struct mom_message m;
	for (int i = 0; i < 2; i++) {
		REQUIRE(mom_receive(id, &m, T_PATIENCE_MS) == 0, "%s", mom_error_text(id));
		REQUIRE(m.len == 3 && memcmp(m.data, texts[i], 3) == 0, "wanted %s, got %.*s", texts[i], (int)m.len,
		    (const char *)m.data);
	}
	hear_nothing(id);
	shared->ready = 1;
	while (!shared->stop)
		t_tick();
	bye(id);
}

TEST(name_taken, "whoever lost its durable name to another process is told, whatever it calls, and takes nothing of "
    "the other's mail and changes none of its words")
{
	up();
	int shm, old = talk_open("billing"), other = talk_create();
	talk_subscribe(old, "bills");
	shmdt(segment_of(&one, old, &shm));
	end_living(old);
	say(other, "bills", "one");
	shared = t_shared_memory(sizeof *shared);
	pid_t pid = t_spawn(take_the_name, NULL);
	struct mom_message m;
	for (int i = 0; i < 100; i++) {
		is_ended(mom_publish(old, "bills", "false", 5, i & 1 ? MOM_ASYNC : 0), old, "mom_publish");
		is_ended(mom_receive(old, &m, 0), old, "mom_receive");
		is_ended(mom_ack(old), old, "mom_ack");
	}
	say(other, "bills", "two");
	WAIT_FOR(shared->ready, "the new owner of the name does not get its mail");
	REQUIRE(is_removed(shm), "it shares a segment with the old one, which could write there");
	shared->stop = 1;
	int status = t_join(pid);
	REQUIRE(status == 0, "the new owner of the name: 0x%x", status);
	goes(mom_close(old));
	bye(other);
}

TEST(list_lost, "a daemon that comes back without its list tells the clients that it does not know: MOM_EBADID, not a "
    "wait for ever; new ones are served")
{
	up();
	int id = talk_create(), with_fd = talk_create();
	int fd = mom_fd(with_fd);
	struct mom_message m;
	say(id, "t", "before");
	server_kill(&one);
	REQUIRE(unlink(t_text("%s/clients", one.store)) == 0, "spool/clients");
	server_start(&one);
	int r;
	do
		r = mom_publish(id, "t", "after", 5, 0);
	while (r == MOM_ETIMEDOUT);
	is_ended(r, id, "mom_publish");
	is_ended(mom_flush(id, 1000), id, "mom_flush");
	while ((r = mom_receive(with_fd, &m, 0)) == MOM_ETIMEDOUT) {
		struct pollfd p = { fd, POLLIN, 0 };
		REQUIRE(poll(&p, 1, T_PATIENCE_MS) == 1, "the descriptor does not tell that the client was ended");
	}
	is_ended(r, with_fd, "mom_receive");
	bye(with_fd);
	REQUIRE(mom_destroy(id) == MOM_EBADID, "what had no answer is not told at the end");
	id = talk_create();
	say(id, "t", "new");
	bye(id);
}

TEST(given_late, "a daemon that is killed after it has listed a client's process and before it has told the client: "
    "its successor tells it, and the client goes on")
{
	up();
	int id = talk_create(), shm;
	struct client_segment *c = segment_of(&one, id, &shm);
	server_kill(&one);
	atomic_store(&c->owner, 0);
	server_start(&one);
	WAIT_FOR(atomic_load(&c->owner) != 0, "its successor does not give it the client");
	talk_subscribe(id, "t");
	say(id, "t", "hello");
	hear(id, "t", "hello");
	shmdt(c);
}

TEST(adopted, "a daemon that comes back with its list goes on with the clients it had: their requests are stored once, "
    "their descriptors work")
{
	up();
	int id = talk_create(), reader = talk_create();
	talk_subscribe(reader, "t");
	int fd = mom_fd(reader);
	for (int i = 0; i < 3; i++) {
		server_kill(&one);
		REQUIRE(mom_publish(id, "t", "while it is away", 16, MOM_ASYNC) == 0, "%s", mom_error_text(id));
		server_start(&one);
		REQUIRE(mom_flush(id, 20000) == 0, "%s", mom_error_text(id));
		struct mom_message m;
		int r;
		while ((r = mom_receive(reader, &m, 0)) == MOM_ETIMEDOUT) {
			struct pollfd p = { fd, POLLIN, 0 };
			REQUIRE(poll(&p, 1, T_PATIENCE_MS) == 1, "the descriptor does not tell of the message");
		}
		REQUIRE(r == 0 && m.len == 16, "%d %s", r, mom_error_text(reader));
		hear_nothing(reader);
	}
	bye(id);
	bye(reader);
}

/* ---- the living ---- */

static void *
second_thread(void *unused)
{
	(void)unused;
	int id = talk_open("threaded"), quick = talk_create();
	REQUIRE(mom_will(id, "will", "gone", 4) == 0, "%s", mom_error_text(id));
	talk_subscribe(quick, "tick");
	shared->ready = 1;
	for (int i = 0; !shared->stop; i++) {
		REQUIRE(mom_publish(id, "tick", t_text("%d", i), strlen(t_text("%d", i)), 0) == 0, "%s",
		    mom_error_text(id));
		hear(quick, "tick", t_text("%d", i));
		t_tick();
	}
	REQUIRE(mom_close(id) == 0, "%s", mom_error_text(-1));
	bye(quick);
	_exit(0);
}

static void
first_thread_ends(void *when)
{
	pthread_t t;
	if (*(int *)when == 0) {                /* as case 02b: the handles are made when the first thread is gone */
		REQUIRE(pthread_create(&t, NULL, second_thread, NULL) == 0, "pthread_create");
		pthread_exit(NULL);
	}
	int id = talk_create();
	say(id, "tick", "before");
	REQUIRE(pthread_create(&t, NULL, second_thread, NULL) == 0, "pthread_create");
	while (!shared->ready)
		t_tick();
	pthread_exit(NULL);
}

static void
living(int when)
{
	up();
	shared = t_shared_memory(sizeof *shared);
	int id = talk_create();
	talk_subscribe(id, "will");
	pid_t pid = t_spawn(first_thread_ends, &when);
	WAIT_FOR(shared->ready, "the second thread has no client");
	daemon_looks(&one, 4);
	server_kill(&one);
	server_start(&one);
	daemon_looks(&one, 4);
	REQUIRE(mom_open("threaded") == MOM_EBUSY, "the name of a living process was given away");
	REQUIRE(!server_log_has(&one, "has ended"), "a living client was taken for dead");
	shared->stop = 1;
	int status = t_join(pid);
	REQUIRE(status == 0, "0x%x", status);
	hear_nothing(id);
	bye(id);
}

TEST(first_thread_ended, "a process whose first thread has ended by pthread_exit lives on with its clients, its name "
    "and its will, over a new daemon, too")
{
	living(1);
}

TEST(made_without_first_thread, "a thread that outlives the first one makes clients as any other")
{
	living(0);
}

TEST(death_told, "the death of a client is logged with the reason that decided; a handle that was given back is no "
    "death")
{
	up();
	int id = talk_create();
	bye(id);
	pid_t pid = fork();
	if (pid == 0) {
		talk_create();
		_exit(0);
	}
	t_join(pid);
	WAIT_FOR(server_log_has(&one, t_text("process %d, has ended: its process is gone (pidfd readable)", (int)pid)),
	    "no line tells of it");
	REQUIRE(!server_log_has(&one, t_text("process %d, has ended", (int)getpid())),
	    "giving a handle back was told as a death");
}
