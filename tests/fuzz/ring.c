/* ring - proves: over hostile memory ring_next and ring_copy give sound records inside the ring or say that it is
 * broken, and end; a writer whose counters the other side destroyed writes nowhere but into the ring; a queue full of
 * foreign messages is emptied and no more.
 * INPUT  u8 what, u16 size of the ring / 8, u64 head, u64 tail, u64 where the reader stands; then the bytes of the ring
 *        and what else comes */
#include <errno.h>
#include <sys/msg.h>
#include "ipc/layout.h"
#include "take_over.h"

static struct {
	struct fuzz_input in;
	struct ring *ring;
	uint64_t size;
	int messages, meddle;
} fz;

/* Somebody writes at the ring while it is copied. */
static void *
edge_copy(void *to, const void *from, size_t n)
{
	memcpy(to, from, n);
	if (fz.meddle && fz.size)
		fuzz_bytes(&fz.in, fz.ring->bytes + fuzz_number(&fz.in, 2) % fz.size / 4 * 4, 4);
	return to;
}

/* as the kernel: a message longer than there is room is cut where MSG_NOERROR says so, else refused and left there */
static ssize_t
edge_msgrcv(int queue, void *message, size_t room, long type, int flags)
{
	size_t n = fuzz_number(&fz.in, 2) % 10000;
	FUZZ_CHECK(queue == 7 && type == 0);
	if (fz.in.n == 0 && (flags & IPC_NOWAIT)) {
		errno = ENOMSG;
		return -1;
	}
	fz.messages++;
	FUZZ_CHECK(flags & MSG_NOERROR);
	*(long *)message = (long)fuzz_number(&fz.in, 1);
	n = n < room ? n : room;
	memset((char *)message + sizeof(long), 0x5a, n);
	return (ssize_t)n;
}

#define msgrcv(queue, message, room, type, flags) edge_msgrcv(queue, message, room, type, flags)
#include "ipc/ipcq.c"
#define memcpy(to, from, n) edge_copy(to, from, n)
#include "ipc/ring.c"
#undef memcpy

static void
check_record(const char *p, const char *from, uint64_t room, int copied)
{
	FUZZ_CHECK(p >= from && p + RECORD_HEADER <= from + room);
	uint32_t len = get_u32(p);
	FUZZ_CHECK(record_header_is_sound(p, room - (uint64_t)(p - from)) && len <= room);
	size_t topic_len = record_topic_size(get_u16(p + 12)) == 0 ? 0 : strlen(record_topic(p));
	FUZZ_CHECK(copied ? record_is_sound(p, room) && topic_len == get_u16(p + 12) : topic_len <= get_u16(p + 12));
}

static void
read_in_place(uint64_t at)
{
	struct ring_reader r;
	int broken = 0;
	uint64_t stepped = 0, before = at;
	ring_reader_init(&r, fz.ring, fz.size, at);
	for (const char *p; (p = ring_next(&r, &broken)) != NULL; before = r.at) {
		check_record(p, fz.ring->bytes, fz.size, 0);
		FUZZ_CHECK((stepped += r.at - before) <= fz.size);
	}
	FUZZ_CHECK(broken || r.at == fz.ring->head);
}

static void
read_copies(uint64_t at)
{
	struct ring_reader r;
	int broken = 0;
	char *buffer = malloc(fz.size);                /* no record is longer than its ring */
	ring_reader_init(&r, fz.ring, fz.size, at);
	fz.meddle = 1;
	for (const char *p; (p = ring_copy(&r, buffer, fz.size, &broken)) != NULL;) {
		FUZZ_CHECK(p == buffer);
		check_record(p, buffer, fz.size, 1);
	}
	fz.meddle = 0;
	FUZZ_CHECK(broken || r.at == fz.ring->head);
}

static void
write_records(void)
{
	struct ring_writer w;
	ring_writer_init(&w, fz.ring, fz.size, fuzz_number(&fz.in, 2));
	while (fz.in.n > 0) {
		uint32_t stride = record_stride(RECORD_HEADER + (uint32_t)fuzz_number(&fz.in, 2));
		char *p = ring_reserve(&w, stride);
		if (p) {
			FUZZ_CHECK(p >= fz.ring->bytes && p + stride <= fz.ring->bytes + fz.size);
			memset(p, 1, stride);
			ring_advance(&w, stride);
			/* by the tail that it saw: one that moves back frees nothing */
			FUZZ_CHECK(w.head - w.tail <= fz.size);
		}
		if (stride & 8)
			ring_publish(&w);
		if (stride & 16)
			fz.ring->tail = w.head - fuzz_number(&fz.in, 2);
	}
}

static void
body(void)
{
	unsigned what = (unsigned)fuzz_number(&fz.in, 1);
	fz.size = (1 + fuzz_number(&fz.in, 2)) * 8;
	uint64_t head = fuzz_number(&fz.in, 8), tail = fuzz_number(&fz.in, 8), at = fuzz_number(&fz.in, 8);
	if (what % 4 == 3) {
		FUZZ_CHECK(ipcq_drain(7) >= 0 || errno == ENOMSG);
		FUZZ_CHECK(fz.messages <= QUEUE_DRAIN);
		ipcq_wait(7);
		return;
	}
	fz.ring = aligned_alloc(64, (sizeof *fz.ring + fz.size + 63) / 64 * 64);
	memset(fz.ring, 0, sizeof *fz.ring);
	memset(fz.ring->bytes, 0, fz.size);
	fz.ring->head = what & 4 ? at + head % (fz.size + 1) : head;
	fz.ring->tail = tail;
	if (what % 4 == 2)
		write_records();
	else {
		fuzz_bytes(&fz.in, fz.ring->bytes, fz.size);
		if (what % 4 == 0)
			read_in_place(at);
		else
			read_copies(at);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&fz, 0, sizeof fz);
	fz.in = (struct fuzz_input){ data, size };
	int status = fuzz_run(body);
	(free)(fz.ring);
	FUZZ_CHECK(status == -1);
	return 0;
}

/* ---- seeds ---- */

static size_t
seed_head(char *b, unsigned what, uint64_t size, uint64_t head, uint64_t tail, uint64_t at)
{
	b[0] = (char)what;
	put_u16(b + 1, (uint16_t)(size / 8 - 1));
	put_u64(b + 3, head);
	put_u64(b + 11, tail);
	put_u64(b + 19, at);
	return 27;
}

void
fuzz_seeds(fuzz_seed_fn seed)
{
	char b[1024];
	struct record r = { .type = REC_MESSAGE, .topic_len = 4, .number = 1 };
	size_t begin = seed_head(b, 0, 256, 0, 0, 0), n = begin;
	n += record_make(b + n, &r, "news", "hello", 5);
	n += record_make(b + n, &r, "news", "world!", 6);
	seed_head(b, 0, 256, n - begin, 0, 0);
	seed("read", b, n);
	seed_head(b, 1, 256, n - begin, 0, 0);
	memcpy(b + n, "\1\0\377\377\377\177\2\0\1\1\1\1", 12);
	seed("copy", b, n + 12);
	memmove(b + begin + 80, b + begin, n - begin);
	memset(b + begin, 0, 80);
	seed_head(b, 0, 80 + n - begin, 80 + n - begin, 0, 0);
	seed("pad-first", b, begin + 80 + n - begin);
	begin = seed_head(b, 2, 1024, 960, 900, 0);
	memcpy(b + begin, "\100\0\10\0\30\0\0\0\10\0\60\0\20\0\10\0", 16);
	seed("write", b, begin + 16);
	seed_head(b, 2, 1024, 1021, 1000, 0);
	seed("write-odd-head", b, begin + 16);
	begin = seed_head(b, 3, 1024, 0, 0, 0);
	memcpy(b + begin, "\0\0\1\377\377\2\0\40\3", 9);
	seed("tickets", b, begin + 9);
}
