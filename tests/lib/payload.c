/* payload - messages that say who they are, and the judge of exactly once and in order */
#include <lib/payload.h>
#include <lib/t.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAGIC = 0x5041594c, POOL = 2 * MOM_MESSAGE_MAX };
struct head { uint32_t magic, publisher, number, topic; };

static uint64_t
mixed(uint64_t z)
{
	z += UINT64_C(0x9E3779B97F4A7C15);
	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

static uint32_t
topic_hash(const char *topic)
{
	uint32_t h = 2166136261u;
	for (; *topic; topic++)
		h = (h ^ (uint8_t)*topic) * 16777619u;
	return h;
}

static uint64_t
seed_of(uint32_t publisher, uint32_t topic, uint32_t n)
{
	return mixed(mixed((uint64_t)publisher << 32 | n) ^ topic);
}

/* bytes to cut patterns from: making a pattern is one memcpy, judging one memcmp */
static const char *
pool(void)
{
	static char *bytes;
	if (!bytes) {
		bytes = malloc(POOL);
		for (uint64_t i = 0; i < POOL / 8; i++)
			((uint64_t *)(void *)bytes)[i] = mixed(i);
	}
	return bytes;
}

static size_t
size_of(enum payload_mix mix, uint64_t seed, uint32_t n)
{
	size_t least = n == 0 ? PAYLOAD_HEAD : 0;
	uint64_t kind = seed % 100, v = mixed(seed ^ 1);
	if (mix == PAYLOAD_KIB)
		return 1024;
	if (mix == PAYLOAD_SMALL)
		return PAYLOAD_HEAD + v % 185;
	if (mix == PAYLOAD_STORM) {
		if (kind >= 99)
			return 4096 + v % (252 * 1024 + 1);
		if (v % 16 == 0)
			return least;
		return kind < 60 ? PAYLOAD_HEAD + (v >> 8) % 185 : PAYLOAD_HEAD + (v >> 8) % (4096 - PAYLOAD_HEAD);
	}
	if (kind < 90)
		return (v & 63) == 0 ? least : least + (v >> 6) % (1024 - PAYLOAD_HEAD);
	if (kind < 99)
		return 1024 + v % (15 * 1024);
	return (v & 15) == 0 ? MOM_MESSAGE_MAX : 16384 + v % (MOM_MESSAGE_MAX - 16384);
}

size_t
payload_make(void *buffer, enum payload_mix mix, uint32_t publisher, const char *topic, uint32_t n)
{
	uint64_t seed = seed_of(publisher, topic_hash(topic), n);
	size_t len = size_of(mix, seed, n);
	struct head h = {MAGIC, publisher, n, topic_hash(topic)};
	memcpy(buffer, pool() + seed % MOM_MESSAGE_MAX, len);
	if (len >= sizeof h)
		memcpy(buffer, &h, sizeof h);
	return len;
}

int
payload_who(const void *data, size_t len, uint32_t *publisher, uint32_t *n)
{
	struct head h;
	if (data == NULL || len < sizeof h)
		return 0;
	memcpy(&h, data, sizeof h);
	*publisher = h.publisher;
	*n = h.number;
	return h.magic == MAGIC;
}

uint64_t
payload_hash(const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t h = mixed(len), v;
	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&v, p, 8);
		h = (h ^ v) * UINT64_C(0x9E3779B97F4A7C15);
		h ^= h >> 29;
	}
	for (; len; len--)
		h = (h ^ *p++) * UINT64_C(1099511628211);
	return mixed(h);
}

size_t
payload_expected(enum payload_mix mix, uint32_t publisher, const char *topic, uint32_t n, uint64_t *hash)
{
	static char *buffer;
	if (!buffer)
		buffer = malloc(MOM_MESSAGE_MAX);
	size_t len = payload_make(buffer, mix, publisher, topic, n);
	*hash = payload_hash(buffer, len);
	return len;
}

void
payload_judge_init(struct payload_judge *j, enum payload_mix mix)
{
	memset(j, 0, sizeof *j);
	j->mix = mix;
	j->streams = calloc(PAYLOAD_STREAMS, sizeof *j->streams);
}

static int
wrong(struct payload_judge *j, const struct mom_message *m, const char *what, uint32_t publisher, uint32_t expected)
{
	struct head h = {0, 0, 0, 0};
	if (m->data && m->len >= sizeof h)
		memcpy(&h, m->data, sizeof h);
	snprintf(j->bad, sizeof j->bad, "%s: topic %.60s, publisher %u (%016llx), expected number %u; came number %u "
	    "of publisher %u, %zu bytes, offset %llx, flags %u, after %ld good ones", what, m->topic, publisher,
	    (unsigned long long)m->publisher, expected,
	    h.magic == MAGIC ? h.number : 0, h.magic == MAGIC ? h.publisher : 0, m->len, (unsigned long long)m->offset,
	    m->flags, j->good);
	return 0;
}

static struct payload_stream *
stream_of(struct payload_judge *j, const struct mom_message *m)
{
	struct head h;
	for (int i = 0; i < j->count; i++)
		if (j->streams[i].id == m->publisher && strcmp(j->streams[i].topic, m->topic) == 0)
			return &j->streams[i];
	if (j->count == PAYLOAD_STREAMS || m->len < sizeof h)
		return NULL;
	memcpy(&h, m->data, sizeof h);
	if (h.magic != MAGIC || h.topic != topic_hash(m->topic))
		return NULL;
	struct payload_stream *s = &j->streams[j->count++];
	s->id = m->publisher;
	s->publisher = h.publisher;
	s->next = j->from_middle ? h.number : 0;
	snprintf(s->topic, sizeof s->topic, "%s", m->topic);
	return s;
}

static int
same_bytes(struct payload_judge *j, const struct mom_message *m, uint32_t publisher, uint32_t n)
{
	uint64_t seed = seed_of(publisher, topic_hash(m->topic), n);
	size_t len = size_of(j->mix, seed, n), from = 0;
	struct head h = {MAGIC, publisher, n, topic_hash(m->topic)};
	if (m->len != len)
		return 0;
	if (len >= sizeof h) {
		if (memcmp(m->data, &h, sizeof h) != 0)
			return 0;
		from = sizeof h;
	}
	return len == from || memcmp((const char *)m->data + from, pool() + seed % MOM_MESSAGE_MAX + from,
	    len - from) == 0;
}

int
payload_judge(struct payload_judge *j, const struct mom_message *m)
{
	struct payload_stream *s = stream_of(j, m);
	if (j->bad[0])
		return 0;
	if (!s)
		return wrong(j, m, "a stream begins with a strange message", 0, 0);
	if (j->again && (m->flags & MOM_REDELIVERED) && m->offset <= s->offset) {
		j->repeated++;
		return 1;
	}
	if (!same_bytes(j, m, s->publisher, s->next))
		return wrong(j, m, "not the next one", s->publisher, s->next);
	if (s->offset && m->offset <= s->offset)
		return wrong(j, m, "the offset does not grow", s->publisher, s->next);
	if (m->time_us <= 0)
		return wrong(j, m, "no time", s->publisher, s->next);
	s->offset = m->offset;
	s->next++;
	j->good++;
	return 1;
}

uint32_t
payload_next(struct payload_judge *j, uint32_t publisher, const char *topic)
{
	for (int i = 0; i < j->count; i++)
		if (j->streams[i].publisher == publisher && strcmp(j->streams[i].topic, topic) == 0)
			return j->streams[i].next;
	return 0;
}
