/* request - one HTTP request, taken apart where it lies; bytes of strangers */
#include "request.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The first line: method, path, version. */
static int
parse_first(struct request *r, char *line)
{
	char *path = strchr(line, ' '), *version = path ? strchr(path + 1, ' ') : NULL;
	if (version == NULL || path == line || path[1] != '/')
		return 400;
	*path++ = 0;
	*version++ = 0;
	if (strncmp(version, "HTTP/", 5) != 0 || strchr(version, ' '))
		return 400;
	if (strncmp(version, "HTTP/1.", 7) != 0)
		return 505;
	path[strcspn(path, "?#")] = 0;
	r->method = line;
	r->path = path;
	return 1;
}

static int
parse_length(const char *value, size_t *length)
{
	size_t digits = strspn(value, "0123456789");
	if (digits == 0 || digits > 9 || value[digits])
		return digits > 9 ? 413 : 400;
	*length = strtoul(value, NULL, 10);
	return *length > REQUEST_BODY_MAX ? 413 : 1;
}

/* A line `Name: value` */
static int
parse_header(struct request *r, char *line, size_t *length, int *lengths)
{
	char *value = strchr(line, ':'), *end;
	if (value == NULL || value == line || strcspn(line, " \t") < (size_t)(value - line))
		return 400;
	*value++ = 0;
	value += strspn(value, " \t");
	for (end = value + strlen(value); end > value && (end[-1] == ' ' || end[-1] == '\t'); end--)
		end[-1] = 0;
	if (strcasecmp(line, "Host") == 0) {
		if (*r->host)
			return 400;
		r->host = value;
	} else if (strcasecmp(line, "Origin") == 0) {
		r->origin = value;
	} else if (strcasecmp(line, "Content-Type") == 0) {
		r->type = value;
	} else if (strcasecmp(line, "Transfer-Encoding") == 0) {
		return 501;
	} else if (strcasecmp(line, "Content-Length") == 0) {
		return (*lengths)++ ? 400 : parse_length(value, length);
	}
	return 1;
}

static int
parse_head(struct request *r, char *bytes, char *end, size_t *length)
{
	int status = 0, first = 1, lengths = 0;
	*r = (struct request){ .host = "", .origin = "", .type = "" };
	for (char *line = bytes, *next; line < end; line = next) {
		next = strstr(line, "\r\n");
		if (next == NULL || next > end)
			next = end;
		*next = 0;
		next += 2;
		status = first ? parse_first(r, line) : parse_header(r, line, length, &lengths);
		first = 0;
		if (status != 1)
			return status;
	}
	return *r->host ? status : 400;
}

/* How long the body is that a head tells of; the head is not changed. 0 where that is no number: the parse will say. */
static size_t
length_in(const char *head, const char *end)
{
	for (const char *at = head; (at = strstr(at, "\r\n")) != NULL && at < end;) {
		at += 2;
		if (strncasecmp(at, "Content-Length:", 15) == 0) {
			at += 15 + strspn(at + 15, " \t");
			return *at >= '0' && *at <= '9' ? strtoul(at, NULL, 10) : 0;
		}
	}
	return 0;
}

int
request_parse(struct request *r, char *bytes, size_t len)
{
	size_t length = 0;
	bytes[len] = 0;
	char *end = strstr(bytes, "\r\n\r\n");
	if (strlen(bytes) < len && (end == NULL || memchr(bytes, 0, (size_t)(end - bytes))))
		return 400;
	if (end == NULL)
		return len >= REQUEST_HEAD_MAX ? 431 : 0;
	if (end - bytes >= REQUEST_HEAD_MAX)
		return 431;
	char *body = end + 4;
	size_t here = len - (size_t)(body - bytes), wanted = length_in(bytes, end);
	if (wanted <= REQUEST_BODY_MAX && here < wanted)
		return 0;
	int status = parse_head(r, bytes, end, &length);
	if (status != 1)
		return status;
	r->body = body;
	r->body_len = length < here ? length : here;
	body[r->body_len] = 0;
	return strlen(body) == r->body_len ? 1 : 400;
}

int
request_is_local(const struct request *r, int port)
{
	static const char *const names[] = { "127.0.0.1", "localhost" };
	char host[64], origin[80];
	for (unsigned i = 0; i < 2; i++) {
		snprintf(host, sizeof host, "%s:%d", names[i], port);
		snprintf(origin, sizeof origin, "http://%s", host);
		if (strcasecmp(r->host, host) == 0)
			return *r->origin == 0 || strcasecmp(r->origin, origin) == 0;
	}
	return 0;
}

static int
hex(char digit)
{
	const char *digits = "0123456789abcdef", *at = digit ? strchr(digits, digit | 32) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* 1 where all of it is UTF-8 without control characters (but line ends and tabs) */
static int
is_text(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p;) {
		int more = *p < 0x80 ? 0 : *p >= 0xc2 && *p < 0xe0 ? 1 : *p >= 0xe0 && *p < 0xf0 ? 2
		    : *p >= 0xf0 && *p < 0xf5 ? 3 : -1;
		if (more < 0 || *p == 127 || (*p < ' ' && *p != '\n' && *p != '\r' && *p != '\t'))
			return 0;
		if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) || (*p == 0xf0 && p[1] < 0x90) ||
		    (*p == 0xf4 && p[1] > 0x8f))
			return 0;
		for (p++; more > 0; more--, p++)
			if ((*p & 0xc0) != 0x80)
				return 0;
	}
	return 1;
}

static int
decode(const char *from, size_t len, char *text, size_t size)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		int byte = (unsigned char)from[i];
		if (byte == '+') {
			byte = ' ';
		} else if (byte == '%') {
			if (i + 3 > len || hex(from[i + 1]) < 0 || hex(from[i + 2]) < 0)
				return -1;
			byte = hex(from[i + 1]) * 16 + hex(from[i + 2]);
			i += 2;
		}
		if (byte == 0 || n + 1 >= size)
			return -1;
		text[n++] = (char)byte;
	}
	text[n] = 0;
	return is_text(text) ? (int)n : -1;
}

int
request_field(const struct request *r, const char *name, char *text, size_t size)
{
	size_t len = strlen(name);
	for (const char *at = r->body; at; at = strchr(at, '&') ? strchr(at, '&') + 1 : NULL)
		if (strncmp(at, name, len) == 0 && at[len] == '=')
			return decode(at + len + 1, strcspn(at + len + 1, "&"), text, size);
	return -1;
}
