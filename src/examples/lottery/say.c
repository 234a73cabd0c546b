/* say - what the centre and the agencies say to each other, beside batches
 *
 * All of it is durable, and but for an agency's first message MOM_ASYNC: a program waits for what it is told, not for
 * the broker's disk, and SIGTERM finds it awake. */
#include "say.h"
#include <mom.h>
#include <mom_coding.h>
#include <stdio.h>

static const char *
own_topic(char *text, const char *topic, uint64_t agency)
{
	snprintf(text, SAY_TOPIC_MAX, "%s/to/%016llx", topic, (unsigned long long)agency);
	return text;
}

static const char *
bets_topic(char *text, const char *topic)
{
	snprintf(text, SAY_TOPIC_MAX, "%s/bets", topic);
	return text;
}

int
say_bets(int id, const char *topic, const void *bytes, unsigned len, int first)
{
	char to[SAY_TOPIC_MAX];
	return mom_publish(id, bets_topic(to, topic), bytes, len, first ? MOM_NEED_SUBSCRIBER : MOM_ASYNC);
}

int
say_subscribe_bets(int id, const char *topic)
{
	char from[SAY_TOPIC_MAX];
	return mom_subscribe(id, bets_topic(from, topic), 0);
}

int
say_subscribe_own(int id, const char *topic)
{
	char from[SAY_TOPIC_MAX];
	return mom_subscribe(id, own_topic(from, topic, mom_global_id(id)), 0);
}

int
say_to(int id, const char *topic, uint64_t agency, const struct say *s)
{
	unsigned char bytes[SAY_BYTES_MAX];
	char to[SAY_TOPIC_MAX];
	struct mom_writer w;
	mom_writer_init(&w, bytes, sizeof bytes);
	mom_put_u8(&w, (uint8_t)s->kind);
	if (s->kind == SAY_ANSWER) {
		mom_put_u32(&w, s->number);
		mom_put_u32(&w, (uint32_t)s->count);
	} else {
		mom_put_u8(&w, (uint8_t)s->agency);
		mom_put_u32(&w, s->part);
		mom_put_u8(&w, (uint8_t)s->last);
		mom_put_u16(&w, (uint16_t)s->count);
		for (int i = 0; i < s->count; i++)
			mom_put_u32(&w, s->document[i]);
	}
	return mom_publish(id, own_topic(to, topic, agency), bytes, w.len, MOM_ASYNC);
}

int
say_get(struct say *s, const void *bytes, unsigned long len)
{
	struct mom_reader r;
	mom_reader_init(&r, bytes, len);
	s->kind = mom_get_u8(&r);
	if (s->kind == SAY_ANSWER) {
		s->number = mom_get_u32(&r);
		s->count = (int)mom_get_u32(&r);
	} else if (s->kind == SAY_WINNERS) {
		s->agency = mom_get_u8(&r);
		s->part = mom_get_u32(&r);
		s->last = mom_get_u8(&r);
		s->count = mom_get_u16(&r);
		if (s->count > SAY_DOCUMENTS_MAX)
			return -1;
		for (int i = 0; i < s->count; i++)
			s->document[i] = mom_get_u32(&r);
	} else {
		return -1;
	}
	return mom_reader_failed(&r) || mom_reader_left(&r) ? -1 : 0;
}
