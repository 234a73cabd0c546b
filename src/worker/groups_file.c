/* groups_file - the file `groups` of a shard, for people that look: made from the state, and never read by us. A line
 * begins with what it is of:
 *     group NAME KIND max-tries N hand-timeout S max-hold MS members N waiting N bytes N out N back N dead N handed N
 *         settled N oldest US                           (one line; oldest: when the first that waits was stored, or 0)
 *     bind PATTERN         member CLIENT PREFETCH OUT   dead ORIGIN COPY TRIES WHY       of the group above */
#include "worker/groups_file.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/log.h"
#include "format/record.h"
#include <errno.h>
#include <mom.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* REST: it rests so many times as long as it took. DEAD_SHOWN: of a group */
enum { FILE_REST = 20, DEAD_SHOWN = 10000, MEMBERS_SHOWN = 10000, LINE = 512 };

struct text { char *bytes; size_t n, room; int bad; };

static void __attribute__((format(printf, 2, 3)))
put(struct text *t, const char *format, ...)
{
	va_list ap;
	if (t->room - t->n < LINE) {
		char *grown = realloc(t->bytes, t->room * 2 + 4 * LINE);
		t->bad |= grown == NULL;
		if (grown == NULL)
			return;
		t->bytes = grown;
		t->room = t->room * 2 + 4 * LINE;
	}
	va_start(ap, format);
	int n = vsnprintf(t->bytes + t->n, LINE, format, ap);
	va_end(ap);
	t->n += n > 0 && n < LINE ? (size_t)n : 0;
}

static const char *
kind_in_words(unsigned kind)
{
	static const char *const words[] = { "plain", "temporary", "ordered", "temporary,ordered", "exclusive",
	    "temporary,exclusive" };
	return words[kind < sizeof words / sizeof *words ? kind : 0];
}

static void
put_group(struct text *t, const struct group *g)
{
	size_t shown = 0;
	put(t, "group %s %s max-tries %u hand-timeout %u max-hold %u members %zu waiting %llu bytes %llu out %zu back "
	    "%zu dead %zu handed %llu settled %llu oldest %lld\n", g->name, kind_in_words(g->kind), g->max_tries,
	    g->hand_timeout_s, g->max_hold_ms, g->members, (unsigned long long)g->waiting,
	    (unsigned long long)g->waiting_bytes, g->out, g->back, g->dead, (unsigned long long)g->handed,
	    (unsigned long long)g->settled, g->waiting ? (long long)g->oldest_us : 0LL);
	for (const struct subscription *sub = g->bindings.first; sub; sub = sub->next_of_client)
		put(t, "bind %s\n", sub->of.topic->name);
	for (const struct member *m = g->first; m && shown < MEMBERS_SHOWN; m = m->next, shown++)
		put(t, "member %016llx %u %u\n", (unsigned long long)((const struct subscriber *)m->client)->id,
		    m->prefetch, m->out);
	shown = 0;
	for (const struct hand *h = g->hands; h && g->dead && shown < DEAD_SHOWN; h = h->next)
		if (h->state == TAKEN_DEAD && shown++ < DEAD_SHOWN)
			put(t, "dead %016llx %016llx %u %s\n", (unsigned long long)h->origin,
			    (unsigned long long)h->offset, h->tries, h->why == DEAD_TRIES ? "tries" : "rejected");
}

void
groups_file_look(struct groups *gs, int dir, int at_once)
{
	int64_t began = clock_ms();
	struct text t = { 0 };
	size_t at = 0;
	if (!gs->changed || (!at_once && began < gs->file_rests_until))
		return;
	for (const struct group *g; (g = map_each(&gs->names, &at)) != NULL;)
		put_group(&t, g);
	if (t.bad || fdio_replace(dir, "groups", t.bytes ? t.bytes : "", t.n, 0) < 0)
		log_debug("groups: %s", strerror(errno));      /* nobody but people reads it */
	free(t.bytes);
	gs->changed = 0;
	gs->file_rests_until = clock_ms() + FILE_REST * (clock_ms() - began);
}
