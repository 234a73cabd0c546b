/* pointer - see pointer.h */
#include "server/pointer.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "ipc/about.h"
#include "ipc/rundir.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pointer { char run[PATH_MAX], root[PATH_MAX], link[PATH_MAX]; };

/* 0: the folder is found without */
static int
pointer_of(struct pointer *p, int run_dir)
{
	about_folder(run_dir, p->run);
	for (int i = 0; i < RUNDIR_ROOTS; i++) {
		rundir_root(i, p->root);
		size_t n = strlen(p->root);
		if (n && strncmp(p->run, p->root, n) == 0 && (p->run[n] == '\0' ||
		    strncmp(p->run + n, "/run-", 5) == 0))
			return 0;
	}
	rundir_root(0, p->root);
	if (p->root[0] == '\0')
		rundir_default(p->root, sizeof p->root);
	return p->run[0] == '/' && snprintf(p->link, sizeof p->link, "%s/run-at-%08x", p->root,
	    crc32c(0, p->run, strlen(p->run))) < (int)sizeof p->link;
}

static int
leads_there(const struct pointer *p)
{
	char to[PATH_MAX];
	ssize_t n = readlink(p->link, to, sizeof to - 1);
	return n > 0 && (size_t)n == strlen(p->run) && memcmp(to, p->run, (size_t)n) == 0;
}

void
pointer_set(int run_dir)
{
	struct pointer p;
	struct stat st;
	if (!pointer_of(&p, run_dir))
		return;
	/* in root's folder others may see that no daemon serves there */
	mkdir(p.root, geteuid() == 0 ? 0755 : 0700);
	if (stat(p.root, &st) < 0 || st.st_uid != geteuid() || leads_there(&p))
		return;
	unlink(p.link);                                /* of a folder whose name has the same number */
	if (symlink(p.run, p.link) < 0)
		log_debug("symlink(%s): %s", p.link, strerror(errno));
}

void
pointer_clear(int run_dir)
{
	struct pointer p;
	if (!pointer_of(&p, run_dir))
		return;
	if (leads_there(&p))
		unlink(p.link);
	rmdir(p.root);                                 /* where it is empty: it was for such links alone */
}
