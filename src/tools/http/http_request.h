/* http_request - one request's head out of bytes; no system calls: see tests/fuzz/http_request.c
 * What this server needs of HTTP/1.1 and no more: whatever is unusual is refused by a status, and the connection
 * ends. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H
#include <stddef.h>

/* A browser's head is below 2 KiB, our longest path has 13 bytes. */
enum { HTTP_HEAD_MAX = 8192, HTTP_PATH_MAX = 64, HTTP_HOST_MAX = 253 };

struct http_request {
	/* 0: to be answered; 400 ...: refused by this status, and the connection ends */
	int  status;
	int  head_only;                  /* HEAD */
	int  close;                      /* the connection ends after the answer */
	char path[HTTP_PATH_MAX];        /* without its query; a longer one is cut, and none of ours */
};

/* How many bytes at the start are a whole head, or as many as were looked at where it is refused; 0: it needs more. n
 * is at most HTTP_HEAD_MAX. hosts: further names of ours, as in http_address.h, or NULL. */
size_t http_request_parse(const char *bytes, size_t n, const char *hosts, struct http_request *r);
/* Is that Host header's value an IP address, localhost or one of hosts, with or without a port? Another name was
 * perhaps made to point here by somebody else's page, which may then read ours. /metrics and /health are for all. */
int http_host_is_ours(const char *value, size_t n, const char *hosts);
const char *http_status_text(int status);
#endif
