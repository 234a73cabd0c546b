/* entry - what the two programs write and read: a set of texts, as a form, as a message, as JSON
 *
 *     items       headline, text                            pusher -> TOPIC/items     -> consumer
 *     comments    item, headline, name, text                consumer -> TOPIC/comments -> pusher
 * A message is a string16 (mom_coding.h) for each text in this order. */
#ifndef ENTRY_H
#define ENTRY_H

#include "request.h"
#include <mom.h>
#include <stddef.h>

enum { ENTRY_FIELDS_MAX = 4, ENTRY_TEXT_MAX = 4000, ENTRY_BYTES_MAX = 3 * ENTRY_TEXT_MAX,
    ENTRY_JSON_MAX = 6 * ENTRY_BYTES_MAX + 512 };

struct entry_kind {
	/* "items", "comments": the last part of the topic, and the path that a form is sent to */
	const char *name;
	int fields;
	struct { const char *name; size_t min, max; } field[ENTRY_FIELDS_MAX];       /* bytes */
};

extern const struct entry_kind entry_items, entry_comments;

/* The message that a form asks for into bytes (ENTRY_BYTES_MAX): its length, or -1 with a text that says what is
 * wrong. */
long entry_from_form(const struct entry_kind *k, const struct request *r, void *bytes, char *why, size_t why_size);
/* A message as one line of JSON into json (ENTRY_JSON_MAX): 0, or -1: it is none of this kind. One flagged MOM_GAP has
 * the field gap. */
int  entry_to_json(const struct entry_kind *k, const struct mom_message *m, char *json);
#endif
