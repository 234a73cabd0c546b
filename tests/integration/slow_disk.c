/* slow_disk - a disk that takes seconds for what it usually does in milliseconds delays, and keeps nobody out */
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct server broker, one;

/* what is started until slow_end has the shim */
static void
slow_begin(const char *program, int ms)
{
	char path[PATH_MAX] = "";
	REQUIRE(readlink("/proc/self/exe", path, sizeof path - 1) > 0, "readlink");
	*strrchr(path, '/') = 0;
	*strrchr(path, '/') = 0;
	setenv("LD_PRELOAD", t_text("%s/shim/slow_sync.so", path), 1);
	setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
	setenv("SLOW_SYNC_IN", program, 1);
	setenv("SLOW_SYNC_MS", t_text("%d", ms), 1);
}

static void
slow_end(void)
{
	unsetenv("LD_PRELOAD");
}

TEST(handshake, "a broker whose disk takes 3 s for a sync admits a daemon at its first try: a handshake lasts longer than a daemon waits for an answer")
{
	/* the store is made on a quick disk */
	broker_start(&broker, "broker", 0, NULL);
	server_stop(&broker);
	slow_begin("broker_server", 3000);
	server_start(&broker);
	slow_end();
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	int id = talk_create();
	REQUIRE(!server_log_has(&one, "no answer") && !server_log_has(&one, "refused"), "the daemon gave up: %s", t_read_file(one.log));
	bye(id);
}
