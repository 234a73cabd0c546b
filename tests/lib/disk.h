/* disk - how much space files take; a disk of its own for a folder */
#ifndef DISK_H
#define DISK_H

#include <stdint.h>

/* the space of the files in a folder whose names begin so */
uint64_t disk_used(const char *folder, const char *begins);
/* A new folder on a disk of its own in memory, of that size, such as 80m; this process and its children see it. 0: that
 * cannot be, which is remarked. It takes umount2(folder, MNT_DETACH) to end it. */
int disk_of_own(const char *folder, const char *size);
#endif
