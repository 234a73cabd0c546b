/* names - once a second: do the names of folders and of what is in them lead to what is open? a part of mom_daemon */
#include "daemon/daemon.h"
#include "common/about.h"
#include "common/fdio.h"
#include "common/lock.h"
#include "common/names.h"
#include <stdio.h>
#include <unistd.h>

int
names_about(struct daemon *d)
{
	struct about a = { .pid = getpid() };
	about_folder(d->run_dir, a.run);
	about_folder(d->spool_dir, a.files);
	snprintf(a.address, sizeof a.address, "%s %s", d->ip, d->port);
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

void
names_look(struct daemon *d)
{
	run_look(d);
}
