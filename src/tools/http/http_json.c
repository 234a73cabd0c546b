/* http_json - /stats.json and /history.json out of a sample; a part of mom_http */
#include "base/etc.h"
#include "base/proc.h"
#include "base/utf8.h"
#include "look/look_groups.h"
#include "look/look_machines.h"
#include "tools/http/http.h"
#include <stdlib.h>
#include <string.h>

static const char *const flow_names[FLOWS] = {
	[FLOW_IN] = "messages_in", [FLOW_BYTES_IN] = "bytes_in", [FLOW_OUT] = "messages_out",
	    [FLOW_BYTES_OUT] = "bytes_out" };

/* quoted; bytes that are no UTF-8 become U+FFFD */
static void
http_json_string(FILE *f, const char *text)
{
	char json[UTF8_JSON];
	putc('"', f);
	for (size_t i = 0, n = strlen(text); i < n;) {
		i += utf8_json(text + i, n - i, json);
		fputs(json[0] == '<' ? "\\u003c" : json, f);         /* no tag, wherever somebody puts it */
	}
	putc('"', f);
}

static void
member(FILE *f, const char *name, const char *text)
{
	fprintf(f, ",\"%s\":", name);
	http_json_string(f, text);
}

static void
flows(FILE *f, const uint64_t total[FLOWS], const double rates[FLOWS])
{
	fprintf(f, ",\"totals\":{");
	for (int i = 0; i < FLOWS; i++)
		fprintf(f, "%s\"%s\":%llu", i ? "," : "", flow_names[i], (unsigned long long)total[i]);
	fprintf(f, "},\"rates\":{");
	for (int i = 0; i < FLOWS; i++)
		fprintf(f, "%s\"%s\":%.1f", i ? "," : "", flow_names[i], rates[i]);
	putc('}', f);
}

/* ---- processes ---- */

static void
histogram(FILE *f, const char *name, const struct histogram *h)
{
	uint64_t count = 0;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		count += atomic_load_explicit(&h->count[i], memory_order_relaxed);
	if (count)
		fprintf(f, ",\"%s\":{\"count\":%llu,\"p50\":%llu,\"p99\":%llu,\"mean\":%.1f}", name,
		    (unsigned long long)count, (unsigned long long)counters_quantile(h, 0.5),
		    (unsigned long long)counters_quantile(h, 0.99), (double)atomic_load(&h->sum) / (double)count);
}

static void
page_name(const struct look_server *s, uint32_t page, char *text, size_t n)
{
	struct look_process p = { .shard = -1, .slot = -1 };
	look_process(s, page, &p);
	look_process_name(&p, text, n);
}

static void
process(FILE *f, const struct look_server *s, const struct watch_server *v, uint32_t page)
{
	const struct counters *c = counters_page(s->counters, page);
	enum counter_role role = (enum counter_role)atomic_load(&c->role);
	uint64_t starts = counters_get(c, COUNT_STARTS);
	char name[80];
	page_name(s, page, name, sizeof name);
	fprintf(f, "{\"page\":%u,\"pid\":%u,\"alive\":%s,\"restarts\":%llu,\"since_us\":%lld", page,
	    atomic_load(&c->pid),
	    watch_alive(atomic_load(&c->pid), counters_role_name(role)) ? "true" : "false",
	    (unsigned long long)(starts ? starts - 1 : 0), (long long)atomic_load(&c->since_us));
	member(f, "role", counters_role_name(role));
	member(f, "name", name);
	flows(f, v->page[page].total, v->page[page].rate);
	fprintf(f, ",\"counters\":{");
	for (size_t i = 0; i < COUNTERS; i++)
		fprintf(f, "%s\"%s\":%llu", i ? "," : "", counters_names[i].name,
		    (unsigned long long)counters_get(c, (enum counter)i));
	putc('}', f);
	for (size_t i = 0; i < HISTOGRAMS; i++)
		histogram(f, counters_histogram_names[i].name, &c->histogram[i]);
	putc('}', f);
}

/* A connection slot that nobody has any more still has its pages. */
static int
page_is_shown(const struct look_server *s, uint32_t page)
{
	uint32_t first = s->broker ? COUNTERS_HANDLER(s->broker->shards, 0) : UINT32_MAX;
	if (page >= first && atomic_load(&s->broker->conn[(page - first) / 2].state) == CONN_FREE)
		return 0;
	return atomic_load(&counters_page(s->counters, page)->pid) != 0;
}

static void
processes(FILE *f, const struct look_server *s, const struct watch_server *v)
{
	uint32_t shown = 0, all = 0;
	fprintf(f, ",\"processes\":[");
	for (uint32_t i = 0; i < v->pages; i++) {
		if (!page_is_shown(s, i) || all++ >= HTTP_SHOWN)
			continue;
		fputs(shown++ ? ",\n" : "", f);
		process(f, s, v, i);
	}
	fprintf(f, "],\"processes_total\":%u", all);
}

/* ---- a broker's topics and machines ---- */

static int
by_use(const void *a, const void *b)
{
	const struct watch_topic *x = *(const struct watch_topic *const *)a, *y = *(const struct watch_topic *const *)b;
	if (x->rate != y->rate)
		return x->rate < y->rate ? 1 : -1;
	if (x->messages != y->messages)
		return x->messages < y->messages ? 1 : -1;
	return strcmp(x->name, y->name);
}

static void
topics(FILE *f, const struct watch_server *v)
{
	const struct watch_topic **list = calloc(v->topics + 1, sizeof *list);
	size_t n = 0;
	for (uint32_t i = 0; list && i < v->topics; i++)
		if (v->topic[i].name[0])
			list[n++] = &v->topic[i];
	if (n)
		qsort(list, n, sizeof *list, by_use);
	fprintf(f, ",\"topics_total\":%zu,\"topics\":[", n);
	for (size_t i = 0; i < n && i < HTTP_SHOWN; i++) {
		fprintf(f, "%s{\"shard\":%u,\"messages\":%llu,\"bytes\":%llu,\"rate\":%.1f,\"byte_rate\":%.1f",
		    i ? ",\n" : "", list[i]->shard,
		    (unsigned long long)list[i]->messages, (unsigned long long)list[i]->bytes, list[i]->rate,
		    list[i]->byte_rate);
		member(f, "name", list[i]->name);
		putc('}', f);
	}
	putc(']', f);
	free(list);
}

static void
machine(FILE *f, const struct look_server *s, const struct watch_server *v, const struct look_machine *m)
{
	uint32_t handler = COUNTERS_HANDLER(s->broker->shards, m->slot), sender = handler + 1;
	uint64_t total[FLOWS] = { 0 };
	double rates[FLOWS] = { 0 };
	for (int i = 0; m->connected && sender < v->pages && i < FLOWS; i++) {
		const struct watch_page *p = &v->page[i == FLOW_IN || i == FLOW_BYTES_IN ? handler : sender];
		total[i] = p->total[i];
		rates[i] = p->rate[i];
	}
	fprintf(f, "{\"serial\":%u,\"seconds\":%lld", m->serial, (long long)m->seconds);
	member(f, "state", m->connected ? "connected" : "away");
	if (m->lag_known)
		fprintf(f, ",\"lag_bytes\":%llu", (unsigned long long)m->lag);
	member(f, "host", m->host);
	member(f, "address", m->address);
	flows(f, total, rates);
	putc('}', f);
}

/* those that are away, or furthest behind, first: they are what is looked for */
static int
by_need(const void *a, const void *b)
{
	const struct look_machine *x = a, *y = b;
	if (x->connected != y->connected)
		return x->connected ? 1 : -1;
	return x->lag != y->lag ? (x->lag > y->lag ? -1 : 1) : x->serial < y->serial ? -1 : x->serial > y->serial;
}

static void
machines(FILE *f, const struct look_server *s, const struct watch_server *v)
{
	struct look_machine *list = NULL;
	int all = s->broker ? look_machines(s, &list) : 0;
	all = all < 0 ? 0 : all;
	if (all)
		qsort(list, (size_t)all, sizeof *list, by_need);
	int connected = 0;
	for (int i = 0; i < all; i++)
		connected += list[i].connected;
	fprintf(f, ",\"machines_connected\":%d,\"machines\":[", connected);
	for (int i = 0; i < all && i < HTTP_SHOWN; i++) {
		fputs(i ? ",\n" : "", f);
		machine(f, s, v, &list[i]);
	}
	fprintf(f, "],\"machines_total\":%d", all);
	free(list);
}

static void
groups(FILE *f, const struct look_server *s)
{
	struct look_group *list = NULL;
	size_t n = 0;
	if (s->broker && look_groups(s->files, s->broker->shards, &list, &n) < 0)
		n = 0;
	fputs(",\"groups\":[", f);
	for (size_t i = 0; i < n && i < HTTP_SHOWN; i++) {
		const struct look_group *g = &list[i];
		fprintf(f, "%s{\"members\":%llu,\"waiting\":%llu,\"waiting_bytes\":%llu,\"out\":%llu,\"back\":%llu,"
		    "\"dead\":%llu", i ? ",\n" : "", (unsigned long long)g->members, (unsigned long long)g->waiting,
		    (unsigned long long)g->bytes, (unsigned long long)g->out, (unsigned long long)g->back,
		    (unsigned long long)g->dead);
		if (g->oldest_us)
			fprintf(f, ",\"oldest_seconds\":%lld", (long long)look_group_oldest(g));
		member(f, "name", g->name);
		member(f, "kind", g->kind);
		putc('}', f);
	}
	fprintf(f, "],\"groups_total\":%zu", n);
	look_groups_free(list, n);
}

/* ---- a daemon's clients ---- */

enum { COMMAND_SHOWN = 100 };

struct users { char *text; };            /* /etc/passwd, read once a page: a directory service might keep us waiting */

static void
user_name(const struct users *u, uid_t uid, char *name, size_t n)
{
	struct etc_entry e;
	for (const char *p = u->text; p && (p = etc_next(p, &e)) != NULL;)
		if (e.id == uid) {
			snprintf(name, n, "%s", e.name);
			return;
		}
	snprintf(name, n, "%u", (unsigned)uid);
}

static void
client(FILE *f, const struct look_client *c, const struct users *u, int is_exposed)
{
	static const char *const states[] = { "free", "connected", "away", "ending" };
	char user[ETC_NAME], program[32], command[COMMAND_SHOWN] = "";
	user_name(u, c->uid, user, sizeof user);
	proc_read(c->pid, "comm", program, sizeof program);
	program[strcspn(program, "\n")] = '\0';
	if (is_exposed || proc_command(c->pid, command, sizeof command) < 0)
		snprintf(command, sizeof command, "%s", program);
	fprintf(f, "{\"slot\":%u,\"id\":\"%llx\",\"durable\":%s,\"pid\":%d,\"mail_bytes\":%llu,"
	    "\"request_bytes\":%llu,", c->slot, (unsigned long long)c->id, c->durable ? "true" : "false", (int)c->pid,
	    (unsigned long long)c->mail_bytes, (unsigned long long)c->request_bytes);
	if (c->subscriptions != SUBSCRIPTIONS_UNKNOWN)
		fprintf(f, "\"subscriptions\":%llu,", (unsigned long long)c->subscriptions);
	fprintf(f, "\"waiting_messages\":%llu,\"waiting_bytes\":%llu,\"oldest_seconds\":%llu,\"behind\":%s",
	    (unsigned long long)c->waiting, (unsigned long long)c->waiting_bytes, (unsigned long long)look_oldest(c),
	    c->behind ? "true" : "false");
	member(f, "state", states[c->state <= SLOT_DYING ? c->state : 0]);
	member(f, "name", c->name);
	member(f, "user", user);
	member(f, "program", program);
	member(f, "command", command);
	member(f, "topics", c->topics);
	putc('}', f);
}

static int
by_waiting(const void *a, const void *b)
{
	const struct look_client *x = a, *y = b;
	if (x->waiting != y->waiting)
		return x->waiting < y->waiting ? 1 : -1;
	uint64_t i = x->mail_bytes + x->request_bytes, k = y->mail_bytes + y->request_bytes;
	return i != k ? (i < k ? 1 : -1) : x->slot < y->slot ? -1 : 1;
}

static void
clients(FILE *f, const struct look_server *s, int is_exposed)
{
	uint32_t slots = s->machine ? atomic_load(&s->machine->slots) : 0;
	size_t n = 0;
	struct look_client *list = calloc((slots < SLOTS_MAX ? slots : SLOTS_MAX) + 1, sizeof *list);
	struct users u = { etc_load("", "/etc/passwd") };
	for (uint32_t i = 0; list && i < slots && i < SLOTS_MAX; i++)
		if (look_client(s, i, &list[n]) > 0)
			n++;
	if (n)
		qsort(list, n, sizeof *list, by_waiting);
	fprintf(f, ",\"clients_total\":%zu,\"clients\":[", n);
	for (size_t i = 0; i < n && i < HTTP_SHOWN; i++) {
		fputs(i ? ",\n" : "", f);
		client(f, &list[i], &u, is_exposed);
	}
	putc(']', f);
	free(u.text);
	free(list);
}

/* ---- all ---- */

static void
server(FILE *f, const struct look_server *s, const struct watch_server *v, int is_exposed)
{
	char why[PATH_MAX + 300] = "";
	int healthy = watch_health(s, why, sizeof why);
	const struct counters *c = s->counters ? counters_page(s->counters, COUNTERS_SUPERVISOR) : NULL;
	fprintf(f, "{\"kind\":\"%s\",\"pid\":%d,\"healthy\":%s,\"since_us\":%lld,\"disk_used\":%llu,"
	    "\"disk_data\":%llu,\"disk_free\":%llu", s->is_broker ? "broker" : "daemon", (int)s->pid,
	    healthy ? "true" : "false", c ? (long long)atomic_load(&c->since_us) : 0LL,
	    (unsigned long long)v->disk_used, (unsigned long long)v->disk_data, (unsigned long long)v->disk_free);
	member(f, "health", why);
	member(f, "run", s->run);
	member(f, "files", s->files);
	member(f, "address", s->address);
	member(f, "trouble", s->trouble);
	member(f, "why", s->why);
	flows(f, v->total, v->rate);
	processes(f, s, v);
	if (s->is_broker) {
		topics(f, v);
		machines(f, s, v);
		groups(f, s);
	} else
		clients(f, s, is_exposed);
	fprintf(f, ",\"limits\":[");
	http_limits(f, s, v);
	fprintf(f, "]}");
}

void
http_stats(FILE *f, const struct watch *w)
{
	fprintf(f, "{\"sample\":%llu,\"period_ms\":%d,\"time_us\":%lld,\"servers\":[", (unsigned long long)w->sample,
	    HTTP_SAMPLE_MS, (long long)w->wall_us);
	for (size_t i = 0; w->look && i < w->count; i++) {
		fputs(i ? ",\n" : "\n", f);
		server(f, &w->look->server[i], &w->server[i], w->is_exposed);
	}
	fprintf(f, "],\"limits\":[");
	http_limits(f, NULL, NULL);
	fprintf(f, "]}\n");
}

static void
history_line(FILE *f, const struct watch_server *v, const char *name, int flow, int line)
{
	fprintf(f, ",\"%s\":[", name);
	for (uint32_t i = 0; i < v->moments; i++) {
		const struct watch_moment *m = &v->moment[(v->next + HTTP_HISTORY - v->moments + i) % HTTP_HISTORY];
		float value = flow >= 0 ? m->flow[flow] : m->line[line];
		fprintf(f, value < 0 ? "%snull" : "%s%.1f", i ? "," : "", (double)value);
	}
	putc(']', f);
}

static void
history_server(FILE *f, const struct look_server *s, const struct watch_server *v)
{
	char name[80];
	fprintf(f, "{\"kind\":\"%s\"", s->is_broker ? "broker" : "daemon");
	member(f, "run", s->run);
	fprintf(f, ",\"time_ms\":[");
	for (uint32_t i = 0; i < v->moments; i++)
		fprintf(f, "%s%lld", i ? "," : "", (long long)v->moment[(v->next + HTTP_HISTORY - v->moments +
		    i) % HTTP_HISTORY].wall_ms);
	putc(']', f);
	for (int i = 0; i < FLOWS; i++)
		history_line(f, v, flow_names[i], i, -1);
	fprintf(f, ",\"processes\":[");
	for (uint32_t i = 0, shown = 0; i < v->pages && i < HTTP_LINES; i++) {
		if (!page_is_shown(s, i))
			continue;
		page_name(s, i, name, sizeof name);
		fprintf(f, "%s{\"page\":%u", shown++ ? "," : "", i);
		member(f, "name", name);
		history_line(f, v, "messages", -1, (int)i);
		putc('}', f);
	}
	fprintf(f, "]}");
}

void
http_history(FILE *f, const struct watch *w)
{
	fprintf(f, "{\"sample\":%llu,\"period_ms\":%d,\"servers\":[", (unsigned long long)w->sample, HTTP_SAMPLE_MS);
	for (size_t i = 0; w->look && i < w->count; i++) {
		fputs(i ? ",\n" : "\n", f);
		history_server(f, &w->look->server[i], &w->server[i]);
	}
	fprintf(f, "]}\n");
}
