/* group - programs of the group mom may use the daemon of a user: its socket and run folder are given to that group */
#include <lib/server.h>
#include <lib/t.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static struct server broker, one;

/* The group of the socket, where /etc/group is this text; -1: that needs root. */
static long
group_by(const char *text)
{
	char *etc = t_path("etc");
	struct stat folder, socket;
	FILE *f;
	if (mkdir(etc, 0755) == 0 &&
	    (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount(etc, "/etc", NULL, MS_BIND, NULL) < 0)) {
		t_remark("left out: an /etc of its own needs root: %s", strerror(errno));
		return -1;
	}
	REQUIRE((f = fopen("/etc/group", "w")) && fputs(text, f) >= 0 && fclose(f) == 0, "group: %s", strerror(errno));
	server_start(&one);
	REQUIRE(stat(one.run, &folder) == 0 && stat(t_text("%s/socket", one.run), &socket) == 0, "%s: %s", one.run,
	    strerror(errno));
	CHECK((socket.st_mode & 0777) == 0660 && folder.st_gid == socket.st_gid, "%o, %u, %u", socket.st_mode,
	    folder.st_gid, socket.st_gid);
	server_stop(&one);
	return (long)socket.st_gid;
}

TEST(
    socket, "the registration socket belongs to the group mom, also where that has an empty password field (root only)")
{
	broker_start(&broker, "broker", 0, NULL);
	daemon_plan(&one, "one", broker.port);
	long none = group_by("mommy:x:77:\n");
	if (none < 0)
		return;
	CHECK(none != 77, "%ld", none);
	long usual = group_by("x:x:1:\nmom:x:4242:ann\n"), empty = group_by("x::1:\nmom::4243:\n"),
	     last = group_by("mom::4244");
	CHECK(usual == 4242 && empty == 4243 && last == 4244, "%ld %ld %ld", usual, empty, last);
}
