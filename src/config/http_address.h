/* Where a status page is served: "127.0.0.1:8081", "[::1]:8081"; port 0: any free one. */
#ifndef HTTP_ADDRESS_H
#define HTTP_ADDRESS_H
#include "base/net.h"
#include <stddef.h>

struct http_address { char ip[64], port[8]; struct net_address net; };

int http_address_parse(struct http_address *a, const char *text);      /* 0, or -1: it is not such an address */
/* What is wrong, with the cure; NULL: nothing. The text is good until the next call. */
const char *http_address_fault(const char *text);
/* What is wrong with an address that is not loopback, if insecure is not set. NULL: nothing. text may be NULL. */
const char *http_address_exposed(const char *text, int insecure);

/* Host names under which browsers may ask, besides addresses and localhost: "broker1.lan,mom-broker"; "*": any. */
const char *http_hosts_fault(const char *names);                       /* as http_address_fault */
/* "*" although not insecure; names may be NULL */
const char *http_hosts_exposed(const char *names, int insecure);
int http_hosts_have(const char *names, const char *host, size_t n);    /* 1: host (without a port) is one of them */
#endif
