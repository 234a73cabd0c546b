/* The lines that were typed before: in memory, and in a file that the sessions of a user share. */
#ifndef HISTORY_H
#define HISTORY_H
#include <stddef.h>

enum {
	HISTORY_LINES    = 1000,         /* the oldest go */
	HISTORY_LINE_MAX = 4096          /* a longer line is kept for this session only */
};

struct history {
	char **lines;                    /* oldest first */
	size_t n, room;
	char  *path;                     /* NULL: no file */
	char **fresh;                    /* not in the file yet */
	size_t fresh_n, fresh_room;
};

/* Empty lines, those that begin with a space, and a line like the last one are left out. A newline parts lines. */
void history_add(struct history *h, const char *line);
/* From now on with a file, whose lines come before those of this session. 0, -1: errno; a file that is not there is an
 * empty one. */
int  history_open(struct history *h, const char *path);
/* Adds what is new to the file, which is replaced as a whole (0600, its folder made). 0, -1: errno, and the lines wait
 * for the next call. */
int  history_save(struct history *h);
/* The file of this user: MOM_HISTORY (empty: none), else $XDG_STATE_HOME/mom/history, else ~/.local/state/mom/history.
 * malloc'd, or NULL for none. */
char *history_path(void);
void history_free(struct history *h);
#endif
