/* http_pages - which page answers which request; a part of mom_http */
#include "base/fdio.h"
#include "base/hex.h"
#include "look/metrics.h"
#include "tools/http/http.h"
#include <stdlib.h>
#include <string.h>

static const char text_plain[] = "text/plain; charset=utf-8", text_json[] = "application/json; charset=utf-8";

static struct http_body *
body_new(int status, const char *type)
{
	struct http_body *b = calloc(1, sizeof *b);
	if (b == NULL)
		return NULL;
	b->refs = 1;
	b->status = status;
	b->type = type;
	return b;
}

/* What fill writes, as an answer. fill: the status */
static struct http_body *
body_of(const char *type, int (*fill)(FILE *f, const struct watch *w), const struct watch *w)
{
	struct http_body *b = body_new(200, type);
	FILE *f = b ? open_memstream(&b->bytes, &b->n) : NULL;
	if (f == NULL) {
		http_body_drop(b);
		return NULL;
	}
	b->status = fill(f, w);
	int bad = ferror(f);
	if (fclose(f) == 0 && !bad)
		return b;
	http_body_drop(b);
	return NULL;
}

static struct http_body *
body_text(int status, const char *text)
{
	struct http_body *b = body_new(status, text_plain);
	if (b == NULL || (b->bytes = strdup(text)) == NULL) {
		http_body_drop(b);
		return NULL;
	}
	b->n = strlen(text);
	return b;
}

static int
fill_stats(FILE *f, const struct watch *w)
{
	http_stats(f, w);
	return 200;
}

static int
fill_history(FILE *f, const struct watch *w)
{
	http_history(f, w);
	return 200;
}

static int
fill_metrics(FILE *f, const struct watch *w)
{
	if (w->look)
		metrics_print(f, w->look->server, w->look->count);
	return w->look ? 200 : 503;
}

/* As of now: whoever asks this decides by it. */
static int
fill_health(FILE *f, const struct watch *w)
{
	char why[PATH_MAX + 300];
	struct look *l = look_all(w->folder, w->run);
	size_t n = l ? l->count : 0, bad = 0;
	for (size_t i = 0; i < n; i++)
		if (!watch_health(&l->server[i], why, sizeof why)) {
			fprintf(f, "%s\n", why);
			bad++;
		}
	if (n == 0)
		fprintf(f, "no broker and no daemon runs %s%s\n", w->folder ? "in " : "here",
		    w->folder ? w->folder : "");
	else if (!bad)
		fputs("ok\n", f);
	look_free(l);
	return n && !bad ? 200 : 503;
}

/* The page with a nonce of this answer alone: only its own style and script run, whatever somebody gets into it. */
static int
fill_html(FILE *f, const struct watch *w)
{
	fwrite(http_html, 1, http_html_bytes, f);
	(void)w;
	return 200;
}

static struct http_body *
html(const struct watch *w)
{
	static const char mark[] = "00000000000000000000000000000000";
	uint8_t random[16];
	struct http_body *b = body_of("text/html; charset=utf-8", fill_html, w);
	if (b == NULL || fdio_random(random, sizeof random) < 0) {
		http_body_drop(b);
		return NULL;
	}
	hex_text(b->nonce, random, sizeof random);
	for (char *p = b->bytes; (p = memmem(p, b->n - (size_t)(p - b->bytes), mark, sizeof mark - 1)) != NULL;)
		memcpy(p, b->nonce, sizeof mark - 1);
	return b;
}

static const struct {
	const char *path, *type;
	int (*fill)(FILE *f, const struct watch *w);
	int keeps;                       /* it is the same until the next sample: made once for all */
} pages[] = {
	{ "/stats.json", text_json, fill_stats, 1 },
	{ "/history.json", text_json, fill_history, 1 },
	{ "/metrics", METRICS_CONTENT_TYPE, fill_metrics, 1 },
	{ "/health", text_plain, fill_health, 0 },
};
enum { PAGES = sizeof pages / sizeof *pages };

static struct { uint64_t sample; struct http_body *body; } kept[PAGES];

static struct http_body *
page(const struct watch *w, size_t i)
{
	if (!pages[i].keeps)
		return body_of(pages[i].type, pages[i].fill, w);
	if (kept[i].body == NULL || kept[i].sample != w->sample) {
		http_body_drop(kept[i].body);
		kept[i].body = body_of(pages[i].type, pages[i].fill, w);
		kept[i].sample = w->sample;
	}
	return http_body_hold(kept[i].body);
}

static const char *
refusal(int status)
{
	switch (status) {
	case 400: return "this is no request of HTTP/1.1\n";
	case 404: return "there is no such page: / /stats.json /history.json /metrics /health\n";
	case 405: return "only GET and HEAD: nothing can be changed here\n";
	case 413: return "nothing can be sent here\n";
	case 421: return "the Host header has to be an IP address, localhost or one of http-hosts (see mom_http(8)); "
	                 "/metrics and /health are for any\n";
	case 431: return "a request's head has to be shorter than 8 KiB\n";
	case 505: return "HTTP/1.0 and HTTP/1.1 are spoken here\n";
	default:  return "refused\n";
	}
}

struct http_body *
http_page(struct watch *w, const struct http_request *r)
{
	if (r->status)
		return body_text(r->status, refusal(r->status));
	if (strcmp(r->path, "/") == 0)
		return html(w);
	for (size_t i = 0; i < PAGES; i++)
		if (strcmp(r->path, pages[i].path) == 0)
			return page(w, i);
	return body_text(404, refusal(404));
}
