/* etc - lines of /etc/passwd and /etc/group, empty fields and broken lines among them */
#include "base/etc.h"
#include "ipc/rundir.h"
#include <lib/t.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* "name=id name=id " of a text */
static char *
entries(const char *text)
{
	static char all[2000];
	struct etc_entry e;
	size_t n = 0;
	all[0] = '\0';
	for (const char *p = text; (p = etc_next(p, &e)) != NULL;)
		n += (size_t)snprintf(all + n, sizeof all - n, "%s=%u ", e.name, e.id);
	return all;
}

static void
means(const char *text, const char *wanted)
{
	const char *got = entries(text);
	CHECK(strcmp(got, wanted) == 0, "%s: got %s, wanted %s", text, got, wanted);
}

TEST(lines, "names and numbers of passwd and group, where each other field may be empty; what is none is passed over")
{
	means("root:x:0:0:root:/root:/bin/sh\nmom:x:991:991::/var/lib/mom:/bin/false\n", "root=0 mom=991 ");
	means("mom:x:991:ann,bob\n", "mom=991 ");
	means("mom::991:ann\n", "mom=991 ");
	means("mom::991:\n", "mom=991 ");
	means("mom::991", "mom=991 ");
	means("a:::\nb::1:\n", "b=1 ");
	means("a:x:1:\nb::2:\n::3:\nc:!:4:", "a=1 b=2 c=4 ");
	means("", "");
	means("\n\n", "");
	means("#mom:x:1:\n", "#mom=1 ");
	means("+::::::\n-x:::\n+\nmom\nmom:\nmom:x\nmom:x:\nmom:x::\n", "");
	means("a:x:-1:\nb:x:1x:\nc:x: 1:\nd:x:4294967295:\ne:x:4294967296:\nf:x:99999999999999999999:\ng:x:007:\n",
	    "d=4294967295 g=7 ");
	char *text = malloc(2 * ETC_NAME + 40), *p = text;
	for (int i = 0; i < 2; i++) {                  /* one that is too long, and the longest */
		memset(p, 'n', ETC_NAME);
		p += ETC_NAME - i;
		p += sprintf(p, "::%d:\n", i);
	}
	struct etc_entry e;
	const char *behind = etc_next(text, &e);
	CHECK(behind == p && strlen(e.name) == ETC_NAME - 1 && e.id == 1, "%u", e.id);
}

TEST(load, "a file is loaded whole, also through a symbolic link and beyond the first block; none is none")
{
	struct etc_entry e = { "", 0 };
	int n = 0;
	FILE *f = fopen(t_path("long"), "w");
	for (int i = 0; f && i < 5000; i++)
		fprintf(f, "user%d::%d:%d::/home:/bin/sh\n", i, i, i);
	REQUIRE(f && fclose(f) == 0 && symlink("long", t_path("passwd")) == 0, "%s", t_path("long"));
	char *text = etc_load(t_dir(), "/passwd");
	REQUIRE(text, "it is not loaded");
	for (const char *p = text; (p = etc_next(p, &e)) != NULL; n++)
		REQUIRE(e.id == (uint32_t)n, "%d: %u", n, e.id);
	CHECK(n == 5000 && strcmp(e.name, "user4999") == 0, "%d, %s", n, e.name);
	CHECK(etc_load(t_dir(), "/none") == NULL, "there is none");
}

TEST(ids, "the number of a name from /etc: the first line counts; there is none of another name (root only)")
{
	char *etc = t_path("etc");
	REQUIRE(mkdir(etc, 0755) == 0, "mkdir");
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(etc, "/etc", NULL, MS_BIND, NULL) < 0) {
		t_remark("left out: an /etc of its own needs root: %s", strerror(errno));
		return;
	}
	CHECK(etc_user_id("mom") == -1 && etc_group_id("mom") == -1, "without files");
	FILE *passwd = fopen("/etc/passwd", "w"), *group = fopen("/etc/group", "w");
	REQUIRE(passwd && group && fputs("mommy:x:1:\nmom::12:5::/:\nmom:x:13:5::/:\n", passwd) >= 0 &&
		    fputs("mo::1:\nmom::77:ann\n", group) >= 0,
	    "fputs");
	REQUIRE(fclose(passwd) == 0 && fclose(group) == 0, "fclose");
	CHECK(etc_user_id("mom") == 12, "%lld", (long long)etc_user_id("mom"));
	CHECK(etc_group_id("mom") == 77, "%lld", (long long)etc_group_id("mom"));
	REQUIRE(mkdir(t_path("run"), 0700) == 0, "mkdir");
	int run = open(t_path("run"), O_RDONLY | O_DIRECTORY);
	for (uid_t uid = 11; uid < 14; uid++)          /* a client trusts the user mom's run folder */
		CHECK(fchown(run, uid, 0) == 0 && rundir_is_trusted(run) == (uid == 12), "user %u", uid);
	close(run);
	CHECK(etc_group_id("m") == -1 && etc_user_id("momm") == -1 && etc_user_id("") == -1, "other names");
}
