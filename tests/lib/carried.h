/* carried - some messages of storms and of the simulator carry properties that tell of the message itself
 *     struct mom_properties p = carried_by(topic, data, len);
 *     mom_publish_with(id, topic, data, len, flags, n % 3 ? NULL : &p);
 *     if (!is_carried(&m)) ...its properties are another's, or changed... */
#ifndef CARRIED_H
#define CARRIED_H

#include <mom.h>
#include <string.h>

enum { CARRIED_BYTES = 8 };

static inline struct mom_properties
carried_by(const char *topic, const void *data, size_t len)
{
	struct mom_properties p = MOM_PROPERTIES_INIT;
	p.ttl_ms = MOM_TTL_MAX;                        /* it never ends */
	p.key = p.reply_to = topic;
	p.correlation = data;
	p.correlation_len = len < CARRIED_BYTES ? len : CARRIED_BYTES;
	return p;
}

/* 1: it has no properties, or its own */
static inline int
is_carried(const struct mom_message *m)
{
	size_t n = 0, wanted = m->len < CARRIED_BYTES ? m->len : CARRIED_BYTES;
	if (!(m->flags & MOM_PROPERTIES))
		return 1;
	const char *key = mom_property(m, MOM_P_KEY, NULL), *to = mom_property(m, MOM_P_REPLY_TO, NULL),
	    *bytes = mom_property(m, MOM_P_CORRELATION, &n);
	return key && strcmp(key, m->topic) == 0 && to && strcmp(to, m->topic) == 0 && mom_expires(m) > 0 && bytes &&
	    n == wanted && memcmp(bytes, m->data, n) == 0;
}
#endif
