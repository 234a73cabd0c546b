/* ring - see ring.h */
#include "common/ring.h"

void
ring_writer_init(struct ring_writer *w, struct ring *ring, uint64_t size, uint64_t window)
{
	*w = (struct ring_writer){ ring, size, window, atomic_load(&ring->head) };
}

uint64_t
ring_used(const struct ring_writer *w)
{
	return w->head - atomic_load_explicit(&w->ring->tail, memory_order_acquire);
}

/* A pad is published on its own, so that a reader can release it while the frame behind it still waits for room. */
static void
ring_pad(struct ring_writer *w, uint64_t left)
{
	put_u32(w->ring->bytes + w->head % w->size, 0);
	w->head += left;
	ring_publish(w);
}

void *
ring_reserve(struct ring_writer *w, uint32_t stride)
{
	uint64_t used = ring_used(w), at = w->head % w->size, left = w->size - at;
	if (used > w->size)
		return NULL;                     /* the other side wrote nonsense: to us it is full */
	uint64_t behind = w->window > stride ? w->window : stride;
	if (at >= RING_EARLY && used + left + behind <= w->size) {
		ring_pad(w, left);
		return w->ring->bytes;
	}
	if (stride <= left)
		return used + stride <= w->size ? w->ring->bytes + at : NULL;
	if (used + left + stride > w->size && used != 0)
		return NULL;
	if (used + left > w->size)
		return NULL;
	ring_pad(w, left);
	return ring_used(w) + stride <= w->size ? w->ring->bytes : NULL;
}

void
ring_advance(struct ring_writer *w, uint32_t stride)
{
	w->head += stride;
}

void
ring_publish(struct ring_writer *w)
{
	atomic_store_explicit(&w->ring->head, w->head, memory_order_release);
}

void
ring_reader_init(struct ring_reader *r, const struct ring *ring, uint64_t size, uint64_t at)
{
	*r = (struct ring_reader){ ring, size, at };
}

const void *
ring_next(struct ring_reader *r, int *broken)
{
	uint64_t head = atomic_load_explicit(&r->ring->head, memory_order_acquire);
	*broken = 0;
	while (r->at != head) {
		uint64_t there = head - r->at, place = r->at % r->size, left = r->size - place;
		const char *p = r->ring->bytes + place;
		if (there > r->size || there < 8 || (r->at & 7) != 0) {
			*broken = 1;
			return NULL;
		}
		uint32_t len = get_u32(p);
		if (len == 0) {
			if (left > there) {
				*broken = 1;
				return NULL;
			}
			r->at += left;
			continue;
		}
		uint64_t limit = left < there ? left : there;
		if (!record_is_sound(p, limit) || record_stride(len) > limit) {
			*broken = 1;
			return NULL;
		}
		r->at += record_stride(len);
		return p;
	}
	return NULL;
}
