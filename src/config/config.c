/* config - see config.h: values, their kinds, their origins */
#include "config/config.h"
#include "base/net.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* a value on its way in */
struct offer { const struct config_key *key; const char *text; enum config_from from; const char *where; unsigned line;
    };

static int refuse(struct config *c, const struct offer *o, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

/* What is wrong, with the place in front; a control character in it must not command a terminal. */
static int
refuse(struct config *c, const struct offer *o, const char *format, ...)
{
	int n = 0, is_argument = o->from == CONFIG_BY_FLAG && o->key->kind == CONFIG_ADDRESS;
	va_list ap;
	if (o->from == CONFIG_BY_FILE)
		n = snprintf(c->error, sizeof c->error, "%.300s:%u: %s", o->where, o->line, o->key->name);
	else if (o->from == CONFIG_BY_ENVIRONMENT)
		n = snprintf(c->error, sizeof c->error, "%s in the environment", o->where);
	else if (!is_argument)
		n = snprintf(c->error, sizeof c->error, "--%s", o->key->name);
	if (!is_argument)
		n += snprintf(c->error + n, sizeof c->error - (size_t)n, o->key->kind == CONFIG_ADDRESS ? ": " : " ");
	va_start(ap, format);
	vsnprintf(c->error + n, sizeof c->error - (size_t)n, format, ap);
	va_end(ap);
	for (char *p = c->error; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	return -1;
}

/* ---- kinds: each puts what it means into *number, or refuses ---- */

/* digits, and where they end; -1: none, or too many */
static int
digits(const char *text, uint64_t *number, const char **end)
{
	char *stop;
	errno = 0;
	unsigned long long v = strtoull(text, &stop, 10);
	if (*text < '0' || *text > '9' || errno)
		return -1;
	*number = v;
	*end = stop;
	return 0;
}

static int
is_in_range(const struct config_key *k, uint64_t v)
{
	return (v == 0 && (k->how & CONFIG_ZERO)) || (v >= k->least && v <= k->most);
}

/* as it would be typed: 16m */
static const char *
amount(uint64_t v, int in_bytes, char text[24])
{
	static const char units[] = " kmg";
	int unit = 0;
	for (; in_bytes && unit < 3 && v && v % 1024 == 0; unit++)
		v /= 1024;
	snprintf(text, 24, "%llu%.1s", (unsigned long long)v, unit ? units + unit : "");
	return text;
}

/* " from 1 to 64, or 0", " of at least 16m" */
static const char *
range(const struct config_key *k, char text[80])
{
	char least[24], most[24];
	int in_bytes = k->kind == CONFIG_BYTES;
	const char *zero = k->how & CONFIG_ZERO ? ", or 0" : "";
	amount(k->least, in_bytes, least);
	if (k->most >= INT64_MAX)
		snprintf(text, 80, " of at least %s%s", least, zero);
	else
		snprintf(text, 80, " from %s to %s%s", least, amount(k->most, in_bytes, most), zero);
	return text;
}

static int
take_number(struct config *c, const struct offer *o, uint64_t *number)
{
	const char *end;
	char text[80];
	if (digits(o->text, number, &end) < 0 || *end || !is_in_range(o->key, *number))
		return refuse(c, o, "takes a number%s, not: %.200s", range(o->key, text), o->text);
	return 0;
}

static int
take_bytes(struct config *c, const struct offer *o, uint64_t *number)
{
	const char *end = "", *units = "kmg", *unit = NULL;
	char text[80];
	uint64_t v = 0;
	int bad = digits(o->text, &v, &end) < 0;
	if (!bad && *end && (unit = strchr(units, *end | 0x20)) != NULL)
		end++;
	unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
	*number = v << shift;
	if (bad || *end || *number >> shift != v || !is_in_range(o->key, *number))
		return refuse(c, o, "takes a number of bytes%s (k, m, g may stand behind it), not: %.200s",
		    range(o->key, text), o->text);
	return 0;
}

uint64_t
config_time_unit(const char *name)
{
	static const struct { const char *name; uint64_t ms; } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 },
	    { "h", 3600000 }, { "d", 86400000 } };
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strcmp(name, units[i].name) == 0)
			return units[i].ms;
	return 0;
}

static int
take_time(struct config *c, const struct offer *o, uint64_t *number)
{
	const char *end;
	uint64_t v, unit;
	if ((o->key->how & CONFIG_FOREVER) && strcmp(o->text, "forever") == 0) {
		*number = CONFIG_NO_END;
		return 0;
	}
	if (digits(o->text, &v, &end) == 0) {
		if (v == 0 && *end == '\0' && (o->key->how & CONFIG_ZERO)) {
			*number = 0;
			return 0;
		}
		if ((unit = config_time_unit(end)) != 0 && v > 0 && v <= o->key->most / unit &&
		    (*number = v * unit) >= o->key->least)
			return 0;
	}
	return refuse(c, o, "takes a time such as 7d, 36h, 90m, 20s%s%s, not: %.200s",
	    o->key->least < 1000 ? ", 500ms" : "",
	    (o->key->how & CONFIG_FOREVER) ? ", or forever" : (o->key->how & CONFIG_ZERO) ? ", or 0" : "", o->text);
}

static int
take_switch(struct config *c, const struct offer *o, uint64_t *number)
{
	*number = strcmp(o->text, "yes") == 0;
	return *number || strcmp(o->text, "no") == 0 ? 0 : refuse(c, o, "takes yes or no, not: %.200s", o->text);
}

static int
take_choice(struct config *c, const struct offer *o, uint64_t *number)
{
	size_t n = strlen(o->text);
	*number = 0;
	for (const char *p = o->key->choices;; p += strcspn(p, "|") + 1, ++*number) {
		if (n && strcspn(p, "|") == n && strncmp(p, o->text, n) == 0)
			return 0;
		if (strchr(p, '|') == NULL)
			return refuse(c, o, "takes one of %s, not: %.200s", o->key->choices, o->text);
	}
}

static int
take_text(struct config *c, const struct offer *o, uint64_t *number)
{
	size_t n = strlen(o->text);
	const char *fault = o->key->fault ? o->key->fault(o->text) : NULL;
	*number = 0;
	if (n < o->key->least)
		return refuse(c, o, "needs a value: %s", o->key->shape);
	if (n > o->key->most)
		return refuse(c, o, "is too long: %zu bytes, at most %llu", n, (unsigned long long)o->key->most);
	if (fault)
		return refuse(c, o, "cannot be taken: %.300s", fault);
	return 0;
}

/* "HOST PORT" out of that, mom://HOST:PORT or mom://[IP]:PORT; 0, or -1 */
static int
address_parts(const char *text, char host[NET_HOST], char port[64])
{
	char rest[2];
	if (strncmp(text, "mom://[", 7) == 0)
		return sscanf(text + 7, "%253[^]]]:%63[0-9]%1s", host, port, rest) == 2 ? 0 : -1;
	if (strncmp(text, "mom://", 6) == 0)
		return sscanf(text + 6, "%253[^:]:%63[0-9]%1s", host, port, rest) == 2 ? 0 : -1;
	return sscanf(text, "%253s %63s %1s", host, port, rest) == 2 ? 0 : -1;
}

static int
take_address(struct config *c, const struct offer *o, uint64_t *number)
{
	char host[NET_HOST], port[64];
	struct net_address a;
	*number = 0;
	if (address_parts(o->text, host, port) < 0)
		return refuse(c, o, "neither HOST PORT nor mom://HOST:PORT (an IPv6 address in [ ]): %.200s", o->text);
	int r = net_parse(&a, host, port);
	if (r == -1 && !net_is_name(host))
		return refuse(c, o, "neither an IPv4 or IPv6 address nor a host's name: %.200s", host);
	r = r == -1 ? 0 : r;
	if (r < 0 || strtoul(port, NULL, 10) < o->key->least)
		return refuse(c, o, "not a port (%u to 65535): %.200s", (unsigned)o->key->least, port);
	return 0;
}

static int
take(struct config *c, const struct offer *o, uint64_t *number)
{
	static int (*const kinds[])(struct config *, const struct offer *, uint64_t *) = {
		[CONFIG_TEXT] = take_text, [CONFIG_NUMBER] = take_number, [CONFIG_BYTES] = take_bytes,
		    [CONFIG_TIME] = take_time, [CONFIG_SWITCH] = take_switch,
		[CONFIG_CHOICE] = take_choice, [CONFIG_ADDRESS] = take_address };
	for (const char *p = o->text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return refuse(c, o, "has a control character: %.200s", o->text);
	return kinds[o->key->kind](c, o, number);
}

/* ---- values ---- */

static char *
copy_of(const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = malloc(n);
	return copy ? memcpy(copy, text, n) : NULL;
}

static void
config_drop(struct config_value *v)
{
	free(v->text);
	free(v->where);
}

void
config_keep(struct config *c, unsigned key, const struct config *from)
{
	struct config_value *v = &c->value[key];
	const struct config_value *old = &from->value[key];
	config_drop(v);
	*v = *old;
	v->text = old->text ? copy_of(old->text) : NULL;
	v->where = old->where ? copy_of(old->where) : NULL;
}

int
config_set(struct config *c, unsigned key, const char *text, enum config_from from, const char *where, unsigned line)
{
	struct config_value *v = &c->value[key];
	struct offer o = { &c->program->keys[key], text, from, where, line };
	uint64_t number;
	if (take(c, &o, &number) < 0)
		return -1;
	if (from < v->from)
		return 0;
	char *copy = copy_of(text), *place = where ? copy_of(where) : NULL;
	if (copy == NULL || (where && place == NULL)) {
		free(copy);
		return refuse(c, &o, "finds no memory: see `free`");
	}
	config_drop(v);
	*v = (struct config_value){ from, copy, number, place, line };
	return 0;
}

void
config_begin(struct config *c, const struct config_program *program)
{
	memset(c, 0, sizeof *c);
	c->program = program;
	for (unsigned i = 0; i < program->count; i++)
		if (program->keys[i].preset)
			config_set(c, i, program->keys[i].preset, CONFIG_BY_PRESET, NULL, 0);
}

void
config_end(struct config *c)
{
	for (unsigned i = 0; i < CONFIG_KEYS_MAX; i++)
		config_drop(&c->value[i]);
	free(c->named);
	memset(c, 0, sizeof *c);
}

int
config_find(const struct config_program *program, const char *name, size_t n)
{
	for (unsigned i = 0; i < program->count; i++)
		if (strlen(program->keys[i].name) == n && strncmp(program->keys[i].name, name, n) == 0)
			return (int)i;
	return -1;
}

int
config_address(const struct config *c, unsigned key, char host[NET_HOST], char port[64])
{
	return c->value[key].text ? address_parts(c->value[key].text, host, port) : -1;
}

const char *
config_origin(const struct config *c, unsigned key, char *text, size_t n)
{
	const struct config_value *v = &c->value[key];
	switch (v->from) {
	case CONFIG_BY_FLAG:        snprintf(text, n, "flag"); break;
	case CONFIG_BY_ENVIRONMENT: snprintf(text, n, "environment %s", v->where ? v->where : "?"); break;
	case CONFIG_BY_FILE:        snprintf(text, n, "%s:%u", v->where ? v->where : "?", v->line); break;
	default:                    snprintf(text, n, "default"); break;
	}
	return text;
}
