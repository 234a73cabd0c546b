/* boxes - mom_forwarder's side of each sleep of a client: the word first, then the wake. The forwarder's own code, with
 * one thread and no kernel. */
#include <lib/t.h>
#include <fcntl.h>
#include "ipc/layout.h"
#include <unistd.h>
#include "ipc/ipcq.h"
#include "daemon/forwarder.h"

static void posted(int sem);
#define ipcq_post posted
#define main      forwarder_main
int forwarder_main(int argc, char **argv);
#include "daemon/mom_forwarder.c"
#include "daemon/forwarder_wake.c"
#include "daemon/forwarder_box.c"
#include "daemon/forwarder_cut.c"
#include "daemon/forwarder_spool.c"
#include "daemon/forwarder_start.c"
#include "daemon/forwarder_pack.c"
#include "daemon/routes.c"
#include "daemon/slots.c"
#undef main
#undef ipcq_post

enum { SLOTS = 2, NONE = 0, OTHER = 1, HALF = 512 * 1024 };

static struct client_segment *client[SLOTS];
static struct ring_reader reader[SLOTS];
static uint64_t next_offset = 64;

/* what the client that was woken last finds then */
static struct { int posts; uint32_t behind; uint64_t head, safe, seen; } woken;

static void
posted(int sem)
{
	struct client_segment *c = client[sem];
	woken.posts++;
	woken.behind = atomic_load(&c->behind);
	woken.head = atomic_load(&client_mail(c, WINDOW)->head);
	woken.safe = atomic_load(&c->safe[0]);
	woken.seen = atomic_load(&c->seen[0]);
}

static void *
zeroed(size_t n)
{
	char *p = aligned_alloc(PAGE, ROUND_PAGE(n));
	REQUIRE(p, "no memory for %zu bytes", n);
	return memset(p, 0, ROUND_PAGE(n));
}

static void
slot_begin(uint32_t i)
{
	struct slot *v = &forwarder.slots.slot[i];
	struct box *b = zeroed(sizeof *b);
	client[i] = zeroed(client_bytes(MOM_MESSAGE_MAX));
	b->id = v->id = 100 + i;
	v->state = SLOT_LIVE;
	v->owner = 1;
	v->segment = client[i];
	v->segment_id = (int)i;
	v->ring = WINDOW;
	v->own = b;
	atomic_store(&forwarder.table->slot[i].sem, (int)i);
	REQUIRE(map_put(&forwarder.by_id, &b->id, sizeof b->id, v) == 0, "no memory");
	box_scan(v);
	ring_reader_init(&reader[i], client_mail(client[i], WINDOW), WINDOW, 0);
}

static void
up(void)
{
	forwarder.table = zeroed(sizeof *forwarder.table + SLOTS * sizeof(struct slot_word));
	forwarder.unit = zeroed(daemon_unit_bytes(SLOTS, MOM_MESSAGE_MAX));
	forwarder.table->capacity = forwarder.unit->slots = SLOTS;
	forwarder.unit->message_max = MOM_MESSAGE_MAX;
	forwarder.dir = open(t_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	forwarder.notify = forwarder.spool.fd = -1;
	forwarder.buffer_bytes = BATCH + 2 * (size_t)RECORD_MAX;
	forwarder.buffer = zeroed(forwarder.buffer_bytes);
	forwarder.chosen = zeroed(SLOTS * sizeof *forwarder.chosen);
	forwarder.fed = zeroed(SLOTS * sizeof *forwarder.fed);
	forwarder.is_fed = zeroed(SLOTS);
	forwarder.patience_us = PATIENCE_ALL_US;
	spool_pack_begin();
	slots_init(&forwarder.slots, forwarder.table, forwarder.unit, UNIT_FORWARDER);
	forwarder.slots.used = SLOTS;
	for (uint32_t i = 0; i < SLOTS; i++)
		slot_begin(i);
	spool_recover();
}

static struct box *
box_of(uint32_t i)
{
	return forwarder.slots.slot[i].own;
}

static void
deliver(uint32_t i, uint32_t bytes)
{
	static char record[RECORD_MAX], data[MOM_MESSAGE_MAX];
	struct record r = { .type = REC_MESSAGE, .topic_len = 1, .offset = next_offset };
	next_offset += record_make(record, &r, "t", data, bytes);
	record_get(&r, record);
	box_deliver(&forwarder.slots.slot[i], record, &r);
	spool_chosen(record);
	boxes_publish();
}

/* so many messages from the box, without an acknowledgement */
static void
read_mail(uint32_t i, int count)
{
	int broken, n = 0;
	for (const void *p; (p = ring_next(&reader[i], &broken)) != NULL; n++)
		atomic_store(&client[i]->handed[0], get_u64((const char *)p + 16));
	REQUIRE(n == count && !broken, "%d messages, %d were due", n, count);
}

static void
give_back(uint32_t i)
{
	atomic_store(&client_mail(client[i], WINDOW)->tail, reader[i].at);
}

/* It has looked and found nothing; its last look was before what comes now. */
static void
sleep_for(uint32_t i, uint32_t what)
{
	atomic_store(&client[i]->asleep, what);
	memset(&woken, 0, sizeof woken);
}

static void
tick(void)
{
	atomic_fetch_add(&forwarder.table->ticks, 1);
	on_tick();
}

TEST(pad, "a pad alone in a box that was empty is told: only its owner can pass it, and the message from the spool has "
    "no room before that")
{
	up();
	deliver(NONE, 300 * 1024);
	read_mail(NONE, 1);
	deliver(NONE, MOM_MESSAGE_MAX);
	REQUIRE(box_of(NONE)->behind, "it is in the box already");
	give_back(NONE);
	sleep_for(NONE, ASLEEP_FOR_MAIL);
	boxes_refill();
	boxes_publish();
	REQUIRE(woken.posts && woken.head != reader[NONE].at, "posted %d times, head %llx", woken.posts,
	    (unsigned long long)woken.head);
	read_mail(NONE, 0);
	give_back(NONE);
	sleep_for(NONE, ASLEEP_FOR_MAIL);
	boxes_refill();
	boxes_publish();
	REQUIRE(woken.posts, "the message is not told");
	read_mail(NONE, 1);
}

TEST(no_pad, "where there is no room, and no pad either, the forwarder tells nobody, and sleeps, however often it "
    "looks")
{
	up();
	deliver(NONE, 300 * 1024);
	deliver(NONE, MOM_MESSAGE_MAX);
	read_mail(NONE, 1);
	sleep_for(NONE, ASLEEP_FOR_MAIL);
	for (int i = 0; i < 5; i++) {
		int more = boxes_refill();
		REQUIRE(forwarder.fed_count == 0 && !more, "look %d: it would not sleep", i);
	}
	REQUIRE(woken.posts == 0, "%d times", woken.posts);
}

TEST(caught_up, "who was cut, and sleeps until the rest of its mail comes, is woken when there is none: the entries of "
    "others lie behind its last")
{
	up();
	for (int i = 0; i < 3; i++)
		deliver(NONE, HALF);
	for (int i = 0; i < 8; i++)
		deliver(OTHER, MOM_MESSAGE_MAX);
	box_cut(&forwarder.slots.slot[NONE], "test");
	read_mail(NONE, 2);
	give_back(NONE);
	boxes_refill();
	boxes_publish();
	read_mail(NONE, 1);
	give_back(NONE);
	REQUIRE(box_of(NONE)->behind && atomic_load(&client[NONE]->behind), "it has caught up in one turn");
	sleep_for(NONE, ASLEEP_FOR_MAIL);
	for (int i = 0; i < 20 && box_of(NONE)->behind; i++) {
		boxes_refill();
		boxes_publish();
	}
	read_mail(NONE, 0);
	REQUIRE(atomic_load(&client[NONE]->behind) == 0, "it never catches up");
	REQUIRE(woken.posts && woken.behind == 0, "posted %d times, behind %u", woken.posts, woken.behind);
}

TEST(safe, "what becomes safe with a tick while its owner is behind is told: a predecessor was killed before it said "
    "so")
{
	up();
	for (int i = 0; i < 3; i++)
		deliver(NONE, HALF);
	read_mail(NONE, 2);
	uint64_t last = atomic_load(&client[NONE]->handed[0]);
	struct box *b = box_of(NONE);
	REQUIRE(b->behind && atomic_load(&client[NONE]->safe[0]) == last, "it is not behind");
	atomic_store(&client[NONE]->safe[0], 0);
	b->shadowed = 0;                               /* as box_scan says it of what it finds */
	sleep_for(NONE, ASLEEP_FOR_MAIL);
	tick();
	tick();
	REQUIRE(woken.posts && woken.safe == last, "posted %d times, safe %llx", woken.posts,
	    (unsigned long long)woken.safe);
}

TEST(seen, "how far the stream has come is told to who waits for it, and to nobody else")
{
	up();
	sleep_for(NONE, ASLEEP_FOR_SEEN);
	forwarder.seen[0] = 4711;
	tick();
	REQUIRE(woken.posts == 1 && woken.seen == 4711, "posted %d times, seen %llu", woken.posts,
	    (unsigned long long)woken.seen);
	sleep_for(NONE, ASLEEP_FOR_MAIL);
	forwarder.seen[0]++;
	tick();
	REQUIRE(woken.posts == 0, "who waits for mail is woken by each tick");
}
