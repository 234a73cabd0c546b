/* told - what a call in trouble says of its request, held against what becomes of it: whether it is done, will be done
 * once the trouble is over, or never. Every call, in every kind of trouble */
#include <lib/json.h>
#include <lib/run.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include <stdlib.h>
#include <string.h>

enum { HASTY_MS = 300, BLOCK = 65536 };

enum call { PUBLISH, PUBLISH_FAST, PUBLISH_ASYNC, SUBSCRIBE, UNSUBSCRIBE, CREATE, OPEN, CLOSE, DESTROY, CALLS };
static const char *const names[CALLS] = { "publish", "publish_fast", "publish_async", "subscribe", "unsubscribe",
    "create", "open", "close", "destroy" };

static struct server broker, one, two;
static int ear, mouth;                          /* on two: both are spared the trouble */
static struct trial { int id, code; char text[1000], uid[20]; } trials[CALLS];

/* ---- what is told ---- */

enum told { TOLD_NOTHING, TOLD_DONE, TOLD_ON_ITS_WAY, TOLD_NOT_DONE };

static enum told
told(const struct trial *t)
{
	static const struct { const char *words; enum told told; } known[] = {
		{ "it is on its way and takes effect once", TOLD_ON_ITS_WAY },
		{ "mom_daemon sends what is on its way and destroys the client", TOLD_ON_ITS_WAY },
		{ "not sent: call again", TOLD_NOT_DONE },
		{ "nothing was stored", TOLD_NOT_DONE },
		{ "no client was made", TOLD_NOT_DONE },
	};
	enum told r = TOLD_NOTHING;
	if (t->code >= 0)
		return TOLD_DONE;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strstr(t->text, known[i].words)) {
			REQUIRE(r == TOLD_NOTHING || r == known[i].told, "it says both: %s", t->text);
			r = known[i].told;
		}
	return r;
}

/* ---- what becomes of it ---- */

static int
client_is_listed(const char *member, const char *value)
{
	struct ran r = run_command("'%s' clients --json '%s'", t_bin("mom"), one.run);
	return json_find(r.out, member, value, 0) >= 0;
}

/* How often it was heard. What somebody publishes behind it is heard behind it. */
static int
heard(enum call c)
{
	static int heard[CALLS];
	struct mom_message m;
	enum call of;
	WAIT_FOR(mom_flush(trials[c].id, T_PATIENCE_MS) != MOM_ETIMEDOUT, "%s", mom_error_text(trials[c].id));
	say(mouth, names[c], "end");
	do {
		REQUIRE(mom_receive(ear, &m, T_PATIENCE_MS) == 0, "%s: %s", names[c], mom_error_text(ear));
		for (of = 0; of < CALLS && strcmp(m.topic, names[of]) != 0; of++)
			;
		REQUIRE(of < CALLS, "%s came", m.topic);
		heard[of] += m.len == 4;               /* "mine" */
	} while (of != c || m.len == 4);
	return heard[c];
}

static int
repeated(enum call c)
{
	int r;
	WAIT_FOR((r = c == SUBSCRIBE ? mom_subscribe(trials[c].id, names[c], 0) : mom_unsubscribe(trials[c].id,
	    names[c])) != MOM_ETIMEDOUT && r != MOM_EAGAIN && r != MOM_EFULL, "%s", mom_error_text(trials[c].id));
	return r == MOM_EEXIST || r == MOM_ENOTSUB;
}

/* how often it took effect */
static int
effect(enum call c, enum told t)
{
	switch (c) {
	case SUBSCRIBE: case UNSUBSCRIBE: return repeated(c);
	case CREATE: case OPEN: return trials[c].code >= 0;
	case CLOSE: case DESTROY:
		WAIT_FOR(t == TOLD_NOT_DONE || !client_is_listed("id", trials[c].uid), "the client stays");
		return !client_is_listed("id", trials[c].uid);
	default: return heard(c);
	}
}

/* ---- trials ---- */

static void
up(const char *options)
{
	broker_start(&broker, "broker", 0, options);
	daemon_start(&one, "one", broker.port);
	daemon_start(&two, "two", broker.port);
	setenv("MOM_TIMEOUT", t_text("%dms", HASTY_MS), 1);    /* a program reads it at its first call */
	use_daemon(&two);
	ear = talk_create_hasty();
	mouth = talk_create_hasty();
	mom_set_option(ear, MOM_OPT_TIMEOUT_MS, T_PATIENCE_MS);
	mom_set_option(mouth, MOM_OPT_TIMEOUT_MS, T_PATIENCE_MS);
	use_daemon(&one);
	for (enum call c = 0; c < CALLS; c++) {
		if (c <= PUBLISH_ASYNC)
			talk_subscribe(ear, names[c]);
		if (c == CREATE || c == OPEN)
			continue;
		trials[c].id = talk_create_hasty();
		mom_set_option(trials[c].id, MOM_OPT_TIMEOUT_MS, T_PATIENCE_MS);
		snprintf(trials[c].uid, sizeof trials[c].uid, "%016llx",
		    (unsigned long long)mom_global_id(trials[c].id));
		if (c == UNSUBSCRIBE)
			talk_subscribe(trials[c].id, names[c]);
		mom_set_option(trials[c].id, MOM_OPT_TIMEOUT_MS, HASTY_MS);
	}
}

static int
call(enum call c)
{
	int id = trials[c].id;
	switch (c) {
	case PUBLISH:       return mom_publish(id, names[c], "mine", 4, 0);
	case PUBLISH_FAST:  return mom_publish(id, names[c], "mine", 4, MOM_FAST);
	case PUBLISH_ASYNC: return mom_publish(id, names[c], "mine", 4, MOM_ASYNC);
	case SUBSCRIBE:     return mom_subscribe(id, names[c], 0);
	case UNSUBSCRIBE:   return mom_unsubscribe(id, names[c]);
	case CREATE:        return trials[c].id = mom_create();
	case OPEN:          return trials[c].id = mom_open("told");
	case CLOSE:         return mom_close(id);
	default:            return mom_destroy(id);
	}
}

static void
call_all(void)
{
	for (enum call c = 0; c < CALLS; c++) {
		struct trial *t = &trials[c];
		t->code = call(c);
		snprintf(t->text, sizeof t->text, "%s", mom_error_text(c >= CREATE ? -1 : t->id));
	}
}

/* refused: an asynchronous message was taken, and mom_flush says that it was refused. keeps: so many clients of the
 * daemon are in no trial. */
static void
judge_all(int refused, int keeps)
{
	for (enum call c = 0; c < CALLS; c++) {
		const struct trial *t = &trials[c];
		enum told said = told(t);
		CHECK(c < CREATE || !strstr(t->text, "mom_flush"), "%s: no handle is left to flush: %s", names[c],
		    t->text);
		CHECK(said != TOLD_NOTHING, "%s: it does not say what becomes of it: %d %s", names[c], t->code,
		    t->text);
		int n = effect(c, said), want = said == TOLD_DONE || said == TOLD_ON_ITS_WAY;
		want = c == PUBLISH_ASYNC && refused ? 0 : want;
		CHECK(n == want, "%s: took effect %d times, and it was told: %d %s", names[c], n, t->code, t->text);
		if (c < CLOSE && t->id >= 0) {
			mom_set_option(t->id, MOM_OPT_TIMEOUT_MS, T_PATIENCE_MS);
			bye(t->id);
		}
	}
	/* whoever was told that there is no handle has none: the durable client is free, and no other one stays */
	int id;
	WAIT_FOR((id = mom_open("told")) != MOM_ETIMEDOUT, "%s", mom_error_text(-1));
	mom_set_option(id, MOM_OPT_TIMEOUT_MS, T_PATIENCE_MS);
	bye(id);
	WAIT_FOR(json_length(run_command("'%s' clients --json '%s'", t_bin("mom"), one.run).out) == keeps,
	    "clients stay: %s", run_command("'%s' clients '%s'", t_bin("mom"), one.run).out);
}

TEST(frozen, "the broker stands still")
{
	up(NULL);
	server_freeze(&broker);
	call_all();
	server_thaw(&broker);
	judge_all(0, 0);
}

TEST(stopped, "the broker is away")
{
	up(NULL);
	server_stop(&broker);
	call_all();
	server_start(&broker);
	judge_all(0, 0);
}

TEST(killed, "the daemon was killed")
{
	up(NULL);
	server_kill_all(&one);
	call_all();
	server_start(&one);
	judge_all(0, 0);
}

TEST(ring, "the broker stands still, and no room is left for one more request")
{
	static char block[BLOCK];
	up(NULL);
	server_freeze(&broker);
	for (enum call c = 0; c < CALLS; c++)
		while (c != CREATE && c != OPEN && mom_publish(trials[c].id, "fill", block, sizeof block,
		    MOM_FAST | MOM_ASYNC) == 0)
			;
	call_all();
	server_thaw(&broker);
	judge_all(0, 0);
}

TEST(full, "the store is full")
{
	static char block[BLOCK];
	up("--store-max 16777216");
	use_daemon(&one);
	int pub = talk_create_hasty();
	use_daemon(&two);
	int idle = talk_create_hasty();
	mom_set_option(idle, MOM_OPT_TIMEOUT_MS, T_PATIENCE_MS);
	talk_subscribe(idle, "fill");
	use_daemon(&one);
	server_freeze(&two);
	mom_set_option(pub, MOM_OPT_TIMEOUT_MS, T_PATIENCE_MS);
	while (mom_publish(pub, "fill", block, sizeof block, MOM_FAST) == 0)
		;
	call_all();
	server_thaw(&two);
	WAIT_FOR(mom_publish(pub, "fill", block, sizeof block, 0) == 0, "%s", mom_error_text(pub));
	use_daemon(&two);
	bye(idle);
	use_daemon(&one);
	judge_all(1, 1);
	bye(pub);
}
