/* slow_disk - a disk that takes seconds for what it usually does in milliseconds delays, and keeps nobody out */
#include <lib/server.h>
#include <lib/shim.h>
#include <lib/t.h>
#include <lib/talk.h>

static struct server broker, one;

TEST(handshake, "a broker whose disk takes 3 s for a sync admits a daemon at its first try: a handshake lasts longer "
    "than a daemon waits for an answer")
{
	/* the store is made on a quick disk */
	broker_start(&broker, "broker", 0, NULL);
	server_stop(&broker);
	shim_slow("broker_server", "sync", 3000);
	server_start(&broker);
	shim_end();
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	int id = talk_create();
	REQUIRE(!server_log_has(&one, "no answer") && !server_log_has(&one, "refused"), "the daemon gave up: %s",
	    t_read_file(one.log));
	bye(id);
}
