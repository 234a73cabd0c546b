/* http_request - see http_request.h */
#include "tools/http/http_request.h"
#include "config/http_address.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* what the header lines said; hosts: names that are ours */
struct head { const char *hosts; int minor, host, length, keep_alive; };

static int
is_token(unsigned char c)
{
	return isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* A line's bytes without its CR LF; *next: where the following begins, 0 where the line is not whole. -1: no text, or a
 * lone CR or LF. */
static int
line_take(const char *bytes, size_t n, size_t *len, size_t *next)
{
	*next = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)bytes[i];
		if (c == '\r' && i + 1 == n)
			return 0;
		if (c == '\r' && bytes[i + 1] == '\n') {
			*len = i;
			*next = i + 2;
			return 0;
		}
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return -1;
	}
	return 0;
}

static int
is_digits(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isdigit((unsigned char)p[i]))
			return 0;
	return n > 0;
}

int
http_host_is_ours(const char *value, size_t n, const char *hosts)
{
	char name[HTTP_HOST_MAX + 7];
	unsigned char address[16];
	if (n == 0 || n >= sizeof name || memchr(value, '\0', n))
		return 0;
	memcpy(name, value, n);
	name[n] = '\0';
	char *close = *name == '[' ? strchr(name, ']') : NULL, *colon = strchr(close ? close : name, ':');
	if (colon) {
		size_t digits = strlen(colon + 1);
		if (!is_digits(colon + 1, digits) || digits > 5)
			return 0;
		*colon = '\0';
	}
	if (*name == '[') {
		if (close == NULL || close[1] != '\0')
			return 0;
		*close = '\0';
		return inet_pton(AF_INET6, name + 1, address) == 1;
	}
	return inet_pton(AF_INET, name, address) == 1 || strcasecmp(name, "localhost") == 0 ||
	       http_hosts_have(hosts, name, strlen(name));
}

/* What may be read under any name: it changes nothing and names nothing secret, and whoever scrapes it uses names. */
static int
is_for_all(const char *path)
{
	return strcmp(path, "/metrics") == 0 || strcmp(path, "/health") == 0;
}

/* 0, or the status by which it is refused */
static int
request_line(const char *p, size_t n, struct http_request *r, struct head *h)
{
	const char *end = p + n, *target = memchr(p, ' ', n), *version = target
	    ? memchr(target + 1, ' ', (size_t)(end - target - 1)) : NULL;
	if (version == NULL || target == p)
		return 400;
	for (const char *c = p; c < target; c++)
		if (!is_token((unsigned char)*c))
			return 400;
	for (const char *c = target + 1; c < version; c++)
		if (*c <= ' ' || *c > '~')
			return 400;
	if (end - version != 9 || memcmp(version, " HTTP/", 6) != 0 || !isdigit((unsigned char)version[6]) ||
	    version[7] != '.' || !isdigit((unsigned char)version[8]))
		return 400;
	if (version[6] != '1')
		return 505;
	h->minor = version[8] - '0';
	r->head_only = target - p == 4 && memcmp(p, "HEAD", 4) == 0;
	if (!r->head_only && (target - p != 3 || memcmp(p, "GET", 3) != 0))
		return 405;
	const char *path = target + 1, *query = memchr(path, '?', (size_t)(version - path));
	if (*path != '/')
		return 400;
	snprintf(r->path, sizeof r->path, "%.*s", (int)((query ? query : version) - path), path);
	return 0;
}

/* Does the list in a header's value hold that word? */
static int
list_has(const char *p, size_t n, const char *word)
{
	for (size_t i = 0; i < n;) {
		size_t from = i, to;
		while (i < n && p[i] != ',')
			i++;
		for (to = i++; from < to && (p[from] == ' ' || p[from] == '\t'); from++)
			;
		while (to > from && (p[to - 1] == ' ' || p[to - 1] == '\t'))
			to--;
		if (to - from == strlen(word) && strncasecmp(p + from, word, to - from) == 0)
			return 1;
	}
	return 0;
}

static int
is_header(const char *p, size_t n, const char *name)
{
	return n == strlen(name) && strncasecmp(p, name, n) == 0;
}

static int
header_line(const char *p, size_t n, struct http_request *r, struct head *h)
{
	const char *colon = memchr(p, ':', n), *end = p + n;
	if (colon == NULL || colon == p)
		return 400;
	size_t name = (size_t)(colon - p);
	for (const char *c = p; c < colon; c++)
		if (!is_token((unsigned char)*c))
			/* a folded line begins with a blank: it ends here, too */
			return 400;
	for (colon++; colon < end && (*colon == ' ' || *colon == '\t'); colon++)
		;
	while (end > colon && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	size_t len = (size_t)(end - colon);
	if (is_header(p, name, "host"))
		return h->host++ ? 400 : is_for_all(r->path) || http_host_is_ours(colon, len, h->hosts) ? 0 : 421;
	if (is_header(p, name, "transfer-encoding"))
		return 413;                                     /* nobody has to send us anything */
	if (is_header(p, name, "content-length")) {
		if (h->length++ || !is_digits(colon, len))
			return 400;
		return strspn(colon, "0") >= len ? 0 : 413;
	}
	if (is_header(p, name, "connection")) {
		r->close |= list_has(colon, len, "close");
		h->keep_alive |= list_has(colon, len, "keep-alive");
	}
	return 0;
}

size_t
http_request_parse(const char *bytes, size_t n, const char *hosts, struct http_request *r)
{
	size_t at = 0, len = 0, next, lines = 0;
	struct head h = { .hosts = hosts };
	memset(r, 0, sizeof *r);
	while (r->status == 0) {
		if (line_take(bytes + at, n - at, &len, &next) < 0)
			r->status = 400;
		else if (next == 0 && n < HTTP_HEAD_MAX)
			return 0;
		else if (next == 0)
			r->status = 431;
		else if (len > 0)
			r->status = lines++ == 0 ? request_line(bytes + at, len, r, &h)
			    : header_line(bytes + at, len, r, &h);
		else if (lines > 0) {
			at += next;
			break;
		}
		at += next;                                     /* empty lines before a request are passed over */
	}
	if (r->status == 0 && h.minor > 0 && !h.host)
		r->status = 400;
	r->close |= r->status != 0 || (h.minor == 0 && !h.keep_alive);
	return r->status ? n : at;
}

const char *
http_status_text(int status)
{
	switch (status) {
	case 200: return "OK";
	case 400: return "Bad Request";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 413: return "Content Too Large";
	case 421: return "Misdirected Request";
	case 431: return "Request Header Fields Too Large";
	case 503: return "Service Unavailable";
	case 505: return "HTTP Version Not Supported";
	default:  return "Error";
	}
}
