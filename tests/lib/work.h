/* work - what something costs this process, in processor time: a case counts work, never time */
#ifndef WORK_H
#define WORK_H

#include <stddef.h>

double work_ms(void);                          /* so far */
/* Four times as much costs some four times the work, not sixteen: what work(n) and work(4 * n) return, the least of
 * three each: whatever else runs takes caches away. */
void work_is_linear(double (*work)(size_t n), size_t n);
#endif
