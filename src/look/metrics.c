/* metrics - see metrics.h. A metric's samples stand together under its HELP and TYPE, so the loops go by metric, then
 * by server. */
#include "look/metrics.h"
#include "look/look_groups.h"
#include "look/look_machines.h"
#include "look/look_processes.h"
#include "format/topic.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A label's value: quotes and backslashes escaped; bytes that a page should not have as %XX, so that two folders never
 * become one. */
static void
put_label(FILE *f, const char *name, const char *value)
{
	fprintf(f, "%s=\"", name);
	for (const unsigned char *p = (const unsigned char *)value; *p; p++) {
		if (*p == '"' || *p == '\\')
			fprintf(f, "\\%c", *p);
		else if (*p < 0x20 || *p >= 0x7f)
			fprintf(f, "%%%02X", *p);
		else
			fputc(*p, f);
	}
	fputc('"', f);
}

static void
put_process(FILE *f, const struct look_server *s, const struct look_process *p)
{
	fprintf(f, "role=\"%s\",", counters_role_name(p->role));
	put_label(f, "server", s->run);
	if (p->shard >= 0)
		fprintf(f, ",shard=\"%d\"", p->shard);
	if (p->slot >= 0)
		fprintf(f, ",machine=\"%" PRIu32 "\",slot=\"%d\"", p->machine, p->slot);
}

static void
put_head(FILE *f, const char *name, const char *help, const char *type)
{
	fprintf(f, "# HELP mom_%s %s\n# TYPE mom_%s %s\n", name, help, name, type);
}

static void
put_counter(FILE *f, const struct look_server *servers, size_t count, enum counter which)
{
	struct look_process p;
	put_head(f, counters_names[which].name, counters_names[which].help, "counter");
	for (size_t i = 0; i < count; i++)
		for (uint32_t page = 0; look_process(&servers[i], page, &p) >= 0; page++) {
			if (p.role == ROLE_NONE || p.role >= COUNTER_ROLES)
				continue;
			fprintf(f, "mom_%s{", counters_names[which].name);
			put_process(f, &servers[i], &p);
			fprintf(f, "} %" PRIu64 "\n", counters_get(p.counters, which));
		}
}

/* Bucket i holds whole numbers below 2^i: those up to 2^i - 1. +Inf and _count are the sum of what was read, so that
 * the page agrees with itself. */
static void
put_histogram(FILE *f, const struct look_server *s, const struct look_process *p, enum counter_histogram which)
{
	const struct histogram *h = &p->counters->histogram[which];
	const char *name = counters_histogram_names[which].name;
	uint64_t below = 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		below += atomic_load_explicit(&h->count[i], memory_order_relaxed);
		fprintf(f, "mom_%s_bucket{", name);
		put_process(f, s, p);
		if (i == HISTOGRAM_BUCKETS - 1)
			fprintf(f, ",le=\"+Inf\"} %" PRIu64 "\n", below);
		else
			fprintf(f, ",le=\"%" PRIu64 "\"} %" PRIu64 "\n", (UINT64_C(1) << i) - 1, below);
	}
	fprintf(f, "mom_%s_sum{", name);
	put_process(f, s, p);
	fprintf(f, "} %" PRIu64 "\nmom_%s_count{", atomic_load_explicit(&h->sum, memory_order_relaxed), name);
	put_process(f, s, p);
	fprintf(f, "} %" PRIu64 "\n", below);
}

/* Only of those that observe something: most roles never sync. */
static int
has_observed(const struct histogram *h)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		if (atomic_load_explicit(&h->count[i], memory_order_relaxed))
			return 1;
	return 0;
}

static void
put_histograms(FILE *f, const struct look_server *servers, size_t count, enum counter_histogram which)
{
	struct look_process p;
	put_head(f, counters_histogram_names[which].name, counters_histogram_names[which].help, "histogram");
	for (size_t i = 0; i < count; i++)
		for (uint32_t page = 0; look_process(&servers[i], page, &p) >= 0; page++)
			if (p.role != ROLE_NONE && p.role < COUNTER_ROLES &&
			    has_observed(&p.counters->histogram[which]))
				put_histogram(f, &servers[i], &p, which);
}

/* What is no topic is not shown: then the name needs no escapes but those of a label. */
static void
put_topics(FILE *f, const struct look_server *servers, size_t count, const char *name, const char *help, int bytes)
{
	struct busy_topic t;
	put_head(f, name, help, "counter");
	for (size_t i = 0; i < count; i++)
		for (uint32_t shard = 0; servers[i].counters && shard < servers[i].counters->shards; shard++)
			for (uint32_t k = 0; k < BUSY_ROWS; k++) {
				if (!counters_topic(counters_busy(servers[i].counters, shard), k, &t) ||
				    topic_fault(t.name, strlen(t.name)))
					continue;
				fprintf(f, "mom_%s{", name);
				put_label(f, "server", servers[i].run);
				fprintf(f, ",shard=\"%" PRIu32 "\",topic=\"", shard);
				for (const char *p = t.name; *p; p++)
					fprintf(f, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
				fprintf(f, "\"} %" PRIu64 "\n", bytes ? t.bytes : t.messages);
			}
}

static void
put_gauge(FILE *f, const struct look_server *servers, size_t count, const char *name, const char *help,
    int64_t (*value)(const struct look_server *))
{
	put_head(f, name, help, "gauge");
	for (size_t i = 0; i < count; i++) {
		int64_t v = value(&servers[i]);
		if (v < 0)
			continue;
		fprintf(f, "mom_%s{role=\"%s\",", name, servers[i].is_broker ? "broker_server" : "mom_daemon");
		put_label(f, "server", servers[i].run);
		fprintf(f, "} %" PRId64 "\n", v);
	}
}

static int64_t
is_up(const struct look_server *s)
{
	return s->pid > 0;
}

static int64_t
machines_connected(const struct look_server *s)
{
	int64_t n = 0;
	for (uint32_t i = 0; s->broker && i < atomic_load(&s->broker->conns) && i < s->broker->capacity; i++)
		n += atomic_load(&s->broker->conn[i].state) == CONN_LIVE;
	return s->broker ? n : -1;
}

static int64_t
clients_living(const struct look_server *s)
{
	int64_t n = 0;
	for (uint32_t i = 0; s->machine && i < atomic_load(&s->machine->slots) && i < s->machine->capacity; i++)
		n += atomic_load(&s->machine->slot[i].state) == SLOT_LIVE;
	return s->machine ? n : -1;
}

/* ---- the machines of brokers, also those that are away ---- */

static void
put_machine(FILE *f, const struct look_server *s, const struct look_machine *m, const char *name, uint64_t value)
{
	fprintf(f, "mom_%s{", name);
	put_label(f, "server", s->run);
	fprintf(f, ",machine=\"%" PRIu32 "\",", m->serial);
	put_label(f, "host", m->host);
	fprintf(f, "} %" PRIu64 "\n", value);
}

static void
put_machines(FILE *f, const struct look_server *servers, size_t count)
{
	static const char connected[] = "machine_connected", lag[] = "machine_lag_bytes";
	char *text = NULL;
	size_t n = 0;
	FILE *lags = open_memstream(&text, &n);
	put_head(f, connected, "1 where the machine is connected", "gauge");
	for (size_t i = 0; i < count; i++) {
		struct look_machine *list = NULL;
		int machines = servers[i].broker ? look_machines(&servers[i], &list) : 0;
		for (int k = 0; k < machines; k++) {
			put_machine(f, &servers[i], &list[k], connected, (uint64_t)list[k].connected);
			if (lags && list[k].lag_known)
				put_machine(lags, &servers[i], &list[k], lag, list[k].lag);
		}
		free(list);
	}
	put_head(f, lag, "bytes of the log that are not on the machine's disk yet", "gauge");
	if (lags && fclose(lags) == 0)
		fputs(text, f);
	free(text);
}

/* ---- what waits for clients: for the durable ones, and for all for whom something does ---- */

static const struct { const char *name, *help; } waits[] = {
	{ "client_waiting_messages", "messages that the client has not acknowledged" },
	{ "client_waiting_bytes", "bytes that these take in its mail box and in the spool" },
	{ "client_oldest_seconds", "how long the oldest of them waits" },
};
enum { WAITS = sizeof waits / sizeof *waits };

static uint64_t
wait_of(const struct look_client *c, unsigned which)
{
	return which == 0 ? c->waiting : which == 1 ? c->waiting_bytes : look_oldest(c);
}

static void
put_wait(FILE *f, const struct look_server *s, const struct look_client *c, unsigned which)
{
	fprintf(f, "mom_%s{", waits[which].name);
	put_label(f, "server", s->run);
	fprintf(f, ",client=\"%016" PRIx64 "\",", c->id);
	put_label(f, "name", c->name);
	fprintf(f, "} %" PRIu64 "\n", wait_of(c, which));
}

static void
put_waits(FILE *f, const struct look_server *servers, size_t count)
{
	struct look_client c;
	char *text[WAITS] = { NULL };
	size_t n[WAITS];
	FILE *out[WAITS];
	for (unsigned k = 0; k < WAITS; k++)           /* one look at each client, since that reads its mail box */
		out[k] = open_memstream(&text[k], &n[k]);
	for (size_t i = 0; i < count; i++)
		for (uint32_t slot = 0; look_client(&servers[i], slot, &c) >= 0; slot++)
			for (unsigned k = 0; k < WAITS && c.state != SLOT_FREE && (c.durable || c.waiting); k++)
				if (out[k])
					put_wait(out[k], &servers[i], &c, k);
	for (unsigned k = 0; k < WAITS; k++) {
		int made = out[k] && fclose(out[k]) == 0;
		put_head(f, waits[k].name, waits[k].help, "gauge");
		if (made)
			fwrite(text[k], 1, n[k], f);
		free(text[k]);
	}
}

/* ---- groups of brokers ---- */

static const struct { const char *name, *help; } of_groups[] = {
	{ "group_members", "members of the group" },
	{ "group_waiting_messages", "messages of the group that no member has had yet" },
	{ "group_waiting_bytes", "bytes of these" },
	{ "group_oldest_seconds", "how long the oldest of them waits" },
	{ "group_out", "messages that are with a member and not settled" },
	{ "group_back", "messages that came back and wait for another member" },
	{ "group_dead", "messages that were tried too often or refused for good" },
};
enum { OF_GROUPS = sizeof of_groups / sizeof *of_groups };

static uint64_t
group_value(const struct look_group *g, unsigned which)
{
	const uint64_t values[OF_GROUPS] = { g->members, g->waiting, g->bytes,
	    g->oldest_us ? (uint64_t)look_group_oldest(g) : 0, g->out, g->back, g->dead };
	return values[which];
}

static void
put_groups(FILE *f, const struct look_server *servers, size_t count)
{
	struct look_group *groups;
	size_t n;
	for (unsigned which = 0; which < OF_GROUPS; which++) {
		put_head(f, of_groups[which].name, of_groups[which].help, "gauge");
		for (size_t i = 0; i < count; i++) {
			if (servers[i].broker == NULL ||
			    look_groups(servers[i].files, servers[i].broker->shards, &groups, &n) < 0)
				continue;
			for (size_t k = 0; k < n; k++) {
				fprintf(f, "mom_%s{", of_groups[which].name);
				put_label(f, "server", servers[i].run);
				fprintf(f, ",group=\"%s\"} %" PRIu64 "\n", groups[k].name,
				    group_value(&groups[k], which));
			}
			look_groups_free(groups, n);
		}
	}
}

void
metrics_print(FILE *f, const struct look_server *servers, size_t count)
{
	put_gauge(f, servers, count, "up", "1 where the server runs", is_up);
	put_gauge(f, servers, count, "machines_connected", "machines that are connected to the broker now",
	    machines_connected);
	put_gauge(f, servers, count, "clients", "clients with a living process", clients_living);
	put_waits(f, servers, count);
	put_machines(f, servers, count);
	put_groups(f, servers, count);
	for (unsigned i = 0; i < COUNTERS; i++)
		put_counter(f, servers, count, (enum counter)i);
	for (unsigned i = 0; i < HISTOGRAMS; i++)
		put_histograms(f, servers, count, (enum counter_histogram)i);
	put_topics(f, servers, count, "topic_messages_total", "messages of a topic since it is among the busiest", 0);
	put_topics(f, servers, count, "topic_bytes_total", "bytes of a topic since it is among the busiest", 1);
}
