/* patterns - which patterns match which topics: the cases that MQTT, RabbitMQ and NATS document, and a set of random
 * ones against a matcher that tries everything */
#include <lib/levels.h>
#include <lib/t.h>
#include "format/topic.h"
#include "routing/memo.h"
#include "routing/patterns.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct patterns set;

static void
add(const char *pattern)
{
	const char *fault = pattern_fault(pattern, strlen(pattern));
	REQUIRE(fault == NULL, "%s %s", pattern, fault);
	REQUIRE(patterns_add(&set, pattern, strlen(pattern), (void *)(uintptr_t)pattern) == 0, "no memory");
}

static int
matches(const char *topic, const char *pattern)
{
	void **found;
	int times = 0;
	size_t n = patterns_match(&set, topic, strlen(topic), &found);
	for (size_t i = 0; i < n; i++)
		times += strcmp(found[i], pattern) == 0;
	REQUIRE(times <= 1, "%s matches %s %d times", pattern, topic, times);
	return times;
}

TEST(documented, "what MQTT, RabbitMQ and NATS say of their wildcards holds here")
{
	static const struct { const char *pattern, *topic; int is; } table[] = {
		/* MQTT 5, 4.7.1 */
		{ "sport/tennis/player1/#", "sport/tennis/player1", 1 },
		{ "sport/tennis/player1/#", "sport/tennis/player1/ranking", 1 },
		{ "sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", 1 },
		{ "sport/tennis/player1/#", "sport/tennis/player2", 0 },
		{ "sport/tennis/+", "sport/tennis/player1", 1 }, { "sport/tennis/+", "sport/tennis", 0 },
		{ "sport/tennis/+", "sport/tennis/player1/ranking", 0 },
		{ "sport/+", "sport", 0 }, { "sport/+", "sport/", 1 },
		{ "+/+", "/finance", 1 }, { "/+", "/finance", 1 }, { "+", "/finance", 0 },
		{ "#", "sport/tennis", 1 }, { "#", "/", 1 }, { "#", "a.b", 1 }, { "+", "a", 1 },
		{ "#", "$SYS/clients", 0 }, { "+/clients", "$SYS/clients", 0 }, { "*", "$SYS", 0 },
		/* RabbitMQ, tutorial 5 and its tests of topic exchanges */
		{ "*.orange.*", "quick.orange.rabbit", 1 }, { "*.*.rabbit", "quick.orange.rabbit", 1 },
		{ "lazy.#", "quick.orange.rabbit", 0 }, { "lazy.#", "lazy.orange.new.rabbit", 1 },
		{ "*.orange.*", "quick.orange.new.rabbit", 0 }, { "*.orange.*", "orange", 0 },
		{ "lazy.#", "lazy", 1 }, { "#", "lazy", 1 }, { "a.#.b", "a.b", 1 }, { "a.#.b", "a.x.y.b", 1 },
		{ "a.#.b", "a.x.y.c", 0 }, { "#.a.#", "x.a.y", 1 }, { "#.a.#", "x.b.y", 0 },
		{ "#.a.#.b.#", "b.a.x.b", 1 }, { "#.a.#.b.#", "b.x.a", 0 }, { "*.#.*", "a", 0 }, { "*.#.*", "a.b", 1 },
		{ "a.*.*", "a.b", 0 }, { "a.*.#", "a.b", 1 }, { "*", "a.b", 0 }, { "*.", "a.", 1 },
		/* NATS, subject-based messaging */
		{ "time.*.east", "time.us.east", 1 }, { "time.*.east", "time.us.east.atlanta", 0 },
		{ "time.us.>", "time.us.east.atlanta", 1 }, { "time.us.>", "time.us", 0 }, { ">", "time", 1 },
		{ "*.*.>", "a.b.c", 1 }, { "*.*.>", "a.b", 0 },
		/* what parts the levels: / where there is a / or a + */
		{ "a.b/+", "a.b/c.d", 1 }, { "a/*/c", "a/b.x/c", 1 }, { "a.*", "a.b/c", 1 }, { "+", "a.b", 1 },
		{ "*", "a/b", 1 }, { "a.#", "a/b", 0 }, { "plant/>", "plant/1/temp", 1 }, { "plant/>", "plant", 0 },
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		add(table[i].pattern);
		REQUIRE(matches(table[i].topic, table[i].pattern) == table[i].is, "%s and %s: not %d",
		    table[i].pattern, table[i].topic, table[i].is);
		patterns_remove(&set, table[i].pattern, strlen(table[i].pattern));
		REQUIRE(!matches(table[i].topic, table[i].pattern), "%s is still there", table[i].pattern);
	}
}

TEST(valid, "a wildcard fills its level, and > is the last one")
{
	static const char *const good[] = { "#", "+", "*", ">", "a/+/b", "a.*.b", "a/#/b/#", "a/*/b", "/+", "+/",
	    "a.b/+", "#/+/#", "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/#" },
	    *const bad[] = { "a+", "a/b+", "+a/b", "a.*b", "a.b#", "##", "a/#b", ">.a", "a/>/b", "a.>b", "**", "+*",
	    "a.*/b", "$SYS/#", "a b/#", "", "a/\x01/#", "#/#", "#.>", "a.#.#.b",
	    "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/#" };
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		REQUIRE(pattern_fault(good[i], strlen(good[i])) == NULL && topic_is_pattern(good[i], strlen(good[i])) &&
		    topic_fault(good[i], strlen(good[i])) != NULL, "%s is not taken", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		REQUIRE(pattern_fault(bad[i], strlen(bad[i])) != NULL, "%s is taken", bad[i]);
	REQUIRE(pattern_fault("a/b.c", 5) == NULL && !topic_is_pattern("a/b.c", 5), "a plain topic");
}

/* ---- random ones, against a matcher that tries everything ---- */

enum { LEVELS = 6, MOST = 400, TOPICS = 200, ROUNDS = 60 };

static uint64_t random_state = 1;

static unsigned
pick(unsigned n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(random_state >> 33) % n;
}

static void
random_name(char *name, int wild)
{
	static const char *const plain[] = { "a", "b", "", "aa", "a.b" }, *const all[] = { "+", "*", "#", ">" };
	int dots = pick(2) == 0;
	char *p = name;
	do {
		p = name;
		for (unsigned n = 1 + pick(LEVELS), i = 0; i < n; i++)
			p += sprintf(p, "%s%s", i ? dots ? "." : "/" : "", wild && pick(2) ? all[pick(4)]
			    : plain[pick(5)]);
	} while (p == name || (wild ? !topic_is_pattern(name, strlen(name)) : 0) || pattern_fault(name, strlen(name)));
}

static int
is_in(char (*names)[64], int n, const char *name)
{
	int i = 0;
	while (i < n && strcmp(names[i], name) != 0)
		i++;
	return i < n;
}

TEST(random, "sets of random patterns, which grow and shrink, match what a search of all ways finds, and each once")
{
	static char patterns[MOST][64];
	char topic[64];
	int n = 0;
	long pairs = 0, matched = 0;
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < 40 && n < MOST; i++) {
			do
				random_name(patterns[n], 1);
			while (is_in(patterns, n, patterns[n]));
			add(patterns[n++]);
		}
		for (int i = 0; i < 30; i++) {
			unsigned k = pick((unsigned)n--);
			patterns_remove(&set, patterns[k], strlen(patterns[k]));
			if ((int)k == n)
				continue;
			/* the last one takes its place: its value is where it stands */
			patterns_remove(&set, patterns[n], strlen(patterns[n]));
			memmove(patterns[k], patterns[n], sizeof patterns[k]);
			add(patterns[k]);
		}
		for (int i = 0; i < TOPICS; i++) {
			int times[MOST] = { 0 };
			void **found;
			random_name(topic, 0);
			size_t count = patterns_match(&set, topic, strlen(topic), &found);
			for (size_t k = 0; k < count; k++)
				times[(char (*)[64])found[k] - patterns]++;
			for (int k = 0; k < n; k++, pairs++)
				REQUIRE(times[k] == levels_match(patterns[k], topic), "%s and %s: %d times",
				    patterns[k], topic, times[k]);
			matched += (long)count;
		}
	}
	while (n > 0)
		n--, patterns_remove(&set, patterns[n], strlen(patterns[n]));
	REQUIRE(set.count == 0 && set.nodes <= 2, "%zu nodes are left of no pattern", set.nodes);
	REQUIRE(matched > 1000, "%ld of %ld match: that proves little", matched, pairs);
	t_remark("%ld of %ld pairs match", matched, pairs);
}

TEST(no_explosion, "a pattern of many # costs a walk no more than it has levels, and what is to cost too much is not "
    "walked to its end")
{
	static const char pattern[] = "#/a/#/a/#/a/#/a/#/a/#/a/#/b";
	char topic[256] = "";
	for (int i = 0; i < 120; i++)
		strcat(topic, "a/");
	strcat(topic, "c");
	add(pattern);
	for (int i = 0; i < 1000; i++)
		REQUIRE(!matches(topic, pattern), "it ends with c");
	REQUIRE(patterns_any(&set, topic, strlen(topic), 100) == -1 &&
	    patterns_any(&set, topic, strlen(topic), 100000) == 0 &&
	    patterns_any(&set, "a/a/a/a/a/a/b", 13, 200) == 1, "visits");
	topic[strlen(topic) - 1] = 'b';
	REQUIRE(matches(topic, pattern), "it ends with b");
}

TEST(memo, "what was found out is kept until it is stale, and never takes more than its share")
{
	static struct memo m;
	void *value = NULL;
	char name[32];
	REQUIRE(!memo_get(&m, "a", 1, &value), "an empty one knows nothing");
	REQUIRE(memo_put(&m, "a", 1, NULL, 0) == 0 && memo_get(&m, "a", 1, &value) && value == NULL,
	    "that there is nothing is known, too");
	m.stale = 1;
	REQUIRE(!memo_get(&m, "a", 1, &value), "it is stale");
	for (int i = 0; i < 100000; i++) {
		size_t len = (size_t)sprintf(name, "topic/%d", i);
		REQUIRE(memo_put(&m, name, len, malloc(100), 100) == 0, "no memory");
		REQUIRE(m.bytes <= MEMO_BYTES && memo_get(&m, name, len, &value) && value, "%s, with %zu bytes", name,
		    m.bytes);
	}
	REQUIRE(m.entries.used > 1000, "%zu are kept", m.entries.used);
	size_t len = (size_t)sprintf(name, "large");
	REQUIRE(memo_put(&m, name, len, malloc(2 * MEMO_BYTES), 2 * MEMO_BYTES) == 0 &&
	    memo_get(&m, name, len, &value), "what is larger than all of it is valid until the next");
	memo_clear(&m);
	REQUIRE(m.entries.used == 0 && m.bytes == 0, "it is empty");
}
