/* A byte ring in shared memory: one writer, one reader, whole records. head and tail are free-running counters with one
 * writer each, so a death at any instruction leaves nothing half visible. If the first u32 of a record is 0, it is a
 * pad: the reader goes on at the ring's start. Sizes come from the caller, never from the shared memory. What is read
 * there is checked before it is used. */
#ifndef RING_H
#define RING_H
#include "ipc/ipcq.h"
#include "format/record.h"

struct ring {
	_Alignas(64) _Atomic uint64_t head;
	_Alignas(64) _Atomic uint64_t tail;
	_Alignas(64) struct bell bell;
	_Alignas(64) char bytes[];
};

struct ring_writer {
	struct ring *ring;
	uint64_t size, window;   /* window: bytes that must still fit behind an early wrap */
	uint64_t head;           /* ring->head plus what is not published yet */
	uint64_t tail;           /* as last seen; to look costs a cache line that the reader owns */
	uint64_t lap;            /* counter at which the present lap began */
};

struct ring_reader {
	const struct ring *ring;
	uint64_t size, at;       /* at: ring->tail plus what is not released yet */
	uint64_t head;           /* as last seen */
	uint64_t lap;
};

/* The counter's place in the ring. The sizes are no powers of two, so this divides once a lap. */
static inline uint64_t
ring_place(uint64_t at, uint64_t size, uint64_t *lap)
{
	if (at - *lap >= size)
		*lap = at - at % size;
	return at - *lap;
}

void ring_writer_init(struct ring_writer *w, struct ring *ring, uint64_t size, uint64_t window);
void *ring_reserve_slowly(struct ring_writer *w, uint32_t stride);

static inline void
ring_advance(struct ring_writer *w, uint32_t stride)
{
	w->head += stride;
}

static inline uint64_t
ring_used(struct ring_writer *w)
{
	uint64_t tail = atomic_load_explicit(&w->ring->tail, memory_order_acquire);
	if (tail - w->tail <= w->head - w->tail)       /* a tail that moves back, or beyond head, is nonsense */
		w->tail = tail;
	return w->head - w->tail;
}

static inline void
ring_publish(struct ring_writer *w)
{
	atomic_store_explicit(&w->ring->head, w->head, memory_order_release);
	/* looks at the tail once a batch, so that early wraps are found */
	ring_used(w);
}

/* Room for one record of that stride, in one piece. NULL: the ring is full. ring_advance takes the room; ring_publish
 * shows it to the reader. */
static inline void *
ring_reserve(struct ring_writer *w, uint32_t stride)
{
	uint64_t place = ring_place(w->head, w->size, &w->lap), used = w->head - w->tail;
	if (place + stride <= w->size && place < RING_EARLY && used <= w->size && used + stride <= w->size &&
	    (w->head & 7) == 0)
		return w->ring->bytes + place;
	return ring_reserve_slowly(w, stride);
}

void ring_reader_init(struct ring_reader *r, const struct ring *ring, uint64_t size, uint64_t at);
/* Length and place of the next record, past pads. 0: there is none, or *broken. Each word is read once. */
uint32_t ring_look_slowly(struct ring_reader *r, const char **p, uint64_t *limit, int *broken);

static inline uint32_t
ring_look(struct ring_reader *r, const char **p, uint64_t *limit, int *broken)
{
	uint64_t there = r->head - r->at, place = ring_place(r->at, r->size, &r->lap), left = r->size - place;
	*limit = left < there ? left : there;
	*p = r->ring->bytes + place;
	if (there >= RECORD_HEADER && there <= r->size && (r->at & 7) == 0) {
		uint32_t len = get_u32(*p);
		*broken = 0;
		if (len >= RECORD_HEADER && len <= RECORD_MOST(MESSAGE_LIMIT) && record_stride(len) <= *limit)
			return len;
	}
	return ring_look_slowly(r, p, limit, broken);
}

/* The next record below head, where it lies in the ring; its lengths are sound. NULL: there is none; with *broken set:
 * garbage. */
static inline const void *
ring_next(struct ring_reader *r, int *broken)
{
	const char *p;
	uint64_t limit;
	uint32_t len = ring_look(r, &p, &limit, broken);
	if (len == 0)
		return NULL;
	/* The writer has made sure that no NUL is inside of the topic. To us it is only text that ends. */
	uint16_t topic_len = get_u16(p + 12);
	if (!record_header_is_sound(p, limit) || (topic_len && p[RECORD_HEADER + topic_len] != '\0') ||
	    !record_properties_are_sound(p)) {
		*broken = 1;
		return NULL;
	}
	r->at += record_stride(len);
	return p;
}

/* The same for a ring where the other side may write at any moment. The record is copied into buffer, then the copy is
 * checked. A record of more than room bytes is garbage. */
const void *ring_copy(struct ring_reader *r, void *buffer, uint64_t room, int *broken);
#endif
