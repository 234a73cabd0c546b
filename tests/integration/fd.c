/* fd - mom_fd: a client in somebody's event loop */
#include <lib/proc.h>
#include <lib/segment.h>
#include <lib/server.h>
#include <lib/sysv.h>
#include <lib/t.h>
#include <mom.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

static struct server broker, one;
static int publisher, subscriber, fd;

static int
ready(int ms)
{
	struct pollfd p = { fd, POLLIN, 0 };
	return poll(&p, 1, ms) > 0;
}

/* all that is there, until the box is found empty: how many */
static int
take_all(void)
{
	struct mom_message m;
	int n = 0, r;
	while ((r = mom_receive(subscriber, &m, 0)) == 0)
		n++;
	REQUIRE(r == MOM_ETIMEDOUT, "receive: %d: %s", r, mom_error_text(subscriber));
	return n;
}

/* as a program does it: poll, then take, until so many have come */
static void
await(int count)
{
	int64_t end = t_now_ms() + T_PATIENCE_MS;
	for (int got = 0; got < count; got += take_all())
		REQUIRE(t_now_ms() < end && ready(T_PATIENCE_MS), "%d of %d came", got, count);
}

static void
send_one(void)
{
	REQUIRE(mom_publish(publisher, "loop", "x", 1, MOM_FAST) == 0, "%s", mom_error_text(publisher));
}

static void
begin(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	publisher = mom_create();
	subscriber = mom_create();
	REQUIRE(publisher >= 0 && subscriber >= 0, "%s", mom_error_text(-1));
	REQUIRE(mom_subscribe(subscriber, "loop", 0) == 0, "%s", mom_error_text(subscriber));
	fd = mom_fd(subscriber);
	REQUIRE(fd >= 0 && mom_fd(subscriber) == fd, "%d: %s", fd, mom_error_text(subscriber));
	take_all();
}

static void
finish(void)
{
	REQUIRE(mom_destroy(publisher) == 0 && mom_destroy(subscriber) == 0, "%s", mom_error_text(-1));
}

/* mom_daemon's seconds: at each it looks at all its clients, whether it was told to or not */
static uint32_t
seconds(void)
{
	static struct machine_table *table;
	struct sysv_object o;
	if (table == NULL && sysv_find(server_registry(&one), "machine-table", &o))
		table = shmat(o.id, NULL, SHM_RDONLY);
	REQUIRE(table && table != (void *)-1, "no table");
	return atomic_load(&table->ticks);
}

TEST(level, "mom_fd is readable while a message waits, in poll and in epoll, and quiet when all were taken")
{
	struct mom_message m;
	struct epoll_event e = { .events = EPOLLIN };
	int loop, at_once = 0;
	begin();
	uint32_t last = seconds(), before;
	for (int i = 0; i < 50; i++) {
		before = last;
		last = seconds();
		CHECK(!ready(0), "readable with nothing there, round %d", i);
		send_one();
		REQUIRE(ready(T_PATIENCE_MS), "round %d", i);
		at_once += i > 0 && seconds() == before;         /* two rounds within one second */
		REQUIRE(at_once || i < 10, "mom_daemon sees mail only when it looks at all clients, once a second");
		send_one();
		REQUIRE(mom_receive(subscriber, &m, 0) == 0, "round %d: nothing there", i);
		REQUIRE(ready(T_PATIENCE_MS), "one was taken, another one waits or comes; round %d", i);
		await(1);
	}
	loop = epoll_create1(EPOLL_CLOEXEC);
	REQUIRE(loop >= 0 && epoll_ctl(loop, EPOLL_CTL_ADD, fd, &e) == 0, "%s", strerror(errno));
	send_one();
	REQUIRE(epoll_wait(loop, &e, 1, T_PATIENCE_MS) == 1, "epoll");
	await(1);
	REQUIRE(epoll_wait(loop, &e, 1, 0) == 0, "epoll says more");
	close(loop);
	finish();
}

TEST(late, "mom_fd of a client for whom messages wait already is readable at once")
{
	struct mom_message m;
	begin();
	int late = mom_create();
	REQUIRE(late >= 0 && mom_subscribe(late, "loop", 0) == 0, "%s", mom_error_text(late));
	send_one();
	REQUIRE(mom_receive(subscriber, &m, T_PATIENCE_MS) == 0, "%s", mom_error_text(subscriber));
	fd = mom_fd(late);
	subscriber = late;
	await(1);
	finish();
}

TEST(stream, "20,000 messages through an event loop: none is left lying")
{
	begin();
	for (int i = 0; i < 20000; i++) {
		REQUIRE(mom_publish(publisher, "loop", "x", 1, MOM_FAST | MOM_ASYNC) == 0, "%s",
		    mom_error_text(publisher));
		if (i % 97 == 0)
			take_all();
	}
	REQUIRE(mom_flush(publisher, -1) == 0, "%s", mom_error_text(publisher));
	REQUIRE(mom_publish(publisher, "loop", "last", 4, 0) == 0, "%s", mom_error_text(publisher));
	struct mom_message m = { 0 };
	int r;
	while (m.len != 4) {
		while ((r = mom_receive(subscriber, &m, 0)) == 0 && m.len != 4) {
		}
		REQUIRE(m.len == 4 || ready(T_PATIENCE_MS), "messages are left lying: %d", r);
	}
	finish();
}

/* libmom looks at its mail box, finds nothing, empties its socket, which is here, and asks to be woken. */
static const struct ring *box;
static int comes_between;

ssize_t
recv(int s, void *bytes, size_t n, int flags)
{
	if (comes_between && flags == MSG_DONTWAIT) {
		uint64_t head = atomic_load(&box->head);
		comes_between = 0;
		send_one();
		WAIT_FOR(atomic_load(&box->head) != head, "it does not come into the mail box");
	}
	return recvfrom(s, bytes, n, flags, NULL, NULL);
}

TEST(between, "a message that comes between the last look and the wait is not left lying")
{
	struct mom_message m;
	begin();
	struct client_segment *c = segment_of(&one, subscriber, NULL);
	box = client_mail(c, WINDOW);
	for (int i = 0; i < 20; i++) {
		comes_between = 1;
		int r = mom_receive(subscriber, &m, 0);
		REQUIRE(!comes_between, "libmom does not look at its socket: this tests nothing");
		for (; r == MOM_ETIMEDOUT; r = mom_receive(subscriber, &m, 0))
			REQUIRE(ready(T_PATIENCE_MS), "number %d is left lying", i);
		REQUIRE(r == 0, "%s", mom_error_text(subscriber));
		take_all();
	}
	shmdt(c);
	finish();
}

TEST(wake, "mom_wake ends a poll of mom_fd, and the receive behind it says MOM_EINTR")
{
	struct mom_message m;
	begin();
	mom_wake(subscriber);
	REQUIRE(ready(T_PATIENCE_MS), "not woken");
	REQUIRE(mom_receive(subscriber, &m, 0) == MOM_EINTR, "%s", mom_error_text(subscriber));
	take_all();
	CHECK(!ready(0), "readable after that");
	finish();
}

TEST(killed, "an event loop goes on where the forwarder, the daemon, or all of its processes were killed")
{
	begin();
	for (int i = 0; i < 5; i++) {
		pid_t forwarder = server_child(&one, "mom_forwarder");
		kill(forwarder, SIGKILL);
		send_one();
		await(1);
		server_kill(&one);
		server_start(&one);
		send_one();
		await(1);
	}
	finish();
}

TEST(gone, "while no daemon runs the descriptor does not spin: it wakes its loop a few times a second to look")
{
	begin();
	server_stop(&one);
	int wakes = 0;
	for (int64_t end = t_now_ms() + 2000; t_now_ms() < end;) {
		if (ready((int)(end - t_now_ms() > 0 ? end - t_now_ms() : 0))) {
			wakes++;
			take_all();
		}
	}
	REQUIRE(wakes < 20, "%d wakes in 2 s", wakes);
	server_start(&one);
	send_one();
	await(1);
	finish();
}

static void
keep_descriptors(void *go)
{
	WAIT_FOR(*(volatile int *)go, "the end");
}

TEST(forked, "a child that was forked and keeps the parent's descriptors does not let the parent's event loop spin "
    "once the daemon was restarted")
{
	int *go = t_shared_memory(sizeof *go), quiet = 0;
	begin();
	pid_t child = t_spawn(keep_descriptors, go);
	server_kill(&one);
	server_start(&one);
	for (int64_t end = t_now_ms() + 5000; !quiet && t_now_ms() < end; quiet = !ready(300))
		take_all();
	CHECK(quiet, "readable with nothing there, for 5 s");
	send_one();
	await(1);
	*go = 1;
	t_join(child);
	finish();
}

TEST(refused, "a daemon that turns an event loop's client away, as one of another version does, is not asked again "
    "without end")
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char bytes[4096];
	int knocks = 0;
	begin();
	server_stop(&one);
	snprintf(a.sun_path, sizeof a.sun_path, "%s/socket", one.run);
	int door = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	REQUIRE(door >= 0 && bind(door, (struct sockaddr *)&a, sizeof a) == 0 && listen(door, 8) == 0, "%s: %s",
	    a.sun_path, strerror(errno));
	for (int64_t end = t_now_ms() + 2000; t_now_ms() < end;) {
		struct pollfd p[2] = { { door, POLLIN, 0 }, { fd, POLLIN, 0 } };
		if (poll(p, 2, 100) > 0 && p[0].revents) {
			int guest = accept(door, NULL, NULL);
			CHECK(recv(guest, bytes, sizeof bytes, 0) >= 0, "%s", strerror(errno));
			close(guest);
			knocks++;
		}
		if (p[1].revents)
			take_all();
	}
	close(door);
	unlink(a.sun_path);
	CHECK(knocks > 0 && knocks < 20, "%d knocks in 2 s", knocks);
	server_start(&one);
	send_one();
	await(1);
	finish();
}

TEST(slot_again, "a client that has the slot of an earlier one is woken, wherever that one's count of looks stood")
{
	begin();
	for (int i = 0; i < 4; i++) {
		send_one();
		await(1);
		REQUIRE(mom_destroy(subscriber) == 0, "%s", mom_error_text(-1));
		subscriber = mom_create();
		REQUIRE(subscriber >= 0 && mom_subscribe(subscriber, "loop", 0) == 0, "%s", mom_error_text(-1));
		/* the daemon looks at all its clients meanwhile */
		REQUIRE(mom_destroy(mom_create()) == 0, "%s", mom_error_text(-1));
		fd = mom_fd(subscriber);
		take_all();
		CHECK(!ready(100), "readable with nothing there");
	}
	finish();
}

/* A program closes all its descriptors, as daemons do, and opens others, which get the numbers of ours. `turn` says
 * which comes first. */
enum { OWN = 12 };
struct own { int epoll, timer, pair[2], file; };

static void
own_open(struct own *o, int turn)
{
	struct itimerspec late = { .it_value.tv_sec = 10000 };
	struct epoll_event e = { .events = EPOLLIN };
	for (int i = 0; i < 4; i++) {
		switch ((turn + i) % 4) {
		case 0: o->epoll = epoll_create1(0); break;
		case 1: o->timer = timerfd_create(CLOCK_MONOTONIC, 0); break;
		case 2: REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, o->pair) == 0, "socketpair"); break;
		default: o->file = open("/dev/null", O_RDWR); break;
		}
	}
	REQUIRE(o->epoll >= 0 && o->timer >= 0 && o->file >= 0, "no descriptors");
	REQUIRE(timerfd_settime(o->timer, 0, &late, NULL) == 0 && epoll_ctl(o->epoll, EPOLL_CTL_ADD, o->timer, &e) == 0,
	    "the program's own timer");
	REQUIRE(send(o->pair[0], "mine", 4, 0) == 4, "send");
}

static void
own_is_whole(const struct own *o, int turn)
{
	struct itimerspec t;
	struct epoll_event e;
	char bytes[16];
	REQUIRE(timerfd_gettime(o->timer, &t) == 0 && t.it_value.tv_sec > 5000,
	    "turn %d: the program's timer was set or closed", turn);
	REQUIRE(epoll_wait(o->epoll, &e, 1, 0) == 0, "turn %d: the program's epoll descriptor has something, or is "
	    "closed", turn);
	REQUIRE(recv(o->pair[1], bytes, sizeof bytes, MSG_DONTWAIT) == 4,
	    "turn %d: what came for the program was taken", turn);
	REQUIRE(recv(o->pair[1], bytes, sizeof bytes, MSG_DONTWAIT) < 0 && errno == EAGAIN,
	    "turn %d: the program's socket is not as it was", turn);
	REQUIRE(fcntl(o->file, F_GETFD) >= 0, "turn %d: the program's file was closed", turn);
}

static void
lose_descriptors(void *turn)
{
	struct own own[OWN];
	struct mom_message m;
	int id = mom_create(), how = *(int *)turn;
	REQUIRE(id >= 0 && mom_subscribe(id, "loop", 0) == 0 && mom_fd(id) >= 0, "%s", mom_error_text(id));
	if (how & 1)
		REQUIRE(mom_receive(id, &m, 0) == MOM_ETIMEDOUT, "%s", mom_error_text(id));
	for (int i = 3; i < 256; i++)
		close(i);
	for (int i = 0; i < OWN; i++)
		own_open(&own[i], how + i);
	mom_wake(id);
	while (mom_receive(id, &m, 0) != MOM_ETIMEDOUT)
		;
	REQUIRE(mom_publish(id, "loop", "x", 1, 0) == 0 && mom_receive(id, &m, T_PATIENCE_MS) == 0, "%s",
	    mom_error_text(id));
	if (how & 2) {
		struct pollfd p = { mom_fd(id), POLLIN, 0 };
		REQUIRE(p.fd >= 0, "no new descriptor: %s", mom_error_text(id));
		while (mom_receive(id, &m, 0) != MOM_ETIMEDOUT)
			;
		REQUIRE(mom_publish(id, "loop", "y", 1, 0) == 0 && poll(&p, 1, T_PATIENCE_MS) == 1,
		    "the new descriptor does not tell of a message");
	}
	REQUIRE(mom_destroy(id) == 0, "%s", mom_error_text(-1));
	for (int i = 0; i < OWN; i++)
		own_is_whole(&own[i], how);
}

TEST(foreign, "a program that closes all descriptors and opens its own under their numbers keeps all of them as they "
    "are, whatever it calls of the library")
{
	begin();
	for (int turn = 0; turn < 8; turn++) {
		int status = t_join(t_spawn(lose_descriptors, &turn));
		REQUIRE(status == 0, "turn %d: 0x%x", turn, status);
	}
}

static atomic_int waking, woken_so_far;

static void *
wake_all(void *unused)
{
	(void)unused;
	while (!waking)
		for (int id = 0; id < 16; id++, woken_so_far++)
			mom_wake(id);
	return NULL;
}

TEST(wake_and_close, "mom_wake of any handle at any time harms nothing while other threads make and close handles")
{
	pthread_t t;
	begin();
	REQUIRE(pthread_create(&t, NULL, wake_all, NULL) == 0, "pthread_create");
	for (int i = 0; i < 60; i++) {
		int id = mom_create();
		REQUIRE(id >= 0 && mom_fd(id) >= 0, "%s", mom_error_text(-1));
		REQUIRE(mom_close(id) == 0, "%s", mom_error_text(-1));
	}
	waking = 1;
	pthread_join(t, NULL);
	REQUIRE(woken_so_far > 1000, "%d", woken_so_far);
}
