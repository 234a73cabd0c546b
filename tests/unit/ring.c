/* ring - the byte ring with its tickets: nothing is lost between two who hand over millions of records (must-hold
 * 16) */
#include <lib/t.h>
#include "ipc/ring.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SMALL_RING = 4096, HANDOVERS = 10000000 };

static struct shared {
	_Atomic int32_t queue, sem;
	_Atomic uint32_t writer_asleep;
	long count;
	struct ring *ring;
} *s;

static void
setup(long count)
{
	char *memory = mmap(NULL, sizeof *s + sizeof(struct ring) + SMALL_RING + 64, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(memory != MAP_FAILED, "mmap");
	s = (struct shared *)memory;
	s->ring = (struct ring *)(memory + (sizeof *s + 63) / 64 * 64);
	s->count = count;
	s->queue = msgget(IPC_PRIVATE, 0600 | IPC_CREAT);
	s->sem = semget(IPC_PRIVATE, 1, 0600 | IPC_CREAT);
	REQUIRE(s->queue >= 0 && s->sem >= 0, "msgget, semget");
}

static void
teardown(void)
{
	msgctl(s->queue, IPC_RMID, NULL);
	semctl(s->sem, 0, IPC_RMID);
}

/* 0 to 3 words of payload, so that pads of every length come up */
static uint32_t
make(char *at, uint64_t number)
{
	static const char zeros[32];
	struct record r = { .type = REC_MESSAGE, .number = number };
	return record_make(at, &r, NULL, zeros, (uint32_t)(number % 4 * 8));
}

static void *
write_all(void *argument)
{
	struct ring_writer w;
	(void)argument;
	ring_writer_init(&w, s->ring, SMALL_RING, 0);
	for (uint64_t i = 1; i <= (uint64_t)s->count; i++) {
		uint32_t stride = RECORD_HEADER + (uint32_t)(i % 4 * 8);
		char *at;
		while ((at = ring_reserve(&w, stride)) == NULL) {
			atomic_store(&s->writer_asleep, 1);
			atomic_thread_fence(memory_order_seq_cst);
			if (ring_used(&w) + 2 * stride > SMALL_RING)
				ipcq_sleep(s->sem, 20000);
			atomic_store(&s->writer_asleep, 0);
		}
		make(at, i);
		ring_advance(&w, stride);
		ring_publish(&w);
		bell_ring(&s->ring->bell, &s->queue);
	}
	return NULL;
}

/* -1: all came in order; else the number that was wanted */
static long
read_all(void)
{
	struct ring_reader r;
	uint64_t want = 1;
	int broken;
	ring_reader_init(&r, s->ring, SMALL_RING, 0);
	while (want <= (uint64_t)s->count) {
		bell_clear(&s->ring->bell);
		for (const char *p; (p = ring_next(&r, &broken)) != NULL; want++)
			if (get_u64(p + 40) != want)
				return (long)want;
		if (broken)
			return (long)want;
		atomic_store(&s->ring->tail, r.at);
		atomic_thread_fence(memory_order_seq_cst);
		if (atomic_load(&s->writer_asleep))
			ipcq_post(s->sem);
		if (want <= (uint64_t)s->count && atomic_load(&s->ring->head) == r.at && ipcq_wait(s->queue) < 0 &&
		    errno != EINTR)
			return (long)want;
	}
	return -1;
}

TEST(threads, "two threads hand over 10 million records through a ring of 4 KiB and its tickets; none is lost, changed "
    "or out of order")
{
	pthread_t writer;
	setup(HANDOVERS);
	REQUIRE(pthread_create(&writer, NULL, write_all, NULL) == 0, "pthread_create");
	long wanted = read_all();
	pthread_join(writer, NULL);
	teardown();
	REQUIRE(wanted == -1, "record %ld", wanted);
}

TEST(processes, "the same between two processes")
{
	setup(HANDOVERS / 5);
	pid_t writer = fork();
	if (writer == 0) {
		write_all(NULL);
		_exit(0);
	}
	long wanted = read_all();
	int status = t_join(writer);
	teardown();
	REQUIRE(wanted == -1 && status == 0, "record %ld, writer 0x%x", wanted, status);
}

TEST(garbage, "lengths, counters and pads that cannot be are found broken, never followed")
{
	setup(0);
	struct ring_writer w;
	struct ring_reader r;
	int broken;
	for (int kind = 0; kind < 5; kind++) {
		atomic_store(&s->ring->head, 0);
		ring_writer_init(&w, s->ring, SMALL_RING, 0);
		ring_advance(&w, make(ring_reserve(&w, RECORD_HEADER + 8), 1));
		ring_publish(&w);
		if (kind == 0)
			put_u32(s->ring->bytes, 0xffffffff);
		else if (kind == 1)
			put_u32(s->ring->bytes, 8);
		else if (kind == 2)
			put_u16(s->ring->bytes + 12, 60000);
		else if (kind == 3)
			atomic_store(&s->ring->head, SMALL_RING * 3);
		else
			put_u32(s->ring->bytes, 0);            /* a pad beyond head */
		static char copy[RECORD_MAX];
		ring_reader_init(&r, s->ring, SMALL_RING, 0);
		REQUIRE(ring_next(&r, &broken) == NULL && broken, "kind %d was taken", kind);
		ring_reader_init(&r, s->ring, SMALL_RING, 0);
		REQUIRE(ring_copy(&r, copy, sizeof copy, &broken) == NULL && broken, "kind %d was copied", kind);
	}
	teardown();
}

TEST(endless, "a ring of zeros whose head goes on and on holds no reader: no pad is a whole lap")
{
	setup(0);
	struct ring_reader r;
	int broken;
	ring_reader_init(&r, s->ring, SMALL_RING, SMALL_RING - 64);
	for (uint64_t lap = 1; lap < 4; lap++) {       /* its writer is ahead of it by a lap whenever it looks */
		uint64_t at = r.at;
		atomic_store(&s->ring->head, SMALL_RING * lap);
		int is_next = ring_next(&r, &broken) != NULL;
		REQUIRE(!is_next && r.at - at <= 64, "lap %llu: it went on by %llu bytes", (unsigned long long)lap,
		    (unsigned long long)(r.at - at));
		REQUIRE(lap == 1 || broken, "lap %llu of zeros is taken for a pad", (unsigned long long)lap);
	}
	teardown();
}

TEST(wraps_early, "small traffic stays in the first pages; a window always still fits behind an early wrap")
{
	size_t size = UNIT_RING(MOM_MESSAGE_MAX);
	struct ring *ring = calloc(1, sizeof *ring + size);
	struct ring_writer w;
	struct ring_reader r;
	uint64_t highest = 0;
	int broken;
	ring_writer_init(&w, ring, WINDOW, 0);
	ring_reader_init(&r, ring, WINDOW, 0);
	for (uint64_t i = 1; i < 100000; i++) {
		char *at = ring_reserve(&w, RECORD_HEADER + (uint32_t)(i % 4 * 8));
		REQUIRE(at, "full at %llu", (unsigned long long)i);
		highest = (uint64_t)(at - ring->bytes) > highest ? (uint64_t)(at - ring->bytes) : highest;
		ring_advance(&w, make(at, i));
		ring_publish(&w);
		REQUIRE(ring_next(&r, &broken), "lost %llu", (unsigned long long)i);
		atomic_store(&ring->tail, r.at);
	}
	REQUIRE(highest <= RING_EARLY, "reached %llu", (unsigned long long)highest);
	/* frames of all sizes with up to a window on their way: never full */
	atomic_store(&ring->head, 0);
	atomic_store(&ring->tail, 0);
	ring_writer_init(&w, ring, size, WINDOW);
	ring_reader_init(&r, ring, size, 0);
	uint64_t out = 0, seed = 1;
	for (int i = 0; i < 20000; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		uint32_t n = RECORD_HEADER + (uint32_t)(seed >> 40) % (i % 7 ? 4096 : RECORD_MAX - RECORD_HEADER),
		    stride = record_stride(n);
		while (out + stride > WINDOW) {
			const char *p = ring_next(&r, &broken);
			REQUIRE(p, "nothing to read, %llu are on their way", (unsigned long long)out);
			out -= record_stride(get_u32(p));
			atomic_store(&ring->tail, r.at);
		}
		char *at = ring_reserve(&w, stride);
		REQUIRE(at, "full with %llu of the window on their way", (unsigned long long)out);
		struct record h = { .len = n, .header = RECORD_HEADER, .type = REC_MESSAGE };
		record_put(at, &h);
		ring_advance(&w, stride);
		ring_publish(&w);
		out += stride;
	}
	free(ring);
}

static void
ring_bells(void *unused)
{
	_Atomic int32_t queue = s->queue;
	struct bell bell = { 0 };
	(void)unused;
	bell_ring(&bell, &queue);
	bell_ring_always(&bell, &queue);
}

TEST(full_queue, "nobody waits for room in the queue of a reader that stands still")
{
	struct { long type; char text[8]; } ticket = { 1, "" };
	setup(0);
	while (msgsnd(s->queue, &ticket, sizeof ticket.text, IPC_NOWAIT) == 0)
		;
	REQUIRE(errno == EAGAIN, "msgsnd: %s", strerror(errno));
	REQUIRE(t_join(t_spawn(ring_bells, NULL)) == 0, "the bell's process failed");
	teardown();
}
