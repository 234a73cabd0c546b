/* levels - see levels.h */
#include <lib/levels.h>
#include <stddef.h>
#include <string.h>

enum { LEVELS = 256 };                         /* of 255 bytes, all of which part them */
struct levels { int count; const char *at[LEVELS]; size_t len[LEVELS]; };

static void
split(struct levels *l, const char *name, char separator)
{
	l->count = 0;
	for (const char *p = name;; p++) {
		const char *end = strchr(p, separator);
		l->at[l->count] = p;
		l->len[l->count++] = end ? (size_t)(end - p) : strlen(p);
		if (end == NULL || l->count == LEVELS)
			return;
		p = end;
	}
}

static int
is_same(const struct levels *p, int i, const struct levels *t, int k)
{
	return p->len[i] == t->len[k] && memcmp(p->at[i], t->at[k], p->len[i]) == 0;
}

/* rest[i][k]: what follows level i of the pattern matches what follows level k of the topic */
int
levels_match(const char *pattern, const char *topic)
{
	static char rest[LEVELS + 1][LEVELS + 1];
	struct levels p, t;
	char separator = strpbrk(pattern, "/+") ? '/' : '.';
	split(&p, pattern, separator);
	split(&t, topic, separator);
	for (int i = p.count; i >= 0; i--)
		for (int k = t.count; k >= 0; k--) {
			char c = i < p.count && p.len[i] == 1 ? p.at[i][0] : '\0';
			if (i == p.count)
				rest[i][k] = k == t.count;
			else if (c == '#')
				rest[i][k] = rest[i + 1][k] || (k < t.count && rest[i][k + 1]);
			else if (k == t.count)
				rest[i][k] = 0;
			else
				rest[i][k] = c == '>' || ((c == '+' || c == '*' || is_same(&p, i, &t, k)) &&
				    rest[i + 1][k + 1]);
		}
	return rest[0][0];
}
