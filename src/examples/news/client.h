/* client - what a browser does with the two pages: forms are sent, events come in */
#ifndef CLIENT_H
#define CLIENT_H

#include <stddef.h>

struct client_stream { int fd; size_t len; int skip; char bytes[65536]; };

/* Sends a form; the status of the answer, -1: none (errno). */
int client_post(int port, const char *path, const char *form);
int client_stream_open(struct client_stream *s, int port);        /* 0, -1 with errno */
/* The next entry (a line of JSON) into json. 1, 0: none within timeout_ms, -1: the stream has ended, or a signal
 * came. */
int client_stream_next(struct client_stream *s, int timeout_ms, char *json, size_t size);
void client_stream_close(struct client_stream *s);
#endif
