/* What the three parts of the log share; nobody else includes it. */
#ifndef SEGLOG_INNER_H
#define SEGLOG_INNER_H
#include "common/seglog.h"
void seglog_name(char *name, uint64_t base);
int  seglog_create(struct seglog *l, uint64_t base);
int  seglog_finish(struct seglog *l, uint64_t next);
#endif
