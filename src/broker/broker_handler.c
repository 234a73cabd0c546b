/* broker_handler - socket to workers' rings; one process a connected machine
 * STARTED BY  broker_server, which starts a broker_sender beside it once the handshake is done
 * READS       frames from its socket            WRITES  a ring a shard, words for sender and workers
 * SLEEPS IN   read: its socket                  WHY A PAIR  poll(2) cannot wait on msgrcv(2): one sleeps on the socket,
 *             one on the queue
 * MUST NOT    create or remove System V objects; open files; believe a length
 * KEYS        max-message, log-level, log-format, log-time, log-file
 * COUNTS      bytes_in, messages_in, refused, sleeps
 * SIGNALS     USR1: its log file anew. It may be killed at any time
 * EXIT        0 the peer closed, or is silent   100 a bad frame or handshake   111 system call failed
 * ON CRASH    broker_server ends the sender and closes the connection; the machine connects anew and sends again */
#include "broker/control.h"
#include "format/kinds.h"
#include "server/child.h"
#include "server/frames.h"
#include "ipc/counters.h"
#include "base/fdio.h"
#include "base/log_peer.h"
#include "base/net.h"
#include "format/topic.h"
#include <errno.h>
#include "ipc/layout.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/program.h"

enum { NOTES_TOGETHER = 256, NOTES_REST_US = 5000 };

static struct {
	struct broker_table *table;
	struct conn_word *conn;
	struct broker_unit *unit;
	uint32_t shards, slots, serial, message_max;
	struct ring_writer out[SHARDS_MAX];
	int fed[SHARDS_MAX];
	uint64_t notes;                  /* for the workers, that are no requests */
	struct topic_memo topic;
	struct frames_in in;
	int socket, control;
	int is_known, is_done;           /* the machine; the handshake */
	char peer[80];
} handler;

static void
bad_peer(const char *what)
{
	log_peer_fatal(EXIT_USAGE, log_peer_of(handler.peer), "%s: %s: the connection is closed; is it a mom_daemon of "
	    "this version?", handler.peer, what);
}

/* ---- handshake ---- */

static void
read_exactly(char *p, size_t n, int64_t until)
{
	while (n > 0) {
		struct pollfd f = { handler.socket, POLLIN, 0 };
		int64_t left = until - clock_ms();
		if (left <= 0 || poll(&f, 1, (int)left) == 0)
			bad_peer("no handshake within 3 s; is it a mom_daemon");
		ssize_t r = fdio_read(handler.socket, p, n);
		if (r == 0 || (r < 0 && errno == ECONNRESET))
			exit(0);
		if (r < 0)
			log_peer_fatal(EXIT_SYSTEM, log_peer_of(handler.peer), "read(socket of %s): %s: %s",
			    handler.peer,
			    strerror(errno), net_hint(errno));
		p += r;
		n -= (size_t)r;
	}
}

static void
read_hello(struct hello *hello)
{
	char bytes[RECORD_HEADER + HELLO_MOST];
	int64_t until = clock_ms() + HANDSHAKE_MS;
	read_exactly(bytes, RECORD_HEADER, until);
	uint32_t len = get_u32(bytes), n = len - RECORD_HEADER;
	if (len < RECORD_HEADER + HELLO_BYTES || len > sizeof bytes || bytes[8] != RECORD_HEADER ||
	    bytes[9] != REC_HELLO || get_u16(bytes + 12) != 0)
		bad_peer("the first frame is no HELLO; is it a mom_daemon");
	read_exactly(bytes + RECORD_HEADER, record_stride(len) - RECORD_HEADER, until);
	wire_hello_get(hello, bytes + RECORD_HEADER, n);
}

static void
write_frame(int type, const void *payload, uint32_t n)
{
	char bytes[512];
	struct record r = { .type = (uint8_t)type };
	uint32_t stride = record_make(bytes, &r, NULL, payload, n);
	if (fdio_write_full(handler.socket, bytes, stride) < 0)
		exit(0);
}

static void
ask_server(const struct hello *hello, struct control_answer *answer)
{
	struct control_ask ask = { *hello };
	struct pollfd f = { handler.control, POLLIN, 0 };
	if (fdio_write_full(handler.control, &ask, sizeof ask) < 0)
		exit(0);                               /* broker_server is stopping */
	while (poll(&f, 1, TICK_MS) == 0)              /* its disk is slow: the daemon shall not give up */
		write_frame(REC_PING, NULL, 0);
	if (fdio_read(handler.control, answer, sizeof *answer) != sizeof *answer)
		exit(0);                               /* broker_server is stopping */
}

static void
handshake(void)
{
	struct hello hello;
	struct control_answer answer;
	char payload[WELCOME_BYTES];
	read_hello(&hello);
	ask_server(&hello, &answer);
	if (!answer.ok) {
		write_frame(REC_REFUSE, answer.text, (uint32_t)strnlen(answer.text, sizeof answer.text));
		log_peer(LOG_FROM_WARN, log_peer_of(handler.peer), "%s: refused: %s", handler.peer, answer.text);
		exit(EXIT_USAGE);
	}
	handler.unit = child_attach(answer.unit);
	handler.shards = answer.welcome.shards;
	handler.slots = hello.slots;
	handler.serial = answer.welcome.serial;
	handler.is_known = answer.is_known;
	for (uint32_t i = 0; i < handler.shards; i++)
		ring_writer_init(&handler.out[i], broker_unit_ring(handler.unit, handler.slots, i),
		    UNIT_RING(handler.message_max),
		    WINDOW_OF(handler.message_max));
	wire_welcome_put(payload, &answer.welcome);
	counters_begin(atomic_load(&handler.table->counters), COUNTERS_HANDLER(handler.shards,
	    (uint32_t)(handler.conn - handler.table->conn)),
	    ROLE_HANDLER, handler.serial);
	write_frame(REC_WELCOME, payload, sizeof payload);
}

/* The daemon sends nothing before it has what WELCOME told it on its disk. */
static void
handshake_is_done(void)
{
	handler.is_done = 1;
	if (fdio_write_full(handler.control, "", 1) < 0)
		exit(0);
	if (handler.is_known)
		fdio_close(&handler.control);
}

/* Its first client: the store has to know the machine before it knows that. 0, or why it cannot be */
static int
become_known(void)
{
	char code;
	if (fdio_write_full(handler.control, "", 1) < 0 || fdio_read(handler.control, &code, 1) != 1)
		exit(0);                               /* broker_server is stopping */
	handler.is_known = code == 0;
	if (handler.is_known)
		fdio_close(&handler.control);
	return -code;
}

/* ---- frames ---- */

static void
feed(const void *frame, uint32_t shard)
{
	uint32_t stride = record_stride(get_u32(frame));
	char *at = ring_reserve(&handler.out[shard], stride);
	if (at == NULL)
		bad_peer("it sends more than the window that it was granted");
	memcpy(at, frame, stride);
	ring_advance(&handler.out[shard], stride);
	handler.fed[shard] = 1;
}

static int
request_fault(const void *frame, const struct record *r)
{
	switch (request_shape(frame, r, &handler.topic, handler.shards, handler.message_max)) {
	case SHAPE_GOOD: return 0;
	case SHAPE_TOPIC_BAD: return MOM_ETOPIC;
	case SHAPE_PAYLOAD_LARGE: case SHAPE_PROPERTIES_LARGE: return MOM_ETOOBIG;
	case SHAPE_PROPERTIES_BAD: return MOM_EINVAL;
	default: return MOM_EPROTO;
	}
}

static void
on_request(char *frame, struct record *r)
{
	if (r->shard >= handler.shards || (uint64_t)r->time >= handler.slots)
		bad_peer("a shard or a slot that does not exist");
	if (r->publisher >> 32 != handler.serial)
		bad_peer("a client id of another machine");
	if (r->number == 0 || r->offset > r->number)
		bad_peer("a request number that cannot be");
	int fault = request_fault(frame, r), code = !fault && r->type == REC_CREATE && !handler.is_known
	    ? become_known()
	    : fault;
	r->flags &= REC_F_ASKED;
	if (code) {                                    /* the worker refuses it in its order */
		r->flags |= REC_F_BAD;
		put_u64(frame + 48, (uint64_t)(int64_t)code);
	}
	if (fault) {
		counters_add(COUNT_REFUSED, 1);
		log_peer(LOG_FROM_WARN, log_peer_of(handler.peer),
		    "%s: client %016llx: a %s that cannot be taken: %d: it is refused; are that machine's programs of "
		    "this version, and is its memory sound?", handler.peer,
		    (unsigned long long)r->publisher, kind_of(r->type)->name, fault);
	}
	put_u16(frame + 10, r->flags);
	counters_add(COUNT_MESSAGES_IN, r->type == REC_MESSAGE);
	feed(frame, r->shard);
}

static void
ring_workers(void)
{
	for (uint32_t i = 0; i < handler.shards; i++) {
		if (!handler.fed[i])
			continue;
		handler.fed[i] = 0;
		ring_publish(&handler.out[i]);
		bell_ring(&handler.out[i].ring->bell, &handler.table->shard[i].queue);
	}
}

/* Lists and deaths cost the worker time and the machine nothing, so they come at a rate that leaves time to others. A
 * whole daemon's clients are told in under a second. */
static void
note_to_worker(const char *frame, uint32_t shard)
{
	feed(frame, shard);
	if (++handler.notes % (NOTES_TOGETHER * (uint64_t)handler.shards))       /* a death is told to each shard */
		return;
	ring_workers();
	usleep(NOTES_REST_US);
}

static void
on_frame(char *frame)
{
	struct record r;
	record_get(&r, frame);
	switch (r.type) {
	case REC_MESSAGE: case REC_SUBSCRIBE: case REC_UNSUBSCRIBE: case REC_CREATE: case REC_DESTROY: case REC_WILL:
	case REC_JOIN: case REC_LEAVE: case REC_SETTLE: case REC_GROUP:
		on_request(frame, &r);
		return;
	case REC_ALIVE:
		if (r.shard >= handler.shards || r.topic_len || record_data_len(frame, &r) % 8)
			bad_peer("an ALIVE list that cannot be");
		note_to_worker(frame, r.shard);
		if (r.aux == 1) {
			atomic_store(&handler.unit->start[r.shard], r.offset + 1);
			bell_ring(&handler.unit->credit_bell, &handler.conn->queue);
		}
		return;
	case REC_DIED:
		if (r.shard >= handler.shards || r.publisher >> 32 != handler.serial || r.len != RECORD_HEADER)
			bad_peer("a DIED that cannot be");
		note_to_worker(frame, r.shard);
		return;
	case REC_CREDIT:
		atomic_store(&handler.unit->delivery_credit, r.aux);
		bell_ring(&handler.unit->credit_bell, &handler.conn->queue);
		return;
	case REC_PLACE:
		if (r.shard >= handler.shards)
			bad_peer("a shard that does not exist");
		if (r.aux > atomic_load(&handler.unit->place[r.shard]))
			atomic_store(&handler.unit->place[r.shard], r.aux);
		return;
	case REC_PING:
		atomic_store(&handler.unit->token, r.aux);
		return;
	default:
		bad_peer("a frame of a type that has no place here");
	}
}

static void
take_frames(void)
{
	const char *fault = NULL;
	for (char *frame; (frame = frames_next(&handler.in, &fault)) != NULL;)
		on_frame(frame);
	if (fault)
		bad_peer(fault);
	ring_workers();
}

int
main(int argc, char **argv)
{
	struct child_place place;
	program_begin(argc, argv, "broker_handler");
	child_begin(&place, "broker_handler", "broker_server");
	handler.socket = place.fds[0];
	handler.control = place.fds[1];
	handler.table = child_attach(place.table);
	log_follow(&handler.table->log);
	log_peers_share(&handler.table->limits);
	handler.message_max = handler.table->message_max;
	frames_in_begin(&handler.in, handler.socket, handler.message_max);
	handler.conn = &handler.table->conn[place.index];
	net_peer_text(handler.socket, handler.peer, sizeof handler.peer);
	handshake();
	for (;;) {
		ssize_t r = frames_wait(&handler.in);
		if (r == 0) {
			log_peer(LOG_FROM_INFO, log_peer_of(handler.peer), "%s: the machine closed its connection",
			    handler.peer);
			return 0;
		}
		if (r < 0 && errno == EAGAIN && !handler.is_done)
			bad_peer("silent for 12 s");
		if (r < 0 && errno == EAGAIN) {
			log_peer(LOG_FROM_WARN, log_peer_of(handler.peer), "%s: machine %u is silent for 12 s: its "
			    "daemon is stopped, or the network between is cut: the connection is closed",
			    handler.peer, handler.serial);
			return 0;
		}
		if (r < 0)
			log_peer_fatal(EXIT_SYSTEM, log_peer_of(handler.peer), "read(socket of %s): %s: %s",
			    handler.peer,
			    strerror(errno), net_hint(errno));
		if (!handler.is_done)
			handshake_is_done();
		take_frames();
	}
}
