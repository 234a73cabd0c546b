/* disk - what a disk would hold after a crash: every call that changes the watched folder is recorded (the linker's
 * --wrap), and any state that a crash could leave is built as real files.
 *
 * A write, truncation, new name, rename or unlink counts for nothing until the fsync that covers it: of the file for
 * its bytes and size, of the folder for names. Until then each of them may be there, or not, or torn, independently of
 * the others. fsync itself is free here. */
#ifndef DISK_H
#define DISK_H
#include <lib/t.h>

enum { DISK_NAME = 64, DISK_FILES = 64, DISK_PENDING = 4096 };

struct disk;                                   /* a state of the disk: what is synced, and what is pending */
/* from now on calls below that folder are recorded; its files are on the disk */
void disk_watch(int dir);
void disk_unwatch(void);
/* The processes died there and the machine did not: dir holds all that was written, what was not synced still is not.
 * Watched. */
void disk_resume(const struct disk *d, int dir);
/* called behind every recorded call: syncs is 1 where it made something durable */
extern void (*disk_step)(int syncs);
struct disk *disk_copy(void);                  /* of the state now */
void   disk_free(struct disk *d);
size_t disk_pending(const struct disk *d);     /* changes that a crash may take, oldest first */

/* what becomes of a pending change: names are kept or dropped */
enum disk_way { DISK_DROP, DISK_KEEP, DISK_ZEROS, DISK_STALE, DISK_TORN };
/* Makes the folder `to` hold that image; way: one a pending change. */
void   disk_image(const struct disk *d, const unsigned char *way, struct t_rng *rng, int to);
void   disk_remove(int dir, const char *name);     /* a file, or a folder of files */
void   disk_clear(int dir);                    /* all files in it go, and one level of folders */
void   disk_put(int dir, const char *name, const void *bytes, size_t n);
char  *disk_get(int dir, const char *name, size_t *n);   /* malloc'd, or NULL */
int    disk_names(int dir, char (*names)[DISK_NAME], int most);        /* sorted */
void   disk_random_seed(uint64_t seed);        /* getrandom of the code under test */

/* what the code under test logs */
extern char disk_log[16384];
#endif
