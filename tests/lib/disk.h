/* disk - how much space files take */
#ifndef DISK_H
#define DISK_H

#include <stdint.h>

/* the space of the files in a folder whose names begin so */
uint64_t disk_used(const char *folder, const char *begins);
#endif
