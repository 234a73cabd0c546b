/* ext4 - see ext4.h */
#include <storm/ext4.h>
#include <lib/t.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXT4_SHUTDOWN _IOR('X', 125, uint32_t)
static int images;

const char *
ext4_why_not(void)
{
	if (geteuid() != 0)
		return "needs root";
	if (system("command -v mkfs.ext4 >/dev/null 2>&1") != 0)
		return "needs mkfs.ext4";
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return "needs loop devices";
	close(control);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return "needs a mount namespace";
	return NULL;
}

/* The device goes with its last user: the mount, or this process. */
static void
attach(struct ext4 *e)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), image = open(e->image, O_RDWR | O_CLOEXEC);
	struct loop_config config = { .fd = (uint32_t)image, .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	REQUIRE(control >= 0 && image >= 0, "%s: %s", e->image, strerror(errno));
	for (int tries = 0; tries < 1000; tries++) {
		int n = ioctl(control, LOOP_CTL_GET_FREE);
		snprintf(e->device, sizeof e->device, "/dev/loop%d", n);
		e->loop = n < 0 ? -1 : open(e->device, O_RDWR | O_CLOEXEC);
		if (e->loop >= 0 && ioctl(e->loop, LOOP_CONFIGURE, &config) == 0)
			break;
		REQUIRE(tries < 999, "%s: %s", e->device, strerror(errno));      /* another took it first */
		close(e->loop);
	}
	close(control);
	close(image);
}

static void
put_on(struct ext4 *e)
{
	REQUIRE(mount(e->device, e->path, "ext4", 0, e->options) == 0, "mount(%s, %s): %s", e->device, e->path,
	    strerror(errno));
}

void
ext4_make(struct ext4 *e, const char *path, long bytes, long room, const char *options)
{
	char *below = t_path("below-%d", images++);
	*e = (struct ext4){ .path = strdup(path), .image = t_text("%s/image", below), .options = options };
	REQUIRE(system(t_text("mkdir -p %s %s", below, path)) == 0, "mkdir");
	REQUIRE(mount("below", below, "tmpfs", 0, room ? t_text("size=%ld", room) : NULL) == 0, "tmpfs: %s",
	    strerror(errno));
	int fd = open(e->image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	REQUIRE(fd >= 0 && ftruncate(fd, bytes) == 0, "image: %s", strerror(errno));
	close(fd);
	REQUIRE(system(t_text("mkfs.ext4 -q -F -J size=4 -N 4096 -m 0 -E nodiscard %s", e->image)) == 0, "mkfs.ext4");
	attach(e);
	put_on(e);
	rmdir(t_text("%s/lost+found", path));
}

void
ext4_cut(struct ext4 *e, int flag)
{
	uint32_t how = (uint32_t)flag;
	int fd = open(e->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	REQUIRE(fd >= 0 && ioctl(fd, EXT4_SHUTDOWN, &how) == 0, "shutdown of %s: %s", e->path, strerror(errno));
	close(fd);
}

void
ext4_again(struct ext4 *e)
{
	int64_t end = t_now_ms() + T_PATIENCE_MS;
	while (umount2(e->path, 0) < 0) {
		REQUIRE(errno == EBUSY && t_now_ms() < end, "umount(%s): %s", e->path, strerror(errno));
		t_sleep_ms(1);
	}
	put_on(e);
}
