/* centre - takes the agencies' batches, has them stored by a pool of workers, answers each, and draws: centre CONFIG
 * [--resume] [--KEY VALUE ...]
 *
 * READS       TOPIC/bets; what its workers have done; its text port
 * WRITES      TOPIC/to/ID (say.h); its workers write bets.csv and bets.journal (store.h)
 * SLEEPS IN   poll: all of these, and signals
 * STDOUT      `ready 127.0.0.1 PORT`, and after the draw `drawn: ...`
 * ON CRASH    start it with --resume: it is a durable client that acknowledges what is stored, gets the rest again, and
 *             the journal tells
 *             which of that is stored already
 * SIGNALS     TERM, INT: what is in hand is stored, exit 0 without a draw
 * EXIT        0 drawn, or stopped   100 wrong use   111 system trouble, or a worker died */
#include "bet.h"
#include "config.h"
#include "pool.h"
#include "port.h"
#include "say.h"
#include "store.h"
#include "tell.h"
#include <errno.h>
#include <mom.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

struct publisher {                             /* who sends batches */
	uint64_t id;
	uint32_t number;                       /* of batches so far */
	unsigned agency;                       /* 0: not known yet */
};

static struct centre {
	struct config config;
	struct store store;
	struct pool pool;
	struct publisher *publishers;
	size_t publisher_count, publisher_room;
	char ended[AGENCIES_MAX + 1];
	long agencies_ended, bets, batches, refused;
	int id, signals, port, resume, stopped;
	int in_hand;                           /* messages that the workers have */
	int unacked;
	int64_t last_message_ms, last_line_ms;
} c;

static int64_t
now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct publisher *
publisher_of(uint64_t id)
{
	for (size_t i = c.publisher_count; i-- > 0;)
		if (c.publishers[i].id == id)
			return &c.publishers[i];
	if (c.publisher_count == c.publisher_room) {
		c.publisher_room = c.publisher_room ? 2 * c.publisher_room : 16;
		c.publishers = realloc(c.publishers, c.publisher_room * sizeof *c.publishers);
		if (c.publishers == NULL)
			tell_fatal(111, "no memory for %zu agencies: see `ulimit -v`", c.publisher_room);
	}
	c.publishers[c.publisher_count] = (struct publisher){ .id = id };
	return &c.publishers[c.publisher_count++];
}

/* What one message came to, now or before a crash. */
static void
count_in(const struct store_entry *e)
{
	struct publisher *p = publisher_of(e->publisher);
	if (e->number > p->number)
		p->number = e->number;
	if (e->agency)
		p->agency = e->agency;
	if (e->kind == STORE_BATCH) {
		c.batches++;
		c.bets += e->count;
	} else if (e->kind == STORE_REFUSED) {
		c.refused++;
	} else if (e->kind == STORE_END && !c.ended[e->agency]) {
		c.ended[e->agency] = 1;
		c.agencies_ended++;
	}
}

static void
answer(const struct store_entry *e)
{
	static struct say s;
	if (e->kind != STORE_BATCH && e->kind != STORE_REFUSED)
		return;
	s = (struct say){ .kind = SAY_ANSWER, .number = e->number, .count = e->count };
	if (say_to(c.id, c.config.topic, e->publisher, &s) < 0)
		tell_fatal(111, "an answer: %s", mom_error_text(c.id));
}

static void
show_progress(int at_once)
{
	int64_t now = now_ms();
	if (!isatty(2) || (!at_once && now - c.last_line_ms < 200))
		return;
	c.last_line_ms = now;
	fprintf(stderr, "\r\033[K%ld bets stored, %ld of %ld agencies have ended%s", c.bets, c.agencies_ended,
	    c.config.agencies, at_once ? "\n" : "");
}

/* ---- from the agencies to the workers ---- */

static void
take_message(const struct mom_message *m)
{
	static struct job j;
	c.last_message_ms = now_ms();
	c.unacked = 1;
	if (m->flags & MOM_GAP)
		tell_fatal(111, "%.*s; start the centre and the agencies anew", (int)m->len, (const char *)m->data);
	const struct store_entry *before = store_find(&c.store, m->offset);
	if (before) {                                  /* stored before a crash; whether it was answered nobody knows */
		answer(before);
		return;
	}
	j.offset = m->offset;
	j.publisher = m->publisher;
	j.number = m->len == 1 ? 0 : ++publisher_of(m->publisher)->number;
	j.len = m->len < sizeof j.data ? (uint32_t)m->len : (uint32_t)sizeof j.data;
	memcpy(j.data, m->data, j.len);
	if (pool_give(&c.pool, &j) < 0)
		tell_fatal(111, "no worker is left; start the centre again with --resume");
	c.in_hand++;
}

/* While the workers keep up: two each, so that none waits for this process. 1: there may be more. */
static int
take_messages(void)
{
	struct mom_message m;
	while (c.in_hand < 2 * c.pool.count) {
		int r = mom_receive(c.id, &m, 0);
		if (r == MOM_ETIMEDOUT)
			return 0;
		if (r < 0 && r != MOM_EINTR)
			tell_fatal(111, "receive: %s", mom_error_text(c.id));
		if (r == 0)
			take_message(&m);
	}
	return 1;
}

static void
take_done(void)
{
	struct store_entry e;
	while (c.in_hand > 0 && pool_take(&c.pool, &e) > 0) {
		c.in_hand--;
		count_in(&e);
		answer(&e);
		show_progress(0);
	}
	/* all that was handed out is stored, and answered in the ring, which outlives this process */
	if (c.in_hand == 0 && c.unacked && mom_ack(c.id) == 0)
		c.unacked = 0;
}

/* ---- the loop ---- */

static void
take_signal(void)
{
	struct signalfd_siginfo s;
	pid_t worker;
	if (read(c.signals, &s, sizeof s) != (ssize_t)sizeof s)
		return;
	if (s.ssi_signo != SIGCHLD)
		c.stopped = 1;
	else if ((worker = pool_reap(&c.pool)) > 0 && !c.stopped)
		tell_fatal(111, "worker %d died; start the centre again with --resume", (int)worker);
}

static void
answer_port(void)
{
	char line[300];
	snprintf(line, sizeof line, "lottery %s: %ld bets in %ld batches stored, %ld refused, %d in hand, %ld of %ld "
	    "agencies have ended, %d workers\n",
	    c.config.topic, c.bets, c.batches, c.refused, c.in_hand, c.agencies_ended, c.config.agencies,
	    c.pool.living);
	port_answer(c.port, line);
}

static int64_t
quiet_left(void)
{
	int64_t left = c.last_message_ms + c.config.quiet_ms - now_ms();
	return left > 0 ? left : 0;
}

/* Until all agencies have ended, or nothing came for a while, or a signal */
static void
serve(void)
{
	struct pollfd p[] = { { mom_fd(c.id), POLLIN, 0 }, { c.pool.done, POLLIN, 0 }, { c.signals, POLLIN, 0 },
	    { c.port, POLLIN, 0 } };
	if (p[0].fd < 0)
		tell_fatal(111, "mom_fd: %s", mom_error_text(c.id));
	int fd = p[0].fd;
	c.last_message_ms = now_ms();
	while (!c.stopped) {
		int more = take_messages();
		take_done();
		if (c.in_hand == 0 && !more && (c.agencies_ended == c.config.agencies || quiet_left() == 0))
			return;
		p[0].fd = c.in_hand < 2 * c.pool.count ? fd : -1;
		int64_t wait_ms = more && c.in_hand < 2 * c.pool.count ? 0 : c.in_hand ? 1000 : quiet_left();
		if (poll(p, 4, (int)wait_ms) < 0 && errno != EINTR)
			tell_fatal(111, "poll: %s", strerror(errno));
		if (p[2].revents)
			take_signal();
		if (p[3].revents)
			answer_port();
	}
}

/* ---- the draw ---- */

struct winner { unsigned agency; uint32_t document; };
static struct { struct winner *all; size_t count, room; } winners;

static void
find_winners(void)
{
	static struct csv csv;
	struct bet b;
	int r = csv_open(&csv, config_path(&c.config, "bets.csv"));
	while (r == 0 && (r = bet_next(&b, &csv, 0)) > 0) {
		r = 0;
		if (b.number != (unsigned)c.config.winner)
			continue;
		if (winners.count == winners.room) {
			winners.room = winners.room ? 2 * winners.room : 64;
			winners.all = realloc(winners.all, winners.room * sizeof *winners.all);
			if (winners.all == NULL)
				tell_fatal(111, "no memory for %zu winners: see `ulimit -v`", winners.room);
		}
		winners.all[winners.count++] = (struct winner){ b.agency, b.document };
	}
	if (r < 0)
		tell_fatal(111, "%s", csv.error);
	csv_close(&csv);
}

static void
tell_winners(const struct publisher *p)
{
	static struct say s;
	s = (struct say){ .kind = SAY_WINNERS, .agency = p->agency };
	for (size_t i = 0; i <= winners.count; i++) {
		if (i < winners.count && winners.all[i].agency == p->agency)
			s.document[s.count++] = winners.all[i].document;
		s.last = i == winners.count;
		if (!s.last && s.count < SAY_DOCUMENTS_MAX)
			continue;
		if (say_to(c.id, c.config.topic, p->id, &s) < 0)
			tell_fatal(111, "winners: %s", mom_error_text(c.id));
		s.part++;
		s.count = 0;
	}
}

static void
draw(void)
{
	int r;
	pool_stop(&c.pool);
	show_progress(1);
	if (c.agencies_ended < c.config.agencies)
		tell("no message for %ld ms: the draw is now, with %ld of %ld agencies ended", c.config.quiet_ms,
		    c.agencies_ended, c.config.agencies);
	find_winners();
	for (size_t i = 0; i < c.publisher_count; i++)
		if (c.publishers[i].agency)
			tell_winners(&c.publishers[i]);
	while ((r = mom_flush(c.id, 100)) == MOM_ETIMEDOUT || r == MOM_EINTR) {
		struct pollfd p = { c.signals, POLLIN, 0 };
		if (poll(&p, 1, 0) > 0)
			take_signal();
		if (c.stopped)
			break;
	}
	if (r < 0 && !c.stopped)
		tell_fatal(111, "winners: %s", mom_error_text(c.id));
	printf("drawn: %ld bets of %ld agencies, %zu have the number %ld\n", c.bets, c.agencies_ended, winners.count,
	    c.config.winner);
}

/* ---- start and end ---- */

static int
own_option(const char *option, const char *value)
{
	(void)value;
	if (strcmp(option, "--resume") != 0)
		return 0;
	c.resume = 1;
	return 1;
}

static void
open_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if ((c.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
		tell_fatal(111, "signalfd: %s", strerror(errno));
	if (pool_reap(&c.pool))
		tell_fatal(111, "a worker died");
}

/* The durable client TOPIC-centre: fresh, or with what its last process had not acknowledged. */
static void
open_client(void)
{
	char name[64];
	snprintf(name, sizeof name, "%s-centre", c.config.topic);
	for (int tries = 0; (c.id = mom_open(name)) == MOM_EBUSY && c.resume && tries < 100; tries++)
		usleep(50000);                         /* the one that was killed is still being buried */
	if (c.id >= 0 && !c.resume && mom_destroy(c.id) == 0)
		c.id = mom_open(name);
	if (c.id < 0)
		tell_fatal(111, "%s", mom_error_text(-1));
	mom_set_option(c.id, MOM_OPT_MANUAL_ACK, 1);
	int r = say_subscribe_bets(c.id, c.config.topic);
	if (r < 0 && r != MOM_EEXIST)
		tell_fatal(111, "subscribe: %s", mom_error_text(c.id));
}

int
main(int argc, char **argv)
{
	tell_program = "lottery centre";
	if (argc < 2 || strncmp(argv[1], "--", 2) == 0) {
		fprintf(argc == 2 && strcmp(argv[1], "--help") == 0 ? stdout : stderr,
		    "usage: centre CONFIG [--resume] [--KEY VALUE ...]\n  --resume    go on after a crash; without it "
		    "bets.csv is made anew\n%s", config_help);
		return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : 100;
	}
	config_load(&c.config, argv[1], argc, argv, 2, own_option);
	store_open(&c.store, &c.config, c.resume);
	c.port = port_open(c.config.port);
	pool_start(&c.pool, &c.store, &c.config);
	open_client();
	open_signals();
	for (size_t i = 0; i < c.store.count; i++)
		count_in(&c.store.entries[i]);
	printf("ready 127.0.0.1 %d\n", port_number(c.port));
	fflush(stdout);
	serve();
	if (c.stopped)
		pool_stop(&c.pool);
	else
		draw();
	if (c.stopped)
		tell("stopped before the draw");
	/* where the broker is away it is destroyed when that is back */
	mom_set_option(c.id, MOM_OPT_TIMEOUT_MS, 1000);
	int r = mom_destroy(c.id);
	if (r < 0 && r != MOM_ETIMEDOUT)
		tell_fatal(111, "%s", mom_error_text(-1));
	return 0;
}
