/* interrupted - signals that interrupt system calls end nothing and lose nothing: every other call that may be
 * interrupted is */
#include <lib/load.h>
#include <lib/proc.h>
#include <lib/shim.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <signal.h>

static struct server broker, one;

static void
exchange(long count)
{
	struct load *ear = subscriber_start(&one, "a,b", PAYLOAD_MIX), *mouth = publisher_start(&one, 1, "a,b", count,
	    PAYLOAD_MIX, MOM_ASYNC);
	load_finish(mouth);
	load_expect(ear, count);
	load_finish(ear);
}

TEST(servers, "where signals interrupt every other call, segments are made and ended, a backlog is spooled, servers "
    "stop and start, nothing is lost")
{
	enum { WAITING = 300 };
	static char big[60000];
	struct mom_message m;
	shim_interrupted();
	broker_start(&broker, "broker", 0, "--store-max 160m");
	daemon_start(&one, "one", broker.port);
	shim_end();
	use_daemon(&one);
	exchange(6000);
	int id = talk_open("sleeper"), mouth = talk_create();
	talk_subscribe(id, "waiting");
	REQUIRE(mom_close(id) == 0, "%s", mom_error_text(-1));
	for (int i = 0; i < WAITING; i++)
		REQUIRE(mom_publish(mouth, "waiting", big, sizeof big, MOM_ASYNC) == 0, "%s", mom_error_text(mouth));
	REQUIRE(mom_flush(mouth, 20000) == 0, "%s", mom_error_text(mouth));
	shim_interrupted();
	kill(server_child(&broker, "worker"), SIGKILL);
	server_stop(&one);
	server_stop(&broker);
	server_start(&broker);
	server_start(&one);
	shim_end();
	id = talk_open("sleeper");
	for (int i = 0; i < WAITING; i++)
		REQUIRE(mom_receive(id, &m, 20000) == 0 && m.len == sizeof big, "%d: %s", i, mom_error_text(id));
	hear_nothing(id);
	bye(id);
	bye(mouth);
	REQUIRE(!server_log_has(&broker, "Interrupted") && !server_log_has(&one, "Interrupted"),
	    "a log tells of it:\n%s%s", t_read_file(broker.log),
	    t_read_file(one.log));
}
