/* log_peer - of the lines that peers cause the first are written, the rest is counted; the clock is the test's own */
#include "base/log_peer.h"
#include <lib/t.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct log_kind one;
static uint64_t more;
static uint32_t seconds;

/* how many of so many lines of that peer are written now */
static int
lines(uint64_t peer, int64_t now, int n)
{
	int written = 0;
	for (int i = 0; i < n; i++) {
		int is = log_limit(&one, peer, now, &more, &seconds);
		atomic_fetch_add(&one.more, !is);      /* as log_peer counts it */
		written += is;
	}
	return written;
}

TEST(first_and_count, "the first lines of a peer are written at once, the others are counted, and the sum is right")
{
	REQUIRE(log_limit(&one, 7, 1000, &more, &seconds) == 1 && more == 0, "the first line is not written");
	REQUIRE(lines(7, 1001, 999) == LOG_FIRST - 1, "more than the first lines");
	REQUIRE(log_limit(&one, 7, 1000 + LOG_PEER_MS - 1, &more, &seconds) == 0 && more == 0, "told too early");
	atomic_fetch_add(&one.more, 1);
	REQUIRE(log_limit(&one, 7, 1000 + LOG_PEER_MS, &more, &seconds) == 1, "no line in the next ten seconds");
	REQUIRE(more == 1001 - LOG_FIRST && seconds == 10, "%llu in %u s", (unsigned long long)more, seconds);
}

TEST(others, "a peer without end hides no other's first line; who has one number counts as one")
{
	lines(1, 1000, 100000);
	for (uint64_t peer = 2; peer <= LOG_PEERS; peer++)
		REQUIRE(lines(peer, 1001, 100) == LOG_FIRST, "peer %llu", (unsigned long long)peer);
	REQUIRE(lines(99, 1002, 1) == 0, "a peer more than there are places");
	REQUIRE(lines(99, 1002 + LOG_PEER_MS, 1) == 1, "its line stays hidden");
	REQUIRE(log_peer_of("10.0.0.1:77") == log_peer_of("10.0.0.1:4711"), "another port is another peer");
	REQUIRE(log_peer_of("10.0.0.1:77") != log_peer_of("10.0.0.2:77"), "two addresses are one peer");
}

TEST(bounded, "however many peers, lines and seconds: each ten seconds have a bounded number of lines")
{
	struct t_rng rng;
	t_rng_init(&rng, 1);
	for (int64_t now = 1; now < 100 * LOG_PEER_MS; now += LOG_PEER_MS) {
		int written = 0;
		for (int i = 0; i < 10000; i++)
			written += lines(t_rng_next(&rng), now + i % LOG_PEER_MS, 1);
		REQUIRE(written <= LOG_PEERS * LOG_FIRST, "%d lines", written);
	}
}

TEST(tick, "a tick tells what was held back though no line comes any more, once, and not too early")
{
	lines(1, 1000, 50);
	REQUIRE(log_limit_turn(&one, 1000 + LOG_PEER_MS - 1, 0, &seconds) == 0, "too early");
	REQUIRE(log_limit_turn(&one, 1000 + 3 * LOG_PEER_MS, 0, &seconds) == 50 - LOG_FIRST, "not told");
	REQUIRE(seconds == 30, "%u", seconds);
	REQUIRE(log_limit_turn(&one, 1000 + 5 * LOG_PEER_MS, 0, &seconds) == 0, "twice");
	lines(1, 1000 + 5 * LOG_PEER_MS, 50);
	REQUIRE(log_limit_turn(&one, 1001 + 5 * LOG_PEER_MS, 1, &seconds) == 50 - LOG_FIRST, "not at the end");
}

TEST(kinds, "each format is a kind, in the same place for all processes; more than there is room for share")
{
	static struct log_limits l;
	char format[LOG_KINDS * 2][20];
	struct log_kind *first = log_limit_of(&l, "a line");
	for (int i = 0; i < LOG_KINDS * 2; i++) {
		snprintf(format[i], sizeof format[i], "line %d", i);
		REQUIRE(log_limit_of(&l, format[i]), "no place");
	}
	REQUIRE(log_limit_of(&l, "a line") == first && log_limit_of(&l, format[0]) != first, "the place is another");
}

static void
two_lines(void *unused)
{
	(void)unused;
	for (int i = 0; i < 1000; i++)
		log_peer(LOG_FROM_WARN, 1, "peer %d made an error", 1);
	for (int i = 0; i < 1000; i++)
		log_peer(LOG_FROM_DEBUG, 1, "peer %d is unwanted", 1);
}

static long
count_of(const char *text, const char *words)
{
	long n = 0;
	while ((text = strstr(text, words)) != NULL) {
		n++;
		text++;
	}
	return n;
}

/* to a file of its own: what this process writes on descriptor 2 */
TEST(shared, "processes that share limits, and come and go, are limited as one; the last to leave tells the sum")
{
	struct log_limits *l = t_shared_memory(sizeof *l);
	char *path = t_path("log");
	REQUIRE(log_to_file(path) == 0, "%s", path);
	log_init("here", 0);
	log_peers_share(l);
	for (int i = 0; i < 5; i++)
		REQUIRE(t_join(t_spawn(two_lines, NULL)) == 0, "a process failed");
	log_peers_tell(0);
	char *text = t_read_file(path);
	REQUIRE(count_of(text, "peer 1 made an error") == LOG_FIRST && strstr(text, "warn: peer 1 made"), "%s", text);
	log_peers_end();
	text = t_read_file(path);
	REQUIRE(strstr(text, t_text("and %d more like this in ", 5000 - LOG_FIRST)), "%s", text);
	REQUIRE(strstr(text, " s, one of them: here["), "%s", text);
	REQUIRE(count_of(text, "\n") == LOG_FIRST + 1 && strstr(text, "unwanted") == NULL, "%s", text);
}
