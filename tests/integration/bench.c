/* bench - mom_bench: each workload runs and is checked, a check that fails is told, wrong use too, nothing is left
 * behind */
#include <lib/run.h>
#include <lib/sysv.h>
#include <lib/t.h>
#include <stdlib.h>
#include <string.h>

/* short, with its servers' folder in the case's */
static struct ran
bench(const char *arguments)
{
	return run_command("mkdir -p '%s' && TMPDIR='%s' MOM_RUN= '%s' --repeat 1 %s", t_path("tmp"), t_path("tmp"),
	    t_bin("mom_bench"), arguments);
}

static void
leaves_nothing(void)
{
	char text[400];
	struct ran r = run_command("ls '%s'", t_path("tmp"));
	REQUIRE(r.out[0] == '\0', "left behind: %s", r.out);
	if (sysv_left(t_dir(), text, sizeof text))
		t_fail(__FILE__, __LINE__, "no System V object", "%s", text);
}

static double
number_of(const char *line, const char *name)
{
	const char *key = t_text("\"%s\":", name), *at = strstr(line, key);
	REQUIRE(at, "no %s in: %s", key, line);
	return strtod(at + strlen(key), NULL);
}

/* Braces and quotes of a line that has none in its texts. */
static int
is_sound(const char *line)
{
	int depth = 0, quotes = 0;
	for (const char *c = line; *c && *c != '\n'; c++) {
		quotes += *c == '"';
		depth += *c == '{' ? 1 : *c == '}' ? -1 : 0;
		if (depth == 0 && c[1] != '\n')
			return 0;
	}
	return depth == 0 && quotes % 2 == 0;
}

static void
figures(const char *arguments, const char *const variants[])
{
	struct ran r = bench(t_text("--json --seconds 0.03 --many 20 %s", arguments));
	REQUIRE(r.status == 0 && r.err[0] == '\0', "status %d: %s", r.status, r.err);
	const char *line = r.out;
	for (; *variants; variants++) {
		REQUIRE(strstr(line, t_text("\"variant\":\"%s\"", *variants)), "%s is not the next of: %s", *variants,
		    line);
		const char *end = strchr(line, '\n');
		REQUIRE(end && is_sound(line) && strncmp(line, "{\"workload\":\"", 13) == 0, "%s", line);
		char *one = t_text("%.*s", (int)(end - line), line);
		REQUIRE(number_of(one, "median") > 0 || strncmp(*variants, "per-", 4) == 0, "%s", one);
		REQUIRE(number_of(one, "lost") + number_of(one, "doubled") + number_of(one, "changed") + number_of(one,
		    "out_of_order") == 0, "%s", one);
		if (strstr(one, "cpu_us"))
			REQUIRE(number_of(one, "all") > 0 && number_of(one, "switches_per_message") > 0 &&
			    strstr(one, "\"forwarder\":{\"user\":"), "%s", one);
		line = end + 1;
	}
	REQUIRE(*line == '\0', "more than was wanted: %s", line);
	leaves_nothing();
}
#define FIGURES(arguments, ...) figures(arguments, (const char *const[]){ __VA_ARGS__, NULL })

TEST(busy, "W9 says what is left beside busy loops, of which none stays")
{
	FIGURES("W9", "64B-busy", "8pub-busy", "rtt-p50-busy", "rtt-p99-busy", "rtt-p99.9-busy", "sync-busy");
}

TEST(streams, "W1, W2, W7 and W8 say what was delivered")
{
	FIGURES("W1 W2 W7 W8", "64B", "256B", "1KiB", "16KiB", "64B", "1KiB", "20topics", "8pub");
}

TEST(there_and_back, "W3 says the round trip, with all cores and with one; W5 the publishes that wait")
{
	FIGURES("W3 W5", "rtt-p50", "rtt-p99", "rtt-p99.9", "rtt-p50-1core", "rtt-p99-1core", "rtt-p99.9-1core",
	    "sync");
}

TEST(durable, "W4 says what was acknowledged, and reads it all back; W6 start-up and memory")
{
	FIGURES("W4 W6", "window1", "window1000", "8pub-window125", "startup", "idle-pss", "per-idle-client",
	    "per-topic", "per-idle-subscriber");
}

TEST(own, "a workload of one's own, by its flags; a table without --json")
{
	FIGURES("--size 100 --count 50 --publishers 3 --subscribers 2 --topics 5 --durable", "100B-3to2-durable");
	struct ran r = bench("--latency --count 20");
	REQUIRE(r.status == 0 && strstr(r.out, "us/message:") && strstr(r.out, "\nown         rtt-p50 "),
	    "status %d: %s%s", r.status, r.out, r.err);
	leaves_nothing();
}

TEST(scale, "scale grows one thing at a time, as far as it is told")
{
	FIGURES("scale --most 5 machines subscribed", "1", "1 published", "5", "5 published", "1", "1 published",
	    "1 subscribes");
	FIGURES("scale --most 1 subscribers workers", "1", "1 published", "1");
	FIGURES("scale --most 1000 published", "1", "1000");
	FIGURES("scale --most 0.01 backlog", "0 GB", "0 GB drained");
}

TEST(the_check_fails, "a message that is left out ends the bench with 1 and the text says lost")
{
	const char *const workload[] = { "W1 --size 64", "W3", "W4" };
	for (int i = 0; i < 3; i++) {
		setenv("MOM_BENCH_FAULT", "lose", 1);
		struct ran r = bench(t_text("--seconds 0.03 %s", workload[i]));
		unsetenv("MOM_BENCH_FAULT");
		REQUIRE(r.status == 1 && strstr(r.err, "1 lost"), "%s: status %d: %s%s", workload[i], r.status, r.out,
		    r.err);
		leaves_nothing();
	}
}

TEST(wrong_use, "wrong use exits 100 before anything starts, with the cure")
{
	const char *const wrong[] = { "W99", "scale W1", "--nope", "--seconds", "--seconds 0", "--repeat 100",
	    "--size 23 W1", "W4 --size 64", "W1 --count 3",
		"W6 --run /nowhere", "scale --run /nowhere", "--most 3 W1" };
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct ran r = bench(wrong[i]);
		REQUIRE(r.status == 100 && r.out[0] == '\0' && strstr(r.err, "mom_bench --help"), "%s: status %d: %s%s",
		    wrong[i], r.status, r.out, r.err);
	}
	struct ran r = bench("--run /nowhere W5");
	REQUIRE(r.status == 111 && strstr(r.err, "mom_daemon"), "status %d: %s", r.status, r.err);
	r = bench("--help");
	REQUIRE(r.status == 0 && strstr(r.out, "usage: mom_bench") && strstr(r.out, "--json"), "status %d: %s",
	    r.status, r.out);
	leaves_nothing();
}

TEST(interrupted, "a signal ends its clients and servers and removes their folder")
{
	struct ran r = run_command("mkdir '%s' && TMPDIR='%s' MOM_RUN= '%s' W1 --seconds 60 & i=0; "
	    "while [ ! -e '%s'/*/d0 ] && [ $i -lt 1000 ]; do i=$((i+1)); sleep 0.01; done; kill -TERM $!; wait $!",
	    t_path("tmp"), t_path("tmp"), t_bin("mom_bench"), t_path("tmp"));
	REQUIRE(r.status == 130 && strstr(r.err, "ended by signal 15"), "status %d: %s%s", r.status, r.out, r.err);
	leaves_nothing();
}
