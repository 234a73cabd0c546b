/* own_segment - a client writes what it likes into the memory that it shares with the daemon: it harms itself alone */
#include <lib/calm.h>
#include <lib/segment.h>
#include <lib/t.h>
#include <lib/talk.h>
#include "ipc/layout.h"
#include <signal.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/shm.h>

static struct server broker, one;
static int id, other;

static void
up(void)
{
	id = calm_up(&broker, &one);
	other = talk_create();
	talk_subscribe(other, "calm");
}

static void
restart_forwarder(void)
{
	pid_t forwarder = server_child(&one, "mom_forwarder");
	kill(forwarder, SIGKILL);
	server_replaced(&one, "mom_forwarder", forwarder);
}

TEST(another_semaphore, "a client that names somebody else's semaphore as its own does not get it posted")
{
	up();
	struct client_segment *c = segment_of(&one, other, NULL);
	int victim = semget(IPC_PRIVATE, 1, 0600 | IPC_CREAT);
	REQUIRE(victim >= 0, "semget");
	for (int i = 0; i < 3; i++) {
		atomic_store(&c->sem, victim);
		atomic_store(&c->asleep, ASLEEP_FOR_ANY);
		calm();
		if (i == 1)
			restart_forwarder();
	}
	int value = semctl(victim, 0, GETVAL);
	semctl(victim, 0, IPC_RMID);
	REQUIRE(value == 0, "somebody's semaphore was set to %d", value);
}

TEST(magic, "a client that destroys the head of its segment keeps no forwarder from starting: others go on, also over "
    "a daemon's death")
{
	up();
	struct client_segment *c = segment_of(&one, other, NULL);
	for (int i = 0; i < 2; i++) {
		c->magic = c->layout = 0;
		c->id = 4711;
		c->slot = 0xffffffff;
		restart_forwarder();
		calm();
		REQUIRE(!server_log_has(&one, "shmat("), "the forwarder could not attach it");
	}
	server_kill(&one);
	server_start(&one);
	calm();
}

TEST(rings, "a client that fills its rings' counters and its mail with nonsense harms itself alone, over new "
    "forwarders")
{
	struct t_rng rng;
	up();
	struct client_segment *c = segment_of(&one, other, NULL);
	t_rng_init(&rng, 21);
	for (int i = 0; i < (t_is_long() ? 40 : 8); i++) {
		struct ring *mail = client_mail(c, WINDOW);
		t_rng_fill(&rng, mail->bytes, WINDOW);
		/* sound lengths, and topics that are too long */
		for (uint64_t at = 0; i % 2 && at + 64 <= WINDOW; at += 64)
			record_put(mail->bytes + at, &(struct record){ .len = 64, .header = RECORD_HEADER,
			    .type = REC_MESSAGE, .topic_len = (uint16_t)t_rng_next(&rng) & 7 });
		uint64_t at = t_rng_below(&rng, 1 << 20) * 8;
		atomic_store(&mail->tail, at);
		atomic_store(&mail->head, i % 3 ? at + WINDOW : t_rng_next(&rng));
		atomic_store(&c->acked[0], t_rng_next(&rng) >> t_rng_below(&rng, 64));
		atomic_store(&c->handed[0], t_rng_next(&rng) >> t_rng_below(&rng, 64));
		if (i % 2)
			restart_forwarder();
		calm();
	}
	REQUIRE(!server_log_has(&one, "Segmentation"), "a process died");
}

/* what is written beside it must not reach the ring's other records */
static void
scribble_length(struct client_segment *c, uint32_t len)
{
	struct ring *ring = client_requests(c);
	put_u32(ring->bytes + atomic_load(&ring->tail) % WINDOW, len);
}

TEST(endless_length, "a length in the client's own ring that is garbage, close to 2^32, makes no call run for ever: it "
    "ends with a code, and others go on")
{
	static char bytes[65536];
	int r = 0;
	up();
	struct client_segment *c = segment_of(&one, other, NULL);
	mom_set_option(other, MOM_OPT_TIMEOUT_MS, 200);
	for (uint32_t len = 0xfffffff8; len != 1; len++) {
		server_freeze(&broker);
		while ((r = mom_publish(other, "u", bytes, sizeof bytes, MOM_ASYNC)) == 0)
			;
		REQUIRE(r == MOM_EAGAIN, "a full ring: %d %s", r, mom_error_text(other));
		scribble_length(c, len);
		r = mom_publish(other, "u", bytes, sizeof bytes, MOM_ASYNC);
		REQUIRE(r == MOM_EAGAIN || r == MOM_EPROTO, "%d %s", r, mom_error_text(other));
		server_thaw(&broker);
		mom_destroy(other);
		other = talk_create();
		talk_subscribe(other, "calm");
		mom_set_option(other, MOM_OPT_TIMEOUT_MS, 200);
		c = segment_of(&one, other, NULL);
		calm();
	}
}

TEST(refused_after_acknowledged, "what was acknowledged, then lost in a power cut, sent again and refused, is told as "
    "lost, also where its room was given back meanwhile")
{
	up();
	for (int i = 0; i < 3; i++)
		REQUIRE(mom_publish(other, "u", "fast", 4, MOM_FAST) == 0, "%s", mom_error_text(other));
	REQUIRE(mom_flush(other, 20000) == 0, "%s", mom_error_text(other));
	struct client_segment *c = segment_of(&one, other, NULL);         /* as mom_responser writes it */
	refused_write(&c->answer[0], atomic_load(&c->next[0]) - 2, MOM_EFULL);
	REQUIRE(mom_flush(other, 20000) == MOM_ELOST && strstr(mom_error_text(other), " 2 fast messages"), "%s",
	    mom_error_text(other));
	REQUIRE(mom_flush(other, 20000) == 0, "told again: %s", mom_error_text(other));
	REQUIRE(mom_publish(other, "u", "more", 4, 0) == 0, "%s", mom_error_text(other));
}

/* a stray pointer in its ring, then its end */
static void
spoils_its_ring(void *unused)
{
	(void)unused;
	int mine = talk_open("spoilt");
	struct client_segment *c = segment_of(&one, mine, NULL);
	atomic_store(&client_requests(c)->head, 12345);
	bell_ring_always(&client_requests(c)->bell, &c->request_queue);
	WAIT_FOR(atomic_load(&c->poisoned), "its ring counts as sound");
	_exit(0);
}

TEST(renewed, "a durable client that spoils its ring and ends, again and again, gets a new segment by itself: the "
    "processes that all share go on, its mail comes")
{
	up();
	pid_t forwarder = server_child(&one, "mom_forwarder"), requester = server_child(&one, "mom_requester");
	int mine = talk_open("spoilt");
	talk_subscribe(mine, "waiting");
	mom_close(mine);
	for (int i = 0; i < 4; i++) {
		t_join(t_spawn(spoils_its_ring, NULL));
		say(id, "waiting", "first");
		say(id, "waiting", "second");
		mine = talk_open("spoilt");
		hear(mine, "waiting", "first");
		hear(mine, "waiting", "second");
		say(mine, "calm", "from the new one");
		hear(id, "calm", "from the new one");
		mom_close(mine);
	}
	REQUIRE(server_child(&one, "mom_forwarder") == forwarder && server_child(&one, "mom_requester") == requester,
	    "the unit was made anew");
	REQUIRE(!server_log_has(&one, "started anew"), "the unit was made anew");
}
