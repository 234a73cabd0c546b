/* noise - what a peer does again and again fills no log: its first line is there, the others are counted and told
 * Lines are counted against acts: a process that tells of each would have as many. */
#include <lib/calm.h>
#include <lib/segment.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <arpa/inet.h>
#include <errno.h>
#include "ipc/layout.h"
#include "format/wire.h"
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ACTS = 200 };
static struct server broker, one;
static int id;

static void
up(void)
{
	id = calm_up(&broker, &one);
}

/* The log tells of every act, in few lines. */
static void
few_lines(struct server *s, const char *words, long acts)
{
	WAIT_FOR(server_log_told(s, words) >= acts, "it tells of %ld of %ld", server_log_told(s, words), acts);
	long lines = server_log_lines(s, words), all = server_log_lines(s, "");
	REQUIRE(server_log_told(s, words) == acts, "%ld acts, lines tell of %ld", acts, server_log_told(s, words));
	REQUIRE(lines <= acts / 5 && all <= acts, "%ld acts, %ld lines tell of it, %ld in all", acts, lines, all);
	calm();
}

TEST(poisoned_again, "a client that takes its ring's verdict back gets it again each time, and one line tells of it")
{
	up();
	int other = talk_create();
	struct client_segment *c = segment_of(&one, other, NULL);
	atomic_store(&client_requests(c)->head, 5);
	for (int i = 0; i < ACTS; i++) {
		atomic_store(&c->poisoned, 0);
		bell_ring_always(&client_requests(c)->bell, &c->request_queue);
		WAIT_FOR(atomic_load(&c->poisoned), "the verdict is not there again, act %d", i);
	}
	long told = server_log_told(&one, "its ring holds garbage");
	REQUIRE(told == 1, "%ld lines", told);
	calm();
	REQUIRE(mom_publish(other, "calm", "x", 1, 0) == MOM_EPROTO, "%s", mom_error_text(other));
}

/* past libmom: what is in the ring is acknowledged as it likes, and a request follows of the next number but one */
static void
leave_a_gap(struct client_segment *c, uint64_t ring, uint64_t *at, uint64_t *number)
{
	enum { STEP = 64 };
	struct ring *r = client_requests(c);
	uint64_t to = (*at + STEP) / STEP * STEP;
	char frame[STEP] = { 0 };
	*number += 2;
	record_make(frame, &(struct record){ .type = REC_WILL, .number = *number }, NULL, NULL, 0);
	memcpy(r->bytes + to % ring, frame, RECORD_HEADER);
	atomic_store(&c->first[0], *number);
	atomic_store(&r->tail, to);
	atomic_store(&r->head, *at = to + RECORD_HEADER);
	bell_ring_always(&r->bell, &c->request_queue);
}

TEST(gaps, "a client that leaves out request numbers in a loop is told of in few lines, which claim no power cut")
{
	up();
	int other = talk_create();
	struct client_segment *c = segment_of(&one, other, NULL);
	uint64_t at = atomic_load(&client_requests(c)->head), number = atomic_load(&c->next[0]) - 1;
	for (int i = 0; i < ACTS; i++) {
		leave_a_gap(c, WINDOW, &at, &number);
		WAIT_FOR(atomic_load(&c->answer[0].acked) >= number, "request %d is not taken", i);
		if (i == 0)
			WAIT_FOR(server_log_has(&broker, "or its program left them out"), "no line tells of the first");
	}
	few_lines(&broker, "or its program left them out", ACTS);
}

static void
register_and_die(void *unused)
{
	(void)unused;
	_exit(mom_create() < 0);
}

TEST(born_and_dead, "clients that register and die in a loop are told of in few lines, which sum up to all of them")
{
	up();
	for (int i = 0; i < ACTS; i++) {
		int status = t_join(t_spawn(register_and_die, NULL));
		REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0, "client %d cannot register", i);
	}
	few_lines(&one, "has ended", ACTS);
}

static int
dial_from(const char *ip)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)broker.port) };
	struct sockaddr_in from = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	inet_pton(AF_INET, broker.ip, &to.sin_addr);
	inet_pton(AF_INET, ip, &from.sin_addr);
	REQUIRE(bind(fd, (struct sockaddr *)&from, sizeof from) == 0 &&
	    connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "from %s: %s", ip, strerror(errno));
	return fd;
}

/* until its other end has closed it; everything that comes is thrown away */
static void
read_to_end(int fd)
{
	char sink[4096];
	ssize_t n;
	do
		WAIT_FOR((n = recv(fd, sink, sizeof sink, MSG_DONTWAIT)) >= 0 || errno != EAGAIN, "it stays open");
	while (n > 0);
	close(fd);
}

static void
send_garbage(const char *ip)
{
	char bytes[RECORD_HEADER + HELLO_BYTES];
	int fd = dial_from(ip);
	memset(bytes, 0x5a, sizeof bytes);
	REQUIRE(send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) == sizeof bytes, "send");
	read_to_end(fd);
}

TEST(strangers, "a stranger that connects in a loop is told of in few lines, and does not hide another's first line")
{
	up();
	for (int i = 0; i < ACTS; i++)
		send_garbage("127.0.0.2");
	send_garbage("127.0.0.3");
	WAIT_FOR(server_log_has(&broker, "127.0.0.3:"), "the other stranger is hidden");
	few_lines(&broker, "the first frame is no HELLO", ACTS + 1);
}

static int
machine_join(void)
{
	char bytes[512], payload[HELLO_BYTES];
	struct hello hello = { .version = WIRE_VERSION, .message_max = MOM_MESSAGE_MAX, .slots = 1, .window = WINDOW,
		.machine = { 7 } };
	int fd = dial_from("127.0.0.2");
	wire_hello_put(payload, &hello);
	uint32_t n = record_make(bytes, &(struct record){ .type = REC_HELLO }, NULL, payload, sizeof payload);
	REQUIRE(send(fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n, "send");
	n = record_stride(RECORD_HEADER + WELCOME_BYTES);
	REQUIRE(recv(fd, bytes, n, MSG_WAITALL) == (ssize_t)n && bytes[9] == REC_WELCOME, "no WELCOME: %s",
	    bytes + RECORD_HEADER);
	return fd;
}

TEST(bad_frames, "a machine that connects in a loop and sends a frame that cannot be is told of in few lines")
{
	struct record bad = { .type = REC_WELCOME };
	char bytes[RECORD_HEADER + 8];
	up();
	for (int i = 0; i < ACTS; i++) {
		int fd = machine_join();
		uint32_t n = record_make(bytes, &bad, NULL, NULL, 0);
		REQUIRE(send(fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n, "send");
		read_to_end(fd);
	}
	few_lines(&broker, "a frame of a type that has no place here", ACTS);
}
