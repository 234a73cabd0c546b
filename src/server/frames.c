/* frames - see frames.h */
#include "server/frames.h"
#include "base/fdio.h"
#include "base/log_peer.h"
#include "base/net.h"
#include "ipc/counters.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char *
frames_memory(size_t n)
{
	char *memory = malloc(n);
	if (memory == NULL)
		log_fatal(EXIT_SYSTEM, "no memory for frames of %zu bytes: see `free`", n);
	return memory;
}

void
frames_in_begin(struct frames_in *in, int socket, uint32_t message_max)
{
	*in = (struct frames_in){ .socket = socket, .most = RECORD_MOST(message_max) };
	in->room = BATCH + in->most;
	in->buffer = frames_memory(in->room);
}

ssize_t
frames_wait(struct frames_in *in)
{
	in->have -= in->at;
	if (in->at)
		memmove(in->buffer, in->buffer + in->at, in->have);
	in->at = 0;
	size_t n = in->room - in->have < BATCH ? in->room - in->have : BATCH;
	ssize_t r = idling_read(&in->idling, in->socket, in->buffer + in->have, n);
	if (r < 0 && errno == ECONNRESET)
		return 0;
	if (r > 0) {
		in->have += (size_t)r;
		counters_add(COUNT_BYTES_IN, (uint64_t)r);
	}
	return r;
}

char *
frames_next(struct frames_in *in, const char **fault)
{
	char *frame = in->buffer + in->at;
	if (in->have - in->at < RECORD_HEADER)
		return NULL;
	if (!record_header_is_sound(frame, in->most)) {
		*fault = "a frame whose lengths cannot be";
		return NULL;
	}
	uint32_t stride = record_stride(get_u32(frame));
	if (stride > in->have - in->at)
		return NULL;
	if (!record_body_is_sound(frame)) {
		*fault = "a frame whose topic cannot be";
		return NULL;
	}
	in->at += stride;
	return frame;
}

/* ---- out ---- */

void
frames_out_begin(struct frames_out *out, int socket, uint64_t peer, size_t room)
{
	*out = (struct frames_out){ .socket = socket, .peer = peer, .bytes = frames_memory(room), .room = room };
}

static void
frames_write(struct frames_out *out, const void *bytes, size_t n)
{
	out->moved += n;
	counters_add(COUNT_BYTES_OUT, n);
	if (n == 0 || fdio_write_full(out->socket, bytes, n) == 0)
		return;
	if (errno == EPIPE || errno == ECONNRESET || errno == ETIMEDOUT)
		exit(0);
	log_peer_fatal(EXIT_SYSTEM, out->peer, "write(socket): %s: %s", strerror(errno), net_hint(errno));
}

void
frames_flush(struct frames_out *out)
{
	frames_write(out, out->bytes, out->have);
	out->have = 0;
}

char *
frames_room(struct frames_out *out, size_t n)
{
	if (out->have + n > out->room)
		frames_flush(out);
	return out->bytes + out->have;
}

uint32_t
frames_put(struct frames_out *out, struct record *r, const void *payload, uint32_t n)
{
	uint32_t stride = record_make(frames_room(out, RECORD_HEADER + n + 8), r, NULL, payload, n);
	out->have += stride;
	return stride;
}

void
frames_put_bytes(struct frames_out *out, const void *bytes, size_t n)
{
	if (n > out->room - out->have) {
		frames_flush(out);
		frames_write(out, bytes, n);
		return;
	}
	memcpy(out->bytes + out->have, bytes, n);
	out->have += n;
}
