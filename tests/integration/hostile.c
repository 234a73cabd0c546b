/* hostile - item 11: nonsense from sockets and into queues harms nobody but its sender */
#include <lib/calm.h>
#include <lib/server.h>
#include <lib/sysv.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <lib/wire_peer.h>
#include "format/wire.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct server broker, one;
static int id;

static void
up(void)
{
	id = calm_up(&broker, &one);
}

static int
dial_from(const char *ip)
{
	int fd = peer_dial(&broker, ip, T_PATIENCE_MS);
	REQUIRE(fd >= 0, "connect from %s: %s", ip, strerror(errno));
	return fd;
}

static int
dial(void)
{
	return dial_from("127.0.0.1");
}

static long closed;

/* of how many connections the handlers' lines and their counts tell: those that a peer causes are limited */
static long
told(void)
{
	return server_log_told(&broker, "broker_handler[");
}

/* sends what fits; the broker must close the connection, and say why: all_told */
static void
must_be_closed(int fd, const void *bytes, size_t len)
{
	char sink[4096];
	ssize_t n;
	for (size_t done = 0; done < len && (n = send(fd, (const char *)bytes + done, len - done, MSG_NOSIGNAL)) > 0;)
		done += (size_t)n;
	for (;;) {
		WAIT_FOR((n = recv(fd, sink, sizeof sink, MSG_DONTWAIT)) >= 0 || errno != EAGAIN,
		    "the connection stays open");
		if (n <= 0)
			break;
	}
	close(fd);
	if (closed++ == 0)
		WAIT_FOR(told() > 0, "no log line says why");
	calm();
}

static void
all_told(void)
{
	WAIT_FOR(told() >= closed, "%ld connections were closed, lines tell of %ld", closed, told());
}

TEST(random_bytes, "random bytes to the broker's port: each connection is closed, a log line says why, nobody else "
    "notices")
{
	struct t_rng rng;
	char bytes[100000];
	up();
	t_rng_init(&rng, 11);
	for (int i = 0; i < (t_is_long() ? 500 : 15); i++) {
		size_t len = 4096 + t_rng_below(&rng, sizeof bytes - 4096);
		t_rng_fill(&rng, bytes, len);
		must_be_closed(dial(), bytes, len);
	}
	all_told();
}

/* a frame header as it should be, with some lengths of one's own */
static void
header(unsigned char h[120], uint32_t len, unsigned char type)
{
	memset(h, 0, 120);
	memcpy(h, &len, 4);             /* little endian, as this machine is */
	h[8] = 56;
	h[9] = type;
}

TEST(giant_length, "frames with a giant, a tiny and a wrong length, and of types that cannot begin, are refused")
{
	static const uint32_t lengths[] = {0, 1, 55, 56, 119, 185, 4096, 0x7fffffff, 0x80000000, 0xffffffff};
	unsigned char h[120];
	up();
	for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		header(h, lengths[i], 32);
		must_be_closed(dial(), h, sizeof h);
	}
	for (unsigned type = 0; type < 256; type += type < 48 ? 1 : 41) {
		header(h, 120, (unsigned char)type);
		if (type != 32)
			must_be_closed(dial(), h, sizeof h);
	}
	all_told();
}

TEST(no_handshake, "peers that say nothing, half a frame, or one byte at a time are dropped after 3 s; meanwhile "
    "others go on")
{
	unsigned char h[120];
	int fds[12], open_ones = 12;
	int64_t start = t_now_ms();
	up();
	header(h, 120, 32);
	for (int i = 0; i < 12; i++) {
		fds[i] = dial();
		if (i % 3 == 1)
			REQUIRE(send(fds[i], h, 60, MSG_NOSIGNAL) == 60, "send");
	}
	for (int sent = 0; open_ones; sent++) {
		char sink[512];
		open_ones = 0;
		for (int i = 0; i < 12; i++) {
			if (i % 3 == 2 && sent % 30 == 0 && sent / 30 < 100)
				send(fds[i], h + sent / 30, 1, MSG_NOSIGNAL);
			ssize_t n = recv(fds[i], sink, sizeof sink, MSG_DONTWAIT);
			open_ones += n > 0 || (n < 0 && errno == EAGAIN);
		}
		REQUIRE(t_now_ms() < start + T_PATIENCE_MS, "%d connections stay open", open_ones);
		calm();
		t_tick();
	}
	for (int i = 0; i < 12; i++)
		close(fds[i]);
	REQUIRE(server_log_has(&broker, "handshake"), "no log line says why");
}

TEST(many_strangers, "200 strangers at once keep no daemon out")
{
	static struct server two;
	int fds[200];
	up();
	for (int i = 0; i < 200; i++)
		fds[i] = dial();
	calm();
	daemon_start(&two, "two", broker.port);
	use_daemon(&two);
	int other = talk_create();
	say(other, "calm", "from two");
	hear(id, "calm", "from two");
	bye(other);
	for (int i = 0; i < 200; i++)
		close(fds[i]);
}

/* a real client's daemon's connection, seen from the wrong side */
TEST(wrong_broker, "a daemon whose broker answers nonsense goes on trying and does not die; with a real one it "
    "connects")
{
	int port = 0, listener = peer_listen(&port);
	char junk[5000];
	struct t_rng rng;
	t_rng_init(&rng, 12);
	daemon_start(&one, "one", port);
	for (int i = 0; i < 6; i++) {
		struct pollfd look = {listener, POLLIN, 0};
		REQUIRE(poll(&look, 1, T_PATIENCE_MS) == 1, "the daemon does not try again");
		int fd = accept(listener, NULL, NULL);
		t_rng_fill(&rng, junk, sizeof junk);
		send(fd, junk, i ? sizeof junk : 10, MSG_NOSIGNAL);
		if (i % 2)
			shutdown(fd, SHUT_WR);
		char sink[512];
		while (i % 2 && recv(fd, sink, sizeof sink, 0) > 0)
			;
		close(fd);
	}
	close(listener);
	broker_start(&broker, "broker", port, NULL);
	use_daemon(&one);
	id = talk_create();
	talk_subscribe(id, "calm");
	calm();
	bye(id);
}

TEST(older_broker, "a broker that closes on a HELLO with a host's name gets the next one without, and the one after "
    "with it")
{
	int port = 0, listener = peer_listen(&port);
	daemon_start(&one, "one", port);
	for (int i = 0; i < 3; i++) {
		struct wire_peer *p = peer_take(listener, T_PATIENCE_MS);
		REQUIRE(p && (p->hello.host[0] != '\0') == (i % 2 == 0), "connection %d: host \"%s\"", i,
		    p ? p->hello.host : "no HELLO");
		peer_leave(p);
	}
	close(listener);
}

TEST(refusal_text, "what a broker says as it refuses stays one line of the daemon's log, without a control character")
{
	static const char text[] = "no\nmom_daemon[1]: fatal: forged\033[2J\177";
	char bytes[512];
	int port = 0, listener = peer_listen(&port);
	daemon_start(&one, "one", port);
	struct wire_peer *daemon = peer_take(listener, T_PATIENCE_MS);
	REQUIRE(daemon, "the daemon does not come, or says no HELLO");
	uint32_t n = record_make(bytes, &(struct record){.type = REC_REFUSE}, NULL, text, sizeof text - 1);
	REQUIRE(send(daemon->fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n, "send");
	WAIT_FOR(server_log_has(&one, "forged"), "the refusal is not told");
	char *log = t_read_file(one.log);
	REQUIRE(strstr(log, "\nmom_daemon[1]") == NULL && strchr(log, '\033') == NULL && strchr(log, '\177') == NULL,
	    "%s", log);
	peer_leave(daemon);
	close(listener);
}

/* ---- a machine that is none ---- */

/* Has somebody at this address a connection to the broker? */
static int
is_connected(const char *ip)
{
	char want[40];
	struct in_addr from;
	inet_pton(AF_INET, ip, &from);
	snprintf(want, sizeof want, " %08X:", from.s_addr);
	char *rest = NULL, *text = t_read_file("/proc/net/tcp");
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		unsigned port = 0, state = 0;
		char *local = strstr(line, want);
		if (local && sscanf(local, " %*x:%*x %*x:%x %x", &port, &state) == 2 && port == (unsigned)broker.port &&
		    state == 1)
			return 1;
	}
	return 0;
}

TEST(silent_behind_hello, "an address that takes every handshake, and has a hundred more that wait for one, does not "
    "keep a daemon of another out")
{
	enum { WAIT = 100, TRIES = 25 };
	int fds[STRANGERS_MAX + WAIT], tried = 0;
	char byte;
	broker_start(&broker, "broker", 0, NULL);
	for (int i = 0; i < STRANGERS_MAX + WAIT; i++) {
		peer_hello(fds[i] = dial_from("127.0.0.2"), 1, (uint32_t)i, 0);
		if (i < STRANGERS_MAX)                 /* welcomed, and says nothing more */
			WAIT_FOR(recv(fds[i], &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 1, "stranger %d gets no answer", i);
	}
	daemon_start(&one, "one", broker.port);
	WAIT_FOR(is_connected("127.0.0.1"), "the daemon does not connect");
	for (; !server_log_has(&one, "connected to broker"); t_tick()) {
		REQUIRE(tried < TRIES, "%d places became free, and the daemon got none", tried);
		close(fds[tried]);
		int next = fds[STRANGERS_MAX + tried];
		WAIT_FOR(server_log_has(&one, "connected to broker") ||
		    recv(next, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 1,
		    "nobody got the place");
		tried++;
	}
	t_remark("the daemon got the place number %d that became free", tried);
	for (int i = tried; i < STRANGERS_MAX + WAIT; i++)
		close(fds[i]);
}

static struct wire_peer *
machine_join(uint32_t slots)
{
	struct wire_peer *m = peer_join(&broker, slots, slots, T_PATIENCE_MS);
	REQUIRE(m, "no WELCOME");
	return m;
}

TEST(alive_without_end, "a machine that lists more clients than it has slots, or lists without end, is dropped: the "
    "worker keeps none of it")
{
	char bytes[1024];
	up();
	struct wire_peer *m = machine_join(16);
	uint32_t n = peer_alive(bytes, m->welcome.serial, 17, 0);
	ssize_t got;
	REQUIRE(send(m->fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n, "send");
	WAIT_FOR((got = recv(m->fd, bytes, sizeof bytes, MSG_DONTWAIT)) == 0 || (got < 0 && errno != EAGAIN),
	    "the connection stays open");
	peer_leave(m);
	REQUIRE(server_log_has(&broker, "more clients than its 16 slots"), "no line says why");
	calm();
	bye(id);
}

TEST(alive_twice, "a machine that lists its clients a second time is dropped")
{
	up();
	struct wire_peer *m = machine_join(16);
	for (int i = 0; i < 2; i++)
		REQUIRE(peer_request(m, &(struct record){ .type = REC_ALIVE, .aux = 1 }, NULL, NULL, 0), "no room");
	WAIT_FOR(peer_turn(m) == 0, "the connection stays open");
	peer_leave(m);
	REQUIRE(server_log_has(&broker, "a second time"), "no line says why");
	calm();
	bye(id);
}

TEST(clients_without_end, "a machine that creates more clients than it has slots is refused the one too many")
{
	enum { SLOTS = 16 };
	char bytes[4096], sink[65536];
	uint32_t n = 0, have = 0;
	int refused = 0;
	up();
	struct wire_peer *m = machine_join(SLOTS);
	n += peer_alive(bytes, m->welcome.serial, 0, 1);
	for (uint32_t i = 0; i <= SLOTS; i++)
		n += record_make(bytes + n, &(struct record){.type = REC_CREATE, .flags = REC_F_DURABLE,
		    .number = number_make(1, 1), .offset = number_make(1, 1),
		    .time = i % SLOTS, .publisher = (uint64_t)m->welcome.serial << 32 | (i + 1)}, NULL, NULL, 0);
	REQUIRE(send(m->fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n, "send");
	while (!refused) {
		ssize_t got;
		WAIT_FOR((got = recv(m->fd, sink + have, sizeof sink - have, MSG_DONTWAIT)) > 0, "nothing is refused");
		have += (uint32_t)got;
		for (uint32_t q = 0; q + RECORD_HEADER <= have &&
		    q + record_stride(get_u32(sink + q)) <= have; q += record_stride(get_u32(sink + q)))
			for (uint32_t a = RECORD_HEADER; sink[q + 9] == REC_ANSWERS &&
			    a + ANSWER_BYTES <= get_u32(sink + q); a += ANSWER_BYTES) {
				struct answer answer;
				wire_answer_get(&answer, sink + q + a);
				refused |= answer.kind == ANSWER_REFUSED && answer.code == MOM_ELIMIT;
			}
	}
	peer_leave(m);
	calm();
	bye(id);
}

struct note { long type; char text[2000]; };

static int
flood_queues(struct server *s, struct t_rng *rng)
{
	enum { MOST = 4096 };
	struct sysv_object *all = malloc(MOST * sizeof *all);
	int n = sysv_registry(server_registry(s), all, MOST), queues = 0;
	struct note note;
	for (int i = 0; i < n; i++) {
		if (strcmp(all[i].kind, "msg") != 0 || !sysv_exists(&all[i]))
			continue;
		queues++;
		for (int k = 0; k < 300; k++) {
			note.type = (long)(t_rng_next(rng) >> (1 + t_rng_below(rng, 62)));
			note.type += note.type == 0;
			t_rng_fill(rng, note.text, sizeof note.text);
			msgsnd(all[i].id, &note, t_rng_below(rng, sizeof note.text), IPC_NOWAIT);
			if (k % 50 == 0)
				calm();
		}
	}
	free(all);
	return queues;
}

TEST(forged_tickets, "random SysV messages of any mtype and size into every queue are ignored")
{
	struct t_rng rng;
	up();
	t_rng_init(&rng, 13);
	REQUIRE(flood_queues(&broker, &rng) > 0, "the broker has no queue in its registry");
	REQUIRE(flood_queues(&one, &rng) > 0, "the daemon has no queue in its registry");
	calm();
	hear_nothing(id);
	bye(id);
}

static int
count_lines(const char *text, const char *words)
{
	int n = 0;
	for (const char *p = text; (p = strstr(p, words)) != NULL; p++)
		n++;
	return n;
}

TEST(door_full, "programs that take all the daemon's descriptors at its door and say nothing: it neither spins nor "
    "floods its log, they go after 3 s")
{
	enum { SILENT = 70, DESCRIPTORS = 60 };
	int fds[SILENT];
	char byte;
	up();
	REQUIRE(prlimit(one.pid, RLIMIT_NOFILE, &(struct rlimit){ DESCRIPTORS, DESCRIPTORS }, NULL) == 0, "prlimit: %s",
	    strerror(errno));
	int64_t start = t_now_ms();
	for (int i = 0; i < SILENT; i++)
		REQUIRE((fds[i] = peer_knock(&one)) >= 0, "the door is full");
	for (int i = 0; i < 100; i++)
		calm();
	bye(talk_create());                            /* who speaks gets the place of one that does not */
	for (int i = 0; i < SILENT; i++) {
		WAIT_FOR(recv(fds[i], &byte, 1, MSG_DONTWAIT) == 0, "silent connection %d stays open", i);
		close(fds[i]);
	}
	int lines = count_lines(t_read_file(one.log), "accept: "), seconds = (int)(t_now_ms() - start) / 1000;
	REQUIRE(lines <= seconds + 2, "%d lines in %d s", lines, seconds);
	bye(talk_create());
	bye(id);
}

TEST(registration, "nonsense to the registration socket: that connection is closed, others register")
{
	struct t_rng rng;
	char junk[4096];
	up();
	t_rng_init(&rng, 14);
	for (int i = 0; i < 50; i++) {
		int fd = peer_knock(&one);
		REQUIRE(fd >= 0, "the door is full");
		t_rng_fill(&rng, junk, sizeof junk);
		send(fd, junk, t_rng_below(&rng, sizeof junk), MSG_NOSIGNAL);
		if (i % 2)
			recv(fd, junk, sizeof junk, MSG_DONTWAIT);
		close(fd);
		if (i % 10 == 0) {
			int other = talk_create();
			say(other, "calm", "hello");
			hear(id, "calm", "hello");
			bye(other);
		}
	}
	calm();
	bye(id);
}

static long
sleeps_of(pid_t pid)
{
	const char *at = strstr(t_read_file(t_text("/proc/%d/status", (int)pid)), "\nvoluntary_ctxt_switches:");
	REQUIRE(at, "process %d is gone", (int)pid);
	return strtol(at + strlen("\nvoluntary_ctxt_switches:"), NULL, 10);
}

TEST(deaths_rest, "a machine that says without end that its clients died is heard at a rate that leaves time to "
    "others: its handler rests once in 256")
{
	enum { DEATHS = 100 * 256 };
	broker_start(&broker, "broker", 0, NULL);
	struct wire_peer *m = peer_join(&broker, 7, 64, T_PATIENCE_MS);
	REQUIRE(m, "refused");
	struct record r = { .type = REC_DIED, .publisher = (uint64_t)m->welcome.serial << 32 | 1 };
	pid_t handler = server_child(&broker, "broker_handler");
	long before = sleeps_of(handler);
	for (int said = 0; said < DEATHS;) {
		while (said < DEATHS && peer_request(m, &r, NULL, NULL, 0))
			said++;
		REQUIRE(peer_turn(m), "the connection has ended after %d", said);
	}
	while (m->taken < m->requests)
		REQUIRE(peer_turn(m), "the connection has ended");
	long rests = sleeps_of(handler) - before;
	REQUIRE(rests >= 95, "it has rested %ld times in %d", rests, DEATHS);
	peer_leave(m);
}
