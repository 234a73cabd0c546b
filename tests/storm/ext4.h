/* ext4 - small file systems of their own, in memory, whose power can be cut: a loop device each, in a mount namespace
 * of the case Nothing stays behind: namespace, mounts and loop devices go with the case's last process. Needs root,
 * /dev/loop-control and mkfs.ext4. */
#ifndef EXT4_H
#define EXT4_H

enum { EXT4_MAX = 8 };
struct ext4 { char *path, *image, device[32]; const char *options; int loop; };

/* The reason why there can be none here, or NULL: then this process is in a mount namespace of its own. Call it before
 * anything else. */
const char *ext4_why_not(void);
/* Empty, mounted on the folder (made with its parents). room: of the memory below it, 0: enough; less, and write-back
 * fails with EIO */
void ext4_make(struct ext4 *e, const char *path, long bytes, long room, const char *options);
/* What was not synced is gone; the journal is flushed before (1) or not (2). All calls fail with EIO from now on. */
void ext4_cut(struct ext4 *e, int flag);
void ext4_again(struct ext4 *e);             /* unmounted and mounted: nobody may use it */
#endif
