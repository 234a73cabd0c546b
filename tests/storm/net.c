/* net - two machines and a broker on networks that fail: packets vanish one way or both, cables are pulled, connections
 * are reset, cut in the middle of a frame or trickle; every message arrives once and in order, and nobody but the
 * machine behind the fault notices
 *
 * As root each machine is a network namespace (lib/netns.h) and one of them is behind a relay besides; without root all
 * are on loopback behind relays, and a note says what was left out. SEED=n repeats a storm's faults. */
#include <lib/load.h>
#include <lib/netns.h>
#include <lib/proc.h>
#include <lib/relay.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MACHINES = 3, NOTICED_MS = 15000 };
static struct server broker, machine[1 + 4];
static struct relay *relay;

/* 0 without root: then the caller says what it leaves out */
static int
networks(int count)
{
	const char *why = netns_begin(count);
	if (why == NULL) {
		netns_broker(&broker, "broker", NULL);
		return 1;
	}
	t_remark("%s: no faults of packets, cables and routes", why);
	broker_start(&broker, "broker", 0, NULL);
	return 0;
}

static const char *
name_of(int i)
{
	return t_text("m%d", i);
}

/* ---- cut off ---- */

static void
wait_and_once(int i, enum netns_way ways, int id, int ear)
{
	const char *text = t_text("while way %d was cut", ways);
	REQUIRE(mom_set_option(id, MOM_OPT_TIMEOUT_MS, 300) == 0, "%s", mom_error_text(id));
	netns_drop(i, ways);
	int64_t start = t_now_ms();
	int r = mom_publish(id, "cut", text, strlen(text), 0);
	REQUIRE(r == MOM_ETIMEDOUT && t_now_ms() - start >= 300, "way %d: publish: %s after %lld ms", ways,
	    mom_strerror(r), (long long)(t_now_ms() - start));
	netns_heal(i);
	r = mom_flush(id, 20000);
	REQUIRE(r == 0, "way %d: flush: %s: %s", ways, mom_strerror(r), mom_error_text(id));
	hear(ear, "cut", text);
	hear_nothing(ear);
}

TEST(cut_off, "a machine is cut off, one way, the other, both: publish waits, then MOM_ETIMEDOUT; its message is "
    "stored exactly once when the way is free")
{
	if (!networks(2))
		return;
	for (int i = 1; i <= 2; i++)
		netns_daemon(&machine[i], name_of(i), i, broker.port);
	use_daemon(&machine[1]);
	int id = talk_create();
	use_daemon(&machine[2]);
	int ear = talk_create();
	talk_subscribe(ear, "cut");
	for (int ways = NETNS_UP; ways <= NETNS_BOTH; ways++)
		wait_and_once(1, ways, id, ear);
	bye(id);
	bye(ear);
}

/* ---- half-open connections ---- */

struct pairing { pid_t handler, responser; int64_t handler_ms, responser_ms; };

/* of the machine that connected last */
static struct pairing
pairing_of(struct server *daemon, int older)
{
	struct pairing p = {0};
	WAIT_FOR((p.handler = proc_find(broker.pid, "broker_handler", older)) != 0, "machine %d has no handler",
	    older + 1);
	p.responser = server_child(daemon, "mom_responser");
	return p;
}

static void
look_at(struct pairing *p, int64_t start)
{
	if (!p->handler_ms && !proc_lives(p->handler))
		p->handler_ms = t_now_ms() - start;
	if (!p->responser_ms && !proc_lives(p->responser))
		p->responser_ms = t_now_ms() - start;
}

static int
line_count(struct server *s, const char *words)
{
	int n = 0;
	char *text = t_read_file(s->log);
	for (char *at = text; (at = strstr(at, words)) != NULL; at++)
		n++;
	free(text);
	return n;
}

TEST(half_open, "a connection whose packets vanish is noticed in under 15 s on both sides; a daemon that is back from "
    "another address is refused by name until then")
{
	struct pairing p[5];
	int id[5], all = 0;
	if (!networks(4))
		return;
	for (int i = 1; i <= 4; i++) {
		netns_daemon(&machine[i], name_of(i), i, broker.port);
		use_daemon(&machine[i]);
		id[i] = talk_create();                  /* it is connected */
		p[i] = pairing_of(&machine[i], i - 1);
	}
	int64_t start = t_now_ms();
	for (int i = 1; i <= 3; i++)
		netns_drop(i, i);
	netns_drop(4, NETNS_BOTH);
	server_kill_all(&machine[4]);
	netns_move(4);
	netns_heal(4);
	netns_restart(&machine[4], 4);
	while (!all) {
		REQUIRE(t_now_ms() - start < NOTICED_MS, "not noticed within 15 s: handlers %lld %lld %lld %lld, "
		    "responsers %lld %lld %lld ms",
		    (long long)p[1].handler_ms, (long long)p[2].handler_ms, (long long)p[3].handler_ms,
		    (long long)p[4].handler_ms,
		    (long long)p[1].responser_ms, (long long)p[2].responser_ms, (long long)p[3].responser_ms);
		all = 1;
		for (int i = 1; i <= 4; i++) {
			look_at(&p[i], start);
			all = all && p[i].handler_ms && p[i].responser_ms;
		}
		t_tick();
	}
	REQUIRE(line_count(&machine[4], "refused: this machine is connected already, from 10.77.4.2:") == 1,
	    "%d lines name the older connection",
	    line_count(&machine[4], "refused: this machine is connected already, from 10.77.4.2:"));
	for (int i = 1; i <= 4; i++)
		netns_heal(i);
	for (int i = 1; i <= 3; i++) {
		say(id[i], "after", name_of(i));
		bye(id[i]);
	}
	use_daemon(&machine[4]);
	bye(talk_create());
	t_remark("noticed after %lld %lld %lld %lld ms by the broker, %lld %lld %lld by the daemons",
	    (long long)p[1].handler_ms, (long long)p[2].handler_ms,
	    (long long)p[3].handler_ms, (long long)p[4].handler_ms, (long long)p[1].responser_ms,
	    (long long)p[2].responser_ms, (long long)p[3].responser_ms);
}

/* ---- a slow machine ---- */

TEST(slow_machine, "a machine on a line of 4 KB/s delays no other; once the line is good it has everything too")
{
	enum { COUNT = 20000 };
	struct load *ear[3], *mouth;
	if (!networks(2))
		return;
	for (int i = 1; i <= 2; i++) {
		netns_daemon(&machine[i], name_of(i), i, broker.port);
		ear[i] = subscriber_start(&machine[i], "flow", PAYLOAD_KIB);
	}
	netns_thin(2, NETNS_BOTH, 4096);
	mouth = publisher_start(&machine[1], 1, "flow", COUNT, PAYLOAD_KIB, MOM_FAST | MOM_ASYNC);
	load_finish(mouth);
	load_expect(ear[1], COUNT);
	long late = ear[2]->got;
	REQUIRE(late < COUNT / 4, "the slow machine has %ld of %d: it was not slow", late, COUNT);
	netns_heal(2);
	load_expect(ear[2], COUNT);
	load_finish(ear[1]);
	load_finish(ear[2]);
}

/* ---- the storm ---- */

enum kind { DROP_UP, DROP_DOWN, DROP_BOTH, FLICKER, CABLE, NO_ROUTE_UP, NO_ROUTE_DOWN, RESET_MACHINE, RESET_BROKER,
    THIN, CUT, CUT_IN_UP, CUT_IN_DOWN,
	TRICKLE_UP, TRICKLE_DOWN, HOLD, KINDS, RELAYED = CUT };
static const char *const kind_name[KINDS] = { "drop up", "drop down", "drop both", "flicker", "cable", "no route up",
    "no route down", "reset by machine",
	"reset by broker", "thin", "cut", "cut in a frame up", "cut in a frame down", "trickle up", "trickle down",
	    "hold" };

static void
pass_time(int ms)
{
	int64_t end = t_now_ms() + ms;
	while (t_now_ms() < end)
		t_tick();
}

static void
flicker(int i, int ms)
{
	for (int64_t end = t_now_ms() + ms; t_now_ms() < end;) {
		netns_drop(i, NETNS_BOTH);
		t_tick();
		netns_heal(i);
		t_tick();
		t_tick();
	}
}

static void
blow(enum kind kind, int i, int ms)
{
	int way = kind == CUT_IN_DOWN || kind == TRICKLE_DOWN ? RELAY_DOWN : RELAY_UP;
	switch (kind) {
	case DROP_UP: case DROP_DOWN: case DROP_BOTH: netns_drop(i,
	    kind == DROP_UP ? NETNS_UP : kind == DROP_DOWN ? NETNS_DOWN : NETNS_BOTH); break;
	case FLICKER: flicker(i, ms); break;
	case CABLE: netns_link(i, 0); break;
	case NO_ROUTE_UP: case NO_ROUTE_DOWN: netns_unreachable(i, kind == NO_ROUTE_UP ? NETNS_UP : NETNS_DOWN, 1);
	    break;
	case RESET_MACHINE: case RESET_BROKER: netns_reset(i, kind == RESET_MACHINE ? NETNS_UP : NETNS_DOWN); return;
	case THIN: netns_thin(i, NETNS_BOTH, 20000); break;
	case CUT: relay_cut(relay); return;
	case CUT_IN_UP: case CUT_IN_DOWN: relay_cut_inside(relay, way); return;
	case TRICKLE_UP: case TRICKLE_DOWN: relay->trickle_us[way] = 500; break;
	case HOLD: relay_hold(relay, 1); break;
	case KINDS: break;
	}
	if (kind != FLICKER)
		pass_time(ms);
	switch (kind) {
	case CABLE: netns_link(i, 1); break;
	case NO_ROUTE_UP: case NO_ROUTE_DOWN: netns_unreachable(i, kind == NO_ROUTE_UP ? NETNS_UP : NETNS_DOWN, 0);
	    break;
	case TRICKLE_UP: case TRICKLE_DOWN: relay->trickle_us[way] = 0; break;
	case HOLD: relay_hold(relay, 0); break;
	default: if (kind < RELAYED) netns_heal(i);
	}
}

/* most are short; in a long storm one in 50 lasts until both sides have given the connection up */
static int
lasts(struct t_rng *rng)
{
	uint64_t dice = t_rng_below(rng, 100);
	if (t_is_long() && dice < 2)
		return 12500 + (int)t_rng_below(rng, 3500);
	return dice < 40 ? 5 + (int)t_rng_below(rng, 60) : 100 + (int)t_rng_below(rng, 700);
}

TEST(storm, "faults of every kind on the networks of three machines under load: each message arrives once, in order, "
    "nothing is invented")
{
	enum { FAULTS = 300, FEW = 16 };
	struct load *ear[MACHINES + 1], *mouth[MACHINES + 1];
	struct t_rng rng;
	int faults = t_is_long() ? FAULTS : FEW, with = networks(MACHINES);
	FILE *log = fopen(t_path("storm.log"), "w");
	const char *topics = "net/a,net/b,net/c";
	long sent = 0, connections;

	t_rng_init(&rng, 9);
	relay = relay_start(&broker);
	for (int i = 1; i <= MACHINES; i++) {
		int port = i == MACHINES || !with ? relay->port : broker.port;
		if (with)
			netns_daemon(&machine[i], name_of(i), i, port);
		else
			daemon_start(&machine[i], name_of(i), port);
		ear[i] = subscriber_start(&machine[i], topics, PAYLOAD_MIX);
	}
	for (int i = 1; i <= MACHINES; i++) {
		mouth[i] = load_new(&machine[i], topics, PAYLOAD_MIX);
		mouth[i]->index = (unsigned)i;
		mouth[i]->flags = i == 1 ? 0 : i == 2 ? MOM_FAST : MOM_ASYNC;
		mouth[i]->pause_ms = 2;
		load_start(mouth[i]);
	}
	for (int n = 0; n < faults; n++) {
		/* every kind once, then by the dice */
		enum kind kind = with ? (n < KINDS ? (enum kind)n : (enum kind)t_rng_below(&rng, KINDS))
		    : (enum kind)(RELAYED + t_rng_below(&rng, KINDS - RELAYED));
		int i = kind >= RELAYED ? MACHINES : 1 + (int)t_rng_below(&rng, MACHINES), ms = lasts(&rng);
		fprintf(log, "fault %d: %s of machine %d for %d ms\n  repeat: SEED=%s LONG=%d make test T=net/storm\n",
		    n, kind_name[kind], i, ms,
		    getenv("SEED") ? getenv("SEED") : "1", t_is_long());
		fflush(log);
		for (int k = 1; k <= MACHINES; k++)
			load_moves(mouth[k], 1);
		blow(kind, i, ms);
	}
	fclose(log);
	for (int k = 1; k <= MACHINES; k++) {
		load_moves(mouth[k], 20);
		load_stop(mouth[k]);
	}
	int64_t start = t_now_ms();
	for (int k = 1; k <= MACHINES; k++) {
		load_finish(mouth[k]);
		sent += mouth[k]->sent;
	}
	for (int k = 1; k <= MACHINES; k++)
		load_expect(ear[k], sent);
	int64_t settled = t_now_ms() - start;
	for (int k = 1; k <= MACHINES; k++)
		load_finish(ear[k]);
	connections = line_count(&broker, "connected");
	REQUIRE(connections > MACHINES, "no connection was ever made anew: the storm did not blow");
	t_remark("%d faults, %ld messages to %d subscribers, %ld connections made, all acknowledged and received %lld "
	    "ms after the last", faults, sent,
	    MACHINES, connections, (long long)settled);
}
