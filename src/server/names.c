/* names - see names.h */
#include "server/names.h"
#include "base/fdio.h"
#include "base/lock.h"
#include "base/log.h"
#include "ipc/rundir.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int told;

int
names_folder(const char *path, int dir, int lock)
{
	const char *why;
	if (fdio_leads_to(AT_FDCWD, path, dir))
		return 0;
	int fresh = rundir_open(path, &why);
	if (fresh >= 0 && (lock_renew(fresh, "lock", lock) < 0 || dup3(fresh, dir, O_CLOEXEC) < 0)) {
		why = errno == EBUSY ? "another server has one there: stop that" : strerror(errno);
		fdio_close(&fresh);
	}
	if (fresh < 0) {
		if (!told)
			log_error("run folder %s is gone, and cannot be made anew: %s: nobody finds this server", path,
			    why);
		told = 1;
		return -1;
	}
	close(fresh);
	told = 0;
	log_warn("run folder %s was gone: made anew. Does something clean it? Name another with --run", path);
	return 1;
}

void
names_tell(const char *folder, const char *name, int gave)
{
	if (gave > 0)
		log_warn("%s/%s was gone: made anew. Does something clean that folder?", folder, name);
	else if (gave < 0 && !told)
		log_error("%s/%s is gone, and cannot be made anew: %s: %s", folder, name, strerror(errno),
		    fdio_hint(errno));
	if (gave)
		told = gave < 0;
}
