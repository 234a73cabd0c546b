/* strangers - peers that take a handshake and are no machines, or not for long: they keep no honest machine out, and
 * leave nothing behind */
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include "log/store_file.h"
#include "format/wire.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FRAME = RECORD_HEADER + HELLO_BYTES, WELCOME = RECORD_HEADER + WELCOME_BYTES };
static struct server broker, one;

/* ---- peers by hand ---- */

/* the number-th loopback address */
static int
dial_from(uint32_t number)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)broker.port) },
	    from = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	inet_pton(AF_INET, broker.ip, &to.sin_addr);
	from.sin_addr.s_addr = htonl(0x7f000001 + number);
	REQUIRE(bind(fd, (struct sockaddr *)&from, sizeof from) == 0 &&
	    connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "connect: %s", strerror(errno));
	return fd;
}

static void
say_hello(int fd, uint32_t machine, uint64_t token)
{
	char bytes[512], payload[HELLO_BYTES];
	struct hello hello = { .version = WIRE_VERSION, .message_max = MOM_MESSAGE_MAX, .slots = 4, .window = WINDOW,
	    .token = token };
	put_u32((char *)hello.machine, machine + 1);
	wire_hello_put(payload, &hello);
	uint32_t n = record_make(bytes, &(struct record){ .type = REC_HELLO }, NULL, payload, sizeof payload);
	send(fd, bytes, n, MSG_NOSIGNAL);
}

/* The answer to HELLO: 1 WELCOME, 0 REFUSE, -1 it was closed */
static int
answer(int fd, struct welcome *w)
{
	char bytes[512];
	ssize_t n;
	for (;;) {
		n = recv(fd, bytes, RECORD_HEADER, MSG_WAITALL);
		if (n != RECORD_HEADER)
			return -1;
		uint32_t rest = record_stride(get_u32(bytes)) - RECORD_HEADER;
		n = rest ? recv(fd, bytes + RECORD_HEADER, rest, MSG_WAITALL) : 0;
		if (n != (ssize_t)rest)
			return -1;
		if (bytes[9] == REC_PING)
			continue;
		if (bytes[9] == REC_WELCOME)
			wire_welcome_get(w, bytes + RECORD_HEADER);
		return bytes[9] == REC_WELCOME;
	}
}

/* A connection that has its WELCOME. The broker may not have seen yet that the one before is closed. */
static int
enter(uint32_t machine, uint64_t token, struct welcome *w)
{
	int fd = -1;
	WAIT_FOR((close(fd), say_hello(fd = dial_from(0), machine, token), answer(fd, w) == 1),
	    "machine %u is refused", machine);
	return fd;
}

static struct welcome
welcome_of(uint32_t machine, uint64_t token)
{
	struct welcome w;
	close(enter(machine, token, &w));
	return w;
}

/* It creates a client, and goes: from here on it is known. Its token */
static uint64_t
settle(uint32_t machine, uint64_t token, uint32_t *serial)
{
	char bytes[512], sink[4096];
	struct welcome w;
	uint32_t n;
	int fd = enter(machine, token, &w);
	n = record_make(bytes, &(struct record){ .type = REC_ALIVE, .aux = 1 }, NULL, NULL, 0);
	n += record_make(bytes + n, &(struct record){ .type = REC_CREATE, .flags = REC_F_DURABLE,
	    .number = number_make(1, 1), .offset = number_make(1, 1),
	    .publisher = (uint64_t)w.serial << 32 | 1 }, NULL, NULL, 0);
	REQUIRE(send(fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n, "send");
	for (int answered = 0; !answered;) {
		REQUIRE(recv(fd, sink, RECORD_HEADER, MSG_WAITALL) == RECORD_HEADER, "no answer to CREATE");
		uint32_t rest = record_stride(get_u32(sink)) - RECORD_HEADER;
		REQUIRE(rest <= sizeof sink - RECORD_HEADER && recv(fd, sink + RECORD_HEADER, rest,
		    MSG_WAITALL) == (ssize_t)rest, "an answer of %u bytes", rest);
		answered = sink[9] == REC_ANSWERS;
	}
	close(fd);
	*serial = w.serial;
	return w.token;
}

/* ---- places ---- */

static struct attack { atomic_int stop, welcomed, closed; } *attack;

/* PEERS connections of one address, or each of one of its own: HELLO of a fresh machine, and nothing more; whoever is
 * sent away comes again */
enum { PEERS = 300, OWN = 64 };
struct plan { int peers, addresses; };

static void
peer_dial(struct pollfd *f, int i, const struct plan *p)
{
	static uint32_t machine;
	f->fd = dial_from(p->addresses > 1 ? 100 + (uint32_t)i : 0);
	f->events = POLLIN;
	say_hello(f->fd, machine++, 0);
}

static void
silent(void *plan)
{
	const struct plan *p = plan;
	struct pollfd f[PEERS];
	char sink[512];
	for (int i = 0; i < p->peers; i++)
		peer_dial(&f[i], i, p);
	while (!attack->stop) {
		poll(f, (nfds_t)p->peers, 20);
		for (int i = 0; i < p->peers; i++) {
			if (f[i].revents == 0)
				continue;
			if (recv(f[i].fd, sink, sizeof sink, MSG_DONTWAIT) > 0) {
				attack->welcomed += sink[9] == REC_WELCOME;
				continue;
			}
			close(f[i].fd);
			attack->closed++;
			peer_dial(&f[i], i, p);
		}
	}
	for (int i = 0; i < p->peers; i++)
		close(f[i].fd);
}

/* How many others were served between its coming and its being there */
static int
honest_among(struct plan *p, int known)
{
	attack = t_shared_memory(sizeof *attack);
	broker_start(&broker, "broker", 0, NULL);
	if (known) {
		daemon_start(&one, "one", broker.port);
		use_daemon(&one);
		bye(talk_create());
		server_stop(&one);
	}
	pid_t pid = t_spawn(silent, p);
	WAIT_FOR(attack->welcomed >= STRANGERS_MAX, "%d strangers", attack->welcomed);
	char *before = t_read_file(one.log ? one.log : "");
	int served = attack->welcomed;
	if (known)
		server_start(&one);
	else
		daemon_start(&one, "one", broker.port);
	WAIT_FOR(strstr(t_read_file(one.log) + strlen(before), "connected to broker"),
	    "the daemon is kept out, %d others were served",
	    attack->welcomed - served);
	served = attack->welcomed - served;
	use_daemon(&one);
	int id = talk_create();
	talk_subscribe(id, "calm");
	say(id, "calm", "hello");
	hear(id, "calm", "hello");
	bye(id);
	attack->stop = 1;
	REQUIRE(t_join(pid) == 0, "the attacker failed");
	REQUIRE(!server_log_has(&broker, "silent for 12 s"), "places were held until they timed out");
	t_remark("%d others were served meanwhile", served);
	return served;
}

TEST(behind_one_address, "300 connections of one address that take WELCOME and say nothing, and come again: a new "
    "machine behind the same address is in after at most one round of all")
{
	struct plan p = { PEERS, 1 };
	int served = honest_among(&p, 0);
	REQUIRE(served <= 2 * (LOBBY_MAX + STRANGERS_MAX), "%d others were served before it", served);
}

TEST(of_many_addresses, "64 silent ones, each of an address of its own, hold every place: a new machine gets one as "
    "soon as one of them had its time")
{
	struct plan p = { OWN, OWN };
	int served = honest_among(&p, 0);
	REQUIRE(served <= 2 * STRANGERS_MAX, "%d others were served before it", served);
}

TEST(part_of_a_name, "connections that announce a host's name and do not send it take no place: a machine is in before "
    "their time is over")
{
	enum { SILENT = 8 };
	struct pollfd f[SILENT];
	struct welcome w;
	char bytes[512], payload[HELLO_MOST];
	broker_start(&broker, "broker", 0, NULL);
	struct hello hello = { .version = WIRE_VERSION, .message_max = MOM_MESSAGE_MAX, .slots = 4, .window = WINDOW };
	memset(hello.host, 'h', HOST_BYTES);
	for (int i = 0; i < SILENT; i++) {
		put_u32((char *)hello.machine, 7000 + (uint32_t)i);
		uint32_t n = wire_hello_put(payload, &hello);
		record_make(bytes, &(struct record){ .type = REC_HELLO }, NULL, payload, n);
		f[i] = (struct pollfd){ dial_from(1), POLLIN, 0 };
		REQUIRE(send(f[i].fd, bytes, FRAME, MSG_NOSIGNAL) == FRAME, "send");
	}
	for (uint32_t i = 1; i <= 3; i++) {            /* behind the first the places would be theirs */
		int own = enter(i, 0, &w);
		REQUIRE(poll(f, SILENT, 0) == 0, "the others' time was over before machine %u got in", i);
		close(own);
	}
	for (int i = 0; i < SILENT; i++)
		close(f[i].fd);
}

TEST(known_among_strangers, "a machine that is known comes first among 300 fresh ones of its own address")
{
	struct plan p = { PEERS, 1 };
	int served = honest_among(&p, 1);
	REQUIRE(served <= 2 * STRANGERS_MAX, "%d others were served before it", served);
}

TEST(known_first, "of those that wait a known machine is served before a hundred that came earlier")
{
	enum { WAIT = 100 };
	struct pollfd f[WAIT + 1];
	int held[STRANGERS_MAX], rank = 0, there = 0;
	uint32_t serial;
	struct welcome w;
	char byte;
	broker_start(&broker, "broker", 0, NULL);
	uint64_t token = settle(9999, 0, &serial);
	for (int i = 0; i < STRANGERS_MAX; i++) {
		say_hello(held[i] = dial_from(1), (uint32_t)i, 0);
		REQUIRE(answer(held[i], &w) == 1, "stranger %d gets no answer", i);
	}
	for (int i = 0; i <= WAIT; i++) {
		f[i] = (struct pollfd){ dial_from(1), POLLIN, 0 };
		say_hello(f[i].fd, i < WAIT ? 1000 + (uint32_t)i : 9999, i < WAIT ? 0 : token);
	}
	while (!there) {
		REQUIRE(poll(f, WAIT + 1, T_PATIENCE_MS) > 0, "nobody is served");
		for (int i = 0; i <= WAIT; i++) {
			if (f[i].fd < 0 || f[i].revents == 0)
				continue;
			there |= i == WAIT && recv(f[i].fd, &byte, 1, MSG_DONTWAIT) == 1;
			rank++;
			f[i].fd = -1 - f[i].fd;
		}
	}
	REQUIRE(rank <= STRANGERS_MAX, "%d were served before it", rank - 1);
	t_remark("%d were served with it or before it", rank);
}

TEST(few_of_another, "an address that takes every place but one, and has seventy more that wait, takes turns with "
    "itself: the one of another address keeps its place")
{
	enum { WAIT = 70 };
	int own, others[STRANGERS_MAX + WAIT];
	struct welcome w;
	char byte;
	broker_start(&broker, "broker", 0, NULL);
	say_hello(own = dial_from(1), 1, 0);
	REQUIRE(answer(own, &w) == 1, "no place");
	for (int i = 0; i < STRANGERS_MAX + WAIT; i++)
		say_hello(others[i] = dial_from(2), 10 + (uint32_t)i, 0);
	for (int i = 0; i < STRANGERS_MAX + WAIT; i++)
		REQUIRE(answer(others[i], &w) == 1, "stranger %d is not served", i);
	REQUIRE(recv(own, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN, "it had to go for another address");
}

/* ---- what is left of them ---- */

static off_t
bytes_of(const char *file)
{
	struct stat st;
	REQUIRE(stat(t_text("%s/%s", broker.store, file), &st) == 0, "%s: %s", file, strerror(errno));
	return st.st_size;
}

static void
come_once(uint32_t machine)
{
	char bytes[RECORD_HEADER], sink[4096];
	struct welcome w;
	int fd = enter(machine, 0, &w);
	/* this one even says something: the broker takes it for a machine */
	if (machine % 2) {
		uint32_t n = record_make(bytes, &(struct record){ .type = REC_ALIVE, .aux = 1 }, NULL, NULL, 0);
		REQUIRE(send(fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n &&
		    recv(fd, sink, RECORD_HEADER, MSG_WAITALL) == RECORD_HEADER, "no stream");
	}
	struct linger reset = { 1, 0 };
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(fd);
}

TEST(come_and_go, "2,000 machine ids that come, say they live, and go: machines and check-point stay as small as they "
    "were; those with a client are known after a stop and after kill -9")
{
	enum { KNOWN = 3, IDS = 2000 };
	uint64_t token[KNOWN];
	uint32_t serial[KNOWN], again;
	broker_start(&broker, "broker", 0, NULL);
	for (uint32_t i = 0; i < KNOWN; i++)
		token[i] = settle(100000 + i, 0, &serial[i]);
	for (uint32_t i = 0; i < IDS / 10; i++)
		come_once(i);
	server_stop(&broker);
	off_t machines = bytes_of("machines"), checkpoint = bytes_of("shard-0/checkpoint");
	server_start(&broker);
	for (uint32_t i = IDS / 10; i < IDS; i++)
		come_once(i);
	t_remark("%lld bytes", (long long)bytes_of("machines"));
	REQUIRE(bytes_of("machines") < machines + 4096, "%lld bytes after %lld", (long long)bytes_of("machines"),
	    (long long)machines);
	server_stop(&broker);
	REQUIRE(bytes_of("shard-0/checkpoint") < checkpoint + 4096, "a check-point of %lld bytes after %lld",
	    (long long)bytes_of("shard-0/checkpoint"),
	    (long long)checkpoint);
	REQUIRE(bytes_of("machines") < machines + 1024, "%lld bytes after %lld", (long long)bytes_of("machines"),
	    (long long)machines);
	for (int life = 0; life < 2; life++) {
		server_start(&broker);
		for (uint32_t i = 0; i < KNOWN; i++) {
			token[i] = settle(100000 + i, token[i], &again);
			REQUIRE(again == serial[i], "machine %u has serial %u, it was %u", i, again, serial[i]);
		}
		server_kill_all(&broker);
	}
	server_start(&broker);
}

TEST(tickets, "a machine without a client that shows its token has the same serial again, whatever was killed "
    "meanwhile; with another's token it is refused")
{
	struct welcome w, first;
	broker_start(&broker, "broker", 0, NULL);
	first = welcome_of(1, 0);
	for (int life = 0; life < 2; life++) {
		server_kill_all(&broker);
		server_start(&broker);
		w = welcome_of(2 + (uint32_t)life, 0);
		REQUIRE(w.serial != first.serial, "two machines have serial %u", w.serial);
		w = welcome_of(1, first.token);
		REQUIRE(w.serial == first.serial, "serial %u, it was %u", w.serial, first.serial);
	}
	int fd = dial_from(0);
	say_hello(fd, 5, first.token);
	REQUIRE(answer(fd, &w) == 0, "another machine's token is taken");
	close(fd);
	uint32_t serial;
	uint64_t token = settle(1, first.token, &serial);
	REQUIRE(serial == first.serial, "its client has serial %u, it was %u", serial, first.serial);
	server_kill_all(&broker);                      /* the client was answered: its machine is known */
	server_start(&broker);
	settle(1, token, &serial);
	REQUIRE(serial == first.serial, "serial %u, it was %u", serial, first.serial);
}

TEST(first_welcome, "a daemon whose broker was killed right after the first WELCOME keeps its serial, though the "
    "store does not know it and another machine came first")
{
	broker_start(&broker, "broker", 0, NULL);
	kill(server_child(&broker, "worker"), SIGSTOP);        /* so that the daemon is not taken up by its shard */
	daemon_start(&one, "one", broker.port);
	WAIT_FOR(server_log_has(&one, "as machine 1"), "not connected");
	server_kill_all(&one);
	server_kill_all(&broker);
	server_start(&broker);
	REQUIRE(welcome_of(7, 0).serial != 1, "its serial was given away");
	char *before = t_read_file(one.log);
	server_start(&one);
	WAIT_FOR(strstr(t_read_file(one.log) + strlen(before), "as machine 1"), "not connected again");
	use_daemon(&one);
	int id = talk_create();
	talk_subscribe(id, "calm");
	say(id, "calm", "hello");
	hear(id, "calm", "hello");
	bye(id);
}
