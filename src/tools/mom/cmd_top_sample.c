/* cmd_top_sample - see cmd_top.h */
#include "tools/mom/cmd_top.h"
#include "look/look_machines.h"
#include "base/clock.h"
#include "ipc/ipcq.h"
#include "base/map.h"
#include "look/look_processes.h"
#include "format/topic.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>

static struct top_row *
row_add(struct top_sample *s, enum top_section section, const struct look_server *server, const char *kind,
    uint64_t number, const char *name)
{
	if (s->count == s->room) {
		struct top_row *grown = realloc(s->row, (s->room = s->room * 2 + 64) * sizeof *grown);
		if (grown == NULL)
			exit(cmd_fail(s->of, "no memory for %zu rows", s->room));
		s->row = grown;
	}
	struct top_row *r = &s->row[s->count++];
	*r = (struct top_row){ .section = section, .sync_ms = -1 };
	snprintf(r->name, sizeof r->name, "%s", name);
	r->key = map_hash(server->run, strlen(server->run)) * 31 + map_hash(kind, strlen(kind)) * 7 + map_hash(name,
	    strlen(name)) + number * UINT64_C(0x9e3779b97f4a7c15);
	return r;
}

static uint64_t
queue_depth(int id)
{
	struct msqid_ds q;
	return id >= 0 && msgctl(id, IPC_STAT, &q) == 0 ? q.msg_qnum : 0;
}

static int
queue_of(const struct look_server *s, const struct look_process *p)
{
	if (s->broker && p->role == ROLE_WORKER && p->shard < SHARDS_MAX)
		return atomic_load(&s->broker->shard[p->shard].queue);
	if (s->broker && p->role == ROLE_SENDER && (uint32_t)p->slot < s->broker->capacity)
		return atomic_load(&s->broker->conn[p->slot].queue);
	if (s->machine && p->role == ROLE_REQUESTER)
		return atomic_load(&s->machine->request_queue);
	return s->machine && p->role == ROLE_FORWARDER ? atomic_load(&s->machine->deliver_queue) : -1;
}

static void
take_processes(struct top_sample *s, const struct look_server *server)
{
	struct look_process p;
	char name[80];
	for (uint32_t page = 0; look_process(server, page, &p) >= 0; page++) {
		if (p.role == ROLE_NONE || p.role >= COUNTER_ROLES || !process_runs(p.pid))
			continue;
		look_process_name(&p, name, sizeof name);
		struct top_row *r = row_add(s, TOP_PROCESSES, server, "process", page, name);
		snprintf(r->who, sizeof r->who, "%d", (int)p.pid);
		r->count[0] = flow_of(p.counters, FLOW_IN);
		r->count[1] = flow_of(p.counters, FLOW_OUT);
		r->count[2] = flow_of(p.counters, FLOW_BYTES_IN) + flow_of(p.counters, FLOW_BYTES_OUT);
		r->count[3] = counters_get(p.counters, COUNT_SYNCS);
		r->gauge[0] = queue_depth(queue_of(server, &p));
		r->gauge[1] = counters_get(p.counters, COUNT_DEATHS);
		for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
			r->sync[i] = atomic_load_explicit(&p.counters->histogram[HISTOGRAM_SYNC_US].count[i],
			    memory_order_relaxed);
	}
}

static void
take_topics(struct top_sample *s, const struct look_server *server)
{
	struct busy_topic t;
	for (uint32_t shard = 0; server->counters && shard < server->counters->shards; shard++)
		for (uint32_t i = 0; i < BUSY_ROWS; i++) {
			if (!counters_topic(counters_busy(server->counters, shard), i, &t) ||
			    topic_fault(t.name, strlen(t.name)))
				continue;
			struct top_row *r = row_add(s, TOP_TOPICS, server, "topic", 0, t.name);
			r->count[0] = t.messages;
			r->count[1] = t.bytes;
		}
}

static void
take_machines(struct top_sample *s, const struct look_server *server)
{
	struct look_machine *list = NULL;
	char name[100];
	int n = server->is_broker ? look_machines(server, &list) : 0;
	for (int i = 0; i < n; i++) {
		const struct look_machine *m = &list[i];
		snprintf(name, sizeof name, "%u %s", m->serial, m->host);
		struct top_row *r = row_add(s, TOP_MACHINES, server, "machine", m->serial, name);
		snprintf(r->who, sizeof r->who, "%.60s", m->connected ? m->address : "away");
		r->count[0] = m->taken;
		r->gauge[0] = m->lag;
	}
	free(list);
}

/* Its own words: shown, nothing more. The highest of the shards counts for the log, as ids of its requests do for
 * each. */
static void
take_words(struct top_row *r, int segment)
{
	const struct client_segment *c = segment < 0 ? NULL : ipcq_attach_to_read(segment);
	for (uint32_t k = 0; c && ipcq_bytes(segment) >= client_words() && k < SHARDS_MAX &&
	    k < atomic_load(&c->shards); k++) {
		r->count[0] += atomic_load(&c->next[k]) & NUMBER_COUNTER;
		r->count[1] += offset_position(atomic_load(&c->handed[k]));
	}
	ipcq_detach(c);
}

static void
take_clients(struct top_sample *s, const struct look_server *server)
{
	struct look_client c;
	char name[MOM_NAME_MAX + 40];
	int there;
	for (uint32_t i = 0; server->machine && (there = look_client(server, i, &c)) >= 0; i++) {
		if (there == 0)
			continue;
		snprintf(name, sizeof name, "%016llx %s", (unsigned long long)c.id, c.name[0] ? c.name : "-");
		struct top_row *r = row_add(s, TOP_CLIENTS, server, "client", c.id, name);
		if (c.state == SLOT_LIVE)
			snprintf(r->who, sizeof r->who, "%d %s", (int)c.pid, user_name(c.uid));
		else
			snprintf(r->who, sizeof r->who, "%s", c.state == SLOT_AWAY ? "away" : "dying");
		r->gauge[0] = c.waiting;
		r->gauge[1] = c.request_bytes;
		r->gauge[2] = look_oldest(&c);
		take_words(r, atomic_load(&server->machine->slot[i].segment));
	}
}

void
top_take(const struct cmd *c, struct top_sample *s, char **folders, int n)
{
	struct servers servers;
	*s = (struct top_sample){ .of = c, .at_us = clock_us() };
	servers_look(&servers, c, folders, n, 1);
	s->servers = servers.count;
	s->bad = servers.bad;
	for (size_t i = 0; i < servers.count; i++) {
		take_processes(s, &servers.server[i]);
		take_topics(s, &servers.server[i]);
		take_machines(s, &servers.server[i]);
		take_clients(s, &servers.server[i]);
	}
	servers_free(&servers);
}

void
top_free(struct top_sample *s)
{
	free(s->row);
	*s = (struct top_sample){ .count = 0 };
}

/* ---- two of them ---- */

static int
by_key(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;
	return x->section != y->section ? (x->section < y->section ? -1 : 1) : x->key != y->key
	    ? (x->key < y->key ? -1 : 1) : 0;
}

static int
by_rate(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;
	if (x->section != y->section)
		return x->section < y->section ? -1 : 1;
	double rx = x->rate[0] + x->rate[1], ry = y->rate[0] + y->rate[1];
	if (x->section == TOP_CLIENTS) {               /* who lets mail wait is of interest, too */
		rx += (double)x->gauge[0] + (double)x->gauge[1];
		ry += (double)y->gauge[0] + (double)y->gauge[1];
	}
	return rx != ry ? (rx > ry ? -1 : 1) : strcmp(x->name, y->name);
}

static void
compare_syncs(struct top_row *r, const struct top_row *old)
{
	struct histogram h;
	uint64_t all = 0;
	memset(&h, 0, sizeof h);
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t n = r->sync[i] > old->sync[i] ? r->sync[i] - old->sync[i] : 0;
		atomic_store(&h.count[i], n);
		all += n;
	}
	if (all)
		r->sync_ms = (double)counters_quantile(&h, 0.99) / 1000;
}

void
top_compare(struct top_sample *now, const struct top_sample *before)
{
	double seconds = (double)(now->at_us - before->at_us) / 1e6;
	if (before->count)
		qsort(before->row, before->count, sizeof *before->row, by_key);
	for (size_t i = 0; i < now->count; i++) {
		struct top_row *r = &now->row[i], *old = before->count
		    ? bsearch(r, before->row, before->count, sizeof *r, by_key) : NULL;
		struct top_row fresh = { .count = { 0 } };       /* a topic that was not there has begun since, at 0 */
		old = old || r->section != TOP_TOPICS ? old : &fresh;
		for (size_t k = 0; old && k < TOP_COUNTS; k++)
			r->rate[k] = flow_rate(r->count[k], old->count[k], seconds);
		if (old)
			compare_syncs(r, old);
	}
	if (now->count)
		qsort(now->row, now->count, sizeof *now->row, by_rate);
}
