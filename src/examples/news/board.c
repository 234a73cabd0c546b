/* board - the newest entries, for pages that are opened later: a ring of JSON lines */
#include "board.h"
#include <stdlib.h>
#include <string.h>

static struct { char **lines; size_t keep, count, first; } board;

int
board_open(size_t keep)
{
	board.keep = keep;
	board.lines = calloc(keep, sizeof *board.lines);
	return board.lines ? 0 : -1;
}

int
board_add(const char *json)
{
	char *copy = strdup(json);
	if (copy == NULL)
		return -1;
	if (board.count == board.keep) {
		free(board.lines[board.first]);
		board.lines[board.first] = copy;
		board.first = (board.first + 1) % board.keep;
		return 0;
	}
	board.lines[board.count++] = copy;
	return 0;
}

size_t
board_count(void)
{
	return board.count;
}

const char *
board_get(size_t i)
{
	return board.lines[(board.first + i) % board.keep];
}
