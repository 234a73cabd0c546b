/* ring - see ring.h */
#include "ipc/ring.h"

void
ring_writer_init(struct ring_writer *w, struct ring *ring, uint64_t size, uint64_t window)
{
	*w = (struct ring_writer){ .ring = ring, .size = size, .window = window, .head = atomic_load(&ring->head),
	    .tail = atomic_load(&ring->tail) };
}

/* A pad is published on its own, so that a reader can release it while the frame behind it still waits for room. */
static void
ring_pad(struct ring_writer *w, uint64_t place, uint64_t left)
{
	put_u32(w->ring->bytes + place, 0);
	w->head += left;
	ring_publish(w);
}

/* by the tail that was last seen */
static void *
ring_try(struct ring_writer *w, uint32_t stride)
{
	uint64_t used = w->head - w->tail, place = ring_place(w->head, w->size, &w->lap), left = w->size - place;
	if (used > w->size || (w->head & 7) != 0)
		return NULL;                     /* the other side wrote nonsense: to us it is full */
	uint64_t behind = w->window > stride ? w->window : stride;
	if (place >= RING_EARLY && used + left + behind <= w->size) {
		ring_pad(w, place, left);
		return w->ring->bytes;
	}
	if (stride <= left)
		return used + stride <= w->size ? w->ring->bytes + place : NULL;
	if (used + left + stride > w->size && used != 0)
		return NULL;
	if (used + left > w->size || stride > w->size)
		return NULL;
	ring_pad(w, place, left);
	return ring_used(w) + stride <= w->size ? w->ring->bytes : NULL;
}

void *
ring_reserve_slowly(struct ring_writer *w, uint32_t stride)
{
	void *at = ring_try(w, stride);
	uint64_t seen = w->tail;
	if (at == NULL && (ring_used(w), w->tail != seen))
		at = ring_try(w, stride);
	return at;
}

void
ring_reader_init(struct ring_reader *r, const struct ring *ring, uint64_t size, uint64_t at)
{
	*r = (struct ring_reader){ .ring = ring, .size = size, .at = at, .head = at };
}

uint32_t
ring_look_slowly(struct ring_reader *r, const char **p, uint64_t *limit, int *broken)
{
	*broken = 0;
	if (r->at == r->head)
		r->head = atomic_load_explicit(&r->ring->head, memory_order_acquire);
	while (r->at != r->head) {
		uint64_t there = r->head - r->at, place = ring_place(r->at, r->size, &r->lap), left = r->size - place;
		if (there > r->size || there < 8 || (r->at & 7) != 0)
			break;
		*p = r->ring->bytes + place;
		*limit = left < there ? left : there;
		uint32_t len = get_u32(*p);
		/* never a whole lap: a writer of garbage would keep us here */
		if (len == 0 && left <= there && place) {
			r->at += left;
			if (r->at == r->head)
				r->head = atomic_load_explicit(&r->ring->head, memory_order_acquire);
			continue;
		}
		if (len < RECORD_HEADER || len > RECORD_MOST(MESSAGE_LIMIT) || record_stride(len) > *limit)
			break;
		return len;
	}
	*broken = r->at != r->head;
	return 0;
}

const void *
ring_copy(struct ring_reader *r, void *buffer, uint64_t room, int *broken)
{
	const char *p;
	uint64_t limit;
	uint32_t len = ring_look(r, &p, &limit, broken);
	if (len == 0)
		return NULL;
	if (record_stride(len) > room) {
		*broken = 1;
		return NULL;
	}
	memcpy(buffer, p, record_stride(len));
	put_u32(buffer, len);
	if (!record_is_sound(buffer, len)) {
		*broken = 1;
		return NULL;
	}
	r->at += record_stride(len);
	return buffer;
}
