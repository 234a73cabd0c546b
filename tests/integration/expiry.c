/* expiry - a machine or a durable client that stays away for too long is forgotten, with a log line, and told when it
 * comes back */
#include <lib/t.h>
#include <lib/talk.h>
#include <lib/server.h>
#include <lib/views.h>
#include <string.h>

static struct server broker, near, far;

static void
start_all(void)
{
	broker_start(&broker, "broker", 0, "--machine-expiry 2s");
	daemon_start(&near, "near", broker.port);
	daemon_start(&far, "far", broker.port);
}

static void
hear_forgotten(int id, const char *words)
{
	struct mom_message m;
	int r = mom_receive(id, &m, 20000);
	REQUIRE(r == 0 && m.flags & MOM_GAP && m.topic[0] == '\0' && strstr(m.data, words) &&
	    strstr(m.data, "forgotten"), "came %d: %s", r,
	    r == 0 ? (const char *)m.data : mom_error_text(id));
}

TEST(durable_client, "a durable client that nobody opens for longer than --machine-expiry is forgotten; its next owner "
    "is told, once")
{
	start_all();
	use_daemon(&near);
	int id = talk_open("reader"), mouth = talk_create();
	uint64_t old = mom_global_id(id);
	talk_subscribe(id, "bells");
	REQUIRE(view_has(&broker, old, "bells"), "not in the views");
	mom_close(id);
	WAIT_FOR(server_log_has(&near, "durable client reader of user"), "nothing says that it is forgotten");
	WAIT_FOR(view_mentions(&broker, old) == 0, "it is still subscribed");
	say(mouth, "bells", "nobody hears");
	id = talk_open("reader");
	hear_forgotten(id, "the client of this name was");
	hear_nothing(id);
	talk_subscribe(id, "bells");
	say(mouth, "bells", "again");
	hear(id, "bells", "again");
	mom_close(id);
	id = talk_open("reader");
	hear_nothing(id);
	bye(id);
	bye(mouth);
}

TEST(machine, "a machine that is away for longer than --machine-expiry is forgotten; its clients are told, a living "
    "one and a durable one that comes back")
{
	start_all();
	use_daemon(&far);
	int living = talk_create(), id = talk_open("reader");
	uint64_t old[2] = { mom_global_id(living), mom_global_id(id) };
	talk_subscribe(living, "bells");
	talk_subscribe(id, "bells");
	REQUIRE(view_has(&broker, old[0], "bells") && view_has(&broker, old[1], "bells"), "not in the views");
	mom_close(id);
	server_stop(&far);
	WAIT_FOR(server_log_has(&broker, "clients of it are forgotten"), "nothing says that it is forgotten");
	WAIT_FOR(view_mentions(&broker, old[0]) == 0 && view_mentions(&broker, old[1]) == 0,
	    "they are still subscribed");
	use_daemon(&near);
	int mouth = talk_create();
	say(mouth, "bells", "nobody hears");
	server_start(&far);
	struct mom_message m;
	int r = mom_receive(living, &m, 20000);
	REQUIRE(r == MOM_EBADID && strstr(mom_error_text(living), "forgot this client"), "the living one: %d: %s", r,
	    mom_error_text(living));
	r = mom_publish(living, "bells", "x", 1, 0);
	REQUIRE(r == MOM_EBADID, "publish of the forgotten one: %s", mom_strerror(r));
	mom_destroy(living);
	use_daemon(&far);
	id = talk_open("reader");
	hear_forgotten(id, "this machine was");
	talk_subscribe(id, "bells");
	say(mouth, "bells", "again");
	hear(id, "bells", "again");
	bye(id);
	bye(mouth);
}
