/* mom topics - the topics of the brokers on this machine: who subscribes, how much goes through
 * READS    the views in the stores, or check-points where there are none, and the counters of the busiest topics; for
 *          names db/machines and the tables of the daemons here; nothing is disturbed */
#include "tools/mom/cmd_json.h"
#include "tools/mom/cmd_look.h"
#include "tools/mom/cmd_store.h"
#include "look/look_machines.h"
#include "format/topic.h"
#include "routing/patterns.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: mom topics [--json] [-v] [--db DIR] [FOLDER ...]\n"
    "  One topic a line: name, subscribers, messages and bytes since the broker counts it among its busiest (- where "
    "it does not), by name.\n"
    "  2+3 subscribers: 2 of the topic itself, and 3 of patterns that match it. The patterns themselves stand behind "
    "the topics.\n"
    "  FOLDER       a broker's run folder or store; without any, those in the usual places, or the store ./db where "
    "none runs\n"
    "  --db DIR     the same of a store, whether a broker runs with it or not\n"
    "  -v           below each topic its subscribers: client, machine, the offset since when, no-echo, the client's "
    "name where its daemon is on this\n"
    "               machine, its machine's host; with the store's name where there are several\n"
    "  --json       an array of objects: topic, shard, store, pattern, subscribers, by_pattern, messages, bytes (null: "
    "not counted), with -v\n               patterns and clients\n"
    "Exit status: 0   1 a store cannot be read   2 wrong use\n"
    "Example: mom topics --db db -v\n";

struct match { const char *pattern; uint64_t subscribers; };

struct row {
	char *topic, *list;                    /* list: the subscribers, a line each, with -v */
	struct match *matches;                 /* patterns that match it, with -v; so many: */
	size_t match_count;
	int is_pattern;
	const char *store;
	uint32_t shard;
	uint64_t subscribers, by_pattern, messages, bytes;
	int counted;
};

static struct {
	struct row *rows;
	size_t count, room;
	const char *store;
	int verbose, json, bad, stores;
	struct name { const char *store; uint64_t key; char text[80]; } *names;
	size_t name_count, name_room;
} topics;

/* ---- names: of clients, by id, where their daemon is on this machine; of hosts, by serial ---- */

static void
name_add(uint64_t key, const char *text)
{
	if (text[0] == '\0')
		return;
	if (topics.name_count == topics.name_room) {
		struct name *grown = realloc(topics.names, (topics.name_room = topics.name_room * 2 + 64) *
		    sizeof *grown);
		if (grown == NULL)
			exit(cmd_fail(&cmd_topics, "no memory for %zu names", topics.name_room));
		topics.names = grown;
	}
	struct name *n = &topics.names[topics.name_count++];
	*n = (struct name){ .store = topics.store, .key = key };
	snprintf(n->text, sizeof n->text, "%s", text);
}

static int
by_key(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	int way = strcmp(x->store, y->store);
	return way ? way : x->key < y->key ? -1 : x->key > y->key;
}

/* NULL: it has none that is known */
static const char *
name_of(const char *store, uint64_t key)
{
	struct name wanted = { .store = store, .key = key };
	const struct name *n = topics.name_count ? bsearch(&wanted, topics.names, topics.name_count, sizeof wanted,
	    by_key) : NULL;
	return n ? n->text : NULL;
}

static void
take_names(const struct servers *all, const char *store_id)
{
	struct look_server files = { .is_broker = 1 };
	struct look_machine *list = NULL;
	struct look_client c;
	char of[40];
	snprintf(files.files, sizeof files.files, "%s", topics.store);
	int machines = look_machines(&files, &list), there;
	for (int i = 0; i < machines; i++)
		name_add(list[i].serial, list[i].host);
	free(list);
	for (size_t i = 0; i < all->count; i++) {
		const struct look_server *daemon = &all->server[i];
		if (daemon->is_broker || spool_store(daemon->files, of) < 0 || strcmp(of, store_id) != 0)
			continue;
		for (uint32_t k = 0; (there = look_client(daemon, k, &c)) >= 0; k++)
			if (there)
				name_add(c.id, c.name);
	}
}

/* ---- rows ---- */

static struct row *
row_add(uint32_t shard, const char *topic)
{
	if (topics.count == topics.room) {
		struct row *grown = realloc(topics.rows, (topics.room = topics.room * 2 + 256) * sizeof *grown);
		if (grown == NULL)
			exit(cmd_fail(&cmd_topics, "no memory for %zu topics", topics.room));
		topics.rows = grown;
	}
	topics.rows[topics.count] = (struct row){ .topic = strdup(topic), .store = topics.store, .shard = shard,
	    .is_pattern = topic_is_pattern(topic, strlen(topic)) };
	if (topics.rows[topics.count].topic == NULL)
		exit(cmd_fail(&cmd_topics, "no memory"));
	return &topics.rows[topics.count++];
}

static void
take_view(void *with, uint32_t shard, const char *topic, char *subscribers)
{
	struct row *r = row_add(shard, topic);
	(void)with;
	for (const char *p = subscribers; (p = strchr(p, '\n')) != NULL; p++)
		r->subscribers++;
	r->list = topics.verbose ? strdup(subscribers) : NULL;
}

static int
by_topic(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int way = x->is_pattern != y->is_pattern ? x->is_pattern - y->is_pattern : strcmp(x->topic, y->topic);
	return way ? way : strcmp(x->store, y->store);
}

static void
take_busy(const struct look_server *s)
{
	size_t sorted = topics.count;
	struct busy_topic b;
	if (sorted)
		qsort(topics.rows, sorted, sizeof *topics.rows, by_topic);
	for (uint32_t shard = 0; s->counters && shard < s->counters->shards; shard++)
		for (uint32_t i = 0; i < BUSY_ROWS; i++) {
			if (!counters_topic(counters_busy(s->counters, shard), i, &b) ||
			    topic_fault(b.name, strlen(b.name)))
				continue;
			struct row key = { .topic = b.name, .store = topics.store };
			struct row *r = sorted ? bsearch(&key, topics.rows, sorted, sizeof key, by_topic) : NULL;
			r = r ? r : row_add(shard, b.name);
			r->messages = b.messages;
			r->bytes = b.bytes;
			r->counted = 1;
		}
}

static void
match_topic(struct patterns *set, struct row *r)
{
	void **found;
	size_t n = patterns_match(set, r->topic, strlen(r->topic), &found);
	r->matches = topics.verbose && n ? malloc(n * sizeof *r->matches) : NULL;
	r->match_count = r->matches ? n : 0;
	for (size_t i = 0; i < n; i++) {
		const struct row *pattern = found[i];
		r->by_pattern += pattern->subscribers;
		if (r->matches)
			r->matches[i] = (struct match){ pattern->topic, pattern->subscribers };
	}
}

static void
match_patterns(const char *store)
{
	struct patterns set = { .count = 0 };
	for (size_t i = 0; i < topics.count; i++) {
		struct row *r = &topics.rows[i];
		if (r->is_pattern && r->store == store && patterns_add(&set, r->topic, strlen(r->topic), r) < 0)
			exit(cmd_fail(&cmd_topics, "no memory"));
	}
	for (size_t i = 0; set.count && i < topics.count; i++)
		if (!topics.rows[i].is_pattern && topics.rows[i].store == store)
			match_topic(&set, &topics.rows[i]);
	patterns_free(&set);
}

static void
take_store(const char *store, const struct look_server *s, const struct servers *all)
{
	struct store_names names;
	topics.store = store;
	topics.stores++;
	if (store_names(store, &names) < 0 || names.newer) {
		topics.bad = 1;
		cmd_fail(&cmd_topics, "%s: %s: %s", store, names.newer ? "of a newer format" : strerror(errno),
		    names.newer ? "use the newer program" : errno == EACCES
		    ? "run this as the user of the broker, or as root" : "name a broker's store with --db");
		return;
	}
	if (store_topics(store, names.shards, take_view, NULL) < 0) {
		topics.bad = 1;
		cmd_fail(&cmd_topics, "%s: %s: run this as the user of the broker, or as root", store, strerror(errno));
	}
	if (topics.verbose)
		take_names(all, names.id);
	if (s)
		take_busy(s);
	match_patterns(store);
}

/* ---- output ---- */

static void
show_subscriber(const char *store, const char *line)
{
	unsigned long long id, since;
	unsigned machine;
	char flags[32] = "";
	if (sscanf(line, "%llx %u %llx %31s", &id, &machine, &since, flags) < 3)
		return;
	int no_echo = strcmp(flags, "no-echo") == 0;
	const char *name = name_of(store, id), *host = name_of(store, machine);
	if (!topics.json) {
		printf("    client %016llx machine %u since %016llx%s%s%s%s%s\n", id, machine, since,
		    no_echo ? " no-echo" : "", name ? " name " : "", name ? name : "", host ? " host " : "",
		    host ? host : "");
		return;
	}
	char text[24];
	json_open(NULL, '{');
	snprintf(text, sizeof text, "%016llx", id);
	json_text("client", text);
	json_text("name", name);
	json_number("machine", machine);
	json_text("host", host);
	snprintf(text, sizeof text, "%016llx", since);
	json_text("since", text);
	json_bool("no_echo", no_echo);
	json_close('}');
}

static void
show_subscribers(struct row *r)
{
	char *rest = NULL;
	if (topics.json)
		json_open("patterns", '[');
	for (size_t i = 0; i < r->match_count; i++)
		if (topics.json)
			json_text(NULL, r->matches[i].pattern);
		else
			printf("    %llu by the pattern %s\n", (unsigned long long)r->matches[i].subscribers,
			    r->matches[i].pattern);
	if (topics.json) {
		json_close(']');
		json_open("clients", '[');
	}
	for (char *line = r->list ? strtok_r(r->list, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest))
		show_subscriber(r->store, line);
	if (topics.json)
		json_close(']');
}

static void
show_json(struct row *r)
{
	json_open(NULL, '{');
	json_text("topic", r->topic);
	json_number("shard", r->shard);
	json_text("store", r->store);
	json_bool("pattern", r->is_pattern);
	json_number("subscribers", r->subscribers);
	json_number("by_pattern", r->by_pattern);
	if (r->counted) {
		json_number("messages", r->messages);
		json_number("bytes", r->bytes);
	} else {
		json_null("messages");
		json_null("bytes");
	}
	if (topics.verbose)
		show_subscribers(r);
	json_close('}');
}

static void
show_line(struct row *r)
{
	char subscribers[48];
	snprintf(subscribers, sizeof subscribers, r->by_pattern ? "%llu+%llu" : "%llu",
	    (unsigned long long)r->subscribers, (unsigned long long)r->by_pattern);
	text_column(r->topic, 32);
	printf(" %11s", subscribers);
	if (r->counted)
		printf(" %12llu %14llu", (unsigned long long)r->messages, (unsigned long long)r->bytes);
	else
		printf(" %12s %14s", "-", "-");
	if (topics.stores > 1) {
		putchar(' ');
		text_put(r->store, strlen(r->store), 0);
	}
	putchar('\n');
	if (topics.verbose)
		show_subscribers(r);
}

static void
show_all(void)
{
	if (topics.count)
		qsort(topics.rows, topics.count, sizeof *topics.rows, by_topic);
	if (topics.name_count)
		qsort(topics.names, topics.name_count, sizeof *topics.names, by_key);
	if (topics.json)
		json_open(NULL, '[');
	else if (topics.count || !topics.bad)
		heading("TOPIC                            SUBSCRIBERS     MESSAGES          BYTES");
	for (size_t i = 0; i < topics.count; i++) {
		struct row *r = &topics.rows[i];
		if (!topics.json && r->is_pattern && (i == 0 || !r[-1].is_pattern))
			heading("PATTERN                          SUBSCRIBERS");
		if (topics.json)
			show_json(r);
		else
			show_line(r);
	}
	for (size_t i = 0; i < topics.count; i++) {
		free(topics.rows[i].topic);
		free(topics.rows[i].list);
		free(topics.rows[i].matches);
	}
	if (topics.json)
		json_close(']');
	free(topics.rows);
	free(topics.names);
}

static int
run(int argc, char **argv)
{
	static const struct option longs[] = { { "json", 0, 0, 'j' }, { "db", 1, 0, 'd' }, { "help", 0, 0, 'h' },
	    { 0 } };
	char *db = NULL;
	struct servers s, all = { .count = 0 };
	for (int o; (o = cmd_option(&cmd_topics, argc, argv, "hv", longs)) != -1;) {
		topics.json |= o == 'j';
		topics.verbose |= o == 'v';
		db = o == 'd' ? cmd_line.value : db;
	}
	char **folders = db ? &db : cmd_line.word;
	int n = db ? 1 : cmd_line.count;
	if (db && cmd_line.count)
		cmd_wrong_use(&cmd_topics, "--db or folders, not both");
	servers_look(&s, &cmd_topics, folders, n, db != NULL);
	if (topics.verbose)
		servers_look(&all, &cmd_topics, NULL, 0, 1);   /* the daemons: for their clients' names */
	for (size_t i = 0; i < s.count; i++)
		if (s.server[i].is_broker)
			take_store(s.server[i].files, &s.server[i], &all);
	if (topics.stores == 0 && (db || (n == 0 && access("db/store", F_OK) == 0))) {
		take_store(db ? db : "db", NULL, &all);
		if (!db)
			fprintf(stderr, "mom topics: no broker runs here: this is the store ./db\n");
	}
	topics.bad |= db ? 0 : s.bad;
	if (topics.stores == 0 && servers_none(&s, &cmd_topics, 1, 0) != CMD_OK)
		topics.bad = 1;
	show_all();
	servers_free(&all);
	servers_free(&s);
	return topics.bad ? CMD_FAILED : CMD_OK;
}

const struct cmd cmd_topics = { "topics", "topics of the brokers here: subscribers, messages, bytes", usage, run };
