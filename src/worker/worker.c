/* worker - the only owner of a shard: its log, topics, subscribers and de-duplication
 * STARTED BY  broker_server, one a shard; a dead one is started again on the same queue and rings
 * READS       requests from the rings of all handlers   WRITES  db/shard-N/, answers and places as words for the
 *             senders
 * SLEEPS IN   msgrcv: its queue
 * MUST NOT    wait for a reader; acknowledge what is not written (fast) or on disk (durable); touch a socket
 * KEYS        machine-expiry, max-message, store-max, topic-max, topics, views, log-level, log-format, log-time,
 *             log-file
 * COUNTS      batch, bytes_in, dead, duplicates, expired, given_back, handed, lost, messages_in, refused, settled,
 *             settled_late, sleeps, sync_us, syncs, unwanted
 * SIGNALS     USR1: its log file anew. The table says when to stop
 * EXIT        0 stopped   111 system call failed   112 the disk failed, the store is damaged, a file of its log is
 *             gone:
 *             it is not started again
 * ON CRASH    broker_server starts it again: it recovers from check-point and log, reads the rings from their tails */
#include "server/child.h"
#include "base/clock.h"
#include "ipc/counters.h"
#include "base/fdio.h"
#include "ipc/idling.h"
#include "base/log_peer.h"
#include "server/names.h"
#include "base/program.h"
#include "format/topic.h"
#include "worker/checkpoint.h"
#include "worker/views.h"
#include "worker/worker.h"
#include <errno.h>
#include "ipc/layout.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- the loop ---- */

/* Of a round, for one machine, all that is no message: each costs much more than its bytes, and a window holds tens of
 * thousands. */
enum { ORDERS_MOST = 128 };

/* What its ring holds, up to its share. */
static int
drain(struct worker_conn *c, uint64_t share)
{
	int broken = 0, n = 0;
	uint64_t until = c->taken + share;
	for (const void *p; !(c->has_more = c->taken >= until) && c->orders < ORDERS_MOST &&
	    (p = ring_next(&c->in, &broken)) != NULL; n++) {
		uint8_t type = ((const uint8_t *)p)[9];
		c->orders += type != REC_MESSAGE && type != REC_SETTLE;
		if (type == REC_ALIVE)
			worker_alive(c, p);
		else if (type == REC_DIED)
			worker_died(c, p);
		else
			worker_request(c, p);
		c->taken += record_stride(get_u32(p));
	}
	if (broken) {
		log_peer(LOG_FROM_ERROR, c->machine->serial, "the ring of a handler holds garbage: its connection is "
		    "ended, and its machine connects again");
		worker_break(c, BROKEN_NONSENSE);
		c->in.at = c->in.head = atomic_load(&c->ring->head);
	}
	if (c->in.at != atomic_load(&c->ring->tail))
		n++;                                   /* a pad alone is released too */
	return n;
}

/* Each machine has an equal share of a round, and of what others leave. The next one begins where this one ended. */
static int
drain_all(void)
{
	uint32_t live = 0;
	int n = 0;
	for (uint32_t i = 0; i < worker.conns_seen; i++) {
		live += worker.conns[i].live != 0;
		worker.conns[i].orders = 0;
	}
	uint64_t share = live && BATCH_MOST / live < SHARE_LEAST ? SHARE_LEAST : BATCH_MOST / (live ? live : 1);
	for (int first = 1, more = 1; more; first = 0) {
		more = 0;
		for (uint32_t i = 0; i < worker.conns_seen && worker.batch < BATCH_MOST; i++) {
			struct worker_conn *c = &worker.conns[worker.turn];
			worker.turn = (worker.turn + 1) % worker.conns_seen;
			if (!c->live || !(first || c->has_more))
				continue;
			n += drain(c, share);
			more |= c->has_more;
		}
	}
	return n;
}

/* Before head: a sender that sees the new head must see what it is wanted for. */
static void
tell_wanted(void)
{
	for (uint32_t i = 0; i < worker.conns_seen; i++) {
		struct worker_conn *c = &worker.conns[i];
		if (!c->live || c->machine->wanted == c->wanted_told)
			continue;
		c->wanted_told = c->machine->wanted;
		atomic_store(&c->unit->by_shard[worker.shard.index].wanted, c->wanted_told);
		c->answered = 1;
	}
}

/* But for those that are in views still. */
static void
answer_all(void)
{
	struct client *waiting = NULL;
	for (struct client *c; (c = worker.touched) != NULL;) {
		worker.touched = c->next_touched;
		if (c->view.dirty & 1u << DIRTY_LEFT) {
			c->next_touched = waiting;
			waiting = c;
			if (c->conn >= 0)
				worker_owe(c);
			continue;
		}
		c->touched = 0;
		if (c->conn >= 0)
			worker_answer(c);
	}
	worker.touched = waiting;
}

static void
commit(void)
{
	struct shard *s = &worker.shard;
	int64_t began = worker.durable ? clock_us() : 0;
	if ((worker.durable ? seglog_sync(&s->log) : seglog_flush(&s->log)) < 0)
		worker_disk_failed(worker.durable ? "fdatasync of the log" : "writing the log");
	if (worker.durable) {
		counters_add(COUNT_SYNCS, 1);
		counters_observe(HISTOGRAM_SYNC_US, (uint64_t)(clock_us() - began));
	}
	tell_wanted();
	atomic_store(&worker.words->head, s->log.end);
	answer_all();
	shard_free_gone(s);
	worker_count_run();
	counters_add(COUNT_BYTES_IN, worker.batch);
	worker.since_checkpoint += worker.batch;
	worker.batch = 0;
	worker.durable = 0;
}

/* words first, then tails: what was read is answered or owed, or it is read again by a successor */
static void
tell(struct worker_conn *c, uint32_t index)
{
	atomic_store_explicit(&c->ring->tail, c->in.at, memory_order_release);
	if (c->taken != atomic_load(&c->unit->by_shard[worker.shard.index].taken)) {
		atomic_store(&c->unit->by_shard[worker.shard.index].taken, c->taken);
		c->answered = 1;
	}
	if (c->answered)
		bell_ring(&c->unit->by_shard[worker.shard.index].bell, &worker.table->conn[index].queue);
	c->answered = 0;
}

static void
bells_clear(void)
{
	bell_clear(&worker.words->time_bell);
	worker_conns_look();
	for (uint32_t i = 0; i < worker.conns_seen; i++)
		if (worker.conns[i].live)
			bell_clear(&worker.conns[i].ring->bell);
}

/* Behind the answers. While there are requests no more than a quarter of the time is for views. */
static void
views_turn(int busy)
{
	int64_t began = clock_us();
	if (!views_are_behind(&worker.shard) || (busy && began < worker.views_rest_us))
		return;
	views_update(&worker.shard, VIEWS_US);
	worker.views_rest_us = 4 * clock_us() - 3 * began;
}

static int
round_of_work(void)
{
	worker.now_us = clock_wall_us();
	worker_conns_look();
	int n = drain_all();
	if (n)
		counters_observe(HISTOGRAM_BATCH, (uint64_t)n);
	n += worker_hand_out();
	commit();
	for (uint32_t i = 0; i < worker.conns_seen; i++)
		if (worker.conns[i].live)
			tell(&worker.conns[i], i);
	views_turn(n > 0);
	return n;
}

static int
write_checkpoint(void)
{
	struct shard *s = &worker.shard;
	int64_t began = clock_ms();
	if (seglog_sync(&s->log) < 0)
		worker_disk_failed("fdatasync of the log");
	if (checkpoint_write(s, s->log.end) < 0) {
		log_warn("shard %u: writing the check-point: %s: old segments stay until it works; %s", s->index,
		    strerror(errno), fdio_hint(errno));
		seglog_drop_spares(&s->log);           /* where it is for want of room */
		return -1;
	}
	seglog_prune(&s->log, shard_needed_from(s, s->checkpoint));
	uint64_t most = atomic_load(&worker.table->store_max);
	if (most && s->log.total + s->log.spares * s->log.segment_bytes > most / worker.table->shards)
		seglog_drop_spares(&s->log);
	worker.since_checkpoint = 0;
	worker.checkpoint_ms = clock_ms();
	worker.checkpoint_took_ms = worker.checkpoint_ms - began;
	return 0;
}

static void
places_look(void)
{
	for (uint32_t i = 0; i < worker.conns_seen; i++) {
		struct worker_conn *c = &worker.conns[i];
		if (!c->live)
			continue;
		uint64_t place = atomic_load(&c->unit->place[worker.shard.index]);
		if (place > c->machine->place && place <= worker.shard.log.end) {
			c->machine->place = place;
			worker.shard.changed = 1;
		}
	}
}

/* A sender met damage: what is sound around it is kept, a gap says how much is not. */
static void
damage_look(void)
{
	for (uint32_t i = 0; i < worker.conns_seen; i++) {
		struct worker_conn *c = &worker.conns[i];
		uint64_t damage = c->live ? atomic_load(&c->unit->by_shard[worker.shard.index].damaged) : 0;
		if (damage == 0 || damage == c->damage_done)
			continue;
		if (seglog_repair(&worker.shard.log, damage - 1) == 0)
			c->damage_done = damage;
		else if (!fdio_is_full(errno))
			worker_disk_failed("a damaged segment cannot be written anew");
	}
}

/* A check-point lets segments go: soon where one waits for it, else when much was written or 10 s have passed. It is as
 * large as all that there is: with very many subscriptions it comes more rarely, so that others are served. */
static int
checkpoint_is_due(void)
{
	const struct shard *s = &worker.shard;
	int64_t age = clock_ms() - worker.checkpoint_ms;
	if (age < CHECKPOINT_REST * worker.checkpoint_took_ms)
		return 0;
	if (worker.since_checkpoint >= CHECKPOINT_BYTES)
		return 1;
	if (!s->changed)
		return 0;
	int frees = s->log.count > 1 && shard_needed_from(s, s->log.end) >= s->log.files[1].base;
	return age > 10000 || worker_store_is_full() || (age > 2000 && (frees || s->log.base > s->checkpoint));
}

/* Does what the store consists of still have its names? What is written to a file without one nobody finds again. */
static void
files_look(void)
{
	const struct shard *s = &worker.shard;
	uint64_t gone = seglog_gone(&worker.shard.log);
	char folder[24];
	if (gone)
		log_fatal(EXIT_DISK, "shard %u: log-%016llx is gone from its folder: nothing more is acknowledged; "
		    "bring it back, then start the broker again", s->index, (unsigned long long)gone);
	if (fdio_leads_to(s->dir, "checkpoint", -1))
		return;
	snprintf(folder, sizeof folder, "shard-%u", s->index);
	names_tell(folder, "checkpoint", write_checkpoint() < 0 ? -1 : 1);
}

static void
on_tick(void)
{
	uint32_t ticks = atomic_load(&worker.table->ticks);
	uint32_t ticked = ticks - worker.ticks;             /* of one second each */
	if (worker.packing.waits)
		seglog_packing_one(&worker.packing);
	if (!ticked && worker.since_checkpoint < CHECKPOINT_BYTES)
		return;
	worker.ticks = ticks;
	places_look();
	atomic_store(&worker.words->full, (uint32_t)worker_store_is_full());
	if (ticked) {
		files_look();
		damage_look();
		worker_machines_look(ticked);
		worker_groups_look(ticked);
		views_tick(&worker.shard);
	}
	if (checkpoint_is_due())
		write_checkpoint();
	if (worker_store_is_full() && worker.shard.log.count == 1 &&
	    worker.shard.log.end - worker.shard.log.base > SEGMENT_MIN / 2 &&
	    shard_needed_from(&worker.shard, worker.shard.checkpoint) == worker.shard.log.end)
		/* nothing in it is needed: a new one frees it at the next check-point */
		seglog_roll(&worker.shard.log);
	if (ticked)
		worker_pack_look();
}

/* not 0: there was something, or there is more to do */
static int
work_and_time(void)
{
	int n = round_of_work();
	on_tick();
	return n + (worker.packing.waits || worker.touched || worker.batch || worker.shard.groups.hungry ||
	    views_are_behind(&worker.shard));
}

static void
initial_topics(void)
{
	char names[sizeof worker.table->topics], *rest = NULL;
	memcpy(names, worker.table->topics, sizeof names);
	for (char *name = strtok_r(names, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
		if (topic_shard(name, strlen(name), worker.table->shards) == worker.shard.index)
			shard_topic(&worker.shard, name, (uint16_t)strlen(name), 1)->kept = 1;
}

static int
replay(void *with, const void *bytes, uint64_t offset)
{
	shard_apply(with, bytes, offset + record_stride(get_u32(bytes)));
	return 0;
}

/* Random bits in the log say which history of this store an offset belongs to. */
static void
begin_incarnation(void)
{
	uint64_t boot_before = worker.shard.boot;
	struct record r = { .type = REC_START, .shard = (uint16_t)worker.shard.index, .time = clock_wall_us(),
	    .number = worker_boot() };
	char *at = seglog_reserve(&worker.shard.log, RECORD_HEADER, 0);
	if (at == NULL && fdio_is_full(errno))
		log_fatal(EXIT_SYSTEM, "shard %u: no room for its log: %s: it is tried again; %s; a segment takes %llu "
		    "bytes", worker.shard.index, strerror(errno), fdio_hint(errno),
		    (unsigned long long)worker.table->segment_bytes);
	if (at == NULL || fdio_random(&r.aux, sizeof r.aux) < 0)
		worker_disk_failed("writing the log");
	record_make(at, &r, NULL, NULL, 0);
	seglog_take(&worker.shard.log, at);
	shard_apply(&worker.shard, at, worker.shard.log.end);
	worker_groups_begin(boot_before);
	if (seglog_sync(&worker.shard.log) < 0)
		worker_disk_failed("fdatasync of the log");
}

/* A limit that was reached, or a signal, goes by: broker_server tries again. What else fails is for a person to
 * mend. */
static int
exit_for(int error)
{
	static const int passing[] = { ENOSPC, EDQUOT, EFBIG, ENOMEM, EMFILE, ENFILE, EAGAIN, EINTR };
	for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
		if (error == passing[i])
			return EXIT_SYSTEM;
	return EXIT_DISK;
}

static void
recover(void)
{
	struct shard *s = &worker.shard;
	int64_t began = clock_ms();
	fdio_sweep(s->dir, "");
	int fresh = checkpoint_load(s);
	if (fresh < 0)
		exit(exit_for(errno));
	if (fresh)
		initial_topics();
	static char label[24];
	struct seglog_place place = { s->dir, "../corrupt", label, RECORD_MOST(worker.table->message_max),
	    (uint16_t)s->index };
	snprintf(label, sizeof label, "shard-%u", s->index);
	if (seglog_open(&s->log, &place, worker.table->segment_bytes, s->checkpoint, replay, s) < 0) {
		log_error("shard %u: its log cannot be taken up: %s: %s", s->index, strerror(errno), fdio_hint(errno));
		exit(exit_for(errno));
	}
	begin_incarnation();
	worker.life_base = s->log.base;
	worker_pack_begin();
	shard_clean(s);
	views_begin(s, worker.table->views);
	write_checkpoint();
	/* head moves with the first commit: the connections that went on must first know that they may want what was
	 * recovered */
	atomic_store(&worker.words->ready, 1);
	log_debug("shard %u recovered in %lld ms, log ends at %llx", s->index, (long long)(clock_ms() - began),
	    (unsigned long long)s->log.end);
}

int
main(int argc, char **argv)
{
	struct child_place place;
	program_begin(argc, argv, "worker");
	child_begin(&place, "worker", "broker_server");
	worker.table = child_attach(place.table);
	log_follow(&worker.table->log);
	log_peers_share(&worker.table->limits);
	worker.words = &worker.table->shard[place.index];
	worker.shard.index = (uint32_t)place.index;
	worker.shard.table.has_own_trees = 1;          /* of each machine: see shard_reach */
	worker.shard.dir = place.fds[0];
	counters_begin(atomic_load(&worker.table->counters), COUNTERS_WORKER(worker.shard.index), ROLE_WORKER, 0);
	worker.conns = calloc(worker.table->capacity, sizeof *worker.conns);
	if (worker.conns == NULL)
		log_fatal(EXIT_SYSTEM, "no memory for %u connections: see `free`", worker.table->capacity);
	recover();
	worker.ticks = atomic_load(&worker.table->ticks);
	if (idling_serve(&worker.words->queue, &worker.table->stopping, work_and_time, bells_clear) < 0)
		log_fatal(EXIT_SYSTEM, "msgrcv(queue of shard %d): %s: it is made anew", place.index, strerror(errno));
	int64_t until = clock_ms() + STOP_MS / 2;
	do
		round_of_work();
	/* else made anew */
	while (worker.shard.views.complete && views_are_behind(&worker.shard) && clock_ms() < until);
	views_end(&worker.shard);
	write_checkpoint();
	seglog_drop_spares(&worker.shard.log);
	return 0;
}
