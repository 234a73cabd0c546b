/* record - the checks and helpers of the one record layout (record.h), and of the handshake's payloads (wire.h). */
#include "format/record.h"
#include "format/wire.h"
#include "base/crc32c.h"

uint32_t
record_crc(const void *bytes, uint32_t len, uint64_t salt)
{
	return crc32c_salted(salt, (const char *)bytes + 8, len - 8);
}

char *
record_begin(void *bytes, struct record *r, const char *topic, uint32_t body_len)
{
	char *p = bytes;
	r->header = RECORD_HEADER;
	r->len = RECORD_HEADER + record_topic_size(r->topic_len) + body_len;
	record_put(p, r);
	p += RECORD_HEADER;
	if (r->topic_len) {
		memcpy(p, topic, r->topic_len);
		p[r->topic_len] = '\0';
		p += r->topic_len + 1;
	}
	memset((char *)bytes + r->len, 0, record_stride(r->len) - r->len);
	return p;
}

uint32_t
record_make(void *bytes, struct record *r, const char *topic, const void *data, uint32_t data_len)
{
	char *p = record_begin(bytes, r, topic, data_len);
	if (data_len)
		memcpy(p, data, data_len);
	return (uint32_t)record_stride(r->len);
}

void
wire_host(char host[HOST_BYTES + 1], const char *name, size_t n)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
	size_t i = 0;
	for (; i < n && i < HOST_BYTES && name[i]; i++)
		host[i] = memchr(good, name[i], sizeof good - 1) ? name[i] : '_';
	host[i] = '\0';
}

uint32_t
wire_hello_put(void *payload, const struct hello *h)
{
	char *p = payload;
	size_t n = strlen(h->host);
	memset(p, 0, HELLO_BYTES);
	put_u32(p, h->version);
	put_u32(p + 4, h->features);
	memcpy(p + 8, h->machine, WIRE_ID_BYTES);
	memcpy(p + 24, h->store, WIRE_ID_BYTES);
	put_u32(p + 40, h->message_max);
	put_u32(p + 44, h->slots);
	put_u32(p + 48, h->window);
	put_u64(p + 56, h->token);
	memcpy(p + HELLO_BYTES, h->host, n);
	return HELLO_BYTES + (uint32_t)n;
}

void
wire_hello_get(struct hello *h, const void *payload, uint32_t n)
{
	const char *p = payload;
	h->version = get_u32(p);
	h->features = get_u32(p + 4);
	memcpy(h->machine, p + 8, WIRE_ID_BYTES);
	memcpy(h->store, p + 24, WIRE_ID_BYTES);
	h->message_max = get_u32(p + 40);
	h->slots = get_u32(p + 44);
	h->window = get_u32(p + 48);
	h->token = get_u64(p + 56);
	wire_host(h->host, p + HELLO_BYTES, n - HELLO_BYTES);
}

void
wire_welcome_put(void *payload, const struct welcome *w)
{
	char *p = payload;
	memset(p, 0, WELCOME_BYTES);
	put_u32(p, w->version);
	put_u32(p + 4, w->features);
	memcpy(p + 8, w->store, WIRE_ID_BYTES);
	put_u32(p + 24, w->serial);
	put_u32(p + 28, w->shards);
	put_u32(p + 32, w->message_max);
	put_u32(p + 36, w->window);
	put_u64(p + 40, w->token);
	put_u32(p + 48, w->expiry);
}

void
wire_welcome_get(struct welcome *w, const void *payload)
{
	const char *p = payload;
	w->version = get_u32(p);
	w->features = get_u32(p + 4);
	memcpy(w->store, p + 8, WIRE_ID_BYTES);
	w->serial = get_u32(p + 24);
	w->shards = get_u32(p + 28);
	w->message_max = get_u32(p + 32);
	w->window = get_u32(p + 36);
	w->token = get_u64(p + 40);
	w->expiry = get_u32(p + 48);
	w->spare = 0;
}

void
wire_answer_put(void *payload, const struct answer *a)
{
	char *p = payload;
	memset(p, 0, ANSWER_BYTES);
	put_u32(p, a->slot);
	put_u16(p + 4, a->shard);
	put_u16(p + 6, a->kind);
	put_u64(p + 8, a->number);
	put_u64(p + 16, (uint64_t)a->code);
	put_u64(p + 24, a->value);
}

void
wire_answer_get(struct answer *a, const void *payload)
{
	const char *p = payload;
	a->slot = get_u32(p);
	a->shard = get_u16(p + 4);
	a->kind = get_u16(p + 6);
	a->number = get_u64(p + 8);
	a->code = (int64_t)get_u64(p + 16);
	a->value = get_u64(p + 24);
}
