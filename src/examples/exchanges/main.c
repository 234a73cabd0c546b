/* main - the example: what other systems call exchanges and queues, each in a few lines: fanout, direct and topic
 * exchanges; a named queue whose workers share it, a task queue of which a worker is killed in the middle of a job, an
 * anonymous queue that ends with its owner
 *
 *   example_exchanges [--jobs N] [--other RUN]
 *
 * --jobs: of the task queue. --other: the run folder of the daemon that every second worker uses; else that of this
 * program (MOM_RUN). Exit 0: all held. */
#include "../held.h"
#include <getopt.h>
#include <mom.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 3, JOBS_MOST = 100000, WAIT_MS = 20000, QUIET_MS = 300 };
static struct { long jobs; const char *other; } opt = { .jobs = 300 };

static void
must(int code, int id, const char *what)
{
	if (code >= 0)
		return;
	fprintf(stderr, "exchanges: %s: %s\n", what, mom_error_text(id));
	exit(1);
}

static int
client(void)
{
	int id = mom_create();
	must(id, -1, "a client");
	return id;
}

static void
publish(int id, const char *topic, const char *text)
{
	must(mom_publish(id, topic, text, strlen(text), 0), id, topic);
}

/* Does that come next, and nothing else? text NULL: nothing does. */
static int
hears(int id, const char *text)
{
	struct mom_message m;
	int e = mom_receive(id, &m, text ? WAIT_MS : QUIET_MS);
	if (e == MOM_ETIMEDOUT)
		return text == NULL;
	must(e, id, "receive");
	return text && m.len == strlen(text) && memcmp(m.data, text, m.len) == 0;
}

/* ---- exchanges ---- */

/* Each subscriber of a topic gets each message. */
static void
fanout(void)
{
	int sender = client(), a = client(), b = client();
	must(mom_subscribe(a, "logs", 0), a, "subscribe");
	must(mom_subscribe(b, "logs", 0), b, "subscribe");
	publish(sender, "logs", "started");
	held(hears(a, "started") && hears(b, "started"), "fanout: each of two consumers got the message");
	mom_destroy(a);
	mom_destroy(b);
	mom_destroy(sender);
}

/* A routing key is a topic: whoever binds it gets its messages, and no others. */
static void
direct(void)
{
	int sender = client(), errors = client(), all = client();
	must(mom_subscribe(errors, "log.error", 0), errors, "subscribe");
	must(mom_subscribe(all, "log.error", 0), all, "subscribe");
	must(mom_subscribe(all, "log.info", 0), all, "subscribe");
	publish(sender, "log.info", "hello");
	publish(sender, "log.error", "disk");
	held(hears(errors, "disk") && hears(all, "hello") && hears(all, "disk") && hears(errors, NULL),
	    "direct: each consumer got the keys that it is bound to");
	mom_destroy(errors);
	mom_destroy(all);
	mom_destroy(sender);
}

/* The patterns of the tutorials, and where they end. */
static void
topic(void)
{
	static const struct { const char *pattern, *key; int matches; } cases[] = {
		{ "*.orange.*", "quick.orange.rabbit", 1 }, { "*.*.rabbit", "quick.orange.rabbit", 1 },
		{ "lazy.#", "lazy.orange.elephant", 1 }, { "*.orange.*", "quick.brown.fox", 0 },
		{ "lazy.#", "lazy.brown.fox", 1 }, { "*.orange.*", "quick.orange.new.rabbit", 0 },
		{ "lazy.#", "lazy.orange.new.rabbit", 1 }, { "*.orange.*", "orange", 0 },
		{ "lazy.#", "lazy", 1 }, { "#", "a.b.c", 1 }, { "#.c", "a.b.c", 1 }, { "#.c", "c", 1 },
		{ "a.#.c", "a.c", 1 }, { "a.#.c", "a.x.y.c", 1 }, { "a.*.c", "a.c", 0 }, { "*", "a", 1 },
		{ "*", "a.b", 0 }, { "*.#", "a", 1 }, { "#.*", "a.b", 1 }, { "a.*.#", "a", 0 },
	};
	int sender = client(), good = 0, count = sizeof cases / sizeof *cases;
	for (int i = 0; i < count; i++) {
		int id = client();
		must(mom_subscribe(id, cases[i].pattern, 0), id, cases[i].pattern);
		publish(sender, cases[i].key, "x");
		good += hears(id, cases[i].matches ? "x" : NULL);
		mom_destroy(id);
	}
	held(good == count, "topic: %d of %d patterns matched as they should", good, count);
	mom_destroy(sender);
}

/* ---- queues ---- */

/* What the processes tell each other outside MOM: only who had what. */
static volatile struct shared { int got[JOBS_MOST], by[WORKERS + 1], done, begun; } *shared;

static pid_t
worker(int number, const char *queue, int is_slow)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid < 0)
		perror("fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (opt.other && number % 2 == 1 && setenv("MOM_RUN", opt.other, 1) < 0)
		_exit(1);
	int id = client();
	struct mom_message m;
	must(mom_join(id, queue, NULL, 0), id, "join");
	while (mom_receive(id, &m, WAIT_MS) == 0) {
		char text[16] = "";
		memcpy(text, m.data, m.len < 15 ? m.len : 15);
		if (is_slow) {                 /* a long job: it never comes to its end */
			shared->begun = 1;
			pause();
		}
		shared->got[atoi(text)]++;
		shared->by[number]++;
		__sync_fetch_and_add(&shared->done, 1);
	}
	_exit(0);
}

static int
wait_for(volatile int *word, int value)
{
	for (int i = 0; i < WAIT_MS / 10 && *word < value; i++)
		usleep(10000);
	return *word >= value;
}

static void
make_queue(int id, const char *name, const char *pattern)
{
	must(mom_group_set(id, name, NULL), id, name);
	must(mom_group_bind(id, name, pattern), id, pattern);
}

static void
publish_jobs(int id, const char *topic, long count)
{
	for (long i = 0; i < count; i++) {
		char text[24];
		snprintf(text, sizeof text, "%ld", i);
		/* durable and fast messages in one queue */
		must(mom_publish(id, topic, text, strlen(text), MOM_ASYNC | (i % 2 ? MOM_FAST : 0)), id, topic);
	}
	must(mom_flush(id, -1), id, "flush");
}

static int
each_once(long count)
{
	long n = 0;
	for (long i = 0; i < count; i++)
		n += shared->got[i] == 1;
	return n == count;
}

static void
end_worker(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* A queue has a name; it collects while nobody works, and its workers share what is in it. */
static void
named_queue(void)
{
	int id = client();
	pid_t pids[WORKERS];
	memset((void *)(uintptr_t)shared, 0, sizeof *shared);
	make_queue(id, "orders", "shop/orders/#");
	publish_jobs(id, "shop/orders/book", opt.jobs);
	for (int i = 0; i < WORKERS; i++)
		pids[i] = worker(i, "orders", 0);
	int all = wait_for(&shared->done, (int)opt.jobs);
	held(all && each_once(opt.jobs), "named queue: %d workers shared %ld messages (%d, %d and %d), each once",
	    WORKERS,
	    opt.jobs, shared->by[0], shared->by[1], shared->by[2]);
	for (int i = 0; i < WORKERS; i++)
		end_worker(pids[i]);
	while (mom_group_delete(id, "orders") == MOM_EBUSY)
		usleep(10000);                 /* until the broker knows that they are gone */
	mom_destroy(id);
}

/* A worker is killed in the middle of its job: another one does the job. */
static void
task_queue(void)
{
	int id = client();
	pid_t slow, pids[WORKERS];
	memset((void *)(uintptr_t)shared, 0, sizeof *shared);
	make_queue(id, "tasks", "tasks");
	publish_jobs(id, "tasks", opt.jobs);
	slow = worker(WORKERS, "tasks", 1);
	int begun = wait_for(&shared->begun, 1);
	for (int i = 0; i < WORKERS; i++)
		pids[i] = worker(i, "tasks", 0);
	int others = wait_for(&shared->done, (int)opt.jobs - 1);
	end_worker(slow);
	int all = wait_for(&shared->done, (int)opt.jobs);
	held(begun && others && all && each_once(opt.jobs), "task queue: the job of a worker that was killed in the "
	    "middle of it was done by another; each of %ld once", opt.jobs);
	for (int i = 0; i < WORKERS; i++)
		end_worker(pids[i]);
	while (mom_group_delete(id, "tasks") == MOM_EBUSY)
		usleep(10000);
	mom_destroy(id);
}

/* A queue that nobody knows by name but its owner, and that ends with it. */
static void
anonymous_queue(void)
{
	char name[40];
	int sender = client(), owner = client();
	snprintf(name, sizeof name, "anonymous-%016llx", (unsigned long long)mom_global_id(owner));
	must(mom_join(owner, name, "news/#", MOM_GROUP_TEMPORARY), owner, "join");
	publish(sender, "news/today", "rain");
	int got = hears(owner, "rain");
	mom_destroy(owner);
	int e = mom_join(sender, name, NULL, 0);
	held(got && e == MOM_ENOGROUP, "anonymous queue: it ended with its owner");
	mom_destroy(sender);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "jobs", 1, 0, 'j' }, { "other", 1, 0, 'o' }, { 0 } };
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (o == 'j')
			opt.jobs = strtol(optarg, NULL, 10);
		else if (o == 'o')
			opt.other = optarg;
		if (o == '?' || opt.jobs < 1 || opt.jobs > JOBS_MOST)
			return fprintf(stderr, "usage: example_exchanges [--jobs 1..%d] [--other RUN]\n", JOBS_MOST), 2;
	}
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return perror("mmap"), 1;
	fanout();
	direct();
	topic();
	named_queue();
	task_queue();
	anonymous_queue();
	return held_end("exchanges", 0, "What other systems need exchanges and queues for are topics, patterns and "
	    "groups here. A job is done once, also when its worker is killed in the middle of it.");
}
