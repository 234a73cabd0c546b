/* sleeps - what diagrams/sleeps.md says of each sleep of a client: whatever changes what it has to do ends it, without
 * libmom's slices */
#include <lib/proc.h>
#include <lib/segment.h>
#include <lib/sysv.h>
#include <lib/t.h>
#include <lib/talk.h>
#include "look/look.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static struct server broker, one;

/* A sleep of this program's clients has no end of its own: a wake that is missing is missed for ever, and not for a
 * second. */
int
semtimedop(int sem, struct sembuf *ops, size_t n, const struct timespec *timeout)
{
	(void)timeout;
	return (int)syscall(SYS_semtimedop, sem, ops, n, NULL);
}

static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

/* ---- a call in a thread of its own ---- */

static struct { int id, r; atomic_int done; } call;

static void *
receive_one(void *nothing)
{
	struct mom_message m;
	(void)nothing;
	call.r = mom_receive(call.id, &m, -1);
	call.done = 1;
	return NULL;
}

static void *
publish_one(void *nothing)
{
	(void)nothing;
	call.r = mom_publish(call.id, "t", "x", 1, 0);
	call.done = 1;
	return NULL;
}

static void *
unsubscribe_one(void *nothing)
{
	(void)nothing;
	call.r = mom_unsubscribe(call.id, "t");
	call.done = 1;
	return NULL;
}

static void *
create_one(void *nothing)
{
	(void)nothing;
	call.r = mom_create();
	call.done = 1;
	return NULL;
}

static pthread_t
call_start(int id, void *(*run)(void *))
{
	pthread_t thread;
	call.id = id;
	call.done = 0;
	REQUIRE(pthread_create(&thread, NULL, run, NULL) == 0, "pthread_create");
	return thread;
}

static void
call_ends(pthread_t thread, const char *what)
{
	WAIT_FOR(call.done, "it sleeps on beside %s", what);
	pthread_join(thread, NULL);
}

/* ---- mail ---- */

TEST(safe, "a reader that acknowledges by itself sleeps with a full box when its forwarder is killed before it said "
    "what is safe: it is told later, and gives room")
{
	static char half[512 * 1024];
	struct mom_message m;
	up();
	int from = talk_create(), to = talk_create();
	mom_set_option(to, MOM_OPT_MANUAL_ACK, 1);
	talk_subscribe(to, "t");
	struct client_segment *c = segment_of(&one, to, NULL);
	for (int i = 0; i < 3; i++)
		REQUIRE(mom_publish(from, "t", half, sizeof half, 0) == 0, "%s", mom_error_text(from));
	WAIT_FOR(atomic_load(&c->behind), "all three are in the box");
	pid_t forwarder = server_child(&one, "mom_forwarder");
	kill(forwarder, SIGSTOP);
	WAIT_FOR(proc_state(forwarder) == 'T', "it is not stopped");
	for (int k = 0; k < SHARDS_MAX; k++)
		atomic_store(&c->safe[k], 0);          /* as if it were killed before it wrote that */
	for (int i = 0; i < 2; i++)
		REQUIRE(mom_receive(to, &m, 0) == 0, "%d: %s", i, mom_error_text(to));
	pthread_t thread = call_start(to, receive_one);
	WAIT_FOR(atomic_load(&c->asleep) & ASLEEP_FOR_MAIL, "it does not sleep");
	kill(forwarder, SIGKILL);
	call_ends(thread, "its mail");
	REQUIRE(call.r == 0, "%d: %s", call.r, mom_error_text(to));
	shmdt(c);
	bye(to);
	bye(from);
}

TEST(tombstones, "unsubscribe with a full table of tombstones does not wait for room while mail waits: only its own "
    "program could read that")
{
	up();
	int from = talk_create(), to = talk_create();
	mom_set_option(to, MOM_OPT_TIMEOUT_MS, -1);
	talk_subscribe(to, "t");
	talk_subscribe(to, "news");
	struct client_segment *c = segment_of(&one, to, NULL);
	say(from, "news", "hello");
	WAIT_FOR(atomic_load(&client_mail(c, WINDOW)->head), "it does not come");
	for (uint32_t i = 0; i < TOMBSTONES; i++)
		c->tomb[i] = (struct tombstone){ i, INT64_MAX, 0, 0 };
	atomic_store(&c->tombs, TOMBSTONES);
	call_ends(call_start(to, unsubscribe_one), "mail that it could read");
	REQUIRE(call.r == 0, "%d: %s", call.r, mom_error_text(to));
	hear(to, "news", "hello");
	shmdt(c);
	bye(to);
	bye(from);
}

/* ---- the client itself ---- */

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

TEST(ended, "a client that its daemon ends while it sleeps in receive hears of it at once")
{
	up();
	int id = talk_open("reader");
	struct client_segment *c = segment_of(&one, id, NULL);
	pthread_t thread = call_start(id, receive_one);
	WAIT_FOR(atomic_load(&c->asleep) & ASLEEP_FOR_MAIL, "it does not sleep");
	atomic_store(&c->goodbye, 1);                  /* a lie, that its daemon cannot know for one */
	hang_up();
	call_ends(thread, "the end of its client");
	REQUIRE(call.r == MOM_EBADID, "%d: %s", call.r, mom_error_text(id));
	shmdt(c);
	mom_close(id);
}

TEST(poisoned, "a client whose ring is garbage hears of it in poll, and from a receive that only looks")
{
	struct mom_message m;
	up();
	int id = talk_create(), r;
	struct client_segment *c = segment_of(&one, id, NULL);
	struct pollfd p = { mom_fd(id), POLLIN, 0 };
	REQUIRE(p.fd >= 0 && (r = mom_receive(id, &m, 0)) == MOM_ETIMEDOUT, "%s", mom_error_text(id));
	atomic_store(&c->poisoned, 1);                 /* as mom_requester does it */
	REQUIRE(poll(&p, 1, T_PATIENCE_MS) == 1, "it waits on");
	r = mom_receive(id, &m, 0);
	REQUIRE(r == MOM_EPROTO, "%d: %s", r, mom_error_text(id));
	shmdt(c);
	mom_destroy(id);
}

TEST(answered, "a publisher sleeps when its responser is killed before it wakes it: the next one does")
{
	up();
	int id = talk_create();
	struct client_segment *c = segment_of(&one, id, NULL);
	say(id, "t", "before");
	pid_t requester = server_child(&one, "mom_requester"), responser = server_child(&one, "mom_responser");
	kill(requester, SIGSTOP);
	WAIT_FOR(proc_state(requester) == 'T', "it is not stopped");
	uint64_t before[SHARDS_MAX];
	for (int k = 0; k < SHARDS_MAX; k++)
		before[k] = atomic_load(&c->next[k]);
	pthread_t thread = call_start(id, publish_one);
	WAIT_FOR(atomic_load(&c->asleep) & ASLEEP_FOR_ANSWERS, "it does not sleep");
	for (int k = 0; k < SHARDS_MAX; k++)
		if (atomic_load(&c->next[k]) != before[k])
			refused_write(&c->answer[k], before[k], MOM_EFULL);
	kill(responser, SIGKILL);
	call_ends(thread, "its answer");
	REQUIRE(call.r == MOM_EFULL, "%d: %s", call.r, mom_error_text(id));
	shmdt(c);
	bye(id);
}

TEST(door, "a daemon that stands still, with a queue at its door that is full, does not hold mom_create beyond its "
    "time-out")
{
	enum { MOST = 64 };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), n = 0, full = 0;
	char *run = t_path("run");
	REQUIRE(mkdir(run, 0700) == 0 && setenv("MOM_RUN", run, 1) == 0 && setenv("MOM_TIMEOUT", "200ms", 1) == 0, "%s",
	    strerror(errno));
	snprintf(a.sun_path, sizeof a.sun_path, "%s/socket", run);
	REQUIRE(bind(listener, (struct sockaddr *)&a, sizeof a) == 0 && listen(listener, 1) == 0, "%s",
	    strerror(errno));
	for (; n < MOST && !full; n++) {
		int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		full = connect(fd, (struct sockaddr *)&a, sizeof a) < 0 && errno == EAGAIN;
	}
	REQUIRE(full, "%d are taken", n);
	call_ends(call_start(-1, create_one), "a full queue");
	REQUIRE(call.r == MOM_ETIMEDOUT, "%d: %s", call.r, mom_error_text(-1));
}

/* ---- a sleep that must come ---- */

TEST(torn, "a worker that was killed in the middle of an answer does not keep its senders from sleeping until it is "
    "back")
{
	struct sysv_object o;
	up();
	int id = talk_create();
	struct client_segment *c = segment_of(&one, id, NULL);
	REQUIRE(sysv_find(server_registry(&broker), "unit-0", &o), "no unit");
	struct broker_unit *u = shmat(o.id, NULL, 0);
	struct look *look = look_all(broker.run, NULL);
	REQUIRE(u != (void *)-1 && look && look->count == 1 && look->server[0].counters, "shmat");
	const struct counters *sender = counters_page(look->server[0].counters, COUNTERS_SENDER(u->shards, 0));
	struct answer_words *a = &broker_unit_answers(u, u->slots, 0)[c->slot];
	atomic_store(&a->result[0].number, 0);         /* result_write, so far */
	atomic_store(&a->result[0].code, -1);
	atomic_store(&a->version, atomic_load(&a->version) + 1);
	uint64_t slept = counters_get(sender, COUNT_SLEEPS);
	WAIT_FOR(counters_get(sender, COUNT_SLEEPS) > slept + 2, "it looks without end");
	look_free(look);
	shmdt(u);
	shmdt(c);
	bye(id);
}
