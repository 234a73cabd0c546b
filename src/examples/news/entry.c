/* entry - what the two programs write and read: a set of texts, as a form, as a message, as JSON */
#include "entry.h"
#include <mom_coding.h>
#include <stdio.h>
#include <string.h>

const struct entry_kind entry_items = { "items", 2, { { "headline", 1, 400 }, { "text", 0, ENTRY_TEXT_MAX } } };
const struct entry_kind entry_comments = { "comments", 4, { { "item", 16, 16 }, { "headline", 1, 400 },
    { "name", 1, 120 }, { "text", 1, ENTRY_TEXT_MAX } } };

static int
is_blank(const char *text)
{
	return text[strspn(text, " \t\r\n")] == 0;
}

long
entry_from_form(const struct entry_kind *k, const struct request *r, void *bytes, char *why, size_t why_size)
{
	char text[ENTRY_TEXT_MAX + 1];
	struct mom_writer w;
	mom_writer_init(&w, bytes, ENTRY_BYTES_MAX);
	for (int i = 0; i < k->fields; i++) {
		int len = request_field(r, k->field[i].name, text, k->field[i].max + 1);
		if (len < (int)k->field[i].min || (k->field[i].min && is_blank(text))) {
			snprintf(why, why_size, "%s: %zu to %zu bytes of text are wanted\n", k->field[i].name,
			    k->field[i].min, k->field[i].max);
			return -1;
		}
		mom_put_string16(&w, text);
	}
	return mom_writer_failed(&w) ? -1 : (long)w.len;
}

/* "name":"text", with a comma before it */
static char *
put_text(char *to, const char *name, const char *text)
{
	to += sprintf(to, ",\"%s\":\"", name);
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;
		if (byte == '"' || byte == '\\')
			*to++ = '\\', *to++ = (char)byte;
		else if (byte < ' ' || byte == 127)
			to += sprintf(to, "\\u%04x", byte);
		else
			*to++ = (char)byte;
	}
	*to++ = '"';
	return to;
}

int
entry_to_json(const struct entry_kind *k, const struct mom_message *m, char *json)
{
	char text[ENTRY_TEXT_MAX + 1];
	struct mom_reader r;
	char *to = json + sprintf(json, "{\"id\":\"%016llx\",\"time\":%lld", (unsigned long long)m->offset,
	    (long long)(m->time_us / 1000));
	if (m->flags & MOM_GAP) {
		snprintf(text, sizeof text, "%.*s", (int)(m->len < 500 ? m->len : 500), (const char *)m->data);
		to = put_text(to, "gap", text);
	} else {
		mom_reader_init(&r, m->data, m->len);
		for (int i = 0; i < k->fields; i++) {
			mom_get_string16(&r, text, k->field[i].max + 1);
			to = put_text(to, k->field[i].name, text);
		}
		if (mom_reader_failed(&r) || mom_reader_left(&r))
			return -1;
	}
	strcpy(to, "}");
	return 0;
}
