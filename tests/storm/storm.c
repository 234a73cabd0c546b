/* storm - what all storms share: machines, kills by role, the calm after it, the verdict, the closing line */
#include <storm/storm.h>
#include <lib/disk.h>
#include <lib/proc.h>
#include <lib/sysv.h>
#include <dirent.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAUSED_MAX = 8, BACK_MS = 5000, GIGABYTE_MS = 3000, IDLE_MS = 2000, IDLE_CPU_MS = 200, FDS_MORE = 2 };

struct storm storm;
const char *const role_name[ROLES] = { "broker_server", "worker", "broker_handler", "broker_sender", "mom_daemon",
    "mom_requester", "mom_responser",
	"mom_forwarder", "client" };
static struct { pid_t pid; int64_t until; } paused[PAUSED_MAX];
static int paused_count, fds_before[ROLES];
static long back_ms[ROLES], back_most_ms[ROLES];

void
storm_seed(void)
{
	if (getenv("SEED"))
		return;
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	setenv("SEED", t_text("%lld", (long long)(t.tv_sec * 1000 + t.tv_nsec / 1000000) % 100000000), 1);
}

static int
is_of_broker(enum storm_role role)
{
	return role <= ROLE_SENDER;
}

static struct server *
any_machine(void)
{
	return &storm.daemon[t_rng_below(&storm.rng, (uint64_t)storm.machines)];
}

/* descriptors of all processes of a role, the most that one has */
static int
descriptors(enum storm_role role)
{
	int most = 0;
	for (int s = 0; s <= storm.machines; s++) {
		struct server *v = s ? &storm.daemon[s - 1] : &storm.broker;
		for (int i = 0;; i++) {
			pid_t pid = role == ROLE_SERVER || role == ROLE_DAEMON ? i ||
			    v->is_broker != (role == ROLE_SERVER) ? 0 : v->pid : proc_find(v->pid, role_name[role], i);
			DIR *d = pid ? opendir(t_text("/proc/%d/fd", (int)pid)) : NULL;
			if (!pid)
				break;
			int n = 0;
			while (d && readdir(d))
				n++;
			if (d)
				closedir(d);
			most = n > most ? n : most;
		}
	}
	return most;
}

static void
new_crew(void)
{
	char *folder = t_path("history-%d", storm.turns);
	mkdir(folder, 0700);
	crew_begin(folder, "storm/a,storm/b,storm/c,storm.d");
}

static int
probe_begin(void *daemon)
{
	use_daemon(daemon);
	int id = mom_create();
	REQUIRE(id >= 0 && mom_subscribe(id, "storm.probe", 0) == 0, "probe: %s", mom_error_text(id));
	return id;
}

static void
probe_once(int id)
{
	struct mom_message m;
	REQUIRE(mom_publish(id, "storm.probe", "ping", 4, 0) == 0, "probe: %s", mom_error_text(id));
	REQUIRE(mom_receive(id, &m, -1) == 0, "probe: %s", mom_error_text(id));
}

/* Then all processes in its way have opened what they open at their start. */
static void
one_passes(void *daemon)
{
	int id = probe_begin(daemon);
	probe_once(id);
	REQUIRE(mom_destroy(id) == 0, "probe: %s", mom_error_text(-1));
}

void
storm_begin(int machines, int workers)
{
	REQUIRE(machines <= STORM_MACHINES, "%d", machines);
	storm.machines = machines;
	t_rng_init(&storm.rng, 99);
	new_crew();
	broker_start(&storm.broker, "broker", 0, t_text("--workers %d", workers));
	for (int i = 0; i < machines; i++)
		daemon_start(&storm.daemon[i], t_text("machine-%d", i), storm.broker.port);
	for (int i = 0; i < machines; i++)
		for (int r = ROLE_REQUESTER; r <= ROLE_FORWARDER; r++)
			server_child(&storm.daemon[i], role_name[r]);
	for (int i = 0; i < machines; i++)
		REQUIRE(t_join(t_spawn(one_passes, &storm.daemon[i])) == 0, "nothing passes");
	for (int r = 0; r < ROLE_CLIENT; r++)
		fds_before[r] = descriptors((enum storm_role)r);
	storm.began = t_now_ms();
}

/* ---- faults ---- */

/* A server that ended by itself is a failure: only this storm may end it. */
static void
server_look(struct server *s)
{
	int status;
	if (s->pid && waitpid(s->pid, &status, WNOHANG) == s->pid) {
		s->pid = 0;
		REQUIRE(0, "%s ended by itself, wait status 0x%x (SEED=%s)", s->name, status, getenv("SEED"));
	}
}

static void
server_again(struct server *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
	server_start_unready(s);
}

static int
any_client(void)
{
	return crew_size ? (int)t_rng_below(&storm.rng, (uint64_t)crew_size) : -1;
}

pid_t
storm_find(enum storm_role role)
{
	struct server *s = is_of_broker(role) ? &storm.broker : any_machine();
	pid_t pids[PROC_MAX], fit[PROC_MAX];
	int count = 0;
	if (role == ROLE_CLIENT)
		return any_client() < 0 ? 0 : crew[any_client()].pid;
	if (role == ROLE_SERVER || role == ROLE_DAEMON)
		return s->pid;
	int n = proc_children(s->pid, pids, PROC_MAX);
	for (int i = 0; i < n; i++) {
		char comm[16];
		proc_comm(pids[i], comm, sizeof comm);
		if (strcmp(comm, role_name[role]) == 0)
			fit[count++] = pids[i];
	}
	return count ? fit[t_rng_below(&storm.rng, (uint64_t)count)] : 0;
}

static int
kill_client(void)
{
	int i = any_client(), how = (int)t_rng_below(&storm.rng, 10);
	if (i < 0 || crew[i].pid == 0 || crew[i].how & CREW_SPARED)
		return 0;
	if (how >= CREW_ENDED && storm.ends_clients && crew_end(i))
		return 1;
	if (how >= 1 && how < ORDERS)
		crew_order(i, (enum crew_order)how);
	else
		crew_kill(i);
	return 1;
}

int
storm_kill(enum storm_role role)
{
	pid_t pid;
	if (role == ROLE_CLIENT) {
		if (!kill_client())
			return 0;
	} else if (role == ROLE_SERVER || role == ROLE_DAEMON)
		server_again(role == ROLE_SERVER ? &storm.broker : any_machine());
	else if ((pid = storm_find(role)) == 0 || kill(pid, SIGKILL) != 0)
		return 0;
	storm.kills[role]++;
	return 1;
}

int
storm_pause(enum storm_role role, int ms)
{
	pid_t pid = storm_find(role);
	if (pid == 0 || paused_count == PAUSED_MAX || kill(pid, SIGSTOP) != 0)
		return 0;
	paused[paused_count].pid = pid;
	paused[paused_count++].until = t_now_ms() + ms;
	storm.pauses++;
	return 1;
}

static void
continue_due(int64_t now)
{
	for (int i = 0; i < paused_count; i++) {
		if (paused[i].until > now)
			continue;
		if (proc_state(paused[i].pid) == 'T')  /* else it was killed meanwhile */
			kill(paused[i].pid, SIGCONT);
		paused[i--] = paused[--paused_count];
	}
}

void
storm_tend(void)
{
	continue_due(t_now_ms());
	server_look(&storm.broker);
	for (int i = 0; i < storm.machines; i++)
		server_look(&storm.daemon[i]);
	crew_tend();
}

long
storm_total_kills(void)
{
	long n = 0;
	for (int r = 0; r < ROLES; r++)
		n += storm.kills[r];
	return n;
}

/* ---- the calm after it ---- */

static int
has_whole_unit(struct server *s)
{
	for (int r = ROLE_REQUESTER; r <= ROLE_FORWARDER; r++)
		if (!proc_find(s->pid, role_name[r], 0))
			return 0;
	return 1;
}

void
storm_calm(void)
{
	continue_due(INT64_MAX);
	server_await_again(&storm.broker);
	for (int i = 0; i < storm.machines; i++)
		server_await_again(&storm.daemon[i]);
	for (int i = 0; i < storm.machines; i++)
		WAIT_FOR(has_whole_unit(&storm.daemon[i]), "%s does not reach its broker", storm.daemon[i].name);
	crew_working();
}

/* ---- I7: how long until a message passes again after one kill of each role ---- */

static struct { atomic_int asks, got; atomic_long heard; } *probe;

static void
probe_talk(void *daemon)
{
	int id = probe_begin(daemon);
	for (;;) {
		probe_once(id);
		probe->heard++;
		if (probe->asks == 2)
			break;
		usleep(1000);
	}
	REQUIRE(mom_destroy(id) == 0, "probe: %s", mom_error_text(-1));
}

/* What a starting worker or forwarder may have to read again. */
static long
megabytes(void)
{
	const char *shard;
	uint64_t bytes = 0;
	for (int k = 0; access(shard = t_text("%s/shard-%d", storm.broker.store, k), F_OK) == 0; k++)
		bytes += disk_used(shard, "log-");
	return (long)((bytes + disk_used(storm.daemon[0].store, "log-")) / 1000000);
}

/* The kill is of a process in the probe's way; the second round trip that ends after it began after it. */
static void
probe_roles(void)
{
	int machines = storm.machines;
	probe = t_shared_memory(sizeof *probe);
	storm.machines = 1;                        /* any_machine is the probe's */
	pid_t pid = t_spawn(probe_talk, &storm.daemon[0]);
	WAIT_FOR(probe->heard > 3, "the probe does not speak");
	for (int r = 0; r < ROLE_CLIENT; r++) {
		WAIT_FOR(storm_find((enum storm_role)r), "no %s", role_name[r]);
		WAIT_FOR(has_whole_unit(&storm.daemon[0]), "no unit");
		long before = probe->heard;
		back_most_ms[r] = (BACK_MS + megabytes() * GIGABYTE_MS / 1000) * t_slowness_percent() / 100;
		int64_t began = t_now_ms(), due = began + back_most_ms[r];
		storm_kill((enum storm_role)r);
		WAIT_FOR_WORK(probe->heard >= before + 2, t_now_ms() < due ? t_now_ms() : due,
		    "after the kill of %s nothing passes", role_name[r]);
		back_ms[r] = (long)(t_now_ms() - began);
	}
	probe->asks = 2;
	REQUIRE(t_join(pid) == 0, "the probe");
	storm.machines = machines;
}

/* ---- I6, I8, I9 ---- */

static char left[300];

static int
look_for_leftovers(const char *path, const struct stat *st, int type, struct FTW *where)
{
	const char *name = path + where->base;
	size_t n = strlen(name);
	if (type != FTW_F)
		return 0;
	int temporary = n > 4 && strcmp(name + n - 4, ".new") == 0;
	if (!left[0] && (temporary || strstr(path, "/sub/") || (strcmp(name, "subscribers") == 0 && st->st_size > 0)))
		snprintf(left, sizeof left, "%s is left", path);
	return 0;
}

static void
look_at_descriptors(void)
{
	for (int r = 0; r < ROLE_CLIENT && !left[0]; r++) {
		int now = descriptors((enum storm_role)r);
		if (now > fds_before[r] + FDS_MORE)
			snprintf(left, sizeof left, "%s has %d descriptors, before the storm %d", role_name[r], now,
			    fds_before[r]);
	}
}

static long
cpu_ms(void)
{
	pid_t pids[PROC_MAX];
	long ticks = 0;
	for (int s = 0; s <= storm.machines; s++) {
		pid_t of = s ? storm.daemon[s - 1].pid : storm.broker.pid;
		int n = proc_descendants(of, pids, PROC_MAX - 1);
		pids[n++] = of;
		for (int i = 0; i < n; i++) {
			unsigned long user = 0, kernel = 0;
			char *text = t_read_file(t_text("/proc/%d/stat", (int)pids[i])), *end = strrchr(text, ')');
			if (end && sscanf(end + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
			    &kernel) == 2)
				ticks += (long)(user + kernel);
			free(text);
		}
	}
	return ticks * 1000 / sysconf(_SC_CLK_TCK);
}

static const char *
bad_log_line(struct server *s)
{
	static const char *const words[] = { "Sanitizer", "runtime error:", "segfault" };
	char *text = t_read_file(s->log);
	for (int i = 0; i < 3; i++) {
		char *found = strstr(text, words[i]);
		if (found)
			return t_text("%.120s", found);
	}
	free(text);
	return NULL;
}

static void
judge_the_rest(struct verdict *v)
{
	int slowest = 0;                           /* by what it may take */
	for (int r = 0; r < ROLE_CLIENT; r++)
		if (back_ms[r] - back_most_ms[r] > back_ms[slowest] - back_most_ms[slowest])
			slowest = r;
	checker_say(v, I7, back_ms[slowest] <= back_most_ms[slowest],
	    "%ld ms after the kill of %s until a message passed again; %ld are allowed", back_ms[slowest],
	    role_name[slowest], back_most_ms[slowest]);
	look_at_descriptors();
	long before = cpu_ms();
	t_sleep_ms(IDLE_MS);
	long used = cpu_ms() - before;
	checker_say(v, I8, used <= IDLE_CPU_MS, "%ld ms of CPU in %d ms without a client", used, IDLE_MS);
	for (int i = 0; i <= storm.machines; i++) {
		const char *line = bad_log_line(i ? &storm.daemon[i - 1] : &storm.broker);
		checker_say(v, I9, line == NULL, "%s", line ? line : "");
	}
	servers_stop();
	/* after the stop: a worker may pack a segment at any time */
	nftw(t_dir(), look_for_leftovers, 16, FTW_PHYS);
	char objects[200];
	if (!left[0] && sysv_left(t_dir(), objects, sizeof objects))
		snprintf(left, sizeof left, "%s", objects);
	checker_say(v, I6, left[0] == 0, "%s", left);
}

static void
closing_line(const struct verdict *v, int64_t ms)
{
	char roles[400] = "";
	for (int r = 0, n = 0; r < ROLES; r++)
		n += snprintf(roles + n, sizeof roles - (size_t)n, "%s%s %ld", r ? ", " : "", role_name[r],
		    storm.kills[r]);
	t_remark("SEED=%s, %lld s: %ld kills (%s; clients: %ld killed, %ld left a forked child, %ld exec, "
	    "%ld closed descriptors, %ld left, %ld were ended; %ld in a recovery), %ld pauses",
	    getenv("SEED"), (long long)ms / 1000, storm_total_kills(), roles, crew_deaths[ORDER_NONE],
	    crew_deaths[ORDER_FORK], crew_deaths[ORDER_EXEC],
	    crew_deaths[ORDER_CLOSE], crew_deaths[ORDER_LEAVE], crew_deaths[CREW_ENDED], storm.in_recovery,
	    storm.pauses);
	t_remark("%ld clients in %ld processes: %ld tried, %ld acknowledged, %ld on their way at a death, %ld refused, "
	    "%ld unknown, %ld delivered, %ld of these came again flagged; drained in %ld ms; back after a kill (ms): "
	    "server %ld, worker %ld, handler %ld, sender %ld, daemon %ld, requester %ld, responser %ld, forwarder %ld",
	    v->clients, v->sessions, v->tried, v->acknowledged, v->sent, v->refused, v->unknown, v->delivered,
	    v->redelivered, storm.drain_ms, back_ms[ROLE_SERVER],
	    back_ms[ROLE_WORKER], back_ms[ROLE_HANDLER], back_ms[ROLE_SENDER], back_ms[ROLE_DAEMON],
	    back_ms[ROLE_REQUESTER], back_ms[ROLE_RESPONSER],
	    back_ms[ROLE_FORWARDER]);
}

static void
forget_histories(void)
{
	DIR *d = opendir(crew_folder());
	for (struct dirent *e; d && (e = readdir(d)) != NULL;)
		unlink(t_text("%s/%s", crew_folder(), e->d_name));
	if (d)
		closedir(d);
	rmdir(crew_folder());
}

void
storm_requires(void)
{
	checker_require(&storm.verdict, t_text("SEED=%s", getenv("SEED")));
}

void
storm_turn(enum checker_rules rules)
{
	struct verdict v;
	storm_calm();
	if (crew_size == 0)
		return;
	int64_t began = t_now_ms();
	crew_drain();
	if (t_now_ms() - began > storm.drain_ms)
		storm.drain_ms = (long)(t_now_ms() - began);
	checker_judge(&v, crew_folder(), rules);
	checker_add(&storm.verdict, &v);
	storm_requires();
	forget_histories();
	storm.turns++;
	new_crew();
}

void
storm_end(enum checker_rules rules)
{
	int64_t blew = t_now_ms() - storm.began;
	storm_calm();
	probe_roles();
	storm_turn(rules);
	judge_the_rest(&storm.verdict);
	closing_line(&storm.verdict, blew);
	storm_requires();
}
