/* http_child - see http_child.h */
#include "server/http_child.h"
#include "base/clock.h"
#include "ipc/counters.h"
#include "base/fdio.h"
#include "base/log_peer.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* how long a port in use is tried: a killed predecessor's child may not be gone yet */
enum { HTTP_LISTEN_MS = 2000 };

void
http_child_plan(struct http_child *h, const char *address, const char *hosts)
{
	/* what it was read from may change */
	h->address = address && http_address_parse(&h->at, address) == 0 ? strdup(address) : NULL;
	h->hosts = hosts ? strdup(hosts) : NULL;
	h->listener = h->run_dir = -1;
}

static int
http_child_say(const struct http_child *h)
{
	char line[80];
	int n = snprintf(line, sizeof line, "%s %d\n", h->at.ip, h->port);
	return fdio_replace(h->run_dir, "http", line, (size_t)n, 0);
}

int
http_child_look(const struct http_child *h)
{
	return h->address == NULL || fdio_leads_to(h->run_dir, "http", -1) ? 0 : http_child_say(h) < 0 ? -1 : 1;
}

int
http_child_open(struct http_child *h, int run_dir)
{
	if (h->address == NULL) {
		unlinkat(run_dir, "http", 0);       /* of a predecessor that was killed */
		return 0;
	}
	h->run_dir = run_dir;
	for (int64_t until = clock_ms() + HTTP_LISTEN_MS; (h->listener = net_listen(&h->at.net, &h->port)) < 0 &&
	    errno == EADDRINUSE && clock_ms() < until;)
		usleep(5000);
	if (h->listener < 0)
		return -1;
	if (http_child_say(h) < 0)
		log_warn("the run folder's file http: %s", strerror(errno));
	log_info("status page: http://%s%s%s:%d/", strchr(h->at.ip, ':') ? "[" : "", h->at.ip,
	    strchr(h->at.ip, ':') ? "]" : "", h->port);
	return 0;
}

void
http_child_step(struct http_child *h, int log, int64_t now)
{
	if (h->address == NULL || h->pid || now < h->due)
		return;
	char title[80];
	struct child_plan plan = { "mom_http", title, -1, 0, log, { h->listener, h->run_dir, -1 }, h->hosts };
	snprintf(title, sizeof title, "%s:%d", h->at.ip, h->port);
	h->pid = child_start(&plan);
	h->started = now;
	if (h->pid < 0) {
		h->pid = 0;
		h->due = now + backoff_after(&h->backoff, 0, 0);
		log_peer(LOG_FROM_WARN, 0, "mom_http cannot be started: %s: %s: tried again", strerror(errno),
		    child_hint(errno));
	}
}

int
http_child_reaped(struct http_child *h, pid_t pid, int status, int64_t now)
{
	if (h->pid == 0 || h->pid != pid)
		return 0;
	h->pid = 0;
	if (h->renewed) {
		h->renewed = 0;
		return 1;
	}
	int wait = backoff_after(&h->backoff, child_was_killed(status), now - h->started);
	h->due = now + wait;
	counters_add(COUNT_DEATHS, 1);
	log_peer(LOG_FROM_WARN, 0, "mom_http ended (%s): started again%s", child_status_text(status),
	    wait ? " in a moment" : "");
	return 1;
}

int64_t
http_child_due(const struct http_child *h, int64_t until)
{
	return h->address && h->pid == 0 && h->due < until ? h->due : until;
}

/* Its rights do not suffice to take its parent's log file; it has nothing to lose but the graphs' last minutes. */
void
http_child_renew(struct http_child *h)
{
	if (h->pid && kill(h->pid, SIGTERM) == 0)
		h->renewed = 1;
}

void
http_child_stop(struct http_child *h)
{
	if (h->address == NULL)
		return;
	fdio_close(&h->listener);
	if (h->run_dir >= 0)
		unlinkat(h->run_dir, "http", 0);
	child_end(h->pid);                      /* it has nothing to lose */
	h->pid = 0;
}
