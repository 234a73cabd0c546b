/* mom machines - the machines that the brokers here know: connected or away, how far behind
 * READS    db/machines, the check-points, the broker's table and the segments of its connections (only the words in
 *          front) */
#include "tools/mom/cmd_json.h"
#include "tools/mom/cmd_look.h"
#include "tools/mom/cmd_machines.h"
#include "tools/mom/cmd_store.h"
#include "base/clock.h"
#include "ipc/ipcq.h"
#include "look/metrics.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: mom machines [--json] [FOLDER ...]\n"
    "  One machine a line: serial, connected or away, since when (away: at most for so long), address, bytes of the "
    "log that it has not taken yet (all\n"
    "  shards), bytes of deliveries that it has taken on this connection, how many may be on their way.\n"
    "  FOLDER   a broker's run folder or store; without any, those in the usual places\n"
    "  --json   an array of objects: machine, id, state, seconds, address, lag_bytes, taken_bytes, window_bytes, "
    "broker\n"
    "Exit status: 0   1 a broker cannot be looked into, or there is none   2 wrong use\n"
    "Example: mom machines\n";

struct shown {
	const struct look_server *broker;
	const struct store_machine *machine;
	int connected;
	struct connection c;                   /* seconds: connected, or away at most */
};

/* What the connection's own processes say: their title is the address, their start the connection's. */
static void
connection_processes(const struct look_server *s, uint32_t slot, struct connection *c)
{
	struct metrics_process p;
	char command[256];
	if (s->counters == NULL || metrics_process(s, COUNTERS_SENDER(s->counters->shards, slot), &p) < 1 ||
	    process_command(p.pid, command, sizeof command) < 0 ||
	    strncmp(command, "broker_sender ", 14) != 0)
		return;
	snprintf(c->address, sizeof c->address, "%.140s", command + 14);
	c->seconds = clock_wall_us() / 1000000 - process_start(p.pid);
}

int
connection_look(const struct look_server *s, uint32_t slot, struct connection *c)
{
	const struct broker_table *t = s->broker;
	*c = (struct connection){ .seconds = -1 };
	if (t == NULL || slot >= atomic_load(&t->conns) || slot >= t->capacity)
		return -1;
	const struct conn_word *w = &t->conn[slot];
	if (atomic_load(&w->state) != CONN_LIVE)
		return 0;
	int id = atomic_load(&w->unit);
	const struct broker_unit *u = id < 0 || ipcq_bytes(id) < broker_unit_words() ? NULL : ipcq_attach_to_read(id);
	c->machine = w->serial;
	c->window = w->window;
	connection_processes(s, slot, c);
	if (u == NULL)
		return 1;                              /* it ends just now */
	c->lag_known = u->magic == MAGIC_UNIT;
	c->taken = atomic_load(&u->delivery_credit);
	for (uint32_t k = 0; k < t->shards && k < SHARDS_MAX; k++) {
		uint64_t place = atomic_load(&u->place[k]), start = atomic_load(&u->start[k]),
		    head = atomic_load(&t->shard[k].head);
		place = place ? place : start ? start - 1 : head;
		c->lag += store_behind(s->files, k, place, head);
	}
	ipcq_detach(u);
	return 1;
}

/* Away: what the check-point said last. */
static void
take_away(struct shown *m)
{
	const struct broker_table *t = m->broker->broker;
	m->c.seconds = m->machine->away;
	for (uint32_t k = 0; t && k < t->shards && k < SHARDS_MAX; k++) {
		if (m->machine->place[k] == UINT64_MAX)
			continue;
		m->c.lag_known = 1;
		m->c.lag += store_behind(m->broker->files, k, m->machine->place[k], atomic_load(&t->shard[k].head));
	}
}

static void
look_at(struct shown *m)
{
	for (uint32_t i = 0; connection_look(m->broker, i, &m->c) >= 0; i++) {
		m->connected = m->c.machine == m->machine->serial;
		if (m->connected)
			return;
	}
	take_away(m);
}

static void
show_json(const struct shown *m)
{
	json_open(NULL, '{');
	json_number("machine", m->machine->serial);
	json_text("id", m->machine->id);
	json_text("state", m->connected ? "connected" : "away");
	if (m->c.seconds >= 0)
		json_signed("seconds", m->c.seconds);
	else
		json_null("seconds");
	json_text("address", m->c.address[0] ? m->c.address : NULL);
	if (m->c.lag_known)
		json_number("lag_bytes", m->c.lag);
	else
		json_null("lag_bytes");
	json_number("taken_bytes", m->c.taken);
	json_number("window_bytes", m->c.window);
	json_text("broker", m->broker->run);
	json_close('}');
}

static void
show_line(const struct shown *m)
{
	char age[24] = "-", lag[24] = "-", since[32];
	if (m->c.seconds >= 0)
		text_age(age, m->c.seconds);
	snprintf(since, sizeof since, "%s%s", !m->connected && m->c.seconds >= 0 ? "<=" : "", age);
	if (m->c.lag_known)
		snprintf(lag, sizeof lag, "%llu", (unsigned long long)m->c.lag);
	printf("%7u %-9s %6s ", m->machine->serial, m->connected ? "connected" : "away", since);
	text_column(m->c.address[0] ? m->c.address : "-", 24);
	printf(" %12s %14llu %9llu\n", lag, (unsigned long long)m->c.taken, (unsigned long long)m->c.window);
}

static void
show(const struct shown *m, int json)
{
	if (json)
		show_json(m);
	else
		show_line(m);
}

static int
show_broker(const struct look_server *s, int json)
{
	struct store_names names;
	struct store_machine *list = NULL;
	int there, n = store_names(s->files, &names) < 0 ? -1 : names.newer ? 0
	    : store_machines(s->files, names.shards, &list);
	if (n < 0)
		return cmd_fail(&cmd_machines, "%s: %s: %s", s->files, strerror(errno),
		    errno == EACCES ? "run this as the user of the broker, or as root" :
		    "is it a broker's store?");
	for (int i = 0; i < n; i++) {
		struct shown m = { .broker = s, .machine = &list[i] };
		look_at(&m);
		show(&m, json);
	}
	/* it is kept with its first client: until then only the connection tells of it */
	struct shown fresh = { .broker = s, .connected = 1 };
	for (uint32_t i = 0; (there = connection_look(s, i, &fresh.c)) >= 0; i++) {
		struct store_machine m = { .serial = fresh.c.machine, .id = "-" };
		fresh.machine = &m;
		for (int k = 0; k < n && there; k++)
			there = list[k].serial != m.serial;
		if (there)
			show(&fresh, json);
	}
	store_machines_free(list, n);
	return CMD_OK;
}

static int
run(int argc, char **argv)
{
	static const struct option longs[] = { { "json", 0, 0, 'j' }, { "help", 0, 0, 'h' }, { 0 } };
	struct servers s;
	int json = 0, bad;
	for (int o; (o = cmd_option(&cmd_machines, argc, argv, "h", longs)) != -1;)
		json |= o == 'j';
	servers_look(&s, &cmd_machines, cmd_line.word, cmd_line.count, 0);
	bad = servers_none(&s, &cmd_machines, 1, 0) != CMD_OK || s.bad;
	if (json)
		json_open(NULL, '[');
	else
		heading("MACHINE STATE      SINCE ADDRESS                           LAG          TAKEN    WINDOW");
	for (size_t i = 0; i < s.count; i++)
		if (s.server[i].is_broker)
			bad |= show_broker(&s.server[i], json) != CMD_OK;
	if (json)
		json_close(']');
	servers_free(&s);
	return bad ? CMD_FAILED : CMD_OK;
}

const struct cmd cmd_machines = { "machines", "machines that the brokers here know: connected or away, how far behind",
    usage, run };
