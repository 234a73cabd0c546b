/* daemon_names - once a second: do the names of folders and of what is in them lead to what is open? A part
 * of mom_daemon */
#include "daemon/daemon.h"
#include "ipc/about.h"
#include "base/fdio.h"
#include "base/lock.h"
#include "base/log.h"
#include "server/names.h"
#include "server/pointer.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int
names_about(struct daemon *d)
{
	struct about a = { .pid = getpid() };
	about_folder(d->run_dir, a.run);
	about_folder(d->spool_dir, a.files);
	snprintf(a.address, sizeof a.address, "%s %s", d->host, d->port);
	pointer_set(d->run_dir);
	return about_write(d->run_dir, &a) < 0 ? -1 : 1;
}

static void
run_look(struct daemon *d)
{
	int fresh = names_folder(d->run, d->run_dir, d->run_lock);
	if (fresh < 0)
		return;
	if (fresh)
		http_child_renew(&d->http);            /* it looks from there */
	names_tell(d->run, "lock", lock_look(d->run_dir, "lock", d->run_lock));
	names_tell(d->run, "registry", registry_look(&d->registry));
	names_tell(d->run, "about", fdio_leads_to(d->run_dir, "about", -1) ? 0 : names_about(d));
	names_tell(d->run, "http", http_child_look(&d->http));
	names_tell(d->run, "socket", door_look(d));
}

/* What would be written there nobody would find again. So nothing more is taken from the broker, which keeps it. */
static void
spool_look(struct daemon *d)
{
	int there = fdio_leads_to(AT_FDCWD, d->spool, d->spool_dir);
	if (!there && d->spool_state == SPOOL_GOOD) {
		log_error("spool %s is gone, or another folder has its name: nothing is taken from the broker, nothing "
		    "acknowledged. Bring it back under that name, and all goes on; or stop this daemon: the next "
		    "begins without what waited there", d->spool);
		d->spool_state = SPOOL_MOVED;
		unit_end(d);
		door_serve(d);
	}
	if (there && d->spool_state == SPOOL_MOVED) {
		log_warn("spool %s is back: all goes on", d->spool);
		d->spool_state = SPOOL_GOOD;
		d->unit_due = 0;
	}
	if (d->spool_state != SPOOL_GOOD) {
		d->unit_due = INT64_MAX;
		return;
	}
	names_tell(d->spool, "lock", lock_look(d->spool_dir, "lock", d->spool_lock));
	names_tell(d->spool, "identity", fdio_leads_to(d->spool_dir, "identity", -1) ? 0 : identity_save(d) < 0 ? -1
	    : 1);
	names_tell(d->spool, "clients", fdio_leads_to(d->spool_dir, "clients", -1) ? 0 : members_save(d) < 0 ? -1 : 1);
	if (!fdio_leads_to(d->spool_dir, "starts", -1))
		d->saved_starts = 0;
}

void
names_look(struct daemon *d)
{
	run_look(d);
	spool_look(d);
}
