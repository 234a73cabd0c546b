/* stranger - who has no handshake, or no client: at the broker's port, at the daemon's door, at the queues that clients
 * may write to; an honest pair goes on beside */
#include <lib/beside.h>
#include <lib/segment.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <lib/wire_peer.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DIAL_MS = 100, HELD = 300 };

static struct server broker, one;

static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

/* ---- at the broker's port: the oldest of HELD connections makes room for the next ---- */

struct visit { int (*speak)(int fd, int turn); };        /* 0: the connection is done with */

static int held[HELD];

static void
let_go(int i)
{
	if (held[i] > 0)
		close(held[i]);
	held[i] = 0;
}

static void
visits(void *with)
{
	static int turn;
	const struct visit *v = with;
	while (beside_acts()) {
		int i = turn++ % HELD;
		if (held[i] <= 0)
			held[i] = peer_dial(&broker, "127.0.0.1", DIAL_MS);
		if (held[i] > 0 && !v->speak(held[i], turn / HELD))
			let_go(i);
	}
}

static void
visit(int (*speak)(int fd, int turn))
{
	struct visit v = { speak };
	up();
	beside(visits, &v);
}

static int
says(int fd, const void *bytes, size_t n)
{
	return send(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n;
}

static int
nothing(int fd, int turn)
{
	(void)fd;
	return turn % 2;
}

TEST(connections, "strangers that connect, say nothing and go, as fast as they can, keep nobody out and slow nobody")
{
	visit(nothing);
}

static uint32_t
hello_frame(char bytes[512])
{
	char data[HELLO_BYTES];
	struct hello hello = { .version = WIRE_VERSION + 1, .message_max = MOM_MESSAGE_MAX, .slots = 1,
		.window = WINDOW };
	wire_hello_put(data, &hello);
	return record_make(bytes, &(struct record){ .type = REC_HELLO }, NULL, data, sizeof data);
}

static int
half(int fd, int turn)
{
	char bytes[512];
	return turn % 2 == 0 && says(fd, bytes, hello_frame(bytes) / 2);
}

TEST(half_hellos, "strangers that say half a HELLO harm nobody")
{
	visit(half);
}

static int
byte_by_byte(int fd, int turn)
{
	char bytes[512];
	uint32_t n = hello_frame(bytes);
	return says(fd, bytes + (uint32_t)turn % n, 1);
}

TEST(byte_by_byte, "strangers that say a byte at a time harm nobody")
{
	visit(byte_by_byte);
}

static int
wrong_hello(int fd, int turn)
{
	char bytes[512];
	(void)turn;
	says(fd, bytes, hello_frame(bytes));
	return 0;
}

TEST(wrong_hellos, "strangers that are refused, and come again at once, harm nobody")
{
	visit(wrong_hello);
}

static int
garbage(int fd, int turn)
{
	static struct t_rng rng;
	char bytes[4096];
	(void)turn;
	t_rng_fill(&rng, bytes, sizeof bytes);
	says(fd, bytes, sizeof bytes);
	return 0;
}

TEST(garbage, "strangers that say garbage harm nobody")
{
	visit(garbage);
}

static int
http(int fd, int turn)
{
	static const char text[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
	    "User-Agent: somebody who took the wrong port and has a long name for it, too\r\n\r\n";
	(void)turn;
	says(fd, text, sizeof text - 1);
	return 0;
}

TEST(http, "browsers at the wrong port harm nobody")
{
	visit(http);
}

/* ---- at the daemon's door ---- */

static void
knocks(void *with)
{
	static int turn;
	static struct t_rng rng;
	const size_t *bytes = with;
	while (beside_acts()) {
		struct registration ask = { .magic = MAGIC_CLIENT, .layout = IPC_LAYOUT };
		int i = turn++ % HELD;
		let_go(i);
		if ((held[i] = peer_knock(&one)) <= 0)
			continue;
		t_rng_fill(&rng, ask.nonce, sizeof ask.nonce);
		snprintf(ask.name, sizeof ask.name, "no good name / %d", turn);
		if (*bytes)
			says(held[i], &ask, *bytes);
	}
}

static void
knock(size_t bytes)
{
	up();
	beside(knocks, &bytes);
}

TEST(silent_knocks, "programs that knock at the daemon's door and say nothing slow nobody")
{
	knock(0);
}

TEST(half_registrations, "programs that say half a registration slow nobody")
{
	knock(sizeof(struct registration) / 2);
}

TEST(refused_registrations, "programs whose registrations are refused, one after the other, slow nobody")
{
	knock(sizeof(struct registration));
}

/* Good registrations, which nobody destroys. The kernel's number of objects, or the daemon's of descriptors,
 * limits them. */
static void
registers(void *unused)
{
	static struct t_rng rng;
	(void)unused;
	while (beside_acts()) {
		struct registration ask = { .magic = MAGIC_CLIENT, .layout = IPC_LAYOUT };
		struct registered answer;
		int fd = peer_knock(&one);
		if (fd < 0)
			continue;
		t_rng_fill(&rng, ask.nonce, sizeof ask.nonce);
		says(fd, &ask, sizeof ask);
		for (int i = 0; i < 100 && recv(fd, &answer, sizeof answer, MSG_DONTWAIT) < 0; i++)
			usleep(100);
		close(fd);
	}
}

TEST(registers, "a program that registers without end slows nobody")
{
	up();
	beside(registers, NULL);
}

/* ---- at the queues ---- */

struct queues { int id[2]; };

/* They may be written by whoever may register. */
static void
forges(void *with)
{
	static struct t_rng rng;
	const struct queues *q = with;
	struct { long type; char text[2000]; } note;
	t_rng_fill(&rng, note.text, sizeof note.text);
	while (beside_acts()) {
		note.type = (long)(t_rng_next(&rng) >> (1 + t_rng_below(&rng, 62)));
		note.type += note.type == 0;
		size_t len = t_rng_below(&rng, 2) ? 0 : t_rng_below(&rng, sizeof note.text);
		if (msgsnd(q->id[t_rng_below(&rng, 2)], &note, len, IPC_NOWAIT) < 0)
			REQUIRE(errno == EAGAIN || errno == EIDRM || errno == EINVAL, "msgsnd: %s", strerror(errno));
	}
}

TEST(forged_tickets, "a program that fills the queues on which the daemon's processes sleep slows nobody")
{
	struct queues q;
	up();
	int id = talk_create();
	struct client_segment *c = segment_of(&one, id, NULL);
	q.id[0] = atomic_load(&c->request_queue);
	q.id[1] = atomic_load(&c->deliver_queue);
	shmdt(c);
	beside(forges, &q);
	bye(id);
}
