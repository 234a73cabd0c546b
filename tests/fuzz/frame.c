/* frame - proves: whatever a stranger or an authenticated machine sends, cut at any place, broker_handler ends the
 * connection with a clear error or hands over whole, checked requests of that machine alone; a frame never becomes
 * longer than what was sent.
 * INPUT  u8 shards - 1, u8 most bytes a read, u16 bytes (of 8) that lie in the rings already; then the bytes of the
 *        socket */
#include <errno.h>
#include <poll.h>
#include "ipc/layout.h"
#include "broker/control.h"
#include "server/child.h"
#include "base/fdio.h"
#include "base/net.h"
#include "format/topic.h"
#include "take_over.h"

enum { SOCKET = 100, CONTROL = 101, UNIT = 1, TABLE = 2, SHARDS = 4, SERIAL = 7 };

static struct {
	struct fuzz_input in;
	uint32_t shards, slots, cut;
	uint64_t begin, given, handed, read_up_to[SHARDS];
	int is_known;
} fz;

static void
edge_begin(struct child_place *place, const char *role, const char *parent)
{
	(void)role, (void)parent;
	*place = (struct child_place){ .table = TABLE, .fds = { SOCKET, CONTROL, -1 } };
}

/* as conn_admit of broker_server */
static void
edge_answer(struct control_answer *a)
{
	*a = (struct control_answer){ .ok = fz.slots >= 1 && fz.slots <= SLOTS_MAX, .unit = UNIT, .text = "refused" };
	a->welcome = (struct welcome){ .version = WIRE_VERSION, .serial = SERIAL, .shards = fz.shards,
	    .message_max = MOM_MESSAGE_MAX, .window = WINDOW };
	if (!a->ok)
		return;
	struct broker_unit *u = ipcq_attach(UNIT, 0);
	for (uint32_t i = 0; i < fz.shards; i++) {
		struct ring *ring = broker_unit_ring(u, fz.slots, i);
		ring->head = fz.read_up_to[i] = fz.begin;
	}
}

static ssize_t
edge_read(int fd, void *bytes, size_t n)
{
	if (fd == CONTROL && n == 1) {                 /* may the machine have clients? */
		fz.is_known = fz.slots % 2 == 0;
		*(char *)bytes = fz.is_known ? 0 : -MOM_EFULL;
		return 1;
	}
	if (fd == CONTROL) {
		edge_answer(bytes);
		return (ssize_t)n;
	}
	FUZZ_CHECK(fd == SOCKET && n > 0);
	n = fuzz_bytes(&fz.in, bytes, n < fz.cut ? n : fz.cut);
	fz.given += n;
	return (ssize_t)n;
}

static int
edge_write(int fd, const void *bytes, size_t n)
{
	struct control_ask ask;
	if (fd == CONTROL && n == sizeof ask) {
		memcpy(&ask, bytes, n);
		fz.slots = ask.hello.slots;
	}
	FUZZ_CHECK(fd != SOCKET || record_is_sound(bytes, n));
	return 0;
}

static int
edge_poll(struct pollfd *f, nfds_t n, int ms)
{
	(void)f, (void)ms;
	return (int)n;
}

int role_main(int argc, char **argv);
#define main          role_main
#define child_begin   edge_begin
#define fdio_read     edge_read
#include "ipc/idling.h"
#define idling_read(l, fd, bytes, n) ((void)(l), edge_read(fd, bytes, n))
#define fdio_write_full edge_write
#define poll          edge_poll
#define net_peer_text(fd, text, n) snprintf(text, n, "peer")
#define fdio_close(fd) (void)(*(fd) = -1)
#include "broker/broker_handler.c"
#include "server/frames.c"

static void
check_request(const void *p, uint32_t shard)
{
	struct record r;
	record_get(&r, p);
	FUZZ_CHECK(r.shard == shard);
	if (r.type == REC_ALIVE) {
		FUZZ_CHECK(r.topic_len == 0 && record_data_len(p, &r) % 8 == 0);
		return;
	}
	if (r.type == REC_DIED) {
		FUZZ_CHECK(r.publisher >> 32 == SERIAL && r.len == RECORD_HEADER);
		return;
	}
	FUZZ_CHECK(record_is_request(r.type));
	FUZZ_CHECK(r.publisher >> 32 == SERIAL && (uint64_t)r.time < fz.slots && r.number != 0 && r.offset <= r.number);
	FUZZ_CHECK((r.flags & ~(REC_F_ASKED | REC_F_BAD)) == 0);
	if (r.flags & REC_F_BAD) {
		FUZZ_CHECK((int64_t)r.aux < 0);
		return;
	}
	FUZZ_CHECK(r.type != REC_CREATE || fz.is_known);
	if (r.topic_len)
		FUZZ_CHECK((kind_of(r.type)->pattern ? pattern_fault : topic_fault)(record_topic(p), r.topic_len) ==
		    NULL && strlen(record_topic(p)) == r.topic_len);
	FUZZ_CHECK(kind_of(r.type)->topic == CARRIES_MAYBE ||
	    (r.topic_len != 0) == (kind_of(r.type)->topic == CARRIES_ALWAYS));
	FUZZ_CHECK(record_data_len(p, &r) <= MOM_MESSAGE_MAX && (r.type == REC_MESSAGE ||
	    (r.type == REC_WILL && r.topic_len) || record_data_len(p, &r) == 0));
}

/* as the worker takes them */
static void
on_bell(const void *bell)
{
	for (uint32_t i = 0; i < fz.shards; i++) {
		struct ring *ring = handler.out[i].ring;
		struct ring_reader r;
		int broken;
		if (bell != &ring->bell)
			continue;
		ring_reader_init(&r, ring, UNIT_RING(MOM_MESSAGE_MAX), fz.read_up_to[i]);
		for (const char *p; (p = ring_next(&r, &broken)) != NULL;) {
			check_request(p, i);
			fz.handed += record_stride(get_u32(p));
		}
		FUZZ_CHECK(!broken && r.at == ring->head);
		FUZZ_CHECK(ring->head - ring->tail <= UNIT_RING(MOM_MESSAGE_MAX) && fz.handed <= fz.given);
		fz.read_up_to[i] = r.at;
	}
}

static void
body(void)
{
	role_main(0, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t table_bytes = sizeof(struct broker_table) + sizeof(struct conn_word),
	    most = broker_unit_bytes(SHARDS, SLOTS_MAX, MOM_MESSAGE_MAX);
	struct broker_unit *unit = fuzz_segment(UNIT, most);
	struct broker_table *table = fuzz_segment(TABLE, table_bytes);
	fuzz_wipe(unit, most);
	fuzz_wipe(table, table_bytes);
	unit->message_max = table->message_max = MOM_MESSAGE_MAX;
	memset(&handler, 0, sizeof handler);
	memset(&fz, 0, sizeof fz);
	fz.in = (struct fuzz_input){ data, size };
	fz.shards = 1 + fuzz_number(&fz.in, 1) % SHARDS;
	fz.cut = 1 + (uint32_t)fuzz_number(&fz.in, 1);
	fz.cut = fz.cut == 256 ? BATCH : fz.cut;
	fz.begin = fuzz_number(&fz.in, 2) * 8 * 5;
	fuzz_on_bell(on_bell);
	int status = fuzz_run(body);
	FUZZ_CHECK(status == -1 || status == 0 || status == EXIT_USAGE);
	return 0;
}

/* ---- seeds ---- */

static size_t
seed_hello(char *b, uint32_t shards, uint32_t cut)
{
	char payload[HELLO_MOST];
	struct hello hello = { .version = WIRE_VERSION, .message_max = MOM_MESSAGE_MAX, .slots = 16, .window = WINDOW };
	b[0] = (char)(shards - 1);
	b[1] = (char)cut;
	b[2] = b[3] = 0;
	wire_hello_put(payload, &hello);
	return 4 + record_make(b + 4, &(struct record){ .type = REC_HELLO }, NULL, payload, sizeof payload);
}

static size_t
seed_request(char *b, int type, uint64_t number, const char *topic, const char *data, uint32_t shards)
{
	struct record r = { .type = (uint8_t)type, .number = number, .offset = 1, .time = 3,
	    .publisher = (uint64_t)SERIAL << 32 | 5, .flags = REC_F_DURABLE };
	r.topic_len = (uint16_t)(topic ? strlen(topic) : 0);
	r.shard = (uint16_t)(topic ? topic_shard(topic, r.topic_len, shards) : 0);
	return record_make(b, &r, topic, data, (uint32_t)strlen(data));
}

void
fuzz_seeds(fuzz_seed_fn seed)
{
	char b[4096];
	size_t n = seed_hello(b, 1, 255);
	seed("hello", b, n);
	n += seed_request(b + n, REC_CREATE, 1, NULL, "", 1);
	n += seed_request(b + n, REC_SUBSCRIBE, 2, "news", "", 1);
	n += seed_request(b + n, REC_MESSAGE, 3, "news", "hello", 1);
	n += seed_request(b + n, REC_UNSUBSCRIBE, 4, "news", "", 1);
	n += seed_request(b + n, REC_DESTROY, 5, NULL, "", 1);
	seed("requests", b, n);
	b[1] = 6;
	seed("requests-cut", b, n);
	n = seed_hello(b, 4, 255);
	n += seed_request(b + n, REC_MESSAGE, 1, "plant/boiler", "87.5", 4);
	n += seed_request(b + n, REC_MESSAGE, 2, "bad topic", "x", 4);
	n += record_make(b + n, &(struct record){ .type = REC_ALIVE, .shard = 3, .aux = 1, .offset = 99 }, NULL,
	    "12345678ABCDEFGH", 16);
	n += record_make(b + n, &(struct record){ .type = REC_CREDIT, .aux = 4711 }, NULL, NULL, 0);
	n += record_make(b + n, &(struct record){ .type = REC_PLACE, .shard = 2, .aux = 815 }, NULL, NULL, 0);
	n += record_make(b + n, &(struct record){ .type = REC_PING }, NULL, NULL, 0);
	seed("notes", b, n);
	b[2] = b[3] = (char)0xea;
	seed("full-ring", b, n);
}
