/* forwarder - proves: whatever lies in the spool, comes in the delivery ring or is written by one client into its own
 * segment, mom_forwarder ends with a clear error or goes on; a neighbour gets sound messages, each once, in order, and
 * what comes last within a few rounds; and full mail boxes are waited for no longer than the patience for all allows,
 * also where each has room again just in time.
 * INPUT  u8 1: a spool is there, 2: its lengths are repaired too; u16 its length, its bytes; then steps (see
 *        do_step) */
#include <errno.h>
#include <fcntl.h>
#include "ipc/layout.h"
#include <sched.h>
#include "server/child.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/fdio.h"
#include "base/log.h"
#include "take_over.h"
#define fdio_allocate(fd, n) ((void)(fd), 0)
#include "log/seglog.c"
#include "log/seglog_recover.c"
#include "log/seglog_cursor.c"
#include "log/seglog_reader.c"
#include "log/seglog_rewrite.c"
#include "base/map.c"
#include "routing/memo.c"
#include "routing/patterns.c"
#include "routing/subscriptions.c"

enum { TABLE = 1, UNIT = 2, CLIENT = 10, SLOTS = 3, SHARDS = 2, MESSAGE = 4096, ENDED = 99, LAST_ROUNDS = 200,
    HOSTILE = 0, NEIGHBOUR = 1, AWAY = 2 };
#define RING WINDOW_OF(MESSAGE)
static const char *const topics[] = { "a", "b", "c/d", "#", "c/+" };

static struct {
	struct fuzz_input in;
	struct ring_writer out;
	struct ring_reader mail;                   /* the neighbour's */
	uint64_t got[SHARDS_MAX], offset;
	int64_t waited;                            /* for full mail boxes since this tick ... */
	uint64_t taken;                            /* ... and what was taken by its begin */
	uint32_t tick;
	int in_time;                               /* clients empty their boxes while they are waited for */
	/* started: it has taken up the spool; raw: anything may lie in the delivery ring; last: the round of the last
	 * message */
	int raw, last, started;
} fz;

static struct client_segment *
client(uint32_t i)
{
	return fuzz_segment(CLIENT + (int)i, client_bytes(MESSAGE));
}

static struct machine_table *
table(void)
{
	return fuzz_segment(TABLE, sizeof(struct machine_table) + SLOTS * sizeof(struct slot_word));
}

static void
edge_begin(struct child_place *place, const char *role, const char *parent)
{
	(void)role, (void)parent;
	*place = (struct child_place){ .table = TABLE, .index = UNIT, .fds = { fuzz_folder(), -1, -1 } };
}

/* Nobody else runs here: whoever waits sleeps at once, and time passes by that alone. */
static int64_t edge_us;
static void edge_nap(int64_t us);
#undef CPU_COUNT
#define CPU_COUNT(cores) 1
#define clock_us()       (edge_us)
#define usleep(us)       edge_nap(us)

static int edge_wait(int queue);
int role_main(int argc, char **argv);
#define main        role_main
#define child_begin edge_begin
#define ipcq_wait   edge_wait
#define write(fd, bytes, n) ((void)(fd), (void)(bytes), (ssize_t)(n))
#include "ipc/idling.c"
#include "daemon/mom_forwarder.c"
#include "daemon/forwarder_wake.c"
#include "daemon/forwarder_box.c"
#include "daemon/forwarder_cut.c"
#include "daemon/forwarder_spool.c"
#include "daemon/forwarder_start.c"
#include "log/seglog_packing.c"
#include "daemon/forwarder_pack.c"
#include "daemon/routes.c"
#include "daemon/slots.c"
#undef write

/* ---- naps ---- */

/* half of the fuller box of the two that the input owns: of the one that is waited for */
static void
empty_one(void)
{
	struct ring *mail = client_mail(client(HOSTILE), RING), *other = client_mail(client(AWAY), RING);
	struct ring_reader r;
	int broken = 0;
	if (other->head - other->tail > mail->head - mail->tail)
		mail = other;
	ring_reader_init(&r, mail, RING, mail->tail);
	while (mail->head - r.at > RING / 2 && ring_next(&r, &broken) != NULL)
		;
	mail->tail = r.at;
}

static void
edge_nap(int64_t us)
{
	enum { IN_TIME_US = PATIENCE_US - PATIENCE_STEP_US };
	edge_us += us;
	if (us != PATIENCE_STEP_US)
		return;
	if (fz.tick != forwarder.ticks) {
		fz.tick = forwarder.ticks;
		/* what this round had taken before its first wait adds patience, too, at the round's end */
		fz.taken = forwarder.taken - (forwarder.in.at - forwarder.ring->tail);
		fz.waited = 0;
	}
	fz.waited += us;
	FUZZ_CHECK(fz.waited <= PATIENCE_ALL_US + PATIENCE_STEP_US +
	    (int64_t)((forwarder.taken - fz.taken) * PATIENCE_US / (RING / 2)));
	if (fz.in_time && fz.waited % IN_TIME_US == 0)
		empty_one();
}

/* ---- the neighbour: an honest libmom ---- */

static void
neighbour_reads(void)
{
	struct client_segment *c = client(NEIGHBOUR);
	int broken = 0;
	for (const char *p; (p = ring_next(&fz.mail, &broken)) != NULL;) {
		struct record r;
		record_get(&r, p);
		FUZZ_CHECK(r.shard < SHARDS_MAX && r.offset > fz.got[r.shard] && r.len <= RECORD_MOST(MESSAGE));
		fz.got[r.shard] = r.offset;
		c->handed[r.shard] = c->acked[r.shard] = r.offset;
	}
	FUZZ_CHECK(!broken);
	client_mail(c, RING)->tail = fz.mail.at;
}

/* ---- what comes from the broker, the daemon and the hostile client ---- */

static void
put_delivery(const struct record *r, const char *topic, uint32_t n)
{
	static const char payload[MESSAGE];
	struct record copy = *r;
	uint32_t stride = record_stride(RECORD_HEADER + record_topic_size(r->topic_len) + n);
	fz.out.head = fz.out.ring->head;
	char *at = ring_reserve(&fz.out, stride);
	if (at == NULL)
		return;
	record_make(at, &copy, topic, payload, n);
	ring_advance(&fz.out, stride);
	ring_publish(&fz.out);
}

static const uint8_t delivery_types[] = { REC_MESSAGE, REC_MESSAGE, REC_SUBSCRIBE, REC_UNSUBSCRIBE, REC_DESTROY,
    REC_GAP, REC_START, REC_LIST, REC_LISTED, REC_UPTO };

static void
do_delivery(void)
{
	unsigned what = (unsigned)fuzz_number(&fz.in, 1), more = (unsigned)fuzz_number(&fz.in, 1);
	const char *topic = topics[more % 5];
	struct record r = { .type = delivery_types[(what & 15) % 10], .shard = (uint16_t)(what >> 4 & 1),
	    .publisher = 100 + (more >> 2 & 3), .flags = (uint16_t)(more >> 4 & 1 ? REC_F_NO_ECHO : 0) };
	r.topic_len = (uint16_t)(r.type <= REC_UNSUBSCRIBE || r.type == REC_LISTED ? strlen(topic) : 0);
	fz.offset += RECORD_HEADER + (what >> 7) * fuzz_number(&fz.in, 2) * 8;
	r.offset = r.type == REC_LISTED || more & 0x80 ? fuzz_number(&fz.in, 1) * 8 : fz.offset;
	r.aux = r.type == REC_LIST ? more >> 5 : fz.offset + (more >> 5) * 8;
	put_delivery(&r, r.topic_len ? topic : NULL, r.type == REC_MESSAGE ? (what >> 5 & 3) * 1000 : 0);
}

static uint64_t
any_place(const struct ring *ring)
{
	unsigned from = (unsigned)fuzz_number(&fz.in, 1);
	uint64_t by = fuzz_number(&fz.in, from & 0x80 ? 8 : 2), base = (from & 3) == 0 ? 0 : (from & 3) == 1
	    ? ring->head : (from & 3) == 2 ? ring->tail : RING;
	return from & 0x40 ? base - by : base + by;
}

static void
put_bytes(char *where, uint64_t most)
{
	char bytes[64];
	uint64_t at = fuzz_number(&fz.in, 3) % most;
	size_t n = fuzz_bytes(&fz.in, bytes, fuzz_number(&fz.in, 1) & 63);
	memcpy(where + at, bytes, n < most - at ? n : most - at);
}

static void
do_slot(unsigned i, unsigned state)
{
	struct slot_word *w = &table()->slot[i];
	if (i == NEIGHBOUR)
		return;
	w->state = state;
	w->owner++;
	w->fresh = state & 1;
	w->segment = state == SLOT_FREE ? -1 : CLIENT + (int)i;
	if (state == SLOT_FREE)
		w->id += 16;
	table()->epoch++;
}

static void
do_hostile(unsigned what)
{
	struct client_segment *c = client(HOSTILE);
	struct ring *mail = client_mail(c, RING);
	uint32_t k = what >> 5 & 1;
	switch (what & 7) {
	case 0: mail->head = any_place(mail); break;
	case 1: mail->tail = any_place(mail); break;
	case 2: put_bytes(mail->bytes, RING); break;
	case 3: c->acked[k] = fuzz_number(&fz.in, what & 64 ? 8 : 2); break;
	case 4: c->handed[k] = fuzz_number(&fz.in, what & 64 ? 8 : 2); break;
	case 5: put_bytes((char *)c, client_words()); break;
	case 6: mail->tail = mail->head; break;
	default: c->safe[k] = c->seen[k] = fuzz_number(&fz.in, what & 64 ? 8 : 2); break;
	}
}

static void
do_step(void)
{
	unsigned what = (unsigned)fuzz_number(&fz.in, 1);
	switch (what & 7) {
	case 0: case 1: do_delivery(); break;
	case 2: case 3: do_hostile(what >> 3); break;
	case 4: do_slot((what >> 3 & 3) % SLOTS, what >> 5 & 3); break;
	case 5: table()->ticks++; break;
	case 6: neighbour_reads(); break;
	default:
		if (what >> 3 == 31) {
			fz.raw = 1;
			put_bytes(fz.out.ring->bytes, UNIT_RING(MESSAGE));
			fz.out.ring->head += fuzz_number(&fz.in, 2);
		} else if (what >> 3 == 30)
			fz.in_time ^= 1;
		break;
	}
}

/* Asleep: steps, up to one that wakes. At the input's end comes one more message for the neighbour, which has to get
 * it. */
static int
edge_wait(int queue)
{
	(void)queue;
	int stepped = fz.in.n > 0;             /* what was put has to be taken first: the ring may be full of it */
	fz.started = 1;
	for (unsigned what = 0; fz.in.n > 0 && (what & 7) < 5;) {
		what = *fz.in.p;
		do_step();
	}
	if (stepped)
		return 0;
	neighbour_reads();
	if (fz.last == 0 && !fz.raw) {
		fz.offset = UINT64_C(1) << 62;
		put_delivery(&(struct record){ .type = REC_LIST, .aux = 1, .offset = 1 }, NULL, 0);
		put_delivery(&(struct record){ .type = REC_LISTED, .publisher = 100 + NEIGHBOUR, .topic_len = 1,
		    .offset = 1 }, "a", 0);
		put_delivery(&(struct record){ .type = REC_MESSAGE, .publisher = 4711, .topic_len = 1,
		    .offset = fz.offset }, "a", 10);
	}
	if (fz.raw || fz.got[0] >= UINT64_C(1) << 62)
		fuzz_leave(ENDED);
	FUZZ_CHECK(fz.last++ < LAST_ROUNDS);
	table()->ticks++;
	return 0;
}

static void
body(void)
{
	role_main(0, NULL);
}

/* ---- before it starts ---- */

static void
make_spool(void)
{
	static char b[8192];
	unsigned how = (unsigned)fuzz_number(&fz.in, 1);
	size_t n = SEGLOG_HEADER;
	int dir = fuzz_folder();
	fuzz_folder_clear(dir);
	if (!(how & 1))
		return;
	memset(b, 0, sizeof b);
	n += fuzz_bytes(&fz.in, b + n, fuzz_number(&fz.in, 2) % (sizeof b - n));
	uint64_t base = UINT64_C(1) << 40;
	seglog_head_put((unsigned char *)b, &(struct seglog_head){ .base = base, .salt = 4711 });
	for (size_t at = SEGLOG_HEADER; at + RECORD_HEADER <= n;) {
		char *p = b + at;
		if (how & 2) {
			p[8] = RECORD_HEADER;
			put_u16(p + 12, 0);
			put_u32(p, RECORD_HEADER + (get_u32(p) & 255));
		}
		uint32_t len = get_u32(p);
		if (len < RECORD_HEADER || len > n - at)
			break;
		put_u64(p + 16, base + at - SEGLOG_HEADER);
		put_u32(p + 4, record_crc(p, len, 4711));
		at += record_stride(len);
	}
	fuzz_file(dir, "log-0000010000000000", b, n);
}

static void
prepare(void)
{
	size_t n = daemon_unit_bytes(SLOTS, MESSAGE);
	struct machine_table *t = table();
	struct daemon_unit *u = fuzz_segment(UNIT, n);
	fuzz_wipe(t, sizeof *t + SLOTS * sizeof(struct slot_word));
	fuzz_wipe(u, n);
	t->capacity = u->slots = SLOTS;
	u->message_max = MESSAGE;
	t->slots = SLOTS;
	t->shards = SHARDS;
	t->epoch = 1;
	for (uint32_t i = 0; i < SLOTS; i++) {
		struct client_segment *c = client(i);
		fuzz_wipe(c, client_bytes(MESSAGE));
		c->magic = MAGIC_CLIENT;
		c->layout = IPC_LAYOUT;
		c->asleep = ASLEEP_FOR_ANY;
		t->slot[i].segment = CLIENT + (int)i;
		t->slot[i].sem = -1;
		t->slot[i].owner = 1;
		t->slot[i].id = 100 + i;
		t->slot[i].state = i == AWAY ? SLOT_AWAY : SLOT_LIVE;
	}
	ring_writer_init(&fz.out, daemon_unit_ring(u, SLOTS), UNIT_RING(MESSAGE), WINDOW_OF(MESSAGE));
	ring_reader_init(&fz.mail, client_mail(client(NEIGHBOUR), RING), RING, 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&forwarder, 0, sizeof forwarder);
	memset(&fz, 0, sizeof fz);
	fz.in = (struct fuzz_input){ data, size };
	fz.offset = UINT64_C(1) << 40;
	prepare();
	make_spool();
	fuzz_on_bell(NULL);
	int status = fuzz_run(body);
	fdio_close(&forwarder.spool.fd);
	FUZZ_CHECK(status == ENDED || (status == EXIT_SYSTEM && (fz.raw || !fz.started)));
	return 0;
}

/* ---- seeds ---- */

static size_t
seed_entry(char *p, uint64_t recipients, uint64_t said, uint64_t offset)
{
	char inner[256];
	uint64_t n = recipients;
	uint32_t len = RECORD_HEADER + 8 * (uint32_t)n + record_make(inner,
	    &(struct record){ .type = REC_MESSAGE, .topic_len = 1, .offset = offset }, "a", "hello", 5);
	memset(p, 0, len);
	record_put(p, &(struct record){ .len = len, .header = RECORD_HEADER, .type = REC_ENTRY, .aux = said });
	for (uint64_t i = 0; i < n; i++)
		put_u64(p + RECORD_HEADER + 8 * i, 100 + i);
	memcpy(p + RECORD_HEADER + 8 * n, inner, len - RECORD_HEADER - 8 * n);
	return record_stride(len);
}

void
fuzz_seeds(fuzz_seed_fn seed)
{
	static char b[4096];
	size_t n = 3;
	static const char deliveries[] = { 0, 0, 7, 0x40, 0, 8, 4, 1, 0, 8, 0, 1, 0, 0, 0, 4, 5, 6, 0, 0, 4, 6, 5, 5 };
	static const char behind[] = { 0, 0, 7, 0x40, 0, 8, 0, 1, 0, 8, 4, 1, 0, 0, 4, 5, 0x04, 5, 0, 0x60, 0, 0, 0x60,
	    0, 0x24, 5, 6, 5 };
	static const char hostile[] = { 0, 0, 7, 0x20, 0, 8, 0, 1, 2, 0x41, 9, 0, 0x0a, 3, 1, 0, 0, 0, 0, 5, 0x42, 0, 0,
	    0, 63, 5, 6 };
	static const char raw[] = { 0, (char)0xff, 0, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 5 };
	seed("deliveries", deliveries, sizeof deliveries);
	seed("behind", behind, sizeof behind);
	seed("hostile", hostile, sizeof hostile);
	seed("raw", raw, sizeof raw);
	/* two clients with the same mail make room just in time, each for half a box of it, more often than the
	 * patience for all lasts */
	static char in_time[4096] = { 0, 0x34, (char)0xf7, 0, 7, 0x60, 0, 0, 0, 8, 0, 0, 0, 1, 0, 8, 6, 0, 0, 1, 0, 8,
	    9, 0, 0, 1 };
	size_t at = 26;
	for (int i = 1; i <= 700; i++) {
		memcpy(in_time + at, (char[]){ 0, 0x60, 0, 0, 0 }, 5);
		at += 5;
		if (i % 40 == 0)
			in_time[at++] = 6;
	}
	seed("in-time", in_time, at);
	b[0] = 1;
	n += seed_entry(b + n, 3, 3, 1000);
	n += seed_entry(b + n, 1, 1, 2000);
	put_u16(b + 1, (uint16_t)(n - 3));
	memcpy(b + n, deliveries + 1, sizeof deliveries - 1);
	seed("spool", b, n + sizeof deliveries - 1);
	n = 3;
	n += seed_entry(b + n, 2, UINT64_C(1) << 20, 1000);
	put_u16(b + 1, (uint16_t)(n - 3));
	seed("entry-names-too-many", b, n);
	put_u64(b + 3 + 48, UINT64_MAX / 8 + 1);
	seed("entry-names-2-to-61", b, n);
}
