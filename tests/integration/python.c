/* python - src/api/mom.py does what mom.h does, and what a Python program expects besides; python.py has the Python
 * half */
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server broker, one;

/* 0: there is no python3 here, or no shared library (of a build with a sanitizer) */
static int
up(void)
{
	if (run_command("python3 -c 'import ctypes, sys; sys.exit(sys.version_info < (3, 7))'").status != 0) {
		t_remark("left out: there is no python3 (3.7 or newer) with ctypes");
		return 0;
	}
	if (access(t_bin("../lib/libmom.so"), R_OK) < 0) {
		t_remark("left out: this build has no libmom.so");
		return 0;
	}
	setenv("MOM_LIB", t_bin("../lib/libmom.so"), 1);
	setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	return 1;
}

static void
python(const char *name)
{
	struct ran r = run_command("python3 -W error::ResourceWarning '%s/tests/integration/python.py' %s", SOURCE,
	    name);
	REQUIRE(r.status == 0 && strcmp(r.out, "done\n") == 0, "exit %d\n%s%s", r.status, r.out, r.err);
}

TEST(exchange, "what Python publishes, of every kind and in every way, Python receives: whole, in order, with its "
    "fields")
{
	if (up())
		python("exchange");
}

TEST(groups, "Python programs are members of groups: each job comes once, comes back where it is not settled, and is "
    "settled in any order")
{
	if (up())
		python("groups");
}

TEST(event_loop, "fileno lets asyncio wait for two clients at once: all their messages come, in order")
{
	if (up())
		python("event_loop");
}

/* ---- Python as a partner that answers ---- */

struct partner { pid_t pid; FILE *out; int in; };

static struct partner
partner_start(const char *name)
{
	int to[2], from[2];
	REQUIRE(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0, "pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0) {
		sigset_t none;
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		/* ignored where the tests run in the background; Python would leave it so */
		signal(SIGINT, SIG_DFL);
		dup2(to[0], 0);
		dup2(from[1], 1);
		execlp("python3", "python3", t_text("%s/tests/integration/python.py", SOURCE), name, (char *)NULL);
		_exit(127);
	}
	REQUIRE(pid > 0, "fork: %s", strerror(errno));
	close(to[0]);
	close(from[1]);
	return (struct partner){ pid, fdopen(from[0], "r"), to[1] };
}

static void
partner_says(struct partner *p, const char *line)
{
	char got[200] = "";
	REQUIRE(fgets(got, sizeof got, p->out) && strncmp(got, line, strlen(line)) == 0, "wanted %s, got %s", line,
	    got);
}

static void
partner_go_on(struct partner *p)
{
	REQUIRE(write(p->in, "\n", 1) == 1, "write: %s", strerror(errno));
}

static void
partner_end(struct partner *p)
{
	partner_says(p, "done");
	int status = t_join(p->pid);
	REQUIRE(status == 0, "python.py ended with wait status 0x%x", status);
}

TEST(both_languages, "a C program and a Python program exchange messages of all sizes, the same bytes both ways")
{
	static const size_t sizes[] = { 0, 1, 3, 100, 101, 4096, 70001, 300000, MOM_MESSAGE_MAX };
	if (!up())
		return;
	struct mom_message m;
	char *bytes = malloc(MOM_MESSAGE_MAX);
	int id = talk_create();
	talk_subscribe(id, "out");
	struct partner p = partner_start("answer");
	hear(id, "out", "ready");
	for (unsigned i = 0; i < 27; i++) {
		size_t len = sizes[i % 9];
		for (size_t k = 0; k < len; k++)
			bytes[k] = (char)(k * 31 + i);
		REQUIRE(mom_publish(id, "in", bytes, len, i % 2 ? MOM_FAST : 0) == 0, "%s", mom_error_text(id));
		REQUIRE(mom_receive(id, &m, 20000) == 0, "%u: %s", i, mom_error_text(id));
		REQUIRE(strcmp(m.topic, "out") == 0 && m.len == len && memcmp(m.data, bytes, len) == 0 &&
		    m.publisher != mom_global_id(id), "%u: %zu bytes of %zu", i,
		    m.len, len);
	}
	say(id, "in", "end");
	partner_end(&p);
	bye(id);
}

TEST(errors, "each code of mom.h is an exception of its own with the library's text; fork, close and use after close "
    "are safe")
{
	if (up())
		python("errors");
}

TEST(durable, "a durable Python client that is killed gets what it had not acknowledged again, flagged, and nothing "
    "else")
{
	if (!up())
		return;
	struct ran r = run_command("python3 '%s/tests/integration/python.py' durable_first", SOURCE);
	REQUIRE(strcmp(r.out, "") == 0 && r.status == 128 + 9, "exit %d\n%s%s", r.status, r.out, r.err);
	python("durable_again");
}

TEST(ctrl_c, "Ctrl-C ends receive, a for loop, publish, subscribe, flush, close and Client(), also while the broker "
    "does not answer; other signals end none")
{
	if (!up())
		return;
	struct partner p = partner_start("ctrl_c");
	partner_says(&p, "stop it");
	server_stop(&broker);
	partner_go_on(&p);
	partner_end(&p);
}

TEST(threads, "a client in each of several threads works; one client in two threads at once is refused by name and "
    "stays sound")
{
	if (up())
		python("threads");
}

TEST(exiting, "a client can be made where no thread can be had, as at the interpreter's exit; math.inf is for ever")
{
	if (up())
		python("exiting");
}

TEST(outage, "a publish while the broker is away says Timeout; flush after its return says all is stored, once")
{
	if (!up())
		return;
	struct partner p = partner_start("outage");
	partner_says(&p, "stop it");
	server_stop(&broker);
	partner_go_on(&p);
	partner_says(&p, "start it");
	server_start(&broker);
	partner_go_on(&p);
	partner_end(&p);
}

TEST(documentation, "every example in mom.py's documentation is true; a client that was not closed is warned of; "
    "MOM_LIB names the library")
{
	if (!up())
		return;
	python("examples");
	struct ran r = run_command("python3 '%s/tests/integration/python.py' warned", SOURCE);
	REQUIRE(r.status == 0, "%s%s", r.out, r.err);
	python("library");
	r = run_command("python3 '%s/src/examples/hello/hello.py' greetings 'good morning'", SOURCE);
	REQUIRE(r.status == 0 && strcmp(r.out, "greetings: good morning\n") == 0, "exit %d\n%s%s", r.status, r.out,
	    r.err);
}
