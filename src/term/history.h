/* The lines that were typed before, in memory and in a file that the sessions of a user share. */
#ifndef HISTORY_H
#define HISTORY_H
#include <stddef.h>

enum {
	HISTORY_LINES      = 1000,                       /* most lines; the oldest go */
	HISTORY_FILE_LINES = 2 * HISTORY_LINES,          /* a file with more is cut to the newest when it is opened */
	HISTORY_LINE_MAX   = 4096                        /* bytes; a longer line is not remembered */
};

struct history {
	char  *lines[HISTORY_LINES];     /* oldest first */
	size_t n, fresh;                 /* fresh: so many of the last are not in the file yet */
	char  *path;                     /* NULL: no file */
};

/* A newline separates lines. Left out are empty lines, those that begin with a space, and one that is the same as the
 * last one. */
void history_add(struct history *h, const char *line);
/* Uses a file from now on, and takes its lines. 0; -1: errno. A file that is not there is an empty one. */
int  history_open(struct history *h, const char *path);
/* Adds what is new to the file (0600; its folder is made). 0; -1: errno, and the lines wait for the next call. */
int  history_save(struct history *h);
/* The file of this user: MOM_HISTORY (empty: none), else $XDG_STATE_HOME/mom/history, else ~/.local/state/mom/history.
 * Returns it malloc'd, or NULL for none. */
char *history_path(void);
void history_free(struct history *h);
#endif
