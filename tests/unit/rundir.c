/* rundir - where a daemon is sought */
#include <lib/t.h>
#include "ipc/rundir.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
root_is(int i, const char *wanted)
{
	char path[PATH_MAX];
	rundir_root(i, path);
	REQUIRE(strcmp(path, wanted) == 0, "place %d is '%s', not '%s'", i, path, wanted);
}

TEST(roots, "$XDG_RUNTIME_DIR, the login session's folder though nobody tells of it, /tmp and /run, in this order")
{
	char *login = t_text("/run/user/%u", (unsigned)geteuid());
	setenv("XDG_RUNTIME_DIR", "/elsewhere", 1);
	root_is(0, "/elsewhere/mom");
	root_is(1, t_text("%s/mom", login));
	root_is(2, t_text("/tmp/mom-%u", (unsigned)geteuid()));
	root_is(3, "/run/mom");
	setenv("XDG_RUNTIME_DIR", login, 1);
	root_is(0, t_text("%s/mom", login));
	root_is(1, "");
	setenv("XDG_RUNTIME_DIR", "relative", 1);
	root_is(0, "");
	root_is(1, t_text("%s/mom", login));
	unsetenv("XDG_RUNTIME_DIR");
	root_is(0, "");
	root_is(1, t_text("%s/mom", login));
}
