/* examples - the examples of src/examples hold what their summaries say: over one daemon, over two, and over the
 * broker's death in the middle */
#include <lib/server.h>
#include <lib/t.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server broker, one, two;

struct example { const char *command, *out; };

static void
run(void *argument)
{
	const struct example *e = argument;
	int status = system(t_text("%s >'%s' 2>&1 </dev/null", e->command, e->out));
	REQUIRE(status == 0, "wait status %d of %s\n%s", status, e->command, t_read_file(e->out));
}

/* A long one takes longer than t_join's patience: the runner's limit is its own. */
static void
finishes(pid_t pid)
{
	int status = 0;
	pid_t got;
	while ((got = waitpid(pid, &status, WNOHANG)) == 0)
		t_tick();
	REQUIRE(got == pid && status == 0, "wait status %d", status);
}

static void
up(int daemons)
{
	broker_start(&broker, "broker", 0, daemons == 2 ? "--workers 4" : NULL);
	daemon_start(&one, "one", broker.port);
	if (daemons == 2)
		daemon_start(&two, "two", broker.port);
}

static void
is_held(const struct example *e, const char *summary)
{
	const char *out = t_read_file(e->out);
	REQUIRE(strstr(out, summary), "no summary \"%s\" in\n%s", summary, out);
}

/* arguments: what makes it short here, and long with LONG=1 */
static struct example
example(const char *name, const char *brief, const char *full, int daemons)
{
	char *other = daemons == 2 ? t_text("--other '%s'", two.run) : t_text(" ");
	return (struct example){ t_text("MOM_RUN='%s' BIN='%s' '%s/example_%s' %s %s", one.run, t_bin("."), EXAMPLES,
	    name, other, t_is_long() ? full : brief), t_path("example.out") };
}

static void
quietly(const char *name, const char *brief, const char *full, int daemons)
{
	up(daemons);
	struct example e = example(name, brief, full, daemons);
	finishes(t_spawn(run, &e));
	is_held(&e, t_text("example %s: all held", name));
}

/* The broker is killed, with all its children, when the example has said `when`. */
static void
broker_killed(const char *name, const char *brief, const char *full, const char *when)
{
	up(2);
	struct example e = example(name, brief, full, 2);
	pid_t pid = t_spawn(run, &e);
	while (!strstr(t_read_file(e.out), when)) {
		REQUIRE(kill(pid, 0) == 0 && waitpid(pid, NULL, WNOHANG) == 0, "it ended early:\n%s",
		    t_read_file(e.out));
		t_tick();
	}
	server_kill_all(&broker);
	server_start(&broker);
	finishes(pid);
	is_held(&e, t_text("example %s: all held", name));
}

#define RPC_BRIEF "--calls 60 --jobs 3"
#define RPC_FULL  "--calls 1000 --drop 20 --twice 20"

TEST(rpc, "rpc over one daemon: executions are as promised though messages are dropped and doubled; errors, long "
    "polling, push")
{
	quietly("rpc", RPC_BRIEF, RPC_FULL, 1);
}

TEST(rpc_two_daemons, "rpc over two daemons and a broker with four workers")
{
	quietly("rpc", RPC_BRIEF, RPC_FULL, 2);
}

TEST(rpc_broker_killed, "rpc while the broker is killed and comes back")
{
	broker_killed("rpc", RPC_BRIEF, RPC_FULL, "at least once of");
}

TEST(exchanges, "exchanges over one daemon: fanout, direct and topic; a named queue that is shared, a task queue whose "
    "worker is killed, an anonymous queue")
{
	quietly("exchanges", "--jobs 200", "--jobs 20000", 1);
}

TEST(exchanges_two_daemons, "exchanges over two daemons and a broker with four workers")
{
	quietly("exchanges", "--jobs 200", "--jobs 20000", 2);
}

#define OBJECTS_BRIEF "--workers 3 --calls 150 --pause 2"
#define OBJECTS_FULL  "--workers 6 --calls 3000 --pause 5"

TEST(objects, "objects over one daemon: a counter and a list move to and fro under load, no call is lost, none done "
    "twice; what nobody holds is freed")
{
	quietly("objects", OBJECTS_BRIEF, OBJECTS_FULL, 1);
}

TEST(objects_two_daemons, "objects between hosts on two daemons, by a broker with four workers")
{
	quietly("objects", OBJECTS_BRIEF, OBJECTS_FULL, 2);
}

TEST(objects_broker_killed, "objects while the broker is killed, and comes back, three times")
{
	up(2);
	struct example e = example("objects", "--workers 3 --calls 400 --pause 5", OBJECTS_FULL, 2);
	pid_t pid = t_spawn(run, &e);
	for (int i = 0; i < 3; i++) {
		t_sleep_ms(150);                       /* in the middle of what it does: where is not known */
		server_kill_all(&broker);
		server_start(&broker);
	}
	finishes(pid);
	is_held(&e, "example objects: all held");
}

#define PHILOSOPHERS_BRIEF "--think 20 --kills 5"
#define PHILOSOPHERS_FEW   "--philosophers 10 --think 20 --kills 2"
#define PHILOSOPHERS_FULL  "--think 50 --items 30 --kills 20"

TEST(philosophers, "philosophers over one daemon, ten of them, while coordinators are killed and brought back: it "
    "ends, all is consumed once")
{
	quietly("philosophers", PHILOSOPHERS_FEW, PHILOSOPHERS_FULL, 1);
}

TEST(philosophers_two_daemons, "thirty philosophers on two daemons, their coordinators too, one of which is killed and "
    "brought back five times")
{
	quietly("philosophers", PHILOSOPHERS_BRIEF, PHILOSOPHERS_FULL, 2);
}

TEST(philosophers_broker_killed, "philosophers while coordinators and the broker are killed and come back")
{
	broker_killed("philosophers", PHILOSOPHERS_FEW, PHILOSOPHERS_FULL, "half of the items");
}

#define MUSEUM_BRIEF "--arrive 30 --walk 120 --tour 120 --timer 200"
#define MUSEUM_FULL  "--persons 100 --arrive 50 --walk 300 --tour 400 --timer 700 --coordinators 3"

TEST(museum, "museum over one daemon: never more than six inside, no tour of more than three, all go home, six places "
    "free")
{
	quietly("museum", MUSEUM_BRIEF, MUSEUM_FULL, 1);
}

TEST(museum_two_daemons, "museum with doors, people and coordinators on two daemons")
{
	quietly("museum", MUSEUM_BRIEF, MUSEUM_FULL, 2);
}

TEST(museum_broker_killed, "museum while the broker is killed and comes back")
{
	broker_killed("museum", MUSEUM_BRIEF, MUSEUM_FULL, "half of the persons");
}
