/* crowded - beside busy programs: slower, but nothing times out and nothing fails. Counted, not timed. */
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <mom.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { LOOPS = 8, CLIENTS = 100, MESSAGES = 1000 };

static struct server broker, one;
static struct { atomic_int left; } *shared;

static void
spin(void *unused)
{
	(void)unused;
	while (atomic_load(&shared->left) > 0)
		;
}

TEST(exchange, "beside eight busy loops a hundred clients are made, and exchange a thousand messages one after the "
    "other and a thousand at once: no call times out")
{
	int id[CLIENTS];
	pid_t loop[LOOPS];
	struct mom_message m;
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
	shared = t_shared_memory(sizeof *shared);
	atomic_store(&shared->left, 1);
	for (int i = 0; i < LOOPS; i++)
		loop[i] = t_spawn(spin, NULL);
	for (int i = 0; i < CLIENTS; i++) {
		id[i] = talk_create();
		talk_subscribe(id[i], t_text("c%d", i));
	}
	for (int i = 0; i < MESSAGES; i++) {
		int to = (i * 7 + 1) % CLIENTS;
		int from = id[i % CLIENTS];
		REQUIRE(mom_publish(from, t_text("c%d", to), t_text("%d", i), strlen(t_text("%d", i)),
		    i % 10 ? MOM_FAST : 0) == 0, "%s", mom_error_text(from));
		hear(id[to], t_text("c%d", to), t_text("%d", i));
	}
	for (int i = 0; i < MESSAGES; i++)
		REQUIRE(mom_publish(id[i % CLIENTS], "c0", t_text("%d", i), strlen(t_text("%d", i)), MOM_ASYNC) == 0,
		    "%s", mom_error_text(id[i % CLIENTS]));
	for (int i = 0; i < MESSAGES; i++)
		REQUIRE(mom_receive(id[0], &m, T_PATIENCE_MS) == 0, "message %d: %s", i, mom_error_text(id[0]));
	for (int i = 0; i < CLIENTS; i++)
		bye(id[i]);
	atomic_store(&shared->left, 0);
	for (int i = 0; i < LOOPS; i++)
		t_join(loop[i]);
}
