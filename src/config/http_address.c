/* http_address - see http_address.h */
#include "config/http_address.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static char said[400];

/* What is wrong with it, or NULL */
static const char *
split(struct http_address *a, const char *text)
{
	const char *colon = strrchr(text, ':'), *begin = text, *end = colon;
	if (colon == NULL || strlen(colon + 1) >= sizeof a->port ||
	    (*text == '[' && (colon == text || colon[-1] != ']')))
		return "an address is IP:PORT, such as 127.0.0.1:8081 or [::1]:8081";
	if (*text == '[') {
		begin++;
		end--;
	}
	if ((size_t)(end - begin) >= sizeof a->ip)
		return "not an IPv4 or IPv6 address";
	snprintf(a->ip, sizeof a->ip, "%.*s", (int)(end - begin), begin);
	snprintf(a->port, sizeof a->port, "%s", colon + 1);
	int r = net_parse(&a->net, a->ip, a->port);
	if (r == 0 && strchr(a->ip, ':') && *text != '[')
		return "an IPv6 address stands in brackets: [::1]:8081";
	return r == 0 ? NULL : r == -1 ? "not an IPv4 or IPv6 address" : "not a port (0 to 65535)";
}

int
http_address_parse(struct http_address *a, const char *text)
{
	return split(a, text) ? -1 : 0;
}

const char *
http_address_fault(const char *text)
{
	struct http_address a;
	const char *fault = split(&a, text);
	if (fault == NULL)
		return NULL;
	snprintf(said, sizeof said, "%.100s: %s", text, fault);
	return said;
}

const char *
http_address_exposed(const char *text, int insecure)
{
	struct http_address a;
	if (text == NULL || insecure || split(&a, text) || a.net.loopback)
		return NULL;
	snprintf(said, sizeof said, "http on an address that is not loopback needs --insecure: whoever reaches it sees "
	    "topics, names and programs: %.100s", text);
	return said;
}

enum { HOST_MAX = 253 };

const char *
http_hosts_fault(const char *names)
{
	static const char known[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
	for (const char *p = names;; p++) {
		size_t n = strcspn(p, ","), good = n == 1 && *p == '*' ? 1 : strspn(p, known);
		if (n == 0 || n > HOST_MAX || good < n) {
			snprintf(said, sizeof said,
			    "a host name without its port is needed, or *, with commas between: %.100s", p);
			return said;
		}
		p += n;
		if (*p == '\0')
			return NULL;
	}
}

const char *
http_hosts_exposed(const char *names, int insecure)
{
	if (names == NULL || insecure || !http_hosts_have(names, "", 0))
		return NULL;
	return "http-hosts * needs --insecure: a page of somebody else that a browser here has open may then read the "
	       "status page";
}

int
http_hosts_have(const char *names, const char *host, size_t n)
{
	for (const char *p = names; p && *p; p += strcspn(p, ","), p += *p == ',') {
		size_t len = strcspn(p, ",");
		if ((len == 1 && *p == '*') || (len == n && strncasecmp(p, host, n) == 0))
			return 1;
	}
	return 0;
}
