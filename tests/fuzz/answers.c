/* answers - proves: whatever a broker sends, cut at any place, mom_responser ends with a clear error, or writes the
 * words of clients that exist and hands whole, checked deliveries to the forwarder, never more than came.
 * INPUT  u8 shards - 1, u8 most bytes a read, u8 states of the two first slots; then the bytes of the socket */
#include <errno.h>
#include "ipc/layout.h"
#include "format/wire.h"
#include "server/child.h"
#include "base/fdio.h"
#include "take_over.h"

enum { SOCKET = 100, TABLE = 1, UNIT = 2, CLIENT = 10, SLOTS = 4, SHARDS = 4 };

static struct {
	struct fuzz_input in;
	size_t cut;
	uint64_t given, handed, read_up_to;
} fz;

static void
edge_begin(struct child_place *place, const char *role, const char *parent)
{
	(void)role, (void)parent;
	*place = (struct child_place){ .table = TABLE, .index = UNIT, .fds = { SOCKET, -1 } };
}

static ssize_t
edge_read(int fd, void *bytes, size_t n)
{
	FUZZ_CHECK(fd == SOCKET && n > 0);
	n = fuzz_bytes(&fz.in, bytes, n < fz.cut ? n : fz.cut);
	fz.given += n;
	return (ssize_t)n;
}

int role_main(int argc, char **argv);
#define main        role_main
#define child_begin edge_begin
#define fdio_read   edge_read
#include "ipc/idling.h"
#define idling_read(l, fd, bytes, n) ((void)(l), edge_read(fd, bytes, n))
#include "daemon/mom_responser.c"
#include "server/frames.c"
#include "daemon/slots.c"

/* as the forwarder takes them */
static void
on_bell(const void *bell)
{
	struct ring_reader r;
	int broken;
	if (bell != &responser.out.ring->bell)
		return;
	ring_reader_init(&r, responser.out.ring, UNIT_RING(MOM_MESSAGE_MAX), fz.read_up_to);
	for (const char *f; (f = ring_next(&r, &broken)) != NULL;) {
		struct record rec;
		record_get(&rec, f);
		FUZZ_CHECK(rec.shard < responser.shards && rec.type != REC_ANSWERS && rec.type != REC_CREATE &&
		    rec.type != REC_PING &&
		    (rec.type <= REC_DESTROY || rec.type == REC_GAP || rec.type == REC_START ||
		    (rec.type >= REC_LIST && rec.type <= REC_UPTO)));
		fz.handed += record_stride(rec.len);
	}
	FUZZ_CHECK(!broken && fz.handed <= fz.given);
	atomic_store(&responser.out.ring->tail, fz.read_up_to = r.at);
}

static void
body(void)
{
	role_main(0, NULL);
}

static struct client_segment *
client(uint32_t i)
{
	return fuzz_segment(CLIENT + (int)i, client_bytes(MOM_MESSAGE_MAX));
}

static struct machine_table *
prepare(uint32_t shards, unsigned states)
{
	size_t n = sizeof(struct machine_table) + SLOTS * sizeof(struct slot_word);
	struct machine_table *t = fuzz_segment(TABLE, n);
	struct daemon_unit *u = fuzz_segment(UNIT, daemon_unit_bytes(SLOTS, MOM_MESSAGE_MAX));
	fuzz_wipe(t, n);
	fuzz_wipe(u, daemon_unit_bytes(SLOTS, MOM_MESSAGE_MAX));
	t->capacity = u->slots = SLOTS;
	u->message_max = MOM_MESSAGE_MAX;
	t->shards = shards;
	t->slots = SLOTS - 1;                          /* the last one is in nobody's use */
	t->epoch = 1;
	for (uint32_t i = 0; i < SLOTS; i++) {
		t->slot[i].segment = i < 2 ? CLIENT + (int)i : -1;
		t->slot[i].state = i < 2 ? states >> (2 * i) & 3 : i == 2 ? SLOT_AWAY : SLOT_FREE;
		t->slot[i].owner = i + 1;
		t->slot[i].id = 100 + i;
	}
	for (uint32_t i = 0; i < 2; i++) {
		fuzz_wipe(client(i), sizeof(struct client_segment));
		client(i)->magic = MAGIC_CLIENT;
		client(i)->layout = IPC_LAYOUT;
		client(i)->asleep = ASLEEP_FOR_ANY;
	}
	return t;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&responser, 0, sizeof responser);
	memset(&fz, 0, sizeof fz);
	fz.in = (struct fuzz_input){ data, size };
	uint32_t shards = 1 + (uint32_t)fuzz_number(&fz.in, 1) % SHARDS;
	fz.cut = fuzz_number(&fz.in, 1) + 1;
	fz.cut = fz.cut == 256 ? BATCH : fz.cut;
	prepare(shards, (unsigned)fuzz_number(&fz.in, 1));
	fuzz_on_bell(on_bell);
	int status = fuzz_run(body);
	FUZZ_CHECK(status == -1 || status == EXIT_USAGE);
	for (uint32_t i = 0; i < 2; i++) {
		FUZZ_CHECK(client(i)->magic == MAGIC_CLIENT && client(i)->poisoned == 0 && client(i)->first[0] == 0);
		for (uint32_t k = shards; k < SHARDS; k++)
			FUZZ_CHECK(client(i)->answer[k].acked == 0 && client(i)->answer[k].refused == 0 &&
			    client(i)->answer[k].lost.number == 0);
	}
	return 0;
}

/* ---- seeds ---- */

void
fuzz_seeds(fuzz_seed_fn seed)
{
	char b[4096] = { 1, (char)255, SLOT_LIVE | SLOT_DYING << 2 }, payload[4 * ANSWER_BYTES];
	size_t n = 3;
	for (uint16_t kind = ANSWER_ACKED; kind <= ANSWER_LOST; kind++)
		wire_answer_put(payload + (kind - 1) * ANSWER_BYTES,
		    &(struct answer){ .slot = kind & 1, .shard = 1, .kind = kind, .number = 40 + kind, .value = 42 });
	n += record_make(b + n, &(struct record){ .type = REC_ANSWERS }, NULL, payload, sizeof payload);
	n += record_make(b + n, &(struct record){ .type = REC_CREDIT, .shard = 1, .aux = 4711 }, NULL, NULL, 0);
	n += record_make(b + n, &(struct record){ .type = REC_PING }, NULL, NULL, 0);
	seed("answers", b, n);
	b[1] = 9;
	seed("answers-cut", b, n);
	b[1] = (char)255;
	n = 3;
	n += record_make(b + n, &(struct record){ .type = REC_LIST, .offset = 1000, .aux = 1 }, NULL, NULL, 0);
	n += record_make(b + n, &(struct record){ .type = REC_LISTED, .publisher = 100, .topic_len = 4 }, "news", NULL,
	    0);
	n += record_make(b + n, &(struct record){ .type = REC_MESSAGE, .publisher = 100, .offset = 1000,
	    .topic_len = 4 }, "news", "hello", 5);
	n += record_make(b + n, &(struct record){ .type = REC_UPTO, .aux = 2000 }, NULL, NULL, 0);
	seed("deliveries", b, n);
}
