/* bytes - see bytes.h */
#include "term/bytes.h"
#include <stdlib.h>
#include <string.h>

int
bytes_replace(struct bytes *b, size_t from, size_t to, const char *p, size_t n)
{
	if (b->n + n + 1 > b->room) {
		size_t room = 2 * (b->n + n) + 64;
		char *bigger = realloc(b->p, room);
		if (bigger == NULL)
			return -1;
		b->p = bigger;
		b->room = room;
	}
	memmove(b->p + from + n, b->p + to, b->n - to);
	memcpy(b->p + from, p, n);
	b->n += n - (to - from);
	b->p[b->n] = '\0';
	return 0;
}
