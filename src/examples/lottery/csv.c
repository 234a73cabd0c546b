/* csv - a file of comma separated fields, line by line */
#include "csv.h"
#include <errno.h>
#include <stdarg.h>
#include <string.h>

int
csv_open(struct csv *c, const char *path)
{
	*c = (struct csv){ .name = path, .file = fopen(path, "re") };
	if (c->file)
		return 0;
	snprintf(c->error, sizeof c->error, "%s: %s", path, strerror(errno));
	return -1;
}

int
csv_wrong(struct csv *c, const char *format, ...)
{
	char what[200];
	va_list list;
	va_start(list, format);
	vsnprintf(what, sizeof what, format, list);
	va_end(list);
	snprintf(c->error, sizeof c->error, "%.300s:%lu: %s", c->name, c->line, what);
	return -1;
}

/* One line without its end into text. 1, 0 at the end of the file, -1 */
static int
read_line(struct csv *c)
{
	size_t n = 0;
	int byte;
	c->line++;
	while ((byte = getc_unlocked(c->file)) != EOF && byte != '\n') {
		if (n == CSV_LINE_MAX)
			return csv_wrong(c, "the line is longer than %d bytes", CSV_LINE_MAX);
		c->text[n++] = (char)byte;
	}
	if (ferror(c->file))
		return csv_wrong(c, "%s", strerror(errno));
	if (byte == EOF && n == 0)
		return 0;
	if (n > 0 && c->text[n - 1] == '\r')
		n--;
	c->text[n] = 0;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)c->text[i] < ' ' || c->text[i] == 127)
			return csv_wrong(c, "a control character (0x%02x) in column %zu", (unsigned char)c->text[i],
			    i + 1);
	return 1;
}

/* A field in quotes, from the one that opens it: taken out of them where it stands. Returns where it ended, or NULL. */
static char *
take_quoted(struct csv *c, char *at)
{
	char *to = at;
	for (at++; *at != '"' || at[1] == '"'; at++) {
		if (*at == 0)
			return csv_wrong(c, "field %d: its quote is not closed", c->fields), NULL;
		if (*at == '"')
			at++;
		*to++ = *at;
	}
	if (at[1] != ',' && at[1] != 0)
		return csv_wrong(c, "field %d: something follows its closing quote (a quote in a field is doubled)",
		    c->fields), NULL;
	*to = 0;
	return at + 1;
}

static char *
take_plain(struct csv *c, char *at)
{
	at += strcspn(at, ",\"");
	if (*at == '"')
		return csv_wrong(c, "field %d: a quote inside (such a field stands in quotes, the quote doubled)",
		    c->fields), NULL;
	return at;
}

int
csv_next(struct csv *c)
{
	int r = read_line(c), more = 1;
	if (r <= 0)
		return r;
	c->fields = 0;
	for (char *at = c->text; more; at++) {
		if (c->fields == CSV_FIELDS_MAX)
			return csv_wrong(c, "more than %d fields", CSV_FIELDS_MAX);
		c->field[c->fields++] = at;
		at = *at == '"' ? take_quoted(c, at) : take_plain(c, at);
		if (at == NULL)
			return -1;
		more = *at == ',';
		*at = 0;
	}
	return 1;
}

void
csv_close(struct csv *c)
{
	if (c->file)
		fclose(c->file);
	c->file = NULL;
}

size_t
csv_put(char *text, const char *field)
{
	char *to = text;
	if (strpbrk(field, ",\"") == NULL)
		return (size_t)(stpcpy(text, field) - text);
	*to++ = '"';
	for (; *field; field++) {
		if (*field == '"')
			*to++ = '"';
		*to++ = *field;
	}
	*to++ = '"';
	*to = 0;
	return (size_t)(to - text);
}
