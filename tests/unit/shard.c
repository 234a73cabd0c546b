/* shard - the store's state: lists and keys of clients, topics, machines agree, and each change costs the same */
#include <lib/t.h>
#include <lib/work.h>
#include "worker/shard.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct shard s;

static uint64_t
id_of(uint32_t machine, size_t counter)
{
	return (uint64_t)machine << 32 | counter;
}

static void
apply(int type, uint64_t client, const char *topic)
{
	static uint64_t number;
	char bytes[RECORD_HEADER + MOM_TOPIC_MAX + 16];
	struct record r = { .type = (uint8_t)type, .publisher = client, .number = ++number, .offset = number * 64,
	    .topic_len = (uint16_t)strlen(topic) };
	record_make(bytes, &r, topic, NULL, 0);
	shard_apply(&s, bytes, r.offset + 64);
}

static int
subscribes(uint64_t client, const char *topic)
{
	struct client *c = shard_client(&s, client);
	struct topic *t = shard_topic(&s, topic, (uint16_t)strlen(topic), 0);
	int of_client = 0, of_topic = 0, keyed = c && t &&
	    subscriptions_find(&s.table, &c->subscriber, &t->subscribed) != NULL;
	for (struct subscription *sub = c ? c->subscriber.first : NULL; sub; sub = sub->next_of_client)
		of_client += (struct topic *)sub->of.topic == t;
	for (struct subscription *sub = t ? t->subscribed.first : NULL; sub; sub = sub->next_of_topic)
		of_topic += (struct client *)sub->of.client == c;
	REQUIRE(of_client == keyed && of_topic == keyed, "%llx, %s: %d in its list, %d in the topic's, %d by key",
	    (unsigned long long)client, topic, of_client, of_topic, keyed);
	return keyed;
}

static void
all_gone(void)
{
	shard_clean(&s);
	REQUIRE(s.table.clients.used == 0, "%zu clients are left", s.table.clients.used);
	REQUIRE(s.table.topics.used == 0, "%zu topics are left", s.table.topics.used);
	REQUIRE(s.table.keyed.used == 0, "%zu keys of subscriptions are left", s.table.keyed.used);
	for (const struct machine *m = s.machines; m; m = m->next)
		REQUIRE(m->first == NULL && m->clients == 0 && m->subscriptions == 0,
		    "machine %u: %zu clients, %zu subscriptions", m->serial, m->clients, m->subscriptions);
}

TEST(random, "whatever is subscribed, left and destroyed in whatever order, each list and key says the same")
{
	enum { CLIENTS = 9, TOPICS = 5 };
	char model[CLIENTS][TOPICS] = { { 0 } };
	struct t_rng rng;
	t_rng_init(&rng, 14);
	for (int step = 0; step < 20000; step++) {
		size_t c = t_rng_below(&rng, CLIENTS), t = t_rng_below(&rng, TOPICS), what = t_rng_below(&rng, 40);
		uint64_t id = id_of(1 + (uint32_t)c % 2, c);
		const char *topic = (const char *[]){ "a", "b", "c", "d/e", "f" }[t];
		apply(REC_CREATE, id, "");
		if (what < 3) {
			apply(what == 0 ? REC_DESTROY : REC_UNSUBSCRIBE, id, "");
			memset(model[c], 0, sizeof model[c]);
		} else {
			apply(what & 1 ? REC_SUBSCRIBE : REC_UNSUBSCRIBE, id, topic);
			model[c][t] = what & 1;
		}
		REQUIRE(subscribes(id, topic) == model[c][t], "step %d", step);
		if (what == 39)
			shard_clean(&s);
	}
	for (size_t c = 0; c < CLIENTS; c++)
		apply(REC_DESTROY, id_of(1 + (uint32_t)c % 2, c), "");
	all_gone();
}

/* One client has n topics, n clients have one topic together with it. All leave one by one, the oldest first. */
enum { MACHINES = 64 };                        /* a message walks all of its topic's machines; so does a subscribe */

static double
load_and_leave(size_t n)
{
	char topic[32];
	uint64_t first = id_of(1, 0);
	double began = work_ms();
	apply(REC_CREATE, first, "");
	for (size_t i = 0; i < n; i++) {
		uint64_t id = id_of(2 + (uint32_t)(i % MACHINES), i);
		apply(REC_CREATE, id, "");
		apply(REC_SUBSCRIBE, id, "crowd");
		snprintf(topic, sizeof topic, "own/%zu", i);
		apply(REC_SUBSCRIBE, first, topic);
	}
	for (int i = 0; i < 100; i++) {
		apply(REC_SUBSCRIBE, first, "crowd");
		apply(REC_UNSUBSCRIBE, first, "crowd");
	}
	for (size_t i = 0; i < n; i++) {
		apply(REC_DESTROY, id_of(2 + (uint32_t)(i % MACHINES), i), "");
		snprintf(topic, sizeof topic, "own/%zu", i);
		apply(REC_UNSUBSCRIBE, first, topic);
	}
	apply(REC_DESTROY, first, "");
	all_gone();
	return work_ms() - began;
}

TEST(linear, "four times as many clients and topics cost some four times the work: there, and one by one gone")
{
	size_t n = t_is_long() ? 250000 : 10000;
	work_is_linear(load_and_leave, n);
}
