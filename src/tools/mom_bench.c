/* mom_bench - messages a second through MOM, every one checked
 * USAGE    mom_bench [--run DIR | --selfserve] [--size BYTES] [--count N] [--subscribers N] [--publishers N] [--durable] [--latency] [--json]
 *          --selfserve starts a broker and a daemon of its own in a temporary folder and ends them
 *          --durable   publishes durable instead of MOM_FAST      --latency   one message at a time, there and back
 * OUTPUT   one line of figures
 * EXIT     0   1 a message was lost, doubled, changed or out of order   100 wrong use   111 something did not start */
#include <mom/limits.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_CHECK = 1, EXIT_WRONG_USE = 100, EXIT_START = 111, PUBLISHERS_MAX = 64, WAIT_MS = 60000 };

struct payload { uint32_t magic, publisher; uint64_t run, sequence; };
enum { MAGIC = 0x6d62656e };

static struct {
	long size, count, subscribers, publishers;
	int durable, latency, json, selfserve;
	uint64_t run;
	char topic[64], back[64], dir[64];
	pid_t broker, daemon;
} b = { .size = 64, .count = 0, .subscribers = 1, .publishers = 1 };

static double
now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void
check(int r, int id, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "mom_bench: %s: %s\n", what, mom_error_text(id));
	exit(EXIT_START);
}

static void
broken(const char *what, uint64_t got, uint64_t wanted)
{
	fprintf(stderr, "mom_bench: %s: got %llu, wanted %llu\n", what, (unsigned long long)got, (unsigned long long)wanted);
	exit(EXIT_CHECK);
}

/* ---- servers of our own ---- */

static pid_t
start_server(const char *program, const char *const argv[], char *line, size_t n)
{
	char path[PATH_MAX + 64];
	int out[2];
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);
	path[len > 0 ? len : 0] = '\0';
	char *slash = strrchr(path, '/');
	strcpy(slash ? slash + 1 : path, program);
	if (pipe(out) < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		dup2(out[1], STDOUT_FILENO);
		close(out[0]);
		close(out[1]);
		execv(path, (char *const *)(uintptr_t)argv);
		_exit(EXIT_START);
	}
	close(out[1]);
	FILE *f = fdopen(out[0], "r");
	if (f == NULL || fgets(line, (int)n, f) == NULL)
		line[0] = '\0';
	if (f)
		fclose(f);
	return pid;
}

static void
stop_server(pid_t *pid)
{
	if (*pid > 0) {
		kill(*pid, SIGTERM);
		while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	*pid = 0;
}

static void
end_servers(void)
{
	char command[128];
	stop_server(&b.daemon);
	stop_server(&b.broker);
	if (b.dir[0] == '\0')
		return;
	snprintf(command, sizeof command, "rm -rf '%s'", b.dir);
	if (system(command) != 0)
		fprintf(stderr, "mom_bench: %s is left behind\n", b.dir);
	b.dir[0] = '\0';
}

static void
start_servers(void)
{
	char db[80], brun[80], run[80], spool[80], line[PATH_MAX + 16], port[16] = "";
	snprintf(b.dir, sizeof b.dir, "/tmp/mom-bench.XXXXXX");
	if (mkdtemp(b.dir) == NULL) {
		perror("mom_bench: mkdtemp");
		exit(EXIT_START);
	}
	snprintf(db, sizeof db, "%s/db", b.dir);
	snprintf(brun, sizeof brun, "%s/broker", b.dir);
	snprintf(run, sizeof run, "%s/run", b.dir);
	snprintf(spool, sizeof spool, "%s/spool", b.dir);
	const char *broker[] = { "broker_server", "127.0.0.1", "0", "--db", db, "--run", brun, NULL };
	b.broker = start_server("broker_server", broker, line, sizeof line);
	if (sscanf(line, "ready %*s %15s", port) == 1) {
		const char *daemon_argv[] = { "mom_daemon", "127.0.0.1", port, "--run", run, "--spool", spool, NULL };
		b.daemon = start_server("mom_daemon", daemon_argv, line, sizeof line);
	}
	if (port[0] == '\0' || strncmp(line, "ready ", 6) != 0) {
		end_servers();
		fprintf(stderr, "mom_bench: broker_server or mom_daemon did not start\n");
		exit(EXIT_START);
	}
	setenv("MOM_RUN", run, 1);
}

/* ---- the programs under load ---- */

static void
subscriber(int ready)
{
	uint64_t next[PUBLISHERS_MAX] = { 0 };
	struct mom_message m;
	struct payload p;
	int id = mom_create();
	check(id, -1, "create");
	check(mom_subscribe(id, b.topic, 0), id, "subscribe");
	if (write(ready, "", 1) < 0)
		exit(EXIT_START);
	for (long left = b.count * b.publishers; left > 0; left--) {
		check(mom_receive(id, &m, WAIT_MS), id, "receive");
		if (m.len != (size_t)b.size)
			broken("length", m.len, (uint64_t)b.size);
		memcpy(&p, m.data, sizeof p);
		if (p.magic != MAGIC || p.run != b.run || p.publisher >= (uint32_t)b.publishers)
			broken("not a message of ours", p.magic, MAGIC);
		if (p.sequence != next[p.publisher]++)
			broken("lost, doubled or out of order: sequence", p.sequence, next[p.publisher] - 1);
	}
	check(mom_destroy(id), -1, "destroy");
	exit(0);
}

static void
publisher(uint32_t number, int go)
{
	char *bytes = calloc(1, (size_t)b.size);
	struct payload p = { MAGIC, number, b.run, 0 };
	char byte;
	int id = mom_create();
	check(id, -1, "create");
	while (read(go, &byte, 1) < 0 && errno == EINTR)       /* ends when the parent closes it: all subscribers are ready */
		;
	for (; p.sequence < (uint64_t)b.count; p.sequence++) {
		memcpy(bytes, &p, sizeof p);
		check(mom_publish(id, b.topic, bytes, (size_t)b.size, MOM_ASYNC | (b.durable ? 0 : MOM_FAST)), id, "publish");
	}
	check(mom_flush(id, WAIT_MS), id, "flush");
	check(mom_destroy(id), -1, "destroy");
	exit(0);
}

static int
join(long children)
{
	int status, worst = 0;
	for (long i = 0; i < children; i++)
		if (wait(&status) > 0 && status != 0)
			worst = WIFEXITED(status) && WEXITSTATUS(status) > worst ? WEXITSTATUS(status) : worst ? worst : EXIT_CHECK;
	return worst;
}

static int
throughput(void)
{
	int ready[2], go[2];
	char byte;
	if (pipe(ready) < 0 || pipe(go) < 0)
		return EXIT_START;
	for (long i = 0; i < b.subscribers + b.publishers; i++) {
		if (fork() != 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(go[1]);
		if (i < b.subscribers)
			subscriber(ready[1]);
		publisher((uint32_t)(i - b.subscribers), go[0]);
	}
	close(ready[1]);
	for (long i = 0; i < b.subscribers; i++)
		if (read(ready[0], &byte, 1) != 1)
			break;
	double began = now();
	close(go[1]);
	/* the servers are our children too: only those of this run are waited for */
	int r = join(b.subscribers + b.publishers);
	double took = now() - began, messages = (double)b.count * (double)b.publishers;
	if (r == 0 && b.json)
		printf("{\"size\":%ld,\"messages\":%.0f,\"publishers\":%ld,\"subscribers\":%ld,\"durable\":%d,\"seconds\":%.3f,\"messages_s\":%.0f,\"deliveries_s\":%.0f}\n",
		    b.size, messages, b.publishers, b.subscribers, b.durable, took, messages / took, messages * (double)b.subscribers / took);
	else if (r == 0)
		printf("%ld B, %ld to %ld, %s: %.0f messages in %.2f s: %.0f messages/s, %.0f deliveries/s, all checked\n", b.size, b.publishers,
		    b.subscribers, b.durable ? "durable" : "fast", messages, took, messages / took, messages * (double)b.subscribers / took);
	return r;
}

/* ---- there and back ---- */

static void
echo(int ready)
{
	struct mom_message m;
	int id = mom_create();
	check(id, -1, "create");
	check(mom_subscribe(id, b.topic, 0), id, "subscribe");
	if (write(ready, "", 1) < 0)
		exit(EXIT_START);
	for (long i = 0; i < b.count; i++) {
		check(mom_receive(id, &m, WAIT_MS), id, "receive");
		check(mom_publish(id, b.back, m.data, m.len, MOM_ASYNC | (b.durable ? 0 : MOM_FAST)), id, "publish");
	}
	check(mom_flush(id, WAIT_MS), id, "flush");
	check(mom_destroy(id), -1, "destroy");
	exit(0);
}

static int
by_value(const void *a, const void *c)
{
	double x = *(const double *)a, y = *(const double *)c;
	return x < y ? -1 : x > y;
}

static int
latency(void)
{
	int ready[2];
	char byte, *bytes = calloc(1, (size_t)b.size);
	double *took = calloc((size_t)b.count, sizeof *took);
	struct mom_message m;
	struct payload p = { MAGIC, 0, b.run, 0 };
	if (pipe(ready) < 0 || took == NULL || bytes == NULL)
		return EXIT_START;
	if (fork() == 0)
		echo(ready[1]);
	close(ready[1]);
	int id = mom_create();
	check(id, -1, "create");
	check(mom_subscribe(id, b.back, 0), id, "subscribe");
	if (read(ready[0], &byte, 1) != 1)
		return EXIT_START;
	for (; p.sequence < (uint64_t)b.count; p.sequence++) {
		double began = now();
		memcpy(bytes, &p, sizeof p);
		check(mom_publish(id, b.topic, bytes, (size_t)b.size, MOM_ASYNC | (b.durable ? 0 : MOM_FAST)), id, "publish");
		check(mom_receive(id, &m, WAIT_MS), id, "receive");
		took[p.sequence] = now() - began;
		if (m.len != (size_t)b.size || memcmp(m.data, bytes, m.len) != 0)
			broken("another message than was sent: length", m.len, (uint64_t)b.size);
	}
	check(mom_destroy(id), -1, "destroy");
	int r = join(1);
	qsort(took, (size_t)b.count, sizeof *took, by_value);
	printf(b.json ? "{\"size\":%ld,\"round_trips\":%ld,\"p50_us\":%.1f,\"p99_us\":%.1f}\n" : "%ld B, %ld round trips: p50 %.1f us, p99 %.1f us\n", b.size,
	    b.count, took[b.count / 2] * 1e6, took[b.count * 99 / 100] * 1e6);
	return r;
}

static long
number(const char *text, long least, long most)
{
	char *end;
	long v = strtol(text, &end, 10);
	if (*text && *end == '\0' && v >= least && v <= most)
		return v;
	fprintf(stderr, "mom_bench: %s is not a number from %ld to %ld; see mom_bench --help\n", text, least, most);
	exit(EXIT_WRONG_USE);
}

static void
parse(int argc, char **argv)
{
	static const struct option options[] = { { "run", 1, 0, 'r' }, { "size", 1, 0, 's' }, { "count", 1, 0, 'c' }, { "subscribers", 1, 0, 'S' },
		{ "publishers", 1, 0, 'P' }, { "durable", 0, 0, 'd' }, { "latency", 0, 0, 'l' }, { "json", 0, 0, 'j' }, { "selfserve", 0, 0, 'f' },
		{ "help", 0, 0, 'h' }, { 0 } };
	for (int o; (o = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		switch (o) {
		case 'r': setenv("MOM_RUN", optarg, 1); break;
		case 's': b.size = number(optarg, (long)sizeof(struct payload), MESSAGE_LIMIT); break;
		case 'c': b.count = number(optarg, 1, LONG_MAX / 2); break;
		case 'S': b.subscribers = number(optarg, 1, 1000); break;
		case 'P': b.publishers = number(optarg, 1, PUBLISHERS_MAX); break;
		case 'd': b.durable = 1; break;
		case 'l': b.latency = 1; break;
		case 'j': b.json = 1; break;
		case 'f': b.selfserve = 1; break;
		default:
			fprintf(o == 'h' ? stdout : stderr, "usage: mom_bench [--run DIR | --selfserve] [--size BYTES] [--count N] [--subscribers N] "
			    "[--publishers N] [--durable] [--latency] [--json]\n");
			exit(o == 'h' ? 0 : EXIT_WRONG_USE);
		}
	}
	if (optind != argc) {
		fprintf(stderr, "mom_bench: %s: it takes flags only; see mom_bench --help\n", argv[optind]);
		exit(EXIT_WRONG_USE);
	}
	if (b.count == 0)
		b.count = b.latency ? 10000 : b.durable ? 100000 : b.size > 4096 ? 50000 : 1000000;
}

int
main(int argc, char **argv)
{
	parse(argc, argv);
	b.run = (uint64_t)time(NULL) << 20 ^ (uint64_t)getpid();
	snprintf(b.topic, sizeof b.topic, "bench/%llx/there", (unsigned long long)b.run);
	snprintf(b.back, sizeof b.back, "bench/%llx/back", (unsigned long long)b.run);
	if (b.selfserve)
		start_servers();
	pid_t load = fork();
	if (load == 0)
		exit(b.latency ? latency() : throughput());
	int status = 0;
	while (waitpid(load, &status, 0) < 0 && errno == EINTR)
		;
	end_servers();
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_CHECK;
}
