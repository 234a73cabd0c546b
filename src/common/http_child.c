/* http_child - see http_child.h */
#include "common/http_child.h"
#include "common/clock.h"
#include "common/counters.h"
#include "common/fdio.h"
#include "common/log.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HTTP_LISTEN_MS = 2000 };             /* how long a port in use is tried: a killed predecessor's child may not be gone yet */

const char *
http_address(const char *text, int insecure, char *ip, size_t n, char *port, size_t m, struct net_address *a)
{
	const char *colon = strrchr(text, ':'), *begin = text, *end = colon;
	if (colon == NULL || strlen(colon + 1) >= m || (*text == '[' && (colon == text || colon[-1] != ']')))
		return "an address is IP:PORT, such as 127.0.0.1:8081 or [::1]:8081";
	if (*text == '[') {
		begin++;
		end--;
	}
	if ((size_t)(end - begin) >= n)
		return "not an IPv4 or IPv6 address";
	snprintf(ip, n, "%.*s", (int)(end - begin), begin);
	snprintf(port, m, "%s", colon + 1);
	int r = net_parse(a, ip, port);
	if (r == -1 || (strchr(ip, ':') && *text != '['))
		return r == -1 ? "not an IPv4 or IPv6 address" : "an IPv6 address stands in brackets: [::1]:8081";
	if (r < 0)
		return "not a port (0 to 65535)";
	if (!a->loopback && !insecure)
		return "an address that is not loopback needs --insecure: whoever reaches it sees topics, names and programs";
	return NULL;
}

const char *
http_child_parse(struct http_child *h, const char *text, int insecure)
{
	h->address = text;
	return http_address(text, insecure, h->ip, sizeof h->ip, h->port_text, sizeof h->port_text, &h->listen);
}

int
http_child_open(struct http_child *h, int run_dir, int verbose)
{
	char line[80];
	if (h->address == NULL) {
		unlinkat(run_dir, "http", 0);       /* of a predecessor that was killed */
		return 0;
	}
	for (int64_t until = clock_ms() + HTTP_LISTEN_MS; (h->listener = net_listen(&h->listen, &h->port)) < 0 && errno == EADDRINUSE && clock_ms() < until;)
		usleep(5000);
	if (h->listener < 0)
		return -1;
	h->run_dir = run_dir;
	h->verbose = verbose;
	int n = snprintf(line, sizeof line, "%s %d\n", h->ip, h->port);
	if (fdio_replace(run_dir, "http", line, (size_t)n, 0) < 0)
		log_warn("the run folder's file http: %s", strerror(errno));
	log_info("status page: http://%s%s%s:%d/", strchr(h->ip, ':') ? "[" : "", h->ip, strchr(h->ip, ':') ? "]" : "", h->port);
	return 0;
}

void
http_child_step(struct http_child *h, int64_t now)
{
	if (h->address == NULL || h->pid || now < h->due)
		return;
	char title[80];
	struct child_plan plan = { "mom_http", title, -1, 0, h->verbose, { h->listener, h->run_dir, -1 } };
	snprintf(title, sizeof title, "%s:%d", h->ip, h->port);
	h->pid = child_start(&plan);
	h->started = now;
	if (h->pid < 0) {
		h->pid = 0;
		h->due = now + backoff_after(&h->backoff, 0, 0);
		log_warn("mom_http cannot be started: %s: %s: tried again", strerror(errno), child_hint(errno));
	}
}

int
http_child_reaped(struct http_child *h, pid_t pid, int status, int64_t now)
{
	if (h->pid == 0 || h->pid != pid)
		return 0;
	h->pid = 0;
	int wait = backoff_after(&h->backoff, child_was_killed(status), now - h->started);
	h->due = now + wait;
	counters_add(COUNT_DEATHS, 1);
	log_warn("mom_http ended (%s): started again%s", child_status_text(status), wait ? " in a moment" : "");
	return 1;
}

int64_t
http_child_due(const struct http_child *h, int64_t until)
{
	return h->address && h->pid == 0 && h->due < until ? h->due : until;
}

void
http_child_stop(struct http_child *h)
{
	int status;
	if (h->address == NULL)
		return;
	fdio_close(&h->listener);
	unlinkat(h->run_dir, "http", 0);
	if (h->pid == 0)
		return;
	kill(h->pid, SIGKILL);                  /* it has nothing to lose */
	while (waitpid(h->pid, &status, 0) < 0 && errno == EINTR)
		;
	h->pid = 0;
}
