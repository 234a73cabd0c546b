/* properties - see properties.h */
#include "format/properties.h"
#include "format/topic.h"
#include "base/utf8.h"

int
properties_next(const char **at, const char *end, struct property *p)
{
	size_t there = (size_t)(end - *at);
	if (there == 0)
		return 0;
	if (there < PROPERTY_HEAD)
		return -1;
	*p = (struct property){ (uint8_t)**at, get_u16(*at + 1), *at + PROPERTY_HEAD };
	if (p->len > there - PROPERTY_HEAD)
		return -1;
	*at += PROPERTY_HEAD + p->len;
	return 1;
}

/* 1: so many bytes of UTF-8 without control characters, 1 to MOM_TEXT_MAX, then a NUL */
static int
is_text(const char *p, size_t n)
{
	uint32_t c;
	if (n < 2 || n > MOM_TEXT_MAX + 1 || p[n - 1] != '\0')
		return 0;
	for (size_t i = 0, len; i < n - 1; i += len) {
		len = utf8_decode(p + i, n - 1 - i, &c);
		if (len == 0 || c < 0x20 || c == 0x7f)
			return 0;
	}
	return 1;
}

const char *
header_name_fault(const char *name, size_t n)
{
	return is_text(name, n) ? NULL : "a header's name is 1 to 255 bytes of UTF-8 without control characters";
}

static const char *
header_fault(const char *p, size_t n)
{
	const char *nul = memchr(p, '\0', n);
	size_t name = nul ? (size_t)(nul - p) + 1 : 0;
	const char *fault = header_name_fault(p, name);
	if (fault)
		return fault;
	return n > name && memchr(p + name, '\0', n - name) == p + n - 1 ? NULL : "a header's value ends with its NUL";
}

const char *
property_fault(const struct property *p)
{
	switch (p->tag) {
	case PROPERTY_EXPIRES: {
		int64_t ttl = p->len == 8 ? (int64_t)get_u64(p->value) : 0;
		return ttl >= 1 && ttl <= MOM_TTL_MAX ? NULL : "a message lives for 1 ms to 10 years";
	}
	case MOM_P_KEY:
		return is_text(p->value, p->len) ? NULL : "the key is 1 to 255 bytes of UTF-8 without control "
		    "characters";
	case MOM_P_CONTENT_TYPE:
		return is_text(p->value, p->len) ? NULL : "the content type is 1 to 255 bytes of UTF-8 without control "
		    "characters";
	case MOM_P_REPLY_TO:
		return is_text(p->value, p->len) && topic_fault(p->value, p->len - 1u) == NULL ? NULL
		    : "reply-to is no valid topic";
	case MOM_P_HEADER:
		return header_fault(p->value, p->len);
	default:
		return p->tag >= PROPERTY_OWN ? "a property of the broker's own" : NULL;
	}
}

const char *
properties_fault(const char *bytes, size_t n)
{
	const char *at = bytes, *fault;
	int before = 0, r;
	for (struct property p; (r = properties_next(&at, bytes + n, &p)) > 0; before = p.tag) {
		if (p.tag < before || (p.tag == before && p.tag != MOM_P_HEADER))
			return "a property stands there twice, or their order is wrong";
		if ((fault = property_fault(&p)) != NULL)
			return fault;
	}
	return r < 0 ? "a property does not end within them" : NULL;
}

int
record_property(const void *bytes, const struct record *r, uint8_t tag, struct property *p)
{
	const char *at = record_properties(bytes, r), *end = at + record_properties_size(bytes, r);
	if (at == end)
		return 0;
	for (at += 2; properties_next(&at, end, p) > 0;)
		if (p->tag >= tag)
			return p->tag == tag;
	return 0;
}

int64_t
record_expires(const void *bytes, const struct record *r)
{
	struct property p;
	return record_property(bytes, r, PROPERTY_EXPIRES, &p) && p.len == 8 ? (int64_t)get_u64(p.value) : 0;
}

void
record_expires_from(void *bytes, const struct record *r, int64_t now_ms)
{
	struct property p;
	if (record_property(bytes, r, PROPERTY_EXPIRES, &p) && p.len == 8)
		put_u64((char *)(uintptr_t)p.value, get_u64(p.value) + (uint64_t)now_ms);
}
