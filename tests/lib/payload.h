/* payload - messages that say who they are, and the judge of exactly once and in order
 *
 * Message number n of publisher p on a topic has a size and bytes that follow from (p, topic, n). So the judge knows,
 * for every publisher and topic, exactly which bytes come next: a lost, doubled, swapped or damaged message is seen at
 * once, an empty one too. The first message of a publisher on a topic always has the head, which ties the publisher's
 * global id to p. */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include <mom.h>
#include <stddef.h>
#include <stdint.h>

enum payload_mix {
	PAYLOAD_SMALL,           /* 16 to 200 bytes */
	PAYLOAD_MIX,             /* 90% under 1 KiB, 9% under 16 KiB, 1% up to 1 MiB; one in 64 is empty */
	PAYLOAD_KIB,             /* 1 KiB each */
	/* half 16 to 200 bytes, a third under 4 KiB, one in 16 empty, one in 100 up to 256 KiB */
	PAYLOAD_STORM
};
enum { PAYLOAD_HEAD = 16, PAYLOAD_STREAMS = 4096 };

/* builds message n into buffer (MOM_MESSAGE_MAX bytes); its length */
size_t payload_make(void *buffer, enum payload_mix mix, uint32_t publisher, const char *topic, uint32_t n);

/* what bytes say of themselves: 1 and publisher and number, 0 where they are too short, or say nothing */
int  payload_who(const void *data, size_t len, uint32_t *publisher, uint32_t *n);
uint64_t payload_hash(const void *data, size_t len);
/* length and hash of message n, without building it for anybody */
size_t payload_expected(enum payload_mix mix, uint32_t publisher, const char *topic, uint32_t n, uint64_t *hash);

struct payload_stream { uint64_t id; uint32_t publisher, next; uint64_t offset; char topic[64]; };
struct payload_judge {
	enum payload_mix mix;
	struct payload_stream *streams;
	int count;
	/* a stream may begin with any number (a subscriber that came late): the first seen must have the head */
	int from_middle;
	int again;               /* what is flagged MOM_REDELIVERED may come again, and in order */
	long good, repeated;
	char bad[400];           /* what was wrong, "" so far */
};
void payload_judge_init(struct payload_judge *j, enum payload_mix mix);
/* 1: right. 0: wrong, see bad. */
int  payload_judge(struct payload_judge *j, const struct mom_message *m);
/* how many were seen of a publisher's on a topic: the number that comes next */
uint32_t payload_next(struct payload_judge *j, uint32_t publisher, const char *topic);
#endif
