/* coordinator_frames - proves: whatever comes on the topics of mom_coordinator (events, signs of life, wills, parts of
 * snapshots, bytes of any kind, its
 * own words before and after others'), and whatever its calls return, it goes on until it is stopped, asks for no more
 * memory than what came takes,
 * its groups' states stay sound, and what it publishes is whole.
 * INPUT  steps: u8 what, and its arguments (see mom_receive); bytes behind the last are none: then it is stopped */
#define RESOURCE_GROUPS groups_of_the_product
#include "api/resource/resource.h"
#undef RESOURCE_GROUPS
#define RESOURCE_GROUPS 4                      /* more are more of the same, and take their time in each step */
#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "tools/coordinator/coordinator.h"
#include "coordinator_sound.h"
#include "take_over.h"

enum { GLOBAL = 0x100000007, ECHOES = 64, MEMORY = 1024 * 1024 };

static struct {
	struct fuzz_input in;
	int64_t now;
	uint64_t offset;
	/* group: the last step's; a snapshot came that nobody may have sent; so many calls fail from here on */
	int group, steps, is_forged, fails;
	struct { char topic[64]; unsigned char *bytes; size_t len; } echo[ECHOES];
	size_t echo_first, echo_count;
	unsigned char *shown;                      /* what the last receive gave */
} fz;

static void *
edge_realloc(void *p, size_t n)
{
	FUZZ_CHECK(n <= MEMORY);
	return fuzz_realloc(p, n);
}

#undef realloc
#define realloc(p, n)     edge_realloc(p, n)
#define clock_ms()        (fz.now)
#define nanosleep(...)    (void)(fz.now += 1000)
#define printf(...)       (void)snprintf(NULL, 0, __VA_ARGS__)
int role_main(int argc, char **argv);
#define main              role_main
#include "base/map.c"
#include "api/coding.c"
#include "api/resource/resource_wire.c"
#define take              state_take
#define client_gone       state_client_gone
#include "tools/coordinator/coordinator_state.c"
#undef take
#undef client_gone
#include "tools/coordinator/coordinator_snapshot.c"
#include "tools/coordinator/coordinator.c"
#include "tools/coordinator/coordinator_members.c"
#define subscribe         place_subscribe
#include "tools/coordinator/coordinator_place.c"
#undef subscribe
#include "tools/coordinator/mom_coordinator.c"
#undef main
#undef printf

/* ---- what is true at any time ---- */

static void
check_group(int g)
{
	const struct place *p = &co.places[g];
	FUZZ_CHECK(p->phase <= PLACE_ACTIVE && p->state.group == g && p->delayed_count <= p->delayed_room &&
	    p->snapshot_got <= p->snapshot_len);
	FUZZ_CHECK(p->phase == PLACE_JOINING || (p->delayed == NULL && p->snapshot == NULL));
	check_sound(&p->state, !fz.is_forged);
}

/* The group that something came for, and each other one in its turn: all at each step would take most of the time. */
static void
check_some(void)
{
	check_group(fz.group);
	check_group(fz.steps++ % RESOURCE_GROUPS);
	for (size_t i = 0; i < co.member_count; i++)
		FUZZ_CHECK(member_find(co.members[i].id) == &co.members[i] && co.members[i].id != co.global);
}

/* ---- MOM itself ---- */

static int edge_code(int code) { return fz.fails > 0 && fz.fails-- ? code : 0; }
int mom_create(void) { return 3; }
int mom_destroy(int id) { return id == 3 ? 0 : MOM_EBADID; }
uint64_t mom_global_id(int id) { (void)id; return GLOBAL; }
int mom_set_option(int id, int option, long value) { (void)id, (void)option, (void)value; return 0; }
void mom_wake(int id) { (void)id; }
const char *mom_error_text(int id) { (void)id; return "it failed"; }
int mom_subscribe(int id, const char *topic, unsigned flags) { (void)flags; FUZZ_CHECK(id == 3 &&
    strlen(topic) < RESOURCE_TOPIC_MAX); return edge_code(MOM_ETIMEDOUT); }
int mom_unsubscribe(int id, const char *topic) { FUZZ_CHECK(id == 3 &&
    strlen(topic) < RESOURCE_TOPIC_MAX); return edge_code(MOM_ETIMEDOUT); }
int mom_will(int id, const char *topic, const void *data, size_t len) { (void)topic, (void)data; FUZZ_CHECK(id == 3 &&
    len <= 128); return edge_code(MOM_EFULL); }

/* What it publishes comes back, as to every subscriber. */
int
mom_publish(int id, const char *topic, const void *data, size_t len, unsigned flags)
{
	struct event e;
	struct resource_answer a;
	(void)flags;
	FUZZ_CHECK(id == 3 && strlen(topic) < RESOURCE_TOPIC_MAX && len <= MOM_MESSAGE_MAX);
	if (strncmp(topic, RESOURCE_HELD, sizeof RESOURCE_HELD - 1) == 0)
		return fuzz_number(&fz.in, 1) & 1 ? 0 : MOM_ENOSUBSCRIBER;
	if (strncmp(topic, RESOURCE_LOG, sizeof RESOURCE_LOG - 1) == 0)
		FUZZ_CHECK(event_get(&e, data, len) == 0);
	if (strncmp(topic, RESOURCE_REPLY, sizeof RESOURCE_REPLY - 1) == 0)
		FUZZ_CHECK(answer_get(&a, data, len) == 0 || fz.is_forged);
	int code = edge_code(len & 1 ? MOM_EAGAIN : MOM_ETIMEDOUT);
	if (code || fz.echo_count == ECHOES)
		return code;
	size_t i = (fz.echo_first + fz.echo_count++) % ECHOES;
	snprintf(fz.echo[i].topic, sizeof fz.echo[i].topic, "%s", topic);
	fz.echo[i].bytes = malloc(len ? len : 1);
	fz.echo[i].len = len;
	memcpy(fz.echo[i].bytes, data, len);
	return 0;
}

/* ---- what comes ---- */

static uint64_t
any_id(void)
{
	uint64_t id = fuzz_number(&fz.in, 1);
	return id & 7 ? id & 15 : GLOBAL;
}

static void
put_event(struct mom_writer *w)
{
	struct event e = { .kind = (uint8_t)(1 + fuzz_number(&fz.in, 1) % EVENT_LAST), .id = any_id() };
	unsigned what = (unsigned)fuzz_number(&fz.in, 1);
	e.op = (uint8_t)(1 + what % OP_LAST);
	memset(e.name, 'a' + (int)(what / OP_LAST % 3), what & 128 ? MOM_RESOURCE_MAX : 1);
	e.number = fuzz_number(&fz.in, 1);
	e.target = fuzz_number(&fz.in, 2);
	e.value = (int32_t)fuzz_number(&fz.in, what & 64 ? 4 : 1);
	event_put(w, &e);
}

static void
put_sign(struct mom_writer *w)
{
	char name[2] = { 0 };
	mom_put_u8(w, (uint8_t)fuzz_number(&fz.in, 1) & 3);
	mom_put_u64(w, any_id());
	name[0] = (char)(1 + (fuzz_number(&fz.in, 1) & 63));
	mom_put_string8(w, name);
	for (int i = 0; i < 2; i++)
		mom_put_u64(w, fuzz_number(&fz.in, 4));
	mom_put_u32(w, (uint32_t)fuzz_number(&fz.in, 2));
}

static void
put_part(struct mom_writer *w)
{
	unsigned char bytes[255];
	mom_put_u8(w, (uint8_t)fuzz_number(&fz.in, 1));
	mom_put_u64(w, fuzz_number(&fz.in, 1));
	uint32_t size = (uint32_t)fuzz_number(&fz.in, 1), whole = size == 255 ? 0x3fffffff : size;
	mom_put_u32(w, whole);
	mom_put_u32(w, (uint32_t)fuzz_number(&fz.in, 1));
	size_t n = fuzz_bytes(&fz.in, bytes, fuzz_number(&fz.in, 1));
	mom_put_raw(w, bytes, n);
	fz.is_forged = 1;
}

static int
show(struct mom_message *m, const char *topic, const unsigned char *bytes, size_t len, unsigned flags)
{
	static char text[64];
	free(fz.shown);
	fz.shown = malloc(len ? len : 1);              /* exactly so long: a sanitizer sees a read behind it */
	memcpy(fz.shown, bytes, len);
	snprintf(text, sizeof text, "%s", topic);
	fz.offset += 8;
	*m = (struct mom_message){ .topic = text, .data = fz.shown, .len = len, .publisher = 5, .offset = fz.offset,
	    .flags = flags };
	return 0;
}

static int
echo_comes(struct mom_message *m)
{
	if (fz.echo_count == 0) {
		fz.now += 1000;
		return MOM_ETIMEDOUT;
	}
	size_t i = fz.echo_first;
	fz.echo_first = (i + 1) % ECHOES;
	fz.echo_count--;
	show(m, fz.echo[i].topic, fz.echo[i].bytes, fz.echo[i].len, 0);
	free(fz.echo[i].bytes);
	return 0;
}

int
mom_receive(int id, struct mom_message *m, int timeout_ms)
{
	static const char *const any[] = { RESOURCE_LOG "3", RESOURCE_ALIVE, RESOURCE_GONE,
	    RESOURCE_STATE "0000000100000007", RESOURCE_LOG "32", "resource/x" };
	unsigned char bytes[512];
	char topic[RESOURCE_TOPIC_MAX];
	struct mom_writer w;
	(void)timeout_ms;
	FUZZ_CHECK(id == 3);
	check_some();
	if (fz.in.n == 0) {
		for (int g = 0; g < RESOURCE_GROUPS; g++)
			check_group(g);
		coordinator_stop = 1;
		return MOM_EINTR;
	}
	unsigned what = (unsigned)fuzz_number(&fz.in, 1), where = what >> 3;
	fz.group = (int)where & 3;
	mom_writer_init(&w, bytes, sizeof bytes);
	switch (what & 7) {
	case 2:
		put_event(&w);
		snprintf(topic, sizeof topic, RESOURCE_LOG "%u", where & 3);
		return show(m, topic, bytes, w.len, 0);
	case 3:
		put_sign(&w);
		return show(m, RESOURCE_ALIVE, bytes, w.len, 0);
	case 4:
		put_part(&w);
		return show(m, any[3], bytes, w.len, 0);
	case 5: {
		size_t n = fuzz_bytes(&fz.in, bytes, fuzz_number(&fz.in, 1));
		fz.is_forged = 1;
		return show(m, any[where % 6], bytes, n, where == 31 ? MOM_GAP : 0);
	}
	case 6:
		mom_put_u64(&w, any_id());
		mom_put_u64(&w, fuzz_number(&fz.in, 4));
		return show(m, RESOURCE_GONE, bytes, w.len, 0);
	case 7:
		fz.fails = (int)(where & 3);
		fz.now += 1000;
		return where == 31 ? MOM_EBADID : MOM_ETIMEDOUT;
	default:
		return echo_comes(m);
	}
}

static void
body(void)
{
	for (int g = 0; g < RESOURCE_GROUPS; g++)
		state_init(&co.places[g].state, g);
	FUZZ_CHECK(run() == 0 && co.member_count == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&fz, 0, sizeof fz);
	fz.in = (struct fuzz_input){ data, size };
	fz.now = 1000;
	co = (struct coordinator){ .id = -1, .alive_ms = 1000, .missed = 3 };
	coordinator_stop = 0;
	FUZZ_CHECK(fuzz_run(body) == -1);
	return 0;
}

/* ---- seeds ---- */

/* Its own words come back, so all groups are joined, found and begun */
static size_t
own_words(unsigned char *p, size_t n)
{
	memset(p, 0, n);
	for (size_t i = 2; i < n; i += 3)
		p[i] = 1;
	return n;
}

void
fuzz_seeds(fuzz_seed_fn seed)
{
	static unsigned char b[600];
	static const unsigned char requests[] = { 26, 0, 1, 0, 1, 0, 0, 2, 26, 0, 2, 1, 1, 0, 0, 0, 26, 0, 3, 1, 1, 0,
	    0, 0, 26, 0, 2, 3, 2, 0, 0, 0, 14, 3, 255, 255, 255, 255, 26, 1, 2, 0, 0, 0, 0, 0 };
	static const unsigned char members[] = { 3, 1, 1, 40, 255, 255, 255, 255, 0, 0, 0, 0, 100, 0, 3, 2, 2, 41, 0, 0,
	    0, 0, 0, 0, 0, 0, 100, 0, 26, 4, 1, 0, 0, 0, 0, 0, 26, 2, 2, 0, 0, 0, 0, 0, 3, 3, 1, 40, 0, 0, 0, 0, 0, 0,
	    0, 0, 1, 0 };
	static const unsigned char parts[] = { 4, 3, 1, 34, 0, 34, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
	    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 3, 9, 255, 0, 3, 1, 3, 0, 4, 4, 9, 255, 0, 3, 1, 4, 0 };
	static const unsigned char trouble[] = { 7, 0, 0, 15, 0, 31, 0, 0, 255, 0, 0, 253, 2, 1, 2, 0, 0 };
	size_t n = own_words(b, 60);
	seed("alone", b, n);
	memcpy(b + n, requests, sizeof requests);
	seed("requests", b, n + sizeof requests);
	memcpy(b + n, members, sizeof members);
	seed("members", b, n + sizeof members);
	memcpy(b + n, trouble, sizeof trouble);
	seed("trouble", b, n + sizeof trouble);
	n = own_words(b, 12);
	memcpy(b + n, parts, sizeof parts);
	seed("parts", b, n + sizeof parts);
}
