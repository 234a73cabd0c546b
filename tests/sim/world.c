/* world - one run: which machines, programs and clients there are, what goes wrong when, and what must hold at the end
 *
 * Machine 0 has the broker, the others a daemon and clients. First trouble: the generator kills, cuts and breaks while
 * publishers and subscribers work. Then it stops, all that ended is started again, and within two simulated minutes
 * everything must be acknowledged and received. Then all is stopped as a person would, and nothing may be left. */
#include "client.h"
#include "sim.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE = 150 * SECOND, STOP_PATIENCE = 30 * SECOND, STARTS_MOST = 600 };
enum phase { BEGIN, TROUBLE, CALM, END_CLIENTS, END_DAEMONS, END_BROKER, OVER };
static const char *const phase_names[] = { "begin", "trouble", "calm", "end of the clients", "end of the daemons",
    "end of the broker", "over" };
enum { KILLS = 1, ALL_KILLS = 2, BREAKS = 4, CUTS = 8, POWER = 16, CLOCKS = 32, FULL = 64, STOPS = 128, KINDS = 8 };

static struct {
	enum phase phase;
	unsigned group_kind;
	int machines, clients, starts, faults;
	int64_t until, trouble_until;
	struct client client[CLIENTS];
	char broker[160], daemon[MACHINES][160];
	unsigned was_full;                        /* machines whose disk was */
	int kills, breaks, cuts, powers, jumps, full, stops;
} *w;


struct client *world_client(int index) { return index < w->clients ? &w->client[index] : NULL; }
int world_is_over(void) { return w->phase >= END_CLIENTS; }
int world_disk_was_full(int machine) { return w->was_full >> machine & 1; }
uint64_t world_random(uint64_t below) { return sim_below(below); }

/* ---- starting ---- */

static struct proc *
role_of(int machine, const char *role)
{
	for (int i = 0; i < PROCS; i++)
		if (S.procs[i].state != PROC_FREE && S.procs[i].machine == machine &&
		    strcmp(S.procs[i].role, role) == 0)
			return &S.procs[i];
	return NULL;
}

static void
start_server(void *with)
{
	int machine = (int)(intptr_t)with;
	if (!S.machines[machine].up || w->phase >= (machine ? END_DAEMONS : END_BROKER) ||
	    role_of(machine, machine ? "mom_daemon" : "broker_server"))
		return;
	if (++w->starts > STARTS_MOST)
		sim_fault("more than %d starts of processes", STARTS_MOST);
	process_start(machine, machine ? "mom_daemon" : "broker_server", machine ? w->daemon[machine] : w->broker, "");
}

static void
start_client(void *with)
{
	int index = (int)(intptr_t)with;
	struct client *c = &w->client[index];
	char argument[16];
	if (!S.machines[c->machine].up || c->done || c->pid || w->phase >= END_CLIENTS)
		return;
	if (++w->starts > STARTS_MOST)
		sim_fault("more than %d starts of processes", STARTS_MOST);
	snprintf(argument, sizeof argument, "%d", index);
	struct proc *p = process_start(c->machine, "client", argument, "MOM_RUN=/run");
	c->pid = p ? p->pid : 0;
}

static int64_t
soon(void)
{
	return S.now + MS + (int64_t)sim_below(sim_chance(4) ? 3 * SECOND : 100 * MS);
}

static void
start_machine(int machine)
{
	sim_at(soon(), start_server, (void *)(intptr_t)machine);
	for (int k = 0; k < w->clients; k++)
		if (w->client[k].machine == machine)
			sim_at(soon(), start_client, (void *)(intptr_t)k);
}

void
world_died(struct proc *p)
{
	int clean = p->status == 0;
	if (p->parent)
		return;
	for (int k = 0; k < w->clients; k++)
		if (w->client[k].pid == p->pid && w->client[k].machine == p->machine) {
			w->client[k].pid = 0;
			w->client[k].ready = 0;
			if (!clean && p->status != SIGKILL)
				sim_fault("a client ended with status %x", p->status);
			sim_at(soon(), start_client, (void *)(intptr_t)k);
			return;
		}
	if (strcmp(p->role, "mom_daemon") != 0 && strcmp(p->role, "broker_server") != 0)
		return;
	if (w->phase >= END_DAEMONS && !clean)
		sim_fault("%s ended with status %x", p->role, p->status);
	sim_at(soon(), start_server, (void *)(intptr_t)p->machine);
}

void
world_log(struct proc *p, const char *line, size_t n)
{
	char text[400];
	snprintf(text, sizeof text, "%.*s", (int)(n ? n - 1 : 0), line);
	sim_note("%s", text);
	(void)p;
}

/* ---- what goes wrong ---- */

static struct proc *
some_process(void)
{
	struct proc *live[PROCS];
	size_t n = 0;
	for (int i = 0; i < PROCS; i++)
		if (S.procs[i].state == PROC_READY || S.procs[i].state == PROC_ASLEEP)
			live[n++] = &S.procs[i];
	return n ? live[sim_below(n)] : NULL;
}

static void
kill_one(void)
{
	struct proc *p = some_process();
	if (p == NULL)
		return;
	w->kills++;
	switch (sim_below(3)) {
	case 0:
		sim_note("kill -9 %s[%d]", p->role, p->pid);
		process_kill(p, SIGKILL);
		break;
	case 1:
		p->doom_calls = 1 + (int64_t)sim_below(60);
		break;
	default:
		p->doom_blocks = 1 + (int64_t)sim_below(20000);
		break;
	}
}

static void
terminate(int machine, const char *role)
{
	struct proc *p = role_of(machine, role);
	if (p)
		process_kill(p, SIGTERM);
}

static void
kill_machine(int machine)
{
	for (int i = 0; i < PROCS; i++) {
		struct proc *p = &S.procs[i];
		if (p->state == PROC_FREE || p->machine != machine)
			continue;
		if (p->state == PROC_ZOMBIE)
			p->state = PROC_FREE;
		else
			process_kill(p, SIGKILL);
	}
}

static void
machine_boots(void *with)
{
	int machine = (int)(intptr_t)with;
	struct machine *m = &S.machines[machine];
	m->up = 1;
	m->boots++;
	m->booted = S.now;
	m->boot_id = sim_random();
	socket_boot(machine);
	sim_note("%s is up", m->name);
	start_machine(machine);
}

static void
power_cut(int machine)
{
	struct machine *m = &S.machines[machine];
	if (!m->up)
		return;
	sim_note("%s loses its power", m->name);
	w->powers++;
	m->up = 0;
	socket_power_cut(machine);
	judge_power_cut(machine);
	kill_machine(machine);
	sysv_power_cut(machine);
	disk_crash(machine);
	sim_at(S.now + 100 * MS + (int64_t)sim_below(5 * SECOND), machine_boots, (void *)(intptr_t)machine);
}

static void
heal(void *with)
{
	int machine = (int)(intptr_t)with;
	if (S.machines[machine].cut) {
		sim_note("%s is on the net again", S.machines[machine].name);
		socket_cut(machine, 0);
	}
}

static void
room_again(void *with)
{
	S.machines[(int)(intptr_t)with].disk_room = UINT64_C(1) << 40;
}

static void
something_wrong(void)
{
	int machine = (int)sim_below((uint64_t)w->machines), kind = 1 << sim_below(KINDS);
	struct machine *m = &S.machines[machine];
	switch (kind & w->faults) {
	case KILLS:
		kill_one();
		break;
	case ALL_KILLS:
		sim_note("kill -9 of everything on %s", m->name);
		w->kills++;
		kill_machine(machine);
		break;
	case BREAKS:
		w->breaks++;
		socket_break();
		break;
	case CUTS:
		sim_note("%s is cut off", m->name);
		w->cuts++;
		socket_cut(machine, 1);
		sim_at(S.now + (int64_t)sim_below(sim_chance(3) ? 20 * SECOND : SECOND), heal,
		    (void *)(intptr_t)machine);
		break;
	case POWER:
		power_cut(machine);
		break;
	case STOPS:
		w->stops += role_of(machine, machine ? "mom_daemon" : "broker_server") != NULL;
		terminate(machine, machine ? "mom_daemon" : "broker_server");
		if (machine)
			judge_forgets(machine);
		break;
	case CLOCKS:
		w->jumps++;
		m->wall += (int64_t)sim_below(2000 * SECOND) - 1000 * SECOND;
		break;
	case FULL:
		sim_note("the disk of %s is full", m->name);
		w->full++;
		w->was_full |= 1u << (m - S.machines);
		m->disk_room = m->disk_used + sim_below(3) * sim_below(1 << 20);
		sim_at(S.now + (int64_t)sim_below(4 * SECOND), room_again, (void *)(intptr_t)machine);
		break;
	}
}

static void
trouble(void *with)
{
	(void)with;
	if (w->phase != TROUBLE)
		return;
	something_wrong();
	sim_at(S.now + (int64_t)sim_below(sim_chance(3) ? 20 * MS : 1500 * MS), trouble, NULL);
}

/* ---- the course of a run ---- */

static int
all_clients(int (*is)(const struct client *))
{
	for (int k = 0; k < w->clients; k++)
		if (!is(&w->client[k]))
			return 0;
	return 1;
}

static int is_ready(const struct client *c) { return !c->subscriber || c->ready; }
static int is_done(const struct client *c) { return c->subscriber || c->done; }
static int is_gone(const struct client *c) { return c->pid == 0; }

static int
servers_gone(int from, int to)
{
	for (int i = 0; i < PROCS; i++)
		if (S.procs[i].state != PROC_FREE && S.procs[i].machine >= from && S.procs[i].machine <= to)
			return 0;
	return 1;
}

/* each server runs, and has had a second to take up what its predecessor left */
static int
servers_run(void)
{
	for (int m = 0; m < w->machines; m++) {
		struct proc *p = role_of(m, m ? "mom_daemon" : "broker_server");
		if (p == NULL || S.now / 10000 - p->started < 100)
			return 0;
	}
	return 1;
}

static void
next_phase(enum phase phase, int64_t patience)
{
	w->phase = phase;
	w->until = S.now + patience;
	sim_note("---- %s", phase_names[phase]);
}

static const char *
what_waits(void)
{
	for (int k = 0; k < w->clients; k++)
		if (!is_done(&w->client[k]))
			return sim_text("publisher %d has begun %d of %d", k, w->client[k].begun, w->client[k].count);
	return judge_is_settled() ? "" : judge_missing();
}

static void
left_behind(void)
{
	for (int m = 0; m < w->machines; m++) {
		if (sysv_count(m))
			sim_fault("%d System V objects are left on %s", sysv_count(m), S.machines[m].name);
	}
}

static void
calm_down(void)
{
	for (int m = 0; m < w->machines; m++) {
		heal((void *)(intptr_t)m);
		room_again((void *)(intptr_t)m);
	}
	for (int i = 0; i < PROCS; i++)
		S.procs[i].doom_calls = S.procs[i].doom_blocks = 0;
	next_phase(CALM, PATIENCE);
}

static void
look(void *with)
{
	(void)with;
	switch (w->phase) {
	case BEGIN:
		if (all_clients(is_ready)) {
			for (int k = 0; k < w->clients; k++)
				if (!w->client[k].subscriber)
					sim_at(soon(), start_client, (void *)(intptr_t)k);
			next_phase(TROUBLE, PATIENCE);
			sim_at(S.now, trouble, NULL);
		}
		break;
	case TROUBLE:
		if (S.now > w->trouble_until)
			calm_down();
		break;
	case CALM:
		if (servers_run() && all_clients(is_ready) && all_clients(is_done) && judge_is_settled())
			next_phase(END_CLIENTS, STOP_PATIENCE);
		break;
	case END_CLIENTS:
		if (all_clients(is_gone)) {
			next_phase(END_DAEMONS, STOP_PATIENCE);
			for (int m = 1; m < w->machines; m++)
				terminate(m, "mom_daemon");
		}
		break;
	case END_DAEMONS:
		if (servers_gone(1, MACHINES)) {
			next_phase(END_BROKER, STOP_PATIENCE);
			terminate(0, "broker_server");
		}
		break;
	case END_BROKER:
		if (servers_gone(0, MACHINES)) {
			left_behind();
			w->phase = OVER;
			S.ended = 1;
		}
		break;
	default:
		break;
	}
	if (S.now > w->until)
		sim_fault("%s: not done in time: %s", phase_names[w->phase], what_waits());
	sim_at(S.now + 20 * MS, look, NULL);
}

/* ---- choosing ---- */

static void
choose_client(struct client *c, int subscriber, int machine)
{
	static const unsigned flags[] = { 0, MOM_ASYNC, MOM_FAST, MOM_FAST | MOM_ASYNC };
	c->subscriber = subscriber;
	c->machine = machine;
	c->topics = 1 + (int)sim_below((1 << TOPICS) - 1);
	c->pause_us = sim_chance(2) ? 0 : (int)sim_below(subscriber ? 50 * MS : 400 * MS);
	c->flags = sim_chance(2) ? 0 : flags[sim_below(4)];
	c->count = 1 + (int)sim_below(sim_chance(4) ? 200 : 30);
	c->largest = sim_chance(16) ? PAYLOAD_MOST : sim_chance(4) ? 20000 : 200;
	if (c->largest > 20000 && c->count > 12)
		c->count = 12;
	if (sim_chance(2))
		snprintf(c->name, sizeof c->name, "%s-%d", subscriber ? "reader" : "writer", (int)(c - w->client));
	if (subscriber && sim_chance(2))
		c->asks = (enum asks)sim_below(ASKS);
	if (c->asks == ASKS_ALL)
		c->topics = (1 << TOPICS) - 1;
	c->worker = subscriber && sim_chance(3);
	c->kind = w->group_kind;
	c->prefetch = sim_chance(2) ? 1 : 1 + (int)sim_below(20);
	c->rare = 8 + (int)sim_below(30);
}

void
world_begin(void)
{
	static const int means[] = { 0, 300, 3000, 30000 }, switches[] = { 1, 2, 6, 30 };
	w = sim_alloc(sizeof *w);
	judge_begin();
	socket_reset();
	w->machines = 2 + sim_chance(3) + sim_chance(8);
	for (int m = 0; m < w->machines; m++) {
		S.machines[m] = (struct machine){ .name = m == 0 ? "the broker's machine" : sim_text("machine %d", m),
		    .boot_id = sim_random() };
		disk_init(m);
	}
	S.switch_one_in = switches[sim_below(4)];
	S.block_mean = means[sim_below(4)];
	int workers = sim_chance(4) ? 2 + sim_chance(3) : 1;
	snprintf(w->broker, sizeof w->broker, "10.0.0.1 8080 --insecure --db /db --run /run --workers %d", workers);
	disk_make(0, "/db");
	disk_make(0, "/run");
	for (int m = 1; m < w->machines; m++) {
		snprintf(w->daemon[m], sizeof w->daemon[m], "10.0.0.1 8080 --run /run --spool /spool");
		disk_make(m, "/run");
		disk_make(m, "/spool");
	}
	static const unsigned kinds[] = { 0, 0, MOM_GROUP_ORDERED, MOM_GROUP_EXCLUSIVE };
	w->group_kind = kinds[sim_below(4)];
	int subscribers = 1 + (int)sim_below(sim_chance(8) ? 4 : 3),
	    publishers = 1 + (int)sim_below(sim_chance(8) ? 4 : 3);
	w->clients = subscribers + publishers;
	for (int k = 0; k < w->clients; k++)
		choose_client(&w->client[k], k < subscribers, 1 + (int)sim_below((uint64_t)w->machines - 1));
	w->faults = sim_chance(8) ? 0 : (int)sim_below(1 << KINDS);
	const char *only = getenv("SIM_FAULTS");
	if (only)
		w->faults &= atoi(only);
	w->trouble_until = SECOND + (int64_t)sim_below(15 * SECOND);
	next_phase(BEGIN, PATIENCE);
	for (int m = 0; m < w->machines; m++) {
		S.machines[m].up = 1;
		sim_at(soon(), start_server, (void *)(intptr_t)m);
	}
	for (int k = 0; k < subscribers; k++)
		sim_at(soon(), start_client, (void *)(intptr_t)k);
	sim_at(S.now + 20 * MS, look, NULL);
}

void
world_finish(struct counts *c)
{
	c->published += judge_published();
	c->received += judge_received();
	c->kills += w->kills;
	c->breaks += w->breaks;
	c->cuts += w->cuts;
	c->powers += w->powers;
	c->jumps += w->jumps;
	c->full += w->full;
	c->stops += w->stops;
	c->calls += S.calls;
	c->simulated += S.now;
}
