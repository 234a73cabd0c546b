/* A byte ring in shared memory: one writer, one reader, whole records. head and tail are free-running counters with one writer
 * each, so a death at any instruction leaves nothing half visible. A first u32 of 0 skips to the ring's end (a pad).
 * Sizes come from the caller, never from the shared memory; what is read there is checked before it is used. */
#ifndef RING_H
#define RING_H
#include "common/ipcq.h"
#include <mom/record.h>

struct ring {
	_Alignas(64) _Atomic uint64_t head;
	_Alignas(64) _Atomic uint64_t tail;
	_Alignas(64) struct bell bell;
	_Alignas(64) char bytes[];
};

struct ring_writer {
	struct ring *ring;
	uint64_t size, window;   /* window: bytes that must still fit behind an early wrap */
	uint64_t head;           /* ahead of ring->head by what is not published yet */
	uint64_t tail;           /* as last seen: looking costs a cache line that the reader owns */
};

struct ring_reader {
	const struct ring *ring;
	uint64_t size, at;       /* at: ahead of ring->tail by what is not released yet */
	uint64_t head;           /* as last seen */
};

void ring_writer_init(struct ring_writer *w, struct ring *ring, uint64_t size, uint64_t window);
/* Room for one record of that stride, contiguous, or NULL: full. ring_advance takes it, ring_publish shows it to the reader. */
void *ring_reserve(struct ring_writer *w, uint32_t stride);
void ring_advance(struct ring_writer *w, uint32_t stride);
void ring_publish(struct ring_writer *w);
uint64_t ring_used(struct ring_writer *w);

void ring_reader_init(struct ring_reader *r, const struct ring *ring, uint64_t size, uint64_t at);
/* The next record below head in place (sound by its lengths), or NULL: none; or NULL and *broken: garbage. */
const void *ring_next(struct ring_reader *r, int *broken);
/* The same where the other side may write at any moment: the record is copied into buffer (room bytes: one that is larger is garbage), then the copy is checked. */
const void *ring_copy(struct ring_reader *r, void *buffer, uint64_t room, int *broken);
#endif
