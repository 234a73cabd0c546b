/* link_down - the end of the connection to the broker, whoever notices it; a part of mom_daemon */
#include "daemon/daemon.h"
#include "base/clock.h"
#include "base/fdio.h"

void
link_down(struct daemon *d)
{
	identity_proven(d);                            /* else it never was: forgotten */
	d->token_fresh = 0;
	fdio_close(&d->socket);
	/* a broker whose streams had begun is there: the back-off is for those that do not answer, or only welcome
	 * us */
	int was_there = d->link == LINK_UP && d->unit && atomic_load(&d->unit->proven);
	if (d->link != LINK_IDLE)
		d->link_due = clock_ms() + backoff_after(&d->link_backoff, 0, was_there ? BACKOFF_RESET_MS : 0);
	d->link = LINK_IDLE;
}
