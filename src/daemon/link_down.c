/* link_down - the end of the connection to the broker, whoever notices it, and the reason why there is none; a part of
 * mom_daemon */
#include "daemon/daemon.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/log_peer.h"
#include <errno.h>
#include <stdio.h>

void
link_down(struct daemon *d)
{
	identity_proven(d);                            /* else it never was: forgotten */
	d->token_fresh = 0;
	fdio_close(&d->socket);
	resolver_end(d);
	/* a broker whose streams had begun is there: the back-off is for those that do not answer, or only welcome
	 * us */
	int was_there = d->link == LINK_UP && d->unit && atomic_load(&d->unit->proven);
	if (d->link != LINK_IDLE)
		d->link_due = clock_ms() + backoff_after(&d->link_backoff, 0, was_there ? BACKOFF_RESET_MS : 0);
	d->link = LINK_IDLE;
}

/* ---- why there is none ---- */

/* For whoever waits in vain, and for tools: the reason stands in the run folder. */
void
link_say(struct daemon *d, const char *why)
{
	char line[sizeof d->link_said + 100];
	if (strcmp(d->link_said, why) == 0)
		return;
	snprintf(d->link_said, sizeof d->link_said, "%s", why);
	int n = snprintf(line, sizeof line, "broker %s port %s: %s", d->host, d->port, why);
	n = n < (int)sizeof line ? n : (int)sizeof line - 1;
	for (int i = 0; i < n; i++)                    /* a broker's text may be anything */
		line[i] = (unsigned char)line[i] < 0x20 || line[i] == 0x7f ? '?' : line[i];
	if (*why == '\0') {
		fdio_unlink_at(d->run_dir, "trouble");
		return;
	}
	if (strcmp(d->refused, why) != 0)
		log_peer(LOG_FROM_WARN, 0, "%s: tried again until it works", line);
	if (fdio_replace(d->run_dir, "trouble", line, (size_t)n, 0) < 0)
		log_debug("%s/trouble: %s", d->run, strerror(errno));
}

void
link_refused(struct daemon *d)
{
	char why[sizeof d->unit->refused];
	snprintf(why, sizeof why, "%.*s", (int)sizeof why - 1, d->unit->refused);
	link_say(d, why);
	snprintf(d->refused, sizeof d->refused, "%s", why);
}

void
link_proven(struct daemon *d)
{
	if (d->refused[0] == '\0' || d->unit == NULL || !atomic_load(&d->unit->proven))
		return;
	d->refused[0] = '\0';
	link_say(d, "");
}
