/* resource - mom_resource.h over real coordinators: first come first served, deaths of clients, take-overs that lose
 * and double nothing */
#include <lib/coordinators.h>
#include <lib/run.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <api/resource/resource.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server broker, one, two;

static void
up(int coordinators)
{
	broker_start(&broker, "broker", 0, "--workers 2");
	daemon_start(&one, "one", broker.port);
	daemon_start(&two, "two", broker.port);
	use_daemon(&one);
	for (int i = 0; i < coordinators; i++)
		coordinator_start(i, i % 2 ? &two : &one);
	if (coordinators)
		coordinators_settled(coordinators);
}

#define OK(call) do { int ok_ = (call); REQUIRE(ok_ == 0, "%s: %d %s", #call, ok_, mom_error_text(id)); } while (0)

/* ---- clients of their own process ---- */

static struct shared {
	int waiting[8], got[8], result[8], go;
	long done[8], taken;
} *shared;

static pid_t
child(void (*run)(int), int i, struct server *daemon)
{
	pid_t pid = fork();
	if (pid == 0) {
		use_daemon(daemon);
		run(i);
		_exit(0);
	}
	REQUIRE(pid > 0, "fork");
	return pid;
}

static void
wait_once(int i)
{
	int id = mom_create();
	if (id < 0)
		_exit(1);
	mom_dsem_trywait(id, "none");                  /* its second client is there */
	__atomic_store_n(&shared->waiting[i], 1, __ATOMIC_SEQ_CST);
	shared->result[i] = mom_dsem_wait(id, "s", -1);
	__atomic_store_n(&shared->got[i], 1, __ATOMIC_SEQ_CST);
	if (shared->result[i] == 0)
		pause();
	mom_destroy(id);
}

/* Is it in the queue? Nobody sees that from outside: a coordinator's debug log does not tell names. So the next one is
 * started when this one has slept a while. */
static pid_t
waiter(int i, struct server *daemon)
{
	pid_t pid = child(wait_once, i, daemon);
	WAIT_FOR(__atomic_load_n(&shared->waiting[i], __ATOMIC_SEQ_CST), "waiter %d", i);
	/* its request is a millisecond's work; all that a longer one would do is to let the order be another */
	t_sleep_ms(60);
	return pid;
}

static void
kill_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

TEST(calls, "semaphores and variables are the same over two daemons; each error is told")
{
	int value = 0;
	up(2);
	int id = talk_create(), other;
	use_daemon(&two);
	other = talk_create();
	OK(mom_dsem_init(id, "s", 2, 0));
	REQUIRE(mom_dsem_init(other, "s", 7, 0) == MOM_EEXIST && strstr(mom_error_text(other), "already"), "%s",
	    mom_error_text(other));
	OK(mom_dsem_wait(id, "s", -1));
	OK(mom_dsem_wait(other, "s", 0));
	REQUIRE(mom_dsem_trywait(id, "s") == MOM_NOT_FREE && mom_dsem_wait(id, "s", 0) == MOM_ETIMEDOUT, "taken");
	int64_t began = t_now_ms();
	REQUIRE(mom_dsem_wait(id, "s", 120) == MOM_ETIMEDOUT && t_now_ms() - began >= 120, "%s", mom_error_text(id));
	OK(mom_dsem_signal(other, "s"));
	OK(mom_dsem_trywait(id, "s"));
	OK(dsem_destroy(id, "s"));
	REQUIRE(dsem_wait(id, "s", -1) == MOM_ENORESOURCE && strstr(mom_error_text(id), "no semaphore"), "%s",
	    mom_error_text(id));
	OK(dshm_init(id, "s", -5));
	REQUIRE(dshm_read(other, "s", &value) == 0 && value == -5 && dshm_write(other, "s", 1 << 30) == 0 &&
	    dshm_read(id, "s", &value) == 0 && value == 1 << 30, "%d", value);
	REQUIRE(dshm_init(other, "s", 1) == MOM_EEXIST && dshm_destroy(other, "s") == 0 &&
	    dshm_read(id, "s", &value) == MOM_ENORESOURCE, "%s", mom_error_text(id));
	char name[MOM_RESOURCE_MAX + 2];
	memset(name, 'n', sizeof name);
	name[MOM_RESOURCE_MAX + 1] = '\0';
	REQUIRE(dshm_init(id, name, 1) == MOM_EINVAL && dshm_init(id, "", 1) == MOM_EINVAL &&
	    dsem_init(id, "x", -1, 0) == MOM_EINVAL && dsem_init(id, "x", 1, 8) == MOM_EINVAL &&
	    dsem_wait(id, "x", -2) == MOM_EINVAL && dshm_read(id, "x", NULL) == MOM_EINVAL &&
	    dsem_signal(id, NULL) == MOM_EINVAL && dsem_wait(999, "x", 1) == MOM_EBADID, "arguments");
	OK(dshm_init(id, name + 1, 9));
	OK(dsem_init(id, "top", INT32_MAX, 0));
	REQUIRE(dsem_signal(id, "top") == MOM_ELIMIT, "%s", mom_error_text(id));
	hear_nothing(id);                              /* the handle's own messages are left alone */
	bye(other);
	bye(id);
}

TEST(first_come, "who waits first is served first, on whichever machine; destroy wakes the others with an error")
{
	pid_t pid[4];
	shared = t_shared_memory(sizeof *shared);
	up(2);
	int id = talk_create();
	OK(mom_dsem_init(id, "s", 0, 0));
	for (int i = 0; i < 4; i++)
		pid[i] = waiter(i, i % 2 ? &two : &one);
	for (int i = 0; i < 2; i++) {
		OK(mom_dsem_signal(id, "s"));
		WAIT_FOR(__atomic_load_n(&shared->got[i], __ATOMIC_SEQ_CST), "waiter %d", i);
		REQUIRE(shared->result[i] == 0 && !shared->got[i + 1], "waiter %d: %d", i, shared->result[i]);
	}
	OK(mom_dsem_destroy(id, "s"));
	for (int i = 2; i < 4; i++) {
		WAIT_FOR(__atomic_load_n(&shared->got[i], __ATOMIC_SEQ_CST), "waiter %d", i);
		REQUIRE(shared->result[i] == MOM_ENORESOURCE, "waiter %d: %d", i, shared->result[i]);
		waitpid(pid[i], NULL, 0);
	}
	kill_child(pid[0]);
	kill_child(pid[1]);
	bye(id);
}

TEST(client_dies, "a killed client's unit goes to the next who waits, a killed waiter is passed over, a handle that "
    "ends gives back as well")
{
	pid_t pid[3];
	shared = t_shared_memory(sizeof *shared);
	up(2);
	int id = talk_create();
	OK(mom_dsem_init(id, "s", 1, 0));
	for (int i = 0; i < 3; i++)
		pid[i] = waiter(i, i % 2 ? &two : &one);
	WAIT_FOR(__atomic_load_n(&shared->got[0], __ATOMIC_SEQ_CST), "the holder");
	kill_child(pid[1]);
	kill_child(pid[0]);
	WAIT_FOR(__atomic_load_n(&shared->got[2], __ATOMIC_SEQ_CST), "the heir");
	REQUIRE(shared->result[2] == 0 && !shared->got[1], "%d", shared->result[2]);
	kill_child(pid[2]);
	OK(mom_dsem_wait(id, "s", T_PATIENCE_MS));
	bye(id);
	id = talk_create();
	OK(mom_dsem_wait(id, "s", T_PATIENCE_MS));
	bye(id);
}

TEST(nobody, "without a coordinator a call says so in the handle's time; one that is started meanwhile is found")
{
	up(0);
	int id = talk_create();
	REQUIRE(mom_set_option(id, MOM_OPT_TIMEOUT_MS, 200) == 0 && mom_dsem_init(id, "s", 1, 0) == MOM_ENOSUBSCRIBER &&
	    strstr(mom_error_text(id), "mom_coordinator"), "%s", mom_error_text(id));
	REQUIRE(mom_dsem_wait(id, "s", 50) == MOM_ENOSUBSCRIBER || mom_dsem_wait(id, "s", 50) == MOM_ETIMEDOUT, "%s",
	    mom_error_text(id));
	REQUIRE(mom_set_option(id, MOM_OPT_TIMEOUT_MS, 30000) == 0, "option");
	coordinator_start(0, &one);
	OK(mom_dsem_init(id, "s", 1, 0));
	OK(mom_dsem_wait(id, "s", -1));
	bye(id);
}

TEST(command_line, "mom_coordinator tells wrong use with exit 100, --help, and --list what there is")
{
	struct ran r;
	up(0);
	r = run_command("'%s' --no-such", t_bin("mom_coordinator"));
	REQUIRE(r.status == 100 && strstr(r.err, "--help"), "%d %s", r.status, r.err);
	r = run_command("'%s' --alive 3", t_bin("mom_coordinator"));
	REQUIRE(r.status == 100 && strstr(r.err, "from 10"), "%d %s", r.status, r.err);
	r = run_command("'%s' --help", t_bin("mom_coordinator"));
	REQUIRE(r.status == 0 && strstr(r.out, "--missed"), "%d %s", r.status, r.out);
	r = run_command("'%s' --list", t_bin("mom_coordinator"));
	REQUIRE(r.status == 1 && strstr(r.out, "0 coordinators"), "%d %s", r.status, r.out);
	coordinator_start(0, &two);
	r = run_command("'%s' --list", t_bin("mom_coordinator"));
	REQUIRE(r.status == 0 && strstr(r.out, "c0 ") && strstr(r.out, "32 by one"), "%d %s", r.status, r.out);
	r = run_command("MOM_RUN='%s' '%s'", t_path("nowhere"), t_bin("mom_coordinator"));
	REQUIRE(r.status == 111 && strstr(r.err, "mom_daemon"), "%d %s", r.status, r.err);
}

static void
babble(void *stop)
{
	int id = talk_create();
	while (!*(volatile int *)stop) {
		say(id, RESOURCE_ALIVE, "nonsense");
		t_tick();
	}
	bye(id);
}

TEST(babble, "mom_coordinator --list comes to an end while a stranger publishes nonsense without end where it listens")
{
	int *stop = t_shared_memory(sizeof *stop);
	up(0);
	pid_t pid = t_spawn(babble, stop);
	struct ran r = run_command("'%s' --list", t_bin("mom_coordinator"));
	REQUIRE(r.status == 1 && strstr(r.out, "0 coordinators"), "%d %s", r.status, r.out);
	*stop = 1;
	t_join(pid);
}

/* ---- load, while coordinators die ---- */

enum { WORKERS = 4, COUNTERS = 6 };

/* Takes a lock, adds 1 to the counter that it guards by read and write, and lets go: done twice or not at all, by
 * whomever, the sum is another. */
static void
count_up(int i)
{
	int id = mom_create(), value;
	char lock[16], counter[16];
	if (id < 0)
		_exit(1);
	while (!__atomic_load_n(&shared->go, __ATOMIC_SEQ_CST)) {
		int k = (int)(shared->done[i] % COUNTERS), e;
		snprintf(lock, sizeof lock, "lock/%d", k);
		snprintf(counter, sizeof counter, "counter/%d", k);
		if ((e = mom_dsem_wait(id, lock, -1)) || (e = mom_dshm_read(id, counter, &value)) ||
		    (e = mom_dshm_write(id, counter, value + 1)) || (e = mom_dsem_signal(id, lock))) {
			fprintf(stderr, "worker %d: %s\n", i, mom_error_text(id));
			shared->result[i] = e;
			_exit(1);
		}
		__atomic_fetch_add(&shared->done[i], 1, __ATOMIC_SEQ_CST);
	}
	mom_destroy(id);
}

static pid_t workers[WORKERS];

static long
all_done(void)
{
	long sum = 0;
	for (int i = 0; i < WORKERS; i++)
		sum += __atomic_load_n(&shared->done[i], __ATOMIC_SEQ_CST);
	return sum;
}

static void
load_begins(int id)
{
	for (int k = 0; k < COUNTERS; k++) {
		OK(mom_dsem_init(id, t_text("lock/%d", k), 1, 0));
		OK(mom_dshm_init(id, t_text("counter/%d", k), 0));
	}
	for (int i = 0; i < WORKERS; i++)
		workers[i] = child(count_up, i, i % 2 ? &two : &one);
}

static void
load_goes_on(void)
{
	long before[WORKERS];
	for (int i = 0; i < WORKERS; i++)
		before[i] = shared->done[i];
	for (int i = 0; i < WORKERS; i++)
		WAIT_FOR(__atomic_load_n(&shared->done[i], __ATOMIC_SEQ_CST) > before[i] + 1,
		    "worker %d stands still at %ld (error %d)", i, before[i], shared->result[i]);
}

static void
load_holds(int id)
{
	long sum = 0;
	load_goes_on();
	__atomic_store_n(&shared->go, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < WORKERS; i++) {
		int status = t_join(workers[i]);
		REQUIRE(status == 0, "worker %d: status %x, error %d", i, status, shared->result[i]);
	}
	for (int k = 0; k < COUNTERS; k++) {
		int value = -1;
		OK(mom_dshm_read(id, t_text("counter/%d", k), &value));
		OK(mom_dsem_trywait(id, t_text("lock/%d", k)));
		REQUIRE(mom_dsem_trywait(id, t_text("lock/%d", k)) == MOM_NOT_FREE, "lock %d is free twice", k);
		sum += value;
	}
	REQUIRE(sum == all_done(), "counted %ld, done %ld", sum, all_done());
	t_remark("%ld times", sum);
	bye(id);
}

TEST(take_over, "kill -9 of one coordinator after the other under load, each brought back: nothing is lost, nothing "
    "done twice")
{
	shared = t_shared_memory(sizeof *shared);
	up(3);
	int id = talk_create();
	load_begins(id);
	for (int i = 0; i < (t_is_long() ? 60 : 6); i++) {
		load_goes_on();
		coordinator_kill(i % 3);
		load_goes_on();
		coordinators_settled(2);
		coordinator_start(i % 3, NULL);
		coordinators_settled(3);
	}
	load_holds(id);
}

TEST(both_die, "primary and backup killed one after the other, without either being brought back: the third has it all")
{
	shared = t_shared_memory(sizeof *shared);
	up(3);
	int id = talk_create();
	load_begins(id);
	load_goes_on();
	coordinator_kill(0);
	coordinators_settled(2);
	load_goes_on();
	coordinator_kill(1);
	coordinators_settled(1);
	load_holds(id);
}

TEST(silent, "a stopped coordinator is taken for dead by its silence, others go on; when it goes on, nothing is done "
    "twice")
{
	shared = t_shared_memory(sizeof *shared);
	up(3);
	int id = talk_create();
	load_begins(id);
	for (int i = 0; i < (t_is_long() ? 3 : 1); i++) {
		load_goes_on();
		kill(coordinator_pid(i), SIGSTOP);
		coordinators_settled(2);
		load_goes_on();
		kill(coordinator_pid(i), SIGCONT);
		coordinators_settled(3);
	}
	load_holds(id);
}

static void
signal_once(int i)
{
	int id = mom_create();
	shared->result[i] = id < 0 ? id : mom_dsem_signal(id, "s");
	mom_destroy(id);
}

TEST(asked_again, "a client whose coordinators stop asks again and again; when they go on it was done once")
{
	shared = t_shared_memory(sizeof *shared);
	up(2);
	int id = talk_create(), units = 0;
	OK(mom_dsem_init(id, "s", 0, 0));
	kill(coordinator_pid(0), SIGSTOP);
	kill(coordinator_pid(1), SIGSTOP);
	shared->result[0] = 1;
	pid_t pid = child(signal_once, 0, &two);
	t_sleep_ms(1200);                              /* two or three times */
	kill(coordinator_pid(0), SIGCONT);
	kill(coordinator_pid(1), SIGCONT);
	t_join(pid);
	REQUIRE(shared->result[0] == 0, "%d", shared->result[0]);
	while (mom_dsem_trywait(id, "s") == 0)
		units++;
	REQUIRE(units == 1, "%d units", units);
	bye(id);
}

TEST(broker_killed, "the broker, then a daemon, killed and brought back under load: all goes on, nothing lost, nothing "
    "doubled")
{
	shared = t_shared_memory(sizeof *shared);
	up(2);
	int id = talk_create();
	load_begins(id);
	for (int i = 0; i < (t_is_long() ? 5 : 1); i++) {
		load_goes_on();
		server_kill_all(&broker);
		server_start(&broker);
	}
	load_goes_on();
	server_kill_all(&two);
	server_start(&two);
	load_holds(id);
}

TEST_LONG(chaos, "coordinators killed and stopped, the broker and a daemon killed, in any order under load: nothing "
    "lost, nothing done twice")
{
	struct t_rng rng;
	t_rng_init(&rng, 77);
	shared = t_shared_memory(sizeof *shared);
	up(3);
	int id = talk_create();
	load_begins(id);
	for (int i = 0; i < 60; i++) {
		int k = (int)t_rng_below(&rng, 3), what = (int)t_rng_below(&rng, 6);
		if (what < 3)
			coordinator_kill(k);
		else
			kill(coordinator_pid(k), SIGSTOP);
		if (what % 3 == 1) {
			server_kill_all(&broker);
			server_start(&broker);
		} else if (what % 3 == 2) {
			server_kill_all(&two);
			server_start(&two);
		}
		if (t_rng_below(&rng, 2))
			load_goes_on();
		if (what < 3)
			coordinator_start(k, NULL);
		else
			kill(coordinator_pid(k), SIGCONT);
		coordinators_settled(3);
		load_goes_on();
	}
	load_holds(id);
}

TEST(all_die, "where all coordinators die at once what they kept is lost and told: waiters wake with an error, names "
    "are free")
{
	shared = t_shared_memory(sizeof *shared);
	up(2);
	int id = talk_create();
	OK(mom_dsem_init(id, "s", 0, 0));
	pid_t pid = waiter(0, &two);
	coordinator_kill(0);
	coordinator_kill(1);
	coordinator_start(0, NULL);
	WAIT_FOR(__atomic_load_n(&shared->got[0], __ATOMIC_SEQ_CST), "the waiter");
	REQUIRE(shared->result[0] == MOM_ENORESOURCE, "%d", shared->result[0]);
	waitpid(pid, NULL, 0);
	OK(mom_dsem_init(id, "s", 0, 0));
	bye(id);
}

TEST(together, "coordinators that start at the same moment agree on one state: what one of them was told is known to "
    "all")
{
	int value;
	up(0);
	int id = talk_create();
	for (int round = 0; round < (t_is_long() ? 20 : 2); round++) {
		for (int i = 0; i < 3; i++)
			coordinator_begin(i, i % 2 ? &two : &one);
		for (int i = 0; i < 40; i++)
			OK(mom_dshm_init(id, t_text("v%d", i), i));
		coordinators_settled(3);
		for (int k = 0; k < 2; k++) {
			coordinator_kill(k);
			coordinators_settled(2 - k);
			for (int i = 0; i < 40; i++) {
				OK(mom_dshm_read(id, t_text("v%d", i), &value));
				REQUIRE(value == i, "%d: %d", i, value);
			}
		}
		coordinator_kill(2);
	}
	bye(id);
}

enum { MANY = 900 };                                   /* names of 200 bytes: more than a part */

/* a long name, one of many of the same group */
static const char *
long_name(int n)
{
	static char name[MOM_RESOURCE_MAX + 1];
	static unsigned found[MANY], count, next;
	for (; count <= (unsigned)n; next++) {
		snprintf(name, sizeof name, "%0*u", MOM_RESOURCE_MAX, next);
		if (resource_group(name) == 0)
			found[count++] = next;
	}
	snprintf(name, sizeof name, "%0*u", MOM_RESOURCE_MAX, found[n]);
	return name;
}

TEST(large_state, "a state of many parts moves to a new coordinator")
{
	int value;
	up(1);
	int id = talk_create();
	for (int i = 0; i < MANY; i++)
		OK(mom_dshm_init(id, long_name(i), i));
	coordinator_start(1, &two);
	coordinators_settled(2);
	coordinator_kill(0);
	for (int i = 0; i < MANY; i += 50) {
		OK(mom_dshm_read(id, long_name(i), &value));
		REQUIRE(value == i, "%d: %d", i, value);
	}
	bye(id);
}
