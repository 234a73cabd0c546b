/* http_request - proves: of any bytes a whole head is found where it ends and nowhere else, in pieces or at once; what
 * is accepted is a GET or HEAD of a printable path, without a body, for a host that is an address or localhost. INPUT 
 * the bytes */
#include <ctype.h>
#include <strings.h>
#include "fuzz.h"
#include "tools/http/http_request.c"

/* That name, with or without a port. */
static int
is_named(const char *value, size_t n, const char *name)
{
	size_t len = strlen(name);
	return n >= len && strncasecmp(value, name, len) == 0 && (n == len || value[len] == ':');
}

/* What is taken for ours can be nothing that a name server is asked for. */
static void
host_is_no_name(const char *value, size_t n)
{
	size_t name = 0, colons = 0;
	if (!http_host_is_ours(value, n, NULL)) {
		/* of names only those that were given, with or without a port */
		FUZZ_CHECK(
		    http_host_is_ours(value, n, "b,a.lan") <= (is_named(value, n, "b") || is_named(value, n, "a.lan")));
		return;
	}
	FUZZ_CHECK(n > 0 && n < 64);
	while (name < n && value[name] != ':')
		name++;
	if (name == 9 && strncasecmp(value, "localhost", 9) == 0)
		return;
	for (size_t i = 0; i < n; i++) {
		FUZZ_CHECK(isxdigit((unsigned char)value[i]) || strchr("[].:", value[i]));
		colons += value[i] == ':';
	}
	FUZZ_CHECK(value[0] == '[' || (colons <= 1 && isdigit((unsigned char)value[0])));
}

static int
has_blank_line_at_end(const char *p, size_t n)
{
	return n >= 4 && memcmp(p + n - 4, "\r\n\r\n", 4) == 0;
}

static void
accepted(const struct http_request *r, const char *p, size_t n)
{
	FUZZ_CHECK(n <= HTTP_HEAD_MAX && has_blank_line_at_end(p, n));
	FUZZ_CHECK(r->path[0] == '/' && strlen(r->path) < HTTP_PATH_MAX);
	for (const char *c = r->path; *c; c++)
		FUZZ_CHECK(*c > ' ' && *c <= '~' && *c != '?');
	while (*p == '\r' || *p == '\n')
		p++;
	FUZZ_CHECK(memcmp(p, r->head_only ? "HEAD /" : "GET /", r->head_only ? 6 : 5) == 0);
}

/* the bytes in a block of exactly their size, so that a sanitizer sees a look beyond */
static size_t
parse(const uint8_t *data, size_t n, struct http_request *r)
{
	char *copy = malloc(n ? n : 1);
	if (n)
		memcpy(copy, data, n);
	size_t taken = http_request_parse(copy, n, NULL, r);
	FUZZ_CHECK(taken <= n && (taken == 0) <= (r->status == 0 || n == 0));
	FUZZ_CHECK(http_status_text(r->status ? r->status : 200)[0] != 'E' && (!r->status || r->close));
	if (taken && r->status == 0)
		accepted(r, copy, taken);
	free(copy);
	return taken;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_request whole, part;
	size_t n = size < HTTP_HEAD_MAX ? size : HTTP_HEAD_MAX, taken = parse(data, n, &whole), step = n / 40 + 1;
	host_is_no_name((const char *)data, n);
	for (size_t k = 0; k < n; k += step) {
		size_t early = parse(data, k, &part);
		/* what needs more now is not done before; what is refused early is refused with all, too */
		if (taken == 0 || (whole.status == 0 && k < taken))
			FUZZ_CHECK(early == 0 && part.status == 0);
		else if (whole.status == 0)
			FUZZ_CHECK(early == taken && strcmp(part.path, whole.path) == 0 && part.close == whole.close);
		if (part.status)
			FUZZ_CHECK(part.status == whole.status);
	}
	FUZZ_CHECK(n < HTTP_HEAD_MAX || taken > 0);
	return 0;
}

/* ---- seeds ---- */

void
fuzz_seeds(fuzz_seed_fn seed)
{
	static const char *const texts[][2] = {
		{ "page", "GET / HTTP/1.1\r\nHost: 127.0.0.1:8081\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n" },
		{ "query", "HEAD /stats.json?a=1&b HTTP/1.1\r\nhost:\t[::1]:80 \r\nConnection: keep-alive, "
		    "close\r\n\r\n" },
		{ "old", "\r\nGET /health HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET /metrics HTTP/1.1\r\n" },
		{ "body", "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 000\r\n\r\n" },
		{ "post", "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello" },
		{ "chunked", "GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" },
		{ "name", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n" },
		{ "two-hosts", "GET / HTTP/1.1\r\nHost: 10.0.0.1\r\nHost: 10.0.0.2\r\n\r\n" },
		{ "folded", "GET / HTTP/1.1\r\nHost: 10.0.0.1\r\n more\r\n\r\n" },
		{ "lone-lf", "GET / HTTP/1.1\nHost: 10.0.0.1\n\n" },
		{ "two", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
		{ "host", "[fe80::1]:65535" },
		{ "named-host", "a.lan:8081" },
		{ "for-all", "GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n" },
		{ "half", "GET /metrics HTTP/1.1\r\nHost: 1.2.3.4\r\nX: " },
	};
	char long_head[HTTP_HEAD_MAX + 40];
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		seed(texts[i][0], texts[i][1], strlen(texts[i][1]));
	memset(long_head, 'a', sizeof long_head);
	memcpy(long_head, "GET / HTTP/1.1\r\nX: ", 19);
	seed("long", long_head, sizeof long_head);
	seed("tls", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
}
