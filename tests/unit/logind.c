/* logind - when does systemd take a user's System V objects away? Folders stand for the roots of file systems */
#include "base/logind.h"
#include <lib/t.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static void
put(const char *path, const char *text)
{
	REQUIRE(system(t_text("mkdir -p \"$(dirname '%s/root%s')\"", t_dir(), path)) == 0, "mkdir for %s", path);
	FILE *f = fopen(t_path("root%s", path), "w");
	REQUIRE(f && fputs(text, f) >= 0 && fclose(f) == 0, "%s", path);
}

static int
removes(unsigned uid)
{
	return logind_removes_ipc(t_path("root"), uid);
}

TEST(who, "regular users under systemd are at risk; system users, machines without systemd and users that linger are "
    "not")
{
	CHECK(!removes(1000), "there is no systemd");
	put("/run/systemd/system/x", "");
	CHECK(removes(1000) && removes(65534), "the default is yes");
	CHECK(!removes(0) && !removes(999), "system users");
	put("/etc/passwd", "root:x:0:0::/root:/bin/sh\nann:x:1000:1000:Ann:/home/ann:/bin/sh\nbob:x:1001:100::/"
			   ":\neve::1002:100::/:\n");
	put("/var/lib/systemd/linger/ann", "");
	put("/var/lib/systemd/linger/eve", "");
	CHECK(!removes(1000) && removes(1001), "ann lingers, bob does not");
	CHECK(!removes(1002), "eve, who has no password field, lingers");
}

TEST(settings, "RemoveIPC=no counts wherever logind reads it: the later name wins, and /etc hides the same name "
    "elsewhere")
{
	put("/run/systemd/system/x", "");
	put("/usr/lib/systemd/logind.conf", "[Login]\nRemoveIPC=no\n");
	CHECK(!removes(1000), "there is none in /etc");
	put("/etc/systemd/logind.conf", "[Login]\n#RemoveIPC=no\n");
	CHECK(removes(1000), "a comment; the one in /usr/lib counts no more");
	put("/etc/systemd/logind.conf", "[Login]\nKillUserProcesses=no\n  RemoveIPC = No\n");
	CHECK(!removes(1000), "logind.conf says no");
	put("/usr/lib/systemd/logind.conf.d/50-x.conf", "[Login]\nRemoveIPC=yes\n");
	CHECK(removes(1000), "a drop-in says yes");
	put("/etc/systemd/logind.conf.d/50-x.conf", "");
	CHECK(!removes(1000), "hidden by an empty one in /etc");
	put("/etc/systemd/logind.conf.d/10-y.conf", "[Login]\nRemoveIPC=1\n");
	CHECK(removes(1000), "10-y is read after logind.conf");
	put("/run/systemd/logind.conf.d/90-z.conf", "RemoveIPC=false\n");
	CHECK(!removes(1000), "90-z is the last");
	put("/run/systemd/logind.conf.d/95-z.conf.old", "RemoveIPC=yes\n");
	CHECK(!removes(1000), "not a .conf");
}
