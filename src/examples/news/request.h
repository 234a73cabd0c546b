/* request - one HTTP request, taken apart where it lies; bytes of strangers */
#ifndef REQUEST_H
#define REQUEST_H

#include <stddef.h>

enum { REQUEST_HEAD_MAX = 8192, REQUEST_BODY_MAX = 32768 };

struct request {
	const char *method, *path;             /* path without what follows a ? */
	const char *host, *origin, *type;      /* "" where there is none */
	char *body;                            /* with a closing NUL; the body itself has none */
	size_t body_len;
};

/* What has come so far (bytes[len] may be written to). 0: not all of it is here. 1: *r is filled in, bytes are changed.
 * Else the status to refuse it with: 400, 413, 431, 501, 505. */
int request_parse(struct request *r, char *bytes, size_t len);
/* A page of another site cannot make a browser write here, nor read by a name of its own that it points to this
 * machine. */
int request_is_local(const struct request *r, int port);
/* The decoded value of a field of an application/x-www-form-urlencoded body into text; its length, -1: not there, too
 * long, not valid UTF-8 or with a zero byte. */
int request_field(const struct request *r, const char *name, char *text, size_t size);
#endif
