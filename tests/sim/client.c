/* client - a publisher or a subscriber of a run; argument: which */
#include "../lib/carried.h"
#include "client.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const topic_names[TOPICS] = { "news", "plant/boiler", "x.y", "log" },
    *const patterns[TOPICS] = { "news/#", "plant/+", "*.y", "log.#" };      /* each matches that topic alone */
static int me;
static struct client *c;

static int
begin(void)
{
	for (;;) {
		int id = c->name[0] ? mom_open(c->name) : mom_create();
		if (id >= 0)
			return id;
		if (id != MOM_ENODAEMON && id != MOM_ETIMEDOUT && id != MOM_EBUSY && id != MOM_EIO)
			judge_wrong(me, "mom_create", id, mom_error_text(-1));
		if (world_is_over())
			exit(0);
		usleep(20000);
	}
}

static void
flush(int id, int stream)
{
	int r;
	while ((r = mom_flush(id, 1000)) == MOM_ETIMEDOUT)
		;
	judge_flushed(stream, r);
	if (r && r != MOM_EFULL && r != MOM_ELOST)
		judge_wrong(me, "mom_flush", r, mom_error_text(id));
}

static void
publish(void)
{
	static char bytes[PAYLOAD_MOST];
	int id = begin(), stream = judge_stream(me), r;
	mom_set_option(id, MOM_OPT_TIMEOUT_MS, 1000 + (long)world_random(20000));
	while (c->begun < c->count) {
		int topic = (int)world_random(TOPICS);
		if (!(c->topics >> topic & 1))
			continue;
		c->begun++;
		unsigned number = judge_begins(stream, topic, c->flags);
		size_t n = judge_payload(bytes, stream, topic, number, c->largest);
		struct mom_properties properties = carried_by(topic_names[topic], bytes, n);
		r = mom_publish_with(id, topic_names[topic], bytes, n, c->flags, number % 3 ? NULL : &properties);
		judge_ends(stream, topic, number, r == MOM_EAGAIN ? MOM_EFULL : r);
		if (r && r != MOM_EAGAIN && r != MOM_ETIMEDOUT && r != MOM_EFULL && r != MOM_ELOST)
			judge_wrong(me, "mom_publish", r, mom_error_text(id));
		if (c->pause_us)
			usleep((useconds_t)world_random((uint64_t)c->pause_us));
	}
	flush(id, stream);
	r = mom_close(id);                             /* the handle is gone, whatever it returns */
	if (r && r != MOM_ETIMEDOUT && r != MOM_ELOST)
		judge_wrong(me, "mom_close", r, mom_error_text(-1));
	c->done = 1;
}

/* 0, MOM_EEXIST; MOM_EFULL: it was cut, and what waits has to be received first */
static int
ask_for(int id, const char *name)
{
	int r;
	while (((r = mom_subscribe(id, name, 0)) == MOM_ETIMEDOUT || r == MOM_EAGAIN) && !world_is_over())
		;
	if (r && r != MOM_EEXIST && r != MOM_ETIMEDOUT && r != MOM_EAGAIN && r != MOM_EFULL)
		judge_wrong(me, "mom_subscribe", r, mom_error_text(id));
	return r;
}

static void
subscribe(int id)
{
	int r = c->asks == ASKS_ALL ? ask_for(id, "#") : 0;
	for (int k = 0; k < TOPICS && r != MOM_EFULL; k++) {
		if (!(c->topics >> k & 1))
			continue;
		/* where both are asked for, the topic is judged: the pattern is in force already */
		if (c->asks == ASKS_PATTERNS || c->asks == ASKS_BOTH)
			r = ask_for(id, patterns[k]);
		if (r != MOM_EFULL && (c->asks == ASKS_TOPICS || c->asks == ASKS_BOTH))
			r = ask_for(id, topic_names[k]);
		if (r != MOM_EFULL)
			judge_subscribed(me, k, r);
	}
	c->ready = r != MOM_EFULL;
}

static void
receive(void)
{
	struct mom_message m;
	int id = begin(), r;
	judge_session(me);
	subscribe(id);
	while (!world_is_over()) {
		judge_asks(me);
		r = mom_receive(id, &m, 500);
		judge_got(me, r, &m);
		if (r == 0 && !is_carried(&m))
			judge_wrong(me, "its properties", r, m.topic);
		if (r == MOM_EFULL) {
			judge_cut(me);
			c->ready = 0;
			subscribe(id);
		} else if (r && r != MOM_ETIMEDOUT)
			judge_wrong(me, "mom_receive", r, mom_error_text(id));
		if (c->pause_us)
			usleep((useconds_t)world_random((uint64_t)c->pause_us));
	}
	r = mom_destroy(id);
	if (r)
		judge_wrong(me, "mom_destroy", r, mom_error_text(-1));
	c->done = 1;
}

/* ---- a worker of a group ---- */

/* 0, or MOM_EFULL, MOM_EBADID: its handle or its mail is gone. */
static int
join(int id)
{
	struct mom_group g = MOM_GROUP_INIT;
	int r;
	g.kind = c->kind;
	g.max_tries = 0;
	g.hand_timeout_ms = MOM_HOLD_MAX;              /* nothing is taken from a machine that is away */
	while (((r = mom_group_set(id, "jobs", &g)) == MOM_ETIMEDOUT || r == MOM_EAGAIN) && !world_is_over())
		;
	while (r == 0 && ((r = mom_join(id, "jobs", "#", c->kind)) == MOM_ETIMEDOUT || r == MOM_EAGAIN) &&
	    !world_is_over())
		r = 0;
	if (r && r != MOM_EFULL && r != MOM_EBADID && r != MOM_ETIMEDOUT && r != MOM_EAGAIN)
		judge_wrong(me, "mom_join", r, mom_error_text(id));
	return r;
}

static void
flush_jobs(int id, int session)
{
	int r;
	while ((r = mom_flush(id, 1000)) == MOM_ETIMEDOUT && !world_is_over())
		;
	if (r == 0 || r == MOM_ELOST)                  /* what was lost is told with an answer to all */
		judge_settled(session);
	else if (r != MOM_ETIMEDOUT && r != MOM_EFULL && r != MOM_EBADID)
		judge_wrong(me, "mom_flush", r, mom_error_text(id));
}

static void
do_job(int id, int session, const struct mom_message *m)
{
	int r;
	int has_key = mom_property(m, MOM_P_KEY, NULL) != NULL;
	judge_job(me, session, m, (struct job_told){ mom_tries(m), has_key, mom_origin(m) });
	if (has_key && !is_carried(m))
		judge_wrong(me, "its properties", 0, m->topic);
	if (world_random((uint64_t)c->rare) == 0)
		usleep((useconds_t)world_random(300000));
	if (world_random((uint64_t)c->rare) == 0) {
		judge_settles(session, NULL);
		r = mom_reject(id, m, (long)world_random(3) * 700);
	} else {
		judge_settles(session, m);
		r = mom_settle(id, m);
	}
	if (r && r != MOM_EBADID)
		judge_wrong(me, "mom_settle", r, mom_error_text(id));
	if (world_random(4) == 0)
		flush_jobs(id, session);
}

static void
work(void)
{
	struct mom_message m;
	int id = begin(), r = join(id), session = 0;
	mom_set_option(id, MOM_OPT_MANUAL_ACK, 1);
	session = judge_joined(me);
	c->ready = r == 0;
	while (!world_is_over()) {
		if (r == MOM_EBADID) {
			judge_leaves(session);
			mom_close(id);
			id = begin();
			mom_set_option(id, MOM_OPT_MANUAL_ACK, 1);
			r = join(id);
			session = judge_joined(me);
			continue;
		}
		mom_set_option(id, MOM_OPT_PREFETCH, c->prefetch);
		r = mom_receive(id, &m, 500);
		if (r == 0)
			do_job(id, session, &m);
		else if (r == MOM_EFULL || (r == MOM_ETIMEDOUT && world_random((uint64_t)c->rare * 4) == 0)) {
			judge_leaves(session);
			if (r != MOM_EFULL)
				while (((r = mom_leave(id, "jobs")) == MOM_ETIMEDOUT || r == MOM_EAGAIN) &&
				    !world_is_over())
					;
			r = join(id);
			session = judge_joined(me);
		} else if (r != MOM_ETIMEDOUT && r != MOM_EBADID)
			judge_wrong(me, "mom_receive", r, mom_error_text(id));
		c->ready = 1;
	}
	r = mom_destroy(id);                           /* LOST: what was settled of fast messages */
	if (r && r != MOM_EBADID && r != MOM_ELOST)
		judge_wrong(me, "mom_destroy", r, mom_error_text(-1));
	c->done = 1;
}

int
main(int argc, char **argv)
{
	me = argc > 1 ? atoi(argv[1]) : 0;
	c = world_client(me);
	if (c->worker)
		work();
	else if (c->subscriber)
		receive();
	else
		publish();
	return 0;
}
