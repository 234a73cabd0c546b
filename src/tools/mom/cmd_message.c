/* cmd_message - a message on stdout, in the style that was asked for; see cmd_message.h */
#include "tools/mom/cmd_message.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char letters[] = "tpxljUIoPr%", escapes[] = "nrtae0\\", escaped[] = "\n\r\t\a\033\0\\";

static void
format_check(const struct cmd *c, const char *format)
{
	for (const char *p = format; *p; p++) {
		const char *known = *p == '%' ? letters : *p == '\\' ? escapes : NULL;
		if (known == NULL)
			continue;
		p++;
		if (*p == '\0' || strchr(known, *p) == NULL)
			cmd_wrong_use(c, "%.2s in the format is unknown", p - 1);
	}
}

int
message_option(const struct cmd *c, struct message_style *s, int option, const char *value)
{
	switch (option) {
	case 'v': s->verbose = 1; return 1;
	case 'j': s->json = 1; return 1;
	case 'N': s->bare = 1; return 1;
	case 'F':
		format_check(c, value);
		s->format = value;
		return 1;
	default: return 0;
	}
}

static void
print_base64(const unsigned char *p, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < n; i += 3) {
		unsigned v = (unsigned)p[i] << 16 | (i + 1 < n ? (unsigned)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2]
		    : 0);
		putchar(digits[v >> 18]);
		putchar(digits[v >> 12 & 63]);
		putchar(i + 1 < n ? digits[v >> 6 & 63] : '=');
		putchar(i + 2 < n ? digits[v & 63] : '=');
	}
}

static void
print_hex(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf("%02x", p[i]);
}

/* UTC, with microseconds */
static void
print_time(int64_t us)
{
	time_t seconds = (time_t)(us / 1000000);
	struct tm tm;
	char text[40];
	if (gmtime_r(&seconds, &tm) == NULL || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		strcpy(text, "1970-01-01T00:00:00");
	printf("%s.%06dZ", text, (int)(us % 1000000));
}

static void
print_bytes(const char *name, const void *data, size_t n)
{
	if (cmd_is_utf8(data, n)) {
		printf(",\"%s\":", name);
		cmd_json_string(data, n);
	} else {
		printf(",\"%s_base64\":\"", name);
		print_base64(data, n);
		putchar('"');
	}
}

/* Headers as an array of pairs: several may have one name. */
static void
print_properties(const struct mom_message *m)
{
	static const struct { enum mom_property_name tag; const char *name; } known[] = { { MOM_P_KEY, "key" },
	    { MOM_P_REPLY_TO, "reply_to" }, { MOM_P_CORRELATION, "correlation" },
	    { MOM_P_CONTENT_TYPE, "content_type" } };
	struct mom_header h;
	size_t n, headers = 0;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		const void *value = mom_property(m, known[i].tag, &n);
		if (value)
			print_bytes(known[i].name, value, n);
	}
	for (; mom_header_at(m, headers, &h); headers++) {
		printf(headers ? ",[" : ",\"headers\":[[");
		cmd_json_string(h.name, strlen(h.name));
		putchar(',');
		cmd_json_string(h.value, strlen(h.value));
		putchar(']');
	}
	if (headers)
		putchar(']');
	if (mom_expires(m)) {
		printf(",\"expires\":\"");
		print_time(mom_expires(m) * 1000);
		putchar('"');
	}
}

static void
print_json(const struct mom_message *m)
{
	printf("{\"topic\":");
	cmd_json_string(m->topic, strlen(m->topic));
	print_bytes("data", m->data, m->len);
	printf(",\"publisher\":\"%016" PRIx64 "\",\"offset\":\"%016" PRIx64 "\",\"time\":\"", m->publisher, m->offset);
	print_time(m->time_us);
	printf("\",\"redelivered\":%s", m->flags & MOM_REDELIVERED ? "true" : "false");
	print_properties(m);
	putchar('}');
}

static void
print_letter(char letter, const struct mom_message *m)
{
	switch (letter) {
	case 't': fputs(m->topic, stdout); break;
	case 'p': fwrite(m->data, 1, m->len, stdout); break;
	case 'x': print_hex(m->data, m->len); break;
	case 'l': printf("%zu", m->len); break;
	case 'j': print_json(m); break;
	case 'U': printf("%" PRId64 ".%06d", m->time_us / 1000000, (int)(m->time_us % 1000000)); break;
	case 'I': print_time(m->time_us); break;
	case 'o': printf("%016" PRIx64, m->offset); break;
	case 'P': printf("%016" PRIx64, m->publisher); break;
	case 'r': putchar(m->flags & MOM_REDELIVERED ? '1' : '0'); break;
	default:  putchar(letter);
	}
}

static void
print_format(const char *format, const struct mom_message *m)
{
	for (const char *p = format; *p; p++) {
		if (*p == '%')
			print_letter(*++p, m);
		else if (*p == '\\')
			putchar(escaped[strchr(escapes, *++p) - escapes]);
		else
			putchar(*p);
	}
}

void
message_print(const struct message_style *s, const struct mom_message *m)
{
	if (s->format)
		print_format(s->format, m);
	else if (s->json)
		print_json(m);
	else {
		if (s->verbose)
			printf("%s ", m->topic);
		fwrite(m->data, 1, m->len, stdout);
	}
	if (!s->bare)
		putchar('\n');
}
