/* lineedit_bytes - bytes that grow. See lineedit_inner.h. */
#include "term/lineedit_inner.h"
#include <stdlib.h>
#include <string.h>

int
bytes_put(struct bytes *b, size_t at, const void *p, size_t n)
{
	if (b->n + n + 1 > b->room) {
		size_t room = 2 * (b->n + n) + 64;
		char *bigger = realloc(b->p, room);
		if (bigger == NULL)
			return -1;
		b->p = bigger;
		b->room = room;
	}
	memmove(b->p + at + n, b->p + at, b->n - at);
	if (n > 0)
		memcpy(b->p + at, p, n);
	b->n += n;
	b->p[b->n] = '\0';
	return 0;
}

void
bytes_cut(struct bytes *b, size_t from, size_t to)
{
	if (from >= to)
		return;
	memmove(b->p + from, b->p + to, b->n - to);
	b->n -= to - from;
	b->p[b->n] = '\0';
}

/* p may not lie in b */
int
bytes_set(struct bytes *b, const void *p, size_t n)
{
	size_t old = b->n;
	if (bytes_put(b, old, p, n) < 0)
		return -1;
	bytes_cut(b, 0, old);
	return 0;
}

const char *
bytes_text(const struct bytes *b)
{
	return b->p ? b->p : "";
}
