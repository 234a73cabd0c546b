/* mom_groups - mom work, mom sub --group, mom groups, mom group, mom dead; and who else tells of groups */
#include <lib/json.h>
#include <lib/proc.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <mom.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct server broker, one;

static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

/* A mom command that has to end with that status; what it printed on both. */
static struct ran
mom(int status, const char *command)
{
	struct ran r = run_command("%s %s", t_bin("mom"), command);
	REQUIRE(r.status == status, "mom %s: exit %d: %s%s", command, r.status, r.out, r.err);
	return r;
}

static void
publish(int count)
{
	for (int i = 0; i < count; i++)
		mom(0, t_text("pub orders/x 'job %d'", i));
}

/* A field of the group in what mom groups says; it is a second late. */
static void
awaits(const char *field, const char *value)
{
	char seen[200] = "";
	WAIT_FOR(json_at(mom(0, t_text("groups --json %s", broker.run)).out, t_text("0.%s", field), seen,
	    sizeof seen) &&
	    strcmp(seen, value) == 0, "%s is %s", field, seen);
}

TEST(worked, "mom work runs its command for each message: what it does well is settled, the rest is tried again, by "
    "its tries and its status dead; the payload is its input and the environment tells the rest")
{
	up();
	mom(0, "group set billing --max-tries 3");
	mom(0, "group bind billing 'orders/#'");
	mom(0, "group bind billing 'orders/#'");
	publish(3);
	struct ran r = mom(0, "work --group billing -C 3 -- sh -c 'cat; echo \" $MOM_JOB_TOPIC $MOM_JOB_GROUP "
	    "$MOM_JOB_TRIES ${#MOM_JOB_ID} ${MOM_JOB_KEY-none}\"'");
	REQUIRE(strcmp(r.out, "job 0 orders/x billing 1 16 none\njob 1 orders/x billing 1 16 none\n"
	    "job 2 orders/x billing 1 16 none\n") == 0, "%s", r.out);
	publish(2);
	r = mom(0, t_text("work --group billing -C 1 --delay 0 -- sh -c 'grep -q 0 && test -e %s || { touch %s; exit "
	    "9; }'",
	    t_path("seen"), t_path("seen")));
	REQUIRE(strstr(r.err, "try 1: exit 9: given back"), "%s", r.err);
	mom(27, "work --group billing -W 0.5 -- sh -c 'exit 100'");
	awaits("dead", "1");
	r = mom(0, t_text("dead billing -v %s", t_text("--db %s", broker.store)));
	REQUIRE(strstr(r.out, " rejected: orders/x job 1\n"), "%s", r.out);
	mom(2, "dead billing nothing");
	mom(1, "dead billing 1234 --retry");
	mom(0, t_text("dead billing %.16s --retry", r.out));
	r = mom(0, "work --group billing -C 1 -- cat");
	REQUIRE(strcmp(r.out, "job 1") == 0, "%s", r.out);
	awaits("dead", "0");
}

TEST(wrong, "wrong uses are told with their cure: no group, no command, a group that is not there, a setting for the "
    "wrong act, a kind that it does not have")
{
	up();
	REQUIRE(strstr(mom(2, "work orders -- cat").err, "--group NAME"), "no group");
	REQUIRE(strstr(mom(2, "work --group g orders").err, "behind --"), "no command");
	REQUIRE(strstr(mom(1, "work --group g -- cat").err, "there is no group g"), "no such group");
	REQUIRE(strstr(mom(1, "sub --group g").err, "there is no group g"), "no such group");
	mom(2, "group");
	mom(2, "group make g");
	mom(2, "group bind g");
	mom(2, "group delete g --max-tries 3");
	mom(2, "group set g --max-tries many");
	REQUIRE(strstr(mom(1, "group set g --ordered --exclusive").err, "leave out MOM_GROUP_ORDERED"), "kinds");
	mom(0, "group set g --ordered");
	REQUIRE(strstr(mom(1, "group set g --exclusive").err, "of another kind"), "kind");
	REQUIRE(strstr(mom(1, "group bind g 'a b'").err, "has a space"), "topic");
	mom(0, "group delete g");
	REQUIRE(strstr(mom(1, "group delete g").err, "there is no group g"), "deleted");
	REQUIRE(strstr(mom(1, t_text("dead g --db %s", broker.store)).err, "there is no group g"), "dead");
}

TEST(shared, "two mom sub of one group share its messages; what one was killed with comes to the other")
{
	up();
	mom(0, "group set g");
	mom(0, "group bind g 'orders/#'");
	struct running a = run_start("exec %s sub --group g --json", t_bin("mom")), b;
	awaits("members", "1");
	b = run_start("exec %s sub --group g --json", t_bin("mom"));
	awaits("members", "2");
	publish(6);
	WAIT_FOR(strstr(t_text("%s%s", t_read_file(a.out), t_read_file(b.out)), "job 5"), "%s%s", t_read_file(a.out),
	    t_read_file(b.out));
	const char *first = t_read_file(a.out), *second = t_read_file(b.out);
	for (int i = 0; i < 6; i++)
		REQUIRE((strstr(first, t_text("job %d", i)) != NULL) + (strstr(second, t_text("job %d",
		    i)) != NULL) == 1,
		    "job %d: %s%s", i, first, second);
	kill(a.pid, SIGKILL);
	run_finish(&a);
	awaits("members", "1");
	kill(b.pid, SIGTERM);
	REQUIRE(run_finish(&b).status == 0, "by TERM");
}

TEST(killed, "a job whose worker is killed in the middle of it goes to another worker, which is told that it is the "
    "second try")
{
	up();
	mom(0, "group set g");
	mom(0, "group bind g orders/x");
	publish(1);
	struct running a = run_start("exec %s work --group g -- sh -c 'echo begun; exec sleep 600'", t_bin("mom"));
	WAIT_FOR(strcmp(t_read_file(a.out), "begun\n") == 0, "%s", t_read_file(a.out));
	pid_t job = proc_find(a.pid, "sleep", 0);
	kill(a.pid, SIGKILL);
	run_finish(&a);
	struct ran r = mom(0, "work --group g -C 1 -- sh -c 'cat; echo \" $MOM_JOB_TRIES\"'");
	REQUIRE(strcmp(r.out, "job 0 2\n") == 0, "%s", r.out);
	if (job)
		kill(job, SIGKILL);
}

TEST(told, "mom doctor and the page for Prometheus tell of a group without workers, and of dead messages")
{
	up();
	mom(0, "group set g --max-tries 1");
	mom(0, "group bind g orders/x");
	publish(2);
	awaits("waiting", "2");
	struct ran r = run_command("%s doctor %s", t_bin("mom"), broker.run);
	REQUIRE(strstr(r.out, "2 messages wait in the group g, which has no worker"), "%s", r.out);
	mom(27, "work --group g -W 0.5 -- false");
	awaits("dead", "2");
	r = run_command("%s doctor %s", t_bin("mom"), broker.run);
	REQUIRE(strstr(r.out, "2 messages of the group g are dead"), "%s", r.out);
	r = run_command("%s stats --prometheus %s", t_bin("mom"), broker.run);
	REQUIRE(strstr(r.out, ",group=\"g\"} 2\n") && strstr(r.out, "mom_group_dead{") && strstr(r.out,
	    "mom_dead_total{"),
	    "%s", r.out);
}
