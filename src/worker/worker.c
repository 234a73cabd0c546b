/* worker - the only owner of a shard: its log, topics, subscribers and de-duplication
 * STARTED BY  broker_server, one a shard; a dead one is started again on the same queue and rings
 * READS       requests from the rings of all handlers   WRITES  db/shard-N/, answers and places as words for the senders
 * SLEEPS IN   msgrcv: its queue
 * MUST NOT    wait for a reader; acknowledge what is not written (fast) or on disk (durable); touch a socket
 * SIGNALS     none; the table says when to stop
 * EXIT        0 stopped   111 system call failed   112 the disk failed or the store is damaged: not started again
 * ON CRASH    broker_server starts it again: it recovers from check-point and log, reads the rings from their tails */
#include "common/child.h"
#include "common/clock.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/topic.h"
#include "worker/checkpoint.h"
#include "worker/shard.h"
#include "worker/views.h"
#include <errno.h>
#include <mom/ipc.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONTROL_SPARE = 64 * 1024, BATCH_MOST = 4 * 1024 * 1024 };

struct conn {                             /* one connected machine, as this worker sees it */
	int live;
	uint32_t seq, slots;
	struct broker_unit *unit;
	struct ring_reader in;
	struct ring *ring;
	struct answer_words *answers;
	struct machine *machine;
	uint64_t taken, wanted_told;
	int answered;                     /* has new words: ring its sender */
	struct map alive;                 /* ids of an ALIVE list that is not complete yet */
};

static struct {
	struct broker_table *table;
	struct shard_word *words;
	struct shard shard;
	struct conn *conns;
	uint32_t epoch, conns_seen, ticks;
	struct client *touched;
	uint64_t batch, since_checkpoint;
	int durable;                      /* the batch holds something that must be on disk before it is answered */
	int64_t checkpoint_ms, full_ms;
} w;

static void
worker_disk_failed(const char *what)
{
	log_fatal(EXIT_DISK, "shard %u: %s: %s: nothing more is acknowledged; mend the disk, then start the broker again", w.shard.index, what,
	    strerror(errno));
}

/* ---- answers ---- */

static void
answer_version(struct conn *c, uint32_t slot)
{
	struct answer_words *a = &c->answers[slot];
	word32 *used = &c->unit->by_shard[w.shard.index].slots_used;
	if (atomic_load(used) <= slot)
		atomic_store(used, slot + 1);
	atomic_store(&a->version, atomic_load(&a->version) + 1);
	c->answered = 1;
}

static void
answer_refuse(struct conn *c, uint32_t slot, uint64_t number, int code)
{
	struct answer_words *a = &c->answers[slot];
	atomic_store(&a->refused_code, code);
	atomic_store(&a->refused, number);
	answer_version(c, slot);
}

static void
answer_lost(struct conn *c, uint32_t slot, uint64_t from, uint64_t to)
{
	struct result_word *lost = &c->answers[slot].lost;
	result_write(lost, from, atomic_load(&lost->code) + 1, to);
	answer_version(c, slot);
	log_warn("fast messages of a client are lost after a power cut: numbers %llx to %llx", (unsigned long long)from, (unsigned long long)to);
}

static void
touch(struct client *c)
{
	if (c->touched)
		return;
	c->touched = 1;
	c->next_touched = w.touched;
	w.touched = c;
}

static void
answer_client(struct client *c)
{
	struct conn *conn = &w.conns[c->conn];
	struct answer_words *a = &conn->answers[c->slot];
	if (!conn->live || c->slot >= conn->slots)
		return;
	if (c->result_number)
		result_write(&a->result[c->result_number & 1], c->result_number, c->result_code, c->result_value);
	if (c->last > atomic_load(&a->acked))
		atomic_store(&a->acked, c->last);
	answer_version(conn, c->slot);
}

/* ---- requests ---- */

static int
store_is_full(void)
{
	struct shard *s = &w.shard;
	uint64_t share = w.table->store_max / w.table->shards;
	return w.table->store_max && s->log.total + s->log.used + RECORD_MAX > share;
}

/* A place at the end of the log, or NULL: full (the reason why is logged at most once a second). */
static void *
log_place(uint32_t stride, int control)
{
	void *at = seglog_reserve(&w.shard.log, stride, control ? 0 : CONTROL_SPARE);
	if (at == NULL && errno != ENOSPC && errno != EDQUOT && errno != EFBIG)
		worker_disk_failed("writing the log");
	if (at == NULL && clock_ms() - w.full_ms > 1000) {
		w.full_ms = clock_ms();
		log_warn("shard %u: no room on the disk: publishes are refused until there is", w.shard.index);
	}
	return at;
}

static void
log_and_apply(const void *bytes, struct record *r)
{
	void *at = log_place(record_stride(r->len), 1);
	memcpy(at, bytes, record_stride(r->len));
	r->time = clock_wall_us();
	record_put(at, r);
	seglog_take(&w.shard.log, at);
	shard_apply(&w.shard, at, w.shard.log.end);
	w.batch += record_stride(r->len);
	w.durable |= r->flags & REC_F_DURABLE || r->type != REC_MESSAGE;
}

static int64_t
subscription_code(const struct client *c, const struct record *r, const char *name)
{
	struct topic *t = shard_topic(&w.shard, name, r->topic_len, 0);
	int there = t && shard_subscription(c, t) != NULL;
	if (r->type == REC_SUBSCRIBE)
		return there ? MOM_EEXIST : 0;
	return there ? 0 : MOM_ENOTSUB;
}

/* An upper bound of what still waits for a subscriber: the topic's bytes since its slowest machine's place was last seen to move on. */
static uint64_t
topic_waiting(struct topic *t)
{
	uint64_t oldest = w.shard.log.end;
	for (size_t i = 0; i < t->machine_count; i++)
		if (t->machines[i].machine->place < oldest)
			oldest = t->machines[i].machine->place;
	if (t->machine_count == 0 || oldest >= t->newest)
		t->waiting = 0;
	return t->waiting;
}

/* Why a request cannot be stored now, or 0. */
static int
refusal(const struct record *r, const char *name)
{
	if (r->type == REC_UNSUBSCRIBE || r->type == REC_DESTROY || r->type == REC_CREATE)
		return log_place(record_stride(r->len), 1) ? 0 : MOM_EFULL;
	if (store_is_full())
		return MOM_EFULL;
	if (w.table->topic_max && r->type == REC_MESSAGE) {
		struct topic *t = shard_topic(&w.shard, name, r->topic_len, 0);
		if (t && topic_waiting(t) + r->len > w.table->topic_max)
			return MOM_EFULL;
	}
	return log_place(record_stride(r->len), 0) ? 0 : MOM_EFULL;
}

static void
take_request(struct conn *c, const void *bytes, struct record *r, uint32_t slot)
{
	int code = r->flags & REC_F_BAD ? (int)(int64_t)r->aux : refusal(r, record_topic(bytes));
	struct client *client = shard_client(&w.shard, r->publisher);
	if (code) {
		if (client && client->refused_first == 0)
			client->refused_first = r->number;
		answer_refuse(c, slot, r->number, code);
		return;
	}
	if (r->type == REC_SUBSCRIBE || r->type == REC_UNSUBSCRIBE)
		r->aux = (uint64_t)subscription_code(client, r, record_topic(bytes));
	log_and_apply(bytes, r);
	client = client ? client : shard_client(&w.shard, r->publisher);
	client->refused_first = 0;
	client->conn = (int)(c - w.conns);
	client->slot = slot;
	touch(client);
}

static void
unknown_client(struct conn *c, const struct record *r, uint32_t slot, uint64_t first)
{
	struct answer_words *a = &c->answers[slot];
	if (r->type == REC_DESTROY) {              /* already gone: that is what was asked for */
		result_write(&a->result[r->number & 1], r->number, 0, 0);
		if (r->number > atomic_load(&a->acked))
			atomic_store(&a->acked, r->number);
		answer_version(c, slot);
	} else if (atomic_load(&a->refused) < first)
		answer_refuse(c, slot, r->number, MOM_EBADID);
}

static void
request(struct conn *c, const void *bytes)
{
	struct record r;
	record_get(&r, bytes);
	uint32_t slot = (uint32_t)r.time;
	uint64_t first = r.offset;
	struct client *client = shard_client(&w.shard, r.publisher);
	if (client == NULL && r.type != REC_CREATE) {
		unknown_client(c, &r, slot, first);
		return;
	}
	uint64_t last = client ? client->last : r.number - 1;
	struct decision d = decide_request(last, atomic_load(&c->answers[slot].refused), r.number, first);
	if (d.lost_from && client && client->refused_first && client->refused_first <= d.lost_to)
		d.lost_to = client->refused_first - 1;
	if (d.lost_from && d.lost_from <= d.lost_to)
		answer_lost(c, slot, d.lost_from, d.lost_to);
	if (d.verdict == VERDICT_BROKEN) {
		log_error("a request is missing: client %016llx number %llx after %llx, first %llx: the connection is ended",
		    (unsigned long long)r.publisher, (unsigned long long)r.number, (unsigned long long)last, (unsigned long long)first);
		atomic_store(&c->unit->by_shard[w.shard.index].broken, 1);
		c->answered = 1;
	} else if (d.verdict == VERDICT_TAKE) {
		take_request(c, bytes, &r, slot);
	} else if (d.verdict == VERDICT_AGAIN && client) {
		client->conn = (int)(c - w.conns);
		client->slot = slot;
		touch(client);
	}
}

/* The machine's list of living clients: whoever of that machine is not on it is destroyed. */
static void
alive_complete(struct conn *c)
{
	size_t at = 0, n = 0, room = 0;
	struct client **dead = NULL;
	for (struct client *client; (client = map_each(&w.shard.clients, &at)) != NULL;) {
		if (client->machine != c->machine || map_get(&c->alive, &client->id, sizeof client->id))
			continue;
		if (n == room && (dead = realloc(dead, (room = room * 2 + 16) * sizeof *dead)) == NULL)
			log_fatal(EXIT_SYSTEM, "no memory for a list of %zu clients", room);
		dead[n++] = client;
	}
	for (size_t i = 0; i < n; i++) {
		char bytes[RECORD_HEADER];
		struct record r = { .type = REC_DESTROY, .flags = REC_F_DURABLE, .publisher = dead[i]->id, .number = dead[i]->last, .shard = (uint16_t)w.shard.index };
		record_make(bytes, &r, NULL, NULL, 0);
		if (log_place(RECORD_HEADER, 1))       /* else at the machine's next HELLO */
			log_and_apply(bytes, &r);
	}
	free(dead);
	at = 0;
	for (uint64_t *id; (id = map_each(&c->alive, &at)) != NULL;)
		free(id);
	map_free(&c->alive);
}

static void
alive(struct conn *c, const void *bytes)
{
	struct record r;
	record_get(&r, bytes);
	const char *p = record_data(bytes, &r);
	for (uint32_t n = record_data_len(&r) / 8; n > 0; n--, p += 8) {
		uint64_t *id = malloc(sizeof *id);
		if (id == NULL)
			log_fatal(EXIT_SYSTEM, "no memory for a list of clients");
		*id = get_u64(p);
		if (map_get(&c->alive, id, sizeof *id))
			free(id);
		else if (map_put(&c->alive, id, sizeof *id, id) < 0)
			log_fatal(EXIT_SYSTEM, "no memory for a list of clients");
	}
	if (r.aux == 1)
		alive_complete(c);
}

/* ---- connections ---- */

static void
conn_leave(struct conn *c)
{
	ipcq_detach(c->unit);
	c->unit = NULL;
	c->live = 0;
	size_t at = 0;
	for (uint64_t *id; (id = map_each(&c->alive, &at)) != NULL;)
		free(id);
	map_free(&c->alive);
	at = 0;
	for (struct client *client; (client = map_each(&w.shard.clients, &at)) != NULL;)
		if (client->conn == (int)(c - w.conns))
			client->conn = -1;
}

static void
conn_join(struct conn *c, struct conn_word *word, uint32_t seq)
{
	c->unit = ipcq_attach(atomic_load(&word->unit), 0);
	c->seq = seq;
	if (c->unit == NULL)
		return;                                /* ended again already */
	if (c->unit->magic != MAGIC_UNIT || c->unit->slots != word->slots) {
		ipcq_detach(c->unit);
		return;
	}
	c->slots = word->slots;
	c->ring = broker_unit_ring(c->unit, c->slots, w.shard.index);
	c->answers = broker_unit_answers(c->unit, c->slots, w.shard.index);
	c->machine = shard_machine(&w.shard, word->serial);
	c->taken = atomic_load(&c->unit->by_shard[w.shard.index].taken);
	c->wanted_told = 0;
	ring_reader_init(&c->in, c->ring, RING_WINDOW, atomic_load(&c->ring->tail));
	if (c->machine->wanted < w.shard.log.end)
		c->machine->wanted = w.shard.log.end;  /* not known for what lies before: the sender looks */
	c->answered = 1;
	c->live = 1;
}

static void
conns_look(void)
{
	uint32_t epoch = atomic_load(&w.table->epoch);
	if (epoch == w.epoch)
		return;
	w.conns_seen = atomic_load(&w.table->conns);
	for (uint32_t i = 0; i < w.conns_seen; i++) {           /* first the dead, so that no ring outlives its machine's next HELLO */
		struct conn_word *word = &w.table->conn[i];
		if (w.conns[i].live && (atomic_load(&word->state) != CONN_LIVE || atomic_load(&word->seq) != w.conns[i].seq))
			conn_leave(&w.conns[i]);
	}
	for (uint32_t i = 0; i < w.conns_seen; i++) {
		struct conn_word *word = &w.table->conn[i];
		uint32_t seq = atomic_load(&word->seq);
		if (!w.conns[i].live && atomic_load(&word->state) == CONN_LIVE && w.conns[i].seq != seq)
			conn_join(&w.conns[i], word, seq);
	}
	w.epoch = epoch;
}

/* ---- the loop ---- */

static int
drain(struct conn *c)
{
	int broken = 0, n = 0;
	for (const void *p; w.batch < BATCH_MOST && (p = ring_next(&c->in, &broken)) != NULL; n++) {
		uint8_t type = ((const uint8_t *)p)[9];
		if (type == REC_ALIVE)
			alive(c, p);
		else
			request(c, p);
		c->taken += record_stride(get_u32(p));
	}
	if (broken) {
		log_error("the ring of a handler holds garbage: its connection is ended");
		atomic_store(&c->unit->by_shard[w.shard.index].broken, 1);
		c->in.at = atomic_load(&c->ring->head);
		c->answered = 1;
	}
	if (c->in.at != atomic_load(&c->ring->tail))
		n++;                                   /* a pad alone is released too */
	return n;
}

/* Before head: a sender that sees the new head must see what it is wanted for. */
static void
tell_wanted(void)
{
	for (uint32_t i = 0; i < w.conns_seen; i++) {
		struct conn *c = &w.conns[i];
		if (!c->live || c->machine->wanted == c->wanted_told)
			continue;
		c->wanted_told = c->machine->wanted;
		atomic_store(&c->unit->by_shard[w.shard.index].wanted, c->wanted_told);
		c->answered = 1;
	}
}

static void
commit(void)
{
	struct shard *s = &w.shard;
	if ((w.durable ? seglog_sync(&s->log) : seglog_flush(&s->log)) < 0)
		worker_disk_failed(w.durable ? "fdatasync of the log" : "writing the log");
	if ((s->dirty_topics || s->dirty_clients) && views_update(s) < 0)
		log_warn("writing the views of shard %u: %s: they are made anew at the next start", s->index, strerror(errno));
	tell_wanted();
	atomic_store(&w.words->head, s->log.end);
	while (w.touched) {
		struct client *c = w.touched;
		w.touched = c->next_touched;
		c->touched = 0;
		if (c->conn >= 0)
			answer_client(c);
	}
	shard_clean(s);
	w.since_checkpoint += w.batch;
	w.batch = 0;
	w.durable = 0;
}

/* words first, then tails: what was read is answered, or it is read again by a successor */
static void
tell(struct conn *c, uint32_t index)
{
	atomic_store_explicit(&c->ring->tail, c->in.at, memory_order_release);
	if (c->taken != atomic_load(&c->unit->by_shard[w.shard.index].taken)) {
		atomic_store(&c->unit->by_shard[w.shard.index].taken, c->taken);
		c->answered = 1;
	}
	if (!atomic_load(&c->unit->by_shard[w.shard.index].started)) {
		atomic_store(&c->unit->by_shard[w.shard.index].started, 1);
		c->answered = 1;
	}
	if (c->answered)
		bell_ring(&c->unit->by_shard[w.shard.index].bell, &w.table->conn[index].queue);
	c->answered = 0;
}

static int
round_of_work(void)
{
	int n = 0;
	bell_clear(&w.words->time_bell);
	conns_look();
	for (uint32_t i = 0; i < w.conns_seen; i++)
		if (w.conns[i].live)
			bell_clear(&w.conns[i].ring->bell);
	for (uint32_t i = 0; i < w.conns_seen; i++)
		if (w.conns[i].live)
			n += drain(&w.conns[i]);
	commit();
	for (uint32_t i = 0; i < w.conns_seen; i++)
		if (w.conns[i].live)
			tell(&w.conns[i], i);
	return n;
}

static void
write_checkpoint(void)
{
	struct shard *s = &w.shard;
	if (seglog_sync(&s->log) < 0)
		worker_disk_failed("fdatasync of the log");
	if (checkpoint_write(s, s->log.end) < 0) {
		log_warn("shard %u: writing the check-point: %s: old segments stay until it works", s->index, strerror(errno));
		return;
	}
	seglog_prune(&s->log, shard_needed_from(s));
	w.since_checkpoint = 0;
	w.checkpoint_ms = clock_ms();
}

static void
places_look(void)
{
	for (uint32_t i = 0; i < w.conns_seen; i++) {
		struct conn *c = &w.conns[i];
		if (!c->live)
			continue;
		uint64_t place = atomic_load(&c->unit->place[w.shard.index]);
		if (place > c->machine->place && place <= w.shard.log.end) {
			c->machine->place = place;
			w.shard.changed = 1;
		}
	}
}

static void
on_tick(void)
{
	uint32_t ticks = atomic_load(&w.table->ticks);
	int late = clock_ms() - w.checkpoint_ms > 10000;
	if (ticks == w.ticks && w.since_checkpoint < CHECKPOINT_BYTES)
		return;
	w.ticks = ticks;
	places_look();
	if (w.since_checkpoint >= CHECKPOINT_BYTES || (late && w.shard.changed) || (store_is_full() && w.shard.changed))
		write_checkpoint();
	if (store_is_full() && w.shard.log.count == 1 && w.shard.log.end - w.shard.log.base > SEGMENT_MIN / 2 &&
	    shard_needed_from(&w.shard) == w.shard.log.end)
		seglog_roll(&w.shard.log);             /* nothing in it is needed: a new one frees it at the next check-point */
}

static void
initial_topics(void)
{
	char names[sizeof w.table->topics], *rest = NULL;
	memcpy(names, w.table->topics, sizeof names);
	for (char *name = strtok_r(names, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
		if (topic_shard(name, strlen(name), w.table->shards) == w.shard.index)
			shard_topic(&w.shard, name, (uint16_t)strlen(name), 1)->kept = 1;
}

static int
replay(void *with, const void *bytes, uint64_t offset)
{
	shard_apply(with, bytes, offset + record_stride(get_u32(bytes)));
	return 0;
}

static void
recover(void)
{
	struct shard *s = &w.shard;
	int64_t began = clock_ms();
	int fresh = checkpoint_load(s);
	if (fresh < 0)
		exit(EXIT_DISK);
	if (fresh)
		initial_topics();
	if (seglog_open(&s->log, s->dir, w.table->segment_bytes, s->checkpoint, replay, s) < 0) {
		log_error("shard %u: its log cannot be taken up: %s", s->index, strerror(errno));
		exit(errno == ENOSPC ? EXIT_SYSTEM : EXIT_DISK);
	}
	shard_clean(s);
	if (views_rebuild(s) < 0)
		log_fatal(EXIT_SYSTEM, "shard %u: writing the views: %s", s->index, strerror(errno));
	write_checkpoint();
	atomic_store(&w.words->head, s->log.end);
	atomic_store(&w.words->ready, 1);
	log_debug("shard %u recovered in %lld ms, log ends at %llx", s->index, (long long)(clock_ms() - began), (unsigned long long)s->log.end);
}

int
main(void)
{
	struct child_place place;
	child_begin(&place, "worker", "broker_server");
	w.table = ipcq_attach(place.table, 0);
	if (w.table == NULL || w.table->magic != MAGIC_BROKER)
		log_fatal(EXIT_SYSTEM, "shmat(%d): %s", place.table, strerror(errno));
	w.words = &w.table->shard[place.index];
	w.shard.index = (uint32_t)place.index;
	w.shard.dir = place.fds[0];
	w.conns = calloc(w.table->capacity, sizeof *w.conns);
	if (w.conns == NULL)
		log_fatal(EXIT_SYSTEM, "no memory for %u connections", w.table->capacity);
	recover();
	while (!atomic_load(&w.table->stopping)) {
		while (round_of_work() > 0)
			;
		on_tick();
		if (ipcq_wait(atomic_load(&w.words->queue)) < 0 && errno != EINTR)
			log_fatal(EXIT_SYSTEM, "msgrcv(queue of shard %d): %s: it is made anew", place.index, strerror(errno));
	}
	round_of_work();
	write_checkpoint();
	return 0;
}
