/* calls - every system call of every process is hit once: the process is killed before or after it, or the call fails,
 * or comes short, or the process is held up behind it while all others get ahead
 *
 * A run is a scripted scenario (script.h) with one blow (shim.h) and ends as if there had been none, or with an error
 * that says what and is got over by starting again what ended. LONG=1 (make storm) goes through all points; otherwise a
 * sample that SEED chooses. POINT=... in the environment repeats one, as each failure says: POINT=worker:1:fail:37:0:0
 * (role, life, kind, n, turn of the errno, seed of a wall clock that jumps every millisecond or 0), and :CALL where
 * only those of one name are counted. */
#include <storm/script.h>
#include <lib/proc.h>
#include <lib/server.h>
#include <lib/sysv.h>
#include <lib/t.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RUN_MS = 20000, LEFT_MS = 3000, LANES = 2, POINTS_MOST = 16384 };
static const char *const roles[] = SHIM_ROLE_NAMES, *const kinds[] = SHIM_KIND_NAMES;
struct point { int role, life, kind, n, turn, jumps; char only[24]; };

static struct storm *s;
static struct server broker, one;
static struct point now;
static char *root;                             /* of the runs' folders: in memory where there is such a place */

/* ---- one run, in a process of its own: k keeps the two servers, the client and the ear ---- */

static struct {
	int64_t end;
	pid_t client, ear;
	int client_killed, offs;
} k;

static char *
log_tail(struct server *server)
{
	char *text = t_read_file(server->log);
	size_t n = strlen(text);
	return n > 400 ? text + n - 400 : text;
}

/* ends the run; the parent tells of it */
static void __attribute__((noreturn))
run_failed(void)
{
	_exit(1);
}

#define RUN_FAIL(...) do { script_fail(s, __VA_ARGS__); run_failed(); } while (0)

static void
program_env(const char *role)
{
	if (role)
		setenv("STORM_ROLE", role, 1);
	else
		unsetenv("STORM_ROLE");
}

static pid_t
program_start(const char *role)
{
	char *argv[] = { (char *)(uintptr_t)role, NULL };
	pid_t pid = fork();
	if (pid == 0) {
		program_env(role);
		setenv("MOM_RUN", one.run, 1);
		execv("/proc/self/exe", argv);
		_exit(127);
	}
	return pid;
}

static void
client_start(void)
{
	if (atomic_fetch_add(&s->generation, 1) + 1 >= SCRIPT_GENERATIONS)
		RUN_FAIL("the client dies again and again");
	k.client = program_start("client");
}

static void
server_up(struct server *server)
{
	unlink(server->out);                   /* or its old `ready` would be believed */
	server_start_unready(server);
}

/* A parent may end by itself only where it was hit: killed, or with an error that says what. */
static void
server_ended(struct server *server, int status, int stopping)
{
	int was_hit = atomic_load(&s->shim.hit) && strcmp(roles[now.role],
	    server->is_broker ? "broker_server" : "mom_daemon") == 0;
	server->pid = 0;
	if (stopping && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (was_hit && now.kind <= SHIM_AFTER && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return;
	if (was_hit && now.kind > SHIM_AFTER && WIFEXITED(status) && WEXITSTATUS(status) == 111 &&
	    strstr(t_read_file(server->log), "fatal: "))
		return;
	/* a configuration that it may not read is a person's business */
	int is_refused = WIFEXITED(status) && WEXITSTATUS(status) == 100 && s->shim.error == EACCES;
	if (was_hit && now.kind > SHIM_AFTER && is_refused)
		return;
	RUN_FAIL("%s ended with wait status 0x%x: %s", server->name, status, log_tail(server));
}

static void
look_at_children(void)
{
	int status;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
		if (pid == broker.pid || pid == one.pid) {
			struct server *server = pid == broker.pid ? &broker : &one;
			server_ended(server, status, 0);
			server_up(server);
		} else if (pid == k.client) {
			k.client = 0;
			if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && now.role == SHIM_CLIENT &&
			    now.kind <= SHIM_AFTER)
				client_start();
			else if (status || !atomic_load(&s->client_done))
				RUN_FAIL("the client ended with wait status 0x%x", status);
		} else if (pid == k.ear) {
			k.ear = 0;
			if (status || !atomic_load(&s->ear_done))
				RUN_FAIL("the ear ended with wait status 0x%x", status);
		}
	}
}

static void server_down(struct server *server);

/* a worker whose disk failed stays off until a person starts the broker */
static void
look_at_worker(void)
{
	if (!atomic_load(&s->shim.hit) || now.role != SHIM_WORKER || k.offs || broker.pid == 0 ||
	    !server_log_has(&broker, " is off: "))
		return;
	int e = s->shim.error;
	if (e == 0 || e == EMFILE || e == ENFILE || e == ENOMEM || e == EAGAIN)
		RUN_FAIL("a shard is off for what is no fault of a disk");
	k.offs++;
	server_down(&broker);
	server_up(&broker);
}

/* By up to a year back and forth, from the moment that anybody looks at it. */
static void
clock_jumps(void)
{
	static struct t_rng rng;
	if (!now.jumps)
		return;
	if (rng.state == 0)
		t_rng_init(&rng, (uint64_t)now.jumps);
	atomic_store(&s->shim.wall_us, ((int64_t)t_rng_below(&rng, 2 * 366 * 86400) - 366 * 86400) * 1000000);
}

static void
tick(const char *what)
{
	clock_jumps();
	if (atomic_load(&s->failed))
		run_failed();
	if (t_now_ms() > k.end)
		RUN_FAIL("hangs: %s", what);
	t_sleep_ms(1);
}

#define UNTIL(condition, what) while (!(condition)) { look_at_children(); look_at_worker(); tick(what); }

static int
is_ready(struct server *server)
{
	int port;
	char *line = t_read_file(server->out);
	if (server->is_broker && broker.port == 0 && sscanf(line, "ready %*s %d", &port) == 1)
		broker.port = port;
	int ready = strncmp(line, "ready ", 6) == 0 && strchr(line, '\n');
	free(line);
	return ready;
}

/* SIGTERM; one that was hit in its stop is started and stopped again */
static void
server_down(struct server *server)
{
	for (int tries = 0; tries < 3; tries++) {
		int status;
		pid_t got;
		if (server->pid == 0)
			server_up(server);
		UNTIL(server->pid == 0 || is_ready(server), "a start");
		if (server->pid == 0)
			continue;
		kill(server->pid, SIGTERM);
		while ((got = waitpid(server->pid, &status, WNOHANG)) == 0)
			tick(server->is_broker ? "stop of the broker" : "stop of the daemon");
		server_ended(server, status, 1);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			return;
	}
	RUN_FAIL("%s cannot be stopped", server->name);
}

static void
nothing_is_left(void)
{
	char text[300];
	pid_t pids[PROC_MAX];
	UNTIL(proc_descendants(getpid(), pids, PROC_MAX) == 0, "processes are left behind");
	if (sysv_left(t_dir(), text, sizeof text))
		RUN_FAIL("left behind: %s", text);
	int64_t give_up = t_now_ms() + LEFT_MS;
	/* the kernel is not done with a dead process at once */
	while (geteuid() == 0 && sysv_all(text, sizeof text)) {
		if (t_now_ms() > give_up)
			RUN_FAIL("left behind, and no registry tells of it: %s", text);
		tick("objects are left behind");
	}
}

static void
no_log_has_findings(void)
{
	static const char *const words[] = { "Sanitizer", "runtime error:" };
	for (int i = 0; i < 2; i++)
		if (server_log_has(&broker, words[i]) || server_log_has(&one, words[i]))
			RUN_FAIL("a log says %s: %s", words[i], log_tail(server_log_has(&broker, words[i]) ? &broker
			    : &one));
}

static void
run_scenario(void)
{
	k.end = t_now_ms() + RUN_MS;
	broker_plan(&broker, "broker", 0, "--store-max 16777216");
	server_up(&broker);
	UNTIL(is_ready(&broker), "the broker's start");
	daemon_plan(&one, "daemon", broker.port);
	server_up(&one);
	UNTIL(is_ready(&one), "the daemon's start");
	k.ear = program_start("ear");
	UNTIL(atomic_load(&s->ear_ready), "the ear's subscribe");
	atomic_store(&s->generation, -1);
	client_start();
	UNTIL(atomic_load(&s->part) >= 1, "part 1");
	server_down(&broker);
	server_up(&broker);
	atomic_store(&s->may_go, 1);
	UNTIL(atomic_load(&s->part) >= 2, "part 2");
	UNTIL(is_ready(&broker), "the broker's second start");
	server_down(&one);
	server_up(&one);
	atomic_store(&s->may_go, 2);
	UNTIL(k.client == 0, "part 3");
	atomic_store(&s->ear_stop, 1);
	UNTIL(k.ear == 0, "the ear's end");
	server_down(&one);
	server_down(&broker);
	nothing_is_left();
	no_log_has_findings();
}

static void
run_process(char *folder)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (geteuid() == 0 && unshare(CLONE_NEWIPC) < 0)
		RUN_FAIL("unshare: %s", strerror(errno));
	t_begin(folder, strdup(t_bin("")));
	setenv("MOM_SHIM", t_path("storm"), 1);
	setenv("STORM_FILE", t_path("storm"), 1);
	setenv("LD_PRELOAD", t_text("%s", getenv("STORM_SHIM")), 1);
	setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
	run_scenario();
	_exit(0);
}

/* ---- many ---- */

static int
delete_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st, (void)type, (void)where;
	remove(path);
	return 0;
}

static void
kill_rest(void)
{
	pid_t pids[PROC_MAX];
	for (int n; (n = proc_descendants(getpid(), pids, PROC_MAX)) > 0; t_sleep_ms(2)) {
		for (int i = 0; i < n; i++)
			kill(pids[i], SIGKILL);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

static struct total {                          /* shared by the lanes */
	atomic_long runs, hits, errors, again, failures, slowest;
	struct point slowest_at;
} *total;

static char *
point_text(struct point p)
{
	return t_text("%s:%d:%s:%d:%d:%d%s%s", roles[p.role], p.life, kinds[p.kind], p.n, p.turn, p.jumps,
	    p.only[0] ? ":" : "", p.only);
}

/* 1: it was as promised. The struct storm of the run stays in *s until the next. */
static int
run(struct point p)
{
	static int number;
	char *folder = t_text("%s/%d-%d", root, (int)getpid(), ++number), *file = t_text("%s/storm", folder);
	now = p;
	if (s)
		munmap(s, sizeof *s);
	int fd = mkdir(folder, 0700) < 0 ? -1 : open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	REQUIRE(fd >= 0 && ftruncate(fd, sizeof *s) == 0, "%s: %s", file, strerror(errno));
	s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(s != MAP_FAILED, "mmap: %s", strerror(errno));
	close(fd);
	s->shim.role = p.role;
	s->shim.life = p.life;
	s->shim.kind = p.kind;
	s->shim.n = p.n;
	s->shim.turn = p.turn;
	memcpy(s->shim.only, p.only, sizeof p.only);
	int64_t start = t_now_ms();
	pid_t pid = fork();
	if (pid == 0)
		run_process(folder);
	int status = -1;
	while (waitpid(pid, &status, WNOHANG) == 0 && t_now_ms() < start + RUN_MS + 5000)
		t_sleep_ms(1);
	if (status == 0 && atomic_load(&s->failed))
		status = 1;
	if (status)
		script_fail(s, "the run's process ended with wait status 0x%x", status);
	kill_rest();
	sysv_remove_left(folder);
	int64_t took = t_now_ms() - start;
	atomic_fetch_add(&total->runs, 1);
	atomic_fetch_add(&total->hits, atomic_load(&s->shim.hit));
	atomic_fetch_add(&total->errors, atomic_load(&s->errors));
	atomic_fetch_add(&total->again, atomic_load(&s->ear.again) + atomic_load(&s->own.again));
	if (took > atomic_load(&total->slowest)) {
		atomic_store(&total->slowest, took);
		total->slowest_at = p;
	}
	if (getenv("V"))
		fprintf(stderr, "%s %s %s %s %lld ms errors %d again %d%s%s\n", point_text(p),
		    atomic_load(&s->shim.hit) ? s->shim.call : "missed",
		    s->shim.error ? strerrorname_np(s->shim.error) : "", status ? "FAILED" : "ok", (long long)took,
		    atomic_load(&s->errors),
		    atomic_load(&s->ear.again) + atomic_load(&s->own.again), status ? ": " : "", status ? s->why : "");
	if (!(status && getenv("KEEP")))
		nftw(folder, delete_one, 16, FTW_DEPTH | FTW_PHYS);
	else
		fprintf(stderr, "kept %s\n", folder);
	return status == 0;
}

static void
tell(struct point p)
{
	const char *error = s->shim.error ? t_text(" %s", strerrorname_np(s->shim.error)) : "";
	char *line = t_text("%s (%s%s): %s; again: POINT=%s make test T=calls/point", point_text(p), s->shim.call,
	    error, s->why, point_text(p));
	if (atomic_fetch_add(&total->failures, 1))     /* the first is the case's reason */
		fprintf(stderr, "calls: %s\n", line);
	CHECK(0, "%s", line);
}

static int
repeat(struct point p)
{
	int ok = run(p);
	if (!ok)
		tell(p);
	return ok;
}

static void
close_root(void)
{
	if (!(atomic_load(&total->failures) && getenv("KEEP")))
		nftw(root, delete_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
open_root(void)
{
	char self[4096], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	REQUIRE(n > 0, "readlink");
	self[n] = '\0';
	slash = strrchr(self, '/');
	*slash = '\0';
	setenv("STORM_SHIM", t_text("%s/shim.so", self), 1);
	root = t_text("%s/mom-calls.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : t_dir());
	REQUIRE(mkdtemp(root), "%s: %s", root, strerror(errno));
	t_at_end(close_root);
	total = t_shared_memory(sizeof *total);
}

static const struct point no_blow = { .role = SHIM_CLIENT, .life = SHIM_LIVES + 1 };

/* How many calls there are to hit. */
static struct shim *
measure(void)
{
	static struct shim counts;
	if (!repeat(no_blow))
		_exit(1);
	counts = s->shim;
	for (int r = 0; getenv("V") && r < SHIM_ROLES; r++)
		for (int l = 0; l < 2; l++)
			fprintf(stderr, "%s:%d: %d calls, %d can fail, %d can be short\n", roles[r], l + 1,
			    counts.calls[r][l][0], counts.calls[r][l][SHIM_FAIL],
			    counts.calls[r][l][SHIM_SHORT]);
	return &counts;
}

static struct { struct point point[POINTS_MOST]; int count, lane; } todo;

static void
add(struct point p)
{
	REQUIRE(todo.count < POINTS_MOST, "too many points");
	todo.point[todo.count++] = p;
}

static void
lane(void *number)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int i = (int)(intptr_t)number; i < todo.count; i += LANES)
		repeat(todo.point[i]);
}

static void
run_all(void)
{
	int64_t began = t_now_ms();
	pid_t pids[LANES];
	int status;
	for (int i = 0; t_is_long() && i < LANES; i++)
		pids[i] = t_spawn(lane, (void *)(intptr_t)i);
	for (int i = 0; t_is_long() && i < LANES; i++)
		REQUIRE(waitpid(pids[i], &status, 0) == pids[i] && status == 0, "a lane ended with wait status 0x%x",
		    status);
	for (int i = 0; !t_is_long() && i < todo.count; i++)
		repeat(todo.point[i]);
	t_remark("%ld runs, %ld hits, %ld calls failed and were made again, %ld messages came again and were flagged, "
	    "%lld s, slowest %ld ms at %s",
	    total->runs, total->hits, total->errors, total->again, (long long)(t_now_ms() - began) / 1000,
	    total->slowest, point_text(total->slowest_at));
	close_root();
}

static int
lives_of(int role)
{
	return role == SHIM_BROKER_SERVER || role == SHIM_WORKER || role == SHIM_MOM_DAEMON ||
	    role == SHIM_MOM_FORWARDER ? 2 : 1;
}

static void
role_points(int role)
{
	struct t_rng rng;
	open_root();
	t_rng_init(&rng, (uint64_t)role + 100);
	struct shim *counts = measure();
	for (int life = 1; life <= lives_of(role); life++)
		for (int kind = 0; kind < SHIM_KINDS; kind++) {
			int calls = atomic_load(&counts->calls[role][life - 1][kind]);
			for (int n = 1; t_is_long() && n <= calls; n++) {
				add((struct point){ .role = role, .life = life, .kind = kind, .n = n });
				if (kind == SHIM_FAIL)
					add((struct point){ .role = role, .life = life, .kind = kind, .n = n,
					    .turn = 1 + (int)t_rng_below(&rng, 5) });
			}
			if (!t_is_long() && calls)
				add((struct point){ .role = role, .life = life, .kind = kind,
				    .n = 1 + (int)t_rng_below(&rng, (uint64_t)calls),
				    .turn = (int)t_rng_below(&rng, 3) });
		}
	run_all();
}

#define STAYS \
	"killed before or after any system call, or one fails or comes short: what was acknowledged arrives once " \
	"and in order, a stop leaves nothing"
TEST(broker_server, "broker_server " STAYS) { role_points(SHIM_BROKER_SERVER); }
TEST(broker_handler, "broker_handler " STAYS) { role_points(SHIM_BROKER_HANDLER); }
TEST(broker_sender, "broker_sender " STAYS) { role_points(SHIM_BROKER_SENDER); }
TEST(worker, "worker " STAYS) { role_points(SHIM_WORKER); }
TEST(mom_daemon, "mom_daemon " STAYS) { role_points(SHIM_MOM_DAEMON); }
TEST(mom_requester, "mom_requester " STAYS) { role_points(SHIM_MOM_REQUESTER); }
TEST(mom_responser, "mom_responser " STAYS) { role_points(SHIM_MOM_RESPONSER); }
TEST(mom_forwarder, "mom_forwarder " STAYS) { role_points(SHIM_MOM_FORWARDER); }
TEST(client, "a program " STAYS) { role_points(SHIM_CLIENT); }

/* Where the storm has found a bug: by the name of the call, so that the place stays the same when others come before
 * it. */
TEST(found, "the places where a blow once lost a message, harmed a living client or stood still for ever")
{
	static const struct point found[] = {
		{ SHIM_MOM_FORWARDER, 1, SHIM_HELD, 1, 0, 0, "shmctl" },
		    { SHIM_MOM_FORWARDER, 1, SHIM_HELD, 2, 0, 0, "shmctl" },
		/* mail for a client that registered meanwhile */
		{ SHIM_MOM_FORWARDER, 1, SHIM_HELD, 3, 0, 0, "shmctl" },
		/* never tried again */
		{ SHIM_MOM_REQUESTER, 1, SHIM_FAIL, 3, 0, 0, "shmat" }, { SHIM_WORKER, 1, SHIM_FAIL, 2, 0, 0, "shmat" },
		/* a header that cannot be read is no damage */
		{ SHIM_MOM_FORWARDER, 2, SHIM_FAIL, 1, 0, 0, "pread" },
		{ SHIM_WORKER, 2, SHIM_FAIL, 1, 0, 0, "readdir" },                 /* nor is a folder an empty one */
		{ SHIM_WORKER, 2, SHIM_FAIL, 1, 0, 0, "openat" },                  /* a limit is no broken disk */
		{ SHIM_MOM_DAEMON, 2, SHIM_FAIL, 1, 0, 0, "shmat" }, { SHIM_MOM_DAEMON, 2, SHIM_FAIL, 3, 0, 0, "open" },
		/* what cannot be read now is not missing */
		{ SHIM_MOM_DAEMON, 2, SHIM_FAIL, 2, 0, 0, "read" },
		{ SHIM_MOM_DAEMON, 1, SHIM_FAIL, 2, 0, 0, "send" }, { SHIM_CLIENT, 1, SHIM_FAIL, 1, 0, 0, "send" },
		{ SHIM_CLIENT, 1, SHIM_FAIL, 1, 0, 0, "mmap" },
		/* to be out of files is no wrong use */
		{ SHIM_BROKER_SERVER, 2, SHIM_FAIL, 1, 1, 0, "open" },
		{ SHIM_BROKER_SERVER, 2, SHIM_FAIL, 1, 4, 0, "open" },
	};
	open_root();
	for (size_t i = 0; i < sizeof found / sizeof *found; i++)
		add(found[i]);
	run_all();
}

TEST(wall_clock, "a wall clock that jumps by up to a year every millisecond, with a blow or without, changes no order, "
    "doubles nothing, and stops no timer")
{
	struct t_rng rng;
	open_root();
	t_rng_init(&rng, 200);
	struct shim *counts = measure();
	for (int i = 1; i <= (t_is_long() ? 300 : 8); i++) {
		struct point p = no_blow;
		if (i % 4) {
			p.role = (int)t_rng_below(&rng, SHIM_ROLES);
			p.life = 1 + (int)t_rng_below(&rng, (uint64_t)lives_of(p.role));
			p.n = 1 + (int)t_rng_below(&rng, (uint64_t)atomic_load(
			    &counts->calls[p.role][p.life - 1][SHIM_BEFORE]));
			p.kind = i % 4 == 3 ? SHIM_HELD : SHIM_BEFORE;
		}
		p.jumps = 1 + (int)t_rng_below(&rng, 1000000);
		add(p);
	}
	run_all();
}

static int
index_of(const char *word, const char *const *words, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	REQUIRE(0, "POINT: there is no %s", word);
	return -1;
}

TEST(point, "one point of the others, as POINT says; without it the scenario with no blow")
{
	const char *text = getenv("POINT");
	char role[24], kind[24];
	struct point p = no_blow;
	open_root();
	if (text) {
		REQUIRE(sscanf(text, "%23[^:]:%d:%23[^:]:%d:%d:%d:%23s", role, &p.life, kind, &p.n, &p.turn, &p.jumps,
		    p.only) >= 4,
		    "POINT=%s: ROLE:LIFE:KIND:N:TURN:SEED:CALL", text);
		p.role = index_of(role, roles, SHIM_ROLES);
		p.kind = index_of(kind, kinds, SHIM_KINDS);
	}
	repeat(p);
	close_root();
}
