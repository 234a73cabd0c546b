/* checkpoint - proves: of any check-point file a worker takes up either nothing, with a clear error, or a state that is
 * sound: what it writes as its own next check-point is taken up again and is the same.
 * INPUT  u8 what is repaired (1: header, 2: CRCs, 4: also lengths); then the bytes of the file */
#include <errno.h>
#include "base/crc32c.h"
#include "base/fdio.h"
#include "worker/checkpoint.h"
#include "take_over.h"

static struct {
	struct fuzz_input in;
	char *file;                                /* checkpoint in the folder */
	size_t n;
} fz;

static void *
edge_load(int dir, const char *name, size_t *n, size_t most)
{
	FUZZ_CHECK(dir == 7 && strcmp(name, "checkpoint") == 0 && fz.n <= most);
	char *p = malloc(fz.n + 1);
	memcpy(p, fz.file, fz.n);
	p[fz.n] = '\0';
	*n = fz.n;
	return p;
}

static int
edge_replace(int dir, const char *name, const void *bytes, size_t n, int durable)
{
	FUZZ_CHECK(dir == 7 && strcmp(name, "checkpoint") == 0 && durable);
	fz.file = malloc(n);
	memcpy(fz.file, bytes, n);
	fz.n = n;
	return 0;
}

#define fdio_load    edge_load
#define fdio_replace edge_replace
#include "base/heap.c"
#include "base/map.c"
#include "routing/memo.c"
#include "routing/patterns.c"
#include "routing/subscriptions.c"
#include "worker/shard.c"
#include "worker/shard_apply.c"
#include "worker/groups.c"
#include "worker/hands.c"
#include "worker/groups_apply.c"
#include "log/checkpoint_file.c"
#include "worker/checkpoint.c"

static void
repair(char *b, size_t n, unsigned how)
{
	uint64_t records = 0;
	if (n < CHECKPOINT_HEADER)
		return;
	for (size_t at = CHECKPOINT_HEADER; (how & 2) && at + RECORD_HEADER <= n; records++) {
		char *p = b + at;
		if (how & 4) {
			p[8] = RECORD_HEADER;
			put_u16(p + 12, get_u16(p + 12) & 3);
			put_u32(p, RECORD_HEADER + (get_u32(p) & 127));
		}
		uint32_t len = get_u32(p);
		if (len < RECORD_HEADER || len > n - at)
			break;
		put_u32(p + 4, record_crc(p, len, get_u64(b + 16)));
		at += record_stride(len);
	}
	if (how & 1) {
		memcpy(b, "MOMCKPT\n", 8);
		put_u32(b + 8, CHECKPOINT_VERSION);
		put_u64(b + 24, records);
		put_u32(b + 60, crc32c(0, b, 60));
	}
}

static size_t
count_subscriptions(const struct shard *s)
{
	size_t at = 0, of_clients = 0, of_topics = 0, of_machines = 0;
	for (struct client *c; (c = map_each(&s->table.clients, &at)) != NULL;)
		for (struct subscription *sub = c->subscriber.first; sub; sub = sub->next_of_client) {
			struct subscribed *t = sub->of.topic;
			FUZZ_CHECK(sub->of.client == &c->subscriber && map_get(&s->table.topics, t->name, t->len) == t);
			of_clients++;
		}
	at = 0;
	for (struct topic *t; (t = map_each(&s->table.topics, &at)) != NULL;) {
		FUZZ_CHECK(t->subscribed.len > 0 && t->subscribed.len <= MOM_TOPIC_MAX);
		for (struct subscription *sub = t->subscribed.first; sub; sub = sub->next_of_topic, of_topics++) {
			struct subscriber *c = sub->of.client;
			FUZZ_CHECK(&shard_client(s, c->id)->subscriber == c &&
			    subscriptions_find(&s->table, c, &t->subscribed) == sub);
		}
	}
	for (const struct machine *m = s->machines; m; m = m->next)
		of_machines += m->subscriptions;
	FUZZ_CHECK(of_clients == of_topics && of_topics == of_machines);
	return of_clients;
}

static void
is_same(const struct shard *s, const struct shard *again)
{
	size_t at = 0;
	FUZZ_CHECK(s->table.clients.used == again->table.clients.used &&
	    s->table.topics.used == again->table.topics.used && s->checkpoint == again->checkpoint);
	FUZZ_CHECK(count_subscriptions(s) == count_subscriptions(again));
	for (struct client *c; (c = map_each(&s->table.clients, &at)) != NULL;) {
		const struct client *b = shard_client(again, c->subscriber.id);
		FUZZ_CHECK(b && b->last == c->last && b->durable == c->durable &&
		    b->result_number == c->result_number && b->result_code == c->result_code &&
		    b->lost_from == c->lost_from && b->lost_to == c->lost_to);
		FUZZ_CHECK(b->machine->place == c->machine->place && b->machine->serial == c->machine->serial);
	}
	at = 0;
	FUZZ_CHECK(s->groups.count == again->groups.count && s->groups.hands.used == again->groups.hands.used);
	for (const struct group *g; (g = map_each(&s->groups.names, &at)) != NULL;) {
		const struct group *b = groups_find(&again->groups, g->name);
		FUZZ_CHECK(b && b->kind == g->kind && b->members == g->members && b->out == g->out &&
		    b->back == g->back && b->dead == g->dead && group_cursor(b) == group_cursor(g) &&
		    b->newest == g->newest && b->bindings.count == g->bindings.count);
		size_t hands = 0;
		for (const struct hand *h = g->hands; h; h = h->next, hands++)
			FUZZ_CHECK(groups_hand(&again->groups, h->offset) && groups_hand(&s->groups, h->offset) == h);
		FUZZ_CHECK(hands == g->out + g->back + g->dead);
	}
	for (const struct machine *m = s->machines; m; m = m->next)
		FUZZ_CHECK(shard_machine((struct shard *)(uintptr_t)again, m->serial)->place == m->place);
}

static void
body(void)
{
	struct shard s = { .dir = 7 }, again = { .dir = 7 };
	unsigned how = (unsigned)fuzz_number(&fz.in, 1);
	fz.n = fz.in.n;
	fz.file = malloc(fz.n);
	fuzz_bytes(&fz.in, fz.file, fz.n);
	repair(fz.file, fz.n, how);
	if (checkpoint_load(&s) != 0)
		return;
	shard_clean(&s);
	FUZZ_CHECK(checkpoint_write(&s, s.checkpoint) == 0);
	FUZZ_CHECK(checkpoint_load(&again) == 0);
	shard_clean(&again);
	is_same(&s, &again);
	size_t at = 0;
	for (struct client *c; (c = map_each(&again.table.clients, &at)) != NULL;) {
		groups_leave_all(&again, c, 0);
		shard_destroy(&again, c);
	}
	shard_clean(&again);
	FUZZ_CHECK(count_subscriptions(&again) == 0 && again.table.clients.used == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fz.in = (struct fuzz_input){ data, size };
	FUZZ_CHECK(fuzz_run(body) == -1);
	return 0;
}

/* ---- seeds ---- */

static char *seed_file;

static void
seed_body(void)
{
	struct shard s = { .dir = 7 };
	struct client *a = shard_create(&s, 0x700000001, 1), *b = shard_create(&s, 0x700000002, 0),
	    *c = shard_create(&s, 0x800000001, 1);
	a->last = number_make(1, 5);
	a->result_number = 5;
	a->lost_from = number_make(1, 2);
	a->lost_to = number_make(1, 4);
	b->result_code = MOM_EEXIST;
	shard_subscribe(&s, a, shard_topic(&s, "news", 4, 1), 1000, 0);
	shard_subscribe(&s, b, shard_topic(&s, "news", 4, 1), 1100, REC_F_NO_ECHO);
	shard_subscribe(&s, c, shard_topic(&s, "plant/boiler", 12, 1), 900, 0);
	shard_topic(&s, "general", 7, 1)->kept = 1;
	struct group *g = groups_make(&s.groups, "billing", 1200, MOM_GROUP_ORDERED), *plain = groups_make(&s.groups,
	    "g", 1300, 0);
	groups_bind(&s.groups, g, "orders/#", 8, 1200);
	groups_join(&s.groups, g, a, 3);
	groups_join(&s.groups, plain, b, 1);
	groups_take(&s.groups, g, groups_member(a, g), &(struct taken){ .hand = 1400, .origin = 1250, .key = 7,
	    .tries = 1, .bytes = 100, .state = TAKEN_OUT, .durable = 1 });
	groups_take(&s.groups, plain, NULL, &(struct taken){ .hand = 1500, .origin = 1350, .tries = 20,
	    .state = TAKEN_DEAD, .why = DEAD_TRIES });
	groups_take(&s.groups, plain, NULL, &(struct taken){ .hand = 1600, .origin = 1360, .tries = 2,
	    .state = TAKEN_BACK });
	g->read_at = 1700;
	g->newest = 1800;
	g->waiting = 1;
	checkpoint_write(&s, UINT64_C(1) << 40 | 2000);
	seed_file = (malloc)(fz.n + 1);
	memcpy(seed_file + 1, fz.file, fz.n);
}

void
fuzz_seeds(fuzz_seed_fn seed)
{
	fuzz_run(seed_body);
	size_t n = fz.n + 1;
	char *twice = (malloc)(2 * n);
	seed_file[0] = 0;
	seed("ordinary", seed_file, n);
	seed_file[100] ^= 1;
	seed("damaged", seed_file, n);
	seed_file[100] ^= 1;
	seed("cut", seed_file, n - 8);
	seed_file[0] = 3;
	seed("ordinary-repaired", seed_file, n);
	memcpy(twice, seed_file, n);
	memcpy(twice + n, seed_file + 1 + CHECKPOINT_HEADER, n - 1 - CHECKPOINT_HEADER);
	seed("everything-twice", twice, 2 * n - 1 - CHECKPOINT_HEADER);
	(free)(twice);
	(free)(seed_file);
}
