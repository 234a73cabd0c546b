/* worker_requests - what the handlers hand over: de-duplicated, refused or appended to the log, and answered; a part of
 * worker */
#include "worker/worker.h"
#include "worker/decide.h"
#include "format/kinds.h"
#include "format/properties.h"
#include "base/clock.h"
#include "ipc/counters.h"
#include "base/fdio.h"
#include "base/log_peer.h"
#include <errno.h>
#include <stdlib.h>

/* ---- answers ---- */

static struct answer_words *
answer_slot(struct worker_conn *c, uint32_t slot)
{
	word32 *used = &c->unit->by_shard[worker.shard.index].slots_used;
	if (atomic_load(used) <= slot)
		atomic_store(used, slot + 1);
	return &c->answers[slot];
}

static void
answer_version(struct worker_conn *c, uint32_t slot)
{
	struct answer_words *a = answer_slot(c, slot);
	atomic_store(&a->version, atomic_load(&a->version) + 1);
	c->answered = 1;
}

static void
answer_refuse(struct worker_conn *c, uint32_t slot, uint64_t number, int code)
{
	struct answer_words *a = &c->answers[slot];
	counters_add(COUNT_REFUSED, 1);
	refused_write(a, number, code);
	answer_version(c, slot);
}

static void
answer_lost(struct worker_conn *c, uint32_t slot, uint64_t from, uint64_t to)
{
	struct result_word *lost = &c->answers[slot].lost;
	result_write(lost, from, atomic_load(&lost->code) + 1, to);
	answer_version(c, slot);
}

void
worker_break(struct worker_conn *c, uint32_t why)
{
	atomic_store(&c->unit->by_shard[worker.shard.index].broken, why);
	c->answered = 1;
}

static void
touch(struct client *c)
{
	if (c->touched)
		return;
	c->touched = 1;
	c->next_touched = worker.touched;
	worker.touched = c;
}

void
worker_answer(struct client *c)
{
	struct worker_conn *conn = &worker.conns[c->conn];
	struct answer_words *a = &conn->answers[c->slot];
	if (!conn->live || c->slot >= conn->slots)
		return;
	if (c->result_number)
		result_write(&a->result[c->result_number & 1], c->result_number, c->result_code, c->result_value);
	if (c->last > atomic_load(&a->acked))
		atomic_store(&a->acked, c->last);
	atomic_store(&a->owed, 0);
	answer_version(conn, c->slot);
}

/* The client is no more, and nobody has to know it for this. */
static void
answer_destroyed(struct worker_conn *c, uint32_t slot, uint64_t number)
{
	struct answer_words *a = &c->answers[slot];
	result_write(&a->result[number & 1], number, 0, 0);
	if (number > atomic_load(&a->acked))
		atomic_store(&a->acked, number);
	atomic_store(&a->owed, 0);
	answer_version(c, slot);
}

void
worker_owe(const struct client *c)
{
	struct worker_conn *conn = &worker.conns[c->conn];
	if (conn->live && c->slot < conn->slots)
		atomic_store(&answer_slot(conn, c->slot)->owed, c->last);
}

/* The views of before were set aside at the start: no view shows whoever was destroyed. */
void
worker_pay(struct worker_conn *c)
{
	uint32_t used = atomic_load(&c->unit->by_shard[worker.shard.index].slots_used);
	for (uint32_t slot = 0; slot < used && slot < c->slots; slot++) {
		uint64_t number = atomic_load(&c->answers[slot].owed);
		if (number)
			answer_destroyed(c, slot, number);
	}
}

/* ---- requests ---- */

int
worker_store_is_full(void)
{
	struct shard *s = &worker.shard;
	uint64_t most = atomic_load_explicit(&worker.table->store_max, memory_order_relaxed),
	    share = most / worker.table->shards, kept = s->groups.count ? GROUPS_SEGMENTS * s->log.segment_bytes : 0;
	return worker.disk_is_short ||
	    (most && s->log.total + s->log.used + RECORD_MOST(worker.table->message_max) + kept > share);
}

/* ---- wills ---- */

/* Ahead of what ends its client in the log; a replay that finds the one without the other knows by its flag that it is
 * done. -1: no room, and it stays where it is not now or never. */
static int
publish_will(struct client *c, int or_never)
{
	struct record r;
	if (c->will == NULL)
		return 0;
	record_get(&r, c->will);
	void *at = worker_place(record_stride(r.len), 1);
	if (at == NULL && !or_never)
		return -1;
	if (at == NULL) {
		log_peer(LOG_FROM_ERROR, c->subscriber.id >> 32, "the will of client %016llx cannot be stored: no room "
		    "for its %u bytes: make room on the store's disk", (unsigned long long)c->subscriber.id, r.len);
		shard_will(&worker.shard, c, NULL);
		return -1;
	}
	char *bytes = shard_will_take(&worker.shard, c);    /* ours from here on: what is logged clears it */
	r.type = REC_MESSAGE;
	r.flags = REC_F_DURABLE | REC_F_WILL | (r.flags & REC_F_PROPERTIES);
	r.shard = (uint16_t)worker.shard.index;
	r.publisher = c->subscriber.id;
	r.number = c->last;                            /* a number that it has taken: nothing changes by it */
	r.aux = 0;
	record_put(bytes, &r);
	worker_append(at, bytes, &r, c);
	worker_hand_message(&r, bytes);
	free(bytes);
	return 0;
}

void
worker_died(const struct worker_conn *c, const void *bytes)
{
	struct client *client = shard_client(&worker.shard, get_u64((const char *)bytes + 32));
	if (client == NULL || client->machine != c->machine)
		return;
	/* where there is no room: when it is created again, destroyed, or said once more */
	publish_will(client, 0);
	worker_end_memberships(client);
}

static int64_t
subscription_code(struct client *c, const struct record *r, const char *name)
{
	struct topic *t = shard_topic(&worker.shard, name, r->topic_len, 0);
	int there = t && subscriptions_find(&worker.shard.table, &c->subscriber, &t->subscribed) != NULL;
	if (r->type != REC_SUBSCRIBE)
		return there ? 0 : MOM_ENOTSUB;
	if (there)
		return MOM_EEXIST;
	size_t levels = topic_is_pattern(name, r->topic_len) ? pattern_levels(name, r->topic_len) : 0;
	if (levels && (c->pattern_levels + levels > PATTERNS_CLIENT ||
	    c->machine->pattern_levels + levels > PATTERNS_MACHINE))
		return MOM_ELIMIT;
	return c->subscriber.count < SUBSCRIPTIONS_CLIENT && c->machine->subscriptions < SUBSCRIPTIONS_MACHINE &&
	    worker.shard.table.count < SUBSCRIPTIONS_SHARD ? 0 : MOM_ELIMIT;
}

/* An upper bound of what still waits for a subscriber: the topic's bytes since its slowest machine had all of it. */
static uint64_t
topic_waiting(const struct topic *t)
{
	for (size_t i = 0; i < t->machine_count; i++)
		if (t->machines[i].machine->place < t->newest)
			return t->waiting;
	return 0;
}

static int
message_refusal(const struct record *r, const char *name)
{
	uint64_t most = atomic_load_explicit(&worker.table->topic_max, memory_order_relaxed);
	if (most == 0 && !(r->flags & REC_F_NEED))
		return 0;                              /* most messages: the topic is not sought twice for them */
	const struct topic *t = shard_topic(&worker.shard, name, r->topic_len, 0);
	const struct group_reach *reach = groups_reach(&worker.shard.groups, name, r->topic_len);
	if (r->flags & REC_F_NEED && (t == NULL || t->subscribed.count == 0) && reach == NULL)
		return MOM_ENOSUBSCRIBER;
	if (most && (t || reach) && r->len > most)
		return MOM_ETOOBIG;                    /* nobody's catching up helps */
	for (size_t i = 0; most && reach && i < reach->count; i++)
		if (reach->of[i].group->waiting_bytes + r->len > most)
			return MOM_EFULL;
	return most && t && topic_waiting(t) + r->len > most ? MOM_EFULL : 0;
}

/* A machine has its share, so that others find room. */
static int
will_refusal(const struct client *c, const struct record *r)
{
	uint64_t more = record_stride(r->len) - (uint64_t)(c->will ? record_stride(get_u32(c->will)) : 0);
	if (c->machine->wills_bytes + more > WILLS_MACHINE_BYTES)
		return MOM_ELIMIT;
	return worker.shard.wills_bytes + more > WILLS_BYTES ? MOM_EFULL : 0;
}

/* Why a request that makes no room itself cannot be stored now, or 0. */
static int
refusal(const struct client *client, const struct record *r, const char *name)
{
	int code = r->type == REC_WILL ? will_refusal(client, r)
	    : r->type == REC_MESSAGE ? message_refusal(r, name) : 0;
	if (code || !worker_store_is_full())
		return code;
	log_peer(LOG_FROM_WARN, worker.shard.index, "shard %u: its share of --store-max is used up: publishes and "
	    "subscribes are refused; let subscribers receive, see mom machines for who is behind, or raise --store-max",
	    worker.shard.index);
	atomic_store(&worker.words->full, 1);
	return MOM_EFULL;
}

static void
tell_wills(const struct client *c)
{
	log_peer(LOG_FROM_WARN, c->subscriber.id >> 32, "shard %u: the wills of its clients are %llu bytes, those of "
	    "machine %u %llu: more are refused; let programs leave smaller ones", worker.shard.index,
	    (unsigned long long)worker.shard.wills_bytes, c->machine->serial,
	    (unsigned long long)c->machine->wills_bytes);
}

/* A client that ends leaves its will. So does a durable one that is created again: its new process must not inherit
 * that of the old one. -1: no room for it, and the request has to wait. */
static int
publish_ended_will(struct client *client, const struct record *r)
{
	if (client && r->type == REC_DESTROY)
		publish_will(client, 1);
	return client && r->type == REC_CREATE ? publish_will(client, 0) : 0;
}

/* It is logged ahead of the request that shows it: behind that one no gap shows any more. */
static void
note_lost(struct worker_conn *c, struct client *client, uint32_t slot, uint64_t from, uint64_t to)
{
	uint64_t fresh = client->lost_from <= from && from <= client->lost_to ? client->lost_to + 1 : from;
	answer_lost(c, slot, from, to);
	if (fresh > to)
		return;                                /* what showed it before was refused, or a power cut took it */
	counters_add(COUNT_LOST, to - fresh + 1);
	/* only libmom may skip numbers, and does it only then; whoever owns the segment can write any */
	log_peer(LOG_FROM_WARN, c->machine->serial, "client %016llx: fast messages with the numbers %llx to %llx are "
	    "not in this store: a power cut took them, or its program left them out",
	    (unsigned long long)client->subscriber.id, (unsigned long long)fresh, (unsigned long long)to);
	void *place = worker_place(RECORD_HEADER, 1);
	if (place == NULL)
		return;                                /* it is told, unless this connection breaks */
	char bytes[RECORD_HEADER];
	struct record r = { .type = REC_LOST, .flags = REC_F_DURABLE, .publisher = client->subscriber.id, .number = to,
	    .aux = from, .shard = (uint16_t)worker.shard.index };
	record_make(bytes, &r, NULL, NULL, 0);
	worker_append(place, bytes, &r, client);
}

static void
take_request(struct worker_conn *c, struct client *client, const void *bytes, struct record *r, uint32_t slot)
{
	void *at = NULL;
	int makes_room = kind_carries(kind_of(r->type)->makes_room, r->topic_len), is_bad = r->flags & REC_F_BAD;
	int code = is_bad ? (int)(int64_t)r->aux : publish_ended_will(client, r) < 0 ? MOM_EFULL
	    : makes_room ? 0 : refusal(client, r, record_topic(bytes));
	if (code && !is_bad && r->type == REC_WILL && will_refusal(client, r))
		tell_wills(client);
	if (code == 0 && (at = worker_place(record_stride(r->len), makes_room)) == NULL)
		code = MOM_EFULL;
	if (client == NULL && code == 0 && c->machine->clients >= c->slots)
		code = MOM_ELIMIT;                     /* each has a slot: more than it has slots no daemon has */
	if (code) {
		if (client && client->refused_first == 0)
			client->refused_first = r->number;
		answer_refuse(c, slot, r->number, code);
		return;
	}
	if (r->type == REC_SETTLE)
		r->flags |= worker_hand_is_durable(r->aux) ? REC_F_DURABLE : 0;
	else if (r->type >= REC_JOIN)
		r->aux = (uint64_t)(int64_t)groups_code(&worker.shard, client, r, bytes);
	else if (r->topic_len && r->type != REC_MESSAGE)
		r->aux = (uint64_t)subscription_code(client, r, record_topic(bytes));
	worker_append(at, bytes, r, client);
	if (r->type == REC_MESSAGE)
		worker_hand_message(r, bytes);
	client = client ? client : shard_client(&worker.shard, r->publisher);
	/* Left as it was it would hide a later loss. There is none: a loss is what the log lacks at a start of this
	 * worker, so it shows before the first request that is taken. Each later gap begins with a refusal. */
	client->refused_first = 0;
	client->conn = (int)(c - worker.conns);
	client->slot = slot;
	touch(client);
}

static void
unknown_client(struct worker_conn *c, const struct record *r, uint32_t slot, uint64_t first)
{
	struct answer_words *a = &c->answers[slot];
	if (r->type == REC_DESTROY)                /* already gone: that is what was asked for */
		answer_destroyed(c, slot, r->number);
	else if (atomic_load(&a->refused) < first)
		answer_refuse(c, slot, r->number, MOM_EBADID);
}

void
worker_request(struct worker_conn *c, const void *bytes)
{
	struct record r;
	record_get(&r, bytes);
	uint32_t slot = (uint32_t)r.time;
	uint64_t first = r.offset;
	struct client *client = shard_client(&worker.shard, r.publisher);
	if (client == NULL && r.type != REC_CREATE) {
		unknown_client(c, &r, slot, first);
		return;
	}
	uint64_t last = client ? client->last : r.number - 1;
	struct decision d = decide_request(last, atomic_load(&c->answers[slot].refused), r.number, first);
	if (d.lost_from && client && client->refused_first && client->refused_first <= d.lost_to)
		d.lost_to = client->refused_first - 1;
	if (d.lost_from && d.lost_from <= d.lost_to && client)
		note_lost(c, client, slot, d.lost_from, d.lost_to);
	else if (client && client->lost_from && number_generation(client->lost_to) == number_generation(r.number) &&
	    client->conn != (int)(c - worker.conns))
		answer_lost(c, slot, client->lost_from, client->lost_to);
	if (atomic_load(&c->unit->by_shard[worker.shard.index].broken)) {
		return;                                /* nothing more is taken from it */
	} else if (d.verdict == VERDICT_BROKEN) {
		log_peer(LOG_FROM_ERROR, c->machine->serial, "a request is missing: client %016llx number %llx after "
		    "%llx, first %llx: the connection is ended and made anew; where it comes again restart that "
		    "machine's daemon", (unsigned long long)r.publisher, (unsigned long long)r.number,
		    (unsigned long long)last, (unsigned long long)first);
		worker_break(c, BROKEN_NONSENSE);
	} else if (d.verdict == VERDICT_TAKE) {
		take_request(c, client, bytes, &r, slot);
	} else if (d.verdict == VERDICT_AGAIN && client) {
		counters_add(COUNT_DUPLICATES, 1);
		client->conn = (int)(c - worker.conns);
		client->slot = slot;
		touch(client);
	}
}

void
worker_destroy(const struct machine *m, const struct map *but, uint16_t flags)
{
	size_t n = 0, room = 0;
	struct client **dead = NULL;
	for (struct client *client = m->first; client; client = client->next_of_machine) {
		if (but && map_get(but, &client->subscriber.id, sizeof client->subscriber.id))
			continue;
		if (n == room && (dead = realloc(dead, (room = room * 2 + 16) * sizeof *dead)) == NULL)
			log_fatal(EXIT_SYSTEM, "no memory for a list of %zu clients: see `free`", room);
		dead[n++] = client;
	}
	for (size_t i = 0; i < n; i++) {
		char bytes[RECORD_HEADER];
		publish_will(dead[i], 1);
		struct record r = { .type = REC_DESTROY, .flags = REC_F_DURABLE | flags,
		    .publisher = dead[i]->subscriber.id, .number = dead[i]->last,
		    .shard = (uint16_t)worker.shard.index };
		record_make(bytes, &r, NULL, NULL, 0);
		void *place = worker_place(RECORD_HEADER, 1);
		if (place)                              /* else the next time */
			worker_append(place, bytes, &r, dead[i]);
	}
	free(dead);
}

/* The machine's list of living clients: whoever of that machine is not on it is destroyed. */
static void
alive_complete(struct worker_conn *c)
{
	size_t at = 0;
	worker_destroy(c->machine, &c->alive, 0);
	for (uint64_t *id; (id = map_each(&c->alive, &at)) != NULL;)
		free(id);
	map_free(&c->alive);
}

void
worker_alive(struct worker_conn *c, const void *bytes)
{
	if (atomic_load(&c->unit->by_shard[worker.shard.index].broken))
		return;                                /* what it says is not whole: nobody is destroyed for it */
	if (atomic_load(&c->unit->by_shard[worker.shard.index].started)) {
		log_peer(LOG_FROM_ERROR, c->machine->serial, "machine %u lists its clients a second time: the "
		    "connection is ended; is its daemon of this version?",
		    c->machine->serial);
		worker_break(c, BROKEN_NONSENSE);
		return;
	}
	struct record r;
	record_get(&r, bytes);
	const char *p = record_data(bytes, &r);
	if (c->alive.used + record_data_len(bytes, &r) / 8 > c->slots) {
		log_peer(LOG_FROM_ERROR, c->machine->serial, "machine %u lists more clients than its %u slots: the "
		    "connection is ended; is its daemon of this version?", c->machine->serial, c->slots);
		worker_break(c, BROKEN_NONSENSE);
		return;
	}
	for (uint32_t n = record_data_len(bytes, &r) / 8; n > 0; n--, p += 8) {
		uint64_t *id = malloc(sizeof *id);
		if (id == NULL)
			log_fatal(EXIT_SYSTEM, "no memory for a list of clients: see `free`");
		*id = get_u64(p);
		if (map_get(&c->alive, id, sizeof *id))
			free(id);
		else if (map_put(&c->alive, id, sizeof *id, id) < 0)
			log_fatal(EXIT_SYSTEM, "no memory for a list of clients: see `free`");
	}
	if (r.aux == 1 && !shard_knows_start(&worker.shard, r.publisher, r.number)) {
		log_peer(LOG_FROM_ERROR, c->machine->serial, "machine %u has received from incarnation %u of another "
		    "history of shard %u: this store was replaced, or is an older copy: the machine is refused; bring "
		    "the newer store back, or give that machine's daemon a new spool", c->machine->serial,
		    offset_incarnation(r.publisher), worker.shard.index);
		worker_break(c, BROKEN_OTHER_STORE);
	} else if (r.aux == 1) {
		alive_complete(c);
		atomic_store(&c->unit->by_shard[worker.shard.index].started, 1);
		c->answered = 1;
	}
}
