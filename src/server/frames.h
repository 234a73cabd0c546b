/* Frames on the socket between a machine and its broker. The four processes at its two ends read and write through
 * these.
 *     char *frame;
 *     const char *fault = NULL;
 *     while (frames_wait(&in) > 0) {
 *         while ((frame = frames_next(&in, &fault)) != NULL) take(frame);
 *         if (fault) give_up(fault);
 *     } */
#ifndef FRAMES_H
#define FRAMES_H
#include "format/record.h"
#include "ipc/idling.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct frames_in {
	int socket;
	uint32_t most;                   /* bytes of a largest frame */
	char *buffer;
	size_t at, have, room;           /* at: what was taken */
	struct idling idling;
};
void    frames_in_begin(struct frames_in *in, int socket, uint32_t message_max);
/* Sleeps until more has come. The bytes; 0: the peer closed; -1: errno. EAGAIN: it was silent for 12 s. What
 * frames_next returned before is not valid any more. */
ssize_t frames_wait(struct frames_in *in);
/* The next frame that has come as a whole; its lengths and its topic's form are sound. NULL: there is none, or *fault
 * says what is wrong with it. */
char   *frames_next(struct frames_in *in, const char **fault);

/* What goes out is gathered, so that small frames leave together. */
struct frames_out {
	int socket;
	uint64_t peer;                   /* whose lines of the log are counted, see log_peer.h */
	char *bytes;
	size_t have, room;
	uint64_t moved;                  /* bytes to the socket */
};
void     frames_out_begin(struct frames_out *out, int socket, uint64_t peer, size_t room);
/* Writes what was gathered. Ends the process where the peer is gone (exit 0), or the socket fails. */
void     frames_flush(struct frames_out *out);
/* n bytes of memory behind what was gathered. They count once out->have is raised. n is at most out->room. */
char    *frames_room(struct frames_out *out, size_t n);
uint32_t frames_put(struct frames_out *out, struct record *r, const void *payload, uint32_t n); /* its stride */
/* Whole frames that are made already. Those that do not fit are written from where they lie. */
void     frames_put_bytes(struct frames_out *out, const void *bytes, size_t n);
#endif
