/* topic - names: which are valid, where their files lie */
#include <lib/t.h>
#include "format/topic.h"
#include <mom.h>
#include <stdlib.h>
#include <string.h>

static int ok(const char *t) { return topic_fault(t, strlen(t)) == NULL; }

TEST(valid, "1 to 255 bytes of UTF-8 without control characters, spaces, reserved letters")
{
	char long_name[300];
	memset(long_name, 'a', sizeof long_name);
	REQUIRE(ok("news") && ok("a/b.c") && ok("/") && ok("../../etc/passwd") &&
	    ok("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80") && ok("a$"), "valid ones");
	REQUIRE(topic_fault(long_name, 255) == NULL && topic_fault(long_name, 256) != NULL &&
	    topic_fault("", 0) != NULL, "lengths");
	const char *bad[] = { "a b", "a\tb", "a*", "#", "x+", "a>b", "$sys", "\xc3", "\xc0\x80", "\xed\xa0\x80",
	    "\xf4\x90\x80\x80", "\x7f", "\xc2\x85", "\xff" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		REQUIRE(!ok(bad[i]), "number %zu is taken as valid", i);
}

static void
round_trip(const char *topic)
{
	char path[TOPIC_PATH_MAX], back[MOM_TOPIC_MAX + 1], *rest = NULL;
	topic_path(topic, strlen(topic), path);
	REQUIRE(path[0] != '/' && strstr(path, "//") == NULL, "%s", path);
	REQUIRE(topic_from_path(path, back) == 0 && strcmp(back, topic) == 0, "%s came back as %s", path, back);
	for (char *level = strtok_r(path, "/", &rest); level; level = strtok_r(NULL, "/", &rest))
		REQUIRE(level[0] != '.' && strlen(level) < 255 && strcmp(level, "subscribers") != 0, "level %s", level);
}

TEST(paths, "no topic's files leave their folder; each name comes back from its path")
{
	char t[256];
	round_trip("news");
	round_trip("../../etc/passwd");
	round_trip("subscribers");
	round_trip("a/subscribers/b");
	round_trip(".hidden/..");
	memset(t, '/', 255);
	t[255] = 0;
	round_trip(t);
	memset(t, '%', 255);
	round_trip(t);
	memset(t, '.', 255);
	round_trip(t);
	for (int i = 0; i < 85; i++)
		memcpy(t + 3 * i, "\xe2\x82\xac", 3);
	round_trip(t);
	for (unsigned seed = 1; seed < 20000; seed++) {
		unsigned x = seed * 2654435761u, n = 1 + x % 250;
		for (unsigned i = 0; i < n; i++) {
			x = x * 1664525 + 1013904223;
			t[i] = "ab./%-_~!s"[x >> 16 & 7];
		}
		t[n] = 0;
		round_trip(t);
	}
}
