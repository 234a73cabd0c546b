/* mail - proves: a program's libmom lives on whatever a daemon, or a stray pointer, writes into the client's segment at
 * any time: calls end, return 0 or a code of their own, and what they hand out lies inside the segment, as long as they
 * say.
 * INPUT  u8 shards - 1, u8 local id, u8 durable; then steps (see do_call, do_daemon); bytes behind the last are none */
#include <errno.h>
#include <mom.h>
#include "ipc/layout.h"
#include <stdarg.h>
#include <sys/mman.h>
#include "api/register.h"
#include "api/handle.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/map.h"
#include "format/topic.h"
#include "format/group.h"
#include "format/properties.h"
#include "take_over.h"

enum { CLIENT = 10, SEM = 5, SHARDS = 3, OWNER = 7, ID = 0x700000005 };
static const char *const topics[] = { "a", "b", "c/d", "", "no topic", "#", "c/+" };

static struct {
	struct fuzz_input in;
	uint32_t shards, durable;
	int local_id, id, calls;
	int64_t now;
} fz;

static struct client_segment *
client(void)
{
	return fuzz_segment(CLIENT, client_bytes(MOM_MESSAGE_MAX));
}

static void do_daemon(void);

/* Time goes on only where a call sleeps; meanwhile the daemon writes. */
static int
edge_sleep(int sem, int timeout_ms)
{
	(void)sem;
	FUZZ_CHECK(timeout_ms > 0 && timeout_ms <= SLICE_MS);
	fz.now += timeout_ms;
	if (fz.in.n > 0)
		do_daemon();
	errno = fz.now & 1 ? EINTR : EAGAIN;
	return fz.now & 2 ? 0 : -1;
}

static int
edge_register(const char *name, int64_t deadline, struct registered *answer, struct handle *h)
{
	(void)name, (void)deadline, (void)h;
	*answer = (struct registered){ .segment = CLIENT, .local_id = fz.local_id, .id = ID, .owner = OWNER };
	return 0;
}

static void
edge_close(struct handle *h)
{
	(void)h;
}

#define clock_ms()       (fz.now)
#define clock_wall_us()  (fz.now * 1000)
#define ipcq_sleep       edge_sleep
#define idling_on(l)     ((void)(l), 0)             /* nobody else runs here: whoever waits sleeps at once */
#define usleep(us)       (void)(fz.now += 1 + (us) / 1000)
#define door_register    edge_register
#define door_trouble(text, n) ((void)(n), (void)(*(text) = 0))
#define door_close       edge_close
#define door_check(h, is_gone) (void)((h)->unknown = fz.now % 97 == 0, is_gone)
#include "api/error.c"
#include "api/handle.c"
#include "api/wait.c"
#include "api/request.c"
#include "api/tombstone.c"
#include "api/mail.c"
#include "api/properties.c"
#include "api/publish.c"
#include "api/subscribe.c"
#include "api/will.c"
#include "api/hand.c"
#include "api/group.c"
#include "api/client.c"

/* no event loop here */
void watch_arm(struct handle *h) { (void)h; }
void watch_now(struct handle *h) { (void)h; }
void watch_close(struct handle *h) { (void)h; }

static void
check_code(int r)
{
	FUZZ_CHECK(r <= 0 && r >= MOM_ENOGROUP && mom_strerror(r)[0] != '\0');
	FUZZ_CHECK(strnlen(mom_error_text(fz.id), 400) < 320 && strnlen(mom_error_text(-1), 400) < 320);
}

/* Every byte that was handed out can be read, and is the segment's (or the handle's, for what libmom says itself). */
static void
check_message(const struct mom_message *m)
{
	const char *c = (const char *)client(), *data = m->data;
	FUZZ_CHECK(strlen(m->topic) <= MOM_TOPIC_MAX &&
	    (m->flags & 0xffffff & ~(MOM_GAP | MOM_REDELIVERED | MOM_GROUPED | MOM_PROPERTIES)) == 0);
	FUZZ_CHECK(!(m->flags & MOM_GROUPED) || (mom_group_name(m) && mom_tries(m) < 256 && mom_origin(m) == 4711));
	FUZZ_CHECK((m->flags & MOM_GAP) != 0 || (m->topic >= c && data >= c &&
	    data + m->len <= c + client_bytes(MOM_MESSAGE_MAX)));
	unsigned sum = 0;
	for (size_t i = 0; i < m->len; i += m->len - i > 64 ? 61 : 1)
		sum += (unsigned char)data[i];
	FUZZ_CHECK(sum <= m->len * 255);
}

/* ---- what the daemon, or a stray pointer, writes ---- */

static void
put_mail(void)
{
	struct ring *mail = client_mail(client(), WINDOW);
	uint64_t at = mail->head % WINDOW;
	unsigned what = (unsigned)fuzz_number(&fz.in, 1);
	const char *topic = topics[what & 1];
	struct record r = { .type = what & 2 ? REC_GAP : REC_MESSAGE,
	    .shard = (uint16_t)((what >> 2 & 3) + (what >> 7) * 60), .topic_len = 1,
		.offset = fuzz_number(&fz.in, 1), .aux = 4711 };
	char bytes[256];
	uint32_t stride = record_make(bytes, &r, topic, "payload", what >> 4 & 7);
	if (at + stride > WINDOW)
		return;
	memcpy(mail->bytes + at, bytes, stride);
	mail->head += stride;
}

/* A hand, whole or not; with a note that may be right, cut short, or none. */
static void
put_hand(void)
{
	struct ring *mail = client_mail(client(), WINDOW);
	uint64_t at = mail->head % WINDOW;
	unsigned what = (unsigned)fuzz_number(&fz.in, 1);
	char bytes[512], value[NOTE_MOST], *p;
	struct hand_note note = { 0, 0, what & 1 ? 1 : 0, (uint32_t)fuzz_number(&fz.in, 1), what & 2 ? "jobs"
	    : "other" };
	uint32_t n = hand_note_put(value, &note) - (what & 4 ? 3 : 0);
	struct record r = { .type = REC_HAND, .shard = (uint16_t)(what >> 3 & 3), .topic_len = 1,
	    .flags = REC_F_PROPERTIES, .offset = fuzz_number(&fz.in, 1), .aux = 4711, .number = ID };
	p = record_begin(bytes, &r, topics[0], 2 + PROPERTY_HEAD + n + 7);
	put_u16(p, (uint16_t)(PROPERTY_HEAD + n));
	p[2] = (char)(what & 32 ? PROPERTY_HAND + 1 : PROPERTY_HAND);
	put_u16(p + 3, (uint16_t)n);
	memcpy(p + 5, value, n);
	memcpy(p + 5 + n, "payload", 7);
	uint32_t stride = (uint32_t)record_stride(r.len);
	if (at + stride > WINDOW)
		return;
	memcpy(mail->bytes + at, bytes, stride);
	mail->head += stride;
}

static uint64_t
any_place(const struct ring *ring)
{
	unsigned from = (unsigned)fuzz_number(&fz.in, 1);
	uint64_t by = fuzz_number(&fz.in, from & 0x80 ? 8 : 2), base = (from & 3) == 0 ? 0 : (from & 3) == 1
	    ? ring->head : (from & 3) == 2 ? ring->tail : WINDOW;
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
put_answer(uint32_t k, unsigned what)
{
	struct client_segment *c = client();
	struct answer_words *a = &c->answer[k];
	uint64_t number = what & 8 ? fuzz_number(&fz.in, 8) : atomic_load(&c->next[k]) - 1 +
	    (fuzz_number(&fz.in, 1) & 3);
	int64_t code = what & 4 ? (int64_t)fuzz_number(&fz.in, 8) : -(int64_t)(fuzz_number(&fz.in, 1) % 18);
	switch (what & 3) {
	case 0: a->acked = number; break;
	case 1: a->refused_code = code; a->refused = number; break;
	case 2: result_write(&a->result[number & 1], number, code, fuzz_number(&fz.in, 2)); break;
	default: result_write(&a->lost, number, code, number + fuzz_number(&fz.in, 1)); break;
	}
}

static void
do_daemon(void)
{
	struct client_segment *c = client();
	struct ring *mail = client_mail(c, WINDOW), *requests = client_requests(c);
	unsigned what = (unsigned)fuzz_number(&fz.in, 1), k = what >> 4 & 3;
	switch (what & 15) {
	case 0: if (k == 3) put_hand(); else put_mail(); break;
	case 1: put_answer(k, (unsigned)fuzz_number(&fz.in, 1)); break;
	case 2: mail->head = any_place(mail); break;
	case 3: mail->tail = any_place(mail); break;
	case 4: requests->head = any_place(requests); break;
	case 5: requests->tail = any_place(requests); break;
	case 6: put_bytes(mail->bytes, WINDOW); break;
	case 7: put_bytes(requests->bytes, WINDOW); break;
	case 8: c->behind = k & 1; c->gone = k >> 1; break;
	case 9: c->safe[k] = c->seen[k] = fuzz_number(&fz.in, k & 1 ? 8 : 1); break;
	case 10: c->message_max = c->shards = c->generation = (uint32_t)fuzz_number(&fz.in, 4); break;
	case 11: c->notice = k; c->poisoned = k == 3; c->owner = OWNER + (k == 2); break;
	case 12: c->tombs = (uint32_t)fuzz_number(&fz.in, 4); c->tomb[k].shard = (uint32_t)fuzz_number(&fz.in, 4);
	    break;
	case 13: c->first[k] = fuzz_number(&fz.in, k & 1 ? 8 : 1); break;
	case 14: put_bytes((char *)c, client_words()); break;
	default: c->handed[k] = fuzz_number(&fz.in, 1); c->acked[k] = fuzz_number(&fz.in, k & 1 ? 8 : 1); break;
	}
}

/* ---- what the program does ---- */

static int
group_call(unsigned k, const struct mom_message *m)
{
	switch (k & 7) {
	case 0: return mom_join(fz.id, "jobs", "a", 0);
	case 1: return mom_leave(fz.id, "jobs");
	case 2: return mom_settle(fz.id, m);
	case 3: return mom_reject(fz.id, m, (long)fz.calls - 1);
	case 4: return mom_group_set(fz.id, "jobs", NULL);
	case 5: return mom_group_unbind(fz.id, "jobs", "b/#");
	case 6: return mom_set_option(fz.id, MOM_OPT_PREFETCH, (long)fz.calls);
	default: return mom_join(fz.id, "jobs", NULL, MOM_GROUP_ORDERED);
	}
}

static void
do_call(void)
{
	unsigned what = (unsigned)fuzz_number(&fz.in, 1), k = what >> 4;
	const char *topic = topics[k % 7];
	static struct mom_message last;        /* settle looks at its numbers alone */
	struct mom_message m;
	int r = 0;
	switch (what & 7) {
	case 0: case 1:
		r = mom_receive(fz.id, &m, what & 7 ? 1500 : 0);
		if (r == 0)
			check_message(&m);
		last = r == 0 ? m : last;
		break;
	case 2: r = mom_publish(fz.id, topic, "sixteen bytes...", k, k & 1 ? MOM_ASYNC : k & 2 ? MOM_FAST : 0); break;
	case 3: r = mom_subscribe(fz.id, topic, k & 1 ? MOM_NO_ECHO : 0); break;
	case 4: r = mom_unsubscribe(fz.id, topic); break;
	case 5: r = mom_flush(fz.id, k & 1 ? 1500 : 0); break;
	case 6: r = mom_ack(fz.id); break;
	default: r = k & 8 ? group_call(k, &last) : mom_set_option(fz.id, MOM_OPT_MANUAL_ACK, k & 1); break;
	}
	check_code(r);
	FUZZ_CHECK(fz.now < 1000 * 3600);
}

static void
body(void)
{
	fz.id = fz.durable ? mom_open("billing") : mom_create();
	if (fz.id < 0) {                       /* nothing is written before: else nothing at all would be tried */
		check_code(fz.id);
		FUZZ_CHECK(fz.local_id < 0);
		return;
	}
	FUZZ_CHECK(fz.id < SLOTS_MAX && mom_set_option(fz.id, MOM_OPT_TIMEOUT_MS, 2500) == 0);
	while (fz.in.n > 0 && fz.calls++ < 200) {
		if (fuzz_number(&fz.in, 1) & 1)
			do_daemon();
		else
			do_call();
	}
	int r = mom_close(fz.id);
	check_code(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct client_segment *c = client();
	memset(&fz, 0, sizeof fz);
	fz.in = (struct fuzz_input){ data, size };
	fz.id = -1;
	fz.shards = 1 + (uint32_t)fuzz_number(&fz.in, 1) % SHARDS;
	fz.local_id = (int8_t)fuzz_number(&fz.in, 1);
	fz.durable = fuzz_number(&fz.in, 1) & 1;
	fz.now = 1000;
	fuzz_wipe(c, client_bytes(MOM_MESSAGE_MAX));
	c->magic = MAGIC_CLIENT;
	c->layout = IPC_LAYOUT;
	c->id = ID;
	c->durable = fz.durable;
	c->shards = fz.shards;
	c->message_max = MOM_MESSAGE_MAX;
	c->sem = SEM;
	c->owner = OWNER;
	for (uint32_t k = 0; k < SHARDS_MAX; k++) {
		c->next[k] = c->first[k] = number_make(1, 1);
		c->answer[k].acked = k < fz.shards ? number_make(1, 1) : 0;          /* CREATE is answered */
	}
	FUZZ_CHECK(fuzz_run(body) == -1);
	if (fz.id >= 0)
		handles[fz.id] = NULL;
	return 0;
}

/* ---- seeds ---- */

void
fuzz_seeds(fuzz_seed_fn seed)
{
	/* 0: a call, 1: the daemon */
	static const char receive[] = { 0, 3, 0, 1, 0, 64, 1, 1, 0, 70, 2, 0, 0, 0, 1, 0, 6, 0, 5 };
	static const char publish[] = { 0, 3, 0, 0, 0x12, 1, 1, 0, 0, 0, 0x15, 0, 2, 1, 1, 0, 1, 0, 5 };
	static const char subscribe[] = { 1, 3, 1, 0, 3, 1, 2, 1, 0, 5, 1, 0, 4, 1, 2, 1, 0, 5 };
	static const char refused[] = { 0, 3, 0, 0, 0x12, 0, 0x12, 1, 1, 1, 1, 8, 0, 0x15, 0, 2 };
	static const char tombs[] = { 0, 3, 1, 1, 12, (char)255, (char)255, (char)255, (char)255, (char)255, (char)255,
	    (char)255, 127, 0, 0, 0, 4 };
	static const char zeros[] = { 0, 3, 0, 0, 0x12, 0, 0x12, 1, 7, 0, 0, 0, 63, 1, 1, 0, 3, 0, 2, 0, 2, 0, 0x15 };
	static const char id[] = { 0, (char)0x80, 0, 0, 0 };
	static const char code[] = { 0, 3, 0, 0, 3, 1, 1, 6, 1, 7, 0, 0, 0, 0, 0, 0, 0, 0 };
	/* CREATE is answered; join (its answer: 0, value 0); a hand, received, settled, given back; left */
	static const char jobs[] = { 0, 3, 0, 0, (char)0x87, 1, 1, 2, 1, 0, 5, 1, (char)0x30, 2, 1, 4, 0, 0, 0,
	    (char)0xa7,
	    1, (char)0x30, 2, 2, 9, 0, 1, 0, (char)0xb7, 0, (char)0x97 };
	seed("jobs", jobs, sizeof jobs);
	seed("receive", receive, sizeof receive);
	seed("publish", publish, sizeof publish);
	seed("subscribe", subscribe, sizeof subscribe);
	seed("refused", refused, sizeof refused);
	seed("tombs", tombs, sizeof tombs);
	seed("ring-of-zeros", zeros, sizeof zeros);
	seed("local-id-below-0", id, sizeof id);
	seed("code", code, sizeof code);
}
