/* memo - see memo.h */
#include "routing/memo.h"
#include <stdlib.h>
#include <string.h>

struct memo_entry { void *value; size_t bytes; int owns; char topic[]; };

static void
entry_free(struct memo_entry *e)
{
	if (e->owns)
		free(e->value);
	free(e);
}

void
memo_clear(struct memo *m)
{
	size_t at = 0;
	for (struct memo_entry *e; (e = map_each(&m->entries, &at)) != NULL;)
		entry_free(e);
	map_free(&m->entries);
	*m = (struct memo){ .stale = 0 };
}

int
memo_get(struct memo *m, const char *topic, size_t len, void **value)
{
	if (m->stale)
		memo_clear(m);
	const struct memo_entry *e = map_get(&m->entries, topic, len);
	if (e)
		*value = e->value;
	return e != NULL;
}

void
memo_drop(struct memo *m, const char *topic, size_t len)
{
	struct memo_entry *e = map_del(&m->entries, topic, len);
	if (e == NULL)
		return;
	m->bytes -= e->bytes;
	entry_free(e);
}

int
memo_put(struct memo *m, const char *topic, size_t len, void *value, size_t bytes)
{
	size_t more = sizeof(struct memo_entry) + len + bytes + 2 * sizeof(struct map_entry);
	if (m->bytes + more > MEMO_BYTES)
		memo_clear(m);
	struct memo_entry *e = malloc(sizeof *e + len);
	if (e == NULL)
		return -1;
	e->value = value;
	e->owns = bytes > 0;
	e->bytes = more;
	memcpy(e->topic, topic, len);
	if (map_add(&m->entries, e->topic, len, e) < 0) {
		free(e);
		return -1;
	}
	m->bytes += more;
	return 0;
}
