/* owner - a client that owns the memory and the objects that it has from its daemon and does everything to them, as
 * fast as it can: an honest pair on the same machine goes on beside it */
#include <lib/beside.h>
#include <lib/segment.h>
#include <lib/server.h>
#include <lib/t.h>
#include <lib/talk.h>
#include "format/record.h"
#include <string.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server broker, one;

static void
up(void)
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_start(&one, "one", broker.port);
	use_daemon(&one);
}

/* ---- requests without end that are never sent ---- */

enum { FRAME = 312 };

/* Sound frames below `first`: each is looked at and dropped. Topics of two-byte letters, which differ, cost most. */
static void
fill_with_dropped(struct client_segment *c, struct ring *r, uint64_t number)
{
	char topic[256] = "";
	for (int j = 0; j < 254; j += 2)
		memcpy(topic + j, "\u00e9", 2);
	atomic_store(&c->first[0], number | (NUMBER_COUNTER - 1));
	for (uint64_t q = 0; q < WINDOW / FRAME; q++) {
		struct record f = { .type = REC_UNSUBSCRIBE, .number = number + 1 + q, .topic_len = 255 };
		topic[254] = "abcd"[q % 4];
		record_make(r->bytes + q * FRAME, &f, topic, NULL, 0);
	}
	memset(r->bytes + WINDOW / FRAME * FRAME, 0, WINDOW % FRAME);
}

/* Head and tail run on as if it wrote and gave up: the reader finds something whenever it looks. Until the reader was
 * away for a whole lap, and takes the ring for garbage. */
static void
run_on(struct client_segment *c)
{
	struct ring *r = client_requests(c);
	uint64_t lap = (atomic_load(&r->head) / WINDOW + 1) * WINDOW, half = WINDOW / FRAME / 2 * FRAME, k = 0;
	fill_with_dropped(c, r, atomic_load(&c->next[0]));
	for (int i = 0; beside_acts() && !atomic_load(&c->poisoned); i++) {
		k = (k + FRAME) % (WINDOW / FRAME * FRAME);
		if (k == 0)
			lap += WINDOW;
		atomic_store(&r->head, lap + (k + half < WINDOW / FRAME * FRAME ? k + half
		    : WINDOW + (k + half) % (WINDOW / FRAME * FRAME)));
		atomic_store(&r->tail, lap + k);
		for (volatile int wait = 0; wait < 200; wait++)
			;
		if (i % 400 == 0)
			bell_ring_always(&client_requests(c)->bell, &c->request_queue);
	}
}

static void
runs_on(void *unused)
{
	(void)unused;
	while (beside_acts()) {
		int id = talk_create();
		struct client_segment *c = segment_of(&one, id, NULL);
		run_on(c);
		shmdt(c);
		mom_destroy(id);
	}
}

TEST(runs_on, "a client whose ring is never empty, with frames that are looked at and dropped, does not keep "
    "mom_requester for itself")
{
	up();
	beside(runs_on, NULL);
}

/* ---- rings of garbage ---- */

static void
scribbles(void *unused)
{
	struct t_rng rng;
	(void)unused;
	int id = talk_create(), n = 0;
	talk_subscribe(id, "honest");
	struct client_segment *c = segment_of(&one, id, NULL);
	t_rng_init(&rng, 14);
	while (beside_acts()) {
		struct ring *ring = t_rng_below(&rng, 2) ? client_requests(c) : client_mail(c, WINDOW);
		uint64_t at = atomic_load(&ring->head) + t_rng_below(&rng, 5) * 8 - 16;
		switch (t_rng_below(&rng, 6)) {
		case 0: atomic_store(&ring->head, at); break;
		case 1: atomic_store(&ring->tail, at); break;
		case 2: put_u32(ring->bytes + t_rng_below(&rng, WINDOW / 8) * 8, (uint32_t)t_rng_below(&rng, 512));
		    break;
		case 3: atomic_store(&c->acked[0], t_rng_next(&rng) >> t_rng_below(&rng, 64)); break;
		case 4: atomic_store(&c->asleep, ASLEEP_FOR_ANY), atomic_fetch_add(&c->watch, 1); break;
		default: atomic_store(&c->poisoned, 0), atomic_store(&c->first[0],
		    t_rng_next(&rng) >> t_rng_below(&rng, 64));
		}
		if (++n % 16 == 0)
			bell_ring_always(&client_requests(c)->bell, &c->request_queue);
	}
	shmdt(c);
	mom_destroy(id);
}

TEST(scribbles, "a client that writes garbage over its rings and words all the time harms itself alone")
{
	up();
	beside(scribbles, NULL);
}

/* ---- a crash loop ---- */

static void
spoils_and_ends(void *unused)
{
	(void)unused;
	while (beside_acts()) {
		pid_t pid = fork();
		if (pid == 0) {
			int id = mom_open("crashes");
			if (id < 0)
				_exit(0);
			struct client_segment *c = segment_of(&one, id, NULL);
			atomic_store(&client_requests(c)->head, 12345);
			for (int i = 0; i < 1000 && !atomic_load(&c->poisoned); i++) {
				bell_ring_always(&client_requests(c)->bell, &c->request_queue);
				usleep(1000);
			}
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
}

TEST(crash_loop, "a durable client that spoils its ring and ends, in a loop, costs the others no connection and no "
    "process")
{
	up();
	pid_t requester = server_child(&one, "mom_requester");
	beside(spoils_and_ends, NULL);
	REQUIRE(server_child(&one, "mom_requester") == requester, "the unit was made anew");
}

/* ---- comes and goes: what a daemon and a broker know of clients is durable ---- */

static void
comes_and_goes(void *destroys)
{
	while (beside_acts()) {
		pid_t pid = fork();
		if (pid == 0) {
			int id = mom_create();
			if (id >= 0 && destroys)
				mom_destroy(id);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
}

TEST(comes_and_goes, "a program that registers and destroys its client in a loop does not keep the daemon from the "
    "others")
{
	up();
	int yes = 1;
	beside_durably(comes_and_goes, &yes);
}

TEST(comes_and_dies, "a program that registers and ends without a word, in a loop, does not keep the daemon from the "
    "others")
{
	up();
	beside_durably(comes_and_goes, NULL);
}

/* ---- its objects ---- */

static void
takes_rights(void *unused)
{
	struct shmid_ds segment;
	struct semid_ds semaphore;
	union semun_arg arg = { .buf = &semaphore };
	int id = talk_create(), shm, n = 0;
	(void)unused;
	struct client_segment *c = segment_of(&one, id, &shm);
	while (beside_acts()) {
		int sem = atomic_load(&c->sem);
		if (shmctl(shm, IPC_STAT, &segment) == 0) {
			segment.shm_perm.mode = n % 2 ? 0600 : 0;
			shmctl(shm, IPC_SET, &segment);
		}
		if (semctl(sem, 0, IPC_STAT, arg) == 0) {
			semaphore.sem_perm.mode = 0;
			semctl(sem, 0, IPC_SET, arg);
		}
		if (++n % 100 == 0)
			semctl(sem, 0, IPC_RMID);
		bell_ring_always(&client_requests(c)->bell, &c->request_queue);
	}
	shmdt(c);
	mom_destroy(id);
}

TEST(takes_rights, "a client that takes the rights from its objects, gives them back and removes them, in a loop, "
    "harms itself alone")
{
	up();
	beside(takes_rights, NULL);
}

/* ---- mail boxes that are emptied just in time ---- */

enum { READERS = 30 };

/* All have the same mail, so all are full at once; one after the other is emptied while mom_forwarder waits for it. */
static void
empties_in_time(void *unused)
{
	static char data[16 * 1024];
	int ids[READERS], mouth = talk_create();
	struct client_segment *c[READERS];
	struct mom_message m;
	(void)unused;
	for (int i = 0; i < READERS; i++) {
		ids[i] = talk_create();
		talk_subscribe(ids[i], "flood");
		c[i] = segment_of(&one, ids[i], NULL);
	}
	for (int next = 0; beside_acts(); next++) {
		for (int i = 0; i < 20 && mom_publish(mouth, "flood", data, sizeof data, MOM_ASYNC | MOM_FAST) == 0;
		    i++)
			;
		struct ring *mail = client_mail(c[next % READERS], WINDOW);
		if (atomic_load(&mail->head) - atomic_load(&mail->tail) < WINDOW * 3 / 4)
			continue;
		usleep(10000);
		while (mom_receive(ids[next % READERS], &m, 0) == 0)
			;
	}
	for (int i = 0; i < READERS; i++) {
		shmdt(c[i]);
		mom_destroy(ids[i]);
	}
	mom_destroy(mouth);
}

TEST(empties_in_time, "many readers that make room in their mail boxes one after the other, just in time, do not hold "
    "up the mail of all others")
{
	up();
	beside(empties_in_time, NULL);
}
