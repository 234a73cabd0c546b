/* metrics - the page for Prometheus, of counters that the case makes itself */
#include "look/metrics.h"
#include <lib/t.h>
#include <stdlib.h>
#include <string.h>

enum { SHARDS = 2, SLOTS = 4, PAGES = 1 + SHARDS + 2 * SLOTS };
static struct look_server server;

static struct counters *
page_of(uint32_t page, enum counter_role role)
{
	struct counters *c = counters_page(server.counters, page);
	atomic_store(&c->role, role);
	atomic_store(&c->pid, 1);
	return c;
}

static void
broker_of_two_shards(const char *run)
{
	struct broker_table *table = calloc(1, sizeof *table + SLOTS * sizeof(struct conn_word));
	struct counters_segment *s = aligned_alloc(COUNTERS_PAGE,
	    (counters_bytes(PAGES, SHARDS) + COUNTERS_PAGE - 1) / COUNTERS_PAGE * COUNTERS_PAGE);
	memset(s, 0, counters_bytes(PAGES, SHARDS));
	s->pages = PAGES;
	s->shards = SHARDS;
	table->shards = SHARDS;
	table->capacity = SLOTS;
	atomic_store(&table->conns, 1);
	server = (struct look_server){ .is_broker = 1, .pid = 1, .broker = table, .counters = s };
	snprintf(server.run, sizeof server.run, "%s", run);
	page_of(COUNTERS_SUPERVISOR, ROLE_BROKER_SERVER);
	atomic_store(&page_of(COUNTERS_WORKER(1), ROLE_WORKER)->count[COUNT_MESSAGES_IN], 7);
	atomic_store(&page_of(COUNTERS_SENDER(SHARDS, 0), ROLE_SENDER)->owner, 42);
}

static char *
page_text(void)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);
	metrics_print(f, &server, 1);
	fclose(f);
	return text;
}

static void
has(const char *text, const char *line)
{
	REQUIRE(strstr(text, line), "no %s in\n%s", line, text);
}

TEST(labels, "each process is told by its role, and by its shard, or by its machine and slot")
{
	broker_of_two_shards("/run/x");
	char *text = page_text();
	has(text, "# HELP mom_messages_in_total ");
	has(text, "\n# TYPE mom_messages_in_total counter\n");
	has(text, "\nmom_messages_in_total{role=\"worker\",server=\"/run/x\",shard=\"1\"} 7\n");
	has(text, "\nmom_messages_in_total{role=\"broker_sender\",server=\"/run/x\",machine=\"42\",slot=\"0\"} 0\n");
	has(text, "\nmom_up{role=\"broker_server\",server=\"/run/x\"} 1\n");
	REQUIRE(strstr(text, "slot=\"1\"") == NULL, "a slot that nobody had is shown:\n%s", text);
}

TEST(histograms, "buckets are cumulative and end in +Inf, which is the count; le is the largest whole number of its "
    "bucket")
{
	broker_of_two_shards("/run/x");
	struct histogram *h = &counters_page(server.counters, COUNTERS_WORKER(1))->histogram[HISTOGRAM_SYNC_US];
	atomic_store(&h->count[0], 1);         /* 0 */
	atomic_store(&h->count[3], 2);         /* 4 to 7 */
	atomic_store(&h->count[HISTOGRAM_BUCKETS - 1], 3);
	atomic_store(&h->sum, 99);
	char *text = page_text();
	has(text, "# TYPE mom_sync_microseconds histogram\n");
	has(text, "mom_sync_microseconds_bucket{role=\"worker\",server=\"/run/x\",shard=\"1\",le=\"0\"} 1\n");
	has(text, "mom_sync_microseconds_bucket{role=\"worker\",server=\"/run/x\",shard=\"1\",le=\"3\"} 1\n");
	has(text, "mom_sync_microseconds_bucket{role=\"worker\",server=\"/run/x\",shard=\"1\",le=\"7\"} 3\n");
	has(text, "mom_sync_microseconds_bucket{role=\"worker\",server=\"/run/x\",shard=\"1\",le=\"+Inf\"} 6\n");
	has(text, "mom_sync_microseconds_sum{role=\"worker\",server=\"/run/x\",shard=\"1\"} 99\n");
	has(text, "mom_sync_microseconds_count{role=\"worker\",server=\"/run/x\",shard=\"1\"} 6\n");
}

TEST(names, "a topic's quotes and backslashes are escaped, what is no topic is left out, a folder's odd bytes are %XX")
{
	static const char *const topics[] = { "a\"b\\c", "evil\nmom_up 0", "\xff\xfe" };
	broker_of_two_shards("/run/\n\"x\"\xc3\xa4");
	struct busy_topics *b = counters_busy(server.counters, 1);
	for (size_t i = 0; i < 3; i++) {
		strcpy(b->name[i], topics[i]);
		atomic_store(&b->row[i].messages, 5);
		atomic_store(&b->hash[i], 1 + i);
	}
	char *text = page_text();
	has(text, "\nmom_topic_messages_total{server=\"/run/%0A\\\"x\\\"%C3%A4\",shard=\"1\",topic=\"a\\\"b\\\\c\"} "
	    "5\n");
	REQUIRE(strstr(text, "evil") == NULL && strstr(text, "\xff") == NULL, "%s", text);
}

TEST(nothing, "a server that cannot be attached has its gauge and no counters")
{
	server = (struct look_server){ .is_broker = 0, .pid = 0 };
	strcpy(server.run, "/run/gone");
	char *text = page_text();
	has(text, "\nmom_up{role=\"mom_daemon\",server=\"/run/gone\"} 0\n");
	REQUIRE(strstr(text, "starts_total{") == NULL, "%s", text);
}
