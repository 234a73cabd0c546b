/* strangers - hostile peers in numbers at the broker's port: honest machines work on, and one that comes back while it
 * blows is let in */
#include <lib/load.h>
#include <lib/relay.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HELLO = 120, HEADER = 56, MOST = 1000, FEW = 300, BACK_MS = 10000 };
static struct server broker, one, two;
static struct load *ear, *mouth;
static struct relay *relay;

static struct attack { atomic_int stop; atomic_long connects, ends, refused; int size; struct t_rng rng; } *attack;

/* ---- what strangers do ---- */

/* from one of three addresses, of which one is that of the honest machines; -1: not connected */
static int
dial(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)broker.port)},
	    from = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;
	inet_pton(AF_INET, broker.ip, &to.sin_addr);
	from.sin_addr.s_addr = htonl(0x7f000001 + (uint32_t)t_rng_below(&attack->rng, 3));
	if (fd < 0)
		return -1;
	bind(fd, (struct sockaddr *)&from, sizeof from);
	r = connect(fd, (struct sockaddr *)&to, sizeof to);
	if (r < 0 && errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	attack->connects++;
	return fd;
}

static int
has_ended(int fd)
{
	char sink[512];
	ssize_t n;
	while ((n = recv(fd, sink, sizeof sink, MSG_DONTWAIT)) > 0)
		attack->refused += sink[9] == 34;      /* REFUSE */
	return n == 0 || (n < 0 && errno != EAGAIN && errno != ENOTCONN);
}

static void
make_header(unsigned char h[HELLO], uint32_t len, unsigned char type)
{
	memset(h, 0, HELLO);
	memcpy(h, &len, 4);
	h[8] = HEADER;
	h[9] = type;
}

/* a third says nothing, a third half a HELLO, a third one byte now and then; whoever is dropped is back at once */
static void
slow(void *nothing)
{
	unsigned char h[HELLO];
	int fds[MOST], sent[MOST] = {0};
	(void)nothing;
	make_header(h, HELLO, 32);
	memset(fds, -1, sizeof fds);
	while (!attack->stop) {
		for (int i = 0; i < attack->size; i++) {
			if (fds[i] >= 0 && has_ended(fds[i])) {
				close(fds[i]);
				attack->ends++;
				fds[i] = -1;
			}
			if (fds[i] < 0) {
				fds[i] = dial();
				sent[i] = 0;
			}
			int upto = i % 3 == 0 ? 0 : i % 3 == 1 ? HELLO / 2 : HELLO - 1,
			    step = i % 3 == 1 ? HELLO / 2 : 1;
			if (fds[i] >= 0 && sent[i] < upto && send(fds[i], h + sent[i], (size_t)step,
			    MSG_NOSIGNAL) == step)
				sent[i] += step;
		}
		t_sleep_ms(20);
	}
}

/* connects and closes, as fast as it goes */
static void
flood(void *nothing)
{
	(void)nothing;
	while (!attack->stop) {
		int fd = dial();
		if (fd < 0) {
			t_sleep_ms(1);
			continue;
		}
		struct linger reset = {1, 0};          /* no TIME_WAIT: ports would run out */
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		close(fd);
	}
}

/* each connection begins with one block of bytes and waits for its end */
static void
say_and_wait(const void *bytes, size_t n)
{
	int fd = dial();
	struct pollfd f = {fd, POLLOUT, 0};
	if (fd < 0) {
		t_sleep_ms(1);
		return;
	}
	if (poll(&f, 1, 1000) == 1 && send(fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n)
		for (f.events = POLLIN; !attack->stop && !has_ended(fd);)
			poll(&f, 1, 100);
	close(fd);
	attack->ends++;
}

static void
giant(void *nothing)
{
	static const uint32_t lengths[] = {0xffffffff, 0x80000000, 0x7fffffff, 121, 0};
	unsigned char h[HELLO];
	(void)nothing;
	for (unsigned i = 0; !attack->stop; i++) {
		make_header(h, lengths[i % 5], i % 2 ? 32 : 1);
		say_and_wait(h, sizeof h);
	}
}

static void
replay(void *nothing)
{
	(void)nothing;
	while (!attack->stop)
		say_and_wait(relay->hello, (size_t)relay->hello_bytes);
}

/* ---- the honest side ---- */

static void
up(void)
{
	struct rlimit files;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	attack = t_shared_memory(sizeof *attack);
	t_rng_init(&attack->rng, 21);
	attack->size = t_is_long() ? MOST : FEW;
	broker_start(&broker, "broker", 0, NULL);
	relay = relay_start(&broker);
	daemon_start(&one, "one", relay->port);
	daemon_start(&two, "two", broker.port);
	ear = subscriber_start(&two, "work", PAYLOAD_SMALL);
	mouth = publisher_start(&one, 1, "work", 0, PAYLOAD_SMALL, 0);
	load_moves(mouth, 50);
}

/* durable publishes in some time */
static long
work(int ms)
{
	long before = mouth->sent;
	for (int64_t end = t_now_ms() + ms; t_now_ms() < end;)
		t_tick();
	return mouth->sent - before;
}

static void
under(const char *name, void (*run)(void *), int attackers)
{
	enum { ATTACKERS = 4 };
	pid_t pids[ATTACKERS];
	int ms = t_is_long() ? 20000 : 1000;
	long calm, blown;
	up();
	calm = work(ms / 4) * 4;
	for (int i = 0; i < attackers; i++)
		pids[i] = t_spawn(run, NULL);
	WAIT_FOR(attack->connects >= 10, "no stranger came");
	blown = work(ms);
	load_moves(ear, 10);
	server_kill_all(&two);                         /* one comes back in the midst of it */
	int64_t start = t_now_ms();
	server_start(&two);
	load_moves(ear, 10);
	int64_t back = t_now_ms() - start;
	REQUIRE(back < BACK_MS, "%s: a machine that came back was let in after %lld ms", name, (long long)back);
	use_daemon(&two);
	int id = talk_create();
	say(id, "other", "a new client works too");
	bye(id);
	attack->stop = 1;
	for (int i = 0; i < attackers; i++)
		REQUIRE(t_join(pids[i]) == 0, "an attacker failed");
	load_stop(mouth);
	load_finish(mouth);
	load_expect(ear, mouth->sent);
	load_finish(ear);
	t_remark("%s: %ld connections; %ld durable messages meanwhile (before: %ld), a machine came back in %lld ms",
	    name, (long)attack->connects, blown, calm,
	    (long long)back);
}

#define WORK \
	"an honest publisher and subscriber work on, a machine that comes back is let in at once, " \
	"a new client is served"
TEST(slow_ones, "1,000 (short: 300) strangers that say nothing, half a HELLO, or a byte now and then, and come "
    "again: " WORK) { under("slow", slow, 1); }
TEST(flood, "connections opened and closed as fast as it goes: " WORK) { under("flood", flood, 2); }
TEST(giant_lengths, "frames of 4 GiB, 2 GiB and lengths that cannot be, one connection after the other: " WORK) { under(
    "giant lengths", giant, 4); }
TEST(replayed, "a copy of a connected machine's HELLO, again and again: refused by name, " WORK)
{
	under("replay", replay, 2);
	REQUIRE(attack->refused > 0 && server_log_has(&broker, "refused: this machine is connected already"),
	    "no replay was refused");
}
