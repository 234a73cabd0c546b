/* subscriptions - see subscriptions.h */
#include "routing/subscriptions.h"
#include "base/log.h"
#include "format/topic.h"
#include <stdlib.h>

static _Noreturn void
no_memory(void)
{
	log_fatal(EXIT_SYSTEM, "no memory for clients and subscriptions: see `free`; give this machine more, or the "
	    "store fewer clients and topics");
}

void *
subscriptions_memory(size_t n)
{
	void *p = calloc(1, n);
	if (p == NULL)
		no_memory();
	return p;
}

static void
add_to_map(struct map *m, const void *key, size_t len, void *value)
{
	if (map_add(m, key, len, value) < 0)
		no_memory();
}

void *
subscriptions_topic(struct subscriptions *t, const char *name, uint16_t len, size_t make)
{
	struct subscribed *topic = map_get(&t->topics, name, len);
	if (topic || make == 0)
		return topic;
	topic = subscriptions_memory(make);
	topic->name = subscriptions_memory((size_t)len + 1);
	memcpy(topic->name, name, len);
	topic->len = len;
	add_to_map(&t->topics, topic->name, len, topic);
	topic->is_pattern = topic_is_pattern(name, len) != 0;
	t->pattern_count += topic->is_pattern;
	if (topic->is_pattern && !t->has_own_trees && patterns_add(&t->patterns, name, len, topic) < 0)
		no_memory();
	return topic;
}

size_t
subscriptions_match(struct subscriptions *t, const char *topic, uint16_t len, struct subscribed ***patterns)
{
	void **found;
	size_t n = patterns_match(&t->patterns, topic, len, &found);
	*patterns = (struct subscribed **)found;
	return n;
}

void
subscriptions_note(struct subscriptions *t, const char *topic, uint16_t len, void *value, size_t bytes)
{
	if (memo_put(&t->memo, topic, len, value, bytes) < 0)
		no_memory();
}

void *
subscriptions_client(struct subscriptions *t, uint64_t id, size_t make)
{
	struct subscriber *c = map_get(&t->clients, &id, sizeof id);
	if (c || make == 0)
		return c;
	c = subscriptions_memory(make);
	c->id = id;
	add_to_map(&t->clients, &c->id, sizeof c->id, c);
	return c;
}

/* Who gets that topic has changed, or who gets all that a pattern matches. */
static void
forget_reach(struct subscriptions *t, const struct subscribed *topic)
{
	if (topic->is_pattern)
		t->memo.stale = 1;
	else
		memo_drop(&t->memo, topic->name, topic->len);
}

void
subscriptions_forget_client(struct subscriptions *t, struct subscriber *c)
{
	map_del(&t->clients, &c->id, sizeof c->id);
}

void
subscriptions_forget_topic(struct subscriptions *t, struct subscribed *topic)
{
	map_del(&t->topics, topic->name, topic->len);
	forget_reach(t, topic);
	t->pattern_count -= topic->is_pattern;
	if (topic->is_pattern && !t->has_own_trees)
		patterns_remove(&t->patterns, topic->name, topic->len);
	free(topic->name);
	free(topic);
}

struct subscription *
subscriptions_find(const struct subscriptions *t, struct subscriber *c, struct subscribed *topic)
{
	struct subscription_key key = { c, topic };
	if (c == NULL || topic == NULL)
		return NULL;
	if (topic->keyed)
		return map_get(&t->keyed, &key, sizeof key);
	struct subscription *sub = topic->first;
	while (sub && sub->of.client != c)
		sub = sub->next_of_topic;
	return sub;
}

/* The newest of the topic's subscriptions is not in the map yet, and the others are not if they are few. */
static void
key_newest(struct subscriptions *t, struct subscribed *topic)
{
	if (!topic->keyed && topic->count <= KEYED_FROM)
		return;
	for (struct subscription *sub = topic->first; sub; sub = topic->keyed ? NULL : sub->next_of_topic)
		add_to_map(&t->keyed, &sub->of, sizeof sub->of, sub);
	topic->keyed = 1;
}

struct subscription *
subscriptions_add(struct subscriptions *t, struct subscriber *c, struct subscribed *topic, uint64_t since,
    uint16_t flags)
{
	struct subscription *sub = subscriptions_memory(sizeof *sub);
	*sub = (struct subscription){ .of = { c, topic }, .since = since, .flags = flags & REC_F_NO_ECHO,
	    .next_of_client = c->first, .next_of_topic = topic->first,
	    .link_of_client = &c->first, .link_of_topic = &topic->first };
	if (c->first)
		c->first->link_of_client = &sub->next_of_client;
	if (topic->first)
		topic->first->link_of_topic = &sub->next_of_topic;
	c->first = topic->first = sub;
	c->count++;
	c->patterns += topic->is_pattern;
	topic->count++;
	t->count++;
	forget_reach(t, topic);
	key_newest(t, topic);
	return sub;
}

void
subscriptions_remove(struct subscriptions *t, struct subscription *sub)
{
	if (sub->of.topic->keyed)
		map_del(&t->keyed, &sub->of, sizeof sub->of);
	*sub->link_of_client = sub->next_of_client;
	if (sub->next_of_client)
		sub->next_of_client->link_of_client = sub->link_of_client;
	*sub->link_of_topic = sub->next_of_topic;
	if (sub->next_of_topic)
		sub->next_of_topic->link_of_topic = sub->link_of_topic;
	sub->of.client->count--;
	sub->of.client->patterns -= sub->of.topic->is_pattern;
	sub->of.topic->count--;
	t->count--;
	forget_reach(t, sub->of.topic);
	free(sub);
}

/* ---- where clients and topics live as long as they have subscriptions ---- */

static void
leave(struct subscriptions *t, struct subscription *sub)
{
	struct subscription_key of = sub->of;
	subscriptions_remove(t, sub);
	if (of.topic->count == 0)
		subscriptions_forget_topic(t, of.topic);
	if (of.client->count > 0)
		return;
	subscriptions_forget_client(t, of.client);
	free(of.client);
}

static void
subscribe(struct subscriptions *t, const struct record *r, const char *name)
{
	struct subscribed *topic = subscriptions_topic(t, name, r->topic_len, sizeof *topic);
	struct subscriber *c = subscriptions_client(t, r->publisher, sizeof *c);
	struct subscription *sub = subscriptions_find(t, c, topic);
	if (sub == NULL) {
		subscriptions_add(t, c, topic, r->offset, r->flags);
		return;
	}
	sub->since = r->offset;
	sub->flags = r->flags & REC_F_NO_ECHO;
	forget_reach(t, topic);
}

void
subscriptions_change(struct subscriptions *t, const struct record *r, const char *topic)
{
	if (r->type == REC_LISTED || r->type == REC_SUBSCRIBE) {
		subscribe(t, r, topic);
		return;
	}
	struct subscriber *c = subscriptions_client(t, r->publisher, 0);
	if (r->type == REC_UNSUBSCRIBE && r->topic_len) {
		struct subscription *sub = subscriptions_find(t, c, subscriptions_topic(t, topic, r->topic_len, 0));
		if (sub)
			leave(t, sub);
		return;
	}
	for (size_t n = c ? c->count : 0; n > 0; n--)
		leave(t, c->first);            /* the last one takes the client with it */
}

void
subscriptions_clear(struct subscriptions *t)
{
	size_t at = 0;
	for (struct subscribed *topic; (topic = map_each(&t->topics, &at)) != NULL;)
		for (size_t n = topic->count; n > 0; n--)
			leave(t, topic->first);
}
