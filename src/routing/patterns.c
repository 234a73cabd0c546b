/* patterns - see patterns.h */
#include "routing/patterns.h"
#include "base/map.h"
#include "format/topic.h"
#include <stdlib.h>
#include <string.h>

/* PLUS and STAR mean the same, but belong to different names. MANY and REST take in further levels for as long as there
 * are any. */
enum wildcard { PLUS, STAR, MANY, REST, WILDCARDS, LITERAL = WILDCARDS };
static const char wildcards[] = "+*#>";

/* A level of a pattern behind those above it. */
struct pattern_node {
	struct pattern_node *above;
	enum wildcard is;
	/* The nodes below it that are literals: a lone one, which needs no map, or all of them by their texts. */
	struct pattern_node *lone;
	struct map literal;
	struct pattern_node *wild[WILDCARDS]; /* ... and those that are wildcards */
	size_t below;                         /* how many there are below it */
	void *value;                          /* a pattern ends here */
	uint64_t walk;                        /* it is in the set of that level of that walk */
	size_t len;
	char text[];                          /* LITERAL */
};

/* ---- the tree ---- */

static inline struct pattern_node *
literal_get(const struct pattern_node *n, const char *text, size_t len)
{
	if (n->lone)
		return n->lone->len == len && memcmp(n->lone->text, text, len) == 0 ? n->lone : NULL;
	return map_get(&n->literal, text, len);
}

static int
literal_add(struct pattern_node *above, struct pattern_node *n)
{
	struct pattern_node *lone = above->lone;
	if (lone == NULL && above->literal.used == 0) {
		above->lone = n;
		return 0;
	}
	if (lone && map_add(&above->literal, lone->text, lone->len, lone) < 0)
		return -1;
	above->lone = NULL;
	return map_add(&above->literal, n->text, n->len, n);
}

static struct pattern_node *
node_new(struct patterns *p, struct pattern_node *above, enum wildcard is, const char *text, size_t len)
{
	struct pattern_node *n = calloc(1, sizeof *n + len);
	if (n == NULL)
		return NULL;
	*n = (struct pattern_node){ .above = above, .is = is, .len = len };
	memcpy(n->text, text, len);
	if (is != LITERAL)
		above->wild[is] = n;
	else if (above && literal_add(above, n) < 0) {
		free(n);
		return NULL;
	}
	p->nodes++;
	if (above)
		above->below++;
	return n;
}

static struct pattern_node *
node_below(struct patterns *p, struct pattern_node *above, const char *level, size_t len, int make)
{
	const char *wild = len == 1 ? memchr(wildcards, level[0], WILDCARDS) : NULL;
	enum wildcard is = wild ? (enum wildcard)(wild - wildcards) : LITERAL;
	struct pattern_node *n = wild ? above->wild[is] : literal_get(above, level, len);
	return n || !make ? n : node_new(p, above, is, level, len);
}

/* Takes away a node that has none below it. */
static void
node_free(struct patterns *p, struct pattern_node *n)
{
	if (n->above && n->above->lone == n)
		n->above->lone = NULL;
	else if (n->above && n->is == LITERAL)
		map_del(&n->above->literal, n->text, n->len);
	else if (n->above)
		n->above->wild[n->is] = NULL;
	if (n->above)
		n->above->below--;
	p->nodes--;
	map_free(&n->literal);
	free(n);
}

/* It goes, and so do those above it that nothing needs any more. */
static void
node_prune(struct patterns *p, struct pattern_node *n)
{
	for (struct pattern_node *above; n->above && n->value == NULL && n->below == 0; n = above) {
		above = n->above;
		node_free(p, n);
	}
}

static struct pattern_node *
node_first_below(const struct pattern_node *n)
{
	size_t at = 0;
	struct pattern_node *below = n->lone ? n->lone : map_each(&n->literal, &at);
	for (int k = 0; k < WILDCARDS && below == NULL; k++)
		below = n->wild[k];
	return below;
}

/* The next level of a name from *at on; 0: there is none. */
static int
next_level(const char *name, size_t len, char separator, size_t *at, const char **level, size_t *n)
{
	if (*at > len)
		return 0;
	const char *end = memchr(name + *at, separator, len - *at);
	*level = name + *at;
	*n = end ? (size_t)(end - *level) : len - *at;
	*at += *n + 1;
	return 1;
}

static struct pattern_node *
node_of(struct patterns *p, const char *pattern, size_t len, int make)
{
	char separator = pattern_separator(pattern, len);
	struct pattern_node **root = &p->root[separator == '.'], *n = *root, *below;
	const char *level;
	size_t at = 0, size;
	if (n == NULL && make)
		n = *root = node_new(p, NULL, LITERAL, "", 0);
	while (n && next_level(pattern, len, separator, &at, &level, &size)) {
		below = node_below(p, n, level, size, make);
		if (below == NULL)
			node_prune(p, n);
		n = below;
	}
	return n;
}

static int
set_grow(void ***array, size_t *room, size_t wanted)
{
	if (wanted <= *room)
		return 0;
	void **grown = realloc(*array, wanted * 2 * sizeof *grown);
	if (grown == NULL)
		return -1;
	*array = grown;
	*room = wanted * 2;
	return 0;
}

/* So that no match fails: a set holds no node twice, and no pattern is found twice. */
static int
make_room(struct patterns *p)
{
	size_t room = p->set_room;
	return set_grow(&p->found, &p->found_room, p->count + 1) < 0 || set_grow(&p->reached, &room, p->nodes) < 0 ||
	    set_grow(&p->next, &p->set_room, p->nodes) < 0 ? -1 : 0;
}

int
patterns_add(struct patterns *p, const char *pattern, size_t len, void *value)
{
	struct pattern_node *n = node_of(p, pattern, len, 1);
	if (n == NULL)
		return -1;
	if (make_room(p) < 0) {
		node_prune(p, n);
		return -1;
	}
	n->value = value;
	p->count++;
	return 0;
}

void
patterns_remove(struct patterns *p, const char *pattern, size_t len)
{
	struct pattern_node *n = node_of(p, pattern, len, 0);
	n->value = NULL;
	p->count--;
	node_prune(p, n);
}

void
patterns_free(struct patterns *p)
{
	for (int i = 0; i < 2; i++)
		for (struct pattern_node *n = p->root[i], *next; n; n = next) {
			next = node_first_below(n);
			if (next)
				continue;
			next = n->above;
			node_free(p, n);
		}
	free(p->found);
	free(p->reached);
	free(p->next);
	*p = (struct patterns){ .count = 0 };
}

/* ---- a topic's walk ---- */

struct reached { struct patterns *set; void **nodes; size_t count; };

/* And with it what stands for no level at all. */
static void
reach(struct reached *w, struct pattern_node *n)
{
	for (; n && n->walk != w->set->walk; n = n->wild[MANY]) {
		n->walk = w->set->walk;
		w->nodes[w->count++] = n;
	}
}

static void
step(struct reached *w, struct pattern_node *n, const char *level, size_t len, int wild)
{
	if (n->is == MANY || n->is == REST)
		reach(w, n);
	reach(w, literal_get(n, level, len));
	for (enum wildcard k = 0; wild && k < WILDCARDS; k++)
		if (k != MANY)                        /* which was reached with the node */
			reach(w, n->wild[k]);
}

/* Walks the topic from the root on. What its last level reached is in *from. 0; -1: it took more visits */
static int
walk(struct patterns *p, struct pattern_node *root, const char *topic, size_t len, struct reached *from, size_t *visits)
{
	struct reached to = { p, p->next, 0 };
	char separator = root == p->root[0] ? '/' : '.';
	const char *level;
	size_t at = 0, size;
	int wild = topic[0] != '$';
	*from = (struct reached){ p, p->reached, 0 };
	p->walk++;
	if (wild)
		reach(from, root);
	else
		from->nodes[from->count++] = root;
	for (; from->count && next_level(topic, len, separator, &at, &level, &size); wild = 1) {
		if (from->count > *visits)
			return -1;
		*visits -= from->count;
		p->walk++;
		to.count = 0;
		for (size_t i = 0; i < from->count; i++)
			step(&to, from->nodes[i], level, size, wild);
		struct reached last = *from;
		*from = to;
		to = last;
	}
	return 0;
}

size_t
patterns_match(struct patterns *p, const char *topic, size_t len, void ***values)
{
	size_t found = 0, visits = SIZE_MAX;
	struct reached last;
	for (int k = 0; p->count && k < 2; k++) {
		if (p->root[k] == NULL)
			continue;
		walk(p, p->root[k], topic, len, &last, &visits);
		for (size_t i = 0; i < last.count; i++) {
			const struct pattern_node *n = last.nodes[i];
			if (n->value)
				p->found[found++] = n->value;
		}
	}
	*values = p->found;
	return found;
}

int
patterns_any(struct patterns *p, const char *topic, size_t len, size_t visits)
{
	struct reached last;
	for (int k = 0; p->count && k < 2; k++) {
		if (p->root[k] && walk(p, p->root[k], topic, len, &last, &visits) < 0)
			return -1;
		for (size_t i = 0; p->root[k] && i < last.count; i++) {
			const struct pattern_node *n = last.nodes[i];
			if (n->value)
				return 1;
		}
	}
	return 0;
}
