/* routes - who on this machine gets a topic: what a list and its changes make of it, and what each change costs */
#include <lib/t.h>
#include <lib/work.h>
#include "daemon/routes.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct routes routes;

static void
change(int type, uint32_t shard, uint64_t client, const char *topic, uint64_t aux)
{
	struct record r = { .type = (uint8_t)type, .shard = (uint16_t)shard, .publisher = client, .aux = aux,
	    .offset = 100, .topic_len = (uint16_t)strlen(topic) };
	routes_change(&routes, &r, topic);
}

static int
gets(uint32_t shard, uint64_t client, const char *topic)
{
	struct subscriptions *table = &routes.of[shard];
	struct subscribed *t = subscriptions_topic(table, topic, (uint16_t)strlen(topic), 0);
	struct subscriber *c = subscriptions_client(table, client, 0);
	int n = 0, of_client = 0;
	for (const struct subscription *sub = t ? t->first : NULL; sub; sub = sub->next_of_topic)
		n += sub->of.client->id == client;
	for (const struct subscription *sub = c ? c->first : NULL; sub; sub = sub->next_of_client)
		of_client += sub->of.topic == t;
	const struct subscription *sub = subscriptions_find(table, c, t);
	REQUIRE(n <= 1 && of_client == n && (sub != NULL) == (n == 1),
	    "client %llu of %s: %d times in its list, %d in the client's, %s by its key",
	    (unsigned long long)client, topic, n, of_client, sub ? "there" : "not there");
	REQUIRE(sub == NULL || sub->of.client == c, "the key leads to client %llu",
	    (unsigned long long)sub->of.client->id);
	return n;
}

static void
all_gone(void)
{
	for (uint32_t k = 0; k < SHARDS_MAX; k++) {
		const struct subscriptions *t = &routes.of[k];
		REQUIRE(t->keyed.used == 0 && t->clients.used == 0 && t->topics.used == 0 && t->count == 0,
		    "shard %u: %zu keys of subscriptions, %zu clients, %zu topics, %zu subscriptions are left", k,
		    t->keyed.used, t->clients.used, t->topics.used, t->count);
	}
}

TEST(changes, "a list replaces what was known of its shard alone; a destroyed client is in no topic, the others stay")
{
	change(REC_LIST, 0, 0, "", 3);
	change(REC_LISTED, 0, 1, "a", 0);
	change(REC_LISTED, 0, 2, "a", 0);
	REQUIRE(!routes.listed[0], "listed before it is whole");
	change(REC_LISTED, 0, 3, "a", 0);
	REQUIRE(routes.listed[0] && gets(0, 1, "a") && gets(0, 2, "a") && gets(0, 3, "a"), "the list");
	change(REC_SUBSCRIBE, 0, 2, "a", 0);
	change(REC_SUBSCRIBE, 1, 2, "b", 0);
	change(REC_SUBSCRIBE, 0, 1, "c", 0);
	change(REC_UNSUBSCRIBE, 0, 1, "a", 0);
	change(REC_UNSUBSCRIBE, 0, 1, "never", 0);
	REQUIRE(!gets(0, 1, "a") && gets(0, 2, "a") && gets(0, 3, "a"), "after an unsubscribe");
	REQUIRE(gets(0, 1, "c") && gets(1, 2, "b"), "other topics after an unsubscribe");
	change(REC_DESTROY, 0, 2, "", 0);
	REQUIRE(!gets(0, 2, "a") && gets(0, 3, "a") && gets(1, 2, "b"), "after a DESTROY of one shard");
	change(REC_UNSUBSCRIBE, 1, 2, "", 0);
	REQUIRE(!gets(1, 2, "b"), "after an unsubscribe of all");
	change(REC_SUBSCRIBE, 1, 9, "b", 0);
	change(REC_LIST, 0, 0, "", 0);
	REQUIRE(!gets(0, 3, "a") && !gets(0, 1, "c") && gets(1, 9, "b") && routes.listed[0], "after a new list");
	change(REC_LIST, 1, 0, "", 0);
	all_gone();
}

static const char *
topics_of(uint64_t id, size_t room, uint64_t count)
{
	static char text[200];
	routes.listed[1] = 0;
	REQUIRE(routes_of_client(&routes, 2, id, text, room) == SUBSCRIPTIONS_UNKNOWN && text[0] == '\0' &&
	    routes_of_client(&routes, 0, id, text, room) == SUBSCRIPTIONS_UNKNOWN, "shard 1 has listed none: %s", text);
	memset(routes.listed, -1, sizeof routes.listed);
	REQUIRE(routes_of_client(&routes, SHARDS_MAX, id, text, room) == count, "%s", text);
	return text;
}

TEST(names, "the topics of a client that fit are named, a first one of any length")
{
	char topic[100];
	for (int len = 90; len < 100; len++) {
		uint64_t id = (uint64_t)len;
		memset(topic, 'a', sizeof topic);
		topic[len] = '\0';
		change(REC_SUBSCRIBE, 0, id, topic, 0);
		const char *text = topics_of(id, 96, 1);
		REQUIRE(len < 96 ? strcmp(text, topic) == 0 : strlen(text) == 95 && text[94] == '~', "%d: %s", len,
		    text);
	}
	change(REC_SUBSCRIBE, 0, 7, "b", 0);
	change(REC_SUBSCRIBE, 1, 7, "cc", 0);
	REQUIRE(strcmp(topics_of(7, 96, 2), "b, cc") == 0 && strcmp(topics_of(7, 5, 2), "b") == 0 &&
	    topics_of(8, 96, 0)[0] == '\0', "%s", topics_of(7, 96, 2));
}

TEST(random, "whatever comes in whatever order, each topic has exactly those who subscribed to it")
{
	enum { CLIENTS = 9, TOPICS = 5, SHARDS = 3 };
	static char model[SHARDS][CLIENTS][TOPICS];
	struct t_rng rng;
	t_rng_init(&rng, 14);
	for (int step = 0; step < 20000; step++) {
		uint32_t k = (uint32_t)t_rng_below(&rng, SHARDS), c = (uint32_t)t_rng_below(&rng, CLIENTS);
		uint64_t t = t_rng_below(&rng, TOPICS), what = t_rng_below(&rng, 40);
		const char *topic = (const char *[]){ "a", "b", "c", "d/e", "f" }[t];
		if (what == 0) {
			change(REC_LIST, k, 0, "", 0);
			memset(model[k], 0, sizeof model[k]);
		} else if (what < 4) {
			change(what == 1 ? REC_DESTROY : REC_UNSUBSCRIBE, k, c, "", 0);
			memset(model[k][c], 0, sizeof model[k][c]);
		} else {
			change(what & 1 ? REC_SUBSCRIBE : REC_UNSUBSCRIBE, k, c, topic, 0);
			model[k][c][t] = what & 1;
		}
		REQUIRE(gets(k, c, topic) == model[k][c][t], "step %d", step);
	}
	for (uint32_t k = 0; k < SHARDS; k++)
		change(REC_LIST, k, 0, "", 0);
	all_gone();
}

/* ---- patterns ---- */

enum { WATCHERS = 5, NAMES = 9 };
static const char *const names[NAMES] = { "a", "b", "a/b", "#", "a/#", "+/b", "*", "#/b", "a/>" };
static struct made { uint64_t since; int is, no_echo; } made[WATCHERS][NAMES];
static uint64_t cut_below[WATCHERS];

static uint64_t
cut(uint64_t client, uint32_t shard)
{
	(void)shard;
	return cut_below[client];
}

static int
is_matched(int name, const char *topic)
{
	static const char *const by[NAMES] = { "a", "b", "a/b", "a b a/b", "a a/b", "a/b", "a b a/b", "b a/b", "a/b" };
	size_t n = strlen(topic);
	for (const char *p = by[name]; (p = strstr(p, topic)) != NULL; p++)
		if ((p == by[name] || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return 1;
	return 0;
}

/* What the subscriptions grant, each looked at for itself. */
static int
is_granted(int client, const char *topic, uint64_t offset, int own, int cut_counts)
{
	for (int k = 0; k < NAMES; k++) {
		const struct made *m = &made[client][k];
		if (m->is && is_matched(k, topic) && m->since < offset && !(own && m->no_echo) &&
		    (!cut_counts || m->since >= cut_below[client]))
			return 1;
	}
	return 0;
}

/* ... and what the forwarder reads of the list: it looks at the cut of each entry by itself */
static int
is_listed(uint64_t client, const char *topic, uint64_t offset, int own)
{
	const struct subscribed *t = routes_reach(&routes, 0, topic, (uint16_t)strlen(topic));
	size_t n = 0, of_client = 0;
	int granted = 0;
	for (const struct subscription *sub = t ? t->first : NULL; sub; sub = sub->next_of_topic, n++) {
		REQUIRE(sub->of.topic == t && !sub->has_run, "an entry of another list");
		of_client += sub->of.client->id == client;
		granted |= sub->of.client->id == client && sub->since < offset && sub->since >= cut_below[client] &&
		    !(own && sub->flags & REC_F_NO_ECHO);
	}
	REQUIRE(t == NULL || (t->count == n && t->len == strlen(topic) && memcmp(t->name, topic, t->len) == 0),
	    "%zu of %zu entries", n, t->count);
	REQUIRE(of_client <= 2, "a client stands there %zu times", of_client);
	return granted;
}

TEST(reach, "of topics and patterns that overlap, each client gets what one of them grants: since when, its own, not "
    "what was cut")
{
	struct t_rng rng;
	long granted = 0;
	t_rng_init(&rng, 17);
	routes.cut = cut;
	for (uint64_t now = 10; now < 6000; now++) {
		uint64_t c = t_rng_below(&rng, WATCHERS), k = t_rng_below(&rng, NAMES), what = t_rng_below(&rng, 60);
		struct record r = { .type = what & 1 ? REC_SUBSCRIBE : REC_UNSUBSCRIBE, .publisher = c, .offset = now,
		    .topic_len = (uint16_t)strlen(names[k]), .flags = what & 2 ? REC_F_NO_ECHO : 0 };
		if (what == 0) {
			cut_below[c] = now;
			routes_forget(&routes);
		} else if (what < 40) {
			routes_change(&routes, &r, names[k]);
			made[c][k] = (struct made){ now, what & 1, what & 2 };
		}
		const char *topic = names[t_rng_below(&rng, 3)];
		uint64_t offset = now - t_rng_below(&rng, 10) + 1;
		for (int client = 0; client < WATCHERS; client++)
			for (int own = 0; own < 2; own++) {
				int is = is_granted(client, topic, offset, own, 1);
				REQUIRE(is_listed((uint64_t)client, topic, offset, own) == is,
				    "step %llu: client %d, %s at %llu",
				    (unsigned long long)now, client, topic, (unsigned long long)offset);
				REQUIRE(routes_want(&routes, 0, (uint64_t)client, topic, (uint16_t)strlen(topic),
				    offset) == is_granted(client, topic, offset, 0, 0), "%s at %llu wanted", topic,
				    (unsigned long long)offset);
				granted += is;
			}
	}
	REQUIRE(granted > 1000, "%ld: that proves little", granted);
	change(REC_LIST, 0, 0, "", 0);
	all_gone();
	REQUIRE(routes.of[0].patterns.count == 0 && routes_reach(&routes, 0, "a", 1) == NULL, "something is left");
}

/* n clients of one topic and n topics of one client are listed. Then each leaves on its own, the oldest first. */
static double
load_and_leave(size_t n)
{
	char topic[32];
	double began = work_ms();
	change(REC_LIST, 0, 0, "", 2 * n);
	for (size_t i = 0; i < n; i++) {
		change(REC_LISTED, 0, 10 + i, "crowd", 0);
		snprintf(topic, sizeof topic, "own/%zu", i);
		change(REC_LISTED, 0, 1, topic, 0);
	}
	REQUIRE(routes.listed[0] && routes.of[0].topics.used == n + 1, "%zu of %zu topics",
	    routes.of[0].topics.used, n + 1);
	for (size_t i = 0; i < n; i++) {
		change(REC_DESTROY, 0, 10 + i, "", 0);
		snprintf(topic, sizeof topic, "own/%zu", i);
		change(REC_UNSUBSCRIBE, 0, 1, topic, 0);
	}
	all_gone();
	return work_ms() - began;
}

TEST(linear, "four times as many clients and topics cost some four times the work: listed, and one by one gone")
{
	size_t n = t_is_long() ? 250000 : 10000;
	work_is_linear(load_and_leave, n);
}
