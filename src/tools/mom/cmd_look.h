/* What the commands that look inside share: which servers there are, who a process is, texts of others' making on a
 * terminal. */
#ifndef CMD_LOOK_H
#define CMD_LOOK_H

#include "look/look.h"
#include "tools/mom/cmd.h"
#include <stdint.h>

struct servers { struct look_server *server; size_t count; struct look **look; size_t looks; int bad, named; };

/* Those of the folders (run folders or stores), or, without any, all that look.h finds on this machine. What cannot be
 * looked into is said on stderr, and `bad` is set. quiet: nothing is said. */
void servers_look(struct servers *s, const struct cmd *c, char **folders, int n, int quiet);
void servers_free(struct servers *s);
/* Where there is none: says so. CMD_FAILED, or CMD_OK. */
const char *servers_tried(const struct servers *s);    /* " (PLACE: WHY; ...)": where one was sought in vain */
int  servers_none(const struct servers *s, const struct cmd *c, int brokers, int daemons);

/* Adds up the living System V objects of that folder's registry: a daemon's run folder, a broker's store. */
struct ipc_tally { uint64_t objects[3], bytes; };      /* by enum registry_kind; bytes of segments */
void ipc_tally(const char *folder, struct ipc_tally *t);
static inline const char *server_registry_folder(const struct look_server *s) { return s->is_broker ? s->files
    : s->run; }

int  process_runs(pid_t pid);
/* hard: UINT64_MAX: any. -1: it cannot be seen */
int  process_descriptors(pid_t pid, uint64_t *in_use, uint64_t *soft, uint64_t *hard);
const char *user_name(uid_t uid);              /* or its number; static */

/* Text with what is not printable as \xHH: nothing of it moves the cursor or changes colours. The columns it took. */
size_t text_put(const char *text, size_t n, size_t most);      /* most: columns, then ~; 0: any */
/* padded with blanks to width; longer ones are not cut */
void text_column(const char *text, size_t width);
void heading(const char *text);                                 /* the line above a table */
/* Where there are several of its kind, each has a table of its own below a line that names it. */
void servers_heading(const struct servers *s, size_t i, const char *text);
/* 12, 3.4k, 5.6M: four columns or so; and 59s, 12m, 3h, 4d */
const char *text_amount(char text[24], double v);
const char *text_age(char text[24], int64_t seconds);

#endif
