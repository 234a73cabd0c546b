/* board - the newest entries, for pages that are opened later: a ring of JSON lines */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>

int    board_open(size_t keep);            /* 0, -1: no memory */
int    board_add(const char *json);        /* 0, -1: no memory, it is not kept */
size_t board_count(void);
const char *board_get(size_t i);           /* 0: the oldest that is kept */
#endif
