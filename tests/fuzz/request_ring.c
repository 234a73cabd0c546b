/* request_ring - proves: whatever a client writes into its segment, between any two of mom_requester's reads, what goes
 * to the broker is whole requests of that client that the handler takes and whose numbers end no connection; the
 * neighbour's message goes out all the same, and what is looked at and not sent ends a turn too.
 * INPUT  u8 shards - 1, u8 state of the slot; then steps: u8 what, and its arguments (see do_step); bytes behind the
 *        last are none */
#include <errno.h>
#include "format/kinds.h"
#include "ipc/layout.h"
#include "server/child.h"
#include "base/fdio.h"
#include "format/topic.h"
#include "worker/decide.h"
#include "take_over.h"

enum { SOCKET = 100, TABLE = 1, UNIT = 2, CLIENT = 10, SLOTS = 2, SHARDS = 3, GENERATION = 2, LARGE = 100000,
    ID = 0x700000005, NEIGHBOUR = 0x700000006 };

static struct {
	struct fuzz_input in;
	uint32_t shards;
	uint64_t last[SLOTS][SHARDS];              /* as the broker's workers know it */
	/* bytes for a worker on this connection: its handler ends it at more than was granted */
	uint64_t sent[SHARDS];
	struct topic_memo memo;
	int neighbour_sent, meddle;
	int looked, passed;                        /* frames of the client, in this round */
} fz;

static struct client_segment *
client(uint32_t i)
{
	return fuzz_segment(CLIENT + (int)i, client_bytes(MOM_MESSAGE_MAX));
}

static void take_sent(const char *p, size_t n);

static int
edge_write(int fd, const void *bytes, size_t n)
{
	FUZZ_CHECK(fd == SOCKET);
	if (fd == SOCKET)
		take_sent(bytes, n);
	return 0;
}

/* The client's other thread: between two copies it writes once more. */
static void do_step(void);

static void *
edge_copy(void *to, const void *from, size_t n)
{
	const char *c = (const char *)client(0);
	memcpy(to, from, n);
	if ((const char *)from < c || (const char *)from >= c + client_bytes(MOM_MESSAGE_MAX))
		return to;
	fz.looked++;
	if (fz.meddle) {
		fz.meddle = 0;
		do_step();
	}
	return to;
}

int role_main(int argc, char **argv);
#define main            role_main
#define fdio_write_full edge_write
#define memcpy(to, from, n) edge_copy(to, from, n)
#include "daemon/mom_requester.c"
#undef memcpy
#include "server/frames.c"
#include "daemon/slots.c"

/* ---- what the broker makes of it ---- */

static void
take_request(const char *p, const struct record *r)
{
	uint32_t slot = (uint32_t)r->time;
	FUZZ_CHECK(r->shard < fz.shards && (uint64_t)r->time < SLOTS && r->publisher == (slot ? NEIGHBOUR : ID));
	FUZZ_CHECK(r->number != 0 && r->offset <= r->number && (r->flags & ~(REC_F_DURABLE | REC_F_NO_ECHO |
	    REC_F_NEED)) == 0);
	FUZZ_CHECK(request_shape(p, r, &fz.memo, fz.shards, MOM_MESSAGE_MAX) == SHAPE_GOOD);
	struct decision d = decide_request(fz.last[slot][r->shard], 0, r->number, r->offset);
	FUZZ_CHECK(d.verdict != VERDICT_BROKEN);
	if (d.verdict == VERDICT_TAKE)
		fz.last[slot][r->shard] = r->number;
	fz.neighbour_sent |= slot == 1 && r->type == REC_MESSAGE;
	fz.passed += slot == 0;
}

static void
take_sent(const char *p, size_t n)
{
	for (size_t at = 0; at < n; at += record_stride(get_u32(p + at))) {
		struct record r;
		FUZZ_CHECK(n - at >= RECORD_HEADER && record_is_sound(p + at, n - at) &&
		    record_stride(get_u32(p + at)) <= n - at);
		record_get(&r, p + at);
		if (record_is_request(r.type) || r.type == REC_ALIVE || r.type == REC_DIED) {
			FUZZ_CHECK(r.shard < fz.shards);
			fz.sent[r.shard] += record_stride(r.len);
			FUZZ_CHECK(fz.sent[r.shard] <= WINDOW + atomic_load(&requester.unit->credit[r.shard]));
		}
		if (record_is_request(r.type))
			take_request(p + at, &r);
		else
			FUZZ_CHECK(r.type == REC_DIED || r.type == REC_ALIVE || r.type == REC_CREDIT ||
			    r.type == REC_PLACE || r.type == REC_PING);
	}
}

/* ---- what the client does ---- */

static const uint32_t request_types[] = { REC_MESSAGE, REC_SUBSCRIBE, REC_UNSUBSCRIBE, REC_CREATE, REC_DESTROY,
    REC_WILL };

/* generation first, whichever of two arguments a compiler looks at first */
static uint64_t
any_number(struct fuzz_input *in)
{
	uint32_t generation = (uint32_t)fuzz_number(in, 1) & 3;
	return number_make(generation, fuzz_number(in, 1));
}

/* a request as libmom makes it, with a number that the input chooses */
static void
put_request(struct fuzz_input *in)
{
	struct ring *ring = client_requests(client(0));
	uint64_t at = ring->head % WINDOW;
	static const char *const topics[] = { "a", "b", "c", "d/e" };
	unsigned what = (unsigned)fuzz_number(in, 1);
	struct record r = { .type = (uint8_t)request_types[(what & 7) % 6], .flags = (uint16_t)(what >> 7) };
	const char *topic = r.type <= REC_UNSUBSCRIBE || (r.type == REC_WILL && what & 64) ? topics[what >> 3 & 3]
	    : NULL;
	r.topic_len = (uint16_t)(topic ? strlen(topic) : 0);
	r.shard = (uint16_t)(topic ? topic_shard(topic, r.topic_len, fz.shards) : (what >> 3 & 3) % fz.shards);
	r.number = any_number(in);
	static char bytes[LARGE + 256], payload[LARGE] = "payload";
	uint32_t stride = record_make(bytes, &r, topic, payload, r.type != REC_MESSAGE ? 0 : what & 32 ? LARGE : 7);
	if (at + stride > WINDOW) {                    /* a pad, as libmom makes it */
		put_u32(ring->bytes + at, 0);
		ring->head += WINDOW - at;
		at = 0;
	}
	memcpy(ring->bytes + at, bytes, stride);
	ring->head += stride;
}

/* places and numbers near those that matter, or anything */
static uint64_t
any_place(struct fuzz_input *in)
{
	struct ring *ring = client_requests(client(0));
	unsigned from = (unsigned)fuzz_number(in, 1);
	uint64_t by = fuzz_number(in, from & 0x80 ? 8 : 2), base = (from & 3) == 0 ? 0 : (from & 3) == 1 ? ring->head
	    : (from & 3) == 2 ? ring->tail : WINDOW;
	return from & 0x40 ? base - by : base + by;
}

static void
do_step(void)
{
	struct client_segment *c = client(0);
	struct ring *ring = client_requests(c);
	unsigned what = (unsigned)fuzz_number(&fz.in, 1), k = what >> 4 & 3;
	switch (what & 15) {
	case 0: put_request(&fz.in); break;
	case 1: ring->head = any_place(&fz.in); break;
	case 2: ring->tail = any_place(&fz.in); break;
	case 3: {
		char bytes[64];
		uint64_t at = any_place(&fz.in) % WINDOW;
		size_t n = fuzz_bytes(&fz.in, bytes, fuzz_number(&fz.in, 1) & 63);
		memcpy(ring->bytes + at, bytes, n < WINDOW - at ? n : WINDOW - at);
		break;
	}
	case 4: c->first[k] = any_number(&fz.in); break;
	case 5: c->first[k] = fuzz_number(&fz.in, 8); break;
	case 6: c->answer[k].refused = any_number(&fz.in); break;
	case 7: c->answer[k].acked = fuzz_number(&fz.in, 8); break;
	case 8: c->poisoned = k & 1; break;
	case 9: fz.meddle = 1; break;
	case 10: c->message_max = c->generation = 0xffffffff; break;
	case 11: c->goodbye = 1; c->asleep = ASLEEP_FOR_ANY; break;
	case 12: ring->tail = ring->head; break;
	case 13: c->first[k]++; break;
	default: break;
	}
}

static void
connect_anew(void)
{
	free(requester.out.bytes);                                   /* large: used again at once */
	memset(&requester, 0, sizeof requester);
	requester.table = ipcq_attach(TABLE, 0);
	requester.unit = ipcq_attach(UNIT, 0);
	requester.window = WINDOW;
	requester.record_most = RECORD_MAX;
	frames_out_begin(&requester.out, SOCKET, 0, BATCH + requester.record_most);
	requester.shards = fz.shards;
	memset(fz.sent, 0, sizeof fz.sent);
	slots_init(&requester.slots, requester.table, requester.unit, UNIT_REQUESTER);
	slots_look(&requester.slots, on_slot);
	for (uint32_t k = 0; k < requester.shards; k++)
		send_alive(k);
}

/* A ring of the smallest frames, none of which is sent: each counts as if it were twice as large, SKIP_COST times. */
enum { TURNS_MOST = 2 * SKIP_COST * (WINDOW / TURN_BYTES) + 2 };

/* Of them one turn looks at so many; and there may be one that ends it, and one that has to wait for credit. */
enum { SKIPS_MOST = TURN_BYTES / (2 * SKIP_COST * RECORD_HEADER) + 2 };

static int
one_round(void)
{
	fz.looked = fz.passed = 0;
	int more = round_of_work();
	FUZZ_CHECK(fz.looked - fz.passed <= SKIPS_MOST);
	return more;
}

static void
body(void)
{
	connect_anew();
	while (fz.in.n > 0) {
		unsigned what = *fz.in.p;
		do_step();
		if ((what & 15) == 15)
			connect_anew();
		if ((what & 15) >= 14) {
			for (int rounds = 0; one_round(); rounds++)
				FUZZ_CHECK(rounds < TURNS_MOST);
		}
	}
	while (one_round())
		;
	FUZZ_CHECK(fz.neighbour_sent || atomic_load(&requester.unit->credit[0]) != 0);
}

static void
prepare(unsigned state)
{
	size_t n = sizeof(struct machine_table) + SLOTS * sizeof(struct slot_word);
	struct machine_table *t = fuzz_segment(TABLE, n);
	struct daemon_unit *u = fuzz_segment(UNIT, daemon_unit_bytes(SLOTS, MOM_MESSAGE_MAX));
	fuzz_wipe(t, n);
	fuzz_wipe(u, daemon_unit_words(SLOTS));
	t->capacity = u->slots = SLOTS;
	u->message_max = MOM_MESSAGE_MAX;
	t->slots = SLOTS;
	t->shards = fz.shards;
	t->epoch = 1;
	t->message_max = MOM_MESSAGE_MAX;
	t->window = WINDOW;
	for (uint32_t i = 0; i < SLOTS; i++) {
		struct client_segment *c = client(i);
		fuzz_wipe(c, client_bytes(MOM_MESSAGE_MAX));
		c->magic = MAGIC_CLIENT;
		c->layout = IPC_LAYOUT;
		for (uint32_t k = 0; k < SHARDS_MAX; k++)
			c->first[k] = c->next[k] = number_make(1, 1);
		t->slot[i].segment = CLIENT + (int)i;
		t->slot[i].generation = GENERATION;
		t->slot[i].owner = 1;
		t->slot[i].id = i ? NEIGHBOUR : ID;
		t->slot[i].state = i ? SLOT_LIVE : 1 + state % 3;
	}
	struct ring *ring = client_requests(client(1));
	struct record r = { .type = REC_MESSAGE, .topic_len = 1, .shard = (uint16_t)topic_shard("a", 1, fz.shards),
	    .number = number_make(1, 1) };
	ring->head = record_make(ring->bytes, &r, "a", "from a neighbour", 16);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&fz, 0, sizeof fz);
	memset(&requester, 0, sizeof requester);
	fz.in = (struct fuzz_input){ data, size };
	fz.shards = 1 + (uint32_t)fuzz_number(&fz.in, 1) % SHARDS;
	for (uint32_t i = 0; i < SLOTS; i++)
		for (uint32_t k = 0; k < fz.shards; k++)
			fz.last[i][k] = number_make(1, 0);
	prepare((unsigned)fuzz_number(&fz.in, 1));
	fuzz_on_bell(NULL);
	FUZZ_CHECK(fuzz_run(body) == -1);
	return 0;
}

/* ---- seeds ---- */

void
fuzz_seeds(fuzz_seed_fn seed)
{
	static const char ordinary[] = { 0, 0, 0, 3, 1, 1, 0, 0, 1, 2, 0, 1, 1, 3, 14, 0, 0, 1, 4, 14 };
	static const char reconnects[] = { 1, 1, 0, 0, 1, 1, 0, 8, 1, 1, 14, 15, 0, 0, 1, 2, 14 };
	static const char meddles[] = { 2, 2, 0, 0, 1, 1, 0, 0, 1, 2, 9, 3, 0, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 14 };
	static const char skips[] = { 0, 0, 12, 4, 1, 9, 0, 0, 1, 9, 0, 0, 1, 10, 14 };
	static const char number_gap_after_tail[] = { 0, 0, 0, 0, 1, 1, 14, 0, 0, 1, 7, 2, 2, 64, 0, 14 };
	seed("ordinary", ordinary, sizeof ordinary);
	seed("reconnects", reconnects, sizeof reconnects);
	seed("meddles", meddles, sizeof meddles);
	seed("skips", skips, sizeof skips);
	/* many frames below the first number: looked at, and dropped */
	static char dropped[2 + 9 + 4 * 510 + 1] = { 0, 0, 5 };
	put_u64(dropped + 3, number_make(2, 1000));
	size_t m = 2 + 9;
	for (int i = 0; i < 510; i++, m += 4)
		memcpy(dropped + m, (char[]){ 0, 2, (char)(1 + i / 255), (char)(1 + i % 255) }, 4);
	dropped[m++] = 14;
	seed("dropped", dropped, m);
	/* more than two windows of large messages: the client frees its ring by itself, the broker takes none */
	static char windows[2 + 6 * 45];
	size_t n = 2;
	for (int i = 1; i <= 45; i++) {
		memcpy(windows + n, (char[]){ 0, 32, 1, (char)i, 14, 12 }, 6);
		n += 6;
	}
	seed("number-gap-after-tail", number_gap_after_tail, sizeof number_gap_after_tail);
	seed("windows", windows, n);
}
