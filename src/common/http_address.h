/* Where a status page is served: "127.0.0.1:8081", "[::1]:8081"; port 0: any free one. */
#ifndef HTTP_ADDRESS_H
#define HTTP_ADDRESS_H
#include "common/net.h"

struct http_address { char ip[64], port[8]; struct net_address net; };

int http_address_parse(struct http_address *a, const char *text);      /* 0, or -1: it is none */
/* What is wrong, with the cure; NULL: nothing. The text is good until the next call. */
const char *http_address_fault(const char *text);
const char *http_address_exposed(const char *text, int insecure);      /* not loopback, though not insecure; text may be NULL */
#endif
