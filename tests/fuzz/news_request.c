/* news_request - proves: of any bytes, a request to the news example's pages is refused, waited for or taken, the same
 * in pieces as at once; what is taken is text that lies in its bytes, and a form's field is UTF-8 without zero bytes,
 * within its length.
 * INPUT  the bytes */
#include "fuzz.h"
#include "examples/news/request.c"

enum { MOST = 2048 };

static int
parse(struct request *r, char *copy, const uint8_t *data, size_t n)
{
	memcpy(copy, data, n);
	return request_parse(r, copy, n);
}

static void
inside(const char *text, const char *copy, size_t n)
{
	FUZZ_CHECK(*text == 0 || (text >= copy && text + strlen(text) <= copy + n));
}

static void
look(const struct request *r, const char *copy, size_t n)
{
	char text[16];
	inside(r->method, copy, n);
	inside(r->path, copy, n);
	inside(r->host, copy, n);
	inside(r->origin, copy, n);
	inside(r->type, copy, n);
	inside(r->body, copy, n);
	FUZZ_CHECK(r->path[0] == '/' && *r->host && !strpbrk(r->path, "?# ") && strlen(r->body) == r->body_len);
	int len = request_field(r, "text", text, sizeof text);
	FUZZ_CHECK(len >= -1 && len < (int)sizeof text && (len < 0 || (strlen(text) == (size_t)len && is_text(text))));
	if (request_is_local(r, 8081))
		FUZZ_CHECK(strcasecmp(r->host, "127.0.0.1:8081") == 0 || strcasecmp(r->host, "localhost:8081") == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request r;
	size_t n = size < MOST ? size : MOST;
	char *copy = malloc(n + 1);
	int whole = parse(&r, copy, data, n);
	FUZZ_CHECK(whole == 0 || whole == 1 || (whole >= 400 && whole < 600));
	if (whole == 1)
		look(&r, copy, n);
	for (size_t piece = 0; piece < n; piece += 1 + n / 64) {
		int status = parse(&r, copy, data, piece);
		FUZZ_CHECK(status == 0 || status == whole);
	}
	free(copy);
	return 0;
}

/* ---- seeds ---- */

void
fuzz_seeds(fuzz_seed_fn seed)
{
	static const struct { const char *name, *bytes; } seeds[] = {
		{ "get", "GET /comments?x HTTP/1.1\r\nHost: localhost:8081\r\nOrigin: http://localhost:8081\r\n\r\n" },
		{ "form", "POST /items HTTP/1.1\r\nHost: 127.0.0.1:8081\r\nContent-Type: "
		    "application/x-www-form-urlencoded\r\nContent-Length: 18\r\n\r\nx=1&text=%e2%82%ac" },
		{ "form-not-whole", "POST /items HTTP/1.1\r\nHost: 127.0.0.1:8081\r\nContent-Length: "
		    "19\r\n\r\nx=1&text=%e2%82%ac" },
		{ "form-bad", "POST / HTTP/1.0\r\nhost:x\r\nContent-Length:\t6 \r\n\r\ntext=%" },
		{ "two-lengths", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab" },
		{ "long", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n" },
		{ "version", "GET / HTTP/2\r\n\r\n" },
	};
	for (unsigned i = 0; i < sizeof seeds / sizeof *seeds; i++)
		seed(seeds[i].name, seeds[i].bytes, strlen(seeds[i].bytes));
}
