/* clock - the wall clock is set by a year, back and forth: no timer of ours listens to it (calls/wall_clock: no order
 * either) The real clock is left alone: shim.so lies to all processes of a case. */
#include <storm/shim/shim.h>
#include <lib/proc.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const int64_t YEAR = INT64_C(366) * 86400 * 1000000;
static struct server broker, one;
static struct shim *shim;

static void
up(const char *extra)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	int fd = open(t_path("shim"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	REQUIRE(n > 0 && fd >= 0 && ftruncate(fd, sizeof *shim) == 0, "%s", strerror(errno));
	self[n] = '\0';
	strrchr(self, '/')[0] = '\0';
	shim = mmap(NULL, sizeof *shim, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(shim != MAP_FAILED, "mmap: %s", strerror(errno));
	close(fd);
	shim->life = SHIM_LIVES + 1;           /* nobody is hit */
	setenv("MOM_SHIM", t_path("shim"), 1);
	setenv("LD_PRELOAD", t_text("%s/shim.so", self), 1);
	setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
	broker_start(&broker, "broker", 0, extra);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

static void
works(const char *text)
{
	int id = talk_create();
	talk_subscribe(id, "clock");
	say(id, "clock", text);
	hear(id, "clock", text);
	bye(id);
}

/* the time that a message of now is stamped with, in years from ours, rounded */
static int
years_off(void)
{
	struct mom_message m;
	int id = talk_create();
	talk_subscribe(id, "clock");
	say(id, "clock", "when");
	REQUIRE(mom_receive(id, &m, 20000) == 0, "%s", mom_error_text(id));
	int64_t off = m.time_us - (int64_t)time(NULL) * 1000000;
	bye(id);
	return (int)((off + (off < 0 ? -YEAR / 2 : YEAR / 2)) / YEAR);
}

TEST(forth, "a clock that is set a year forth lets nothing expire: neither a machine that is away for a moment nor its "
    "durable client")
{
	up("--machine-expiry 36h");
	int id = talk_open("reader"), mouth = talk_create();
	talk_subscribe(id, "bells");
	say(mouth, "bells", "before");
	mom_close(id);
	server_stop(&one);
	atomic_store(&shim->wall_us, YEAR);
	server_stop(&broker);
	server_start(&broker);
	server_start(&one);
	REQUIRE(years_off() == 1, "the clock of the broker was not set: this case proves nothing");
	say(mouth, "bells", "after");
	id = talk_open("reader");
	hear(id, "bells", "before");
	hear(id, "bells", "after");
	bye(id);
	bye(mouth);
}

TEST(back, "a clock that is set a year back stops no timer: who is away for too long expires, and is told")
{
	up("--machine-expiry 2s");
	int id = talk_open("reader");
	struct mom_message m;
	talk_subscribe(id, "bells");
	atomic_store(&shim->wall_us, -YEAR);
	REQUIRE(years_off() == -1, "the clock of the broker was not set: this case proves nothing");
	mom_close(id);
	WAIT_FOR(server_log_has(&one, "durable client reader of user"), "it never expires");
	id = talk_open("reader");
	REQUIRE(mom_receive(id, &m, 20000) == 0 && m.flags & MOM_GAP, "it was not told");
	server_stop(&one);
	WAIT_FOR(server_log_has(&broker, "was away for"), "the machine never expires");
	mom_close(id);
}

static void
jump(void *stop)
{
	for (int i = 0; !atomic_load((atomic_int *)stop); i++) {
		atomic_store(&shim->wall_us, i % 3 * YEAR - YEAR);
		t_sleep_ms(1);
	}
}

TEST(jumping, "while the clock jumps a program's time limits hold, a silent broker is noticed, and messages go on")
{
	up(NULL);
	atomic_int *stop = t_shared_memory(sizeof *stop);
	pid_t jumper = t_spawn(jump, stop);
	for (int i = 0; i < 3; i++) {
		int64_t began = t_now_ms();
		/* its libmom sees the clock jump, too */
		struct ran r = run_command("%s 'S clock' 'R 1'", t_bin("user_main"));
		int64_t took = t_now_ms() - began;
		REQUIRE(took >= 950 && took < 5000, "R 1 took %lld ms: %s%s", (long long)took, r.out, r.err);
		works("jumping");
	}
	int id = talk_create();
	talk_subscribe(id, "clock");
	server_freeze(&broker);
	WAIT_FOR(server_log_has(&one, "silent for 12 s"), "the daemon does not notice that its broker is silent");
	server_thaw(&broker);
	say(id, "clock", "after the silence");
	hear(id, "clock", "after the silence");
	bye(id);
	atomic_store(stop, 1);
	t_join(jumper);
}
