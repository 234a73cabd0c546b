/* coding - payloads that any machine reads alike: see mom_coding.h. Bytes are put one by one; every length is checked
 * before it is used. */
#include <mom_coding.h>
#include <string.h>

_Static_assert(sizeof(double) == 8, "f64 is an IEEE 754 double");

void
mom_writer_init(struct mom_writer *w, void *bytes, size_t size)
{
	*w = (struct mom_writer){ .bytes = bytes, .size = size };
}

int
mom_writer_failed(const struct mom_writer *w)
{
	return w->failed;
}

/* Room for n bytes more, or NULL. */
static unsigned char *
writer_take(struct mom_writer *w, size_t n)
{
	if (w->failed || n > w->size - w->len) {
		w->failed = 1;
		return NULL;
	}
	w->len += n;
	return w->bytes + w->len - n;
}

static void
put_number(struct mom_writer *w, uint64_t value, unsigned bytes)
{
	unsigned char *p = writer_take(w, bytes);
	for (unsigned i = 0; p && i < bytes; i++)
		p[i] = (unsigned char)(value >> 8 * i);
}

void
mom_put_u8(struct mom_writer *w, uint8_t value)
{
	put_number(w, value, 1);
}

void
mom_put_u16(struct mom_writer *w, uint16_t value)
{
	put_number(w, value, 2);
}

void
mom_put_u32(struct mom_writer *w, uint32_t value)
{
	put_number(w, value, 4);
}

void
mom_put_u64(struct mom_writer *w, uint64_t value)
{
	put_number(w, value, 8);
}

void
mom_put_i64(struct mom_writer *w, int64_t value)
{
	put_number(w, (uint64_t)value, 8);
}

void
mom_put_f64(struct mom_writer *w, double value)
{
	uint64_t bits;
	memcpy(&bits, &value, sizeof bits);
	put_number(w, bits, 8);
}

void
mom_put_raw(struct mom_writer *w, const void *data, size_t len)
{
	unsigned char *p = len ? writer_take(w, len) : NULL;
	if (p)
		memcpy(p, data, len);
}

/* Length and bytes, or neither. */
static void
put_bytes(struct mom_writer *w, const void *data, size_t len, unsigned prefix)
{
	uint64_t most = (UINT64_C(1) << 8 * prefix) - 1;
	if (len > most || w->size - w->len < prefix || len > w->size - w->len - prefix)
		w->failed = 1;
	put_number(w, len, prefix);
	mom_put_raw(w, data, len);
}

void
mom_put_bytes8(struct mom_writer *w, const void *data, size_t len)
{
	put_bytes(w, data, len, 1);
}

void
mom_put_bytes16(struct mom_writer *w, const void *data, size_t len)
{
	put_bytes(w, data, len, 2);
}

void
mom_put_bytes32(struct mom_writer *w, const void *data, size_t len)
{
	put_bytes(w, data, len, 4);
}

void
mom_put_string8(struct mom_writer *w, const char *text)
{
	put_bytes(w, text, strlen(text), 1);
}

void
mom_put_string16(struct mom_writer *w, const char *text)
{
	put_bytes(w, text, strlen(text), 2);
}

void
mom_put_string32(struct mom_writer *w, const char *text)
{
	put_bytes(w, text, strlen(text), 4);
}

void
mom_reader_init(struct mom_reader *r, const void *bytes, size_t len)
{
	*r = (struct mom_reader){ .bytes = bytes, .len = len };
}

int
mom_reader_failed(const struct mom_reader *r)
{
	return r->failed;
}

size_t
mom_reader_left(const struct mom_reader *r)
{
	return r->failed ? 0 : r->len - r->at;
}

const void *
mom_get_raw(struct mom_reader *r, size_t len)
{
	if (len > mom_reader_left(r))
		r->failed = 1;
	if (r->failed)
		return NULL;
	r->at += len;
	return r->bytes ? r->bytes + r->at - len : (const unsigned char *)"";
}

static uint64_t
get_number(struct mom_reader *r, unsigned bytes)
{
	const unsigned char *p = mom_get_raw(r, bytes);
	uint64_t value = 0;
	for (unsigned i = 0; p && i < bytes; i++)
		value |= (uint64_t)p[i] << 8 * i;
	return value;
}

uint8_t
mom_get_u8(struct mom_reader *r)
{
	return (uint8_t)get_number(r, 1);
}

uint16_t
mom_get_u16(struct mom_reader *r)
{
	return (uint16_t)get_number(r, 2);
}

uint32_t
mom_get_u32(struct mom_reader *r)
{
	return (uint32_t)get_number(r, 4);
}

uint64_t
mom_get_u64(struct mom_reader *r)
{
	return get_number(r, 8);
}

int64_t
mom_get_i64(struct mom_reader *r)
{
	return (int64_t)get_number(r, 8);
}

double
mom_get_f64(struct mom_reader *r)
{
	uint64_t bits = get_number(r, 8);
	double value;
	memcpy(&value, &bits, sizeof value);
	return value;
}

static const void *
get_bytes(struct mom_reader *r, size_t *len, unsigned prefix)
{
	*len = (size_t)get_number(r, prefix);
	const void *p = mom_get_raw(r, *len);
	if (p)
		return p;
	*len = 0;
	return "";
}

const void *
mom_get_bytes8(struct mom_reader *r, size_t *len)
{
	return get_bytes(r, len, 1);
}

const void *
mom_get_bytes16(struct mom_reader *r, size_t *len)
{
	return get_bytes(r, len, 2);
}

const void *
mom_get_bytes32(struct mom_reader *r, size_t *len)
{
	return get_bytes(r, len, 4);
}

static size_t
get_string(struct mom_reader *r, char *text, size_t size, unsigned prefix)
{
	size_t len;
	const void *p = get_bytes(r, &len, prefix);
	if (len >= size || memchr(p, '\0', len)) {
		r->failed = 1;
		len = 0;
	}
	memcpy(text, p, len);
	text[len] = '\0';
	return len;
}

size_t
mom_get_string8(struct mom_reader *r, char *text, size_t size)
{
	return get_string(r, text, size, 1);
}

size_t
mom_get_string16(struct mom_reader *r, char *text, size_t size)
{
	return get_string(r, text, size, 2);
}

size_t
mom_get_string32(struct mom_reader *r, char *text, size_t size)
{
	return get_string(r, text, size, 4);
}
