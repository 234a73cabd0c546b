/* properties - what a message carries beside its payload: checked and written for a publisher, found by a receiver */
#include "api/handle.h"
#include "format/properties.h"

/* ---- publishers ---- */

enum { LEN_MOST = PROPERTIES_MOST + 1 };       /* longer ones do not fit in any case */

static size_t
text_size(const char *text)                    /* with its NUL */
{
	return strnlen(text, LEN_MOST) + 1;
}

struct text { uint8_t tag; const char *value; };
enum { TEXTS = 3 };

/* In the order of their tags; the correlation belongs in front of the last. */
static void
texts_of(const struct mom_properties *p, struct text text[TEXTS])
{
	text[0] = (struct text){ MOM_P_KEY, p->key };
	text[1] = (struct text){ MOM_P_REPLY_TO, p->reply_to };
	text[2] = (struct text){ MOM_P_CONTENT_TYPE, p->content_type };
}

static const char *
texts_fault(const struct text text[TEXTS])
{
	const char *fault = NULL;
	for (int i = 0; i < TEXTS && fault == NULL; i++)
		if (text[i].value)
			fault = property_fault(&(struct property){ text[i].tag, (uint16_t)text_size(text[i].value),
			    text[i].value });
	return fault;
}

static const char *
fault_of(const struct mom_properties *p, const struct text text[TEXTS])
{
	if (p->size != sizeof *p)
		return "struct mom_properties begins with MOM_PROPERTIES_INIT";
	if (p->ttl_ms < 0 || p->ttl_ms > MOM_TTL_MAX)
		return "a message lives for 1 ms to 10 years; ttl_ms 0: for ever";
	if (p->correlation == NULL && p->correlation_len)
		return "correlation is NULL but correlation_len is not 0";
	if (p->headers == NULL && p->header_count)
		return "headers is NULL but header_count is not 0";
	return texts_fault(text);
}

long
properties_check(struct handle *h, const struct mom_properties *p)
{
	struct text text[TEXTS];
	texts_of(p, text);
	const char *fault = fault_of(p, text);
	size_t size = 0;
	if (fault)
		return handle_fail(h, MOM_EINVAL, "properties: %s", fault);
	size += p->ttl_ms ? PROPERTY_HEAD + 8 : 0;
	for (int i = 0; i < TEXTS; i++)
		size += text[i].value ? PROPERTY_HEAD + text_size(text[i].value) : 0;
	size += p->correlation ? PROPERTY_HEAD + (p->correlation_len < LEN_MOST ? p->correlation_len : LEN_MOST) : 0;
	for (size_t i = 0; i < p->header_count && size <= PROPERTIES_MOST; i++) {
		const struct mom_header *one = &p->headers[i];
		fault = one->name == NULL || one->value == NULL ? "a header has no name or no value"
		    : header_name_fault(one->name, text_size(one->name));
		if (fault)
			return handle_fail(h, MOM_EINVAL, "properties: header %zu: %s", i, fault);
		size += PROPERTY_HEAD + text_size(one->name) + text_size(one->value);
	}
	size += size ? 2 : 0;
	if (size > PROPERTIES_MOST)
		return handle_fail(h, MOM_ETOOBIG, "more than %d bytes of properties: put some of it into the payload",
		    PROPERTIES_MOST);
	return (long)size;
}

static char *
put(char *at, uint8_t tag, const void *value, size_t n)
{
	*at = (char)tag;
	put_u16(at + 1, (uint16_t)n);
	if (n)
		memcpy(at + PROPERTY_HEAD, value, n);
	return at + PROPERTY_HEAD + n;
}

static char *
put_header(char *at, const struct mom_header *h)
{
	size_t name = text_size(h->name), value = text_size(h->value);
	char *end = put(at, MOM_P_HEADER, h->name, name);
	put_u16(at + 1, (uint16_t)(name + value));
	memcpy(end, h->value, value);
	return end + value;
}

char *
properties_put(char *at, const struct mom_properties *p, uint32_t size)
{
	struct text text[TEXTS];
	char ttl[8];
	texts_of(p, text);
	put_u16(at, (uint16_t)(size - 2));
	at += 2;
	put_u64(ttl, (uint64_t)p->ttl_ms);
	if (p->ttl_ms)
		at = put(at, PROPERTY_EXPIRES, ttl, sizeof ttl);
	for (int i = 0; i < TEXTS; i++) {
		if (text[i].tag == MOM_P_CONTENT_TYPE && p->correlation)
			at = put(at, MOM_P_CORRELATION, p->correlation, p->correlation_len);
		if (text[i].value)
			at = put(at, text[i].tag, text[i].value, text_size(text[i].value));
	}
	for (size_t i = 0; i < p->header_count; i++)
		at = put_header(at, &p->headers[i]);
	return at;
}

/* ---- receivers ---- */

/* The properties of a received message stand between its topic and its payload. NULL: it has none, or is not as it was
 * received. */
static const char *
properties_of(const struct mom_message *m, const char **end)
{
	if (m == NULL || !(m->flags & MOM_PROPERTIES) || m->topic == NULL)
		return NULL;
	const char *at = m->topic + strlen(m->topic) + 1;
	uintptr_t size = (uintptr_t)m->data - (uintptr_t)at;
	if (size < 2 || size > 2 + UINT16_MAX || get_u16(at) != size - 2)
		return NULL;
	*end = m->data;
	return at + 2;
}

static int
find(const struct mom_message *m, uint8_t tag, size_t index, struct property *p)
{
	const char *end, *at = properties_of(m, &end);
	while (at && properties_next(&at, end, p) > 0)
		if (p->tag == tag && index-- == 0)
			return 1;
	return 0;
}

int
message_property(const struct mom_message *m, uint8_t tag, struct property *p)
{
	return find(m, tag, 0, p);
}

const void *
mom_property(const struct mom_message *m, enum mom_property_name name, size_t *len)
{
	struct property p;
	if ((name != MOM_P_KEY && name != MOM_P_REPLY_TO && name != MOM_P_CORRELATION && name != MOM_P_CONTENT_TYPE) ||
	    !find(m, (uint8_t)name, 0, &p) || property_fault(&p))
		return NULL;
	if (len)
		*len = p.len - (name != MOM_P_CORRELATION);
	return p.value;
}

int
mom_header_at(const struct mom_message *m, size_t index, struct mom_header *h)
{
	struct property p;
	if (!find(m, MOM_P_HEADER, index, &p) || property_fault(&p))
		return 0;
	*h = (struct mom_header){ p.value, p.value + strlen(p.value) + 1 };
	return 1;
}

const char *
mom_header(const struct mom_message *m, const char *name)
{
	const char *end, *at = properties_of(m, &end);
	for (struct property p; at && properties_next(&at, end, &p) > 0;)
		if (p.tag == MOM_P_HEADER && property_fault(&p) == NULL && strcmp(p.value, name) == 0)
			return p.value + strlen(p.value) + 1;
	return NULL;
}

int64_t
mom_expires(const struct mom_message *m)
{
	struct property p;
	return find(m, PROPERTY_EXPIRES, 0, &p) && p.len == 8 ? (int64_t)get_u64(p.value) : 0;
}
