/* groups - the groups of a shard: what records do to them, live, at a replay and after a check-point */
#include <lib/t.h>
#include <fcntl.h>
#include <mom.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "worker/checkpoint.h"
#include "format/group.h"
#include "format/properties.h"
#include "worker/shard.h"

enum { STEPS = 4000, CLIENTS = 6, GROUPS = 3, KEYS = 4, RECORD = 400 };
static const char *const names[GROUPS] = { "plain", "ordered", "exclusive" };
static const unsigned kinds[GROUPS] = { 0, MOM_GROUP_ORDERED, MOM_GROUP_EXCLUSIVE };

/* live: as a worker has it; told: begun from a check-point of it, and told each record since */
static struct shard live, told;
static int has_told, dir;
static uint64_t at, number;
static struct t_rng rng;
static char log_of[STEPS * 4][RECORD];           /* by offset / RECORD */

static void
tell(struct record *r, const char *topic, const void *data, uint32_t n)
{
	char *bytes = log_of[at / RECORD];
	r->offset = at;
	r->time = (int64_t)at * 1000;
	r->number = r->type == REC_HAND || r->type == REC_TAKE_BACK ? r->number : ++number;
	r->topic_len = topic ? (uint16_t)strlen(topic) : 0;
	record_make(bytes, r, topic, data, n);
	at += RECORD;
	shard_apply(&live, bytes, r->offset + record_stride(r->len));
	if (has_told)
		shard_apply(&told, bytes, r->offset + record_stride(r->len));
}

static uint64_t
client_id(unsigned n)
{
	return (uint64_t)(1 + n % 2) << 32 | (n + 1);
}

static void
order(uint8_t type, unsigned client, unsigned group, enum group_act act, const char *topic)
{
	char bytes[ORDER_MOST];
	struct group_order o = { .act = (uint8_t)act, .kind = (uint8_t)kinds[group], .prefetch = (uint16_t)(1 +
	    t_rng_below(&rng, 4)), .max_tries = GROUP_AS_IT_IS, .hand_timeout_s = GROUP_AS_IT_IS,
	    .max_hold_ms = GROUP_AS_IT_IS };
	struct record r = { .type = type, .publisher = client_id(client) };
	strcpy(o.name, names[group]);
	uint32_t n = group_order_put(bytes, &o);
	if (shard_client(&live, r.publisher) == NULL)
		return;
	/* the worker says what comes of it before it is logged */
	char record[RECORD];
	r.topic_len = topic ? (uint16_t)strlen(topic) : 0;
	record_make(record, &r, topic, bytes, n);
	r.aux = (uint64_t)(int64_t)groups_code(&live, shard_client(&live, r.publisher), &r, record);
	tell(&r, topic, bytes, n);
}

static void
message(void)
{
	char bytes[64], *p = bytes + 2;
	uint64_t key = t_rng_below(&rng, KEYS + 1);
	uint32_t n = 0;
	if (key < KEYS) {
		*p++ = MOM_P_KEY;
		put_u16(p, 2);
		p[2] = (char)('a' + key);
		p[3] = '\0';
		n = 2 + PROPERTY_HEAD + 2;
		put_u16(bytes, (uint16_t)(n - 2));
	}
	struct record r = { .type = REC_MESSAGE, .publisher = client_id(0),
	    .flags = (uint16_t)((n ? REC_F_PROPERTIES : 0) | t_rng_below(&rng, 2)) };
	if (shard_client(&live, r.publisher))
		tell(&r, t_rng_below(&rng, 2) ? "jobs/x" : "other", bytes, n);
}

static void
hand_out(struct group *g, const struct member *m, const char *from, uint64_t before, uint32_t tries)
{
	char bytes[RECORD], value[NOTE_MOST];
	struct record r, h;
	record_get(&r, from);
	struct hand_note note = { before, group_cursor(g), 0, tries, g->name };
	uint32_t others = hand_properties(from, &r), n = hand_note_put(value, &note);
	h = (struct record){ .type = REC_HAND, .flags = (uint16_t)((r.flags & REC_F_DURABLE) | REC_F_PROPERTIES),
	    .publisher = r.publisher, .number = m->client->subscriber.id, .aux = before ? r.aux : r.offset };
	others = others ? others : 2;
	put_u16(bytes, (uint16_t)(others - 2 + PROPERTY_HEAD + n));
	memcpy(bytes + 2, record_properties(from, &r) + 2, others - 2);
	bytes[others] = (char)PROPERTY_HAND;
	put_u16(bytes + others + 1, (uint16_t)n);
	memcpy(bytes + others + PROPERTY_HEAD, value, n);
	char topic[16];
	strcpy(topic, record_topic(from));
	tell(&h, topic, bytes, others + PROPERTY_HEAD + n);
}

/* 1: it waits for the group, and nobody has had it */
static int
is_unread(struct shard *s, const struct group *g, uint64_t offset)
{
	struct record r;
	record_get(&r, log_of[offset / RECORD]);
	return r.type == REC_MESSAGE && offset >= g->read_at && offset < g->newest && !group_is_ahead(g, offset) &&
	    groups_gets(&s->groups, g, record_topic(log_of[offset / RECORD]), r.topic_len, offset);
}

/* As a worker does it. */
static void
hand_one(struct group *g)
{
	int holds;
	struct hand *back = group_next_back(g, &holds);
	const struct member *m = group_next_member(g);
	uint64_t skipped = group_next_skipped(g);
	struct record r;
	if (m == NULL || holds || (g->kind & MOM_GROUP_EXCLUSIVE && g->back && back == NULL))
		return;
	if (back) {
		hand_out(g, m, log_of[back->offset / RECORD], back->offset, back->tries + 1);
		return;
	}
	if (skipped) {
		group_unskip(g, skipped);
		if (!groups_gets(&live.groups, g, record_topic(log_of[skipped / RECORD]),
		    get_u16(log_of[skipped / RECORD] + 12), skipped))
			return;
		hand_out(g, m, log_of[skipped / RECORD], 0, 1);
		return;
	}
	for (uint64_t offset = g->read_at; offset < g->newest; offset += RECORD) {
		const char *bytes = log_of[offset / RECORD];
		if (!is_unread(&live, g, offset))
			continue;
		record_get(&r, bytes);
		uint64_t key = group_key(g, bytes, &r);
		enum turn turn = group_turn(g, key);
		if (turn == TURN_WAIT)
			return;
		g->read_at = offset + RECORD;
		if (turn == TURN_TAKE) {
			REQUIRE(key == 0 || g->order == NULL || map_get(&g->keys, &key, sizeof key) == NULL, "key");
			hand_out(g, m, bytes, 0, 1);
			return;
		}
		group_skip(g, offset, key);
	}
}

static struct hand *
any_hand(struct group *g)
{
	size_t n = g->out + g->back + g->dead, i = n ? t_rng_below(&rng, n) : 0;
	struct hand *h = g->hands;
	while (h && i-- > 0)
		h = h->next;
	return h;
}

static void
settle(struct group *g, int is_stranger)
{
	char bytes[8];
	static const uint64_t verdicts[] = { SETTLE_DONE, SETTLE_DONE, SETTLE_BACK(0), SETTLE_DEAD };
	struct hand *h = any_hand(g);
	if (h == NULL)
		return;
	uint64_t member = h->member ? h->member->client->subscriber.id : client_id(0);
	struct record r = { .type = REC_SETTLE, .aux = h->offset, .publisher = is_stranger
	    ? client_id((unsigned)t_rng_below(&rng, CLIENTS)) : member };
	size_t before = g->out + g->back + g->dead;
	int is_his = h->state == TAKEN_OUT && r.publisher == member;
	put_u64(bytes, verdicts[t_rng_below(&rng, 4)]);
	tell(&r, NULL, bytes, 8);
	REQUIRE(is_his || before == g->out + g->back + g->dead, "a stranger settled a hand");
}

/* ---- the two are the same ---- */

static void
same_group(struct group *a)
{
	struct group *b = groups_find(&told.groups, a->name);
	REQUIRE(b && a->kind == b->kind && a->members == b->members && a->out == b->out && a->back == b->back &&
	    a->dead == b->dead && a->bindings.count == b->bindings.count, "%s: members %zu and %zu, out %zu and %zu, "
	    "back %zu and %zu, dead %zu and %zu", a->name, a->members, b ? b->members : 0, a->out, b ? b->out : 0,
	    a->back,
	    b ? b->back : 0, a->dead, b ? b->dead : 0);
	const struct hand *y = b->hands;
	for (const struct hand *x = a->hands; x; x = x->next, y = y->next)
		REQUIRE(y && x->offset == y->offset && x->origin == y->origin && x->state == y->state &&
		    x->tries == y->tries && x->key == y->key && x->durable == y->durable && x->why == y->why &&
		    (x->member ? x->member->client->subscriber.id : 0) ==
		    (y->member ? y->member->client->subscriber.id : 0), "%s: hand %llx", a->name,
		    (unsigned long long)x->offset);
	const struct member *n = b->first;
	for (const struct member *m = a->first; m; m = m->next, n = n->next)
		REQUIRE(n && m->client->subscriber.id == n->client->subscriber.id && m->prefetch == n->prefetch &&
		    m->out == n->out, "%s: members", a->name);
	for (uint64_t offset = 0; offset < at; offset += RECORD) {
		int skipped = 0;
		for (size_t i = 0; a->order && i < a->order->skipped_count; i++)
			skipped |= a->order->skipped[i].offset == offset &&
			    groups_gets(&live.groups, a, record_topic(log_of[offset / RECORD]),
			    get_u16(log_of[offset / RECORD] + 12), offset);
		REQUIRE((skipped || is_unread(&live, a, offset)) == is_unread(&told, b, offset), "%s: message %llx is "
		    "%staken live", a->name, (unsigned long long)offset, skipped || is_unread(&live, a, offset) ? "not "
		    "" : "");
		struct record r;
		record_get(&r, log_of[offset / RECORD]);
		if (r.type == REC_MESSAGE && (skipped || is_unread(&live, a, offset)))
			REQUIRE(groups_need(&live.groups, log_of[offset / RECORD], &r) &&
			    groups_needed_from(&live.groups, UINT64_MAX) <= offset, "what waits is not needed");
	}
	if (a->hands)
		REQUIRE(groups_needed_from(&live.groups, UINT64_MAX) <= a->hands->offset, "what is out is not needed");
}

static void
begin_told(void)
{
	told = (struct shard){ .dir = dir, .log = live.log };
	REQUIRE(checkpoint_write(&live, at) == 0 && checkpoint_load(&told) == 0, "check-point");
	has_told = 1;
}

static void
compare(void)
{
	size_t i = 0;
	REQUIRE(live.groups.count == told.groups.count && live.groups.hands.used == told.groups.hands.used, "groups");
	for (struct group *g; (g = map_each(&live.groups.names, &i)) != NULL;)
		same_group(g);
}

static void
step(void)
{
	unsigned client = (unsigned)t_rng_below(&rng, CLIENTS), group = (unsigned)t_rng_below(&rng, GROUPS);
	struct group *g = groups_find(&live.groups, names[group]);
	struct record r = { .publisher = client_id(client), .aux = 1 };
	switch (t_rng_below(&rng, 40)) {
	case 0: r.type = REC_CREATE; tell(&r, NULL, NULL, 0); break;
	case 1: r.type = REC_DESTROY; if (client) tell(&r, NULL, NULL, 0); break;
	case 2: r.type = REC_UNSUBSCRIBE; r.aux = 0; tell(&r, NULL, NULL, 0); break;
	case 3: case 4: case 5: order(REC_JOIN, client, group, GROUP_NONE, t_rng_below(&rng, 2) ? "jobs/#"
	    : NULL); break;
	case 6: order(REC_LEAVE, client, group, GROUP_NONE, NULL); break;
	case 7: order(REC_GROUP, client, group, GROUP_RETRY, NULL); break;
	case 8: if (t_rng_below(&rng, 4) == 0) order(REC_GROUP, client, group, GROUP_PURGE, NULL); break;
	case 9: if (t_rng_below(&rng, 8) == 0) order(REC_GROUP, client, group, GROUP_DELETE, NULL); break;
	case 10: order(REC_GROUP, client, group, GROUP_UNBIND, "jobs/#"); break;
	case 11: order(REC_GROUP, client, group, GROUP_BIND, "jobs/#"); break;
	case 12: case 13: case 14: case 15: case 16: case 17: case 18: case 19: case 20: message(); break;
	case 21: if (g && any_hand(g))
			tell(&(struct record){ .type = REC_TAKE_BACK, .aux = any_hand(g)->offset, .number = 1 +
			    t_rng_below(&rng, 5) }, NULL, NULL, 0);
		break;
	case 22: case 23: if (g) settle(g, 1); break;
	case 24: case 25: case 26: case 27: case 28: case 29: if (g) settle(g, 0); break;
	default: if (g) hand_one(g); break;
	}
	for (struct machine *m = live.machines; m; m = m->next)
		m->live = 1;
}

TEST(replayed, "whatever is asked of groups, a check-point and a replay of what came behind it bring back who is a "
    "member, what is out, came back, is dead and waits")
{
	t_rng_init(&rng, 3);
	live.dir = dir = open(t_dir(), O_RDONLY | O_DIRECTORY);
	at = RECORD;
	for (unsigned i = 0; i < CLIENTS; i++)
		tell(&(struct record){ .type = REC_CREATE, .publisher = client_id(i), .aux = 1 }, NULL, NULL, 0);
	for (int i = 0; i < STEPS; i++) {
		if (i % 250 == 0) {
			if (has_told)
				compare();
			begin_told();
		}
		step();
	}
	compare();
	REQUIRE(live.groups.totals.handed > 200 && live.groups.totals.settled > 50, "%llu were handed out",
	    (unsigned long long)live.groups.totals.handed);
}

TEST(settle, "only the member that has a hand settles it")
{
	t_rng_init(&rng, 4);
	at = RECORD;
	for (unsigned i = 0; i < 3; i++)
		tell(&(struct record){ .type = REC_CREATE, .publisher = client_id(i), .aux = 1 }, NULL, NULL, 0);
	order(REC_JOIN, 1, 0, GROUP_NONE, "jobs/#");
	for (struct machine *m = live.machines; m; m = m->next)
		m->live = 1;
	groups_machine_came(&live.groups, shard_client(&live, client_id(1)));
	struct group *g = groups_find(&live.groups, names[0]);
	for (int i = 0; i < 20 && g->newest == 0; i++)
		message();
	hand_one(g);
	REQUIRE(g->out == 1, "%zu are out", g->out);
	for (int i = 0; i < 50; i++)
		settle(g, 1);
	settle(g, 0);
	REQUIRE(g->out <= 1, "%zu are out", g->out);
}
