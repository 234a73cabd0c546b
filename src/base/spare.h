/* A descriptor that is kept for the moment when there is none left (EMFILE, ENFILE). With it a newcomer can still be
 * taken, told, and sent away. Without it the newcomer stays in the backlog: poll(2) returns at once, for ever, and
 * nobody is told anything. */
#ifndef SPARE_H
#define SPARE_H
#include <stdint.h>
struct spare { int fd, is_full; int64_t until_ms; };
void spare_open(struct spare *s);
/* accept4(2). If it takes the spare descriptor, s->is_full is set: close the socket soon, then call spare_open. */
int  spare_accept(struct spare *s, int listener, int flags);
/* 1: accepting can succeed now, so poll the listener. 0: wait until s->until_ms. */
int  spare_is_ready(const struct spare *s, int64_t now);
#endif
