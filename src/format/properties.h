/* The properties of a message, between its topic and its payload (record.h): u16 length of all, then one behind the
 * other u8 tag, u16 length, bytes. Tags ascend; only MOM_P_HEADER may stand there more than once. A text ends with a
 * NUL that its length counts. The tags are those of mom.h, and:
 *
 *   1 expires        i64 milliseconds. In a request it says how long the message lives. The worker makes a point in
 *                    time of it, by the broker's clock: from then on nobody gets the message.
 *   MOM_P_HEADER     name, NUL, value, NUL
 *
 * Unknown tags below 192 are carried along, those from 192 on are the broker's own.
 *
 *     const char *end = at + n;
 *     for (struct property p; properties_next(&at, end, &p) > 0;) ... */
#ifndef PROPERTIES_H
#define PROPERTIES_H

#include "format/record.h"

enum { PROPERTY_EXPIRES = 1, PROPERTY_OWN = 192, PROPERTY_HEAD = 3 };

struct property { uint8_t tag; uint16_t len; const char *value; };

/* The property at *at, which moves on. 1: there is one; 0: that was all; -1: it does not end before `end`. */
int properties_next(const char **at, const char *end, struct property *p);

/* What is wrong with a property, or with a client's properties; NULL: nothing. n: their bytes without the u16. */
const char *property_fault(const struct property *p);
const char *header_name_fault(const char *name, size_t n);     /* n counts its NUL */
const char *properties_fault(const char *bytes, size_t n);

/* The first property with that tag of a sound record. 0: it has none. */
int record_property(const void *bytes, const struct record *r, uint8_t tag, struct property *p);

/* Milliseconds since 1970 from which on nobody gets the message of a log; 0: it lives for ever. */
int64_t record_expires(const void *bytes, const struct record *r);
static inline int record_is_expired(const void *bytes, const struct record *r, int64_t now_ms)
{
	int64_t at = record_expires(bytes, r);
	return at && at <= now_ms;
}
/* Makes a point in time of how long a request's message lives. */
void record_expires_from(void *bytes, const struct record *r, int64_t now_ms);

#endif
