/* coordinator_place - a group and this process: joining it by a snapshot or founding it, applying its log, answering,
 * leaving See the head of mom_coordinator.c for why this loses and doubles nothing. */
#include "base/log_peer.h"
#include "tools/coordinator/coordinator.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PART_BYTES = 128 * 1024, PART_HEAD = 24, SNAPSHOT_MOST = 1 << 30 };

static const char *
topic_of(const char *prefix, int group)
{
	static char topic[RESOURCE_TOPIC_MAX];
	snprintf(topic, sizeof topic, "%s%d", prefix, group);
	return topic;
}

static const char *
topic_of_id(const char *prefix, uint64_t id)
{
	static char topic[RESOURCE_TOPIC_MAX];
	snprintf(topic, sizeof topic, "%s%016llx", prefix, (unsigned long long)id);
	return topic;
}

static void
no_memory(void)
{
	log_fatal(EXIT_SYSTEM, "no memory for the state of a group: see ulimit -v; the other coordinators go on");
}

static void
log_event(int group, struct event *e)
{
	unsigned char bytes[EVENT_BYTES];
	struct mom_writer w;
	mom_writer_init(&w, bytes, sizeof bytes);
	event_put(&w, e);
	coordinator_publish(topic_of(RESOURCE_LOG, group), bytes, w.len, 0);
}

/* One about ourselves. */
static void
log_own(int group, unsigned kind, uint64_t target)
{
	struct event e = { .kind = (uint8_t)kind, .id = co.global, .target = target };
	memcpy(e.name, co.name, sizeof co.name);
	log_event(group, &e);
}

void
place_tell_gone(int group, uint64_t id)
{
	log_event(group, &(struct event){ .kind = EVENT_GONE, .id = id });
}

static void
subscribe(const char *topic)
{
	int e = mom_subscribe(co.id, topic, 0);
	/* late is on its way, before all that we publish there */
	if (e && e != MOM_EEXIST && e != MOM_ETIMEDOUT) {
		log_peer(LOG_FROM_WARN, 0, "subscribe %s: %s", topic, mom_error_text(co.id));
		co.must_begin_anew = 1;
	}
}

static void
unsubscribe(const char *topic)
{
	int e = mom_unsubscribe(co.id, topic);
	if (e && e != MOM_ENOTSUB && e != MOM_ETIMEDOUT)
		log_peer(LOG_FROM_WARN, 0, "unsubscribe %s: %s", topic, mom_error_text(co.id));
}

/* ---- in and out ---- */

static void
joining_over(struct place *p)
{
	free(p->delayed);
	free(p->snapshot);
	p->delayed = NULL;
	p->snapshot = NULL;
	p->delayed_count = p->delayed_room = 0;
	p->snapshot_len = p->snapshot_got = p->snapshot_looked = 0;
	p->snapshot_at = 0;
}

void
place_forget(int group)
{
	struct place *p = &co.places[group];
	joining_over(p);
	state_free(&p->state);
	*p = (struct place){ .phase = PLACE_OUT };
	state_init(&p->state, group);
}

static void
place_enter(int group)
{
	struct place *p = &co.places[group];
	place_forget(group);
	p->phase = PLACE_JOINING;
	p->silent_since = co.echoes;
	subscribe(topic_of(RESOURCE_LOG, group));
	log_own(group, EVENT_JOIN, 0);
}

static void
place_exit(int group)
{
	log_debug("group %d: left to others", group);
	unsubscribe(topic_of(RESOURCE_LOG, group));
	unsubscribe(topic_of(RESOURCE_HELD, group));
	place_forget(group);
}

/* From here on nobody who asks finds the group without a holder. */
static void
place_say_held(int group)
{
	if (!co.places[group].is_said)
		subscribe(topic_of(RESOURCE_HELD, group));
	co.places[group].is_said = 1;
}

static void
place_active(int group, const char *how)
{
	struct place *p = &co.places[group];
	joining_over(p);
	p->phase = PLACE_ACTIVE;
	place_say_held(group);
	log_own(group, EVENT_ACTIVE, 0);
	log_debug("group %d: %s", group, how);
}

static void
place_found(int group)
{
	place_say_held(group);
	log_own(group, EVENT_FOUND, co.places[group].base);
}

/* Does anybody hold the group? Who answers a question with state subscribes to its held topic before. */
static int
somebody_holds(int group)
{
	return mom_publish(co.id, topic_of(RESOURCE_HELD, group), NULL, 0,
	    MOM_FAST | MOM_NEED_SUBSCRIBER) != MOM_ENOSUBSCRIBER;
}

void
place_look(int group)
{
	struct place *p = &co.places[group];
	int is_wanted = member_rank(group) < HOLDERS_WANTED;
	if (p->phase == PLACE_OUT && is_wanted)
		place_enter(group);
	else if (p->phase == PLACE_ACTIVE && !is_wanted && p->state.holder_count > HOLDERS_WANTED)
		log_own(group, EVENT_LEAVE, 0);
	else if (p->phase == PLACE_JOINING && co.echoes > p->silent_since) {
		if (p->base && co.echoes - p->silent_since >= co.missed && !members_hold(group)) {
			log_peer(LOG_FROM_WARN, 0, "group %d: who held it is silent, and nobody else has it: its "
			    "semaphores and variables are lost, it begins anew", group);
			place_found(group);
			p->silent_since = co.echoes;
		} else if (p->snapshot_got == p->snapshot_looked)      /* no part has come since */
			log_own(group, EVENT_JOIN, 0);
		p->snapshot_looked = p->snapshot_got;
	}
}

/* ---- snapshots ---- */

static void
snapshot_send(int group, uint64_t to)
{
	struct place *p = &co.places[group];
	size_t len;
	unsigned char *bytes = state_put(&p->state, &len), *part = malloc(PART_HEAD + PART_BYTES);
	if (bytes == NULL || part == NULL)
		no_memory();
	for (size_t at = 0; at < len; at += PART_BYTES) {
		struct mom_writer w;
		mom_writer_init(&w, part, PART_HEAD + PART_BYTES);
		mom_put_u8(&w, (uint8_t)group);
		mom_put_u64(&w, p->state.applied);
		mom_put_u32(&w, (uint32_t)len);
		mom_put_u32(&w, (uint32_t)at);
		mom_put_raw(&w, bytes + at, len - at < PART_BYTES ? len - at : PART_BYTES);
		coordinator_publish(topic_of_id(RESOURCE_STATE, to), part, w.len, MOM_FAST);
	}
	log_debug("group %d: its state, %zu bytes, to coordinator %016llx", group, len, (unsigned long long)to);
	free(bytes);
	free(part);
}

static void place_apply(int group, const struct event *e);

/* The state as of the snapshot, and then what came since: our subscription is older than any JOIN of ours, so nothing
 * is missing between. */
static void
snapshot_complete(int group)
{
	struct place *p = &co.places[group];
	struct event e;
	if (state_get(&p->state, p->snapshot, p->snapshot_len) < 0) {
		log_peer(LOG_FROM_WARN, 0, "group %d: a snapshot that is none of ours: asked for anew", group);
		p->snapshot_got = p->snapshot_looked = 0;
		return;
	}
	struct delayed *late = p->delayed;
	size_t count = p->delayed_count;
	p->delayed = NULL;
	place_active(group, "its state has come");
	for (size_t i = 0; i < count && p->phase == PLACE_ACTIVE; i++)
		if (event_get(&e, late[i].bytes, late[i].len) == 0) {
			e.offset = late[i].offset;
			place_apply(group, &e);
		}
	free(late);
}

void
place_snapshot(const struct mom_message *m)
{
	struct mom_reader r;
	mom_reader_init(&r, m->data, m->len);
	int group = mom_get_u8(&r);
	uint64_t at = mom_get_u64(&r);
	uint32_t whole = mom_get_u32(&r), place = mom_get_u32(&r);
	size_t len = mom_reader_left(&r);
	if (mom_reader_failed(&r) || group >= RESOURCE_GROUPS || co.places[group].phase != PLACE_JOINING ||
	    whole > SNAPSHOT_MOST)
		return;
	struct place *p = &co.places[group];
	if (place == 0) {
		p->snapshot_at = at;
		p->snapshot_len = whole;
		p->snapshot_got = 0;
	}
	if (at != p->snapshot_at || place != p->snapshot_got || whole != p->snapshot_len || len > whole - place)
		return;                                /* of one that was given up, or sent twice */
	/* for what has come: `whole` is only a word */
	unsigned char *room = realloc(p->snapshot, place + len + 1);
	if (room == NULL)
		no_memory();
	p->snapshot = room;
	memcpy(p->snapshot + place, mom_get_raw(&r, len), len);
	p->snapshot_got += (uint32_t)len;
	p->silent_since = co.echoes;
	if (p->snapshot_got == whole)
		snapshot_complete(group);
}

/* ---- the log ---- */

static void
reply(void *with, uint64_t client, const struct resource_answer *a)
{
	unsigned char bytes[32];
	struct mom_writer w;
	(void)with;
	mom_writer_init(&w, bytes, sizeof bytes);
	answer_put(&w, a);
	coordinator_publish(topic_of_id(RESOURCE_REPLY, client), bytes, w.len, MOM_FAST);
}

static int
is_primary(const struct place *p)
{
	const struct unit_holder *h = state_primary(&p->state);
	return h && h->id == co.global;
}

/* What follows from it for a holder, besides the state. */
static void
place_changed(int group, const struct event *e, int changed)
{
	struct place *p = &co.places[group];
	if (changed & STATE_BEGAN && e->id != co.global) {
		log_peer(LOG_FROM_WARN, 0, "group %d: begun anew by %s, which found nobody that held it", group,
		    e->name);
		log_own(group, EVENT_ACTIVE, 0);
	}
	/* somebody missed us: we are here, and have read everything */
	if (changed & STATE_LOST && e->id == co.global)
		log_own(group, EVENT_ACTIVE, 0);
	if (changed & STATE_LEFT && e->id == co.global) {
		place_exit(group);
		return;
	}
	if (changed & STATE_LOST && is_primary(p))
		state_repeat(&p->state, reply, NULL);
	if ((e->kind == EVENT_JOIN || changed & STATE_STALE) && e->id != co.global && is_primary(p))
		snapshot_send(group, e->id);
}

static void
place_apply(int group, const struct event *e)
{
	struct place *p = &co.places[group];
	uint64_t before = p->state.applied;
	int changed = state_apply(&p->state, e, is_primary(p) ? reply : NULL, NULL);
	if (changed < 0)
		no_memory();
	if (p->state.applied > before)
		place_changed(group, e, changed);
}

static void
delay(struct place *p, const struct mom_message *m)
{
	if (p->delayed_count == p->delayed_room) {
		size_t room = p->delayed_room ? 2 * p->delayed_room : 64;
		struct delayed *more = realloc(p->delayed, room * sizeof *more);
		if (more == NULL)
			no_memory();
		p->delayed = more;
		p->delayed_room = room;
	}
	struct delayed *d = &p->delayed[p->delayed_count++];
	d->offset = m->offset;
	d->len = m->len;
	memcpy(d->bytes, m->data, m->len);
}

/* While the state is not here: our own JOIN says from where on we see everything; who begins the group anew after that
 * takes us along. */
static void
place_joining(int group, const struct event *e, const struct mom_message *m)
{
	struct place *p = &co.places[group];
	if (e->kind == EVENT_JOIN && e->id == co.global) {
		p->base = e->offset;
		p->joined = p->joined ? p->joined : e->offset;
		if (!p->is_said && !somebody_holds(group))
			place_found(group);
	} else if (e->kind == EVENT_FOUND && p->joined && e->target >= p->joined) {
		/* valid: any that was after our JOIN we have seen, and none was */
		place_apply(group, e);
		place_active(group, e->id == co.global ? "found without a holder, begun" : "begun with another");
		return;
	} else if (e->kind == EVENT_FOUND && p->joined)
		/* whether it is valid we cannot know: nor then of one that did not know of it */
		p->joined = e->offset;
	delay(p, m);
}

void
place_event(int group, const struct mom_message *m)
{
	struct event e;
	struct place *p = &co.places[group];
	if (p->phase == PLACE_OUT || event_get(&e, m->data, m->len) < 0)
		return;
	e.offset = m->offset;
	if (p->phase == PLACE_JOINING)
		place_joining(group, &e, m);
	else
		place_apply(group, &e);
}
