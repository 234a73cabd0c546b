/* machine - a machine with a valid handshake that says whatever it likes to its broker, as fast as it can: an honest
 * pair on another machine goes on beside it */
#include <lib/beside.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <lib/wire_peer.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 1024, JOIN_MS = 100, HOSTILE = 1000 /* the first machine's number */ };

static struct server broker, one;
static uint32_t generation;            /* of its requests' numbers: a new one for each connection */
static uint64_t *frames;               /* that the hostile machine sent */

static void
up(void)
{
	broker_start(&broker, "broker", 0, "--workers 1");
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

/* ---- one connection, and as many frames as it takes ---- */

struct flood {
	void (*fill)(struct wire_peer *m);     /* puts what there is room for */
	int deaf;
};

static void
floods(void *with)
{
	static struct wire_peer *m;            /* it goes on from turn to turn */
	const struct flood *f = with;
	while (beside_acts()) {
		if (m == NULL) {
			if ((m = peer_join(&broker, HOSTILE, SLOTS, JOIN_MS)) == NULL)
				continue;
			generation++;
			peer_request(m, &(struct record){ .type = REC_ALIVE, .aux = 1 }, NULL, NULL, 0);
		}
		uint64_t before = m->frames;
		f->fill(m);
		*frames += m->frames - before;
		m->turns++;
		if (!peer_turn(m)) {
			peer_leave(m);
			m = NULL;
		} else if (m->turns > 1)
			m->deaf = f->deaf;
	}
}

static void
flood(void (*fill)(struct wire_peer *), int deaf, void (*by)(void (*)(void *), void *))
{
	struct flood f = { fill, deaf };
	up();
	frames = t_shared_memory(sizeof *frames);
	by(floods, &f);
	t_remark("%llu frames", (unsigned long long)*frames);
}

/* A client's request number k, from 1. */
static int
ask(struct wire_peer *m, uint8_t type, uint32_t client, uint64_t k, const char *topic, const void *data, uint32_t len)
{
	uint64_t number = number_make(generation, k);
	struct record r = { .type = type, .offset = number, .number = number, .time = client % SLOTS,
		.publisher = (uint64_t)m->welcome.serial << 32 | client };
	return peer_request(m, &r, topic, data, len);
}

/* ---- clients ---- */

static void
unknown_clients(struct wire_peer *m)
{
	while (ask(m, REC_MESSAGE, (uint32_t)m->frames, m->frames + 1, "flood", "x", 1))
		;
}

TEST(unknown_clients, "a machine that publishes without end for clients that do not exist harms itself alone")
{
	flood(unknown_clients, 0, beside);
}

static void
creates(struct wire_peer *m)
{
	uint32_t client = (uint32_t)(m->frames / 2 + 1);
	while (m->frames % 2 ? ask(m, REC_CREATE, client, 1, NULL, NULL, 0) :
	    ask(m, REC_DESTROY, client - 1, 2, NULL, NULL, 0))
		client = (uint32_t)(m->frames / 2 + 1);
}

TEST(creates_and_destroys, "a machine that creates and destroys clients without end harms itself alone")
{
	flood(creates, 0, beside_durably);
}

/* ---- topics ---- */

/* with its first client; the number of that one's next request */
static uint64_t
begun(struct wire_peer *m)
{
	if (m->turns == 0) {
		REQUIRE(ask(m, REC_CREATE, 1, 1, NULL, NULL, 0), "no room for the first request");
		m->next = 2;
	}
	return m->next;
}

static void
subscribes(struct wire_peer *m)
{
	char topic[40];
	begun(m);
	do
		snprintf(topic, sizeof topic, "endless/%llu", (unsigned long long)m->next);
	while (ask(m, REC_SUBSCRIBE, 1, m->next, topic, NULL, 0) && m->next++);
}

TEST(subscribes, "a machine that subscribes to topics without end harms itself alone")
{
	flood(subscribes, 0, beside_durably);
}

static void
only_listens(struct wire_peer *m)
{
	begun(m);
	if (m->turns == 0)
		REQUIRE(ask(m, REC_SUBSCRIBE, 1, 2, "honest", NULL, 0), "no room for the second request");
	usleep(1000);
}

TEST(reads_nothing, "a machine that subscribes to the pair's topic and reads nothing of it harms itself alone")
{
	flood(only_listens, 1, beside);
}

static void
publishes(struct wire_peer *m, const char *topic, uint32_t len)
{
	static char payload[16384];
	for (uint64_t n = begun(m); ask(m, REC_MESSAGE, 1, n, topic, payload, len); n++)
		m->next = n + 1;
}

static void
publishes_small(struct wire_peer *m)
{
	publishes(m, "flood", 8);
}

TEST(publishes, "a machine that publishes small messages up to its window leaves half to others")
{
	flood(publishes_small, 0, beside);
}

static void
publishes_large(struct wire_peer *m)
{
	publishes(m, "flood", 16384);
}

TEST(publishes_large, "a machine that publishes large messages up to its window leaves half to others")
{
	flood(publishes_large, 0, beside);
}

static void
publishes_bad(struct wire_peer *m)
{
	publishes(m, "no good # topic", 1);
}

TEST(refused_one_by_one, "a machine each of whose requests is refused harms itself alone")
{
	flood(publishes_bad, 0, beside);
}

/* ---- lists ---- */

static void
lists(struct wire_peer *m)
{
	uint64_t id = (uint64_t)m->welcome.serial << 32 | 1;
	while (peer_request(m, &(struct record){ .type = REC_ALIVE, .aux = 1 }, NULL, &id, sizeof id))
		;
}

TEST(alive_lists, "a machine that lists its clients without end harms itself alone")
{
	flood(lists, 0, beside);
}

static void
deaths(struct wire_peer *m)
{
	struct record r = { .type = REC_DIED };
	begun(m);
	do
		r.publisher = (uint64_t)m->welcome.serial << 32 | m->frames % 3;
	while (peer_request(m, &r, NULL, NULL, 0));
}

TEST(deaths, "a machine whose clients die without end harms itself alone")
{
	flood(deaths, 0, beside);
}

/* ---- words ---- */

static void
words(struct wire_peer *m)
{
	static const uint8_t types[] = { REC_PLACE, REC_CREDIT, REC_PING };
	static struct t_rng rng;
	only_listens(m);                       /* something flows, so that its credit counts */
	uint64_t aux;
	do
		aux = t_rng_below(&rng, 4) == 0 ? UINT64_MAX : t_rng_next(&rng) >> t_rng_below(&rng, 64);
	while (peer_put(m, &(struct record){ .type = types[t_rng_below(&rng, 3)], .aux = aux }, NULL, NULL, 0));
}

TEST(words, "a machine whose credit and places go back and far ahead, and that pings without end, harms itself alone")
{
	flood(words, 0, beside);
}

static void
words_deaf(struct wire_peer *m)
{
	words(m);
}

TEST(words_deaf, "a machine that grants all the credit there is, and reads nothing, harms itself alone")
{
	flood(words_deaf, 1, beside);
}

/* ---- it comes and goes ---- */

struct visits { int fresh, reads; };

static void
visits(void *with)
{
	static uint32_t number = HOSTILE;
	const struct visits *v = with;
	while (beside_acts()) {
		number += (uint32_t)v->fresh;
		if (v->reads) {
			peer_leave(peer_join(&broker, number, SLOTS, JOIN_MS));
			continue;
		}
		int fd = peer_dial(&broker, "127.0.0.1", JOIN_MS);
		if (fd < 0)
			continue;
		peer_hello(fd, SLOTS, number, 0);
		close(fd);
	}
}

static void
visit(int fresh, int reads)
{
	struct visits v = { fresh, reads };
	up();
	beside(visits, &v);
}

TEST(comes_and_goes, "a machine that connects and hangs up in a loop harms itself alone")
{
	visit(0, 1);
}

TEST(comes_as_another, "a machine that connects with a new id each time and hangs up harms itself alone")
{
	visit(1, 1);
}

TEST(does_not_wait, "a machine that says HELLO and hangs up at once, in a loop, harms itself alone")
{
	visit(1, 0);
}

/* MANY wait for their WELCOME, and the oldest of them hangs up for the next. */
static void
crowds(void *unused)
{
	enum { MANY = 256 };
	static int fds[MANY];
	static uint32_t turn;
	(void)unused;
	while (beside_acts()) {
		int *fd = &fds[turn++ % MANY];
		if (*fd > 0)
			close(*fd);
		if ((*fd = peer_dial(&broker, "127.0.0.1", JOIN_MS)) > 0)
			peer_hello(*fd, SLOTS, HOSTILE + turn, 0);
	}
}

TEST(comes_as_many, "a machine that connects as many at once, each of which hangs up soon, harms itself alone")
{
	up();
	beside(crowds, NULL);
}

/* welcomed, and ended for what it says: the unit and its two processes are made anew each time */
static void
nonsense(struct wire_peer *m)
{
	if (m->turns > 1)
		peer_put(m, &(struct record){ .type = REC_WELCOME }, NULL, NULL, 0);
}

TEST(nonsense, "a machine that is ended for a nonsense frame and comes again, in a loop, harms itself alone")
{
	flood(nonsense, 0, beside);
}
