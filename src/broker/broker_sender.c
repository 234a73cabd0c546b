/* broker_sender - answers, and the machine's share of the workers' logs, to the socket; one process a connected machine
 * STARTED BY  broker_server, once the broker_handler of the same connection is done with the handshake
 * READS       words of the workers, log segments, check-points      WRITES  frames to its socket
 * SLEEPS IN   msgrcv: its queue              WHY A PAIR  poll(2) cannot wait on msgrcv(2): one sleeps on the socket,
 *             one on the queue
 * MUST NOT    write anything under db/; send more than the machine granted
 * KEYS        max-message, log-level, log-format, log-time, log-file
 * COUNTS      batch, bytes_out, expired, messages_out, sleeps
 * SIGNALS     USR1: its log file anew. It may be killed at any time
 * EXIT        0 the peer closed   100 the machine sent nonsense   111 system call failed
 * ON CRASH    broker_server ends the handler and closes the connection; the machine connects anew and sends again */
#include "broker/stream.h"
#include "server/child.h"
#include "server/frames.h"
#include "ipc/counters.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "ipc/idling.h"
#include "base/log_peer.h"
#include "base/program.h"
#include <errno.h>
#include <fcntl.h>
#include "ipc/layout.h"
#include "format/wire.h"
#include <stdio.h>
#include <stdlib.h>

enum { ANSWERS_A_FRAME = 800, OUT_BYTES = 64 * 1024 };

struct answered { uint64_t version, acked, refused, result[2], lost; };

static struct {
	struct broker_table *table;
	struct conn_word *conn;
	struct broker_unit *unit;
	uint32_t shards, slots, ticks;
	uint32_t pinged;                      /* the tick of the last PING: a round may be longer than one */
	uint64_t sent;                        /* bytes of deliveries */
	uint32_t turn;                        /* 1 + the shard that found too little room: it sends next; 0: any */
	uint64_t taken_told[SHARDS_MAX];
	struct stream streams[SHARDS_MAX];
	struct answered *answered[SHARDS_MAX];
	int db;
	char payload[ANSWERS_A_FRAME * ANSWER_BYTES];
	uint32_t answers;
	struct frames_out out;                /* with the deliveries behind small frames, where those are few */
	uint64_t passed;                      /* bytes of the log that were passed over */
} sender;

static void
ping_look(void)
{
	uint32_t ticks = atomic_load(&sender.table->ticks);
	if (ticks - sender.pinged < PING_TICKS)
		return;
	sender.pinged = ticks;
	frames_put(&sender.out, &(struct record){ .type = REC_PING, .time = clock_wall_us() }, NULL, 0);
}

/* while something takes long: a machine that hears nothing for 12 s gives up, and would begin the same anew */
static void
alive(void)
{
	ping_look();
	frames_flush(&sender.out);
}

/* ---- answers ---- */

static void
answers_flush(void)
{
	if (sender.answers)
		frames_put(&sender.out, &(struct record){ .type = REC_ANSWERS }, sender.payload,
		    sender.answers * ANSWER_BYTES);
	sender.answers = 0;
}

static void
answer(uint32_t slot, uint32_t shard, enum answer_kind kind, uint64_t number, int64_t code, uint64_t value)
{
	struct answer a = { slot, (uint16_t)shard, (uint16_t)kind, number, code, value };
	wire_answer_put(sender.payload + sender.answers++ * ANSWER_BYTES, &a);
	if (sender.answers == ANSWERS_A_FRAME)
		answers_flush();
}

/* Results go before the acknowledgement that makes libmom look for them. 0: a word was changing: its writer rings once
 * it is done, and where it was killed its successor does. */
static int
answer_slot(uint32_t shard, uint32_t slot, struct answer_words *a, struct answered *done)
{
	uint64_t number, value, refused, acked = atomic_load(&a->acked);
	int64_t code;
	int whole = 1;
	for (int i = 0; i < 2; i++) {
		if (!result_read(&a->result[i], &number, &code, &value))
			whole &= number == 0 && atomic_load(&a->result[i].code) == 0 &&
			    atomic_load(&a->result[i].value) == 0;
		else if (number != done->result[i]) {
			answer(slot, shard, ANSWER_RESULT, number, code, value);
			done->result[i] = number;
		}
	}
	if (result_read(&a->lost, &number, &code, &value) && (uint64_t)code != done->lost) {
		answer(slot, shard, ANSWER_LOST, number, code, value);
		done->lost = (uint64_t)code;
	}
	if (acked != done->acked)
		answer(slot, shard, ANSWER_ACKED, done->acked = acked, 0, 0);
	refused = refused_read(a, &code);
	if (refused && refused != done->refused)
		answer(slot, shard, ANSWER_REFUSED, done->refused = refused, code, 0);
	return whole;
}

static void
answers_look(uint32_t shard)
{
	uint32_t used = atomic_load(&sender.unit->by_shard[shard].slots_used);
	struct answer_words *words = broker_unit_answers(sender.unit, sender.slots, shard);
	for (uint32_t slot = 0; slot < used && slot < sender.slots; slot++) {
		uint64_t version = atomic_load_explicit(&words[slot].version, memory_order_acquire);
		struct answered *done = &sender.answered[shard][slot];
		if (version == done->version)
			continue;
		if (answer_slot(shard, slot, &words[slot], done))
			done->version = version;
	}
}

/* Not before it is worth a frame; with less untold, a largest record still fits into the window. */
static void
credit_look(uint32_t shard, int on_tick)
{
	uint64_t taken = atomic_load(&sender.unit->by_shard[shard].taken), untold = taken - sender.taken_told[shard];
	if (untold < CREDIT_STEP(sender.unit->message_max) && (!on_tick || untold == 0))
		return;
	sender.taken_told[shard] = taken;
	frames_put(&sender.out, &(struct record){ .type = REC_CREDIT, .shard = (uint16_t)shard, .aux = taken }, NULL,
	    0);
}

/* ---- deliveries ---- */

/* Whole frames, as many as the machine has granted room for, and never past a shard that waits for room: else the first
 * would always take it all. A shard that was served on its turn goes behind the others. 1: something went out. */
static int
stream_send(struct stream *st)
{
	uint32_t own = st->shard + 1, turn = sender.turn;
	if (turn && turn != own)
		return 0;
	uint64_t room = sender.conn->window - (sender.sent - atomic_load(&sender.unit->delivery_credit));
	size_t n = 0, messages = 0;
	while (st->sent + n < st->have) {
		const char *record = st->out + st->sent + n;
		uint32_t stride = record_stride(get_u32(record));
		if (n + stride > room)
			break;
		messages += record[9] == REC_MESSAGE || record[9] == REC_HAND;
		n += stride;
	}
	sender.turn = st->sent + n < st->have && (n == 0 || turn != own) ? own : 0;
	if (n == 0)
		return 0;
	frames_put_bytes(&sender.out, st->out + st->sent, n);
	counters_add(COUNT_MESSAGES_OUT, messages);
	counters_observe(HISTOGRAM_BATCH, messages);
	sender.sent += n;
	st->sent += n;
	return 1;
}

/* The worker takes the damage out; it is tried again once a second. */
static void
log_damage(uint32_t shard, uint64_t at)
{
	word64 *damaged = &sender.unit->by_shard[shard].damaged;
	if (errno != EBADMSG)
		log_fatal(EXIT_SYSTEM, "shard %u: reading the log at %llx: %s: %s", shard, (unsigned long long)at,
		    strerror(errno), fdio_hint(errno));
	if (atomic_load(damaged) != at + 1)
		log_error("shard %u: the log is damaged at offset %llx: the worker mends it (see its line) and keeps "
		    "the rest in corrupt/; look at the disk",
		    shard, (unsigned long long)at);
	atomic_store(damaged, at + 1);
}

static int
stream_look(uint32_t shard, int on_tick)
{
	struct stream *st = &sender.streams[shard];
	char name[24];
	/* head first: what it shows is in wanted by then */
	uint64_t head = atomic_load(&sender.table->shard[shard].head);
	if (!st->started) {
		uint64_t start = atomic_load(&sender.unit->start[shard]);
		if (!atomic_load(&sender.unit->by_shard[shard].started) || start == 0)
			return 0;
		snprintf(name, sizeof name, "shard-%u", shard);
		int dir = fdio_open_at(sender.db, name, O_RDONLY | O_DIRECTORY, 0);
		*st = (struct stream){ .shard = shard, .serial = sender.unit->serial, .dir = dir, .from = start - 1,
		    .alive = alive };
		if (dir < 0 || stream_start(st, sender.unit->message_max, head) < 0)
			log_fatal(EXIT_SYSTEM, "%s: its check-point cannot be read: %s: %s", name, strerror(errno),
			    fdio_hint(errno));
	}
	uint64_t at = st->at;
	if (st->sent == st->have && stream_read(st, head, atomic_load(&sender.unit->by_shard[shard].wanted)) < 0)
		log_damage(shard, st->at);
	sender.passed += st->at - at;
	if (on_tick)
		stream_tell_place(st);
	return stream_send(st);
}

/* The machine closes the connection once it has read the refusal; where it does not, its next HELLO finds nobody in its
 * way. */
static void
end_machine(uint32_t why)
{
	static const char text[] = "what this machine has received is not in this store: the store was replaced, or is "
	    "an older copy of itself: bring back the newer one, or give this daemon a new spool folder";
	uint32_t ticks = atomic_load(&sender.table->ticks);
	if (why == BROKEN_LIST) {
		log_peer(LOG_FROM_INFO, sender.unit->serial, "the worker was started again while it took the machine's "
		    "list of clients: the machine connects anew");
		exit(0);
	}
	if (why == BROKEN_NONSENSE)
		log_peer_fatal(EXIT_USAGE, sender.unit->serial, "the machine sent nonsense (see the worker's line): "
		    "its connection is ended");
	frames_put(&sender.out, &(struct record){ .type = REC_REFUSE }, text, sizeof text - 1);
	frames_flush(&sender.out);
	while (atomic_load(&sender.table->ticks) - ticks < PING_TICKS &&
	    (ipcq_wait(atomic_load(&sender.conn->queue)) == 0 || errno == EINTR))
		bell_clear(&sender.unit->time_bell);
	log_peer(LOG_FROM_WARN, sender.unit->serial, "the machine was refused (see the worker's line): its connection "
	    "is ended");
	exit(EXIT_USAGE);
}

static void
bells_clear(void)
{
	for (uint32_t i = 0; i < sender.shards; i++)
		bell_clear(&sender.unit->by_shard[i].bell);
	bell_clear(&sender.unit->credit_bell);
	bell_clear(&sender.unit->time_bell);
}

/* how much there was, in messages or so */
static int
round_of_work(void)
{
	int more = 0, on_tick = atomic_load(&sender.table->ticks) != sender.ticks;
	uint64_t moved = sender.out.moved + sender.passed;
	for (uint32_t i = 0; i < sender.shards; i++) {
		if (atomic_load(&sender.unit->by_shard[i].broken))
			end_machine(atomic_load(&sender.unit->by_shard[i].broken));
		answers_look(i);
		credit_look(i, on_tick);
	}
	answers_flush();
	for (uint32_t i = 0; i < sender.shards; i++)
		more |= stream_look(i, on_tick);
	if (on_tick)
		sender.ticks = atomic_load(&sender.table->ticks);
	ping_look();
	frames_flush(&sender.out);
	return more + (int)((sender.out.moved + sender.passed - moved + FLOW_BYTES - 1) / FLOW_BYTES);
}

int
main(int argc, char **argv)
{
	struct child_place place;
	program_begin(argc, argv, "broker_sender");
	child_begin(&place, "broker_sender", "broker_server");
	sender.db = place.fds[1];
	sender.table = child_attach(place.table);
	log_follow(&sender.table->log);
	log_peers_share(&sender.table->limits);
	sender.conn = &sender.table->conn[place.index];
	sender.unit = child_attach(atomic_load(&sender.conn->unit));
	frames_out_begin(&sender.out, place.fds[0], sender.unit->serial, OUT_BYTES);
	sender.shards = sender.unit->shards;
	sender.slots = sender.unit->slots;
	sender.ticks = atomic_load(&sender.table->ticks);
	sender.pinged = sender.ticks - PING_TICKS;       /* at once: the machine is to know the time */
	counters_begin(atomic_load(&sender.table->counters), COUNTERS_SENDER(sender.shards, (uint32_t)place.index),
	    ROLE_SENDER,
	    sender.unit->serial);
	for (uint32_t i = 0; i < sender.shards; i++)
		if ((sender.answered[i] = calloc(sender.slots, sizeof **sender.answered)) == NULL)
			log_fatal(EXIT_SYSTEM, "no memory for %u clients: see `free`", sender.slots);
	idling_serve(&sender.conn->queue, NULL, round_of_work, bells_clear);
	log_fatal(EXIT_SYSTEM, "msgrcv(queue): %s: the connection is made anew", strerror(errno));
}
